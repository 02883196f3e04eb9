//! Random worlds for tests: a few people, their Consents, their records, and
//! callers. One number gives one world, the same on every machine, so that a
//! failing case can be made again from the number in its message.

use jiff::Timestamp;
use techo_profiles::json;
use techo_profiles::json::Json;

use super::brute::{Filed, Person, Record};
use super::caller::{Action, Caller, Client, Membership, Organization, Purpose, User};
use super::listed::{self, HOLDERS, listed};
use super::policy::{KIND_SYSTEM, Terms};
use super::{clinical, label};
use crate::auth::scope::Scopes;

/// People, their Consents and their records.
#[derive(Clone, Debug)]
pub struct World {
    /// The citizens; her key is her place in the list plus one.
    pub people: Vec<Person>,
    /// What is stored.
    pub records: Vec<Record>,
}

/// One request put to a world.
#[derive(Clone, Debug)]
pub struct Case {
    /// Who asks. Each person's `authority` is set for this caller.
    pub caller: Caller,
    /// Microseconds since 1970.
    pub now: i64,
    /// What for.
    pub action: Action,
}

/// Key of the clinic, where the doctor works.
pub const CLINIC: i64 = 501;
/// Key of the town, where the nurse works and which publishes.
pub const TOWN: i64 = 502;

/// A repeatable stream of choices (`SplitMix64`).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The stream of this number.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % (sides as u64)).unwrap_or(0)
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.roll(times) == 0
    }

    /// One of these.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.roll(items.len())]
    }

    /// One to `most` of these; the same may come twice.
    fn some(&mut self, items: &[&'static str], most: usize) -> Vec<&'static str> {
        (0..=self.roll(most)).map(|_| self.pick(items)).collect()
    }
}

/// The purposes of use of these worlds: a part of v3-ActReason.
pub const PURPOSES: &[(&str, Option<&str>)] = &[
    ("PurposeOfUse", None),
    ("TREAT", Some("PurposeOfUse")),
    ("COC", Some("TREAT")),
    ("ETREAT", Some("TREAT")),
    ("BTG", Some("ETREAT")),
    ("PATRQT", Some("PurposeOfUse")),
    ("FAMRQT", Some("PATRQT")),
    ("SUPNWK", Some("PATRQT")),
    ("PUBHLTH", Some("PurposeOfUse")),
    ("DISASTER", Some("PUBHLTH")),
    ("HPAYMT", Some("PurposeOfUse")),
];

/// The code above a purpose.
pub fn above(code: &str) -> Option<&'static str> {
    PURPOSES.iter().find(|(own, _)| *own == code).and_then(|(_, above)| *above)
}

/// A purpose with its ancestors.
pub fn purpose(code: &str) -> Purpose {
    let ancestors: Vec<&str> = std::iter::successors(above(code), |code| above(code)).collect();
    Purpose::new(code, &ancestors)
}

/// Terminology and directory of these worlds.
#[derive(Clone, Copy, Debug)]
pub struct WorldTerms;

impl Terms for WorldTerms {
    fn is_purpose(&self, code: &str) -> bool {
        PURPOSES.iter().any(|(own, _)| *own == code)
    }

    fn is_type(&self, name: &str) -> bool {
        TYPES.contains(&name) || super::subject::in_compartment(name)
    }

    fn narrower(&self, _: &str, _: &str) -> Vec<Box<str>> {
        Vec::new()
    }

    fn is_actor(&self, reference: &str) -> bool {
        ACTORS.contains(&reference)
    }
}

const PATIENTS: &[&str] = &["mother", "son", "daughter", "stranger"];

const ACTORS: &[&str] = &[
    "Patient/mother",
    "RelatedPerson/mother-of-son",
    "RelatedPerson/grandmother",
    "Practitioner/doctor",
    "Practitioner/nurse",
    "Organization/clinic",
    "Organization/town",
    "Device/app-a",
    "Device/app-b",
    "Device/ehr",
    "Device/robot",
];

const TYPES: &[&str] = &[
    "Observation",
    "Immunization",
    "Condition",
    "MedicationStatement",
    "DocumentReference",
    "Consent",
    "AuditEvent",
    "Provenance",
    "Task",
    "Binary",
    "Composition",
    "DiagnosticReport",
    "List",
    "MeasureReport",
    "Practitioner",
    "Basic",
    "Patient",
];

