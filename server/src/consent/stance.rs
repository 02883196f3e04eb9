//! What one Consent says, apart from whose it is, who gave it, until when and of which days.
//!
//! Thousands who share with one hospital mostly say the same. A hospital's view of
//! them is decided once for each *stance*; whose stance it is, and whether it still
//! stands, is a row beside each Consent ([`Stance`] → `store/stance.rs`) that the
//! statement itself asks about. Who is spoken of one by one needs none of this.
//!
//! The same Consent must say the same either way: `consent/agreement.rs` holds both
//! against the slow telling.

use std::sync::Arc;

use jiff::tz::TimeZone;
use techo_profiles::json::Json;

use super::instant;
use super::policy::{Policy, SCOPE_SYSTEM, SCOPES};
use super::subject::local;
use super::view::CustodianKey;

/// The number of a stance in the database.
pub type StanceKey = i64;

/// Where a stance says whose backend filed it.
pub(super) const FILER: &str = "filer";

/// Stances that are decided about for one caller. Each is a condition in her
/// statements, and a citizen may say what she likes: who has one that few have, where
/// there are more than these, is left out, and nobody else is slower for it.
pub const MOST: usize = 64;

/// What one Consent in force may say, as of [`Policy::weight`].
pub const MOST_SAID: usize = 128;

/// The same of all stances that are decided about for one caller.
const MOST_HEARD: usize = 384;

/// Consents in force that one citizen may have. Each is decided about wherever she is
/// spoken of one by one; people have a dozen. As many may custodians together have filed
/// about her: those take no place of hers.
pub const MOST_OF_ONE: usize = 500;

/// The same with those that only deny: whoever has shared with many can still refuse.
pub const MOST_WITH_DENIALS: usize = 1000;

/// Whether a Consent in force takes away and gives nothing: its root denies, and so do
/// all exceptions.
pub fn only_denies(consent: &Json) -> bool {
    let nothing = Json::object::<&str>([]);
    let root = consent.get("provision").unwrap_or(&nothing);
    // Where policyRule says what the root is, an exception is of the other type.
    let denies = match root.str("type") {
        Some(own) => own == "deny",
        None => {
            let codes = consent.get("policyRule").map_or(&[][..], |rule| rule.list("coding"));
            let opts_out = |coding: &Json| matches!(coding.str("code"), Some("OPTOUT" | "OPTOUTE"));
            !codes.is_empty() && codes.iter().all(opts_out)
        }
    };
    denies && root.list("provision").iter().all(|inner| inner.str("type") == Some("deny"))
}

/// What everyone says who is not spoken of one by one.
#[derive(Clone, Debug, Default)]
pub struct Others {
    /// By stance.
    pub said: Vec<Arc<Policy>>,
    /// By whose naming a stance concerns the caller, where not all such stances are
    /// heard: whoever has another one that stands is not seen, whatever else she says.
    pub unheard: Option<Vec<String>>,
}

/// A Consent in force, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stance {
    /// `policyRule` and `provision`, and who filed it if a custodian did: the same text for
    /// all that say the same.
    pub said: String,
    /// Whom it names at any depth, `Organization/org-city`; `*` where its root names nobody.
    pub actors: Vec<String>,
    /// When it holds, microseconds since 1970, end exclusive.
    pub since: i64,
    /// The instant after the last.
    pub until: i64,
    /// The clinical times of which its root speaks, if it says so: start, and end
    /// exclusive. `said` then holds an empty `dataPeriod`, which no Consent in force has.
    pub days: Option<(i64, i64)>,
    /// Who gave it, if that can be someone with authority: her `RelatedPerson` ids,
    /// and nothing for the citizen herself.
    pub givers: Vec<String>,
}

impl Others {
    /// Whether a statement can bear what all of these say.
    pub fn bears(said: &[Arc<Policy>]) -> bool {
        said.iter().map(|policy| policy.weight()).sum::<usize>() <= MOST_HEARD
    }

