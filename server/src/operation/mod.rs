//! Operations, one file each.
//!
//! An [`Operation`] says where it is asked (its [`Level`]s), who may ask (its
//! [`Gate`]: there is no operation without), what it takes, and what it does. It is
//! carried out like any other interaction: through `dispatch`, with a [`Call`] whose
//! View shows what the caller may see, and with an audit record.
//!
//! To add one: a file, a line in [`OPERATIONS`]. The CapabilityStatement, the
//! `OperationDefinition` of what is our own, and the reading of parameters follow.
//!
//! Source: FHIR R4 operations.html

pub mod definition;
pub mod everything;
pub mod fhirpath;
pub mod import;
pub mod input;
pub mod lastn;
pub mod meta;
pub mod reindex;
pub mod validate;

use std::pin::Pin;

pub use input::Input;
use techo_profiles::Definitions;

use crate::auth::scope::{Action as Letter, Context, Grant};
use crate::consent::caller::Action;
use crate::interaction::audit::RENDERED;
use crate::interaction::plan::parse;
use crate::interaction::{Call, Error, Invocation, Issue, Reply, Target};

/// Every operation that this server has.
pub const OPERATIONS: &[Operation] = &[
    everything::OPERATION,
    fhirpath::OPERATION,
    import::OPERATION,
    lastn::OPERATION,
    meta::META,
    meta::ADD,
    meta::DELETE,
    reindex::OPERATION,
    validate::OPERATION,
];

/// An operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Its name without `$`.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Whose definition it follows.
    pub origin: Origin,
    /// Where it may be asked.
    pub levels: &'static [Level],
    /// Who may ask; there is no operation without.
    pub gate: Gate,
    /// It changes what is stored: it is asked by `POST` alone.
    pub changes: bool,
    /// What its body may be.
    pub body: Body,
    /// What it is told, by the URL or in Parameters.
    pub parameters: &'static [Parameter],
    /// What its answer holds, for the definition of what is our own.
    pub answers: &'static [Parameter],
    /// Does it.
    pub run: for<'a> fn(&'a Call<'a>, &'a Input<'a>) -> Running<'a>,
}

/// An operation at work.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send + 'a>>;

/// Whose definition an operation follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// R4's: the canonical URL of its `OperationDefinition`.
    R4(&'static str),
    /// Our own, told at `OperationDefinition/[name]`.
    Own,
}

/// Where an operation may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `[base]/$name`
    System,
    /// `[type]/$name`, of this type or of [`ANY`].
    Type(&'static str),
    /// `[type]/[id]/$name`
    Instance(&'static str),
    /// `[type]/[id]/_history/[version]/$name`
    Version(&'static str),
}

/// Every type whose records are stored, as R4 calls them.
pub const ANY: &str = "Resource";

impl Level {
    /// Whether it is asked of `kind`, or of one of that type.
    pub fn names(self, kind: &str) -> bool {
        match self {
            Self::System => false,
            Self::Type(of) | Self::Instance(of) | Self::Version(of) => {
                let stored = || Definitions::embedded().type_number(kind).is_some() && !RENDERED.contains(&kind);
                of == kind || of == ANY && stored()
            }
        }
    }

    /// The path of an operation: `/fhir/Patient/[id]/$everything`.
    fn path(self, name: &str) -> String {
        let shown = |of: &'static str| if of == ANY { "[type]" } else { of };
        match self {
            Self::System => format!("/fhir/${name}"),
            Self::Type(of) => format!("/fhir/{}/${name}", shown(of)),
            Self::Instance(of) => format!("/fhir/{}/[id]/${name}", shown(of)),
            Self::Version(of) => format!("/fhir/{}/[id]/_history/[version]/${name}", shown(of)),
        }
    }

    fn takes(self, target: &Target) -> bool {
        let fits = match self {
            Self::System => return *target == Target::System,
            Self::Type(_) => matches!(target, Target::Type(_)),
            Self::Instance(_) => matches!(target, Target::Instance(_)),
            Self::Version(_) => matches!(target, Target::Version(..)),
        };
        fits && target.kind().is_some_and(|kind| self.names(kind))
    }
}

/// Who may ask for an operation. What it opens is a way in, never a row: rows are
/// shown by the call's View alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Whoever holds a good token: nothing that is stored is read or written.
    Token,
    /// Who may read the type asked about; at the system, whatever her View shows.
    Reads,
    /// Who may update the type asked about.
    Updates,
    /// A custodial backend with `system/` scopes to create and update these types.
    Custodial(&'static [&'static str]),
}

impl Gate {
    /// What the caller is about to do with what is stored.
    fn action(self, target: &Target) -> Action {
        match (self, target) {
            (Self::Updates, _) => Action::Update,
            (Self::Reads, Target::Instance(_) | Target::Version(..)) => Action::Read,
            (Self::Reads | Self::Token | Self::Custodial(_), _) => Action::Search,
        }
    }

