use super::*;
use techo_profiles::{
    definitions::{Strength, TypeKind},
    local::BASE,
};

use crate::Fault;

fn terminology() -> Terminology {
    Terminology::new(Definitions::embedded(), BASE)
}

#[test]
fn members_are_told_where_they_can_be() {
    use Membership::{No, Unknown, Yes};
    let codes = terminology();
    let hl7 = |name: &str| format!("http://hl7.org/fhir/ValueSet/{name}");
    let v3 = |name: &str| format!("http://terminology.hl7.org/ValueSet/v3-{name}");
    let act_reason = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    for (set, system, code, expected) in [
        (hl7("observation-status"), None, "final", Yes),
        (hl7("observation-status|4.0.1"), None, "final", Yes),
        (hl7("observation-status"), None, "Final", No),
        (hl7("observation-status"), Some("http://hl7.org/fhir/observation-status"), "final", Yes),
        (hl7("observation-status"), Some("http://a"), "final", No),
        (hl7("administrative-gender"), None, "unknown", Yes),
        (hl7("all-types"), None, "Patient", Yes),
        (hl7("all-types"), None, "CodeableConcept", Yes),
        (hl7("all-types"), None, "Nope", No),
        (v3("PurposeOfUse"), Some(act_reason), "TREAT", Yes),
        (v3("PurposeOfUse"), Some(act_reason), "BTG", Yes),
        (v3("PurposeOfUse"), Some(act_reason), "PATRQT", Yes),
        (v3("PurposeOfUse"), Some(act_reason), "FLRCNV", No),
        (v3("PurposeOfUse"), Some(act_reason), "nope", No),
        (hl7("mimetypes"), None, "text/plain", Yes),
        (hl7("mimetypes"), None, "text", No),
        (hl7("currencies"), None, "JPY", Yes),
        (hl7("ucum-units"), Some("http://unitsofmeasure.org"), "kg", Unknown),
        (hl7("observation-codes"), Some("http://loinc.org"), "8302-2", Unknown),
        (hl7("observation-codes"), Some("http://a"), "8302-2", No),
        ("http://nope".to_owned(), None, "a", Unknown),
        (format!("{BASE}/ValueSet/kind"), Some("https://techo.example/fhir/CodeSystem/kind"), "9", Yes),
        (format!("{BASE}/ValueSet/kind"), None, "10", No),
    ] {
        assert_eq!(codes.member(&set, system, code), expected, "{set} {system:?} {code}");
    }
}

#[test]
fn purposes_lie_below_one_another() {
    let codes = terminology();
    let system = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
    for (ancestor, code, expected) in [
        ("TREAT", "ETREAT", Some(true)),
        ("TREAT", "BTG", Some(true)),
        ("PurposeOfUse", "BTG", Some(true)),
        ("TREAT", "TREAT", Some(true)),
        ("ETREAT", "TREAT", Some(false)),
        ("PATRQT", "FAMRQT", Some(true)),
        ("HOPERAT", "TREAT", Some(false)),
        ("TREAT", "nope", None),
    ] {
        assert_eq!(codes.subsumes(system, ancestor, code), expected, "{ancestor} over {code}");
    }
    assert_eq!(codes.subsumes("http://snomed.info/sct", "1", "2"), None);
}

#[test]
fn displays_come_in_two_languages_where_they_are_ours() {
    let codes = terminology();
    let vaccines = "https://techo.example/fhir/CodeSystem/jp-vaccine";
    assert_eq!(codes.display(vaccines, "MR"), Some("麻しん風しん混合（MR）"));
    assert_eq!(codes.display_in(vaccines, "MR", "en"), Some("Measles, rubella"));
    assert_eq!(codes.display_in(vaccines, "MR", "ja"), codes.display(vaccines, "MR"));
    assert_eq!(codes.display_in(vaccines, "MR", "fr"), None);
    assert_eq!(codes.display("http://hl7.org/fhir/administrative-gender", "female"), Some("Female"));
    assert_eq!(codes.display("http://nope", "x"), None);
}

#[test]
fn codes_that_are_not_here_are_not_denied() {
    let codes = terminology();
    let receipts = "https://techo.example/fhir/CodeSystem/receipt-drug-code";
    assert_eq!(codes.has_code(receipts, "620001234"), Membership::Unknown);
    assert_eq!(codes.has_code("https://techo.example/fhir/CodeSystem/kind", "0"), Membership::No);
}

/// Every required binding of R4's own types can be told, but for the few whose
/// codes HL7 does not hold.
#[test]
fn required_bindings_can_be_told() {
    let definitions = Definitions::embedded();
    let codes = terminology();
    let mut open = std::collections::BTreeSet::new();
    for name in definitions.type_names() {
        let facts = definitions.type_def(name).expect("a type");
        assert_ne!(facts.kind, TypeKind::Logical);
        let bindings = facts.elements.iter().filter_map(|element| element.binding.as_ref());
        for binding in bindings.filter(|binding| binding.strength == Strength::Required) {
            let set = binding.value_set.as_deref().expect("a value set");
            if codes.member(set, None, "no-such-code") == Membership::Unknown {
                open.insert(set.split('|').next().expect("a URL").to_owned());
            }
        }
    }
    let open: Vec<&str> = open.iter().map(String::as_str).collect();
    assert_eq!(open, ["http://hl7.org/fhir/ValueSet/ucum-units", "http://loinc.org/vs/LL379-9"]);
}

#[test]
fn what_is_listed_is_a_member_and_the_reverse() {
    let codes = terminology();
    let purposes = codes.expand("http://terminology.hl7.org/ValueSet/v3-PurposeOfUse").expect("it can be listed");
    assert!(purposes.codes.iter().any(|one| one.code == "BTG"));
    let (mut listed, mut refused) = (0, 0);
    for (url, _) in Definitions::embedded().value_sets() {
        let Ok(expansion) = codes.expand(url) else {
            refused += 1;
            continue;
        };
        listed += 1;
        for one in &expansion.codes {
            let found = codes.member(url, one.system.as_deref(), &one.code);
            assert_eq!(found, Membership::Yes, "{url} {one:?}");
        }
    }
    assert!(listed > 1100 && refused > 0, "{listed} listed, {refused} refused");
    let set = "http://hl7.org/fhir/ValueSet/observation-codes";
    let refused = codes.expand(set).expect_err("LOINC is not here");
    assert_eq!(refused.fault, Fault::UnknownSystem("http://loinc.org".to_owned()));
    assert_eq!((refused.set.as_str(), refused.element.as_str()), (set, "ValueSet.compose.include[0].system"));
}

#[test]
fn codes_are_translated() {
    let codes = terminology();
    let v3 = "http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender";
    let found = codes.translate_to("http://hl7.org/fhir/administrative-gender", "female", v3);
    assert_eq!(found.first().map(|one| (one.code.as_str(), one.system.as_deref())), Some(("F", Some(v3))));
    assert_eq!(codes.translate("http://nope", v3, "F"), None);
}
