//! `:above` and `:below` of references.
//!
//! Source: FHIR R4 search.html#recursive, search.html#reference

use serde_json::{Value, json};

use crate::check::{Check, finds, get, refused, row};
use crate::seed::{patient, resource, with};

fn place(id: &str, within: &str) -> Value {
    let place = resource("Location", id, json!({"name": id}));
    if within.is_empty() { place } else { with(place, json!({"partOf": {"reference": format!("Location/{within}")}})) }
}

fn visit(id: &str, at: &str, within: &str) -> Value {
    let visit = resource(
        "Encounter",
        id,
        json!({"status": "finished", "class": {"code": "AMB"}, "subject": {"reference": "Patient/p"},
            "location": [{"location": {"reference": at}}]}),
    );
    if within.is_empty() { visit } else { with(visit, json!({"partOf": {"reference": format!("Encounter/{within}")}})) }
}

pub fn seed() -> Vec<Value> {
    let answers = |id: &str, url: &str| {
        resource("QuestionnaireResponse", id, json!({"status": "completed", "questionnaire": url}))
    };
    let contained =
        with(visit("inside", "#l", ""), json!({"contained": [with(place("l", "ward"), json!({"name": "inside"}))]}));
    vec![
        patient("p", "x"),
        place("site", ""),
        place("house", "site"),
        place("ward", "house"),
        place("bed", "ward"),
        place("other", ""),
        // A circle, which R4 forbids and nobody checks.
        place("round", "about"),
        place("about", "round"),
        visit("v-site", "Location/site", ""),
        visit("v-house", "Location/house", "v-site"),
        visit("v-bed", "Location/bed", "v-house"),
        visit("v-other", "Location/other", ""),
        visit("v-round", "Location/round", ""),
        visit("v-nowhere", "Location/never", ""),
        contained,
        resource(
            "Observation",
            "o",
            json!({"status": "final", "code": {"text": "x"}, "encounter": {"reference": "Encounter/v-bed"}}),
        ),
        answers("q1", "https://example.org/q|1"),
        answers("q10", "https://example.org/q|1.0"),
        answers("q11", "https://example.org/q|1.1"),
        answers("q2", "https://example.org/q|2.0"),
        answers("q100", "https://example.org/q|10"),
        answers("plain", "https://example.org/q"),
        answers("longer", "https://example.org/q/more|1"),
    ]
}

pub fn checks() -> Vec<Check> {
    [steps(), versions(), bad()].into_iter().flatten().collect()
}

fn steps() -> Vec<Check> {
    vec![
        row("without a modifier there is one place", get("Encounter?location=Location/site"), finds(&["v-site"])),
        row("below", get("Encounter?location:below=Location/site"), finds(&["v-site", "v-house", "v-bed"])),
        row("below the middle", get("Encounter?location:below=Location/house"), finds(&["v-house", "v-bed"])),
        row("below the least", get("Encounter?location:below=Location/bed"), finds(&["v-bed"])),
        row("by a bare id, of one type", get("Encounter?location:below=house"), finds(&["v-house", "v-bed"])),
        row("by a URL", get("Encounter?location:below={base}/Location/house"), finds(&["v-house", "v-bed"])),
        row("above", get("Encounter?location:above=Location/bed"), finds(&["v-site", "v-house", "v-bed"])),
        row("above the greatest", get("Encounter?location:above=Location/site"), finds(&["v-site"])),
        row("alternatives", get("Encounter?location:below=ward,other"), finds(&["v-bed", "v-other"])),
        row("in a circle", get("Encounter?location:below=about"), finds(&["v-round"])),
        row("in a circle, above", get("Encounter?location:above=about"), finds(&["v-round"])),
        row("of a place that is not there", get("Encounter?location:below=never"), finds(&["v-nowhere"])),
        row("of one that nobody names", get("Encounter?location:below=nobody"), finds(&[])),
        row("of the hierarchy itself", get("Location?partof:below=site"), finds(&["house", "ward", "bed"])),
        row("and above", get("Location?partof:above=ward"), finds(&["house", "ward", "bed"])),
        row("by another name", get("Encounter?part-of:below=Encounter/v-site"), finds(&["v-house", "v-bed"])),
        row("beside others", get("Encounter?location:below=site&part-of=v-site&patient=p"), finds(&["v-house"])),
        row("in a chain", get("Observation?encounter.location:below=site"), finds(&["o"])),
        row("through _has", get("Patient?_has:Encounter:patient:location:below=site"), finds(&["p"])),
        row("from what is contained", get("Location?_contained=true&partof:below=site"), finds(&["inside"])),
        row("counted", get("Encounter?location:below=site&_summary=count"), finds(&[]).total(3)),
        row("links keep it", get("Encounter?location:below=site&_count=1"), finds(&["v-site"]).link("self", "below")),
    ]
}

fn versions() -> Vec<Check> {
    let below = |value: &str| get(&format!("QuestionnaireResponse?questionnaire:below={value}"));
    vec![
        row("any version", below("https://example.org/q"), finds(&["q1", "q10", "q11", "q2", "q100", "plain"])),
        row("a version and what is below it", below("https://example.org/q|1"), finds(&["q1", "q10", "q11"])),
        row("a version of two numbers", below("https://example.org/q|1.1"), finds(&["q11"])),
        row("no such version", below("https://example.org/q|3"), finds(&[])),
        row("no part of a number", below("https://example.org/q|1."), finds(&[])),
    ]
}

fn bad() -> Vec<Check> {
    let wrong =
        |name: &str, query: &str, code: &str, place: &str| row(name, get(query), refused(400, code).expression(place));
    vec![
        wrong("a type without a hierarchy", "Encounter?patient:below=Patient/p", "invalid", "patient:below"),
        wrong("an id of one of several types", "Observation?subject:below=x", "value", "subject:below"),
        wrong("what is no reference", "Encounter?location:below=a%20b", "value", "location:below"),
        wrong("nothing", "Encounter?location:below=", "value", "location:below"),
        wrong(
            "above a version",
            "QuestionnaireResponse?questionnaire:above=https://example.org/q|1",
            "invalid",
            "questionnaire:above",
        ),
        row("a type of several that has one", get("Observation?subject:below=Location/site"), finds(&[])),
    ]
}
