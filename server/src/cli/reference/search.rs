//! The page of search: kinds, modifiers, prefixes, and the parameters that shape
//! the answer. Whether one of these is done is asked of the parser itself.

use jiff::tz::TimeZone;
use techo_profiles::local::BASE as LOCAL_BASE;
use techo_terminology::Terminology;

use super::{Known, codes, table};
use crate::cli::Failure;
use crate::search::kinds::{KINDS, Kind, Local};
use crate::search::parse::{self, Scope};

#[expect(clippy::unnecessary_wraps, reason = "all pages are made alike")]
pub(super) fn page(known: &Known) -> Result<String, Failure> {
    Ok(format!(
        "How to ask, with examples: [Search](../../guide/search.md).\n\n\
         ## Kinds and their modifiers\n\n{}\n`:missing` goes with each kind; `:type` is the name of a resource type.\n\n\
         ## Prefixes\n\n{}\n## Of every type\n\n{}\n## What shapes the answer\n\n{}\n\
         What is refused is 400 with the issue code `not-supported`; by `Prefer: handling=lenient` it is passed over, and \
         told in the Bundle.\n",
        kinds(known),
        prefixes(),
        everywhere(known),
        results(known),
    ))
}

fn kinds(known: &Known) -> String {
    let count = |kind: &Kind| {
        let all = known.types().iter().flat_map(|of| of.list("searchParam"));
        all.filter(|parameter| parameter.str("type") == Some(kind.name)).count()
    };
    let rows = KINDS.iter().map(|kind| {
        let modifiers: Vec<String> = kind.modifiers.iter().map(|name| format!(":{name}")).collect();
        let undone: Vec<String> = kind.undone.iter().map(|name| format!(":{name}")).collect();
        vec![
            kind.name.to_owned(),
            count(kind).to_string(),
            codes(modifiers.iter().map(String::as_str)),
            codes(undone.iter().map(String::as_str)),
            if kind.sort.is_some() { "yes".to_owned() } else { "no".to_owned() },
        ]
    });
    table(&["kind", "parameters of all types", "modifiers", "refused, though R4 knows them", "sorts"], rows)
}

/// What each prefix finds, on the kinds that have an order.
const PREFIXES: [(&str, &str); 9] = [
    ("eq", "what lies within the value asked for; also without a prefix"),
    ("ne", "what does not lie within it"),
    ("gt", "what reaches above it"),
    ("lt", "what reaches below it"),
    ("ge", "what reaches above it or overlaps it"),
    ("le", "what reaches below it or overlaps it"),
    ("sa", "what begins after it"),
    ("eb", "what ends before it"),
    ("ap", "what overlaps it or its surroundings: a tenth of the number, or of the time between it and now"),
];

fn prefixes() -> String {
    let rows = PREFIXES.iter().map(|(name, finds)| vec![format!("`{name}`"), (*finds).to_owned()]);
    table(&["prefix", "finds, on dates, numbers and quantities"], rows)
}

/// The parameters that R4 gives to every resource.
fn everywhere(known: &Known) -> String {
    let usual = ["_id", "_lastUpdated", "_tag", "_profile", "_security", "_source", "_text", "_content", "_list"];
    let value = |name: &str| match name {
        "_lastUpdated" => "ge2026-01-01",
        "_profile" | "_source" => "https://example.org/x",
        _ => "x",
    };
    table(&["parameter", "done"], usual.iter().map(|name| vec![format!("`{name}`"), told(known, name, value(name))]))
}

/// What R4 knows to shape an answer, each with a value that shows whether it is done.
const RESULTS: [(&str, &str); 20] = [
    ("_count", "10"),
    ("_sort", "-_lastUpdated"),
    ("_total", "accurate"),
    ("_summary", "count"),
    ("_summary", "true"),
    ("_summary", "text"),
    ("_summary", "data"),
    ("_elements", "code"),
    ("_include", "Observation:subject"),
    ("_include:iterate", "Patient:organization"),
    ("_include", "*"),
    ("_revinclude", "Provenance:target"),
    ("_contained", "true"),
    ("_contained", "both"),
    ("_containedType", "contained"),
    ("_filter", "code eq x"),
    ("_has:Provenance:target:agent", "Practitioner/x"),
    ("subject:Patient.name", "x"),
    ("_format", "json"),
    ("_pretty", "true"),
];

fn results(known: &Known) -> String {
    let rows = RESULTS.iter().map(|(name, value)| vec![format!("`{name}={value}`"), told(known, name, value)]);
    table(&["example, on `Observation`", "done"], rows)
}

fn told(known: &Known, name: &str, value: &str) -> String {
    let local = Local::new("https://example.org/fhir", &TimeZone::UTC);
    let terms = Terminology::new(known.definitions, LOCAL_BASE);
    let scope = Scope { local: &local, now: 0, lenient: false, terms: &terms };
    let query = [(name.to_owned(), value.to_owned())];
    match parse::plans(known.definitions, &["Observation"], &query, &scope) {
        Ok(_) => "yes".to_owned(),
        Err(_) => "refused".to_owned(),
    }
}
