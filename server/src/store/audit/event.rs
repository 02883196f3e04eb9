//! A record as a FHIR `AuditEvent`, by IHE's Basic Audit Log Patterns.
//!
//! One event a citizen. It says everything of her and nothing of the others
//! whom the same answer held: their counts and Consents are left out, and
//! [`Detail::Hers`] leaves out the query's values, which may name them.
//!
//! A profile is claimed only where the event has all that the profile demands;
//! so a request without a known network address claims none.
//!
//! Source: FHIR R4 auditevent.html; IHE BALP 1.1.3 (`PatientRead`, `PatientQuery`,
//! `PatientCreate`, `PatientUpdate`, `PatientDelete`, `AuthZconsent`,
//! `PrivacyDisclosure.Source`)

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use techo_profiles::json;
use techo_profiles::json::Json;

use super::kind::{Coding, Pattern};
use super::record::{Disclosed, Kind, Outcome, Party, Record};
use super::search::Found;

/// Base of our own code systems.
pub const LOCAL_BASE: &str = "https://techo.example/fhir";

/// Who recorded.
#[derive(Clone, Copy, Debug)]
pub struct Server<'a> {
    /// The public FHIR base, without a slash at its end.
    pub base: &'a str,
    /// What the server is called.
    pub name: &'a str,
}

/// How much of a query is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// All of it, as it came: for a privacy officer.
    Whole,
    /// The names of its parameters, without their values: for the citizen.
    Hers,
}

impl Found {
    /// This entry as an `AuditEvent`.
    pub fn event(&self, server: &Server<'_>, detail: Detail) -> Json {
        let record = &self.record;
        let disclosed = record.patients.get(self.ordinal);
        let shape = Shape::of(record, disclosed);
        let row = record.kind.row();
        let mut event = json!({"resourceType": "AuditEvent", "id": (&self.id)});
        let mut meta = json!({"lastUpdated": (instant(record.at))});
        if let Some(profile) = shape.profile(disclosed.is_some()) {
            meta.set("profile", Json::array([profile.into()]));
        }
        event.set("meta", meta);
        event.set("type", coding(&row.code));
        event.set("subtype", Json::array([coding(&row.subtype)]));
        event.set("action", row.action.into());
        event.set("recorded", instant(record.at).into());
        event.set("outcome", record.outcome.number().to_string().into());
        let purpose = record.purpose.as_deref().map(purpose);
        event
            .with_some("outcomeDesc", record.reason.as_deref())
            .with_some("purposeOfEvent", purpose.clone().map(|purpose| Json::array([purpose])))
            .with("agent", agents(record, &shape, server, purpose))
            .with("source", source(record, server))
            .with_some("entity", entities(record, disclosed, &shape, server, detail))
    }
}

/// The pattern an event follows, and whether it has all of it.
struct Shape {
    pattern: Pattern,
    complete: bool,
}

impl Shape {
    fn of(record: &Record, disclosed: Option<&Disclosed>) -> Self {
        let pattern = record.kind.row().pattern;
        let client = record.client.is_some() && record.address.is_some();
        let done = record.outcome == Outcome::Success;
        let complete = match pattern {
            Pattern::Read | Pattern::Create | Pattern::Update | Pattern::Delete => {
                client && done && record.resource.is_some()
            }
            Pattern::Query => client && done && record.query.is_some(),
            Pattern::Disclosure => client && disclosed.is_some(),
            Pattern::Authorization => {
                client
                    && record.user.is_some()
                    && record.organization.is_some()
                    && disclosed.is_some_and(|disclosed| !disclosed.consents.is_empty())
            }
            Pattern::Plain => false,
        };
        Self { pattern, complete }
    }

    fn profile(&self, patient: bool) -> Option<String> {
        let name = match (self.complete, self.pattern, patient) {
            (false, ..) | (_, Pattern::Plain, _) => return None,
            (_, Pattern::Read, true) => "PatientRead",
            (_, Pattern::Read, false) => "Read",
            (_, Pattern::Query, true) => "PatientQuery",
            (_, Pattern::Query, false) => "Query",
            (_, Pattern::Create, true) => "PatientCreate",
            (_, Pattern::Create, false) => "Create",
            (_, Pattern::Update, true) => "PatientUpdate",
            (_, Pattern::Update, false) => "Update",
            (_, Pattern::Delete, true) => "PatientDelete",
            (_, Pattern::Delete, false) => "Delete",
            (_, Pattern::Authorization, _) => "AuthZconsent",
            (_, Pattern::Disclosure, _) => "PrivacyDisclosure.Source",
        };
        Some(format!("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.{name}"))
    }

