//! `$validate`: would this be stored? Nothing is written, whatever the answer.
//!
//! What is checked is what a write checks: R4's structure, no Individual Number, and,
//! where a mode is named, whether the caller may do it. Profiles, slicing and
//! invariants are not checked, and a profile is refused rather than passed over.
//!
//! Source: FHIR R4 resource-operation-validate.html

use techo_profiles::json::{Json, Place};
use techo_profiles::validate::{Severity, structure};

use super::{ANY, Body, Gate, Input, Level, Operation, Origin, Parameter};
use crate::consent::caller::Action;
use crate::interaction::delete;
use crate::interaction::follow::Pending;
use crate::interaction::plan::Draft;
use crate::interaction::update::{judged, replaced, whole};
use crate::interaction::{Call, Error, Issue, Location, Reply, Target, guard};

/// The operation.
pub const OPERATION: Operation = Operation {
    name: "validate",
    summary: "Whether a resource would be stored.",
    origin: Origin::R4("http://hl7.org/fhir/OperationDefinition/Resource-validate"),
    levels: &[Level::Type(ANY), Level::Instance(ANY)],
    // What is sent along is judged; a stored resource only by whoever may read it.
    gate: Gate::Token,
    changes: false,
    body: Body::Resource("resource"),
    parameters: &[
        Parameter::optional("resource", "Resource"),
        Parameter::optional("mode", "code"),
        Parameter::optional("profile", "uri"),
    ],
    answers: &[],
    run: |call, input| Box::pin(validate(call, input)),
};

async fn validate(call: &Call<'_>, input: &Input<'_>) -> Result<Reply, Error> {
    let kind = input.on.kind().ok_or(Error::NotFound)?;
    let action = mode(input)?;
    base_profile(input, kind)?;
    let at = if let Target::Instance(at) = input.on { Some(at) } else { None };
    if let Some(at) = at {
        stored(call, at).await?;
    }
    let mut issues = Vec::new();
    match (input.json("resource"), action) {
        (Some(resource), _) => issues.extend(faults(call, (kind, at), input.body, resource, action)),
        (None, Some(Action::Delete)) => {}
        (None, _) => return Err(no_resource()),
    }
    let named = named(kind, input.json("resource"), action);
    // What is wrong in itself is written by nobody.
    let resource = input.json("resource").filter(|_| issues.iter().all(|issue| issue.severity != "error"));
    issues.extend(allowed(call, (kind, at.or(named.as_ref()), resource), action).await?);
    if issues.is_empty() {
        let (text, text_ja) = ("No fault was found.", "誤りは見つかりませんでした。");
        issues.push(Issue { severity: "information", ..Issue::error("informational", text, text_ja) });
    }
    issues.extend(input.json("resource").map(|resource| unchecked(kind, resource)).unwrap_or_default());
    let issues = issues.iter().map(|issue| issue.json(call.japanese));
    let outcome = Json::object([("resourceType", Json::from("OperationOutcome")), ("issue", Json::array(issues))]);
    Ok(Reply { body: Some(outcome.to_string().into_bytes()), about: at.cloned(), ..Reply::default() })
}

/// What the caller is about to do, if she says so.
fn mode(input: &Input<'_>) -> Result<Option<Action>, Error> {
    let instance = matches!(input.on, Target::Instance(_));
    match input.text("mode") {
        None => Ok(None),
        Some("create") if !instance => Ok(Some(Action::Create)),
        Some("update") => Ok(Some(Action::Update)),
        Some("delete") if instance => Ok(Some(Action::Delete)),
        Some(_) => Err(Error::Invalid(vec![
            Issue::error(
                "value",
                "mode is create (at a type), update, or delete (at a resource).",
                "mode は create(種別に対して)、update、delete(リソースに対して)のいずれかです。",
            )
            .at(input.place("mode")),
        ])),
    }
}

/// What is validated against.
fn base(kind: &str) -> String {
    format!("http://hl7.org/fhir/StructureDefinition/{kind}")
}

fn is_base(url: &str, kind: &str) -> bool {
    url.split('|').next() == Some(&base(kind))
}

/// Refuses any profile but the type itself.
fn base_profile(input: &Input<'_>, kind: &str) -> Result<(), Error> {
    let base = base(kind);
    match input.text("profile") {
        None => Ok(()),
        Some(url) if is_base(url, kind) => Ok(()),
        Some(_) => Err(Error::Invalid(vec![
            Issue::error(
                "not-supported",
                format!("This server validates against {base} alone; it does not check other profiles."),
                format!("検証できるのは {base} のみです。他のプロファイルには対応していません。"),
            )
            .at(input.place("profile")),
        ])),
    }
}

/// Profiles that the resource says it fits: nobody is to take silence for a yes.
fn unchecked(kind: &str, resource: &Json) -> Vec<Issue> {
    let profiles = resource.get("meta").map(|meta| meta.list("profile")).unwrap_or_default();
    let others = profiles.iter().enumerate().filter(|(_, url)| url.as_str().is_some_and(|url| !is_base(url, kind)));
    let unchecked = others.map(|(index, _)| {
        let base = base(kind);
        let text = format!("Whether the resource fits this profile was not checked: this server knows {base} alone.");
        let text_ja = format!("このプロファイルに適合するかどうかは検証していません。検証できるのは {base} のみです。");
        let issue = Issue::error("not-supported", text, text_ja).at(format!("{kind}.meta.profile[{index}]"));
        Issue { severity: "information", ..issue }
    });
    unchecked.take(MOST_UNCHECKED).collect()
}

