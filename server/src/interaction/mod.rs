//! What may be asked of the server, one file a FHIR verb; no HTTP, no SQL.
//!
//! An [`Interaction`] is a request, read. A handler gets the [`Call`] (who asks,
//! what she may see, and the means to answer) and gives a [`Reply`] or an
//! [`Error`]. To add a verb: a variant here, a file beside, an arm in `dispatch`.
//!
//! Source: FHIR R4 http.html

pub mod amend;
pub mod audit;
mod body;
pub mod call;
pub mod conditional;
pub mod create;
pub mod delete;
pub mod error;
pub mod expected;
pub mod filing;
pub mod follow;
pub mod ground;
pub mod guard;
pub mod history;
mod include;
mod indexed;
pub mod invocation;
pub mod parameter;
pub mod patch;
pub mod plan;
pub mod query;
pub mod read;
pub mod redact;
pub mod search;
pub mod shown;
pub mod stamp;
pub mod strangers;
pub mod subset;
pub mod turns;
pub mod update;
pub(crate) mod vocabulary;

use std::ops::Deref;
use std::sync::Arc;

pub use error::{Error, Issue, outcome};
pub use expected::{Expected, Known};
pub use ground::Ground;
pub use invocation::{Invocation, Target};

use audit::Looks;

use crate::app::{App, Standing};
use crate::circles::Views;
use crate::consent::View;
use crate::consent::caller::{Action, Caller, Candidate};
use crate::consent::stance::Others;
use crate::consent::view::CitizenKey;
use crate::search::shape::Shape;
use crate::store::account::BearerRow as Bearer;
use crate::store::watch::Warrant;

/// A request, read.
#[derive(Clone, Debug)]
pub enum Interaction {
    /// `GET metadata` in a Bundle; by itself it is open to all, and needs no token.
    Capabilities(Vec<(String, String)>),
    /// `GET [type]/[id]`, what the reader has already, and how much is to go out.
    Read(Location, Known, Shape),
    /// `GET [type]/[id]/_history/[version]`
    Vread(Location, i32, Shape),
    /// `GET [type]/[id]/_history`, `GET [type]/_history`, `GET _history`
    History(Past, Vec<(String, String)>),
    /// `GET [type]?…`, `POST [type]/_search`, and the same elsewhere.
    Search(Ground, Vec<(String, String)>),
    /// `POST [type]`
    Create {
        /// The type in the URL.
        kind: String,
        /// The body as received.
        body: Vec<u8>,
        /// `If-None-Exist`: a query.
        unless: Option<String>,
    },
    /// `PUT [type]/[id]`, `PUT [type]?…`
    Update {
        /// Which.
        to: Which,
        /// The body as received.
        body: Vec<u8>,
        /// `If-Match`: the version that must be current.
        expected: Option<Expected>,
    },
    /// `PATCH [type]/[id]`, `PATCH [type]?…`
    Patch {
        /// Which.
        to: Which,
        /// The changes.
        patch: patch::Patch,
        /// `If-Match`: the version that must be current.
        expected: Option<Expected>,
    },
    /// `DELETE [type]/[id]`, `DELETE [type]?…`
    Delete {
        /// Which.
        to: Which,
        /// `If-Match`: the version that must be current.
        expected: Option<Expected>,
    },
    /// `POST [base]` with a Bundle.
    Bundle(Vec<u8>),
    /// `[base]/$name`, `[type]/$name`, `[type]/[id]/$name`
    Operation(Invocation),
}

impl Interaction {
    /// The type it is about; `None` for what the server does, a Bundle, a search of several
    /// types, and an operation, which looks itself.
    pub fn kind(&self) -> Option<&str> {
        match self {
            Self::Read(at, ..) | Self::Vread(at, ..) => Some(&at.kind),
            Self::History(of, _) => of.kind(),
            Self::Update { to, .. } | Self::Patch { to, .. } | Self::Delete { to, .. } => Some(to.kind()),
            Self::Search(Ground::Type(kind), _) | Self::Create { kind, .. } => Some(kind),
            Self::Search(Ground::Compartment(at, _), _) => Some(&at.kind),
            Self::Search(Ground::Types, _) | Self::Bundle(_) | Self::Operation(_) | Self::Capabilities(_) => None,
        }
    }

    /// Whether it is a write of one resource, so that `Prefer: return` counts.
    pub fn writes(&self) -> bool {
        match self {
            Self::Create { .. } | Self::Update { .. } | Self::Patch { .. } | Self::Delete { .. } => true,
            Self::Read(..) | Self::Vread(..) | Self::History(..) | Self::Search(..) => false,
            Self::Bundle(_) | Self::Operation(_) | Self::Capabilities(_) => false,
        }
    }
}

/// Which resource a write is about.
#[derive(Clone, Debug, Hash)]
pub enum Which {
    /// The one with this id.
    At(Location),
    /// The only one that a query finds.
    Matching {
        /// A type of R4.
        kind: String,
        /// `identifier=urn:x|1`, as it stood in the URL.
        query: String,
    },
}

impl Which {
    /// The type.
    pub fn kind(&self) -> &str {
        match self {
            Self::At(at) => &at.kind,
            Self::Matching { kind, .. } => kind,
        }
    }
}

/// Whose past a history tells.
#[derive(Clone, Debug)]
pub enum Past {
    /// `[type]/[id]`
    Instance(Location),
    /// `[type]`
    Type(String),
    /// `[base]`
    System,
}

