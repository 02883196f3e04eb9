//! Hidden rows change nothing: 2,000 generated requests are answered with the
//! same bytes before and after others' records are added.
//!
//! The rows added are hidden from those who ask: they belong to another
//! custodian or another family, carry the same names, dates and codes, and take
//! ids that were asked for in vain before.

use serde_json::{Value, json};
use techo_conformance_tests::compare::fingerprint;
use techo_conformance_tests::http::encode;
use techo_conformance_tests::sample::{height, laboratory, patient, weight};
use techo_conformance_tests::world::{Ask, Caller, World, link};

/// Requests of each of the two callers.
const REQUESTS: usize = 1_000;

/// A small generator with a fixed seed: the same requests every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap_or(0)
    }

    fn pick<'l>(&mut self, list: &'l [String]) -> &'l str {
        let at = self.roll(list.len());
        &list[at]
    }
}

#[test]
fn answers_do_not_depend_on_what_is_hidden() {
    let world = World::new();
    let tester = world.tester();
    let mut own = vec!["pt-mei".to_owned(), "pt-stranger".to_owned()];
    let who = tester.create(&patient("干渉", "interference", "2024-04-01"));
    for day in 1..=12 {
        own.push(tester.create(&weight(&who, &format!("2026-01-{day:02}"), &format!("{day}.5"))));
        own.push(tester.create(&height(&who, &format!("2026-01-{day:02}"), &format!("6{day}"))));
    }
    own.push(who);
    let mother = world.mother_for_daughter();
    own.extend(mother.ids("Observation?patient=pt-mei&_count=20"));
    own.extend(mother.ids("Immunization?patient=pt-mei&_count=20"));
    let probes: Vec<String> = (0..40).map(|number| format!("probe-{number}")).collect();
    own.extend(probes.iter().cloned());

    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let requests: Vec<String> = (0..REQUESTS).map(|_| request(&mut dice, &own)).collect();
    let callers = [("the mother", &mother), ("the tester", &tester)];
    let before: Vec<Vec<String>> = callers.iter().map(|(_, caller)| answers(caller, &requests)).collect();
    let added = add_hidden(&world, &probes);
    // Tokens of programs live five minutes at most; the same client, asked anew.
    let tester = world.tester();
    let callers = [("the mother", &mother), ("the tester", &tester)];
    let mut informative = 0;
    for ((name, caller), before) in callers.iter().zip(&before) {
        for (request, (old, new)) in requests.iter().zip(before.iter().zip(answers(caller, &requests))) {
            assert_eq!(old, &new, "{name}: {request}");
            informative += usize::from(old.starts_with("200") && old.contains("\"entry\""));
        }
    }
    assert!(informative > REQUESTS / 5, "only {informative} answers held anything");
    println!("{} requests, {added} hidden rows, no difference, {informative} answers with entries", REQUESTS * 2);
}

fn answers(caller: &Caller, requests: &[String]) -> Vec<String> {
    requests.iter().map(|request| answer(caller, request)).collect()
}

/// The fingerprint of an answer, and of the page after it.
fn answer(caller: &Caller, request: &str) -> String {
    let first = match request.strip_prefix("POST ") {
        Some(rest) => {
            let (path, body) = rest.split_once('?').unwrap_or((rest, ""));
            caller.request("POST", path).body("application/x-www-form-urlencoded", body).send()
        }
        None => caller.get(request),
    };
    let mut text = fingerprint(&first, "");
    let bundle: Value = serde_json::from_slice(&first.body).unwrap_or(Value::Null);
    if let Some(next) = link(&bundle, "next") {
        text += &fingerprint(&caller.get(next), "");
    }
    text
}

