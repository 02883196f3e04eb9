//! Contained resources: `_contained`, `_containedType`, and chains that lead into them.
//!
//! Source: FHIR R4 search.html#contained

use serde_json::{Value, json};

use crate::check::{Check, Expect, finds, get, in_order, ok, refused, row};
use crate::seed::{LOCAL, LOINC, UCUM, observation, patient, resource, with};

fn concept(code: &str) -> Value {
    json!({"coding": [{"system": LOCAL, "code": code}]})
}

fn medicine(id: &str, code: &str, status: &str) -> Value {
    resource("Medication", id, json!({"code": (concept(code)), "status": status}))
}

fn request(id: &str, contained: &Value, of: &str) -> Value {
    let members = json!({
        "contained": (contained.clone()),
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p"},
        "medicationReference": {"reference": of}
    });
    resource("MedicationRequest", id, members)
}

pub fn seed() -> Vec<Value> {
    let brewed = with(
        medicine("m1", "brewed", "active"),
        json!({"manufacturer": {"reference": "Organization/maker"}, "ingredient": [{"itemCodeableConcept": (concept("herb"))}],
            "identifier": [{"system": LOCAL, "value": "lot-1"}]}),
    );
    let inside = with(medicine("m2", "mixed", "active"), json!({"manufacturer": {"reference": "#o"}}));
    let workshop = resource("Organization", "o", json!({"name": "Workshop"}));
    let pressure = |id: &str, first: i32, second: i32| {
        let part = |code: &str, value: i32| {
            json!({"code": {"coding": [{"system": LOINC, "code": code}]},
                "valueQuantity": {"value": value, "system": UCUM, "code": "mm[Hg]"}})
        };
        resource(
            "Observation",
            id,
            json!({"status": "final", "code": {"text": "x"}, "component": [part("8480-6", first), part("8462-4", second)]}),
        )
    };
    let place = resource("Location", "here", json!({"position": {"latitude": 35.0, "longitude": 139.0}}));
    vec![
        patient("p", "Yamada"),
        resource("Organization", "maker", json!({"name": "Maker"})),
        medicine("real", "brewed", "active"),
        request("real-one", &json!([]), "Medication/real"),
        request("brews", &json!([brewed]), "#m1"),
        request("mixes", &json!([workshop, inside]), "#m2"),
        request("both", &json!([medicine("a", "brewed", "inactive"), medicine("b", "other", "active")]), "#a"),
        resource(
            "Medication",
            "set",
            json!({"contained": [medicine("part", "brewed", "active")], "code": (concept("brewed")),
            "ingredient": [{"itemReference": {"reference": "#part"}}]}),
        ),
        resource(
            "DiagnosticReport",
            "report",
            json!({"status": "final", "code": (concept("report")),
            "subject": {"reference": "Patient/p"}, "contained": [pressure("x", 140, 90), pressure("y", 120, 80)],
            "result": [{"reference": "#x"}, {"reference": "#y"}]}),
        ),
        resource(
            "Encounter",
            "visit",
            json!({"status": "finished", "class": {"code": "AMB"}, "contained": [place],
            "location": [{"location": {"reference": "#here"}}]}),
        ),
        observation("plain", json!({})),
        resource(
            "DiagnosticReport",
            "report-two",
            json!({"status": "final", "code": (concept("report")), "contained": [observation("z", json!({}))],
            "result": [{"reference": "#z"}]}),
        ),
        resource(
            "DiagnosticReport",
            "two-seen",
            json!({"status": "final", "code": (concept("report")), "contained": [
                resource("Practitioner", "who", json!({"active": true})),
                resource("Observation", "u", json!({"status": "final", "code": (concept("seen")), "performer": [{"reference": "#who"}]})),
                resource("Observation", "v", json!({"status": "final", "code": (concept("unseen"))}))],
            "result": [{"reference": "#u"}, {"reference": "#v"}]}),
        ),
        resource(
            "List",
            "kept",
            json!({"status": "current", "mode": "working",
            "contained": [resource("Device", "listed", json!({"status": "active"})), resource("Device", "unlisted", json!({}))],
            "entry": [{"item": {"reference": "#listed"}}]}),
        ),
    ]
    .into_iter()
    .map(|mut one| {
        if one["contained"] == json!([]) {
            one.as_object_mut().expect("an object").remove("contained");
        }
        one
    })
    .collect()
}

