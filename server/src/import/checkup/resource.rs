//! Visits → FHIR.
//!
//! Source: infant-checkups.md §4, §5; JP Core 1.1.2; FHIR R4 vital signs

use techo_profiles::json;
use techo_profiles::json::Json;

use super::identifier_system;
use super::item::{Body, HEIGHT, Item, Kind, WEIGHT};
use super::value::Value;
use super::visit::Visit;
use crate::import::decimal::Decimal;
use crate::import::draft::{Draft, LOCAL_BASE, Line, SUBJECT, key, reference_to, source};
use crate::import::table::preserved;
use crate::import::venue::Venue;

const FEED: &str = "municipal-checkup";
const JP_CORE: &str = "http://jpfhir.jp/fhir/core";
const UCUM: &str = "http://unitsofmeasure.org";
const LOINC: &str = "http://loinc.org";
const HL7_CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

/// The drafts of one child's visits, each after those it refers to.
pub(super) fn drafts(municipality: &str, number: &str, visits: Vec<Visit>) -> Vec<Draft> {
    let mut drafts: Vec<Draft> = Vec::new();
    for visit in visits {
        for draft in Told::of(municipality, number, &visit).drafts() {
            if !drafts.iter().any(|known| known.key == draft.key) {
                drafts.push(draft);
            }
        }
    }
    drafts
}

/// One visit with everything its resources have in common.
struct Told<'a> {
    visit: &'a Visit,
    municipality: &'a str,
    number: &'a str,
    venue: Venue,
    places: Vec<Draft>,
}

impl<'a> Told<'a> {
    fn of(municipality: &'a str, number: &'a str, visit: &'a Visit) -> Self {
        let (venue, places) = Venue::of(FEED, municipality, visit.place.as_deref(), None, visit.at);
        Self { visit, municipality, number, venue, places }
    }

    fn drafts(mut self) -> Vec<Draft> {
        let mut drafts = std::mem::take(&mut self.places);
        drafts.push(Draft::put(self.key("encounter"), self.encounter(), self.visit.at));
        let mut results = Vec::new();
        for (item, value) in &self.visit.values {
            results.push(item.code);
            drafts.push(self.observation_draft(item.code, self.observation(item, value, item.code)));
        }
        if let Some(kaup) = &self.visit.computed_kaup {
            results.push(COMPUTED_KAUP);
            drafts.push(self.observation_draft(COMPUTED_KAUP, self.computed_kaup(kaup)));
        }
        let mut report = Draft::put(self.key("report"), self.report(&results), self.visit.at);
        report.amended = Some(("status", "amended"));
        drafts.push(report);
        drafts
    }

