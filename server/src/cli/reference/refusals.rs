//! The page of refusals: each error with its status and what it says.

use super::{Known, table};
use crate::cli::Failure;
use crate::interaction::{Error, Issue};
use crate::store::StoreError;

#[expect(clippy::unnecessary_wraps, reason = "one shape for all pages")]
pub(super) fn page(_: &Known) -> Result<String, Failure> {
    let mut rows: Vec<(u16, Vec<String>)> = samples().iter().map(row).collect();
    // Asking this one what it says would write it into the log as if it had happened.
    let broken = Error::Internal(String::new());
    rows.push((500, vec!["500".into(), "`exception`".into(), when(&broken).into(), String::new()]));
    rows.sort();
    Ok(format!(
        "A refusal is an `OperationOutcome`: each issue has a code, a text in Japanese or English as `Accept-Language` \
         prefers, and, where one element or parameter is at fault, its `expression`; faults in a body also have line and \
         column. 401 names `Bearer` in `WWW-Authenticate`, 405 what is allowed in `Allow`, 503 when to ask again in \
         `Retry-After`.\n\n{}",
        table(
            &["status", "issue code", "when", "text, where it is always the same"],
            rows.into_iter().map(|(_, row)| row)
        )
    ))
}

fn row(error: &Error) -> (u16, Vec<String>) {
    let (status, issues) = error.explained();
    // A search has an issue for each parameter at fault, and none here.
    let own = issues.first().filter(|issue| issue.code != OWN);
    let code = own.map_or_else(|| "by its cause".to_owned(), |issue| format!("`{}`", issue.code));
    let text = own.map_or_else(String::new, |issue| [&*issue.text, &*issue.text_ja].join(" "));
    (status, vec![status.to_string(), code, when(error).to_owned(), text.trim().to_owned()])
}

/// An issue whose code and text depend on what is wrong.
const OWN: &str = "";

/// One of each; [`when`] fails to compile where one is missing from it.
fn samples() -> Vec<Error> {
    let issue = |code| Issue::error(code, "", "");
    vec![
        Error::Invalid(vec![issue(OWN)]),
        Error::Search(Vec::new()),
        Error::Anonymous,
        Error::Unauthorized,
        Error::Forbidden(issue("forbidden")),
        Error::NotFound,
        Error::UnknownType("TYPE".into()),
        Error::Elsewhere(issue("not-supported")),
        Error::NotAllowed(issue("not-supported")),
        Error::NotAcceptable(issue("not-supported")),
        Error::Conflict(issue(OWN)),
        Error::Gone,
        Error::Precondition(issue(OWN)),
        Error::Unguarded(issue("required")),
        Error::TooLarge(issue(OWN)),
        Error::Unsupported(issue("not-supported")),
        Error::Unprocessable(vec![issue(OWN)]),
        Error::Slow,
        Error::Late,
        Error::Store(StoreError::Busy),
        Error::Store(StoreError::Unknown),
        Error::Store(StoreError::TooCostly),
    ]
}

fn when(error: &Error) -> &'static str {
    match error {
        Error::Invalid(_) => "the request cannot be read, or its body breaks the structure of R4",
        Error::Search(_) => "a search parameter that is unknown, not done, or cannot be read",
        Error::Anonymous => "no access token",
        Error::Unauthorized => "an access token that is not, or no longer, good",
        Error::Forbidden(_) => {
            "the token's scopes never allow this, or the write may not be made; says nothing of what is stored"
        }
        Error::NotFound => "absent or hidden, alike",
        Error::UnknownType(_) => "a type, operation or path that there is not",
        Error::Elsewhere(_) => "an operation that is asked at another level, which the text names",
        Error::NotAllowed(_) => "a method that is not done here",
        Error::NotAcceptable(_) => "an answer in a media type that is not built",
        Error::Conflict(_) => "an id that someone else holds, or a transaction overtaken by another",
        Error::Gone => "deleted, and once visible to this caller",
        Error::Precondition(_) => "`If-Match` names another version, or a condition matches several",
        Error::Unguarded(_) => "a change without `If-Match`, where the operator asks for one",
        Error::TooLarge(_) => "a body or Bundle beyond the limits",
        Error::Unsupported(_) => "a body in a media type that is not built",
        Error::Unprocessable(_) | Error::Patched(_) => {
            "it can be read and breaks a rule: a Consent that cannot be enforced, an import refused whole"
        }
        Error::Slow => "nothing more of a body came for too long",
        Error::Late => "it took longer than `--request-seconds`",
        Error::Internal(_) => "the server contradicts itself, or the audit record could not be kept",
        Error::Store(StoreError::Unknown) => "the connection to PostgreSQL was lost while a change was being made",
        Error::Store(StoreError::TooCostly) => "a search that took too long and was stopped",
        Error::Store(_) => {
            "the write queue is full or the database does not answer; 500 for a stored row that makes no sense, 507 (`no-store`) for a full disk"
        }
        Error::Entry { .. } => "the same, of one entry of a Bundle, which `expression` names",
    }
}