pub fn checks() -> Vec<Check> {
    [holders(), alone(), sorts(), both(), types(), chains(), around(), includes(), refusals()]
        .into_iter()
        .flatten()
        .collect()
}

fn held(query: &str) -> crate::check::Ask {
    get(&format!("Medication?_contained=true&{query}"))
}

fn holders() -> Vec<Check> {
    vec![
        row("by default no contained one is found", get("Medication?code=brewed"), finds(&["real", "set"])),
        row("nor with _contained=false", get("Medication?code=other&_contained=false"), finds(&[])),
        row("the holder is the match", held("code=other"), finds(&["both"]).at("/entry/0/search/mode", "match")),
        row("each holder once", held(""), finds(&["brews", "mixes", "both", "set"])),
        row("the default answer is the holder", held("code=mixed&_containedType=container"), finds(&["mixes"])),
        row(
            "the holder is whole",
            held("code=mixed"),
            ok().at("/entry/0/resource/status", "active").length("/entry/0/resource/contained", 2),
        ),
        row("of whatever type", held("code=brewed"), finds(&["brews", "both", "set"])),
        row("all of one contained resource", held("code=brewed&status=active"), finds(&["brews", "set"])),
        row("not of two", held("code=other&status=inactive"), finds(&[])),
        row("its id", held("_id=m1"), finds(&["brews"])),
        row("an identifier", held("identifier=lot-1"), finds(&["brews"])),
        row("a system and an identifier", held(&format!("identifier={LOCAL}|lot-1")), finds(&["brews"])),
        row(":not", held("code:not=brewed"), finds(&["mixes", "both"])),
        row(":missing", held("manufacturer:missing=true"), finds(&["both", "set"])),
        row(":missing=false", held("manufacturer:missing=false"), finds(&["brews", "mixes"])),
        row("alternatives", held("code=mixed,other"), finds(&["mixes", "both"])),
        row("a reference of its own", held("manufacturer=Organization/maker"), finds(&["brews"])),
        row("a chain out of it", held("manufacturer.name=maker"), finds(&["brews"])),
        row("a chain to another beside it", held("manufacturer.name=workshop"), finds(&["mixes"])),
        row("_filter", held("_filter=code eq brewed and status eq inactive"), finds(&["both"])),
        row("another type", get("Organization?_contained=true&name=work"), finds(&["mixes"])),
        row("a type nobody holds", get("Group?_contained=true"), finds(&[]).total(0)),
        row("a total", held("code=brewed&_total=accurate"), ok().total(3)),
        row("a count alone", held("code=brewed&_summary=count"), ok().total(3).absent("/entry")),
        row(
            "links keep it",
            held("code=brewed&_count=1"),
            ok().link("self", "_contained=true").link("next", "_page=").keep_link("next"),
        ),
        row("the next page", get("{next}"), ok().length("/entry", 1).keep_link("next")),
        row("the last page", get("{next}"), ok().length("/entry", 1).no_link("next")),
        row(
            "a composite stays within its element",
            get("Observation?_contained=true&component-code-value-quantity=8480-6$gt130"),
            finds(&["report"]),
        ),
        row(
            "and within its resource",
            get(
                "Observation?_contained=true&component-code-value-quantity=8480-6$140&component-code-value-quantity=8462-4$80",
            ),
            finds(&[]),
        ),
        row("near", get("Location?_contained=true&near=35|139|1"), finds(&["visit"])),
        row("not near", get("Location?_contained=true&near=36|139|1"), finds(&[])),
        row("newest first", held("code=mixed,other&_sort=-_lastUpdated"), in_order(&["both", "mixes"])),
        row(
            "by POST",
            crate::check::ask("POST", "Medication/_search").form("_contained=true&code=other"),
            finds(&["both"]),
        ),
        row("across types, of one", get("?_type=Medication&_contained=true&code=other"), finds(&["both"])),
        row(
            "_elements of the holder",
            held("code=other&_elements=MedicationRequest.intent"),
            ok().present("/entry/0/resource/intent").absent("/entry/0/resource/contained"),
        ),
    ]
}

