//! SMART scopes: text in, [`Scope`] out.
//!
//! `patient/Observation.rs?category=vital-signs` names a context, a type, the
//! actions allowed and a filter. Parsing is total: any text gives a scope or
//! a [`ScopeError`] that says where it stopped making sense. A scope keeps the
//! spelling in which it was asked for, and is printed in it: an application that
//! asked for `patient/*.read` is told `patient/*.read`.
//!
//! A filter that this server could not turn into a condition on rows is an
//! error, so that it is never granted: what cannot be narrowed is refused.
//!
//! To add an action: one letter in [`Action`], one row in the test table.
//!
//! Source: SMART App Launch 2.2, scopes-and-launch-context.html

mod set;

use std::fmt::{self, Display, Formatter};

pub use set::{Grant, Scopes};

/// The longest scope that is read.
const LONGEST: usize = 1024;

/// Types whose `category` is a `CodeableConcept`, hence can be narrowed by `?category=`.
const CATEGORIZED: &[&str] = &[
    "CarePlan",
    "CareTeam",
    "Communication",
    "CommunicationRequest",
    "Composition",
    "Condition",
    "Consent",
    "DiagnosticReport",
    "DocumentReference",
    "Flag",
    "Goal",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "Observation",
    "Procedure",
    "ServiceRequest",
];

/// One scope: what it means, and how it was spelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    text: Box<str>,
    meaning: Meaning,
}

/// What a scope stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// `openid`: an ID token.
    OpenId,
    /// `fhirUser`: who the user is, as a FHIR resource that may be read.
    FhirUser,
    /// `launch`: take the context from the EHR that opened the application.
    Launch,
    /// `launch/patient`, `launch/encounter`, …: ask for this context. Lower case.
    LaunchContext(Box<str>),
    /// `offline_access`: renew access when the user is away.
    OfflineAccess,
    /// `online_access`: renew access while the user is signed in.
    OnlineAccess,
    /// `system/launch.c`: open applications for a user of this EHR.
    CreateLaunch,
    /// `introspect`: ask about any client's tokens. For resource servers.
    Introspect,
    /// `patient/…`, `user/…`, `system/…`
    Resource(ResourceScope),
}

/// `context/type.actions?category=…`
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourceScope {
    /// Whose data.
    pub context: Context,
    /// The resource type; `None` is `*`, every type.
    pub kind: Option<Box<str>>,
    /// What may be done.
    pub actions: Actions,
    /// Only resources in one of these categories; empty means all.
    pub categories: Vec<Category>,
    /// Written in the SMART 1 way (`.read`, `.write`, `.*`).
    pub v1: bool,
}

/// A category that a scope is narrowed to: system (any, if `None`) and code.
pub type Category = (Option<Box<str>>, Box<str>);

/// Whose data a resource scope is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    /// The patient in context.
    Patient,
    /// All that the user may see.
    User,
    /// All that the client may see, without a user.
    System,
}

impl Context {
    /// As written before the slash.
    pub fn name(self) -> &'static str {
        match self {
            Self::Patient => "patient",
            Self::User => "user",
            Self::System => "system",
        }
    }
}

/// One letter of `cruds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `c`: create.
    Create,
    /// `r`: read, vread, history of an instance.
    Read,
    /// `u`: update, patch, create by update.
    Update,
    /// `d`: delete.
    Delete,
    /// `s`: search, history of a type or the system.
    Search,
}

impl Action {
    /// In the order in which scopes write them.
    pub const ALL: [Action; 5] = [Self::Create, Self::Read, Self::Update, Self::Delete, Self::Search];

    /// The letter.
    pub fn letter(self) -> char {
        match self {
            Self::Create => 'c',
            Self::Read => 'r',
            Self::Update => 'u',
            Self::Delete => 'd',
            Self::Search => 's',
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Create => 1,
            Self::Read => 2,
            Self::Update => 4,
            Self::Delete => 8,
            Self::Search => 16,
        }
    }
}

/// A set of [`Action`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Actions(u8);

impl Actions {
    /// No action.
    pub const NONE: Self = Self(0);

    /// These actions.
    pub fn of(actions: impl IntoIterator<Item = Action>) -> Self {
        Self(actions.into_iter().fold(0, |bits, action| bits | action.bit()))
    }

    /// Whether `action` is among them.
    pub fn has(self, action: Action) -> bool {
        self.0 & action.bit() != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The actions, in the order in which scopes write them.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |action| self.has(*action))
    }

    /// `cruds` in order, each at most once; the SMART 1 words.
    fn parse(text: &str) -> Option<(Self, bool)> {
        match text {
            "read" => return Some((Self::of([Action::Read, Action::Search]), true)),
            "write" => return Some((Self::of([Action::Create, Action::Update, Action::Delete]), true)),
            "*" => return Some((Self::of(Action::ALL), true)),
            _ => {}
        }
        let mut rest = text;
        let mut found = Self::NONE;
        for action in Action::ALL {
            if let Some(after) = rest.strip_prefix(action.letter()) {
                found.0 |= action.bit();
                rest = after;
            }
        }
        (rest.is_empty() && !found.is_empty()).then_some((found, false))
    }
}

