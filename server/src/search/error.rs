//! Why a search was refused.

use super::reason::{Class, Reason};

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

impl SearchError {
    /// An error about `parameter`.
    pub fn new(parameter: &str, reason: Reason) -> Self {
        Self { parameter: parameter.into(), reason }
    }

    /// Whether `handling=lenient` may leave the parameter out.
    pub fn may_be_ignored(&self) -> bool {
        matches!(self.reason.class(), Class::Undone | Class::Unready)
    }

    /// Whether another server on the database may know the parameter already.
    pub fn may_be_newer(&self) -> bool {
        self.reason.class() != Class::TooMuch && !matches!(self.reason, Reason::Repeated | Reason::UnknownType { .. })
    }

    /// The same in Japanese.
    pub fn japanese(&self) -> String {
        format!("検索パラメータ{:?}: {}。", self.parameter, self.reason.japanese())
    }

    /// The code for `OperationOutcome.issue.code`.
    pub fn issue_code(&self) -> &'static str {
        match self.reason.class() {
            Class::Undone | Class::ModifierUndone => "not-supported",
            Class::Unready => "incomplete",
            Class::Value => "value",
            Class::Absent => "not-found",
            Class::Misuse => "invalid",
            Class::TooMuch => "too-costly",
        }
    }
}
