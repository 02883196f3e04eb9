//! Damaged files: no panic, and every line used or explained.

use super::*;

/// What holds of any bytes at all.
fn holds(name: &str, bytes: &[u8]) {
    let parsed = parts(&[bytes]);
    if parsed.refused.is_some() {
        assert!(parsed.people.is_empty(), "{name}: refused, yet used");
        return;
    }
    let mut keys: Vec<&str> = drafts(&parsed).iter().map(|draft| draft.key.as_str()).collect();
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), all, "{name}: two drafts of one key");
    for draft in drafts(&parsed) {
        let text = draft.resource.to_string();
        let again = Json::parse(text.as_bytes()).unwrap_or_else(|fault| panic!("{name}: {fault}: {text}"));
        assert_eq!(again.to_string(), text, "{name}");
        nothing_empty(name, &draft.resource);
    }
    let again = parts(&[bytes]);
    assert_eq!(drafts(&again), drafts(&parsed), "{name}: not the same twice");
    explained(name, bytes, &parsed);
}

/// FHIR knows no empty strings, arrays or objects.
fn nothing_empty(name: &str, json: &Json) {
    assert!(json.as_str().is_none_or(|text| !text.trim().is_empty()), "{name}: an empty string");
    assert!(!(json.is_array() && json.items().is_empty()), "{name}: an empty array");
    assert!(!(json.is_object() && json.members().is_empty()), "{name}: an empty object");
    for item in json.items() {
        nothing_empty(name, item);
    }
    for member in json.members() {
        nothing_empty(name, &member.value);
    }
}

/// A 201 that made no draft must have an issue.
fn explained(name: &str, bytes: &[u8], parsed: &Parsed) {
    let Ok(text) = decode::text(bytes) else { return };
    for (before, line) in text.split('\n').enumerate() {
        let at = before + 1;
        let counts = ["2", "3", "201"].contains(&line.split(',').next().unwrap_or_default());
        if counts && !drafts(parsed).iter().any(|draft| draft.at.line == at) {
            let told = parsed.issues.iter().any(|issue| issue.at.line == at);
            assert!(told, "{name}: line {at} vanished");
        }
    }
}

#[test]
fn every_sample_cut_at_many_bytes() {
    for (name, bytes) in samples::every_file() {
        // Five is prime to the lengths of lines and characters: all kinds of places are met.
        for length in (0..bytes.len()).step_by(5) {
            holds(&format!("{name} cut at {length}"), &bytes[..length]);
        }
    }
}

/// A small generator: the same damage in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit.max(1)
    }
}

#[test]
fn every_sample_damaged_at_many_places() {
    const STRANGE: &[&[u8]] = &[
        b",",
        b",,,,",
        b"\n",
        b"\r",
        b"0",
        b"9999999999",
        b"\x00",
        b"\x81",
        b"\xFF",
        b"\"",
        b"-",
        b"201,1,",
        b"5,",
        "～".as_bytes(),
    ];
    for (name, bytes) in samples::every_file() {
        let mut chance = Chance(bytes.len() as u64);
        for round in 0..60 {
            let mut damaged = bytes.clone();
            for _ in 0..=chance.below(3) {
                let at = chance.below(damaged.len());
                match chance.below(5) {
                    0 if at < damaged.len() => damaged[at] = u8::try_from(chance.below(256)).expect("a byte"),
                    1 if at < damaged.len() => drop(damaged.remove(at)),
                    2 => {
                        let strange = STRANGE[chance.below(STRANGE.len())];
                        damaged.splice(at..at, strange.iter().copied());
                    }
                    3 => move_a_line(&mut damaged, &mut chance),
                    _ => drop(damaged.drain(at..(at + chance.below(20)).min(damaged.len()))),
                }
            }
            holds(&format!("{name} round {round}"), &damaged);
        }
    }
}

/// Takes a line out and puts it in elsewhere.
fn move_a_line(bytes: &mut Vec<u8>, chance: &mut Chance) {
    let mut lines: Vec<Vec<u8>> = bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    let line = lines.remove(chance.below(lines.len()));
    let at = chance.below(lines.len() + 1);
    lines.insert(at, line);
    *bytes = lines.join(&b'\n');
}