fn alone() -> Vec<Check> {
    let alone = |query: &str| get(&format!("Medication?_contained=true&_containedType=contained&{query}"));
    vec![
        row(
            "alone",
            alone("code=other"),
            finds(&["b"]).at("/entry/0/resource/resourceType", "Medication").at("/entry/0/search/mode", "match"),
        ),
        row("its place is its holder's and its id", alone("code=other"), ok().holds("/MedicationRequest/both#b\"")),
        row("only those that match", alone("code=brewed"), finds(&["m1", "a", "part"])),
        row("several of one holder", alone(""), finds(&["m1", "m2", "a", "b", "part"]).total(5)),
        row("counted one by one", alone("_summary=count"), ok().total(5)),
        row("parts", alone("code=other&_elements=code"), ok().present("/entry/0/resource/code").holds("SUBSETTED")),
        row("a page", alone("_count=2"), ok().length("/entry", 2).total(5).keep_link("next")),
        row("the next", get("{next}"), ok().length("/entry", 2).keep_link("next").link("previous", "_page=")),
        row("the last", get("{next}"), ok().length("/entry", 1).no_link("next").keep_link("previous")),
        row("and back", get("{previous}"), ok().length("/entry", 2).link("next", "_page=")),
        row("in XML", alone("code=other&_format=xml"), ok().holds("both#b\"").holds("<Medication")),
        row("a whole holder's others stay out", alone("code=mixed"), finds(&["m2"]).lacks("Workshop")),
    ]
}

fn sorts() -> Vec<Check> {
    let alone = |query: &str| get(&format!("Medication?_containedType=contained&{query}"));
    vec![
        row("holders by their ids", held("_sort=-_id"), in_order(&["set", "mixes", "brews", "both"])),
        row("by its own id", alone("_contained=true&_sort=_id"), in_order(&["a", "b", "m1", "m2", "part"])),
        row("by its own code", alone("_contained=true&code=mixed,other&_sort=code"), in_order(&["m2", "b"])),
        row("the other way", alone("_contained=true&code=mixed,other&_sort=-code"), in_order(&["b", "m2"])),
        row(
            "not by what is beside it",
            alone("_contained=true&_sort=status,_id"),
            in_order(&["b", "m1", "m2", "part", "a"]),
        ),
        row(
            "what has none comes last",
            alone("_contained=true&_sort=manufacturer,_id"),
            in_order(&["m2", "m1", "a", "b", "part"]),
        ),
        row(
            "in either direction",
            alone("_contained=true&_sort=-manufacturer,-_id"),
            in_order(&["m1", "m2", "part", "b", "a"]),
        ),
        row(
            "a page",
            alone("_contained=true&_sort=status,_id&_count=3"),
            in_order(&["b", "m1", "m2"]).keep_link("next"),
        ),
        row("the next", get("{next}"), in_order(&["part", "a"]).no_link("next").keep_link("previous")),
        row("and back", get("{previous}"), in_order(&["b", "m1", "m2"])),
        row(
            "with records",
            alone("_contained=both&code=brewed&_sort=_id"),
            in_order(&["a", "m1", "part", "real", "set"]),
        ),
        row(
            "with records, by code",
            alone("_contained=both&_sort=-status,-_id&_id=a,m1,real"),
            in_order(&["a", "real", "m1"]),
        ),
    ]
}

/// Of several types, each in whatever holds it.
fn types() -> Vec<Check> {
    let types = |query: &str| get(&format!("?_type=Medication,Organization&{query}"));
    vec![
        row(
            "of several types, each holder once",
            types("_contained=true"),
            finds(&["brews", "mixes", "both", "set"]).total(4),
        ),
        row("by what both have", types("_contained=true&_id=o,m2"), finds(&["mixes"]).total(1)),
        row(
            "of several types, alone",
            types("_contained=true&_containedType=contained"),
            finds(&["m1", "m2", "a", "b", "part", "o"]).total(6),
        ),
        row(
            "of several types, both",
            types("_contained=both&_id=real,maker,o,m1"),
            finds(&["real", "maker", "mixes", "brews"]).total(4),
        ),
        row(
            "both, alone, in order",
            types("_contained=both&_containedType=contained&_id=real,maker,o,m1&_sort=_id"),
            in_order(&["m1", "maker", "o", "real"]),
        ),
        row(
            "a page of it",
            types("_contained=true&_sort=_id&_count=3"),
            in_order(&["both", "brews", "mixes"]).keep_link("next"),
        ),
        row("the rest of it", get("{next}"), in_order(&["set"]).no_link("next")),
        row("one that nobody holds", get("?_type=Procedure,Group&_contained=true"), finds(&[]).total(0)),
    ]
}

