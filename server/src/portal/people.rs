//! The people whose records someone may see: herself, the children she holds
//! authority for, and those who share with her.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};
use techo_profiles::json::Json;

use super::words::{self, Words};
use crate::auth::wording::Language;
use crate::consent::caller::{AuthorityKind, Candidate};
use crate::consent::view::{CitizenKey, CustodianKey, Reach};
use crate::interaction::filing::name;
use crate::interaction::{Call, Error};

/// Someone whose records may be seen.
#[derive(Clone, Debug)]
pub struct Person {
    /// Her key.
    pub key: CitizenKey,
    /// Id of her Patient.
    pub id: String,
    /// What she is called.
    pub name: String,
    /// What the viewer is to her.
    pub tie: Tie,
    /// When she was born, as people say it.
    pub born: Option<String>,
    /// How old she is.
    pub age: Option<String>,
    /// Whether her Patient was read for this.
    pub read: bool,
}

/// What the viewer is to someone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tie {
    /// The same person.
    Own,
    /// Parent or guardian.
    Guardian,
    /// Someone with whom she shares.
    Shared,
}

impl Person {
    /// The letter in the circle beside her name.
    pub(super) fn initial(&self) -> String {
        // Of a Japanese name the given name tells one of the family from another.
        let given = self.name.split_whitespace().nth(1).unwrap_or(&self.name);
        given.chars().next().map(String::from).unwrap_or_default()
    }
}

impl Tie {
    /// What it is between the holder of a call and someone.
    pub fn of(candidate: &Candidate, now: i64) -> Self {
        match &candidate.authority {
            Some(authority) if authority.holds(now) && authority.kind == AuthorityKind::Own => Self::Own,
            Some(authority) if authority.holds(now) => Self::Guardian,
            _ => Self::Shared,
        }
    }

    /// The purpose of use under which she looks.
    fn purpose(self) -> &'static str {
        match self {
            Self::Own => "PATRQT",
            Self::Guardian => "FAMRQT",
            Self::Shared => "SUPNWK",
        }
    }

    /// In words.
    pub(super) fn words(self) -> Words {
        match self {
            Self::Own => words::OWN,
            Self::Guardian => words::AS_GUARDIAN,
            Self::Shared => words::SHARED_WITH_YOU,
        }
    }
}

