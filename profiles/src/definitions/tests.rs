use super::*;
use crate::path::model::Model;

#[test]
fn every_entry_of_the_pack_decodes() {
    let definitions = Definitions::open(R4).expect("the pack");
    for name in definitions.types.keys() {
        assert!(definitions.type_def(name).is_some_and(|found| found.name == *name), "{name}");
    }
    for url in definitions.profiles.keys() {
        assert!(definitions.profile(url).is_some_and(|found| found.url == *url), "{url}");
    }
    assert!(definitions.code_systems().all(|(url, _)| definitions.code_system(url).is_some()));
    assert!(definitions.value_sets().all(|(url, _)| definitions.value_set(url).is_some()));
    assert!(definitions.concept_maps().all(|(url, _)| definitions.concept_map(url).is_some()));
    let counts = (
        definitions.types.len(),
        definitions.profiles.len(),
        definitions.code_systems().count(),
        definitions.value_sets().count(),
        definitions.concept_maps().count(),
        definitions.operations().len(),
    );
    assert_eq!(counts, (209, 446, 1062, 1316, 80, 47));
}

#[test]
fn the_pack_is_the_one_whose_hash_is_written_down() {
    let digest = <sha2::Sha256 as sha2::Digest>::digest(R4);
    let written = include_str!("../../definitions/r4.pack.sha256");
    assert_eq!(written, format!("{digest:x}  r4.pack\n"));
}

/// Made again from HL7's package, the pack has the same bytes. Needs the package:
/// `TECHO_R4_PACKAGE=…/hl7.fhir.r4.core.tgz cargo test -p techo-profiles --features pack -- --ignored`.
#[cfg(feature = "pack")]
#[test]
#[ignore = "needs HL7's package, named by TECHO_R4_PACKAGE"]
fn the_pack_is_what_the_package_gives() {
    let package = std::env::var("TECHO_R4_PACKAGE").expect("TECHO_R4_PACKAGE names hl7.fhir.r4.core.tgz");
    let made = crate::pack::compile(&std::fs::read(package).expect("the package")).expect("a pack");
    assert!(made == R4, "the package gives other bytes than definitions/r4.pack has");
}

#[test]
fn resource_types_have_their_numbers() {
    let definitions = Definitions::embedded();
    assert_eq!(definitions.resource_types().len(), 146);
    for (name, number) in [("Account", Some(1)), ("VisionPrescription", Some(146)), ("Resource", None), ("Nope", None)]
    {
        assert_eq!(definitions.type_number(name), number, "{name}");
        if let Some(number) = number {
            assert_eq!(definitions.type_name(number), Some(name));
        }
    }
    assert_eq!((definitions.type_name(0), definitions.type_name(147)), (None, None));
}

#[test]
fn elements_keep_their_rules() {
    let observation = Definitions::embedded().type_def("Observation").expect("Observation");
    let status = observation.element("Observation.status").expect("status");
    assert_eq!((status.min, status.max, status.is_list()), (1, Some(1), false));
    assert!(status.is_summary && status.is_modifier);
    let binding = status.binding.as_ref().expect("a binding");
    assert_eq!(binding.strength, Strength::Required);
    assert_eq!(binding.value_set.as_deref(), Some("http://hl7.org/fhir/ValueSet/observation-status|4.0.1"));
    let subject = observation.element("Observation.subject").expect("subject");
    assert!(subject.types[0].target_profiles.contains(&"http://hl7.org/fhir/StructureDefinition/Patient".into()));
    let range = observation.element("Observation.component.referenceRange").expect("referenceRange");
    assert_eq!(range.content_reference.as_deref(), Some("Observation.referenceRange"));
    let root = &observation.elements[0];
    assert!(root.constraints.iter().any(|one| &*one.key == "obs-6" && !one.is_warning && one.expression.is_some()));
    let id = Definitions::embedded().type_def("id").and_then(|found| found.element("id.value")).expect("id.value");
    assert_eq!(id.regex.as_deref(), Some(r"[A-Za-z0-9\-\.]{1,64}"));
}

#[test]
fn the_same_constraint_is_kept_once() {
    let definitions = Definitions::embedded();
    let find = |name: &str| {
        let elements = &definitions.type_def(name).expect("a type").elements;
        elements.iter().flat_map(|one| &one.constraints).find(|one| &*one.key == "ele-1").cloned().expect("ele-1")
    };
    assert!(Arc::ptr_eq(&find("Patient"), &find("HumanName")));
}

#[test]
fn parameters_come_with_those_of_every_resource() {
    let definitions = Definitions::embedded();
    let codes: Vec<&str> = definitions.parameters("Patient").iter().map(|one| one.code.as_str()).collect();
    for code in ["_filter", "_id", "_lastUpdated", "_profile", "_security", "_source", "_tag", "birthdate", "name"] {
        assert!(codes.contains(&code), "{code}");
    }
    assert!(codes.is_sorted() && !codes.contains(&"_text"));
    assert!(definitions.parameters("Resource").is_empty() && definitions.parameters("Nope").is_empty());
    assert!(definitions.all_parameters().iter().all(|one| !one.url.contains("/example")));
    for name in definitions.resource_types() {
        let mut codes: Vec<&str> = definitions.parameters(name).iter().map(|one| one.code.as_str()).collect();
        let all = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), all, "a code twice in {name}");
    }
}

