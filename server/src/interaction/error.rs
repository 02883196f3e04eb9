//! Why a request was refused; `http/outcome.rs` gives each its status.

use techo_profiles::json::Json;

use crate::search::SearchError;
use crate::store::StoreError;

/// One thing that is wrong, as an `OperationOutcome.issue` says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// `issue-severity`
    pub severity: &'static str,
    /// `issue-type`
    pub code: &'static str,
    /// FHIRPath of the element at fault.
    pub expression: Option<String>,
    /// What is wrong and what to do, in English. Holds no value of a patient.
    pub text: String,
    /// The same in Japanese.
    pub text_ja: String,
    /// Line and column in the body as received, where that helps.
    pub place: Option<(usize, usize)>,
}

impl Issue {
    /// An error of `code`.
    pub fn error(code: &'static str, text: impl Into<String>, text_ja: impl Into<String>) -> Self {
        Self { severity: "error", code, expression: None, text: text.into(), text_ja: text_ja.into(), place: None }
    }

    /// With the element at fault.
    #[must_use]
    pub fn at(mut self, expression: impl Into<String>) -> Self {
        self.expression = Some(expression.into());
        self
    }

    /// As FHIR; Japanese text if `japanese`.
    pub fn json(&self, japanese: bool) -> Json {
        let text = if japanese { &self.text_ja } else { &self.text };
        let mut issue = Json::object([
            ("severity", Json::from(self.severity)),
            ("code", Json::from(self.code)),
            ("details", Json::object([("text", Json::from(text.as_str()))])),
        ]);
        if let Some((line, column)) = self.place {
            issue.set("diagnostics", Json::from(format!("line {line}, column {column}")));
        }
        if let Some(expression) = &self.expression {
            issue.set("expression", Json::array([Json::from(expression.as_str())]));
        }
        issue
    }
}

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 400: the request cannot be read.
    #[error("bad request")]
    Invalid(Vec<Issue>),
    /// 422: it can be read and breaks a rule.
    #[error("unprocessable")]
    Unprocessable(Vec<Issue>),
    /// 401: no token, or one that is not, or no longer, good.
    #[error("unauthorized")]
    Unauthorized,
    /// 403: known before any data was looked up.
    #[error("forbidden")]
    Forbidden(Issue),
    /// 404: absent or hidden, alike.
    #[error("not found")]
    NotFound,
    /// 410: deleted, and once visible to this caller.
    #[error("gone")]
    Gone,
    /// 404: no such type or operation.
    #[error("no such type")]
    UnknownType(String),
    /// 405
    #[error("not allowed here")]
    NotAllowed(Issue),
    /// 406
    #[error("not acceptable")]
    NotAcceptable(Issue),
    /// 415
    #[error("unsupported media type")]
    Unsupported(Issue),
    /// What is wrong with one entry of a Bundle.
    #[error("entry {index}: {error}")]
    Entry {
        /// Counted from 0.
        index: usize,
        /// What is wrong.
        error: Box<Error>,
    },
    /// 409
    #[error("conflict")]
    Conflict(Issue),
    /// 412
    #[error("precondition failed")]
    Precondition(Issue),
    /// 413
    #[error("too large")]
    TooLarge(Issue),
    /// 400: search parameters that are unknown or not understood.
    #[error("bad search")]
    Search(Vec<SearchError>),
    /// 500, 503 or 507.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// 500: the server contradicts itself. The text names a place, never a value.
    #[error("internal: {0}")]
    Internal(String),
}

impl From<SearchError> for Error {
    fn from(error: SearchError) -> Self {
        Self::Search(vec![error])
    }
}

/// A search error as an issue.
pub fn search_issue(error: &SearchError) -> Issue {
    Issue::error(error.issue_code(), error.to_string(), format!("検索パラメータ {}: {}", error.parameter, error.reason))
        .at(error.parameter.to_string())
}
