//! Records as `AuditEvent`s.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use techo_profiles::json::Json;

use super::*;

const SERVER: Server<'_> = Server { base: "https://phr.example/fhir", name: "Techo" };

fn found(record: Record, ordinal: usize) -> Found {
    let citizen = record.patients.get(ordinal).map_or(NOBODY, |disclosed| disclosed.citizen);
    let cursor = Cursor::from_bytes(&[0; 36]).expect("a cursor");
    Found { id: "e1".to_owned(), citizen, ordinal, cursor, record }
}

fn full(kind: Kind) -> Record {
    let mut record = read(1_700_000_000_123_456, &[1, 2]);
    record.kind = kind;
    record.organization = Some(Party::new("Organization/org-sakura-clinic", None));
    record.token = Some("tok-1".into());
    record.request = Some("req-1".into());
    record.query = Some("Observation?patient=pt-1,pt-2&code=8302-2".into());
    for disclosed in &mut record.patients {
        disclosed.layer = Some(Layer::Consent);
        disclosed.consents = vec![Consented { id: format!("c-{}", disclosed.patient).into(), version: 3 }];
        disclosed.counts = vec![("Observation".into(), 12)];
    }
    record
}

fn profile(event: &Json) -> Option<&str> {
    let url = event.get("meta")?.list("profile").first()?.as_str()?;
    url.strip_prefix("https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.")
}

#[test]
fn each_kind_follows_its_pattern() {
    for (kind, expected) in [
        (Kind::Read, Some("PatientRead")),
        (Kind::Vread, Some("PatientRead")),
        (Kind::Search, Some("PatientQuery")),
        (Kind::Create, Some("PatientCreate")),
        (Kind::Update, Some("PatientUpdate")),
        (Kind::Patch, Some("PatientUpdate")),
        (Kind::Delete, Some("PatientDelete")),
        (Kind::Export, Some("PrivacyDisclosure.Source")),
        (Kind::Grant, Some("AuthZconsent")),
        (Kind::Refusal, Some("AuthZconsent")),
        (Kind::SignIn, None),
        (Kind::Operator, None),
    ] {
        assert_eq!(profile(&found(full(kind), 0).event(&SERVER, Detail::Whole)), expected, "{kind:?}");
    }
    let alone = Record { patients: Vec::new(), ..full(Kind::Read) };
    assert_eq!(profile(&found(alone, 0).event(&SERVER, Detail::Whole)), Some("Read"));
    let unknown_address = Record { address: None, ..full(Kind::Read) };
    assert_eq!(profile(&found(unknown_address, 0).event(&SERVER, Detail::Whole)), None);
    let failed = Record { outcome: Outcome::Failed, ..full(Kind::Search) };
    assert_eq!(profile(&found(failed, 0).event(&SERVER, Detail::Whole)), None);
}

#[test]
fn a_read_says_who_what_when_why_under_what() {
    let event = found(full(Kind::Read), 1).event(&SERVER, Detail::Whole);
    assert_eq!(event.str("recorded"), Some("2023-11-14T22:13:20.123456Z"));
    assert_eq!((event.str("action"), event.str("outcome")), (Some("R"), Some("0")));
    let text = event.to_string();
    for part in [
        "Device/app-public",
        "Patient/pt-hanako",
        "Organization/org-sakura-clinic",
        r#""address":"192.0.2.7""#,
        "FAMRQT",
        "Patient/pt-2",
        "Consent/c-pt-2/_history/3",
        "urn:ietf:params:oauth:jti:tok-1",
        "req-1",
        "citizen-consent",
        "Observation/o1700000000123456",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let requestors =
        event.list("agent").iter().filter(|agent| agent.get("requestor").and_then(Json::as_bool) == Some(true));
    assert_eq!(requestors.count(), 1);
}

#[test]
fn her_event_says_nothing_of_the_others() {
    let event = found(full(Kind::Search), 0).event(&SERVER, Detail::Hers);
    let text = event.to_string();
    assert!(!text.contains("pt-2"), "{text}");
    let query = event.list("entity").iter().find_map(|entity| entity.str("query")).expect("a query");
    let query = STANDARD.decode(query).expect("base64");
    assert_eq!(query, b"https://phr.example/fhir/Observation?patient&code");
    let whole = found(full(Kind::Search), 0).event(&SERVER, Detail::Whole);
    let query = whole.list("entity").iter().find_map(|entity| entity.str("query")).expect("a query");
    assert_eq!(
        STANDARD.decode(query).expect("base64"),
        b"https://phr.example/fhir/Observation?patient=pt-1,pt-2&code=8302-2"
    );
}

#[test]
fn every_event_is_structurally_an_audit_event() {
    for row in KINDS {
        for record in [full(row.kind), Record::new(0, row.kind, Outcome::Refused)] {
            let event = found(record, 0).event(&SERVER, Detail::Whole);
            check(&event);
        }
    }
}

/// The cardinalities and codes of R4's `AuditEvent`.
fn check(event: &Json) {
    let text = event.to_string();
    let allowed = [
        "resourceType",
        "id",
        "meta",
        "type",
        "subtype",
        "action",
        "recorded",
        "outcome",
        "outcomeDesc",
        "purposeOfEvent",
        "agent",
        "source",
        "entity",
    ];
    assert!(event.members().iter().all(|member| allowed.contains(&&*member.name)), "{text}");
    assert!(event.get("type").is_some_and(is_coding), "{text}");
    assert!(event.list("subtype").iter().all(is_coding));
    assert!(["0", "4", "8", "12"].contains(&event.str("outcome").expect("outcome")));
    assert!(event.at(&["source", "observer"]).is_some());
    assert!(!event.list("agent").is_empty(), "{text}");
    for agent in event.list("agent") {
        let known = ["type", "who", "requestor", "network", "purposeOfUse"];
        assert!(agent.members().iter().all(|member| known.contains(&&*member.name)), "{text}");
        assert!(agent.get("requestor").and_then(Json::as_bool).is_some());
        assert!(agent.at(&["type", "coding"]).is_some_and(|codings| codings.items().iter().all(is_coding)));
    }
    if let Some(entities) = event.get("entity") {
        assert!(!entities.items().is_empty(), "no empty array");
    }
    for entity in event.list("entity") {
        let known = ["what", "type", "role", "query", "detail"];
        assert!(entity.members().iter().all(|member| known.contains(&&*member.name)), "{text}");
        assert!(entity.get("type").is_some_and(|kind| kind.str("code").is_some()));
        for detail in entity.list("detail") {
            assert!(detail.str("type").is_some() && detail.str("valueString").is_some());
        }
    }
}

fn is_coding(json: &Json) -> bool {
    ["system", "code", "display"].iter().all(|name| json.str(name).is_some_and(|text| !text.is_empty()))
}