    fn opens(self, call: &Call<'_>, target: &Target) -> Result<(), Error> {
        match (self, target.kind()) {
            (Self::Reads | Self::Updates, Some(kind)) => call.may(self.action(target), kind),
            (Self::Reads | Self::Updates | Self::Token, _) => Ok(()),
            (Self::Custodial(types), _) => custodial(call, types),
        }
    }
}

fn custodial(call: &Call<'_>, types: &[&str]) -> Result<(), Error> {
    let forbidden = |text: String, text_ja: String| Err(Error::Forbidden(Issue::error("forbidden", text, text_ja)));
    if call.caller.publisher().is_none() {
        return forbidden(
            "Only a custodial backend may do this.".into(),
            "この操作ができるのは、登録された公的な登録元のみです。".into(),
        );
    }
    for kind in types {
        for letter in [Letter::Create, Letter::Update] {
            if call.caller.scopes.allows(Context::System, kind, letter) != Grant::All {
                return forbidden(
                    format!("The token needs system/{kind}.cu for this."),
                    format!("system/{kind}.cu のスコープが必要です。"),
                );
            }
        }
    }
    Ok(())
}

/// What the body of an operation may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Parameters.
    Parameters,
    /// Parameters, or the resource that this parameter would hold.
    Resource(&'static str),
    /// A file of any format; a Parameters resource is one of them.
    File,
}

/// One parameter of an operation.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// A primitive type of R4, a complex one, or `Resource`.
    pub kind: &'static str,
    /// It must be there.
    pub required: bool,
    /// It may be there more than once.
    pub many: bool,
}

impl Parameter {
    /// Whatever else is sent are search parameters of the type.
    pub const SEARCH: Self = Self::many("*", "string");

    /// One that may be left out, and stands once.
    pub const fn optional(name: &'static str, kind: &'static str) -> Self {
        Self { name, kind, required: false, many: false }
    }

    /// One that must be there.
    pub const fn required(name: &'static str, kind: &'static str) -> Self {
        Self { name, kind, required: true, many: false }
    }

    /// One that may be repeated.
    pub const fn many(name: &'static str, kind: &'static str) -> Self {
        Self { name, kind, required: false, many: true }
    }
}

impl Operation {
    /// The URL of its definition.
    ///
    /// * `base`: of our own FHIR URLs.
    pub fn definition(&self, base: &str) -> String {
        match self.origin {
            Origin::R4(url) => url.to_owned(),
            Origin::Own => format!("{base}/OperationDefinition/{}", self.name),
        }
    }

    /// The methods by which it is asked.
    pub fn methods(&self) -> &'static str {
        if self.posted() { "POST" } else { "GET,HEAD,POST" }
    }

    /// Whether it takes search parameters.
    fn searches(&self) -> bool {
        self.parameters.iter().any(|one| one.name == Parameter::SEARCH.name)
    }

    /// A resource does not fit into a URL.
    fn posted(&self) -> bool {
        self.changes
            || self.body == Body::File
            || self.parameters.iter().any(|one| one.required && !input::is_primitive(one.kind))
    }
}

/// The operation of this name at this level.
pub fn find(name: &str, on: &Target) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|one| one.name == name && one.levels.iter().any(|level| level.takes(on)))
}

/// Carries an operation out.
///
/// # Errors
/// [`Error::UnknownType`] for what there is not, [`Error::Elsewhere`] at any level but
/// its own;
/// [`Error::NotAllowed`] for `GET` of what changes something; whatever its gate,
/// its parameters and itself refuse.
pub async fn run(call: &Call<'_>, asked: &Invocation) -> Result<Reply, Error> {
    let operation = find(&asked.name, &asked.on).ok_or_else(|| not_here(asked))?;
    if operation.posted() && !asked.post {
        return Err(Error::NotAllowed(Issue::error(
            "not-supported",
            "Ask for this operation by POST.",
            "この操作は POST で要求してください。",
        )));
    }
    operation.gate.opens(call, &asked.on)?;
    let told = if asked.body.is_empty() || operation.body == Body::File { None } else { Some(parse(&asked.body)?) };
    let input = Input::read(operation, asked, told.as_ref(), call.lenient)?;
    let call = call.doing(operation.gate.action(&asked.on));
    (operation.run)(&call, &input).await
}

/// Whoever asks at another level is told at which.
fn not_here(asked: &Invocation) -> Error {
    let named = OPERATIONS.iter().find(|one| one.name == asked.name);
    let is_type = asked.on.kind().is_none_or(|kind| Definitions::embedded().type_number(kind).is_some());
    let Some(operation) = named.filter(|_| is_type) else { return Error::UnknownType(asked.path()) };
    let (name, levels) = (operation.name, operation.levels.iter());
    let places = levels.map(|level| level.path(name)).collect::<Vec<_>>().join(", ");
    Error::Elsewhere(Issue::error(
        "not-supported",
        format!("${name} is not asked here, but at {places}."),
        format!("${name} はここではなく、{places} で要求してください。"),
    ))
}
