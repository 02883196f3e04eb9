//! Chains, `_has` and includes by canonical URL.
//!
//! Source: FHIR R4 references.html#canonical, search.html#chaining, #has, #include

use serde_json::{Value, json};

use crate::check::{Check, finds, get, ok, refused, row};
use crate::seed::{patient, resource, with};

const URL: &str = "https://example.org/forms/q";

/// Longer than an index keeps.
fn long() -> String {
    format!("https://example.org/{}", "q".repeat(600))
}

fn form(id: &str, url: &str, version: &str, title: &str) -> Value {
    let form = resource("Questionnaire", id, json!({"status": "active", "url": url, "title": title}));
    if version.is_empty() { form } else { with(form, json!({"version": version})) }
}

fn answers(id: &str, to: &str) -> Value {
    resource(
        "QuestionnaireResponse",
        id,
        json!({"status": "completed", "questionnaire": to, "subject": {"reference": "Patient/p"}}),
    )
}

pub fn seed() -> Vec<Value> {
    let long = long();
    let inside = with(
        answers("inside", "#own"),
        json!({"contained": [{"resourceType": "Questionnaire", "id": "own", "status": "draft", "title": "Contained"}]}),
    );
    let library = |id: &str, urls: &[&str]| {
        let related: Vec<Value> = urls.iter().map(|url| json!({"type": "depends-on", "resource": url})).collect();
        resource(
            "Library",
            id,
            json!({"status": "active", "type": {"text": "t"}, "relatedArtifact": related,
            "subjectReference": {"reference": URL}}),
        )
    };
    let measure = |id: &str, measure: &str| {
        resource(
            "MeasureReport",
            id,
            json!({"status": "complete", "type": "summary", "measure": measure,
            "period": {"start": "2026"}, "reporter": {"reference": "https://example.org/measures/m"}}),
        )
    };
    vec![
        with(patient("p", "Yamada"), json!({"gender": "female"})),
        form("first", URL, "1", "Autumn"),
        form("second", URL, "2", "Winter"),
        form("bare", URL, "", "Spring"),
        form("other", "https://example.org/forms/qq", "1", "Autumn two"),
        form("long-1", &long, "1", "Longest one"),
        form("long-2", &long, "2", "Longest two"),
        answers("of-first", &format!("{URL}|1")),
        answers("of-second", &format!("{URL}|2#page")),
        answers("of-any", URL),
        answers("of-part", &format!("{URL}#page")),
        answers("of-none", &format!("{URL}|3")),
        answers("of-long", &format!("{long}|2")),
        answers("of-long-any", &long),
        inside,
        library("needs", &["https://example.org/measures/none", &format!("{URL}|1")]),
        resource(
            "Measure",
            "m",
            json!({"status": "active", "url": "https://example.org/measures/m", "title": "Counted"}),
        ),
        measure("counts", "https://example.org/measures/m"),
        measure("counts-other", "https://example.org/measures/other"),
        resource("Device", "d", json!({"url": "https://example.org/measures/none"})),
    ]
}

pub fn checks() -> Vec<Check> {
    [chains(), has(), includes(), limits()].into_iter().flatten().collect()
}

fn chains() -> Vec<Check> {
    let ask = |query: &str| get(&format!("QuestionnaireResponse?{query}"));
    vec![
        row("a version, or none named", ask("questionnaire.title=autumn"), finds(&["of-first", "of-any", "of-part"])),
        row("another version", ask("questionnaire.title=winter"), finds(&["of-second", "of-any", "of-part"])),
        row("what has no version", ask("questionnaire.title=spring"), finds(&["of-any", "of-part"])),
        row("typed", ask("questionnaire:Questionnaire.title=autumn&_id=of-first"), finds(&["of-first"])),
        row("a version that is not there", ask("questionnaire.status=active&_id=of-none"), finds(&[])),
        row("its url", ask(&format!("questionnaire.url={URL}&_id=of-first,of-none")), finds(&["of-first"])),
        row("its id", ask("questionnaire._id=second"), finds(&["of-second", "of-any", "of-part"])),
        row("a long URL with a version", ask("questionnaire.title=longest"), finds(&["of-long", "of-long-any"])),
        row("the other version of it", ask("questionnaire.title=longest one"), finds(&["of-long-any"])),
        row("what is contained", ask("questionnaire.title=contained"), finds(&["inside"])),
        row("with a person", ask("questionnaire.title=winter&patient=p"), finds(&["of-second", "of-any", "of-part"])),
        row("none of these", ask("_filter=not (questionnaire.status eq active)"), finds(&["of-none", "inside"])),
        row(
            "a step before it",
            get("Patient?_has:QuestionnaireResponse:patient:questionnaire.title=winter"),
            finds(&["p"]),
        ),
        row("of many types one is named", get("Library?depends-on:Questionnaire.title=autumn"), finds(&["needs"])),
        row("and that version", get("Library?depends-on:Questionnaire.title=winter"), finds(&[])),
        row("a Measure", get("MeasureReport?measure.title=counted"), finds(&["counts"])),
        row("counted", ask("questionnaire.title=autumn&_summary=count"), ok().total(3)),
    ]
}

