//! Our own code systems: FHIR resources in `data/`, Japanese first, English as
//! a designation. Experimental until an authority has codes of its own.

use techo_profiles::{
    definitions::{CodeSystemFacts, SetPart, ValueSetFacts, read},
    json::Json,
    local::BASE,
};

/// The CodeSystem resources under `base`, as they are served.
///
/// # Panics
/// Never: a test reads every file that is compiled in.
pub fn code_systems(base: &str) -> Vec<Json> {
    let under = |text: &&str| Json::parse(text.replace(BASE, base).as_bytes());
    DATA.iter().map(|text| under(text).expect("a test reads every file that is compiled in")).collect()
}

pub(crate) fn facts(resource: &Json) -> CodeSystemFacts {
    read::code_system(resource).expect("a test reads every file that is compiled in")
}

/// The value set of all of a system's codes.
pub(crate) fn whole(facts: &CodeSystemFacts) -> Option<ValueSetFacts> {
    let part = SetPart { system: Some(facts.url.clone()), ..SetPart::default() };
    Some(ValueSetFacts {
        url: facts.value_set.clone()?,
        version: facts.version.clone(),
        name: facts.name.clone(),
        include: vec![part],
        exclude: Vec::new(),
        expansion: Vec::new(),
    })
}

/// One line a file.
const DATA: [&str; 13] = [
    include_str!("../data/data-origin.json"),
    include_str!("../data/finding-presence.json"),
    include_str!("../data/growth-percentile-interval.json"),
    include_str!("../data/immunization-program.json"),
    include_str!("../data/infant-checkup-item.json"),
    include_str!("../data/infant-checkup-kind.json"),
    include_str!("../data/jan.json"),
    include_str!("../data/jp-vaccine.json"),
    include_str!("../data/kind.json"),
    include_str!("../data/medical-fee-amount.json"),
    include_str!("../data/medical-fee-kind.json"),
    include_str!("../data/nhi-price-list-code.json"),
    include_str!("../data/receipt-drug-code.json"),
];

#[cfg(test)]
mod tests {
    use techo_profiles::{Definitions, validate::structure};

    use super::*;
    use crate::Terminology;

    #[test]
    fn every_file_is_a_sound_code_system_that_says_both_languages() {
        let definitions = Definitions::embedded();
        let terminology = Terminology::new(definitions, BASE);
        for resource in code_systems(BASE) {
            let url = resource.str("url").expect("a URL");
            assert_eq!(structure(definitions, &terminology, &resource), [], "{url}");
            assert_eq!(resource.get("experimental").and_then(Json::as_bool), Some(true), "{url}");
            assert!(resource.str("version").is_some() && resource.str("copyright").is_some(), "{url}");
            let facts = facts(&resource);
            assert_eq!(facts.content.as_ref() == "complete", !facts.concepts.is_empty(), "{url}");
            for concept in resource.list("concept") {
                assert!(concept.str("display").is_some(), "{url}");
                assert_eq!(concept.list("designation")[0].str("language"), Some("en"), "{url}");
            }
        }
    }

    #[test]
    fn every_file_in_the_folder_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data");
        let files = std::fs::read_dir(folder).expect("the folder").count();
        assert_eq!(files, DATA.len());
    }

    #[test]
    fn another_base_moves_all_of_them() {
        for resource in code_systems("https://phr.example.jp/r4") {
            assert!(resource.str("url").is_some_and(|url| url.starts_with("https://phr.example.jp/r4/CodeSystem/")));
            assert!(!resource.to_string().contains(BASE));
        }
    }
}
