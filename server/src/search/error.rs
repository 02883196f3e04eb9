//! Why a search was refused.

use std::fmt::{self, Display, Formatter};

/// One parameter that could not be understood or is not done.
///
/// Always the client's fault: 400. `parameter` goes to
/// `OperationOutcome.issue.expression`, the text to `diagnostics`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("search parameter {parameter:?}: {reason}")]
pub struct SearchError {
    /// The parameter's name as given, modifier included.
    pub parameter: Box<str>,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a search parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The type has no such parameter.
    Unknown {
        /// The searched type.
        resource_type: Box<str>,
    },
    /// The type has it, and not all records are indexed by it yet.
    NotIndexed {
        /// The searched type.
        resource_type: Box<str>,
    },
    /// There is no such resource type.
    UnknownType(Box<str>),
    /// FHIR knows it, this server does not do it.
    NotDone(Box<str>),
    /// The modifier is none, or none for this kind of parameter.
    Modifier(Box<str>),
    /// FHIR knows the modifier, this server does not do it. Never ignored: the
    /// answer would mean something else.
    ModifierNotDone(Box<str>),
    /// The value cannot be read.
    Value(Box<str>),
    /// What the value names is not here: a code system, a value set.
    NotHere(Box<str>),
    /// It may be given once.
    Repeated,
    /// There is too much of it.
    TooMuch(Box<str>),
}

impl SearchError {
    /// An error about `parameter`.
    pub fn new(parameter: &str, reason: Reason) -> Self {
        Self { parameter: parameter.into(), reason }
    }

    /// Whether `handling=lenient` may leave the parameter out.
    pub fn may_be_ignored(&self) -> bool {
        matches!(self.reason, Reason::Unknown { .. } | Reason::NotIndexed { .. } | Reason::NotDone(_))
    }

    /// Whether another server on the database may know the parameter already.
    pub fn may_be_newer(&self) -> bool {
        !matches!(self.reason, Reason::TooMuch(_) | Reason::Repeated | Reason::UnknownType(_))
    }

    /// The same in Japanese; a detail that names a grammar or a limit stays as it is.
    pub fn japanese(&self) -> String {
        let told = if let Reason::Unknown { resource_type } = &self.reason {
            format!("{resource_type}にこの検索パラメータはありません")
        } else if let Reason::UnknownType(name) = &self.reason {
            format!("{name}というリソース型はありません")
        } else if let Reason::ModifierNotDone(name) = &self.reason {
            format!("修飾子:{name}はこのサーバーでは使えません")
        } else if self.reason == Reason::Repeated {
            "1回だけ指定できます".to_owned()
        } else {
            let what = match self.issue_code() {
                "not-supported" => "このサーバーでは使えません",
                "too-costly" => "指定が多すぎます",
                "value" => "値を読み取れません",
                "not-found" => "値の指すものがありません",
                _ => "指定に誤りがあります",
            };
            format!("{what}（{}）", self.reason)
        };
        format!("検索パラメータ{:?}: {told}。", self.parameter)
    }

    /// The code for `OperationOutcome.issue.code`.
    pub fn issue_code(&self) -> &'static str {
        match self.reason {
            Reason::Unknown { .. } | Reason::NotDone(_) | Reason::ModifierNotDone(_) => "not-supported",
            Reason::NotIndexed { .. } => "incomplete",
            Reason::Value(_) => "value",
            Reason::NotHere(_) => "not-found",
            Reason::UnknownType(_) | Reason::Modifier(_) | Reason::Repeated => "invalid",
            Reason::TooMuch(_) => "too-costly",
        }
    }
}

impl Display for Reason {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { resource_type } => write!(out, "{resource_type} has no such search parameter"),
            Self::NotIndexed { resource_type } => {
                write!(
                    out,
                    "not all records of {resource_type} are indexed by it yet; ask again when the reindex is done"
                )
            }
            Self::UnknownType(name) => write!(out, "there is no resource type {name:?}"),
            Self::NotDone(what) => write!(out, "{what} is not supported by this server"),
            Self::ModifierNotDone(name) => write!(out, "the modifier :{name} is not supported by this server"),
            Self::Modifier(why) | Self::Value(why) | Self::NotHere(why) | Self::TooMuch(why) => out.write_str(why),
            Self::Repeated => out.write_str("may be given only once"),
        }
    }
}
