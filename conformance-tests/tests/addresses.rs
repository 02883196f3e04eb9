//! Chains, `_has` and compartments by ways other than type and id are no way round the
//! view: a canonical URL leads to and from what the caller sees, and `_contained` finds no
//! more by a holder than the holder tells.

use serde_json::{Value, json};
use techo_conformance_tests::compare::fingerprint;
use techo_conformance_tests::http::encode;
use techo_conformance_tests::sample::{consent, patient};
use techo_conformance_tests::world::{Ask, Caller, World, ids};

/// Alike but for the text asked for: whether it is hidden or never was must not show.
#[track_caller]
fn alike(caller: &Caller, hidden: &str, never: &str, query: &str) {
    let ask = |text: &str| caller.get(&query.replace("{}", &encode(text)));
    assert_eq!(fingerprint(&ask(hidden), &encode(hidden)), fingerprint(&ask(never), &encode(never)), "{query}");
}

const URL: &str = "https://example.org/addresses/a";

fn plan(caller: &Caller, url: &str) -> String {
    caller.create(&json!({"resourceType": "PlanDefinition", "status": "draft", "publisher": "addresses",
        "action": [{"definitionCanonical": url}]}))
}

/// The target is the tester's own; the town's plan names its URL, as anybody's may.
#[test]
fn a_chain_by_canonical_url_does_not_tell_of_a_hidden_target() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let target = tester.create(&json!({"resourceType": "ActivityDefinition", "status": "draft", "url": URL,
        "version": "1", "title": "hidden-1"}));
    town.get(&format!("ActivityDefinition/{target}")).refused(404);
    for url in [URL.to_owned(), format!("{URL}|1")] {
        let (theirs, own) = (plan(&town, &url), plan(&tester, &url));
        let found = |caller: &Caller, query: &str| caller.ids(&query.replace("{}", "hidden-1"));
        for query in [
            "PlanDefinition?definition:ActivityDefinition.title={}",
            "PlanDefinition?definition.title={}&_total=accurate",
            "PlanDefinition?publisher=addresses&definition:ActivityDefinition.title={}",
            "PlanDefinition?_id=PLAN&definition:ActivityDefinition.title={}",
            "PlanDefinition?_id=PLAN&_filter=not%20(definition.title%20eq%20{})",
        ] {
            let of = |id: &str| query.replace("PLAN", id);
            for caller in [&town, &world.mother(), &world.clinic(), &world.stranger()] {
                alike(caller, "hidden-1", "hidden-2", &of(&theirs));
            }
            let negated = query.contains("not");
            assert_eq!(found(&tester, &of(&own)).contains(&own), !negated, "its keeper: {query}");
            assert_eq!(found(&town, &of(&theirs)).contains(&theirs), negated, "{query}");
        }
    }
}

/// Who answered a questionnaire is for those who see the answers.
#[test]
fn a_reverse_chain_by_canonical_url_does_not_tell_of_hidden_sources() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let form = town.create(&json!({"resourceType": "Questionnaire", "status": "draft", "url": URL, "version": "1"}));
    let who = tester.create(&patient("回答", "addresses-1", "2024-04-01"));
    let answered = |url: &str| {
        tester.create(&json!({"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": url,
            "identifier": {"system": "urn:addresses", "value": "hidden-1"},
            "subject": {"reference": format!("Patient/{who}")}}))
    };
    answered(URL);
    answered(&format!("{URL}|1#page"));
    let queries = [
        "Questionnaire?_has:QuestionnaireResponse:questionnaire:identifier=urn:addresses%7C{}",
        "Questionnaire?status=draft&_has:QuestionnaireResponse:questionnaire:identifier=urn:addresses%7C{}",
        "Questionnaire?_id=FORM&_has:QuestionnaireResponse:questionnaire:identifier={}&_summary=count",
        "Questionnaire?_id=FORM&_has:QuestionnaireResponse:questionnaire:patient.identifier={}",
        "PlanDefinition?definition:Questionnaire._has:QuestionnaireResponse:questionnaire:identifier={}",
    ]
    .map(|query| query.replace("FORM", &form));
    let people = [world.mother(), world.clinic(), world.stranger()];
    for query in &queries {
        for caller in people.iter().chain([&town]) {
            alike(caller, "hidden-1", "hidden-2", query);
            alike(caller, "addresses-1", "addresses-2", query);
        }
    }
    let permit = |kind: &str| {
        tester.create(&consent(
            &who,
            &format!("Patient/{who}"),
            kind,
            "QuestionnaireResponse",
            "Organization/org-city",
        ));
    };
    permit("permit");
    for query in &queries[..2] {
        assert_eq!(town.ids(&query.replace("{}", "hidden-1")), std::slice::from_ref(&form), "{query}");
    }
    for caller in &people {
        for query in &queries {
            alike(caller, "hidden-1", "hidden-2", query);
        }
    }
    permit("deny");
    for query in &queries {
        alike(&town, "hidden-1", "hidden-2", query);
    }
}

