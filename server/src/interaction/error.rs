//! Why a request was refused, and what HTTP and an OperationOutcome say of it.

use techo_profiles::json::Json;
use techo_profiles::xml::legible;

use crate::consent::stance::{MOST_OF_ONE, MOST_WITH_DENIALS};
use crate::search::SearchError;
use crate::store::{StoreError, Trouble};

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

    /// A write was done: for whoever prefers an OperationOutcome to the resource.
    pub fn stored() -> Self {
        Self { severity: "information", ..Self::error("informational", "Stored.", "保存しました。") }
    }

    /// The same of a deletion, which stores nothing.
    pub fn removed() -> Self {
        Self { severity: "information", ..Self::error("informational", "Deleted.", "削除しました。") }
    }

    /// With the element at fault.
    #[must_use]
    pub fn at(mut self, expression: impl Into<String>) -> Self {
        self.expression = Some(expression.into());
        self
    }

    /// As FHIR; Japanese text if `japanese`. What is echoed of a request may be anything,
    /// and an answer may not: a parameter may have any name, and none.
    pub fn json(&self, japanese: bool) -> Json {
        let text = if japanese { &self.text_ja } else { &self.text };
        let mut issue = Json::object([
            ("severity", Json::from(self.severity)),
            ("code", Json::from(self.code)),
            ("details", Json::object([("text", Json::from(&*legible(text)))])),
        ]);
        if let Some(place) = self.place {
            issue.set("diagnostics", Json::from(placed_at(place, japanese)));
        }
        if let Some(expression) = self.expression.as_deref().filter(|expression| !expression.trim().is_empty()) {
            issue.set("expression", Json::array([Json::from(&*legible(expression))]));
        }
        issue
    }
}

/// An OperationOutcome of these issues.
pub fn outcome(issues: &[Issue], japanese: bool) -> Json {
    let issues = issues.iter().map(|issue| issue.json(japanese));
    Json::object([("resourceType", Json::from("OperationOutcome")), ("issue", Json::array(issues))])
}

/// A line and column in words, for `diagnostics`.
pub fn placed_at((line, column): (usize, usize), japanese: bool) -> String {
    if japanese { format!("{line}行目、{column}文字目") } else { format!("line {line}, column {column}") }
}

/// The line and column that [`placed_at`] told, and whether in Japanese.
pub fn read_place(text: &str) -> Option<((usize, usize), bool)> {
    let english = || text.strip_prefix("line ")?.split_once(", column ");
    let japanese = || text.strip_suffix("文字目")?.split_once("行目、");
    let ((line, column), is_japanese) = english().map(|place| (place, false)).or_else(|| Some((japanese()?, true)))?;
    Some(((line.parse().ok()?, column.parse().ok()?), is_japanese))
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
    /// 422: the same of what a patch makes of a resource. Its issues are placed in that.
    #[error("unprocessable when patched")]
    Patched(Vec<Issue>),
    /// 401: no token at all.
    #[error("no token")]
    Anonymous,
    /// 401: a token that is not, or no longer, good.
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
    /// 404: an operation that there is, at another level.
    #[error("asked elsewhere")]
    Elsewhere(Issue),
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
    /// 428: a change without `If-Match`, where the operator wants one.
    #[error("unguarded")]
    Unguarded(Issue),
    /// 413
    #[error("too large")]
    TooLarge(Issue),
    /// 408: the body paused for too long.
    #[error("slow")]
    Slow,
    /// 503: it took longer than a request may.
    #[error("late")]
    Late,
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
    Issue::error(error.issue_code(), error.to_string(), error.japanese()).at(error.parameter.to_string())
}

impl Error {
    /// HTTP status and issues. No catch-all: a new variant chooses its answer here.
    pub fn explained(&self) -> (u16, Vec<Issue>) {
        explained(self)
    }
}

