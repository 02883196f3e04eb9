//! Doses → FHIR.
//!
//! Source: immunizations.md §6; JP Core 1.1.2 `JP_Immunization`

use techo_profiles::json;
use techo_profiles::json::Json;
use unicode_normalization::UnicodeNormalization;

use super::dose::{Details, Record, State, When};
use super::vaccine::{Route, Vaccine};
use crate::import::draft::{Action, Draft, LOCAL_BASE, SUBJECT, key, source};
use crate::import::table::preserved;
use crate::import::venue::Venue;

const FEED: &str = "municipal-immunization";
/// The identifier by which the same dose from two sources is known as one.
pub(super) const EVENT: &str = "immunization-event";
const JP_CORE: &str = "http://jpfhir.jp/fhir/core";
const V3: &str = "http://terminology.hl7.org/CodeSystem/v3";

/// The drafts of one person's doses, each after those it refers to.
pub(super) fn drafts(municipality: &str, number: &str, records: &[Record]) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    for record in records {
        let details = &record.details;
        let (venue, places) =
            Venue::of(FEED, municipality, details.place.as_deref(), details.facility.as_ref(), record.at);
        // What is taken back needs no place of its own.
        let withdrawn = record.state == State::Withdrawal;
        for place in places.into_iter().filter(|_| !withdrawn) {
            if !drafts.iter().any(|known| known.key == place.key) {
                drafts.push(place);
            }
        }
        let parts = key_parts(municipality, number, record);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let full: Vec<&str> = std::iter::once(FEED).chain(parts.iter().copied()).collect();
        let venue = if withdrawn { None } else { Some(&venue) };
        let mut draft = Draft::put(key(&full), immunization(municipality, &key(&parts), record, venue), record.at);
        if withdrawn {
            draft.action = Action::Withdraw;
        }
        drafts.push(draft);
    }
    drafts
}

/// Town, person, vaccine, day, series and number; the lot only where it is needed.
fn key_parts(municipality: &str, number: &str, record: &Record) -> Vec<String> {
    let mut parts = vec![
        municipality.to_owned(),
        number.to_owned(),
        record.vaccine_key(),
        record.when.key().to_owned(),
        record.series.clone().unwrap_or_default(),
        record.number.map_or_else(String::new, |number| number.to_string()),
    ];
    if record.another_lot {
        parts.push(record.plain_lot());
    }
    parts
}

fn immunization(municipality: &str, identifier: &str, record: &Record, venue: Option<&Venue>) -> Json {
    let details = &record.details;
    let given = record.state == State::Given;
    let extensions = extensions(details);
    let contained = details
        .manufacturer
        .as_deref()
        .filter(|_| given)
        .map(|name| json!([{"resourceType": "Organization", "id": "manufacturer", "name": name}]));
    let base = Json::object([
        ("resourceType", Json::from("Immunization")),
        (
            "meta",
            json!({
                "source": (source(&format!("{FEED}/{municipality}"))),
                "profile": [(format!("{JP_CORE}/StructureDefinition/JP_Immunization"))]
            }),
        ),
    ])
    .with_some("contained", contained.clone())
    .with_some("extension", (!extensions.is_empty()).then_some(extensions))
    .with("identifier", identifiers(identifier, record))
    .with("status", status(record.state))
    .with_some("statusReason", record.reason.as_deref().map(|reason| json!({"text": reason})))
    .with("vaccineCode", vaccine_code(record))
    .with("patient", json!({"reference": SUBJECT}));
    let base = match &record.when {
        When::Date(date) => base.with("occurrenceDateTime", date.as_str()),
        When::Unknown(text) => base.with("occurrenceString", text.as_str()),
    };
    let base = base.with("primarySource", true).with_some("location", venue.and_then(Venue::location));
    let base = base
        .with_some("manufacturer", contained.map(|_| json!({"reference": "#manufacturer"})))
        .with_some("lotNumber", details.lot.as_deref())
        .with_some("expirationDate", details.dates[3].as_deref());
    let base = if given { administered(base, record) } else { base };
    base.with_some("performer", venue.and_then(Venue::organization).map(performer))
        .with_some("note", notes(record))
        .with_some("programEligibility", program(record))
        .with_some("protocolApplied", protocol(record))
}

fn status(state: State) -> &'static str {
    match state {
        State::Given => "completed",
        State::NotGiven => "not-done",
        State::TakenBack | State::Withdrawal => "entered-in-error",
    }
}

/// The town's key of the dose, and the name by which the same dose from another
/// source is known as the same. The latter says something only within one patient.
fn identifiers(identifier: &str, record: &Record) -> Json {
    let mut all = json!([{"system": (format!("{LOCAL_BASE}/Id/municipal-immunization")), "value": identifier}]);
    if let When::Date(date) = &record.when
        && date.len() == 10
        && matches!(record.state, State::Given | State::TakenBack)
    {
        all.push(json!({
            "system": (format!("{LOCAL_BASE}/Id/{EVENT}")),
            "value": (key(&[&record.vaccine_key(), date]))
        }));
    }
    all
}

/// Next dose due, made on, certified on; and what means nothing here.
fn extensions(details: &Details) -> Vec<Json> {
    let names = ["DueDateOfNextDose", "ManufacturedDate", "CertificatedDate"];
    let dated = names.into_iter().zip(&details.dates).filter_map(|(name, date)| {
        let url = format!("{JP_CORE}/Extension/StructureDefinition/JP_Immunization_{name}");
        Some(json!({"url": url, "valueDate": (date.as_deref()?)}))
    });
    dated.chain(preserved(&details.unknown)).collect()
}