const CODES: &[(&str, &str)] = &[("http://loinc.org", "a"), ("http://loinc.org", "b"), ("urn:local", "a")];
const CATEGORIES: &[&str] = &["vital-signs", "laboratory", "survey"];
const CATEGORY_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const DATES: &[&str] =
    &["2024", "2024-03", "2024-03-10", "2024-03-11", "2024-07-01", "2023-12-31", "2024-03-10T10:00:00Z"];

impl World {
    /// The world of this number.
    pub fn new(seed: u64) -> Self {
        let dice = &mut Dice::new(seed);
        let people = PATIENTS
            .iter()
            .map(|patient| Person {
                patient: (*patient).to_owned(),
                authority: false,
                blocked: dice.once_in(40),
                consents: filed(seed, (0..dice.roll(5)).flat_map(|_| consents(patient, dice)).collect()),
            })
            .collect();
        let count = 8 + dice.roll(8);
        let mut records: Vec<Record> = Vec::new();
        for number in 0..count {
            let mut one = record(number, dice);
            lists(&mut one, &records, dice);
            // An id is used once.
            if !records.iter().any(|other| place(other) == place(&one)) {
                records.push(one);
            }
        }
        Self { people, records }
    }

    /// What conditions ask of a record of this world, and of what it lists.
    ///
    /// * `span`: reads a clinical time.
    pub fn facts(&self, record: &Record, span: &dyn Fn(&str) -> Option<std::ops::Range<i64>>) -> clinical::Facts {
        let mut facts = record.facts(record.when.as_deref().and_then(span));
        if let [one] = &record.subjects[..] {
            facts.citizen = Some(self.key(one));
        }
        let listed = listed(&record.resource, "");
        let stored: Vec<&Record> = listed
            .iter()
            .filter_map(|(kind, id)| self.records.iter().find(|other| place(other) == format!("{kind}/{id}")))
            .collect();
        if record.older {
            return facts;
        }
        facts.list_kept = listed::lists(record.resource.str("resourceType").unwrap_or_default(), &listed);
        facts.lacks = stored.len() < listed.len();
        facts.listed = stored.into_iter().map(|other| self.facts(other, span)).collect();
        facts
    }

    /// The key of a citizen.
    pub fn key(&self, patient: &str) -> i64 {
        key(patient)
    }
}

fn key(patient: &str) -> i64 {
    PATIENTS.iter().zip(1..).find(|(own, _)| **own == patient).map_or(0, |(_, key)| key)
}

fn coding(system: &str, code: &str) -> Json {
    json!({"system": (system), "code": (code)})
}

fn concept(system: &str, code: &str) -> Json {
    json!({"coding": [(coding(system, code))]})
}

/// Every eighth one a custodian has filed: it permits little.
fn filed(seed: u64, consents: Vec<Json>) -> Vec<Filed> {
    let filer = |number: u64| match (seed + number) % 16 {
        0 => Some(CLINIC),
        8 => Some(TOWN),
        _ => None,
    };
    (0..).zip(consents).map(|(number, consent)| Filed { consent, filer: filer(number) }).collect()
}

/// A Consent that may be active; one of some days sometimes again, of others.
fn consents(patient: &str, dice: &mut Dice) -> Vec<Json> {
    let one = consent(patient, dice);
    let mut all = vec![one.clone()];
    if one.at(&["provision", "dataPeriod"]).is_some() && dice.once_in(2) {
        let mut other = one;
        let root = other.get("provision").cloned().unwrap_or_else(|| Json::object::<&str>([]));
        other.set("provision", root.with("dataPeriod", days(dice)));
        all.push(other);
    }
    all
}

/// A Consent that may be active.
fn consent(patient: &str, dice: &mut Dice) -> Json {
    let performers: &[&str] = match patient {
        "son" => &["Patient/son", "RelatedPerson/mother-of-son"],
        "daughter" => &["RelatedPerson/mother-of-daughter"],
        _ => &["Patient/mother", "Patient/stranger"],
    };
    let permit = dice.once_in(2);
    let rule = if permit { dice.pick(&["OPTIN", "OPTINR"]) } else { dice.pick(&["OPTOUT", "OPTOUTE"]) };
    let own_type = dice.once_in(2);
    let root_type = if permit { "permit" } else { "deny" };
    let mut root = provision(dice, 3).with_some("type", own_type.then_some(root_type));
    let exceptions: Vec<Json> = (0..dice.roll(3))
        .map(|_| {
            let other = if permit { "deny" } else { "permit" };
            let kind = if own_type { dice.pick(&["permit", "deny"]) } else { other };
            provision(dice, 3).with("type", kind)
        })
        .collect();
    if !exceptions.is_empty() {
        root.set("provision", Json::from(exceptions));
    }
    if dice.once_in(4) {
        root.set("dataPeriod", days(dice));
    }
    json!({
        "resourceType": "Consent",
        "status": "active",
        "scope": (concept("http://terminology.hl7.org/CodeSystem/consentscope", dice.pick(&["patient-privacy", "research"]))),
        "category": [(concept("http://loinc.org", "59284-0"))],
        "patient": {"reference": (format!("Patient/{patient}"))},
        "dateTime": "2024-01-01",
        "performer": [{"reference": (dice.pick(performers))}],
        "organization": [{"reference": "Organization/town"}],
        "sourceAttachment": {"title": "t"},
        "policyRule": (concept("http://terminology.hl7.org/CodeSystem/v3-ActCode", rule)),
        "provision": (root)
    })
}

