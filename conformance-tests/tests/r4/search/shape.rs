//! `_summary`, `_elements`: parts of resources.
//!
//! Source: FHIR R4 search.html#summary, #elements, #contained

use serde_json::{Value, json};

use crate::check::{Check, any, finds, get, ok, refused, row};
use crate::seed::{observation, resource, with};

pub fn seed() -> Vec<Value> {
    vec![
        resource(
            "Patient",
            "p",
            json!({
                "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">A person</div>"},
                "active": true,
                "name": [{"family": "Yamada"}],
                "gender": "female",
                "birthDate": "1990-05-20",
                "photo": [{"title": "A photo"}],
                "maritalStatus": {"text": "married"}
            }),
        ),
        with(observation("o", json!({})), json!({"note": [{"text": "A note"}], "valueString": "x"})),
        with(
            observation("holds", json!({})),
            json!({
                "contained": [{"resourceType": "Practitioner", "id": "inside", "name": [{"family": "Inside"}]}],
                "performer": [{"reference": "#inside"}]
            }),
        ),
    ]
}

pub fn checks() -> Vec<Check> {
    [summaries(), elements(), bad()].into_iter().flatten().collect()
}

/// The tag that tells a part from the whole.
const SUBSETTED: &str = "SUBSETTED";

fn summaries() -> Vec<Check> {
    let one = |query: &str| get(&format!("Patient?_id=p&{query}"));
    vec![
        row(
            "_summary=true: what R4 marks",
            one("_summary=true"),
            ok().at("/entry/0/resource/gender", "female")
                .present("/entry/0/resource/name")
                .present("/entry/0/resource/birthDate")
                .absent("/entry/0/resource/photo")
                .absent("/entry/0/resource/maritalStatus")
                .absent("/entry/0/resource/text")
                .holds(SUBSETTED),
        ),
        row(
            "_summary=text: narrative and what must be",
            one("_summary=text"),
            ok().present("/entry/0/resource/text")
                .present("/entry/0/resource/id")
                .present("/entry/0/resource/meta")
                .absent("/entry/0/resource/gender")
                .holds(SUBSETTED),
        ),
        row(
            "_summary=data: all but the narrative",
            one("_summary=data"),
            ok().absent("/entry/0/resource/text")
                .present("/entry/0/resource/photo")
                .at("/entry/0/resource/gender", "female")
                .holds(SUBSETTED),
        ),
        row("_summary=count", one("_summary=count"), ok().at("/total", 1).absent("/entry")),
        row(
            "_summary=false: the whole, unmarked",
            one("_summary=false"),
            ok().present("/entry/0/resource/text").present("/entry/0/resource/photo").lacks(SUBSETTED),
        ),
        row(
            "a required element is kept in text",
            get("Observation?_id=o&_summary=text"),
            ok().at("/entry/0/resource/status", "final")
                .present("/entry/0/resource/code")
                .absent("/entry/0/resource/note"),
        ),
        row(
            "a summary on a read",
            get("Patient/p?_summary=true"),
            ok().at("/gender", "female").absent("/photo").holds(SUBSETTED),
        ),
        row("text on a read", get("Patient/p?_summary=text"), ok().present("/text").absent("/gender")),
        row("data on a read", get("Patient/p?_summary=data"), ok().absent("/text").present("/photo")),
        row("the stored resource is whole", get("Patient/p"), ok().present("/text").present("/photo").lacks(SUBSETTED)),
        row(
            "it is still id and version",
            get("Patient/p?_summary=true"),
            ok().at("/id", "p").at("/meta/versionId", "1").header("ETag", "W/\"1\""),
        ),
        row(
            "on metadata",
            get("metadata?_summary=true"),
            ok().at("/resourceType", "CapabilityStatement").present("/fhirVersion").holds(SUBSETTED),
        ),
        row("on a vread", get("Patient/p/_history/1?_summary=data"), any(&[200]).absent("/text")),
        row("links keep it", get("Patient?_id=p&_summary=true"), ok().link("self", "_summary=true")),
    ]
}

fn elements() -> Vec<Check> {
    let one = |query: &str| get(&format!("Patient?_id=p&{query}"));
    vec![
        row(
            "_elements: those, and what must be",
            one("_elements=gender"),
            ok().at("/entry/0/resource/gender", "female")
                .present("/entry/0/resource/id")
                .absent("/entry/0/resource/name")
                .absent("/entry/0/resource/photo")
                .holds(SUBSETTED),
        ),
        row(
            "two",
            one("_elements=gender,birthDate"),
            ok().present("/entry/0/resource/gender")
                .present("/entry/0/resource/birthDate")
                .absent("/entry/0/resource/name"),
        ),
        row(
            "a required element is kept",
            get("Observation?_id=o&_elements=note"),
            ok().present("/entry/0/resource/note")
                .at("/entry/0/resource/status", "final")
                .present("/entry/0/resource/code")
                .absent("/entry/0/resource/valueString"),
        ),
        row(
            "on a read",
            get("Patient/p?_elements=gender"),
            ok().at("/gender", "female").absent("/name").holds(SUBSETTED),
        ),
        row("an element that is absent", get("Patient/p?_elements=multipleBirthBoolean,gender"), any(&[200, 400])),
        row(
            "on metadata",
            get("metadata?_elements=fhirVersion"),
            ok().at("/fhirVersion", "4.0.1").absent("/software").holds(SUBSETTED),
        ),
        row("the search is not narrowed", one("_elements=gender&family=yamada"), finds(&["p"])),
        row("links keep it", one("_elements=gender"), ok().link("self", "_elements=gender")),
        row("_contained=false is how it is", get("Observation?_contained=false&_id=o"), finds(&["o"])),
        row(
            "_contained=false&_containedType=container",
            get("Observation?_contained=false&_containedType=container&_id=o"),
            finds(&["o"]),
        ),
    ]
}

fn bad() -> Vec<Check> {
    vec![
        row("a _summary that is none", get("Patient?_summary=perhaps"), refused(400, "value").expression("_summary")),
        row(
            "a _summary that is none, on a read",
            get("Patient/p?_summary=perhaps"),
            refused(400, "value").expression("_summary"),
        ),
        row("_elements of nothing", get("Patient?_elements="), refused(400, "value").expression("_elements")),
        row("an unknown element", get("Patient?_elements=nonsense"), any(&[200, 400])),
    ]
}