    /// The roles of client and server. Data leaves the server where it is read;
    /// in a query it is the parameters' way that counts.
    fn roles(&self) -> (&'static Coding, &'static Coding) {
        match self.pattern {
            Pattern::Read | Pattern::Disclosure => (&DESTINATION, &ORIGIN),
            Pattern::Delete => (&APPLICATION, &CUSTODIAN),
            Pattern::Authorization => (&APPLICATION, &AUTHORIZER),
            Pattern::Query | Pattern::Create | Pattern::Update | Pattern::Plain => (&ORIGIN, &DESTINATION),
        }
    }

    /// The role of the person.
    fn person(&self) -> &'static Coding {
        match self.pattern {
            Pattern::Create | Pattern::Update | Pattern::Delete => &AUTHOR,
            Pattern::Read | Pattern::Query | Pattern::Authorization | Pattern::Disclosure | Pattern::Plain => {
                &RECIPIENT
            }
        }
    }
}

fn agents(record: &Record, shape: &Shape, server: &Server<'_>, purpose: Option<Json>) -> Json {
    let (client_role, server_role) = shape.roles();
    let mut agents = Vec::new();
    if let Some(client) = &record.client {
        let network = record.address.as_deref().map(|address| json!({"address": address, "type": "2"}));
        agents.push(
            json!({"type": (concept(client_role)), "who": (who(client)), "requestor": (record.user.is_none())})
                .with_some("network", network),
        );
    }
    let mut own = json!({"type": (concept(server_role)), "who": (observer(server)), "requestor": false});
    if shape.pattern != Pattern::Authorization {
        own.set("network", json!({"address": (server.base), "type": "5"}));
    }
    agents.push(own);
    if let Some(user) = &record.user {
        agents.push(
            json!({"type": (concept(shape.person())), "who": (who(user)), "requestor": true})
                .with_some("purposeOfUse", purpose.map(|purpose| Json::array([purpose]))),
        );
    }
    if let Some(organization) = &record.organization {
        agents.push(json!({"type": (concept(&PROVIDER)), "who": (who(organization)), "requestor": false}));
    }
    Json::array(agents)
}

fn source(record: &Record, server: &Server<'_>) -> Json {
    let kind = match record.kind.row().pattern {
        Pattern::Authorization => SECURITY_SERVER,
        _ => APPLICATION_SERVER,
    };
    json!({"site": (server.base), "observer": (observer(server)), "type": [(coding(&kind))]})
}

fn entities(
    record: &Record,
    disclosed: Option<&Disclosed>,
    shape: &Shape,
    server: &Server<'_>,
    detail: Detail,
) -> Option<Json> {
    let mut entities = Vec::new();
    if let Some(disclosed) = disclosed {
        let reference = format!("Patient/{}", disclosed.patient);
        entities.push(json!({
            "what": {"reference": reference}, "type": (coding(&PERSON)), "role": (coding(&PATIENT))
        }));
        entities.extend(disclosed.consents.iter().map(|consent| {
            let reference = format!("Consent/{}/_history/{}", consent.id, consent.version);
            json!({"what": {"reference": reference}, "type": (coding(&CONSENT))})
        }));
    }
    entities.extend(record.token.as_deref().map(|token| {
        let id = format!("urn:ietf:params:oauth:jti:{token}");
        json!({"what": {"identifier": {"value": id}}, "type": (coding(&TOKEN))})
    }));
    if shape.complete && shape.pattern == Pattern::Authorization {
        // AuthZconsent is closed: nothing else may stand there.
        return Some(Json::array(entities));
    }
    entities.extend(record.resource.as_deref().map(
        |resource| json!({"what": {"reference": resource}, "type": (coding(&OBJECT)), "role": (coding(&RESOURCE))}),
    ));
    if record.kind.row().pattern != Pattern::Read {
        entities.extend(record.query.as_deref().map(|query| {
            let url = format!("{}/{}", server.base, shown(query, detail));
            json!({"type": (coding(&OBJECT)), "role": (coding(&QUERY)), "query": (STANDARD.encode(url))})
        }));
    }
    entities.extend(
        record
            .request
            .as_deref()
            .map(|request| json!({"what": {"identifier": {"value": request}}, "type": (coding(&REQUEST))})),
    );
    entities.extend(decision(disclosed));
    (!entities.is_empty()).then(|| Json::array(entities))
}