impl Display for Actions {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|action| write!(out, "{}", action.letter()))
    }
}

/// Why a text is not a scope that could be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Characters outside RFC 6749 §3.3, or too many.
    #[error("not the characters, or more characters, than a scope may have")]
    Characters,
    /// A word that this server does not know, such as `profile`.
    #[error("unknown scope")]
    Unknown,
    /// Not `patient`, `user` or `system`.
    #[error("the part before the slash is not patient, user or system")]
    Context,
    /// Not the shape of a resource type.
    #[error("the type is not a resource type")]
    Kind,
    /// A `patient/` scope for a type whose records are no patient's.
    #[error("no record of this type belongs to a patient, so that a patient/ scope would give nothing")]
    OfNobody,
    /// Not `cruds` in order, nor `read`, `write`, `*`.
    #[error("the part after the dot is not a selection of c, r, u, d, s in this order")]
    Actions,
    /// A filter that this server does not evaluate.
    #[error("the filter is not one that this server can enforce")]
    Filter,
}

impl Scope {
    /// Reads one scope.
    ///
    /// # Errors
    /// [`ScopeError`] says which part made no sense.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(token_character) {
            return Err(ScopeError::Characters);
        }
        Ok(Self { text: text.into(), meaning: meaning(text)? })
    }

    /// The spelling in which it was asked for.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it stands for.
    pub fn meaning(&self) -> &Meaning {
        &self.meaning
    }

    /// The resource scope, if it is one.
    pub fn resource(&self) -> Option<&ResourceScope> {
        match &self.meaning {
            Meaning::Resource(scope) => Some(scope),
            Meaning::OpenId
            | Meaning::FhirUser
            | Meaning::Launch
            | Meaning::LaunchContext(_)
            | Meaning::OfflineAccess
            | Meaning::OnlineAccess
            | Meaning::CreateLaunch
            | Meaning::Introspect => None,
        }
    }
}

impl Display for Scope {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl ResourceScope {
    /// Whether it speaks of `kind`.
    pub fn names(&self, kind: &str) -> bool {
        self.kind.as_deref().is_none_or(|own| own == kind)
    }

    /// What both allow, spelled in the SMART 2 way; `None` if nothing.
    pub fn common(&self, other: &Self) -> Option<Scope> {
        let kind = match (&self.kind, &other.kind) {
            (Some(one), Some(two)) if one != two => return None,
            (one, two) => one.as_ref().or(two.as_ref()),
        };
        let categories = match (self.categories.as_slice(), other.categories.as_slice()) {
            ([], only) | (only, []) => only,
            (one, two) if one == two => one,
            _ => return None,
        };
        let actions = Actions(self.actions.0 & other.actions.0);
        if self.context != other.context || actions.is_empty() {
            return None;
        }
        let values: Vec<String> = categories
            .iter()
            .map(|(system, code)| system.as_ref().map_or(code.to_string(), |system| format!("{system}|{code}")))
            .collect();
        let filter = if values.is_empty() { String::new() } else { format!("?category={}", values.join(",")) };
        let kind = kind.map_or("*", |kind| kind);
        Scope::parse(&format!("{}/{kind}.{actions}{filter}", self.context.name())).ok()
    }
}

fn meaning(text: &str) -> Result<Meaning, ScopeError> {
    Ok(match text {
        "openid" => Meaning::OpenId,
        "fhirUser" => Meaning::FhirUser,
        "launch" => Meaning::Launch,
        "offline_access" => Meaning::OfflineAccess,
        "online_access" => Meaning::OnlineAccess,
        "system/launch.c" => Meaning::CreateLaunch,
        "introspect" => Meaning::Introspect,
        _ => match text.split_once('/') {
            None => return Err(ScopeError::Unknown),
            Some(("launch", context)) => Meaning::LaunchContext(launch_context(context)?),
            Some((context, rest)) => Meaning::Resource(resource(context, rest)?),
        },
    })
}

fn launch_context(text: &str) -> Result<Box<str>, ScopeError> {
    let fits = !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_lowercase());
    if fits { Ok(text.into()) } else { Err(ScopeError::Unknown) }
}

fn resource(context: &str, rest: &str) -> Result<ResourceScope, ScopeError> {
    let context = match context {
        "patient" => Context::Patient,
        "user" => Context::User,
        "system" => Context::System,
        _ => return Err(ScopeError::Context),
    };
    let (name, filter) = match rest.split_once('?') {
        Some((name, filter)) => (name, Some(filter)),
        None => (rest, None),
    };
    let (kind, actions) = name.split_once('.').ok_or(ScopeError::Actions)?;
    let kind = match kind {
        "*" => None,
        _ if is_type_shaped(kind) => Some(kind.into()),
        _ => return Err(ScopeError::Kind),
    };
    let (actions, v1) = Actions::parse(actions).ok_or(ScopeError::Actions)?;
    let categories = match filter {
        Some(filter) => categories(kind.as_deref(), filter)?,
        None => Vec::new(),
    };
    Ok(ResourceScope { context, kind, actions, categories, v1 })
}