    /// Of what everyone says as much as a statement can bear: first what has most voices for
    /// its weight, so that who says many things, or long ones, leaves others their places. Of
    /// equal ones the older. What citizens say themselves and what custodians file in their
    /// names have half of the room each, and what the other leaves.
    ///
    /// * `voices`: as of `Store::voices`.
    pub fn bearable(mut said: Vec<Arc<Policy>>, voices: impl Fn(StanceKey) -> i64) -> Vec<Arc<Policy>> {
        said.retain(|policy| policy.weight() <= MOST_SAID);
        said.sort_by_cached_key(|policy| {
            let weight = i64::try_from(policy.weight()).unwrap_or(i64::MAX).max(1);
            (std::cmp::Reverse(policy.stance.map_or(0, &voices) / weight), policy.stance)
        });
        let mut rooms = [MOST_HEARD / 2; 2];
        let fits = |policy: &Arc<Policy>, room: &mut usize| {
            let rest = room.checked_sub(policy.weight());
            *room = rest.unwrap_or(*room);
            rest.is_some()
        };
        let (mut heard, left): (Vec<_>, Vec<_>) =
            said.into_iter().partition(|policy| fits(policy, &mut rooms[usize::from(policy.filer.is_some())]));
        let mut room = rooms.iter().sum();
        heard.extend(left.into_iter().filter(|policy| fits(policy, &mut room)));
        heard
    }
}

impl Stance {
    /// `consent` taken apart; `None` for one that decides nothing.
    ///
    /// * `filer`: as of [`Policy::filer`].
    /// * `zone`: where the day of a date without time ends.
    pub fn of(consent: &Json, filer: Option<CustodianKey>, zone: &TimeZone) -> Option<Self> {
        if consent.str("status") != Some("active") || !is_enforced(consent) {
            return None;
        }
        let patient = consent.at(&["patient", "reference"])?.as_str()?;
        let givers = givers(consent, patient);
        let nothing = Json::object::<&str>([]);
        let provision = consent.get("provision").unwrap_or(&nothing);
        let mut said = plain(provision);
        let (mut since, mut until) = (i64::MIN, i64::MAX);
        // An exception without a period of its own has the root's; one with, does not.
        let alone = provision.list("provision").iter().all(|inner| inner.get("period").is_none());
        if let Some(period) = provision.get("period").filter(|_| alone).and_then(|own| instant::period(own, zone)) {
            (since, until) = (period.start, period.end);
            said.remove("period");
        }
        // An exception without days of its own has the root's, which stay where they are.
        let days = provision.get("dataPeriod").and_then(|days| instant::period(days, zone));
        if days.is_some() {
            said.set("dataPeriod", Json::object::<&str>([]));
        }
        let rule = consent.get("policyRule").map(plain);
        let said = Json::object([("provision", said)]).with_some("policyRule", rule);
        let said = said.with_some(FILER, filer.map(|key| key.to_string())).to_string();
        let mut actors = Vec::new();
        named(provision, &mut actors);
        if provision.list("actor").is_empty() {
            actors.push("*".to_owned());
        }
        actors.sort();
        actors.dedup();
        let days = days.map(|days| (days.start, days.end));
        Some(Self { said, actors, since, until, days, givers })
    }
}

fn is_enforced(consent: &Json) -> bool {
    let codings = consent.get("scope").map_or(&[][..], |scope| scope.list("coding"));
    codings.iter().any(|coding| {
        coding.str("system") == Some(SCOPE_SYSTEM) && coding.str("code").is_some_and(|code| SCOPES.contains(&code))
    })
}

fn givers(consent: &Json, patient: &str) -> Vec<String> {
    let mut found = Vec::new();
    for performer in consent.list("performer") {
        let reference = performer.str("reference").unwrap_or_default();
        if reference == patient {
            found.push(String::new());
        } else if let Some(("RelatedPerson", id)) = local(reference, "") {
            found.push(id.to_owned());
        }
    }
    found.sort();
    found.dedup();
    found
}

fn named(provision: &Json, found: &mut Vec<String>) {
    for actor in provision.list("actor") {
        found.extend(actor.at(&["reference", "reference"]).and_then(Json::as_str).map(str::to_owned));
    }
    provision.list("provision").iter().for_each(|inner| named(inner, found));
}

