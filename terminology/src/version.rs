//! Which of several versions of one definition is meant where none is named.
//!
//! R4 says the latest, and gives versions no order. Here: an active one before a
//! draft, a draft before what is retired or unknown; among equals the highest version,
//! where each is written in numbers (`1.10.0`, `2024-04`, `2.0.0-draft` below
//! `2.0.0`); else the latest `date`; else the one that was changed here last.
//!
//! Source: FHIR R4 references.html#canonical, valueset.html#versioning

use techo_profiles::json::Json;

/// The one that is meant, by its place among `all`.
///
/// * `all`: of each the resource, and when it was last changed here.
pub fn newest(all: &[(&Json, i64)]) -> Option<usize> {
    let best = all.iter().map(|(one, _)| rank(one)).min()?;
    let of_rank = all.iter().enumerate().filter(|(_, (one, _))| rank(one) == best);
    let versions: Option<Vec<_>> =
        of_rank.clone().map(|(place, (one, _))| Some((numbers(one.str("version")?)?, place))).collect();
    if let Some(versions) = versions {
        let highest = versions.iter().map(|(version, _)| version).max()?;
        let same = versions.iter().filter(|(version, _)| version == highest).map(|(_, place)| *place);
        return same.max_by_key(|place| latest(all[*place]));
    }
    of_rank.map(|(place, _)| place).max_by_key(|place| latest(all[*place]))
}

fn latest((one, changed): (&Json, i64)) -> (&str, i64) {
    // Dates are compared as they are written: their parts come in order, and few bear a time.
    (one.str("date").unwrap_or_default(), changed)
}

fn rank(one: &Json) -> u8 {
    match one.str("status") {
        Some("active") => 0,
        Some("draft") => 1,
        _ => 2,
    }
}

/// `1.10.0-b` as its numbers, whether it is whole, and what it is a draft of.
type Version<'a> = (Vec<u64>, bool, &'a str);

fn numbers(version: &str) -> Option<Version<'_>> {
    let (mut found, mut rest) = (Vec::new(), version);
    loop {
        let end = rest.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(rest.len());
        found.push(rest[..end].parse().ok()?);
        rest = &rest[end..];
        let next = rest.strip_prefix(['.', '-']).filter(|next| next.starts_with(|sign: char| sign.is_ascii_digit()));
        match (next, rest) {
            (Some(next), _) => rest = next,
            (None, "") => return Some((found, true, "")),
            (None, rest) => return rest.strip_prefix(['-', '+', '.']).map(|draft| (found, false, draft)),
        }
    }
}

#[cfg(test)]
mod tests {
    use techo_profiles::json;

    use super::*;

    fn of(all: &[(&str, &str, &str)]) -> usize {
        let made = |(status, version, date): &(&str, &str, &str)| {
            let with = |json: Json, name: &'static str, text: &str| {
                if text.is_empty() { json } else { json.with(name, text) }
            };
            with(with(json!({"status": (*status)}), "version", version), "date", date)
        };
        let made: Vec<Json> = all.iter().map(made).collect();
        let all: Vec<(&Json, i64)> = made.iter().zip(0..).collect();
        newest(&all).expect("one")
    }

    #[test]
    fn status_then_version_then_date_then_the_last_change() {
        for (all, expected) in [
            (&[("active", "1", ""), ("draft", "2", ""), ("retired", "3", "")][..], 0),
            (&[("retired", "3", ""), ("draft", "2", "")], 1),
            (&[("retired", "3", ""), ("retired", "2", "")], 0),
            (&[("active", "1.9.0", ""), ("active", "1.10.0", ""), ("active", "1.2.0", "")], 1),
            (&[("active", "2.0.0", ""), ("active", "2.0.0-draft", "")], 0),
            (&[("active", "2024-04-01", ""), ("active", "2023-12-31", "")], 0),
            (&[("active", "20240401", ""), ("active", "20231231", "")], 0),
            // Not all are numbers: the date says it.
            (&[("active", "spring", "2024-04"), ("active", "2", "2023-04")], 0),
            (&[("active", "", "2023"), ("active", "", "2024")], 1),
            // Nothing says it but the order in which they were written.
            (&[("active", "", ""), ("active", "", "")], 1),
            (&[("active", "1", "2024"), ("active", "1", "2023")], 0),
        ] {
            assert_eq!(of(all), expected, "{all:?}");
        }
        assert_eq!(newest(&[]), None);
    }

    #[test]
    fn the_order_in_which_they_lie_does_not_matter() {
        let all = [("active", "1.2", "2024"), ("active", "1.10", "2020"), ("draft", "9", ""), ("retired", "", "")];
        for shift in 0..all.len() {
            let mut turned = all;
            turned.rotate_left(shift);
            assert_eq!(turned[of(&turned)].1, "1.10");
        }
    }
}
