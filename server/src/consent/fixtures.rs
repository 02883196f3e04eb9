//! Each element of a provision in permit, deny, nested and unknown form, with
//! the records that a doctor sees under it; and each thing that is refused.

use std::sync::Arc;

use jiff::tz::TimeZone;
use techo_profiles::json;
use techo_profiles::json::Json;

use super::caller::{Authority, Caller, Candidate, Client, Membership, Organization, User};
use super::clinical::Facts;
use super::policy::{Policy, compile};
use super::view::Row;
use super::worlds::{WorldTerms, purpose};
use super::{Action, decide, instant};
use crate::auth::scope::Scopes;

fn tokyo() -> TimeZone {
    TimeZone::get("Asia/Tokyo").expect("a zone")
}

fn parse(text: &str) -> Json {
    Json::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text} {error:?}"))
}

/// `provision` inside an otherwise complete Consent of the mother.
fn consent(provision: &str) -> Json {
    json!({
        "resourceType": "Consent", "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
        "patient": {"reference": "Patient/mother"},
        "dateTime": "2024-01-01",
        "performer": [{"reference": "Patient/mother"}],
        "organization": [{"reference": "Organization/town"}],
        "sourceReference": {"reference": "DocumentReference/d"},
        "policy": [{"uri": "https://techo.example/fhir/policy/normal-treatment"}],
        "provision": (parse(&written(provision)))
    })
}