/// Profiles that are told one by one.
const MOST_UNCHECKED: usize = 20;

/// Whoever is hidden is answered like nobody.
async fn stored(call: &Call<'_>, at: &Location) -> Result<(), Error> {
    call.may(Action::Read, &at.kind)?;
    let view = call.view_for(Action::Read);
    let found = call.store.reader(&view).current(&at.kind, &at.id).await?.ok_or(Error::NotFound)?;
    call.looked_at(std::slice::from_ref(&found)).await?;
    if found.is_deleted() { Err(Error::Gone) } else { Ok(()) }
}

fn no_resource() -> Error {
    Error::Invalid(vec![
        Issue::error(
            "required",
            "Send the resource, or Parameters with \"resource\".",
            "リソース、または \"resource\" を持つ Parameters を送ってください。",
        )
        .at("Parameters.parameter"),
    ])
}

/// Everything that is wrong with the resource itself.
///
/// * `text`: the body, in which the resource stands.
fn faults(
    call: &Call<'_>,
    (kind, at): (&str, Option<&Location>),
    text: &[u8],
    resource: &Json,
    action: Option<Action>,
) -> Vec<Issue> {
    let mut issues: Vec<Issue> = structure(call.definitions, &call.codes, resource)
        .into_iter()
        .map(|fault| {
            let place = Place::of(text, fault.offset);
            let severity = match fault.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Information => "information",
            };
            let issue = Issue::error(fault.code.name(), fault.text_en, fault.text_ja).at(fault.expression);
            Issue { severity, place: Some((place.line, place.column)), ..issue }
        })
        .collect();
    let named = resource.str("resourceType").unwrap_or_default();
    if named != kind {
        let text = format!("The resource is no {kind}, as the URL says.");
        let text_ja = format!("URL は {kind} ですが、リソースの種別が異なります。");
        issues.push(Issue::error("invalid", text, text_ja).at("resourceType"));
    }
    let id = resource.str("id");
    let unnamed = action == Some(Action::Update) && id.is_none();
    if unnamed || at.is_some_and(|at| id.is_some_and(|id| id != at.id)) {
        let (text, text_ja) = ("An update has the id of what it updates.", "更新では、更新対象の id が必要です。");
        issues.push(Issue::error("invalid", text, text_ja).at(format!("{kind}.id")));
    }
    if action == Some(Action::Update)
        && let Err(Error::Unprocessable(more)) = whole(kind, resource)
    {
        issues.extend(more);
    }
    if let Err(Error::Invalid(more)) = guard::no_individual_number(kind, id.unwrap_or_default(), resource) {
        issues.extend(more);
    }
    issues
}

/// What an update that is asked about at a type would replace: the resource says it itself.
fn named(kind: &str, resource: Option<&Json>, action: Option<Action>) -> Option<Location> {
    let id = resource?.str("id").filter(|_| action == Some(Action::Update))?;
    Location::named(kind.to_owned(), id.to_owned()).ok()
}

/// What keeps the caller from doing it.
async fn allowed(
    call: &Call<'_>,
    of: (&str, Option<&Location>, Option<&Json>),
    action: Option<Action>,
) -> Result<Vec<Issue>, Error> {
    let Some(action) = action else { return Ok(Vec::new()) };
    match refused(&call.doing(action), of).await {
        Ok(()) => Ok(Vec::new()),
        Err(Error::Forbidden(issue) | Error::NotAllowed(issue) | Error::Conflict(issue)) => Ok(vec![issue]),
        Err(Error::Invalid(issues) | Error::Unprocessable(issues)) => Ok(issues),
        Err(error) => Err(error),
    }
}

/// Refuses as the write would.
///
/// * `of`: the type, the place and the resource, as far as they are known.
async fn refused(call: &Call<'_>, (kind, at, resource): (&str, Option<&Location>, Option<&Json>)) -> Result<(), Error> {
    call.may(call.action, kind)?;
    let mut old = None;
    match (call.action, at) {
        (Action::Delete, Some(at)) => {
            // Of what is not hers to delete she hears nothing: a deletion would be done already.
            return match call.writable_now(at, call.action).await? {
                Some(live) if !live.is_deleted() => delete::of(call, live).await.map(drop),
                _ => Ok(()),
            };
        }
        (Action::Update, Some(at)) => old = replaced(call, at).await?,
        (Action::Create, _) => {}
        (_, _) => return Ok(()),
    }
    if let Some(live) = old.as_ref().filter(|old| !old.is_deleted()) {
        call.shown_whole(live).await?;
    }
    let Some(resource) = resource else { return Ok(()) };
    let id = at.map_or_else(|| call.random.id(), |at| at.id.clone());
    let draft = Draft::made(call, kind, id, resource.clone())?;
    judged(call, &draft, old.as_ref(), &Pending::default()).await.map(drop)
}
