//! Resources that the tables begin with; each has the id that its table names.

use serde_json::{Value, json};

/// LOINC.
pub const LOINC: &str = "http://loinc.org";
/// UCUM.
pub const UCUM: &str = "http://unitsofmeasure.org";
/// A code system of the tests' own.
pub const LOCAL: &str = "https://example.org/codes";

/// A resource of this type and id, with these members.
pub fn resource(kind: &str, id: &str, members: Value) -> Value {
    with(json!({"resourceType": kind, "id": id}), members)
}

/// The members of `more` put over those of `base`.
pub fn with(mut base: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("members are an object: {more}") };
    for (name, value) in more {
        base[name] = value;
    }
    base
}

/// Without a member.
pub fn without(mut base: Value, name: &str) -> Value {
    base.as_object_mut().expect("an object").remove(name);
    base
}

/// A Patient with a family name.
pub fn patient(id: &str, family: &str) -> Value {
    resource("Patient", id, json!({"name": [{"family": family}]}))
}

/// A final Observation of `Patient/p` with a code, and these members.
pub fn observation(id: &str, more: Value) -> Value {
    let base = resource(
        "Observation",
        id,
        json!({
            "status": "final",
            "code": {"coding": [{"system": LOINC, "code": "8302-2"}]},
            "subject": {"reference": "Patient/p"}
        }),
    );
    with(base, more)
}
