//! Which Consents end when another is filed (`consent.md` §4.3, §4.4): those with
//! its identifier, the one that it names as its source, and a default for a
//! purpose that it is now the default for.

use techo_profiles::json::Json;

use super::policy::Policy;
use super::subject::local;

/// A Consent, and what it compiles to.
#[derive(Clone, Copy, Debug)]
pub struct Filed<'a> {
    /// The resource.
    pub consent: &'a Json,
    /// The policy; `None` for one that decides nothing.
    pub policy: Option<&'a Policy>,
}

/// Whether filing `new` makes the active `old`, of the same patient, inactive.
pub fn supersedes(new: Filed<'_>, old: Filed<'_>) -> bool {
    let active = |filed: Filed<'_>| filed.consent.str("status") == Some("active");
    let itself = new.consent.str("id").is_some() && new.consent.str("id") == old.consent.str("id");
    let same_patient = patient(new.consent).is_some() && patient(new.consent) == patient(old.consent);
    active(new)
        && active(old)
        && !itself
        && same_patient
        && (shares_identifier(new.consent, old.consent)
            || names(new.consent, old.consent)
            || both_default(new.policy, old.policy))
}

fn patient(consent: &Json) -> Option<&str> {
    consent.at(&["patient", "reference"]).and_then(Json::as_str)
}

fn shares_identifier(new: &Json, old: &Json) -> bool {
    let key = |identifier: &Json| Some((identifier.str("system")?.to_owned(), identifier.str("value")?.to_owned()));
    let olds: Vec<_> = old.list("identifier").iter().filter_map(key).collect();
    new.list("identifier").iter().filter_map(key).any(|own| olds.contains(&own))
}

fn names(new: &Json, old: &Json) -> bool {
    let source = new.at(&["sourceReference", "reference"]).and_then(Json::as_str);
    source.and_then(|text| local(text, "")).is_some_and(|(kind, id)| kind == "Consent" && old.str("id") == Some(id))
}

/// Two defaults that list a purpose in common; one without purposes is for all.
fn both_default(new: Option<&Policy>, old: Option<&Policy>) -> bool {
    let (Some(new), Some(old)) = (new, old) else { return false };
    let common = match (&new.root.purposes, &old.root.purposes) {
        (Some(new), Some(old)) => new.iter().any(|purpose| old.contains(purpose)),
        _ => true,
    };
    !new.root.explicit && !old.root.explicit && common
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use techo_profiles::json;

    use super::super::policy::compile;
    use super::super::worlds::WorldTerms;
    use super::*;

    fn consent(id: &str, identifier: &str, purposes: &[&str], class: Option<&str>) -> Json {
        let purpose =
            |code: &&str| json!({"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": (*code)});
        let class = class.map(|code| vec![json!({"system": "http://hl7.org/fhir/resource-types", "code": (code)})]);
        let purposes: Vec<Json> = purposes.iter().map(purpose).collect();
        json!({
            "resourceType": "Consent", "id": (id), "status": "active",
            "identifier": [{"system": "s", "value": (identifier)}],
            "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]},
            "patient": {"reference": "Patient/mother"}, "dateTime": "2024", "sourceReference": {"reference": "Consent/named"},
            "performer": [{"reference": "Patient/mother"}], "organization": [{"reference": "Organization/town"}],
            "policyRule": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]}
        })
        .with(
            "provision",
            Json::object::<&str>([])
                .with_some("purpose", (!purposes.is_empty()).then_some(purposes))
                .with_some("class", class),
        )
    }

    #[test]
    fn what_ends() {
        let new = consent("new", "1", &["TREAT"], None);
        for (name, old, expected) in [
            ("the same identifier", consent("a", "1", &[], Some("Observation")), true),
            ("another identifier", consent("a", "2", &[], Some("Observation")), false),
            ("the one named", consent("named", "2", &[], Some("Observation")), true),
            ("the default for the purpose", consent("a", "2", &["TREAT", "HPAYMT"], None), true),
            ("the default for all", consent("a", "2", &[], None), true),
            ("the default for another", consent("a", "2", &["HPAYMT"], None), false),
            ("itself", consent("new", "1", &["TREAT"], None), false),
            ("an inactive one", consent("a", "1", &[], None).with("status", "inactive"), false),
            ("another's", consent("a", "1", &[], None).with("patient", json!({"reference": "Patient/son"})), false),
        ] {
            let compiled = |consent: &Json| compile(consent, &WorldTerms, &TimeZone::UTC).expect("enforceable");
            let (policy, before) = (compiled(&new), compiled(&old));
            let filed = Filed { consent: &new, policy: policy.as_ref() };
            assert_eq!(supersedes(filed, Filed { consent: &old, policy: before.as_ref() }), expected, "{name}");
        }
    }
}
