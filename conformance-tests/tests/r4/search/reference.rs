//! Reference parameters: every way to name a target.
//!
//! Source: FHIR R4 search.html#reference

use serde_json::{Value, json};

use crate::check::{Check, finds, get, refused, row};
use crate::seed::{observation, patient, resource, with};

pub fn seed() -> Vec<Value> {
    let about = |id: &str, subject: Value| observation(id, json!({"subject": subject}));
    vec![
        patient("p", "x"),
        patient("q", "y"),
        resource("Group", "p", json!({"type": "person", "actual": true})),
        resource("Practitioner", "dr", json!({"active": true})),
        about("relative", json!({"reference": "Patient/p"})),
        about("other", json!({"reference": "Patient/q"})),
        about("versioned", json!({"reference": "Patient/p/_history/1"})),
        about("group", json!({"reference": "Group/p"})),
        with(
            about("named", json!({"reference": "Patient/p", "display": "Old Person"})),
            json!({"performer": [{"identifier": {"system": "https://example.org/staff", "value": "77"}}, {"reference": "Practitioner/dr"}]}),
        ),
        with(
            about("elsewhere", json!({"reference": "Patient/q"})),
            json!({"performer": [{"reference": "https://elsewhere.example/fhir/Practitioner/dr"}]}),
        ),
        resource("Device", "pump", json!({})),
        with(about("device", json!({"reference": "Patient/q"})), json!({"device": {"reference": "Device/pump"}})),
    ]
}

pub fn checks() -> Vec<Check> {
    [forms(), typed(), others(), bad()].into_iter().flatten().collect()
}

fn forms() -> Vec<Check> {
    let of_p = ["relative", "versioned", "named"];
    vec![
        row("Type/id", get("Observation?subject=Patient/p"), finds(&of_p)),
        row(
            "an id alone: any type the parameter may name",
            get("Observation?subject=p"),
            finds(&["relative", "versioned", "named", "group"]),
        ),
        row("an absolute URL of this server", get("Observation?subject={base}/Patient/p"), finds(&of_p)),
        row(
            "an absolute URL of another server",
            get("Observation?subject=https://elsewhere.example/fhir/Patient/p"),
            finds(&[]),
        ),
        row("patient is subjects that are Patients", get("Observation?patient=p"), finds(&of_p)),
        row("patient=Patient/id", get("Observation?patient=Patient/p"), finds(&of_p)),
        row("patient=URL", get("Observation?patient={base}/Patient/p"), finds(&of_p)),
        row("patient is never a Group", get("Observation?patient=Group/p"), finds(&[])),
        row("a Group", get("Observation?subject=Group/p"), finds(&["group"])),
        row("percent-encoded", get("Observation?subject=Patient%2Fp"), finds(&of_p)),
        row("somebody who is not", get("Observation?subject=Patient/nobody"), finds(&[])),
        row("ids are exact", get("Observation?subject=Patient/P"), finds(&[])),
        row("two", get("Observation?subject=Patient/q,Group/p"), finds(&["other", "elsewhere", "device", "group"])),
        row("twice is and", get("Observation?subject=Patient/q&subject=Patient/p"), finds(&[])),
        row("with a code", get("Observation?subject=Patient/p&code=8302-2"), finds(&of_p)),
    ]
}

fn typed() -> Vec<Check> {
    vec![
        row(":Patient", get("Observation?subject:Patient=p"), finds(&["relative", "versioned", "named"])),
        row(":Group", get("Observation?subject:Group=p"), finds(&["group"])),
        row(":Device, none", get("Observation?subject:Device=p"), finds(&[])),
        row(
            ":identifier, system|value",
            get("Observation?performer:identifier=https://example.org/staff|77"),
            finds(&["named"]),
        ),
        row(":identifier, value", get("Observation?performer:identifier=77"), finds(&["named"])),
        row(
            ":identifier, another system",
            get("Observation?performer:identifier=https://example.org/other|77"),
            finds(&[]),
        ),
        row(":identifier is no id", get("Observation?performer:identifier=dr"), finds(&[])),
        row(
            ":missing=true",
            get("Observation?performer:missing=true&subject=Patient/p"),
            finds(&["relative", "versioned"]),
        ),
        row(":missing=false", get("Observation?performer:missing=false"), finds(&["named", "elsewhere"])),
    ]
}

fn others() -> Vec<Check> {
    vec![
        row("a reference here", get("Observation?performer=Practitioner/dr"), finds(&["named"])),
        row("a reference here, its id", get("Observation?performer=dr"), finds(&["named"])),
        row(
            "a reference elsewhere, whole",
            get("Observation?performer=https://elsewhere.example/fhir/Practitioner/dr"),
            finds(&["elsewhere"]),
        ),
        row(
            "a second performer",
            get("Observation?performer=Practitioner/dr&performer:identifier=77"),
            finds(&["named"]),
        ),
        row("a device", get("Observation?device=Device/pump"), finds(&["device"])),
        row("a device by id", get("Observation?device=pump"), finds(&["device"])),
        row("two parameters", get("Observation?device=pump&subject=Patient/q"), finds(&["device"])),
        row("the subject of another", get("Observation?device=pump&subject=Patient/p"), finds(&[])),
    ]
}

fn bad() -> Vec<Check> {
    vec![
        row("no value", get("Observation?subject="), refused(400, "value").expression("subject")),
        row(
            "a type that is none",
            get("Observation?subject:Nonsense=p"),
            refused(400, "invalid").expression("subject:Nonsense"),
        ),
        row("a modifier of strings", get("Observation?subject:exact=p"), refused(400, "invalid")),
        row("a blank inside", get("Observation?subject=Patient p"), refused(400, "value")),
        row("a type alone", get("Observation?subject=Patient/"), refused(400, "value")),
    ]
}