fn has() -> Vec<Check> {
    let ask = |query: &str| get(&format!("Questionnaire?_has:QuestionnaireResponse:questionnaire:{query}"));
    vec![
        row("one that names a version", ask("_id=of-first"), finds(&["first"])),
        row("with a part", ask("_id=of-second"), finds(&["second"])),
        row("one that names none", ask("_id=of-any"), finds(&["first", "second", "bare"])),
        row("that with a part", ask("_id=of-part"), finds(&["first", "second", "bare"])),
        row("one that is not there", ask("_id=of-none"), finds(&[])),
        row("a long URL", ask("_id=of-long"), finds(&["long-2"])),
        row("a long URL, any version", ask("_id=of-long-any"), finds(&["long-1", "long-2"])),
        row("on through a chain", ask("patient.gender=female&version=2"), finds(&["second", "long-2"])),
        row("beside another parameter", ask("status=completed&title=autumn"), finds(&["first"])),
        row("nobody", ask("status=amended"), finds(&[])),
        row("of a Library", get("Questionnaire?_has:Library:depends-on:status=active"), finds(&["first"])),
        row(
            "both ways",
            get("QuestionnaireResponse?questionnaire._has:Library:depends-on:status=active&_id=of-first,of-second"),
            finds(&["of-first"]),
        ),
    ]
}

fn includes() -> Vec<Check> {
    let ask = |id: &str| get(&format!("QuestionnaireResponse?_id={id}&_include=QuestionnaireResponse:questionnaire"));
    let back = |id: &str| get(&format!("Questionnaire?_id={id}&_revinclude=QuestionnaireResponse:questionnaire"));
    vec![
        row("a long URL brings its version", ask("of-long"), finds(&["of-long"]).brings(&["long-2"])),
        row("or each", ask("of-long-any"), finds(&["of-long-any"]).brings(&["long-1", "long-2"])),
        row("a long URL back", back("long-2"), finds(&["long-2"]).brings(&["of-long", "of-long-any"])),
        row("and not to another version", back("long-1"), finds(&["long-1"]).brings(&["of-long-any"])),
        row("a part back", back("second"), finds(&["second"]).brings(&["of-second", "of-any", "of-part"])),
        row("a part back, no version", back("bare"), finds(&["bare"]).brings(&["of-any", "of-part"])),
        row(
            "a Reference elsewhere is no canonical URL",
            get("MeasureReport?_id=counts-other&_include=*"),
            finds(&["counts-other"]),
        ),
        row("nor back", get("Measure?_id=m&_revinclude=*"), finds(&["m"]).brings(&["counts"])),
        row("a canonical URL is", get("MeasureReport?_id=counts&_include=*"), finds(&["counts"]).brings(&["m"])),
        row(
            "each parameter by its own types",
            get("Library?_id=needs&_include=*"),
            finds(&["needs"]).brings(&["first"]),
        ),
        row(
            "the url of a Device is where it is reached",
            get("Library?_id=needs&_include=Library:depends-on:Device"),
            refused(400, "value").expression("_include"),
        ),
    ]
}

fn limits() -> Vec<Check> {
    vec![
        row(
            "one of many types must be named",
            get("Library?depends-on.title=autumn"),
            refused(400, "value").expression("depends-on.title"),
        ),
        row(
            "a type that has no canonical URL",
            get("Account?_has:Library:depends-on:status=active"),
            refused(400, "value").expression("_has:Library:"),
        ),
        row(
            "too many steps",
            get(
                "Questionnaire?_has:QuestionnaireResponse:questionnaire:questionnaire._has:QuestionnaireResponse:questionnaire:patient.name=x",
            ),
            refused(400, "too-costly"),
        ),
        row(
            "three",
            get(
                "Questionnaire?_has:QuestionnaireResponse:questionnaire:questionnaire._has:Library:depends-on:_id=needs&_id=first,second,other",
            ),
            finds(&["first", "second"]),
        ),
    ]
}