fn both() -> Vec<Check> {
    let both = |query: &str| get(&format!("Medication?_contained=both&{query}"));
    vec![
        row("both", both("code=brewed"), finds(&["real", "brews", "both", "set"]).total(4)),
        row("both, counted", both("code=brewed&_summary=count"), ok().total(4)),
        row("both, nothing contained", both("code=brewed&_id=real"), finds(&["real"])),
        row(
            "both, alone",
            both("code=brewed&_containedType=contained"),
            finds(&["real", "set", "m1", "a", "part"]).total(5),
        ),
        row("both, a page", both("code=brewed&_count=3"), ok().length("/entry", 3).total(4).keep_link("next")),
        row("both, the last", get("{next}"), ok().length("/entry", 1).no_link("next")),
    ]
}

fn chains() -> Vec<Check> {
    vec![
        row(
            "a chain leads into what is contained",
            get("MedicationRequest?medication.code=brewed"),
            finds(&["real-one", "brews", "both"]),
        ),
        row("to what is referred to alone", get("MedicationRequest?medication.code=other"), finds(&[])),
        row("typed", get("MedicationRequest?medication:Medication.ingredient-code=herb"), finds(&["brews"])),
        row("by its id", get("MedicationRequest?medication._id=m1"), finds(&["brews"])),
        row("and on", get("MedicationRequest?medication.manufacturer.name=maker"), finds(&["brews"])),
        row("and on within", get("MedicationRequest?medication.manufacturer.name=workshop"), finds(&["mixes"])),
        row("from two", get("DiagnosticReport?result.component-code-value-quantity=8480-6$120"), finds(&["report"])),
        row(
            "beside another condition",
            get("MedicationRequest?medication.code=brewed&patient=p&status=active"),
            finds(&["real-one", "brews", "both"]),
        ),
        row("not", get("MedicationRequest?_filter=not (medication.code eq brewed)"), finds(&["mixes"])),
        row("_has", get("Patient?_has:MedicationRequest:patient:medication.code=mixed"), finds(&["p"])),
        row("a contained place", get("Encounter?location.near=35|139|1"), finds(&["visit"])),
    ]
}

/// What is asked of the holder, of what refers from there, and of compartments.
fn around() -> Vec<Check> {
    let alone = |query: &str| held(&format!("{query}&_containedType=contained"));
    let listed = |query: &str| get(&format!("Device?_contained=true&_containedType=contained&{query}"));
    let by = |query: &str| format!("_has:MedicationRequest:medication:{query}");
    vec![
        row("changed with its holder", held("code=brewed&_lastUpdated=gt2020"), finds(&["brews", "both", "set"])),
        row("not before", held("code=brewed&_lastUpdated=lt2020"), finds(&[])),
        row("alone, changed with its holder", alone("code=brewed&_lastUpdated=gt2020"), finds(&["m1", "a", "part"])),
        row("alone, not before", alone("_lastUpdated=lt2020"), finds(&[])),
        row(
            "both, since",
            get("Medication?_contained=both&code=brewed&_lastUpdated=gt2020"),
            finds(&["real", "brews", "both", "set"]),
        ),
        row("referred to by its holder", alone(&by("status=active")), finds(&["m1", "m2", "a"])),
        row("its holder", held(&by("status=active")), finds(&["brews", "mixes", "both"])),
        row("by that holder", alone(&by("_id=both")), finds(&["a"])),
        row("by no such holder", alone(&by("status=stopped")), finds(&[])),
        row("with a condition of its own", alone(&format!("code=mixed&{}", by("patient=p"))), finds(&["m2"])),
        row("not referred to by another's holder", alone(&by("_id=real-one")), finds(&[])),
        row("by a holder of its type", alone("_has:Medication:ingredient:code=brewed"), finds(&["part"])),
        row(
            "by what stands beside it",
            get("Organization?_contained=true&_containedType=contained&_has:Medication:manufacturer:code=mixed"),
            finds(&["o"]),
        ),
        row(
            "not by what does not",
            get("Organization?_contained=true&_containedType=contained&_has:Medication:manufacturer:code=brewed"),
            finds(&[]),
        ),
        row(
            "by one of two beside it",
            get("Practitioner?_contained=true&_containedType=contained&_has:Observation:performer:code=seen"),
            finds(&["who"]),
        ),
        row(
            "not by the other",
            get("Practitioner?_contained=true&_containedType=contained&_has:Observation:performer:code=unseen"),
            finds(&[]),
        ),
        row(
            "both, referred to",
            get(&format!("Medication?_contained=both&{}", by("status=active"))),
            finds(&["real", "brews", "mixes", "both"]),
        ),
        row("an item of a List that holds it", listed("_list=kept"), finds(&["listed"])),
        row("of no such List", listed("_list=other"), finds(&[])),
        row(
            "in a compartment by its own reference",
            get("Patient/p/Observation?_contained=true&_containedType=contained"),
            finds(&["z"]),
        ),
        row("its holder is the match", get("Patient/p/Observation?_contained=true"), finds(&["report-two"])),
        row(
            "with records",
            get("Patient/p/Observation?_contained=both&_containedType=contained"),
            finds(&["plain", "z"]),
        ),
        row("in another's", get("Patient/q/Observation?_contained=true"), finds(&[])),
        row(
            "of all types are too many",
            get("Patient/p/*?_contained=true"),
            refused(400, "not-supported").expression("_contained"),
        ),
    ]
}