    /// The stable parts of every key: town, child, kind, day, and which resource.
    fn parts<'p>(&'p self, part: &'p str) -> [&'p str; 5] {
        let kind = self.visit.kind.map_or(self.visit.kind_text.as_str(), |kind| kind.code);
        [self.municipality, self.number, kind, &self.visit.date, part]
    }

    fn key(&self, part: &str) -> String {
        let [municipality, number, kind, date, part] = self.parts(part);
        key(&[FEED, municipality, number, kind, date, part])
    }

    fn identifier(&self, part: &str) -> Json {
        json!([{"system": (identifier_system()), "value": (key(&self.parts(part)))}])
    }

    fn meta(&self, profiles: Vec<String>) -> Json {
        let profiles = profiles.into_iter().map(Json::from).collect::<Vec<_>>();
        let profiles = if profiles.is_empty() { None } else { Some(profiles) };
        Json::object([("source", Json::from(source(&format!("{FEED}/{}", self.municipality))))])
            .with_some("profile", profiles)
    }

    /// The local code of the kind, or its words alone.
    fn kind(&self) -> Json {
        let system = format!("{LOCAL_BASE}/CodeSystem/infant-checkup-kind");
        match self.visit.kind {
            Some(kind) => json!({
                "coding": [{"system": system, "code": (kind.code), "display": (kind.name)}],
                "text": (kind.name)
            }),
            None => json!({
                "coding": [{"system": system, "code": "other", "display": "その他"}],
                "text": (self.visit.kind_text.as_str())
            }),
        }
    }

    fn encounter(&self) -> Json {
        let visit = self.visit;
        let location = self.venue.location().map(|location| json!([{"location": location}]));
        Json::object([
            ("resourceType", Json::from("Encounter")),
            ("meta", self.meta(vec![])),
            ("identifier", self.identifier("encounter")),
            ("status", Json::from("finished")),
            (
                "class",
                json!({
                    "system": "http://jpfhir.jp/fhir/eCheckup/CodeSystem/encounter-category",
                    "code": "checkup",
                    "display": "健診"
                }),
            ),
            ("type", Json::array([self.kind()])),
            ("subject", json!({"reference": SUBJECT})),
            ("period", json!({"start": (visit.date.as_str()), "end": (visit.date.as_str())})),
        ])
        .with_some("location", location)
        .with_some("serviceProvider", self.venue.organization())
    }

    fn report(&self, results: &[&str]) -> Json {
        let visit = self.visit;
        let extensions = self.report_extensions();
        let results: Vec<Json> = results.iter().map(|part| self.refer(part)).collect();
        Json::object([("resourceType", Json::from("DiagnosticReport")), ("meta", self.meta(vec![]))])
            .with_some("extension", (!extensions.is_empty()).then_some(extensions))
            .with("identifier", self.identifier("report"))
            .with("status", "final")
            .with(
                "category",
                json!([{"coding": [{
                    "system": "urn:oid:2.16.840.1.113883.2.2.1.6.1001",
                    "code": "43"
                }], "text": "乳幼児健診"}]),
            )
            .with("code", self.kind())
            .with("subject", json!({"reference": SUBJECT}))
            .with("encounter", self.refer("encounter"))
            .with("effectiveDateTime", visit.date.as_str())
            .with_some("performer", self.venue.organization().map(|it| Json::array([it])))
            .with_some("result", (!results.is_empty()).then_some(results))
            .with_some("conclusion", visit.judgement.as_deref())
    }

    /// Remarks, for which R4's report has no element but R5's has, and the
    /// columns that mean nothing here.
    fn report_extensions(&self) -> Vec<Json> {
        let note = self.visit.note.as_deref().map(|note| {
            json!({
                "url": "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note",
                "valueAnnotation": {"text": note}
            })
        });
        note.into_iter().chain(preserved(&self.visit.unknown)).collect()
    }

    fn refer(&self, part: &str) -> Json {
        Json::object([("reference", Json::from(reference_to(&self.key(part))))])
    }

    fn observation_draft(&self, part: &str, resource: Json) -> Draft {
        let at: Line = self.visit.at;
        let mut draft = Draft::put(self.key(part), resource, at);
        draft.amended = Some(("status", "amended"));
        draft
    }

    fn observation(&self, item: &Item, value: &Value, part: &str) -> Json {
        let urine = matches!(item.kind, Kind::Urine);
        // JP Core's laboratory results name their specimen.
        let specimen = urine.then(|| {
            json!([{"resourceType": "Specimen", "id": "urine", "type": {
                "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0487", "code": "UR", "display": "Urine"}],
                "text": "尿"
            }}])
        });
        let observation =
            Json::object([("resourceType", Json::from("Observation")), ("meta", self.meta(profiles(item)))])
                .with_some("contained", specimen)
                .with("identifier", self.identifier(part))
                .with("status", "final")
                .with("category", categories(item))
                .with("code", code(item, value))
                .with("subject", json!({"reference": SUBJECT}))
                .with("encounter", self.refer("encounter"))
                .with("effectiveDateTime", self.visit.date.as_str())
                .with_some("performer", self.venue.organization().map(|it| Json::array([it])));
        let observation = match value {
            Value::Quantity(number, unit) => observation.with("valueQuantity", quantity(number, unit)),
            Value::Coded(concept) => observation.with("valueCodeableConcept", concept.clone()),
            Value::Absent(reason) => observation.with(
                "dataAbsentReason",
                json!({"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/data-absent-reason",
                    "code": (*reason)
                }]}),
            ),
        };
        observation.with_some("specimen", urine.then(|| json!({"reference": "#urine"})))
    }

    /// Kaup by weight and height: it says what it was made of.
    fn computed_kaup(&self, kaup: &Decimal) -> Json {
        let item = super::visit::item(super::item::KAUP);
        let derived: Vec<Json> = [HEIGHT, WEIGHT].map(|property| self.refer(super::visit::item(property).code)).into();
        self.observation(item, &Value::Quantity(kaup.clone(), "kg/m2"), COMPUTED_KAUP)
            .with("note", json!([{"text": "身長と体重から計算した値 (calculated)"}]))
            .with("derivedFrom", derived)
    }
}

