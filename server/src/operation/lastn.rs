//! `Observation/$lastn`: the latest of each code.
//!
//! The records are those that a search finds; any search parameter narrows them, and
//! whose they are must be said, and of which codes or category. R4's `max` is of each
//! code: of each that is asked; where only a category is, of each thing observed, which is
//! whatever codings connect. What was cancelled or entered in error is no result, as in the
//! query `latest`. Chosen in the database, so that what goes out is all that is read.
//!
//! Source: FHIR R4 observation-operation-lastn.html

use super::{Body, Gate, Input, Level, Operation, Origin, Parameter};
use crate::interaction::redact::Seen;
use crate::interaction::search::{Bundle, damaged};
use crate::interaction::{Call, Error, Issue, Reply, is_id};
use crate::search::named::NO_RESULT;
use crate::search::names::Answer;
use crate::search::page::query_string;
use crate::search::shape::Shape;

/// The operation.
pub const OPERATION: Operation = Operation {
    name: "lastn",
    summary: "The latest Observations of each code. What was cancelled or entered in error is left out.",
    origin: Origin::R4("http://hl7.org/fhir/OperationDefinition/Observation-lastn"),
    levels: &[Level::Type(KIND)],
    gate: Gate::Reads,
    changes: false,
    body: Body::Parameters,
    parameters: &[Parameter::optional("max", "positiveInt"), Parameter::SEARCH],
    answers: &[],
    run: |call, input| Box::pin(lastn(call, input)),
};

const KIND: &str = "Observation";
/// The most that goes out.
const MOST: usize = 1000;
/// What says how a search is answered, not what it finds.
const NOT_HERE: &[&str] = &[
    "_include",
    "_revinclude",
    "_sort",
    "_count",
    "_total",
    "_summary",
    "_elements",
    "_contained",
    "_containedType",
    "_page",
    "_query",
];

async fn lastn(call: &Call<'_>, input: &Input<'_>) -> Result<Reply, Error> {
    let query = input.search();
    let patients = whose(call, &query)?;
    if let Some((name, _)) = query.iter().find(|(name, _)| NOT_HERE.contains(&name.split(':').next().unwrap_or(name))) {
        return Err(refused(
            "not-supported",
            name,
            "This parameter is not used with $lastn.",
            "このパラメータは $lastn では使えません。",
        ));
    }
    if !query.iter().any(|(name, _)| matches!(name.split(':').next(), Some("code" | "category"))) {
        return Err(refused(
            "required",
            "code",
            "Name a code or a category.",
            "code または category を指定してください。",
        ));
    }
    let max = input.text("max").and_then(|max| max.parse().ok()).unwrap_or(1).min(MOST);
    let mut asked = query.clone();
    asked.push((NO_RESULT.0.to_owned(), NO_RESULT.1.to_owned()));
    let plan = call.plan(KIND, &asked, call.lenient).await?;
    let ids: Vec<&str> = patients.iter().map(String::as_str).collect();
    let rows = call.reader().latest(&plan, &ids, max, MOST + 1).await?;
    if rows.len() > MOST {
        return Err(refused(
            "too-costly",
            "max",
            "There is too much. Ask for fewer, or for fewer codes.",
            "件数が多すぎます。max や code を絞ってください。",
        ));
    }
    call.asked(std::slice::from_ref(&plan), Answer { found: rows.len(), whole: true });
    let mut used = query.clone();
    used.extend(input.text("max").map(|max| ("max".to_owned(), max.to_owned())));
    let used: Vec<(Box<str>, Box<str>)> = used.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    let mut bundle = Bundle::new("searchset");
    bundle.link("self", &format!("{}/{KIND}/$lastn?{}", call.base, query_string(&used)));
    let mut reply = Reply { count: rows.len(), ..Reply::default() };
    let mut seen = Seen::new();
    let mut issues = Vec::new();
    for row in &rows {
        let shape = Shape::default();
        let pushed = call.push((&mut bundle, &mut reply, &mut seen), &shape, (KIND, row, true)).await;
        issues.extend(damaged(KIND, row, pushed)?);
    }
    bundle.push_outcome(&issues, call.japanese);
    reply.body = Some(bundle.finish(Some(rows.len() as u64), &call.view));
    Ok(reply)
}

/// The ids of the Patients whose Observations are asked for.
fn whose(call: &Call<'_>, query: &[(String, String)]) -> Result<Vec<String>, Error> {
    let named =
        query.iter().find(|(name, _)| matches!(&**name, "patient" | "subject" | "subject:Patient" | "patient:Patient"));
    let missing = || {
        refused(
            "required",
            "patient",
            "Name the patient by her id: patient=ID.",
            "patient=ID で患者を指定してください。",
        )
    };
    let (name, value) = named.ok_or_else(missing)?;
    let typed = name != "subject";
    let id = |text: &str| {
        let text = text.strip_prefix(&format!("{}/", call.base)).unwrap_or(text);
        let id = text.strip_prefix("Patient/").or_else(|| Some(text).filter(|_| typed))?;
        is_id(id).then(|| id.to_owned())
    };
    value.split(',').map(id).collect::<Option<Vec<_>>>().ok_or_else(missing)
}

fn refused(code: &'static str, at: &str, text: &str, text_ja: &str) -> Error {
    Error::Invalid(vec![Issue::error(code, text, text_ja).at(at)])
}
