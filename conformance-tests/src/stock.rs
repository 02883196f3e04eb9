//! Resources that have names, and searches that are told by them.
//!
//! A case is one query and the names of what it must find.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::http::encode;
use crate::sample::{patient, quantity};
use crate::world::{Caller, World};

/// A code system with a hierarchy.
pub const ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// Resources with names of their own, and who keeps them.
pub struct Stock {
    _world: World,
    /// Who keeps them.
    pub tester: Caller,
    /// By name: type and id.
    known: BTreeMap<String, (String, String)>,
}

impl Default for Stock {
    fn default() -> Self {
        Self::new()
    }
}

impl Stock {
    /// Nothing yet.
    pub fn new() -> Self {
        let world = World::new();
        let tester = world.tester();
        Self { _world: world, tester, known: BTreeMap::new() }
    }

    /// Stores a resource under a name; the reference to it.
    #[track_caller]
    pub fn put(&mut self, name: &str, resource: &Value) -> Value {
        let id = self.tester.create(resource);
        let kind = resource["resourceType"].as_str().expect("a type").to_owned();
        let reference = json!({"reference": format!("{kind}/{id}")});
        self.known.insert(name.to_owned(), (kind, id));
        reference
    }

    /// The id of a resource by its name.
    pub fn id(&self, name: &str) -> &str {
        &self.known[name].1
    }

    /// The names of what a query finds, in order of the alphabet. `{name}` stands
    /// for an id.
    #[track_caller]
    pub fn found(&self, kind: &str, name: &str, value: &str) -> Vec<String> {
        // Behind an `&` of the name stands one more parameter, as it is.
        let (name, more) =
            name.split_once('&').map_or((name, String::new()), |(name, more)| (name, format!("&{more}")));
        let path = format!("{kind}?{name}={}&_count=200{}", encode(&self.filled(value)), self.filled(&more));
        let ids = self.tester.ids(&path);
        self.names(kind, &ids)
    }

    /// The names of resources by their ids, in order of the alphabet; of those that have one.
    pub fn names(&self, kind: &str, ids: &[String]) -> Vec<String> {
        let name_of = |id: &String| {
            let known = self.known.iter().find(|(_, (own, known))| own == kind && known == id);
            known.map(|(name, _)| name.clone())
        };
        let mut names: Vec<String> = ids.iter().filter_map(name_of).collect();
        names.sort();
        names
    }

    /// `text` with an id for each `{name}`.
    pub fn filled(&self, text: &str) -> String {
        self.known.iter().fold(text.to_owned(), |text, (name, (_, id))| text.replace(&format!("{{{name}}}"), id))
    }

    /// Tries each `(type, parameter, value, names)`; how many there were.
    #[track_caller]
    pub fn finds(&self, cases: &[(&str, &str, &str, &str)]) {
        let mut faults = Vec::new();
        for (kind, name, value, expected) in cases {
            let mut expected: Vec<&str> = expected.split_whitespace().collect();
            expected.sort_unstable();
            let found = self.found(kind, name, value);
            if found != expected {
                faults.push(format!("{kind}?{name}={value}: {found:?}, wanted {expected:?}"));
            }
        }
        assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
    }

    /// Each `(type, parameter, value, issue code)` is refused with 400.
    #[track_caller]
    pub fn refuses(&self, cases: &[(&str, &str, &str, &str)]) {
        for (kind, name, value, code) in cases {
            let path = format!("{kind}?{name}={}", encode(&self.filled(value)));
            let answer = self.tester.get(&path).refused(400).json();
            let issue = &answer["issue"][0];
            assert_eq!(issue["code"], *code, "{path}: {answer}");
            assert_eq!(issue["expression"][0], *name, "{path}: {answer}");
        }
    }
}

/// A hospital, its ward, two doctors, two children with their records.
pub fn clinic() -> Stock {
    let mut stock = Stock::new();
    let hospital = stock.put("hospital", &json!({"resourceType": "Organization", "name": "鎖病院"}));
    let ward = stock.put("ward", &json!({"resourceType": "Organization", "name": "鎖病棟", "partOf": hospital}));
    let doctor = |name: &str| json!({"resourceType": "Practitioner", "name": [{"family": name}]});
    let (mori, hara) = (stock.put("mori", &doctor("鎖森")), stock.put("hara", &doctor("鎖原")));
    let mut child = |name: &str, family: &str, gender: &str, doctor: &Value| {
        let mut resource = patient(family, &format!("chain-{name}"), "2024-04-01");
        resource["gender"] = json!(gender);
        resource["generalPractitioner"] = json!([doctor]);
        resource["identifier"].as_array_mut().expect("identifiers").push(json!({
            "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR", "display": "カルテ番号"}]},
            "system": "urn:mr", "value": format!("{name}|1")
        }));
        stock.put(name, &resource)
    };
    let (ai, ken) = (child("ai", "鎖田", "female", &mori), child("ken", "鎖山", "male", &hara));
    let mut visit = |name: &str, who: &Value, class: &str| {
        stock.put(
            name,
            &json!({"resourceType": "Encounter", "status": "finished", "class": {"system": ACT, "code": class},
            "subject": who, "serviceProvider": ward}),
        )
    };
    let (seen, _) = (visit("seen", &ai, "AMB"), visit("stay", &ken, "IMP"));
    let weigh = |who: &Value, value: &str, date: &str, performer: Option<&Value>, visit: Option<&Value>| {
        let id = who["reference"].as_str().and_then(|text| text.strip_prefix("Patient/")).expect("a Patient");
        let mut resource = quantity(id, "29463-7", date, value, "kg");
        if let Some(performer) = performer {
            resource["performer"] = json!([performer]);
        }
        if let Some(visit) = visit {
            resource["encounter"] = visit.clone();
        }
        resource
    };
    let light = stock.put("light", &weigh(&ai, "6.0", "2026-01-10", Some(&ward), Some(&seen)));
    stock.put("heavy", &weigh(&ai, "9.5", "2026-02-10", Some(&mori), None));
    stock.put("kens", &weigh(&ken, "8.0", "2026-03-10", Some(&hara), None));
    let provenance = |target: &Value, agent: &Value| json!({"resourceType": "Provenance", "target": [target], "recorded": "2026-01-01T00:00:00Z", "agent": [{"who": agent}]});
    stock.put("trace", &provenance(&light, &mori));
    stock
}