fn explained(error: &Error) -> (u16, Vec<Issue>) {
    match error {
        Error::Invalid(issues) => (400, issues.clone()),
        Error::Unprocessable(issues) | Error::Patched(issues) => (422, issues.clone()),
        Error::Anonymous | Error::Unauthorized => (
            401,
            vec![Issue::error(
                "login",
                "No valid access token. Sign in again, or ask the token endpoint for a new token.",
                "有効なアクセストークンがありません。サインインし直すか、新しいトークンを取得してください。",
            )],
        ),
        Error::Forbidden(issue) => (403, vec![issue.clone()]),
        Error::NotFound => (
            404,
            vec![Issue::error("not-found", "There is no such resource for you.", "該当するリソースはありません。")],
        ),
        Error::Gone => {
            (410, vec![Issue::error("deleted", "The resource was deleted.", "リソースは削除されています。")])
        }
        Error::UnknownType(kind) => (
            404,
            vec![Issue::error(
                "not-supported",
                format!("{} is no resource type or operation of this server; see /fhir/metadata.", shown(kind)),
                format!("{} はこのサーバーにない種別または操作です。/fhir/metadata を参照してください。", shown(kind)),
            )],
        ),
        Error::Elsewhere(issue) => (404, vec![issue.clone()]),
        Error::NotAllowed(issue) => (405, vec![issue.clone()]),
        Error::NotAcceptable(issue) => (406, vec![issue.clone()]),
        Error::Unsupported(issue) => (415, vec![issue.clone()]),
        Error::Conflict(issue) => (409, vec![issue.clone()]),
        Error::Precondition(issue) => (412, vec![issue.clone()]),
        Error::Unguarded(issue) => (428, vec![issue.clone()]),
        Error::TooLarge(issue) => (413, vec![issue.clone()]),
        Error::Slow => (
            408,
            vec![Issue::error(
                "timeout",
                "Nothing more of the body came for too long. Send it again.",
                "本文の続きが届きませんでした。もう一度送ってください。",
            )],
        ),
        Error::Late => (
            503,
            vec![Issue::error(
                "timeout",
                "The request took too long and was given up. If it was to change something, read first whether it has.",
                "時間がかかりすぎたため処理を打ち切りました。変更の場合は、反映されたかどうかを先に確認してください。",
            )],
        ),
        Error::Search(errors) => (400, errors.iter().map(search_issue).collect()),
        Error::Entry { index, error } => {
            let (status, issues) = explained(error);
            let place = format!("Bundle.entry[{index}]");
            let within = |issue: &Issue| match **error {
                Error::Patched(_) => when_patched(&place, issue),
                _ => issue.clone().at(in_entry(&place, issue.expression.as_deref())),
            };
            (status, issues.iter().map(within).collect())
        }
        Error::Store(error) => stored(error),
        Error::Internal(place) => {
            tracing::error!(place, "internal error");
            (500, vec![internal()])
        }
    }
}

/// Where in a Bundle the fault of an entry is.
///
/// * `inner`: where it is in the entry (`request.url`) or in its resource
///   (`Patient.name`); a search parameter's name is neither, and in the request.
fn in_entry(entry: &str, inner: Option<&str>) -> String {
    let Some(inner) = inner else { return entry.to_owned() };
    let (head, rest) = inner.split_once('.').map_or((inner, None), |(head, rest)| (head, Some(rest)));
    match (head, rest) {
        ("Bundle", Some(_)) if inner.starts_with(entry) => inner.to_owned(),
        ("request" | "fullUrl" | "resource", _) => format!("{entry}.{inner}"),
        ("resourceType", _) => format!("{entry}.resource"),
        (head, Some(rest)) if head.starts_with(|first: char| first.is_ascii_uppercase()) => {
            format!("{entry}.resource.{rest}")
        }
        (head, None) if head.starts_with(|first: char| first.is_ascii_uppercase()) => format!("{entry}.resource"),
        _ => format!("{entry}.request"),
    }
}

/// What is wrong with what an entry's patch makes stands nowhere in the Bundle: it is placed
/// in the patched resource, and the text says which entry it was.
fn when_patched(entry: &str, issue: &Issue) -> Issue {
    let expression = issue.expression.clone().or_else(|| Some(entry.to_owned()));
    let text = format!("As {entry} patches it: {}", issue.text);
    let text_ja = format!("{entry} のパッチを適用した結果: {}", issue.text_ja);
    Issue { expression, text, text_ja, ..issue.clone() }
}