/// Without what decides nothing, in one order.
fn plain(json: &Json) -> Json {
    if json.is_array() {
        return Json::array(json.items().iter().map(plain));
    }
    if !json.is_object() {
        return json.clone();
    }
    let mut members: Vec<_> = json.members().iter().filter(|one| !WORDS.contains(&&*one.name)).collect();
    members.sort_by(|one, other| one.name.cmp(&other.name));
    Json::object(members.into_iter().map(|member| (member.name.clone(), plain(&member.value))))
}

/// Members of provisions that are for people.
const WORDS: &[&str] = &["display", "id", "text", "userSelected"];

#[cfg(test)]
mod tests {
    use super::*;

    fn consent(provision: &str, performer: &str) -> Json {
        let text = format!(
            r#"{{"resourceType":"Consent","status":"active","scope":{{"coding":[{{"system":"{SCOPE_SYSTEM}","code":"patient-privacy"}}]}},"patient":{{"reference":"Patient/p"}},"performer":[{{"reference":"{performer}"}}],"provision":{provision}}}"#
        );
        Json::parse(text.as_bytes()).expect("JSON")
    }

    fn stance(provision: &str) -> Stance {
        Stance::of(&consent(provision, "Patient/p"), None, &TimeZone::UTC).expect("in force")
    }