impl Past {
    /// The type; `None` for all.
    pub fn kind(&self) -> Option<&str> {
        match self {
            Self::Instance(at) => Some(&at.kind),
            Self::Type(kind) => Some(kind),
            Self::System => None,
        }
    }

    /// `Patient/1/_history`
    pub fn path(&self) -> String {
        match self {
            Self::Instance(at) => format!("{}/_history", at.reference()),
            Self::Type(kind) => format!("{kind}/_history"),
            Self::System => "_history".to_owned(),
        }
    }
}

/// `[type]/[id]`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// A type of R4.
    pub kind: String,
    /// A FHIR id.
    pub id: String,
}

impl Location {
    /// `Patient/123`; `None` for anything else.
    pub fn read(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once('/')?;
        let known = techo_profiles::Definitions::embedded().type_number(kind).is_some();
        (known && is_id(id)).then(|| Self { kind: kind.to_owned(), id: id.to_owned() })
    }

    /// `[type]/[id]` of a URL.
    ///
    /// # Errors
    /// [`Error::UnknownType`], and [`Error::NotFound`] for a text that is no id: it
    /// names nothing.
    pub fn named(kind: String, id: String) -> Result<Self, Error> {
        if techo_profiles::Definitions::embedded().type_number(&kind).is_none() {
            return Err(Error::UnknownType(kind));
        }
        if is_id(&id) { Ok(Self { kind, id }) } else { Err(Error::NotFound) }
    }

    /// `Patient/123`
    pub fn reference(&self) -> String {
        format!("{}/{}", self.kind, self.id)
    }
}

/// Whether a text has the shape of a FHIR id. `.` and `..` have it too, and are taken away
/// from every URL before it is sent: nobody could reach what has such an id.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        && !matches!(text, "." | "..")
}

/// Who updates may create, and is to know why she may not create this.
pub fn no_id(kind: &str) -> Error {
    let issue = Issue::error(
        "value",
        "An id is 1 to 64 letters A-Z, a-z, digits, - and ., and neither . nor .. alone; this one is none.",
        "id は英字 A-Z, a-z、数字、-、. からなる 1〜64 文字で、. だけや .. だけのものは使えません。この id はこれに合いません。",
    );
    Error::Invalid(vec![issue.at(format!("{kind}.id"))])
}

/// Who asks, what she may see, and the means to answer. Entries of a batch share it.
#[derive(Debug)]
pub struct Call<'a> {
    /// The server's parts.
    pub app: &'a App,
    /// The token.
    pub bearer: Arc<Bearer>,
    /// Its hash; none in the portal.
    pub(crate) token: Option<Arc<[u8]>>,
    /// Who asks.
    pub caller: Arc<Caller>,
    /// The citizens who come into question.
    pub candidates: Arc<Vec<Candidate>>,
    /// Their Consents in force, as stored.
    pub standing: Arc<Vec<Standing>>,
    /// What everyone else who may come into question says, by stance.
    pub others: Arc<Others>,
    /// What the first statement must find still so, where the decision is remembered.
    pub warrant: Option<Arc<Warrant>>,
    /// The instant of the call, microseconds since 1970.
    pub now: i64,
    /// What she is about to do.
    pub action: Action,
    /// What she may do that with.
    pub view: Arc<View>,
    /// The same for other actions.
    pub views: Arc<Views>,
    /// `Prefer: handling=lenient`: unknown search parameters are passed over.
    pub lenient: bool,
    /// Issues inside an answer are told in Japanese.
    pub japanese: bool,
    /// `Prefer: return=…`, for what is written by a Bundle.
    pub give: Option<Return>,
    /// What it has looked at on the way to an answer.
    pub(crate) looks: Arc<Looks>,
    /// The public base of FHIR URLs, without a slash at the end.
    pub base: String,
}

impl Deref for Call<'_> {
    type Target = App;

    fn deref(&self) -> &App {
        self.app
    }
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// What happened.
    pub status: Status,
    /// The body, FHIR JSON.
    pub body: Option<Vec<u8>>,
    /// The version that the answer is about, and its instant in microseconds.
    pub version: Option<(i32, i64)>,
    /// Where the resource is, `[type]/[id]/_history/[version]`.
    pub location: Option<String>,
    /// Whose data the answer discloses or changes, for the audit record.
    /// One pair for each resource and citizen: whose, and of which type.
    pub disclosed: Vec<(CitizenKey, String)>,
    /// What it is about, `[type]/[id]`, where it is one resource.
    pub about: Option<Location>,
    /// How many resources of the searched kinds go out.
    pub count: usize,
    /// Something was written, and recorded in its own transaction.
    pub written: bool,
}

/// What a client prefers in an answer to a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Return {
    /// The resource.
    #[default]
    Representation,
    /// No body.
    Minimal,
    /// An OperationOutcome.
    Outcome,
}

/// The status of a success.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// 200
    #[default]
    Ok,
    /// 201
    Created,
    /// 204
    NoContent,
    /// 304
    NotModified,
    /// 422: refused, with a report of what was found.
    Unprocessable,
}

impl Status {
    /// `200 OK`, as a Bundle's response spells it.
    pub fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::Created => "201 Created",
            Self::NoContent => "204 No Content",
            Self::NotModified => "304 Not Modified",
            Self::Unprocessable => "422 Unprocessable Entity",
        }
    }
}