/// Short forms for what provisions repeat.
fn written(provision: &str) -> String {
    let mut text = provision.to_owned();
    for (short, long) in [
        ("T:", r#""system":"http://hl7.org/fhir/resource-types","code":"#),
        ("K:", r#""system":"https://techo.example/fhir/CodeSystem/kind","code":"#),
        ("P:", r#""system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"#),
        ("L:", r#""system":"http://loinc.org","code":"#),
        ("A:", r#""system":"http://terminology.hl7.org/CodeSystem/consentaction","code":"#),
        (
            "WHO:",
            r#""role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]},"reference":"#,
        ),
    ] {
        text = text.replace(short, long);
    }
    text
}

fn policy(provision: &str) -> Arc<Policy> {
    match compile(&consent(provision), &WorldTerms, &tokyo()) {
        Ok(Some(policy)) => Arc::new(policy),
        other => panic!("{provision} {other:?}"),
    }
}

fn clinic() -> Organization {
    Organization { reference: "Organization/clinic".into(), key: 501, people: vec!["Practitioner/doctor".into()] }
}

/// The doctor, through a client of her clinic, to treat.
fn doctor() -> Caller {
    Caller {
        client: Client { id: "ehr".into(), portal: false, organization: Some(clinic()), custodial: false },
        user: Some(User {
            references: vec!["Practitioner/doctor".into()],
            fhir_user: None,
            memberships: vec![Membership { organization: clinic(), roles: vec!["physician".into()] }],
        }),
        purpose: purpose("TREAT"),
        scopes: Scopes::known("user/*.rs"),
        patient: None,
    }
}

/// The mother, through an app.
fn mother() -> Caller {
    Caller {
        client: Client { id: "app-a".into(), ..Client::default() },
        user: Some(User { references: vec!["Patient/mother".into()], ..User::default() }),
        purpose: purpose("PATRQT"),
        scopes: Scopes::known("patient/*.rs"),
        patient: Some("mother".into()),
    }
}

/// Records by a letter each: a height, an undated weight, a vaccination of which
/// only the month is known, a diagnosis that the clinic keeps.
fn records() -> Vec<(char, Json, Option<&'static str>, i64)> {
    vec![
        (
            'h',
            parse(
                r#"{"resourceType":"Observation","category":[{"coding":[{"system":"c","code":"vital-signs"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"8302-2"}]}}"#,
            ),
            Some("2024-03-10"),
            1,
        ),
        (
            'w',
            parse(
                r#"{"resourceType":"Observation","code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}]}}"#,
            ),
            None,
            1,
        ),
        (
            'v',
            parse(r#"{"resourceType":"Immunization","vaccineCode":{"coding":[{"code":"bcg"}]}}"#),
            Some("2024-03"),
            502,
        ),
        (
            'd',
            parse(r#"{"resourceType":"Condition","code":{"coding":[{"system":"icd","code":"J00"}]}}"#),
            Some("2024-05-01"),
            501,
        ),
    ]
}

/// The letters of what `caller` sees, at noon of 2024-03-10 in Tokyo.
fn seen(caller: &Caller, policies: &[Arc<Policy>], authority: bool, blocked: bool) -> String {
    let candidate = Candidate {
        citizen: 1,
        patient: "mother".into(),
        authority: authority.then_some(Authority::OWN),
        blocked,
        consents: policies.to_vec(),
    };
    let now = "2024-03-10T03:00:00Z".parse::<jiff::Timestamp>().expect("an instant").as_microsecond();
    let view = decide(caller, now, Action::Read, &[candidate], &super::stance::Others::default());
    let visible = |(letter, resource, when, keeper): (char, Json, Option<&str>, i64)| {
        let time = when.and_then(|when| instant::span(when, &tokyo()));
        let facts = Facts { keeper: Some(keeper), ..Facts::of(&resource, time) };
        view.shows(&Row { id: "x", facts: &facts, subjects: &[1] }).then_some(letter)
    };
    records().into_iter().filter_map(visible).collect()
}

#[test]
fn each_element_in_each_form() {
    let named = r#""actor":[{WHO:{"reference":"Practitioner/doctor"}}]"#;
    let colleague = r#""actor":[{WHO:{"reference":"Practitioner/nurse"}}]"#;
    for (provision, expected) in [
        // type
        (format!(r#"{{"type":"permit",{named}}}"#), "hwvd"),
        (format!(r#"{{"type":"deny",{named}}}"#), ""),
        (format!(r#"{{"type":"permit",{named},"provision":[{{"type":"deny","class":[{{T:"Condition"}}]}}]}}"#), "hwv"),
        (format!(r#"{{"type":"deny",{named},"provision":[{{"type":"permit","class":[{{T:"Condition"}}]}}]}}"#), "d"),
        // siblings at one depth: deny wins
        (format!(r#"{{"type":"permit",{named},"provision":[{{"type":"permit","class":[{{T:"Observation"}}]}},{{"type":"deny","code":[{{"coding":[{{L:"8302-2"}}]}}]}}]}}"#), "wvd"),
        // actor: person, Organization, other, client; nested it replaces
        (format!(r#"{{"type":"permit",{colleague}}}"#), ""),
        (r#"{"type":"permit","actor":[{WHO:{"reference":"Organization/clinic"}}]}"#.to_owned(), "hwvd"),
        (r#"{"type":"permit","actor":[{WHO:{"reference":"Organization/town"}},{WHO:{"reference":"Organization/clinic"}}]}"#.to_owned(), "hwvd"),
        (r#"{"type":"permit","actor":[{WHO:{"reference":"Device/ehr"}}]}"#.to_owned(), ""),
        (format!(r#"{{"type":"permit",{colleague},"provision":[{{"type":"permit",{named},"class":[{{T:"Immunization"}}]}}]}}"#), "v"),
        // period: the day, the day before, from the next; nested it replaces
        (format!(r#"{{"type":"permit",{named},"period":{{"end":"2024-03-10"}}}}"#), "hwvd"),
        (format!(r#"{{"type":"permit",{named},"period":{{"end":"2024-03-09"}}}}"#), ""),
        (format!(r#"{{"type":"permit",{named},"period":{{"start":"2024-03-11"}}}}"#), ""),
        (format!(r#"{{"type":"permit",{named},"period":{{"end":"2024-03-09"}},"provision":[{{"type":"permit","period":{{"start":"2024"}},"class":[{{T:"Condition"}}]}}]}}"#), "d"),
        // purpose: equal, below TREAT, an ancestor
        (format!(r#"{{"type":"permit",{named},"purpose":[{{P:"TREAT"}}]}}"#), "hwvd"),
        (format!(r#"{{"type":"permit",{named},"purpose":[{{P:"COC"}}]}}"#), ""),
        (format!(r#"{{"type":"permit",{named},"purpose":[{{P:"PurposeOfUse"}}]}}"#), ""),
        (format!(r#"{{"type":"permit",{named},"provision":[{{"type":"deny","purpose":[{{P:"PurposeOfUse"}}],"class":[{{T:"Condition"}}]}}]}}"#), "hwv"),
        (format!(r#"{{"type":"permit",{named},"provision":[{{"type":"deny","purpose":[{{P:"COC"}}]}}]}}"#), "hwvd"),
        // action
        (format!(r#"{{"type":"permit",{named},"action":[{{"coding":[{{A:"access"}}]}}]}}"#), "hwvd"),
        (format!(r#"{{"type":"permit",{named},"action":[{{"coding":[{{A:"collect"}}]}}]}}"#), ""),
        (format!(r#"{{"type":"permit",{named},"action":[{{"coding":[{{A:"disclose"}}]}}]}}"#), "hwv"),
        (format!(r#"{{"type":"permit",{named},"provision":[{{"type":"deny","action":[{{"coding":[{{A:"disclose"}}]}}]}}]}}"#), "d"),
        // class: type and kind
        (format!(r#"{{"type":"permit",{named},"class":[{{T:"Observation"}},{{K:"5"}}]}}"#), "hwv"),
        (format!(r#"{{"type":"permit",{named},"provision":[{{"type":"deny","class":[{{K:"1"}}]}}]}}"#), "vd"),
        // code: of the code, of the category, without a system; conjunctive with class; nested inherited
        (format!(r#"{{"type":"permit",{named},"code":[{{"coding":[{{L:"8302-2"}}]}}]}}"#), "h"),
        (format!(r#"{{"type":"permit",{named},"code":[{{"coding":[{{"system":"c","code":"vital-signs"}}]}}]}}"#), "h"),
        (format!(r#"{{"type":"permit",{named},"code":[{{"coding":[{{"code":"bcg"}}]}}]}}"#), "v"),
        (format!(r#"{{"type":"permit",{named},"class":[{{T:"Condition"}}],"code":[{{"coding":[{{L:"8302-2"}}]}}]}}"#), ""),
        (format!(r#"{{"type":"permit",{named},"code":[{{"coding":[{{L:"8302-2"}}]}}],"provision":[{{"type":"deny","class":[{{T:"Observation"}}]}}]}}"#), ""),
        // dataPeriod: inside, partly, unknown
        (format!(r#"{{"type":"permit",{named},"dataPeriod":{{"start":"2024-03-10","end":"2024-03-10"}}}}"#), "h"),
        (format!(r#"{{"type":"permit",{named},"dataPeriod":{{"start":"2024-03","end":"2024-03"}}}}"#), "hv"),
        (format!(r#"{{"type":"permit",{named},"provision":[{{"type":"deny","dataPeriod":{{"start":"2024-03-10","end":"2024-03-10"}}}}]}}"#), "d"),
        // nothing named: the default, for all or for a purpose
        (r#"{"type":"permit"}"#.to_owned(), "hwvd"),
        (r#"{"type":"deny"}"#.to_owned(), ""),
        (r#"{"type":"permit","purpose":[{P:"HPAYMT"}]}"#.to_owned(), ""),
        (format!(r#"{{"type":"deny","provision":[{{"type":"permit",{named}}}]}}"#), "hwvd"),
    ] {
        assert_eq!(seen(&doctor(), &[policy(&provision)], false, false), expected, "{provision}");
    }
}

#[test]
fn several_consents() {
    let all = r#"{"type":"permit","actor":[{WHO:{"reference":"Organization/clinic"}}]}"#;
    let nobody = r#"{"type":"deny"}"#;
    let everybody = r#"{"type":"permit"}"#;
    let not_her = r#"{"type":"deny","actor":[{WHO:{"reference":"Practitioner/doctor"}}]}"#;
    let heights = r#"{"type":"permit","class":[{T:"Observation"}]}"#;
    let shots = r#"{"type":"permit","class":[{K:"5"}]}"#;
    for (provisions, expected) in [
        (vec![], ""),
        (vec![nobody, all], "hwvd"),
        (vec![nobody, all, not_her], ""),
        (vec![everybody, not_her], ""),
        (vec![everybody, nobody], ""),
        (vec![heights, shots], "hwv"),
    ] {
        let policies: Vec<_> = provisions.iter().map(|provision| policy(provision)).collect();
        assert_eq!(seen(&doctor(), &policies, false, false), expected, "{provisions:?}");
    }
    assert_eq!(seen(&doctor(), &[policy(all)], false, true), "", "a protective order");
}

#[test]
fn an_organization_is_its_user_in_a_listed_role_and_through_its_own_client_only() {
    let all = [policy(r#"{"type":"permit","actor":[{WHO:{"reference":"Organization/clinic"}}]}"#)];
    let mut clerk = doctor();
    clerk.user.as_mut().expect("a user").memberships[0].roles = vec!["clerk".into()];
    assert_eq!(seen(&clerk, &all, false, false), "");
    let mut billing = doctor();
    billing.purpose = purpose("HPAYMT");
    assert_eq!(seen(&billing, &all, false, false), "");
    let mut elsewhere = doctor();
    elsewhere.client.organization = None;
    assert_eq!(seen(&elsewhere, &all, false, false), "");
    let mut backend = doctor();
    backend.user = None;
    backend.scopes = Scopes::known("system/*.rs");
    assert_eq!(seen(&backend, &all, false, false), "hwvd");
    // A call without a user may be from the person who is denied.
    let not_her = policy(r#"{"type":"deny","actor":[{WHO:{"reference":"Practitioner/doctor"}}]}"#);
    assert_eq!(seen(&backend, &[all[0].clone(), not_her], false, false), "");
}

#[test]
fn an_app_needs_a_consent_that_names_it_and_that_its_user_gave() {
    let app = policy(r#"{"type":"permit","actor":[{WHO:{"reference":"Device/app-a"}}],"class":[{T:"Immunization"}]}"#);
    let other = policy(r#"{"type":"permit","actor":[{WHO:{"reference":"Device/app-b"}}]}"#);
    let everyone = policy(r#"{"type":"permit"}"#);
    assert_eq!(seen(&mother(), &[], true, false), "");
    assert_eq!(seen(&mother(), &[other.clone(), everyone], true, false), "");
    assert_eq!(seen(&mother(), &[app.clone(), other], true, false), "v");
    // Without authority of her own, the app's Consent gives its user nothing.
    assert_eq!(seen(&mother(), std::slice::from_ref(&app), false, false), "");
    let mut father = mother();
    father.user.as_mut().expect("a user").references = vec!["RelatedPerson/father".into()];
    assert_eq!(seen(&father, &[app], true, false), "", "another user of the same app");
    let mut portal = mother();
    portal.client.portal = true;
    assert_eq!(seen(&portal, &[], true, false), "hwvd");
}

#[test]
fn what_is_refused() {
    let actor = r#"WHO:{"reference":"Practitioner/doctor"}"#;
    for (provision, expected) in [
        ("{}".to_owned(), "Consent.provision.type"),
        (r#"{"type":"maybe"}"#.to_owned(), "Consent.provision.type"),
        (r#"{"type":"permit","securityLabel":[{"code":"R"}]}"#.to_owned(), "Consent.provision.securityLabel"),
        (r#"{"type":"permit","data":[{}]}"#.to_owned(), "Consent.provision.data"),
        (r#"{"type":"permit","extension":[{"url":"x"}]}"#.to_owned(), "Consent.provision.extension"),
        (r#"{"type":"permit","modifierExtension":[{"url":"x"}]}"#.to_owned(), "Consent.provision.modifierExtension"),
        (r#"{"type":"permit","_type":{"id":"x"}}"#.to_owned(), "Consent.provision.type"),
        (r#"{"type":"permit","period":{"start":"2024-02-30"}}"#.to_owned(), "Consent.provision.period"),
        (r#"{"type":"permit","period":{"start":"2024-03-02","end":"2024-03-01"}}"#.to_owned(), "Consent.provision.period"),
        (r#"{"type":"permit","dataPeriod":{}}"#.to_owned(), "Consent.provision.dataPeriod"),
        (r#"{"type":"permit","purpose":[{P:"NOPE"}]}"#.to_owned(), "Consent.provision.purpose[0].code"),
        (r#"{"type":"permit","purpose":[{"code":"TREAT"}]}"#.to_owned(), "Consent.provision.purpose[0].system"),
        (r#"{"type":"permit","action":[{"coding":[{A:"sell"}]}]}"#.to_owned(), "Consent.provision.action[0].coding[0].code"),
        (r#"{"type":"permit","action":[{"text":"read"}]}"#.to_owned(), "Consent.provision.action[0].coding"),
        (r#"{"type":"permit","class":[{T:"Nope"}]}"#.to_owned(), "Consent.provision.class[0].code"),
        (r#"{"type":"permit","class":[{K:"10"}]}"#.to_owned(), "Consent.provision.class[0].code"),
        (r#"{"type":"permit","class":[{"system":"urn:ietf:rfc:3986","code":"http://x"}]}"#.to_owned(), "Consent.provision.class[0].system"),
        (r#"{"type":"permit","code":[{"text":"height"}]}"#.to_owned(), "Consent.provision.code[0].coding"),
        (r#"{"type":"permit","actor":[{"reference":{"reference":"Practitioner/doctor"}}]}"#.to_owned(), "Consent.provision.actor[0].role"),
        (
            r#"{"type":"permit","actor":[{"role":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"CST"}]},"reference":{"reference":"Practitioner/doctor"}}]}"#.to_owned(),
            "Consent.provision.actor[0].role.coding[0].code",
        ),
        (r#"{"type":"permit","actor":[{WHO:{"reference":"Practitioner/unknown"}}]}"#.to_owned(), "Consent.provision.actor[0].reference"),
        (r#"{"type":"permit","actor":[{WHO:{"reference":"CareTeam/x"}}]}"#.to_owned(), "Consent.provision.actor[0].reference.reference"),
        (r#"{"type":"permit","actor":[{WHO:{"reference":"https://x/Practitioner/doctor"}}]}"#.to_owned(), "Consent.provision.actor[0].reference.reference"),
        (r#"{"type":"permit","actor":[{WHO:{"identifier":{"value":"1"}}}]}"#.to_owned(), "Consent.provision.actor[0].reference.identifier Consent.provision.actor[0].reference.reference"),
        (format!(r#"{{"type":"permit","provision":[{{"actor":[{{{actor}}}]}}]}}"#), "Consent.provision.provision[0].type"),
        (
            format!(r#"{{"type":"permit","provision":[{{"type":"deny","actor":[{{{actor}}}],"provision":[{{"type":"permit"}}]}}]}}"#),
            "Consent.provision.provision[0].provision",
        ),
    ] {
        assert_eq!(refused(&consent(&provision)), expected, "{provision}");
    }
}

/// The expressions of what is refused, in order.
fn refused(consent: &Json) -> String {
    let refusals = compile(consent, &WorldTerms, &tokyo()).err().unwrap_or_default();
    refusals.iter().map(|refusal| refusal.expression.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_consent_itself() {
    let whole = || consent(r#"{"type":"permit"}"#);
    for name in ["patient", "dateTime", "performer", "organization"] {
        let mut without = whole();
        without.remove(name);
        assert_eq!(refused(&without), format!("Consent.{name}"));
    }
    let mut without = whole();
    without.remove("sourceReference");
    assert_eq!(refused(&without), "Consent.source");
    let mut without = whole();
    without.remove("policy");
    assert_eq!(refused(&without), "Consent.policy");
    for (name, value, expected) in [
        ("verification", r#"[{"verified":true}]"#, "Consent.verification"),
        ("contained", "[{}]", "Consent.contained"),
        ("extension", r#"[{"url":"x"}]"#, "Consent.extension"),
        ("implicitRules", r#""x""#, "Consent.implicitRules"),
        ("policy", r#"[{"uri":"https://elsewhere.example"}]"#, "Consent.policy[0].uri"),
        ("policyRule", r#"{"coding":[{"system":"x","code":"OPTIN"}]}"#, "Consent.policyRule.coding[0].system"),
        ("patient", r#"{"reference":"Group/g"}"#, "Consent.patient.reference"),
        ("dateTime", r#""soon""#, "Consent.dateTime"),
        ("scope", r#"{"coding":[{"system":"x","code":"research"}]}"#, "Consent.scope.coding[0].system"),
    ] {
        assert_eq!(refused(&whole().with(name, parse(value))), expected, "{name} {value}");
    }
    for (name, value) in [("status", r#""draft""#), ("scope", r#"{"coding":[{"code":"treatment"}]}"#)] {
        let plain = consent(r#"{"securityLabel":[]}"#).with(name, parse(value));
        assert_eq!(compile(&plain, &WorldTerms, &tokyo()), Ok(None), "{name}: a plain record");
    }
}

#[test]
fn the_policy_rule_stands_for_a_root_without_a_type() {
    let with_rule = |provision: &str, code: &str| {
        let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
        consent(provision).with("policyRule", json!({"coding": [{"system": (system), "code": (code)}]}))
    };
    let named = r#""actor":[{WHO:{"reference":"Practitioner/doctor"}}]"#;
    for (provision, code, expected) in [
        (format!("{{{named}}}"), "OPTIN", Ok("hwvd")),
        (format!("{{{named}}}"), "OPTINR", Ok("hwvd")),
        (format!("{{{named}}}"), "OPTOUT", Ok("")),
        (format!("{{{named}}}"), "NOOPT", Err("Consent.policyRule.coding[0].code")),
        (format!(r#"{{"type":"permit",{named}}}"#), "OPTOUT", Ok("hwvd")),
        (format!(r#"{{{named},"provision":[{{"type":"deny","class":[{{K:"5"}}]}}]}}"#), "OPTIN", Ok("hwd")),
        (
            format!(r#"{{{named},"provision":[{{"type":"permit","class":[{{K:"5"}}]}}]}}"#),
            "OPTIN",
            Err("Consent.provision.provision[0].type"),
        ),
        (format!(r#"{{{named},"provision":[{{"type":"permit","class":[{{K:"5"}}]}}]}}"#), "OPTOUTE", Ok("v")),
    ] {
        let own = with_rule(&provision, code);
        let found = match compile(&own, &WorldTerms, &tokyo()) {
            Ok(policy) => Ok(seen(&doctor(), &[Arc::new(policy.expect("it decides"))], false, false)),
            Err(_) => Err(refused(&own)),
        };
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{provision} {code}");
    }
}