fn crowded() -> Issue {
    Issue::error(
        "business-rule",
        format!(
            "A patient may have {MOST_OF_ONE} active Consents, {MOST_WITH_DENIALS} with those that only deny; \
             as many that custodians have filed. Revoke some that are no longer needed first."
        ),
        format!(
            "有効な同意は1人につき{MOST_OF_ONE}件まで、拒否だけのものを含めて{MOST_WITH_DENIALS}件までです(管理者が登録したものは別に同数まで)。\
             不要な同意を取り消してからやり直してください。"
        ),
    )
    .at("Consent.status")
}

fn stored(error: &StoreError) -> (u16, Vec<Issue>) {
    let busy = || {
        vec![Issue::error(
            "transient",
            "The server is busy. Ask again in a moment.",
            "サーバーが混み合っています。しばらくしてからやり直してください。",
        )]
    };
    match error {
        StoreError::Busy | StoreError::Stopped | StoreError::OtherRules => (503, busy()),
        StoreError::Unknown => {
            let issue = Issue::error(
                "transient",
                "The connection to the database was lost before it said whether the change was made. Read first \
                 whether it was, and ask again only if it was not.",
                "データベースとの接続が切れたため、変更が反映されたかどうか不明です。先に反映されたかどうかを確認し、反映されていない場合に限りやり直してください。",
            );
            (503, vec![issue])
        }
        StoreError::Database(database) => {
            tracing::error!(error = %kind_of(&database.to_string()), "database");
            match Trouble::of(database) {
                Some(Trouble::Full) => {
                    let issue = Issue::error("no-store", "The disk is full.", "ディスクに空きがありません。");
                    (507, vec![issue])
                }
                Some(Trouble::Away) => (503, busy()),
                Some(Trouble::Late) | None => (500, vec![internal()]),
            }
        }
        StoreError::Crowded(_) => (422, vec![crowded()]),
        // Asking again would take as long: no 503.
        StoreError::TooCostly => {
            let issue = Issue::error(
                "too-costly",
                "The search took too long and was stopped. Narrow it: name a patient, an identifier or a code, \
                 fewer steps in a chain, or a shorter span of time.",
                "検索に時間がかかりすぎたため中止しました。患者、識別子、コードの指定、連鎖の短縮、期間の限定などで絞り込んでください。",
            );
            (403, vec![issue])
        }
        StoreError::Corrupt { table: "resource", column: "body", .. } => {
            tracing::error!(%error, "store");
            (500, vec![unreadable()])
        }
        StoreError::Missing { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Audit(_)
        | StoreError::Unsupported(_)
        | StoreError::Stale
        | StoreError::Taken
        | StoreError::Sealed => {
            tracing::error!(%error, "store");
            (500, vec![internal()])
        }
    }
}

/// The kind of a database error without what it quotes, which may be a patient's.
fn kind_of(text: &str) -> String {
    text.split(['\'', '"', '(', '（', '「']).next().unwrap_or_default().chars().take(120).collect()
}

fn internal() -> Issue {
    Issue::error(
        "exception",
        "The server failed. The operator's log says where.",
        "サーバーで障害が発生しました。運用者のログに記録されています。",
    )
}

fn unreadable() -> Issue {
    Issue::error(
        "exception",
        "A stored version is damaged and cannot be read. Whoever keeps it may replace or delete it.",
        "保存されている版が壊れているため読み取れません。登録元は置き換えまたは削除ができます。",
    )
}

/// A name out of a URL, shortened: it is echoed.
fn shown(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::in_entry;

    #[test]
    fn the_fault_of_an_entry_is_told_as_a_path_through_the_bundle() {
        let entry = "Bundle.entry[1]";
        for (inner, expected) in [
            (None, "Bundle.entry[1]"),
            (Some("request.url"), "Bundle.entry[1].request.url"),
            (Some("resourceType"), "Bundle.entry[1].resource"),
            (Some("Observation"), "Bundle.entry[1].resource"),
            (Some("Observation.status"), "Bundle.entry[1].resource.status"),
            (Some("Bundle.entry[1].resource.status"), "Bundle.entry[1].resource.status"),
            (Some("value-quantity"), "Bundle.entry[1].request"),
        ] {
            assert_eq!(in_entry(entry, inner), expected);
        }
    }
}
