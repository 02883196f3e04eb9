//! The page of requests: what the CapabilityStatement claims, as HTTP writes it,
//! and the operations.

use techo_profiles::json::Json;

use super::{Known, codes, table};
use crate::cli::Failure;
use crate::dispatch::bundle;
use crate::http::BODY_LIMIT;
use crate::operation::{Level, OPERATIONS, Operation, Parameter};
use crate::search::named::{QUERIES, QueryParameter};

pub(super) fn page(known: &Known) -> Result<String, Failure> {
    let usual = known.types().first().ok_or_else(|| Failure("no types".into()))?;
    Ok(format!(
        "All URLs stand below the FHIR base, `BASE-URL/fhir`.\n\n\
         ## Of the server\n\n{}\n## Of a type\n\n{}\n{}\n## Conditions\n\n{}\n## Operations\n\n{}\n\
         Who may ask: *token*, whoever holds a good token, for nothing that is stored is read or written; *reads*, \
         *updates*, whoever may read or update the type; *custodial*, a custodial backend with the scopes for what it \
         makes.\n\n## Named queries\n\n{}\n## Limits\n\n{}",
        requests(known.server(), SYSTEM)?,
        requests(Some(usual), TYPE)?,
        apart(known, usual),
        conditions(usual),
        operations(),
        queries(),
        limits(),
    ))
}

/// FHIR's code of an interaction, its request.
type Request = (&'static str, &'static str);

const SYSTEM: &[Request] = &[
    ("transaction", "`POST /` with a Bundle of type `transaction`"),
    ("batch", "`POST /` with a Bundle of type `batch`"),
    ("search-system", "`GET /?_type=TYPE,…`, `POST /_search`"),
    ("history-system", "`GET /_history`"),
];

const TYPE: &[Request] = &[
    ("read", "`GET /TYPE/ID`, `HEAD`"),
    ("vread", "`GET /TYPE/ID/_history/VERSION`, `HEAD`"),
    ("update", "`PUT /TYPE/ID`"),
    ("patch", "`PATCH /TYPE/ID`"),
    ("delete", "`DELETE /TYPE/ID`"),
    ("history-instance", "`GET /TYPE/ID/_history`"),
    ("history-type", "`GET /TYPE/_history`"),
    ("create", "`POST /TYPE`"),
    ("search-type", "`GET /TYPE?…`, `POST /TYPE/_search`"),
];

fn interactions(of: &Json) -> impl Iterator<Item = &str> {
    of.list("interaction").iter().filter_map(|interaction| interaction.str("code"))
}

/// A claim without its request is a mistake of this file.
fn requests(of: Option<&Json>, known: &[Request]) -> Result<String, Failure> {
    let row = |code: &str| {
        let request = known.iter().find(|(name, _)| *name == code);
        let (_, request) = request.ok_or_else(|| Failure(format!("{code} has no request in the reference")))?;
        Ok(vec![format!("`{code}`"), (*request).to_owned()])
    };
    let rows: Result<Vec<_>, Failure> = of.into_iter().flat_map(interactions).map(row).collect();
    let capabilities = vec!["`capabilities`".to_owned(), "`GET /metadata`, without a token".to_owned()];
    let first = known.iter().any(|(code, _)| *code == "transaction").then_some(capabilities);
    Ok(table(&["interaction", "request"], first.into_iter().chain(rows?)))
}

/// The types that are answered otherwise than most.
fn apart(known: &Known, usual: &Json) -> String {
    let all: Vec<&str> = interactions(usual).collect();
    let others = known.types().iter().filter(|of| interactions(of).collect::<Vec<_>>() != all);
    let said: Vec<String> = others
        .map(|of| format!("`{}`: {} alone", of.str("type").unwrap_or_default(), codes(interactions(of))))
        .collect();
    format!("{} types; all alike, but for {}.\n", known.types().len(), said.join("; "))
}

fn conditions(of: &Json) -> String {
    let said = |name: &str| {
        let value = of.get(name).map_or_else(|| "no".to_owned(), ToString::to_string);
        value.trim_matches('"').to_owned()
    };
    let row = |name: &str, request: &str| vec![format!("`{name}`"), said(name), request.to_owned()];
    table(
        &["claim", "value", "request"],
        [
            row("conditionalRead", "`If-None-Match`, `If-Modified-Since`"),
            row("conditionalCreate", "`POST /TYPE` with `If-None-Exist: QUERY`"),
            row("conditionalUpdate", "`PUT /TYPE?QUERY`"),
            row("conditionalDelete", "`DELETE /TYPE?QUERY`"),
            row("updateCreate", "`PUT /TYPE/ID` of what is not there; custodial backends"),
            row("versioning", "`If-Match: W/\"VERSION\"`"),
        ],
    )
}

fn operations() -> String {
    let rows = OPERATIONS.iter().map(|operation| {
        vec![
            operation.levels.iter().map(|level| place(*level, operation.name)).collect::<Vec<_>>().join(", "),
            operation.methods().replace(',', " "),
            format!("{:?}", operation.gate).split('(').next().unwrap_or_default().to_lowercase(),
            parameters(operation),
            operation.summary.to_owned(),
        ]
    });
    table(&["operation", "by", "who", "parameters", "does"], rows)
}

fn queries() -> String {
    let rows = QUERIES.iter().map(|query| {
        let told =
            |one: &QueryParameter| format!("`{}` {}{}", one.name, one.kind, if one.required { " 1..1" } else { "" });
        let parameters: Vec<String> = query.parameters.iter().map(told).collect();
        vec![format!("`/{}?_query={}`", query.kind, query.name), parameters.join("; "), query.summary.to_owned()]
    });
    table(&["query", "parameters", "finds"], rows)
}

fn place(level: Level, name: &str) -> String {
    let any = |kind: &str| if kind == crate::operation::ANY { "TYPE".to_owned() } else { kind.to_owned() };
    match level {
        Level::System => format!("`/${name}`"),
        Level::Type(kind) => format!("`/{}/${name}`", any(kind)),
        Level::Instance(kind) => format!("`/{}/ID/${name}`", any(kind)),
        Level::Version(kind) => format!("`/{}/ID/_history/VERSION/${name}`", any(kind)),
    }
}

fn parameters(operation: &Operation) -> String {
    let told = |one: &Parameter| {
        let times = match (one.required, one.many) {
            (true, true) => " 1..*",
            (true, false) => " 1..1",
            (false, true) => " 0..*",
            (false, false) => "",
        };
        format!("`{}` {}{times}", one.name, one.kind)
    };
    let all: Vec<String> = operation.parameters.iter().map(told).collect();
    if all.is_empty() { "–".to_owned() } else { all.join("; ") }
}

fn limits() -> String {
    let row = |what: &str, most: String| vec![what.to_owned(), most];
    table(
        &["what", "at most"],
        [
            row("body", format!("{} MiB; 413 above", BODY_LIMIT / 1024 / 1024)),
            row("entries of a batch or transaction", format!("{}; 413 above", bundle::MOST)),
            row("resources a page", format!("{}; a larger `_count` is cut", crate::search::plan::MAX_COUNT)),
        ],
    )
}
