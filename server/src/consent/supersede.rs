//! Which Consents end when another is filed (`consent.md` §4.3, §4.4): those with
//! its identifier, the one that it names as its source, and a default for a
//! purpose that it is now the default for.

use std::collections::HashSet;
use std::sync::Arc;

use techo_profiles::json::Json;

use super::policy::Policy;
use super::subject::local;
use super::view::CustodianKey;

/// An active Consent: what it compiles to, and by what others are known to take its place.
#[derive(Clone, Debug)]
pub struct Filed {
    /// Its id; empty for one that is not stored yet.
    id: Box<str>,
    /// Reference of the citizen's Patient.
    patient: Box<str>,
    /// `identifier`, system and value; without both it stands for nothing.
    identifiers: HashSet<(Box<str>, Box<str>)>,
    /// Id of the Consent that it names as its source.
    source: Option<Box<str>>,
    /// As of [`Policy::filer`].
    filer: Option<CustodianKey>,
    /// The policy; `None` for one that decides nothing.
    pub policy: Option<Arc<Policy>>,
}

impl Filed {
    /// * `filer`: as of [`Policy::filer`].
    /// * `policy`: what the Consent compiles to.
    /// * returns `None` for one that is not active: it takes no place, and has none.
    pub fn of(consent: &Json, filer: Option<CustodianKey>, policy: Option<Policy>) -> Option<Self> {
        if consent.str("status") != Some("active") {
            return None;
        }
        let key = |identifier: &Json| Some((identifier.str("system")?.into(), identifier.str("value")?.into()));
        let source = consent.at(&["sourceReference", "reference"]).and_then(Json::as_str);
        let source = source.and_then(|text| local(text, "")).filter(|(kind, _)| *kind == "Consent");
        Some(Self {
            id: consent.str("id").unwrap_or_default().into(),
            patient: consent.at(&["patient", "reference"])?.as_str()?.into(),
            identifiers: consent.list("identifier").iter().filter_map(key).collect(),
            source: source.map(|(_, id)| id.into()),
            filer,
            policy: policy.map(|policy| Arc::new(Policy { filer, ..policy })),
        })
    }

    /// Whether it has this identifier.
    pub fn is_known_as(&self, system: &str, value: &str) -> bool {
        self.identifiers.iter().any(|(own, known)| **own == *system && **known == *value)
    }

    /// Whether filing this makes `old`, of the same patient, inactive. A custodian ends only
    /// what it filed itself.
    pub fn supersedes(&self, old: &Self) -> bool {
        let itself = !self.id.is_empty() && self.id == old.id;
        let rightful = self.filer.is_none() || self.filer == old.filer;
        !itself
            && rightful
            && self.patient == old.patient
            && (!self.identifiers.is_disjoint(&old.identifiers)
                || self.source.as_ref() == Some(&old.id)
                || both_default(self.policy.as_deref(), old.policy.as_deref()))
    }
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
            let filed = Filed::of(&new, None, compiled(&new)).expect("it is active");
            let before = Filed::of(&old, None, compiled(&old));
            assert_eq!(before.is_some_and(|old| filed.supersedes(&old)), expected, "{name}");
        }
    }

    /// A town's backend could end what a mother had allowed, by an identifier that is guessed.
    #[test]
    fn a_custodian_ends_only_what_it_filed() {
        let (new, old) = (consent("new", "1", &[], None), consent("a", "1", &[], Some("Observation")));
        let by = |consent: &Json, filer| Filed::of(consent, filer, None).expect("it is active");
        for (filer, before, ends) in [
            (None, None, true),
            (None, Some(1), true),
            (Some(1), Some(1), true),
            (Some(1), Some(2), false),
            (Some(1), None, false),
        ] {
            assert_eq!(by(&new, filer).supersedes(&by(&old, before)), ends, "{filer:?} {before:?}");
        }
    }

    #[test]
    fn one_of_many_identifiers_is_enough() {
        let named = |id: &str, from: u32| {
            let identifier = |number: u32| json!({"system": "s", "value": (number.to_string())});
            let all: Vec<Json> = (from..from + 20_000).map(identifier).collect();
            consent(id, "", &[], Some("Observation")).with("identifier", all)
        };
        let filed = |consent: &Json| Filed::of(consent, None, None).expect("it is active");
        let (new, other, overlapping) =
            (filed(&named("new", 0)), filed(&named("other", 20_000)), filed(&named("overlapping", 19_999)));
        assert!(!new.supersedes(&other));
        assert!(new.supersedes(&overlapping));
    }
}