fn is_type_shaped(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// `category=system|code`, `category=code`; alternatives parted by commas.
fn categories(kind: Option<&str>, filter: &str) -> Result<Vec<Category>, ScopeError> {
    let kind = kind.ok_or(ScopeError::Filter)?;
    if !CATEGORIZED.contains(&kind) || filter.contains(['&', '\\', '%', '+']) {
        return Err(ScopeError::Filter);
    }
    let values = filter.strip_prefix("category=").ok_or(ScopeError::Filter)?;
    values.split(',').map(category).collect()
}

fn category(text: &str) -> Result<Category, ScopeError> {
    let (system, code) = match text.split_once('|') {
        Some((system, code)) => (Some(system), code),
        None => (None, text),
    };
    // `|code` ("without a system") and `system|` ("any code") are not conditions we store.
    if code.is_empty() || code.contains('|') || system == Some("") {
        return Err(ScopeError::Filter);
    }
    Ok((system.map(Into::into), code.into()))
}

/// `scope-token` of RFC 6749 §3.3: printable ASCII without space, `"` and `\`.
fn token_character(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, ScopeError> {
        Scope::parse(text).map(|scope| match scope.meaning {
            Meaning::Resource(scope) => {
                let kind = scope.kind.as_deref().unwrap_or("*");
                let v1 = if scope.v1 { " v1" } else { "" };
                format!("{} {kind} {}{v1} {:?}", scope.context.name(), scope.actions, scope.categories)
            }
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn resource_scopes() {
        for (text, expected) in [
            ("patient/Observation.rs", "patient Observation rs []"),
            ("patient/*.cruds", "patient * cruds []"),
            ("user/*.*", "user * cruds v1 []"),
            ("patient/*.read", "patient * rs v1 []"),
            ("system/Patient.write", "system Patient cud v1 []"),
            ("patient/Observation.rs?category=vital-signs", r#"patient Observation rs [(None, "vital-signs")]"#),
            ("patient/Condition.r?category=http://x/y|a", r#"patient Condition r [(Some("http://x/y"), "a")]"#),
            ("user/Observation.s?category=a,b|c", r#"user Observation s [(None, "a"), (Some("b"), "c")]"#),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn other_scopes() {
        for (text, expected) in [
            ("openid", Meaning::OpenId),
            ("fhirUser", Meaning::FhirUser),
            ("launch", Meaning::Launch),
            ("launch/patient", Meaning::LaunchContext("patient".into())),
            ("launch/encounter", Meaning::LaunchContext("encounter".into())),
            ("offline_access", Meaning::OfflineAccess),
            ("online_access", Meaning::OnlineAccess),
            ("system/launch.c", Meaning::CreateLaunch),
            ("introspect", Meaning::Introspect),
        ] {
            assert_eq!(Scope::parse(text).map(|scope| scope.meaning), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (text, expected) in [
            ("", ScopeError::Characters),
            ("a\"b", ScopeError::Characters),
            ("patient/観察.rs", ScopeError::Characters),
            ("profile", ScopeError::Unknown),
            ("launch/", ScopeError::Unknown),
            ("launch/Patient", ScopeError::Unknown),
            ("group/Patient.rs", ScopeError::Context),
            ("patient/observation.rs", ScopeError::Kind),
            ("patient/Obs_x.rs", ScopeError::Kind),
            ("patient/.rs", ScopeError::Kind),
            ("patient/Observation", ScopeError::Actions),
            ("patient/Observation.", ScopeError::Actions),
            ("patient/Observation.dus", ScopeError::Actions),
            ("patient/Observation.sr", ScopeError::Actions),
            ("patient/Observation.rr", ScopeError::Actions),
            ("patient/Observation.Read", ScopeError::Actions),
            ("patient/Observation.reads", ScopeError::Actions),
            ("patient/Observation.rs?nope=1", ScopeError::Filter),
            ("patient/Observation.rs?", ScopeError::Filter),
            ("patient/Observation.rs?category=", ScopeError::Filter),
            ("patient/Observation.rs?category=|a", ScopeError::Filter),
            ("patient/Observation.rs?category=a|", ScopeError::Filter),
            ("patient/Observation.rs?category=a|b|c", ScopeError::Filter),
            ("patient/Observation.rs?category=a&code=b", ScopeError::Filter),
            ("patient/Observation.rs?category:not=a", ScopeError::Filter),
            ("patient/*.rs?category=a", ScopeError::Filter),
            ("patient/Patient.rs?category=a", ScopeError::Filter),
        ] {
            assert_eq!(Scope::parse(text).map(|scope| scope.meaning), Err(expected), "{text}");
        }
        assert_eq!(Scope::parse(&"a".repeat(LONGEST + 1)), Err(ScopeError::Characters));
    }

    #[test]
    fn every_selection_in_order_is_read_and_printed() {
        for bits in 1_u8..32 {
            let letters = Actions(bits).to_string();
            assert_eq!(Actions::parse(&letters), Some((Actions(bits), false)), "{letters}");
            let reversed: String = letters.chars().rev().collect();
            assert_eq!(Actions::parse(&reversed).is_some(), letters.len() == 1, "{reversed}");
        }
    }
}