/// The key's part of a computed Kaup index: the town may send its own later.
const COMPUTED_KAUP: &str = "kaup-index-calculated";

fn profiles(item: &Item) -> Vec<String> {
    let jp_core = match item.kind {
        Kind::Body(_) => "JP_Observation_BodyMeasurement",
        Kind::Urine => "JP_Observation_LabResult",
        Kind::Teeth | Kind::Finding => "JP_Observation_PhysicalExam",
    };
    let vital_signs = match &item.kind {
        Kind::Body(body) => body.vital_signs,
        Kind::Urine | Kind::Teeth | Kind::Finding => None,
    };
    let mut profiles = vec![format!("{JP_CORE}/StructureDefinition/{jp_core}")];
    profiles.extend(vital_signs.map(|name| format!("http://hl7.org/fhir/StructureDefinition/{name}")));
    profiles
}

/// JP Core's categories, and HL7's own where it has the same: apps and scopes ask for those.
fn categories(item: &Item) -> Json {
    let simple = format!("{JP_CORE}/CodeSystem/JP_SimpleObservationCategory_CS");
    let concept = |system: &str, code: &str, display: &str| json!({"coding": [{"system": system, "code": code, "display": display}]});
    match &item.kind {
        Kind::Body(Body { category: (code, display), vital_signs, .. }) => {
            let measured = format!("{JP_CORE}/CodeSystem/JP_ObservationBodyMeasurementCategory_CS");
            let mut all = Json::array([
                concept(&simple, "body-measurement", "Body Measurement"),
                concept(&measured, code, display),
            ]);
            if vital_signs.is_some() {
                all.push(concept(HL7_CATEGORY, "vital-signs", "Vital Signs"));
            }
            all
        }
        Kind::Urine => Json::array([
            concept(&simple, "laboratory", "Laboratory"),
            concept(HL7_CATEGORY, "laboratory", "Laboratory"),
        ]),
        Kind::Teeth | Kind::Finding => {
            Json::array([concept(&simple, "exam", "Exam"), concept(HL7_CATEGORY, "exam", "Exam")])
        }
    }
}

/// Every code that names the item. A weight in grams has its own in JP Core.
fn code(item: &Item, value: &Value) -> Json {
    let mut codings = Json::array([]);
    if let Kind::Body(body) = &item.kind {
        let grams = matches!(value, Value::Quantity(_, "g"));
        let jp_core = body.jp_core.map(|known| if grams { GRAMS } else { known });
        if let Some((code, display)) = jp_core {
            let system = format!("{JP_CORE}/CodeSystem/JP_ObservationBodyMeasurementCode_CS");
            codings.push(json!({"system": system, "code": code, "display": display}));
        }
        if let Some(code) = body.ministry {
            codings.push(json!({"system": "urn:oid:1.2.392.200119.6.1005", "code": code}));
        }
    }
    if let Some((code, display)) = item.loinc {
        let display = (!display.is_empty()).then_some(display);
        codings.push(json!({"system": LOINC, "code": code}).with_some("display", display));
    }
    let local = format!("{LOCAL_BASE}/CodeSystem/infant-checkup-item");
    codings.push(json!({"system": local, "code": (item.code), "display": (item.name)}));
    json!({"coding": codings, "text": (item.name)})
}

/// JP Core's code of a weight in grams.
const GRAMS: (&str, &str) = ("31000297", "体重");

fn quantity(number: &Decimal, code: &str) -> Json {
    let unit = if code == "{teeth}" { "本" } else { code };
    json!({"value": (number.json()), "unit": unit, "system": UCUM, "code": code})
}