fn report(who: &str, code: &str) -> Value {
    let code = json!({"coding": [{"system": "https://example.org/codes", "code": code}]});
    json!({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "x"},
        "subject": {"reference": format!("Patient/{who}")}, "result": [{"reference": "#o"}],
        "contained": [{"resourceType": "Observation", "id": "o", "status": "final", "code": code,
            "subject": {"reference": format!("Patient/{who}")}}]})
}

/// By its holder's time, by what refers to it, and in a compartment: not without the holder.
#[test]
fn what_a_hidden_holder_contains_is_not_found_by_what_is_around_it() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("囲い", "addresses-2", "2024-04-01"));
    tester.create(&report(&who, "around-1"));
    let queries = [
        format!("Patient/{who}/Observation?_contained=true&code={{}}"),
        format!("Patient/{who}/Observation?_contained=both&_containedType=contained&code={{}}"),
        "Observation?_contained=true&_lastUpdated=gt2020&code={}".to_owned(),
        "Observation?_contained=true&_containedType=contained&_lastUpdated=gt2020&code={}&_summary=count".to_owned(),
        "Observation?_contained=true&_has:DiagnosticReport:result:_lastUpdated=gt2020&code={}".to_owned(),
        "Observation?_contained=true&_containedType=contained&_has:DiagnosticReport:result:result.code={}".to_owned(),
    ];
    let narrow = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/Observation.rs").of("pt-mei"));
    for query in &queries {
        for caller in [&world.mother(), &world.clinic(), &world.stranger(), &town, &narrow] {
            alike(caller, "around-1", "around-2", query);
        }
        assert_eq!(tester.get(&query.replace("{}", "around-1")).expect(200).json()["total"], 1, "its keeper: {query}");
    }
    let permit = |kind: &str, class: &str| {
        tester.create(&consent(&who, &format!("Patient/{who}"), kind, class, "Organization/org-city"));
    };
    permit("permit", "DiagnosticReport");
    for query in &queries {
        assert_eq!(town.get(&query.replace("{}", "around-1")).expect(200).json()["total"], 1, "shared: {query}");
    }
    permit("deny", "DiagnosticReport");
    for query in &queries {
        alike(&town, "around-1", "around-2", query);
    }
    // One who may see Observations and no reports.
    let wide = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    wide.create(&report("pt-mei", "around-3"));
    for query in &queries {
        let query = query.replace(&who, "pt-mei");
        assert_eq!(wide.get(&query.replace("{}", "around-3")).expect(200).json()["total"], 1, "her own: {query}");
        alike(&narrow, "around-3", "around-4", &query);
    }
}

/// What a contained resource refers to is brought to those who see it, and to no others.
#[test]
fn an_include_from_what_is_contained_shows_nothing_hidden() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("含み", "addresses-3", "2024-04-01"));
    let visit = tester.create(&json!({"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": format!("Patient/{who}")}}));
    let mut holder = report(&who, "include-1");
    holder["contained"][0]["encounter"] = json!({"reference": format!("Encounter/{visit}")});
    tester.create(&holder);
    let permit = |class: &str| {
        tester.create(&consent(&who, &format!("Patient/{who}"), "permit", class, "Organization/org-city"));
    };
    let query = "Observation?code=include-1&_contained=true&_containedType=contained&_include=Observation:encounter";
    let brought = |caller: &Caller| {
        let bundle = caller.search(query);
        (ids(&bundle, "match").len(), ids(&bundle, "include").len())
    };
    assert_eq!((brought(&tester), brought(&town)), ((1, 1), (0, 0)));
    permit("DiagnosticReport");
    assert_eq!(brought(&town), (1, 0), "the visit is not shared");
    permit("Encounter");
    assert_eq!(brought(&town), (1, 1));
    for caller in [&world.mother(), &world.stranger()] {
        assert_eq!(brought(caller), (0, 0));
    }
}