/// A provision that says each thing once in `times`.
fn provision(dice: &mut Dice, times: usize) -> Json {
    let mut node = Json::object::<&str>([]);
    if dice.once_in(times) {
        node.set("period", period(dice));
    }
    if !dice.once_in(times) {
        let role = concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP");
        let actor = |reference: &str| json!({"role": (role.clone()), "reference": {"reference": (reference)}});
        node.set("actor", Json::array(dice.some(ACTORS, 3).into_iter().map(actor)));
    }
    if dice.once_in(times) {
        let codes: Vec<&'static str> = PURPOSES.iter().map(|(code, _)| *code).collect();
        let purpose = |code| coding("http://terminology.hl7.org/CodeSystem/v3-ActReason", code);
        node.set("purpose", Json::array(dice.some(&codes, 3).into_iter().map(purpose)));
    }
    if dice.once_in(times) {
        let action = |code| concept("http://terminology.hl7.org/CodeSystem/consentaction", code);
        let codes = dice.some(&["access", "access", "disclose", "collect", "correct", "use"], 3);
        node.set("action", Json::array(codes.into_iter().map(action)));
    }
    if dice.once_in(times) {
        let class = |code: &&'static str| match code.parse::<u8>() {
            Ok(_) => coding(KIND_SYSTEM, code),
            Err(_) => coding("http://hl7.org/fhir/resource-types", code),
        };
        let codes =
            dice.some(&["Observation", "Immunization", "Condition", "MedicationStatement", "1", "3", "5", "6", "9"], 3);
        node.set("class", Json::array(codes.iter().map(class)));
    }
    if dice.once_in(times + 2) {
        let mut codes = vec![];
        for _ in 0..=dice.roll(2) {
            let (system, code) = dice.pick(CODES);
            codes.push(match dice.roll(4) {
                0 => json!({"coding": [{"code": (code)}]}),
                1 => concept(CATEGORY_SYSTEM, dice.pick(CATEGORIES)),
                _ => concept(system, code),
            });
        }
        node.set("code", Json::from(codes));
    }
    if dice.once_in(times + 2) {
        node.set("dataPeriod", days(dice));
    }
    node
}

fn period(dice: &mut Dice) -> Json {
    match dice.roll(4) {
        0 => json!({"start": "2024-03-10"}),
        1 => json!({"end": (dice.pick(&["2024-03-10", "2024", "2024-03-10T10:00:00Z"]))}),
        2 => json!({"start": "2023", "end": (dice.pick(&["2024-03", "2024-12-31"]))}),
        _ => json!({"start": "2024-03-10", "end": "2024-03-10"}),
    }
}

/// Clinical times, with ends before, beside and after those of the records.
fn days(dice: &mut Dice) -> Json {
    // In order: none ends before an earlier one begins.
    let edges = [
        "2022",
        "2022-06-30",
        "2023",
        "2023-06-01",
        "2023-12-31",
        "2024",
        "2024-01",
        "2024-03",
        "2024-03-10",
        "2024-03-10T10:00:00Z",
        "2024-03-11",
        "2024-07-01",
        "2024-12-30",
        "2025-01-15",
    ];
    let (one, other) = (dice.roll(edges.len()), dice.roll(edges.len()));
    match dice.roll(3) {
        0 => json!({"start": (edges[one])}),
        1 => json!({"end": (edges[one])}),
        _ => json!({"start": (edges[one.min(other)]), "end": (edges[one.max(other)])}),
    }
}