fn vaccine_code(record: &Record) -> Json {
    let Vaccine { code, name, .. } = *record.found.vaccine;
    let mut codings = Json::array([]);
    if let Some((system, code)) = record.details.product.as_deref().and_then(product_code) {
        codings.push(json!({"system": system, "code": (code.as_str())}));
    }
    let local = format!("{LOCAL_BASE}/CodeSystem/jp-vaccine");
    codings.push(json!({"system": local, "code": code, "display": name}));
    if let Some(cvx) = record.found.cvx {
        codings.push(json!({"system": "http://hl7.org/fhir/sid/cvx", "code": cvx}));
    }
    json!({"coding": codings, "text": (record.name.as_str())})
}

/// HOT9, HOT13 or YJ, told by their form.
fn product_code(text: &str) -> Option<(&'static str, String)> {
    let plain: String = text.nfkc().filter(|letter| !letter.is_whitespace()).collect();
    let digits = plain.bytes().all(|byte| byte.is_ascii_digit());
    let yj = |bytes: &[u8]| {
        let digit = |at: usize| bytes[at].is_ascii_digit();
        bytes.len() == 12
            && (0..7).all(digit)
            && bytes[7].is_ascii_uppercase()
            && (8..12).all(|at| bytes[at].is_ascii_digit())
    };
    match plain.len() {
        9 if digits => Some(("http://medis.or.jp/CodeSystem/master-HOT9", plain)),
        13 if digits => Some(("http://medis.or.jp/CodeSystem/master-HOT13", plain)),
        _ if yj(plain.as_bytes()) => Some(("http://capstandard.jp/iyaku.info/CodeSystem/YJ-code", plain)),
        _ => None,
    }
}

/// Site, route and amount of a dose that was given.
fn administered(resource: Json, record: &Record) -> Json {
    let text = record.details.site.as_deref();
    let plain: String = text.unwrap_or_default().nfkc().filter(|letter| !letter.is_whitespace()).collect();
    let oral = matches!(plain.as_str(), "経口" | "口");
    let site = match plain.as_str() {
        "" => None,
        _ if oral => None,
        "左上腕" | "左腕" => Some(site_code("LA", "left arm", text)),
        "右上腕" | "右腕" => Some(site_code("RA", "right arm", text)),
        "左大腿" | "左大腿部" => Some(site_code("LT", "left thigh", text)),
        "右大腿" | "右大腿部" => Some(site_code("RT", "right thigh", text)),
        _ => text.map(|text| json!({"text": text})),
    };
    let route = if oral { Some(Route::Oral) } else { record.found.vaccine.route };
    let amount = record.details.amount.as_ref().map(
        |amount| json!({"value": (amount.json()), "unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"}),
    );
    resource.with_some("site", site).with_some("route", route.map(route_code)).with_some("doseQuantity", amount)
}

fn site_code(code: &str, display: &str, text: Option<&str>) -> Json {
    json!({"coding": [{"system": (format!("{V3}-ActSite")), "code": code, "display": display}]}).with_some("text", text)
}

fn route_code(route: Route) -> Json {
    let (code, text) = match route {
        Route::Subcutaneous => ("SQ", "皮下"),
        Route::Intramuscular => ("IM", "筋肉内"),
        Route::Oral => ("PO", "経口"),
        Route::Percutaneous => return json!({"text": "経皮"}),
    };
    json!({"coding": [{"system": (format!("{V3}-RouteOfAdministration")), "code": code}], "text": text})
}

fn performer(organization: Json) -> Json {
    json!([{
        "function": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/v2-0443",
            "code": "AP",
            "display": "Administering Provider"
        }]},
        "actor": organization
    }])
}

/// Remarks, and the product where it is a name: there is no element for it.
fn notes(record: &Record) -> Option<Json> {
    let product = record.details.product.as_deref().filter(|text| product_code(text).is_none());
    let product = product.map(|name| format!("製品名: {name}"));
    let all: Vec<Json> =
        record.details.notes.iter().cloned().chain(product).map(|text| json!({"text": text})).collect();
    if all.is_empty() { None } else { Some(Json::from(all)) }
}

fn program(record: &Record) -> Option<Json> {
    let program = record.program?;
    let system = format!("{LOCAL_BASE}/CodeSystem/immunization-program");
    Some(json!([{
        "coding": [{"system": system, "code": (program.code()), "display": (program.name())}],
        "text": (program.name())
    }]))
}

/// The dose in its series; left out where its number is not known.
fn protocol(record: &Record) -> Option<Json> {
    let number = record.number?;
    let diseases: Vec<Json> = record.found.vaccine.diseases.iter().map(|name| disease(name)).collect();
    let diseases = if diseases.is_empty() { None } else { Some(diseases) };
    let protocol = Json::object::<&str>([])
        .with_some("series", record.series.as_deref())
        .with_some("targetDisease", diseases)
        .with("doseNumberPositiveInt", number);
    Some(Json::array([protocol]))
}

/// Only one code of the list has been confirmed; the others go by their names.
fn disease(name: &str) -> Json {
    if name == "肺炎球菌感染症" {
        return json!({
            "coding": [{"system": "http://medis.or.jp/CodeSystem/master-disease-exCode", "code": "VQH3", "display": name}],
            "text": name
        });
    }
    json!({"text": name})
}