fn request(dice: &mut Dice, ids: &[String]) -> String {
    let kinds = [
        "Patient",
        "Observation",
        "Observation",
        "Immunization",
        "Encounter",
        "DiagnosticReport",
        "MedicationStatement",
        "Condition",
    ];
    let kind = kinds[dice.roll(kinds.len())];
    let id = dice.pick(ids).to_owned();
    match dice.roll(10) {
        0 => format!("{kind}/{id}"),
        1 => format!("{kind}/{id}/_history/{}", 1 + dice.roll(2)),
        2 => format!("{kind}/{id}/_history"),
        3 => format!("POST {kind}/_search?{}", parameters(dice, kind, &id)),
        _ => format!("{kind}?{}", parameters(dice, kind, &id)),
    }
}

fn parameters(dice: &mut Dice, kind: &str, id: &str) -> String {
    let mut parts = Vec::new();
    for _ in 0..=dice.roll(2) {
        parts.push(parameter(dice, kind, id));
    }
    for (chance, options) in [
        (2, vec!["_count=1", "_count=3", "_count=50", "_count=0"]),
        (3, vec!["_total=accurate", "_total=none", "_summary=count"]),
        (3, vec!["_sort=_id", "_sort=-_lastUpdated", "_sort=_lastUpdated"]),
    ] {
        if dice.roll(chance) == 0 {
            parts.push(options[dice.roll(options.len())].to_owned());
        }
    }
    if kind == "Observation" && dice.roll(4) == 0 {
        parts.push("_include=Observation:subject".to_owned());
    }
    parts.join("&")
}

fn parameter(dice: &mut Dice, kind: &str, id: &str) -> String {
    let day = 1 + dice.roll(28);
    let common = [format!("_id={id}"), "_lastUpdated=gt2020-01-01".to_owned()];
    let own = match kind {
        "Patient" => vec![
            format!("family={}", encode("干渉")),
            format!("name={}", encode("隠")),
            "birthdate=2024-04-01".to_owned(),
            "birthdate=ge2020-01-01".to_owned(),
            "gender=female".to_owned(),
            format!("identifier=hidden-{day}"),
            "identifier=interference".to_owned(),
        ],
        "Observation" => vec![
            format!("subject=Patient/{id}"),
            format!("patient={id}"),
            "code=29463-7".to_owned(),
            "code=http://loinc.org|8302-2".to_owned(),
            "category=vital-signs".to_owned(),
            "status=final".to_owned(),
            format!("date=2026-01-{day:02}"),
            format!("date=ge2026-01-{day:02}"),
            format!("value-quantity=gt{day}"),
            "date=lt2026-01-10&_sort=-date".to_owned(),
        ],
        _ => vec![format!("patient={id}"), "patient=pt-mei".to_owned(), "patient=Patient/pt-mei".to_owned()],
    };
    let at = dice.roll(own.len() + common.len());
    own.get(at).unwrap_or_else(|| &common[at - own.len()]).clone()
}

/// Records of the town's and of another family, none visible to who asks.
fn add_hidden(world: &World, probes: &[String]) -> usize {
    let importer = world.importer();
    let mut added = 0;
    for (number, probe) in probes.iter().enumerate() {
        let day = 1 + number % 28;
        let date = format!("2026-01-{day:02}");
        let mut resource = match number % 4 {
            0 => patient("干渉", &format!("hidden-{day}"), "2024-04-01"),
            1 => weight("probe-0", &date, &format!("{day}.5")),
            2 => height("probe-0", &date, &format!("6{day}")),
            _ => laboratory("probe-0", &date),
        };
        resource["id"] = json!(probe);
        let kind = resource["resourceType"].as_str().unwrap_or_default().to_owned();
        importer.put(&format!("{kind}/{probe}"), &resource).expect(201);
        added += 1;
    }
    let ask = Ask::new("app-public", "stranger", "launch/patient patient/*.cruds").of("pt-stranger");
    let stranger = world.approve(&ask);
    for day in 1..=10 {
        stranger.create(&weight("pt-stranger", &format!("2026-01-{day:02}"), "7.5"));
        added += 1;
    }
    added
}