fn record(number: usize, dice: &mut Dice) -> Record {
    let kind = dice.pick(TYPES);
    let (system, code) = dice.pick(CODES);
    let when = (!dice.once_in(5)).then(|| (dice.pick(DATES)).to_owned());
    let about = dice.pick(PATIENTS);
    let mut resource = json!({"resourceType": (kind), "id": (format!("r{number}"))});
    let subject = json!({"reference": (format!("Patient/{about}"))});
    let mut when = when;
    match kind {
        "Observation" => {
            resource.set("category", Json::array([concept(CATEGORY_SYSTEM, dice.pick(CATEGORIES))]));
            resource.set("code", concept(system, code));
            resource = resource.with_some("effectiveDateTime", when.as_deref());
            let (system, code) = dice.pick(CODES);
            resource.set("component", Json::array([json!({"code": (concept(system, code))})]));
        }
        "Immunization" => {
            resource.set("vaccineCode", concept(system, code));
            resource = resource.with_some("occurrenceDateTime", when.as_deref());
        }
        "Condition" => {
            resource.set("code", concept(system, code));
            resource = resource.with_some("recordedDate", when.as_deref());
        }
        "MedicationStatement" => {
            resource.set("medicationCodeableConcept", concept(system, code));
            resource = resource.with_some("effectiveDateTime", when.as_deref());
        }
        _ => when = None,
    }
    let mut subjects = vec![about.to_owned()];
    match kind {
        "Practitioner" | "Basic" => subjects.clear(),
        "Patient" => resource.set("id", Json::from(about)),
        "Immunization" => resource.set("patient", subject),
        "Observation" | "Condition" | "MedicationStatement" | "DocumentReference" | "DiagnosticReport" | "List" => {
            resource.set("subject", subject);
        }
        _ => {}
    }
    // Where a second person is a subject too, both must permit.
    if dice.once_in(8) && subjects.len() == 1 && kind != "Patient" {
        let other = dice.pick(PATIENTS);
        if other != about {
            subjects.push(other.to_owned());
        }
    }
    Record {
        notebook: label::kind(&resource),
        resource,
        when,
        keeper: dice.pick(&[CLINIC, TOWN, key(about)]),
        authored: dice.once_in(2),
        older: HOLDERS.contains(&kind) && dice.once_in(5),
        subjects,
    }
}

fn place(record: &Record) -> String {
    let part = |name: &str| record.resource.str(name).unwrap_or_default();
    format!("{}/{}", part("resourceType"), part("id"))
}

/// Lets a record list some of those before it, mostly of the same person, and
/// sometimes one that is not there.
fn lists(record: &mut Record, before: &[Record], dice: &mut Dice) {
    let kind = record.resource.str("resourceType").unwrap_or_default();
    if !listed::LISTING.contains(&kind) || before.is_empty() || dice.once_in(3) {
        return;
    }
    let mut places: Vec<String> = Vec::new();
    for _ in 0..=dice.roll(2) {
        let same: Vec<&Record> = before.iter().filter(|other| other.subjects == record.subjects).collect();
        let of = if same.is_empty() || dice.once_in(6) { before.iter().collect() } else { same };
        places.push(if dice.once_in(8) { "Observation/never".to_owned() } else { place(of[dice.roll(of.len())]) });
    }
    let reference = |place: &String| json!({"reference": (place.as_str())});
    let each = |name: &str| Json::array(places.iter().map(|place| Json::object([(name, reference(place))])));
    let (name, value) = match kind {
        "Binary" => ("securityContext", reference(&places[0])),
        "DiagnosticReport" => ("result", Json::array(places.iter().map(reference))),
        "Encounter" => ("diagnosis", each("condition")),
        "List" => ("entry", each("item")),
        "Provenance" => ("target", Json::array(places.iter().map(reference))),
        "Composition" => ("section", json!([{"entry": (Json::array(places.iter().map(reference)))}])),
        "MeasureReport" => ("evaluatedResource", Json::array(places.iter().map(reference))),
        "Task" if dice.once_in(2) => ("focus", reference(&places[0])),
        "Task" => ("input", each("valueReference")),
        _ => ("hasMember", Json::array(places.iter().map(reference))),
    };
    record.resource.set(name, value);
}

impl Record {
    /// What conditions ask of it.
    ///
    /// * `time`: its clinical time, read by whoever asks.
    pub fn facts(&self, time: Option<std::ops::Range<i64>>) -> clinical::Facts {
        clinical::Facts {
            keeper: Some(self.keeper),
            authored: self.authored,
            ..clinical::Facts::of(&self.resource, time)
        }
    }
}