#[test]
fn an_expression_is_cut_to_the_type() {
    let definitions = Definitions::embedded();
    for (name, code, expected) in [
        ("Observation", "code", "Observation.code"),
        ("AllergyIntolerance", "code", "AllergyIntolerance.code | AllergyIntolerance.reaction.substance"),
        ("MedicationRequest", "code", "(MedicationRequest.medication as CodeableConcept)"),
        ("Patient", "_id", "Resource.id"),
        ("InsurancePlan", "name", "name | alias"),
        ("Patient", "_filter", ""),
    ] {
        let parameter = definitions.parameter(name, code).expect(code);
        assert_eq!(parameter.expression_for(name), expected, "{name} {code}");
    }
    assert_eq!(definitions.parameter("Observation", "code").map(|one| one.expression_for("Patient")), Some(""));
    for name in definitions.resource_types() {
        for parameter in definitions.parameters(name).iter().filter(|one| one.kind != ParameterKind::Special) {
            assert!(!parameter.expression_for(name).is_empty(), "{name} {}", parameter.code);
        }
    }
}

#[test]
fn compartments_have_their_members() {
    let definitions = Definitions::embedded();
    let names: Vec<&str> = definitions.compartments().keys().map(String::as_str).collect();
    assert_eq!(names, ["Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"]);
    let patient = definitions.compartment("Patient").expect("Patient");
    assert_eq!(patient.members["Observation"], ["subject", "performer"]);
    assert_eq!(patient.members.get("Binary"), None);
    for (compartment, members) in definitions.compartments().values().map(|one| (&one.code, &one.members)) {
        for (name, codes) in members {
            for code in codes.iter().filter(|code| *code != "{def}") {
                assert!(definitions.parameter(name, code).is_some(), "{compartment}: {name} {code}");
            }
        }
    }
}

#[test]
fn codes_keep_their_hierarchy() {
    let reasons =
        Definitions::embedded().code_system("http://terminology.hl7.org/CodeSystem/v3-ActReason").expect("it");
    let find = |code: &str| reasons.concepts.iter().find(|concept| &*concept.code == code).expect("a code");
    let parents: Vec<&str> = find("CAREMGT").parents.iter().map(|&at| &*reasons.concepts[at as usize].code).collect();
    assert_eq!((&*reasons.content, reasons.hierarchy.as_deref(), parents), ("complete", Some("is-a"), vec!["HOPERAT"]));
    assert!(find("_ActAccommodationReason").is_abstract);
}

#[test]
fn a_version_after_a_value_sets_url_is_ignored() {
    let set =
        Definitions::embedded().value_set("http://hl7.org/fhir/ValueSet/observation-status|4.0.1").expect("a set");
    assert_eq!(set.include[0].system.as_deref(), Some("http://hl7.org/fhir/observation-status"));
}

#[test]
fn properties_are_found_by_their_json_names() {
    let definitions = Definitions::embedded();
    for (parent, name, expected) in [
        ("Patient", "birthDate", Some(("birthDate", "date", false))),
        ("Patient", "name", Some(("name", "HumanName", true))),
        ("Patient", "id", Some(("id", "id", false))),
        ("Patient", "contact", Some(("contact", "Patient.contact", true))),
        ("Patient.contact", "gender", Some(("gender", "code", false))),
        ("Observation", "valueQuantity", Some(("value", "Quantity", false))),
        ("Observation", "value", None),
        ("Observation.component", "valueDateTime", Some(("value", "dateTime", false))),
        ("Observation.component", "referenceRange", Some(("referenceRange", "Observation.referenceRange", true))),
        ("Questionnaire.item", "item", Some(("item", "Questionnaire.item", true))),
        ("Timing", "repeat", Some(("repeat", "Timing.repeat", false))),
        ("Bundle.entry", "resource", Some(("resource", "Resource", false))),
        ("Extension", "url", Some(("url", "uri", false))),
        ("Narrative", "div", Some(("div", "xhtml", false))),
        ("Patient", "nope", None),
        ("Nope", "id", None),
        ("", "", None),
    ] {
        let found = definitions.property(parent, name);
        assert_eq!(found.map(|it| (it.name, it.type_name, it.is_list)), expected, "{parent}.{name}");
    }
}

#[test]
fn a_choice_has_several_spellings() {
    let definitions = Definitions::embedded();
    let spellings = definitions.spellings("Observation", "value");
    assert!(spellings.contains(&"valueQuantity") && spellings.contains(&"valueSampledData"), "{spellings:?}");
    assert_eq!(spellings.len(), 11);
    assert_eq!(definitions.spellings("Patient", "name"), ["name"]);
    assert!(definitions.spellings("Patient", "nope").is_empty());
}

#[test]
fn types_derive() {
    let definitions = Definitions::embedded();
    for (derived, base, expected) in [
        ("Age", "Quantity", true),
        ("Patient", "DomainResource", true),
        ("Patient", "Resource", true),
        ("Bundle", "DomainResource", false),
        ("code", "string", true),
        ("markdown", "string", true),
        ("positiveInt", "integer", true),
        ("oid", "uri", true),
        ("string", "code", false),
        ("Observation.component", "BackboneElement", true),
        ("Observation.component", "Element", true),
        ("Timing.repeat", "BackboneElement", false),
        ("Nope", "Element", false),
        ("Nope", "Nope", true),
    ] {
        assert_eq!(definitions.is_a(derived, base), expected, "{derived} is a {base}");
    }
    for (name, expected) in [("Patient", true), ("Resource", false), ("HumanName", false), ("Nope", false)] {
        assert_eq!(definitions.is_resource(name), expected, "{name}");
    }
}