    /// A stance with as many codes, as filed by a custodian or not: twice their number is its
    /// weight, for the code and for the category.
    fn policy(key: StanceKey, codes: usize, filer: Option<CustodianKey>) -> Arc<Policy> {
        let codes = (0..codes).map(|code| format!(r#"{{"coding":[{{"code":"{code}"}}]}}"#)).collect::<Vec<_>>();
        let filer = filer.map(|filer| format!(r#""filer":"{filer}","#)).unwrap_or_default();
        let said = format!(r#"{{{filer}"provision":{{"type":"permit","code":[{}]}}}}"#, codes.join(","));
        let said = Json::parse(said.as_bytes()).expect("JSON");
        let policy =
            super::super::policy::compile_stance(key, &said, &super::super::worlds::WorldTerms, &TimeZone::UTC);
        Arc::new(policy.expect("enforceable").expect("a policy"))
    }

    fn heard(said: Vec<Arc<Policy>>, voices: impl Fn(StanceKey) -> i64) -> Vec<StanceKey> {
        let mut heard: Vec<StanceKey> = Others::bearable(said, voices).iter().filter_map(|one| one.stance).collect();
        heard.sort_unstable();
        heard
    }

    /// Who says many things left no place for what thousands say, as it was not the shortest.
    #[test]
    fn what_most_say_is_heard_first() {
        let many: Vec<Arc<Policy>> = (2..=61).map(|key| policy(key, 5, None)).collect();
        assert!(!Others::bears(&many) && Others::bears(&many[..20]));
        let more = vec![policy(99, 50, None), policy(1, 5, None), policy(101, 200, None)];
        let with = heard([many, more].concat(), |key| if key == 99 { 1_000_000 } else { 1_000 });
        // What is older than the many has its place too.
        assert!(with.contains(&99) && with.contains(&1) && !with.contains(&101), "{with:?}");
        let room = MOST_HEARD - policy(99, 50, None).weight();
        assert_eq!(with.len() - 1, room / policy(2, 5, None).weight());
    }

    /// A mother of two, or a town for a few Patients of its own making, said three long things,
    /// and nobody else's rarer one was heard.
    #[test]
    fn who_says_long_things_leaves_others_their_places() {
        let long = |filer: Option<CustodianKey>| (10..30).map(move |key| policy(key, 60, filer));
        let said =
            |filer| heard(long(filer).chain([policy(99, 5, None)]).collect(), |key| if key == 99 { 10 } else { 40 });
        assert!(said(None).contains(&99) && said(Some(7)).contains(&99));
        // Nor do thousands of citizens leave a custodian none, or it them.
        let crowd = |filer: Option<CustodianKey>| (10..90).map(move |key| policy(key, 5, filer));
        let loud = |key: StanceKey| if key == 99 { 1 } else { 1_000_000 };
        assert!(heard(crowd(None).chain([policy(99, 5, Some(7))]).collect(), loud).contains(&99));
        assert!(heard(crowd(Some(7)).chain([policy(99, 5, None)]).collect(), loud).contains(&99));
        assert!(!heard(crowd(None).chain([policy(99, 5, None)]).collect(), loud).contains(&99));
    }

    #[test]
    fn words_order_and_period_do_not_make_another_stance() {
        let one = stance(
            r#"{"type":"permit","period":{"end":"2026-01-01"},"actor":[{"role":{"text":"受け手"},"reference":{"reference":"Organization/o","display":"さくら医院"}}]}"#,
        );
        let other = stance(r#"{"actor":[{"reference":{"reference":"Organization/o"},"role":{}}],"type":"permit"}"#);
        assert_eq!(one.said, other.said);
        assert_eq!((one.since, one.until, other.until), (i64::MIN, 1_767_312_000_000_000, i64::MAX));
        assert_eq!(one.actors, ["Organization/o"]);
    }

    #[test]
    fn a_period_stays_where_an_exception_has_its_own() {
        let own = stance(
            r#"{"type":"permit","period":{"end":"2026"},"provision":[{"type":"deny","period":{"end":"2025"}}]}"#,
        );
        assert_eq!((own.since, own.until), (i64::MIN, i64::MAX));
        assert_eq!(own.said.matches("period").count(), 2);
        assert_eq!(own.actors, ["*"]);
    }

    #[test]
    fn the_days_of_the_root_are_each_ones_own() {
        let of = |days: &str| {
            stance(&format!(
                r#"{{"type":"permit","dataPeriod":{days},"provision":[{{"type":"deny","dataPeriod":{{"end":"2025"}}}}]}}"#
            ))
        };
        let (one, other) = (of(r#"{"end":"2026-01-01"}"#), of(r#"{"id":"d","start":"2020","end":"2021"}"#));
        assert_eq!(one.said, other.said);
        assert_eq!(one.days, Some((i64::MIN, 1_767_312_000_000_000)));
        assert_eq!(one.said.matches("2025").count(), 1, "an exception's own are said");
        let none = stance(r#"{"type":"permit","provision":[{"type":"deny","dataPeriod":{"end":"2025"}}]}"#);
        assert_eq!(none.days, None);
        assert_ne!(none.said, one.said, "to speak of no days is another thing");
    }

    #[test]
    fn only_the_citizen_and_those_related_can_have_given_it() {
        for (performer, givers) in
            [("Patient/p", vec![""]), ("RelatedPerson/r", vec!["r"]), ("Patient/q", vec![]), ("Practitioner/d", vec![])]
        {
            let found = Stance::of(&consent("{}", performer), None, &TimeZone::UTC).expect("in force").givers;
            assert_eq!(found, givers, "{performer}");
        }
    }

    #[test]
    fn what_only_denies() {
        for (provision, expected) in [
            (r#"{"type":"deny"}"#, true),
            (r#"{"type":"deny","provision":[{"type":"deny"}]}"#, true),
            (r#"{"type":"deny","provision":[{"type":"deny"},{"type":"permit"}]}"#, false),
            (r#"{"type":"permit","provision":[{"type":"deny"}]}"#, false),
            ("{}", false),
        ] {
            assert_eq!(only_denies(&consent(provision, "Patient/p")), expected, "{provision}");
        }
        for (code, provision, expected) in [
            ("OPTOUT", "{}", true),
            ("OPTOUTE", r#"{"provision":[{"type":"permit"}]}"#, false),
            ("OPTIN", "{}", false),
            ("OPTIN", r#"{"type":"deny"}"#, true),
        ] {
            let rule = techo_profiles::json!({"coding": [{"code": (code)}]});
            assert_eq!(only_denies(&consent(provision, "Patient/p").with("policyRule", rule)), expected, "{code}");
        }
    }

    #[test]
    fn what_is_not_in_force_has_none() {
        for (from, to) in [("\"active\"", "\"inactive\""), ("patient-privacy", "treatment")] {
            let text = consent("{}", "Patient/p").to_string().replace(from, to);
            assert_eq!(Stance::of(&Json::parse(text.as_bytes()).expect("JSON"), None, &TimeZone::UTC), None, "{to}");
        }
    }
}