const SCOPES: &[&str] = &[
    "patient/*.cruds fhirUser openid",
    "patient/Observation.rs patient/Immunization.r",
    "patient/Observation.rs?category=vital-signs patient/Condition.read",
    "patient/Observation.r?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory patient/*.s",
    "user/*.cruds",
    "user/Observation.rs?category=survey,laboratory user/Practitioner.rs",
    "user/*.read patient/*.*",
    "user/MedicationStatement.rs user/Provenance.rs user/Consent.rs user/AuditEvent.rs fhirUser",
    "system/*.cruds",
    "system/*.rs",
    "system/Observation.cruds system/Basic.rs",
    "openid",
];

impl Case {
    /// A request to `world`, whose people learn what the caller is to them.
    pub fn new(world: &mut World, seed: u64) -> Self {
        let dice = &mut Dice::new(seed);
        let (user, held) = user(dice);
        for person in &mut world.people {
            person.authority = held.contains(&person.patient.as_str());
        }
        let client = client(user.is_some(), dice);
        let code = PURPOSES[1 + dice.roll(PURPOSES.len() - 1)].0;
        let code = if dice.once_in(2) { "TREAT" } else { code };
        let caller = Caller {
            patient: (!client.portal && dice.once_in(2)).then(|| (dice.pick(PATIENTS)).into()),
            client,
            user,
            purpose: purpose(code),
            scopes: Scopes::known(dice.pick(SCOPES)),
        };
        let actions = [
            Action::Read,
            Action::Read,
            Action::Search,
            Action::Search,
            Action::History,
            Action::Create,
            Action::Update,
            Action::Delete,
        ];
        Self { caller, now: now(dice), action: dice.pick(&actions) }
    }
}

/// Instants, most of them beside the edge of some period, in Asia/Tokyo.
fn now(dice: &mut Dice) -> i64 {
    let texts = [
        "2024-03-09T15:00:00Z",
        "2024-03-10T15:00:00Z",
        "2024-03-10T10:00:01Z",
        "2024-12-31T15:00:00Z",
        "2024-06-01T00:00:00Z",
    ];
    let at: Timestamp = dice.pick(&texts).parse().expect("written above");
    at.as_microsecond() - i64::from(dice.once_in(2))
}

fn user(dice: &mut Dice) -> (Option<User>, &'static [&'static str]) {
    let (references, held): (&[&str], &'static [&'static str]) = match dice.roll(6) {
        0 => (
            &["Patient/mother", "RelatedPerson/mother-of-son", "RelatedPerson/mother-of-daughter"],
            &["mother", "son", "daughter"],
        ),
        1 => (&["RelatedPerson/grandmother"], &[]),
        2 => (&["Practitioner/doctor"], &[]),
        3 => (&["Practitioner/nurse"], &[]),
        4 => (&["Patient/stranger"], &["stranger"]),
        _ => return (None, &[]),
    };
    let memberships = match references[0] {
        "Practitioner/doctor" => vec![work("clinic", CLINIC, dice.pick(&["physician", "clerk"]))],
        "Practitioner/nurse" => vec![work("town", TOWN, "public-health-nurse")],
        _ => vec![],
    };
    let references: Vec<Box<str>> = references.iter().map(|&one| one.into()).collect();
    (Some(User { fhir_user: references.first().cloned(), references, memberships }), held)
}

fn work(organization: &str, key: i64, role: &str) -> Membership {
    Membership { organization: employer(organization, key), roles: vec![role.into()] }
}

fn employer(id: &str, key: i64) -> Organization {
    let people = if key == CLINIC { "Practitioner/doctor" } else { "Practitioner/nurse" };
    Organization { reference: format!("Organization/{id}").into(), key, people: vec![people.into()] }
}

fn client(with_user: bool, dice: &mut Dice) -> Client {
    let (clinic, town) = (employer("clinic", CLINIC), employer("town", TOWN));
    let (id, organization, custodial) = match (with_user, dice.roll(5)) {
        (true, 0) => return Client { id: "portal".into(), portal: true, organization: None, custodial: false },
        (true, 1) => ("app-a", None, false),
        (true, 2) => ("app-b", None, false),
        (true, 3) | (false, 1) => ("ehr", Some(clinic), false),
        (true, _) => ("town-app", Some(town), false),
        (false, 0) => ("robot", None, false),
        (false, _) => ("importer", Some(town), true),
    };
    Client { id: id.into(), portal: false, organization, custodial }
}