/// The deciding layer, and what was disclosed by type.
fn decision(disclosed: Option<&Disclosed>) -> Option<Json> {
    let disclosed = disclosed?;
    let layer = disclosed.layer.map(|layer| json!({"type": "layer", "valueString": (layer.code())}));
    let counts =
        disclosed.counts.iter().map(|(kind, count)| json!({"type": (&**kind), "valueString": (count.to_string())}));
    let details: Vec<Json> = layer.into_iter().chain(counts).collect();
    let kind = json!({"system": (format!("{LOCAL_BASE}/CodeSystem/audit-entity")), "code": "decision"});
    (!details.is_empty()).then(|| json!({"type": kind, "detail": details}))
}

/// A query as whoever asks may see it.
fn shown(query: &str, detail: Detail) -> String {
    let (path, parameters) = query.split_once('?').unwrap_or((query, ""));
    match detail {
        Detail::Whole => query.to_owned(),
        Detail::Hers if parameters.is_empty() => path.to_owned(),
        Detail::Hers => {
            let names = parameters.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
            format!("{path}?{}", names.collect::<Vec<_>>().join("&"))
        }
    }
}

fn who(party: &Party) -> Json {
    json!({"reference": (&*party.reference)}).with_some("display", party.name.as_deref())
}

fn observer(server: &Server<'_>) -> Json {
    json!({"identifier": {"system": "urn:ietf:rfc:3986", "value": (server.base)}, "display": (server.name)})
}

fn purpose(code: &str) -> Json {
    json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": code}]})
}

fn coding(code: &Coding) -> Json {
    json!({"system": (code.system), "code": (code.code), "display": (code.display)})
}

fn concept(code: &Coding) -> Json {
    json!({"coding": [(coding(code))]})
}

/// An instant with its microseconds, in UTC. Times that no calendar has (they
/// come only from a damaged record) are shown as the nearest that it has.
fn instant(micros: i64) -> String {
    let nearest = if micros < 0 { Timestamp::MIN } else { Timestamp::MAX };
    format!("{:.6}", Timestamp::from_microsecond(micros).unwrap_or(nearest))
}

const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";
const OBJECT_ROLE: &str = "http://terminology.hl7.org/CodeSystem/object-role";
const SOURCE_TYPE: &str = "http://terminology.hl7.org/CodeSystem/security-source-type";
const PARTICIPATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

const ORIGIN: Coding = code(DICOM, "110153", "Source Role ID");
const DESTINATION: Coding = code(DICOM, "110152", "Destination Role ID");
const APPLICATION: Coding = code(DICOM, "110150", "Application");
const CUSTODIAN: Coding =
    code("http://terminology.hl7.org/CodeSystem/provenance-participant-type", "custodian", "Custodian");
const AUTHORIZER: Coding =
    code("http://terminology.hl7.org/CodeSystem/extra-security-role-type", "authserver", "authorization server");
const RECIPIENT: Coding = code(PARTICIPATION, "IRCP", "information recipient");
const AUTHOR: Coding = code(PARTICIPATION, "AUT", "author (originator)");
const PROVIDER: Coding = code("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV", "healthcare provider");
const PERSON: Coding = code(ENTITY_TYPE, "1", "Person");
const OBJECT: Coding = code(ENTITY_TYPE, "2", "System Object");
const PATIENT: Coding = code(OBJECT_ROLE, "1", "Patient");
const RESOURCE: Coding = code(OBJECT_ROLE, "4", "Domain Resource");
const QUERY: Coding = code(OBJECT_ROLE, "24", "Query");
const CONSENT: Coding = code("http://hl7.org/fhir/resource-types", "Consent", "Consent");
const TOKEN: Coding =
    code("https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes", "UserOauthAgent", "OAuth Agent participant");
const REQUEST: Coding =
    code("https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "XrequestId", "X-Request-Id");
const APPLICATION_SERVER: Coding = code(SOURCE_TYPE, "4", "Application Server");
const SECURITY_SERVER: Coding = code(SOURCE_TYPE, "6", "Security Server");

const fn code(system: &'static str, code: &'static str, display: &'static str) -> Coding {
    Coding { system, code, display }
}

impl Kind {
    /// The code by which an `AuditEvent` of this kind is found: `subtype`.
    pub fn subtype(self) -> Coding {
        self.row().subtype
    }
}