/// `_include` of what a contained resource refers to.
fn includes() -> Vec<Check> {
    let alone = |query: &str| held(&format!("{query}&_containedType=contained"));
    vec![
        row(
            "what it refers to",
            alone("_include=Medication:manufacturer"),
            finds(&["m1", "m2", "a", "b", "part"]).brings(&["maker"]),
        ),
        row(
            "by any of its references",
            alone("code=brewed&_include=*"),
            finds(&["m1", "a", "part"]).brings(&["maker"]),
        ),
        row("not what its holder refers to", alone("code=mixed&_include=*"), finds(&["m2"])),
        row(
            "and on",
            get(
                "Observation?_contained=true&_containedType=contained&_id=z&_include=Observation:subject&_include:iterate=Patient:organization",
            ),
            finds(&["z"]).brings(&["p"]),
        ),
        row(
            "with records",
            get("Medication?_contained=both&_containedType=contained&code=brewed&_include=*"),
            finds(&["real", "set", "m1", "a", "part"]).brings(&["maker"]),
        ),
        row(
            "not for holders",
            held("_include=Medication:manufacturer"),
            refused(400, "not-supported").expression("_contained"),
        ),
        row(
            "nothing else refers to it",
            alone("_revinclude=MedicationRequest:medication"),
            refused(400, "not-supported").expression("_contained"),
        ),
    ]
}

fn refusals() -> Vec<Check> {
    let wrong = |query: &str, code: &str| -> (crate::check::Ask, Expect) {
        (held(query), refused(400, code).expression("_contained"))
    };
    let mut all = vec![
        row(
            "a _contained that is none",
            get("Medication?_contained=yes"),
            refused(400, "value").expression("_contained"),
        ),
        row(
            "a _containedType that is none",
            get("Medication?_contained=true&_containedType=whole"),
            refused(400, "value").expression("_containedType"),
        ),
        row("twice", held("_contained=both"), refused(400, "invalid").expression("_contained")),
        row(
            "of many types",
            get(
                "?_type=Medication,Organization,Patient,Device,Group,Location,Encounter,Condition,Procedure&_contained=true",
            ),
            refused(400, "not-supported").expression("_contained"),
        ),
        row("of all types", get("?_contained=true&_id=m1"), refused(400, "not-supported").expression("_contained")),
        row("an unknown parameter", held("nonsense=x"), refused(400, "not-supported").expression("nonsense")),
        row(
            "nor leniently",
            held("_sort=code").with("Prefer", "handling=lenient"),
            refused(400, "not-supported").expression("_contained"),
        ),
    ];
    for query in ["_text=x", "_content=x", "_sort=code", "_include=Medication:manufacturer", "_revinclude=*"] {
        let (ask, expect) = wrong(query, "not-supported");
        all.push(row(&format!("not with {query}"), ask, expect));
    }
    all
}