/// The same call with the purpose that looking at this person has.
#[must_use]
pub fn looking_at(call: Call<'_>, tie: Tie) -> Call<'_> {
    let purpose = call.purpose(tie.purpose());
    call.under(purpose)
}

/// The people of a call: herself, then children by age, then those who share.
pub async fn people(call: &Call<'_>, language: Language) -> Result<Vec<Person>, Error> {
    // What is shared with someone is shared for a purpose of its own.
    let shared = looking_at(call.doing(call.action), Tie::Shared);
    let ties: HashMap<&str, (CitizenKey, Tie)> = call
        .candidates
        .iter()
        .map(|one| (&*one.patient, (one.citizen, Tie::of(one, call.now))))
        .filter(|(_, (key, tie))| *tie != Tie::Shared || sees(&shared, *key))
        .collect();
    let mut found = Vec::new();
    let mut bodies = HashMap::new();
    for (call, through) in [(call, false), (&shared, true)] {
        let of_kind = ties.iter().filter(|(_, (_, tie))| (*tie == Tie::Shared) == through);
        let ids: Vec<&str> = of_kind.map(|(id, _)| *id).collect();
        if ids.is_empty() {
            continue;
        }
        let patients = call.named("Patient", &ids).await?.into_iter().filter(|one| !one.withdrawn);
        bodies.extend(patients.map(|one| (one.id, one.resource)));
    }
    for (id, (key, tie)) in ties {
        let patient = bodies.get(id);
        let birth = patient.and_then(|patient| patient.str("birthDate"));
        found.push((
            birth.unwrap_or_default().to_owned(),
            Person {
                key,
                id: id.to_owned(),
                name: patient
                    .and_then(|patient| name(patient, language.code()))
                    .unwrap_or_else(|| words::NAME_NOT_SHARED.say(language).to_owned()),
                tie,
                born: birth.map(|birth| words::date(birth, language, call.zone())),
                age: birth.and_then(|birth| age(birth, call.now, call.zone(), language)),
                read: patient.is_some(),
            },
        ));
    }
    found.sort_by(|(born, one), (other_born, other)| (one.tie, born, &one.id).cmp(&(other.tie, other_born, &other.id)));
    Ok(found.into_iter().map(|(_, person)| person).collect())
}

/// Someone by the id of her Patient; `None` also for those of whom nothing may be seen.
pub fn find(call: &Call<'_>, patient: &str) -> Option<(CitizenKey, Tie)> {
    let candidate = call.candidates.iter().find(|one| *one.patient == *patient && !one.blocked)?;
    Some((candidate.citizen, Tie::of(candidate, call.now)))
}

/// Whether anything of someone may be seen at all.
pub fn sees(call: &Call<'_>, citizen: CitizenKey) -> bool {
    call.view.branches().iter().any(|branch| match &branch.reach {
        Reach::Citizens(keys) => keys.contains(&citizen),
        Reach::Others(_) | Reach::Custodian(_) | Reach::Shared | Reach::Everything | Reach::Identity { .. } => false,
    })
}

/// In months under three years, then in years. Nothing for a birth date without its day.
fn age(birth: &str, now: i64, zone: &TimeZone, language: Language) -> Option<String> {
    let birth: Date = birth.parse().ok()?;
    let today = Timestamp::from_microsecond(now).ok()?.to_zoned(zone.clone()).date();
    let lived = birth.until((Unit::Year, today)).ok()?;
    let (years, months) = (lived.get_years(), lived.get_months());
    if years < 0 || months < 0 || lived.get_days() < 0 {
        return None;
    }
    Some(if years < 3 {
        words::count(i64::from(years) * 12 + i64::from(months), words::MONTHS_OLD, language)
    } else {
        words::count(i64::from(years), words::YEARS_OLD, language)
    })
}

/// Names of organizations, places and people of the directory that the call may
/// read, by reference.
pub async fn directory<'r>(
    call: &Call<'_>,
    references: impl Iterator<Item = &'r str>,
    language: Language,
) -> Result<HashMap<String, String>, Error> {
    let mut names = HashMap::new();
    let mut by_kind: HashMap<&str, Vec<&str>> = HashMap::new();
    for (kind, id) in references.filter_map(|reference| reference.split_once('/')) {
        let ids = by_kind.entry(kind).or_default();
        if NAMED.contains(&kind) && !ids.contains(&id) {
            ids.push(id);
        }
    }
    for (kind, ids) in by_kind {
        for ids in ids.chunks(100) {
            for one in call.named(kind, ids).await?.iter().filter(|one| !one.withdrawn) {
                let plain = one.resource.str("name").map(str::to_owned);
                let called = plain.or_else(|| name(&one.resource, language.code()));
                names.extend(called.map(|called| (format!("{kind}/{}", one.id), called)));
            }
        }
    }
    Ok(names)
}

/// References of the Organizations in whose keeping something is.
pub async fn keepers(
    call: &Call<'_>,
    keys: impl Iterator<Item = CustodianKey>,
) -> Result<HashMap<CustodianKey, String>, Error> {
    let keys: HashSet<CustodianKey> = keys.collect();
    let keys: Vec<CustodianKey> = keys.into_iter().collect();
    let found = call.store.patients(&keys).await?;
    Ok(found.into_iter().map(|(key, id)| (key, format!("Organization/{id}"))).collect())
}

/// Types that name someone or something.
const NAMED: &[&str] = &["Location", "Organization", "Patient", "Practitioner", "RelatedPerson"];

/// Every literal reference in a resource.
pub fn references<'j>(json: &'j Json, found: &mut Vec<&'j str>) {
    if let Some(reference) = json.str("reference") {
        found.push(reference);
    }
    for member in json.members() {
        references(&member.value, found);
    }
    for item in json.items() {
        references(item, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_then_years() {
        let now = 1_795_000_000_000_000; // 2026-11-18T20:06:40+09:00
        let zone = TimeZone::get("Asia/Tokyo").expect("a zone");
        for (birth, japanese, english) in [
            ("2026-07-10", Some("4か月"), Some("4 months old")),
            ("2026-10-18", Some("1か月"), Some("1 month old")),
            ("2026-11-18", Some("0か月"), Some("0 months old")),
            ("2021-11-19", Some("4歳"), Some("4 years old")),
            ("2023-11-18", Some("3歳"), Some("3 years old")),
            ("2026-11-19", None, None),
            ("1992", None, None),
        ] {
            assert_eq!(age(birth, now, &zone, Language::Japanese).as_deref(), japanese, "{birth}");
            assert_eq!(age(birth, now, &zone, Language::English).as_deref(), english, "{birth}");
        }
    }
}
