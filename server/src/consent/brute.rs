//! The same rules once more, told slowly: one caller, one record, straight from
//! the Consents' JSON, without compiling, inheriting or simplifying anything.
//! [`super::decide()`] must agree with it on every case that [`super::worlds`]
//! makes, and so must the store's SQL. It shares no code with either; what it
//! repeats, it repeats on purpose.
//!
//! It reads dates as [`super::worlds`] writes them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use techo_profiles::json::Json;

use super::caller::{Action, Caller};

/// A citizen.
#[derive(Clone, Debug)]
pub struct Person {
    /// Id of her Patient.
    pub patient: String,
    /// The caller's user is she, or holds authority over her.
    pub authority: bool,
    /// Nothing may flow.
    pub blocked: bool,
    /// Her Consents.
    pub consents: Vec<Filed>,
}

/// A Consent, and which custodian's backend filed it if none with authority did.
#[derive(Clone, Debug)]
pub struct Filed {
    /// The resource.
    pub consent: Json,
    /// Key of that custodian.
    pub filer: Option<i64>,
}

/// A stored resource.
#[derive(Clone, Debug)]
pub struct Record {
    /// The resource.
    pub resource: Json,
    /// Ids of the Patients it is about.
    pub subjects: Vec<String>,
    /// Its clinical time, as FHIR writes it.
    pub when: Option<String>,
    /// The notebook's kind.
    pub notebook: u8,
    /// Key of the custodian.
    pub keeper: i64,
    /// Written by a professional in a session.
    pub authored: bool,
    /// Stored under rules by which what it holds was not kept.
    pub older: bool,
}

/// Everything that a request brings along.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// Microseconds since 1970.
    pub now: i64,
    /// To do what.
    pub action: Action,
    /// Where days begin.
    pub zone: &'a TimeZone,
    /// The code above a purpose of use.
    pub above: fn(&str) -> Option<&'static str>,
    /// Everything that is stored.
    pub stored: &'a [Record],
}

/// What one Consent says of one record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Permit,
    Deny,
    Nothing,
}

impl Request<'_> {
    /// Whether the caller may do it with this record.
    pub fn allows(&self, people: &[Person], record: &Record) -> bool {
        self.is_herself(record) || self.is_shared(record) || self.is_kept(record) || {
            let permits = |patient: &String| {
                people.iter().any(|person| person.patient == *patient && self.permits(person, record))
            };
            !record.subjects.is_empty() && record.subjects.iter().all(permits)
        }
    }

    fn reads(&self) -> bool {
        !matches!(self.action, Action::Create | Action::Update | Action::Delete)
    }

    fn organization(&self) -> Option<i64> {
        self.caller.client.organization.as_ref().map(|organization| organization.key)
    }

    fn publishes(&self) -> bool {
        self.caller.user.is_none() && self.caller.client.custodial && self.organization().is_some()
    }

    /// At work: the user works for the Organization that the client is registered for.
    fn at_work(&self) -> bool {
        let Some(user) = &self.caller.user else { return false };
        user.memberships.iter().any(|work| Some(work.organization.key) == self.organization())
    }

    fn is_herself(&self, record: &Record) -> bool {
        let me = self.caller.user.as_ref().and_then(|user| user.fhir_user.as_deref());
        let asked =
            self.caller.client.portal || self.caller.scopes.to_string().split(' ').any(|scope| scope == "fhirUser");
        let own = format!("{}/{}", kind(record), record.resource.str("id").unwrap_or_default());
        self.action == Action::Read && asked && me == Some(&own)
    }

    fn is_shared(&self, record: &Record) -> bool {
        let shared = is_common(&place(record));
        let scoped = || {
            self.caller.patient.is_some() && self.scoped("patient", record)
                || self.scoped(if self.caller.user.is_some() { "user" } else { "system" }, record)
        };
        shared && self.reads() && (self.caller.client.portal || scoped())
    }

    /// Outside of Consent: what a publisher's backend published, what an
    /// Organization's people wrote.
    fn is_kept(&self, record: &Record) -> bool {
        if Some(record.keeper) != self.organization() || kind(record) == "AuditEvent" {
            return false;
        }
        if self.publishes() {
            return (self.reads() || !record.authored) && self.scoped("system", record);
        }
        self.at_work() && record.authored && self.reads() && self.scoped("user", record)
    }

    fn permits(&self, person: &Person, record: &Record) -> bool {
        if person.blocked {
            return false;
        }
        let portal = self.caller.client.portal;
        let here = self.caller.patient.as_deref() == Some(&person.patient);
        let others = if self.caller.user.is_some() { "user" } else { "system" };
        let outside = ["Task", "Device", "Contract", "GuidanceResponse"];
        let in_scope = portal
            || here && !outside.contains(&kind(record)) && self.scoped("patient", record)
            || self.scoped(others, record);
        if !in_scope {
            return false;
        }
        let kept = here
            && Some(record.keeper) == self.organization()
            && (self.publishes() && (self.reads() || !record.authored)
                || self.at_work() && record.authored && self.reads());
        if kept {
            return true;
        }
        if !person.authority && closed(record) {
            return false;
        }
        let herself = person.authority && portal;
        if !herself && !self.shows_whole(person, record, 0) {
            return false;
        }
        (person.authority || self.who(person, record)) && (portal || self.with(person, record))
    }

    /// Whether a recipient, or whoever looks through an app, may see all that this record
    /// lists: shared things, and what she might read of the same person, with what that lists.
    fn shows_whole(&self, person: &Person, record: &Record, steps: usize) -> bool {
        if record.older {
            return false;
        }
        let reading = Request { action: Action::Read, ..*self };
        places(record).iter().filter(|wanted| !is_common(wanted)).all(|wanted| {
            let found = self.stored.iter().find(|other| place(other) == **wanted);
            steps < 4
                && found.is_some_and(|other| {
                    other.subjects.len() == 1
                        && other.subjects == record.subjects
                        && (person.authority || !closed(other) && reading.who(person, other))
                        && (self.caller.client.portal || reading.with(person, other))
                        && self.shows_whole(person, other, steps + 1)
                })
        })
    }

    /// The scopes of one context, word by word.
    fn scoped(&self, context: &str, record: &Record) -> bool {
        let letter = match self.action {
            Action::Read => 'r',
            Action::Search | Action::History => 's',
            Action::Create => 'c',
            Action::Update => 'u',
            Action::Delete => 'd',
        };
        let own = kind(record);
        self.caller.scopes.to_string().split(' ').any(|scope| {
            let Some(rest) = scope.strip_prefix(context).and_then(|rest| rest.strip_prefix('/')) else { return false };
            let (name, filter) = rest.split_once('?').unwrap_or((rest, ""));
            let Some((named, letters)) = name.split_once('.') else { return false };
            let letters = match letters {
                "read" => "rs",
                "write" => "cud",
                "*" => "cruds",
                other => other,
            };
            let categories = filter.strip_prefix("category=").unwrap_or_default();
            let category = categories.is_empty()
                || categories.split(',').any(|wanted| match wanted.split_once('|') {
                    Some((system, code)) => has_coding(record.resource.get("category"), Some(system), code),
                    None => has_coding(record.resource.get("category"), None, wanted),
                });
            (named == "*" || named == own) && letters.contains(letter) && category
        })
    }

    /// May this person or Organization see it?
    fn who(&self, person: &Person, record: &Record) -> bool {
        let says = |consent: &Filed, rules: bool| self.says(consent, record, false, rules);
        if person.consents.iter().any(|consent| says(consent, true) == Word::Deny) {
            return false;
        }
        if person.consents.iter().any(|consent| says(consent, true) == Word::Permit) {
            return true;
        }
        !person.consents.iter().any(|consent| says(consent, false) == Word::Deny)
            && person.consents.iter().any(|consent| says(consent, false) == Word::Permit)
    }

    /// May it pass through this software?
    fn with(&self, person: &Person, record: &Record) -> bool {
        if person.consents.iter().any(|consent| self.says(consent, record, true, true) == Word::Deny) {
            return false;
        }
        let Some(user) = &self.caller.user else { return true };
        self.at_work()
            || person.consents.iter().any(|consent| {
                let performers = consent.consent.list("performer");
                let hers = |performer: &Json| user.references.iter().any(|own| performer.str("reference") == Some(own));
                !performers.is_empty()
                    && performers.iter().all(hers)
                    && self.says(consent, record, true, true) == Word::Permit
            })
    }

    /// What a Consent says: as rules, or as the citizen's default. A custodian permits what it
    /// published, and itself nothing.
    fn says(&self, filed: &Filed, record: &Record, software: bool, rules: bool) -> Word {
        let word = self.reads_as(&filed.consent, record, software, rules);
        let Some(filer) = filed.filer else { return word };
        let itself = self.organization() == Some(filer);
        let published = record.keeper == filer && !record.authored;
        if word == Word::Permit && (itself || !published) { Word::Nothing } else { word }
    }

    fn reads_as(&self, consent: &Json, record: &Record, software: bool, rules: bool) -> Word {
        let nothing = Json::object::<&str>([]);
        let root = consent.get("provision").unwrap_or(&nothing);
        let assent = consent
            .get("policyRule")
            .is_some_and(|rule| has_coding(Some(rule), None, "OPTIN") || has_coding(Some(rule), None, "OPTINR"));
        let permits = match root.str("type") {
            Some(own) => own == "permit",
            None => assent,
        };
        let names_something =
            |node: &Json| ["actor", "class", "code", "dataPeriod"].iter().any(|name| node.get(name).is_some());
        let rule = names_something(root);
        let matching: Vec<&Json> = root
            .list("provision")
            .iter()
            .filter(|inner| (rule || names_something(inner)) == rules)
            .filter(|inner| self.matches(inner, Some(root), inner.str("type") == Some("permit"), record, software))
            .collect();
        if matching.iter().any(|inner| inner.str("type") == Some("deny")) {
            return Word::Deny;
        }
        if !matching.is_empty() {
            return Word::Permit;
        }
        match self.matches(root, None, permits, record, software) && rule == rules {
            true if permits => Word::Permit,
            true => Word::Deny,
            false => Word::Nothing,
        }
    }

    fn matches(&self, node: &Json, parent: Option<&Json>, permits: bool, record: &Record, software: bool) -> bool {
        let own = |name: &str| node.get(name).or_else(|| parent.and_then(|parent| parent.get(name)));
        let any = |name: &str, test: &dyn Fn(&Json) -> bool| own(name).is_none_or(|list| list.items().iter().any(test));
        let in_time = own("period").is_none_or(|period| {
            let (start, end) = self.period(period);
            start <= self.now && self.now < end
        });
        let actor = match own("actor") {
            None => !software || !permits,
            Some(actors) => actors.items().iter().any(|actor| self.is_actor(actor, permits, software)),
        };
        in_time
            && actor
            && any("purpose", &|purpose| self.is_purpose(purpose.str("code").unwrap_or_default(), permits))
            && any("action", &|action| self.is_action(action, record))
            && any("class", &|class| match class.str("system") {
                Some("http://hl7.org/fhir/resource-types") => class.str("code") == Some(kind(record)),
                _ => class.str("code") == Some(&record.notebook.to_string()),
            })
            && any("code", &|concept| {
                concept.list("coding").iter().any(|coding| {
                    let here = without_meta(&record.resource);
                    has_coding(Some(&here), coding.str("system"), coding.str("code").unwrap_or_default())
                })
            })
            && own("dataPeriod").is_none_or(|period| match &record.when {
                None => !permits,
                Some(when) => {
                    let ((start, end), (from, until)) = (self.period(period), self.span(when));
                    if permits { start <= from && until <= end } else { from < end && start < until }
                }
            })
    }

    fn is_actor(&self, actor: &Json, permits: bool, software: bool) -> bool {
        let reference = actor.at(&["reference", "reference"]).and_then(Json::as_str).unwrap_or_default();
        if reference.starts_with("Device/") || software {
            return software && reference == format!("Device/{}", self.caller.client.id);
        }
        let employer = self.caller.client.organization.as_ref();
        let Some(user) = &self.caller.user else {
            let itself = employer.is_some_and(|own| *own.reference == *reference);
            let maybe = employer.is_some_and(|own| own.people.iter().any(|one| **one == *reference));
            return itself || maybe && !permits;
        };
        if user.references.iter().any(|own| **own == *reference) {
            return true;
        }
        let Some(work) = user.memberships.iter().find(|work| *work.organization.reference == *reference) else {
            return false;
        };
        let treats = matches!(self.caller.purpose.code(), "TREAT" | "COC" | "ETREAT");
        let listed = ["physician", "dentist", "nurse", "pharmacist", "public-health-nurse"];
        let in_role = work.roles.iter().any(|role| listed.contains(&&**role));
        !permits || treats && in_role && Some(work.organization.key) == self.organization()
    }

    fn is_purpose(&self, named: &str, permits: bool) -> bool {
        let own = self.caller.purpose.code();
        if permits {
            return named == own || named == "TREAT" && (own == "COC" || own == "ETREAT");
        }
        let mut at = Some(own.to_owned());
        while let Some(code) = at {
            if code == named {
                return true;
            }
            at = (self.above)(&code).map(str::to_owned);
        }
        false
    }

    fn is_action(&self, action: &Json, record: &Record) -> bool {
        let outside = self.organization() != Some(record.keeper);
        action.list("coding").iter().any(|coding| match coding.str("code") {
            Some("access") => self.reads(),
            Some("disclose") => self.reads() && outside,
            Some("collect") => self.action == Action::Create,
            Some("correct") => matches!(self.action, Action::Update | Action::Delete),
            _ => false,
        })
    }

    fn period(&self, period: &Json) -> (i64, i64) {
        (
            period.str("start").map_or(i64::MIN, |text| self.span(text).0),
            period.str("end").map_or(i64::MAX, |text| self.span(text).1),
        )
    }

    /// The first instant, and the one after the last.
    fn span(&self, text: &str) -> (i64, i64) {
        if text.contains('T') {
            let at: Timestamp = text.parse().expect("the worlds write whole seconds");
            return (at.as_microsecond(), at.as_microsecond() + 1_000_000);
        }
        let whole = format!("{text}-01-01");
        let first: Date = whole[..10].parse().expect("the worlds write dates that exist");
        let after = match text.len() {
            4 => first.saturating_add(1.year()),
            7 => first.saturating_add(1.month()),
            _ => first.saturating_add(1.day()),
        };
        let midnight = |date: Date| {
            date.to_zoned(self.zone.clone()).expect("the zone has every midnight").timestamp().as_microsecond()
        };
        (midnight(first), midnight(after))
    }
}

/// Of a type that hides nobody.
fn is_common(place: &str) -> bool {
    ["Practitioner/", "Organization/", "Location/", "ValueSet/", "Medication/"]
        .iter()
        .any(|kind| place.starts_with(kind))
}

fn closed(record: &Record) -> bool {
    ["AuditEvent", "Consent"].contains(&kind(record))
}

fn place(record: &Record) -> String {
    format!("{}/{}", kind(record), record.resource.str("id").unwrap_or_default())
}

/// What a record lists, as the worlds write it.
fn places(record: &Record) -> Vec<String> {
    let paths: &[(&str, &str)] = match kind(record) {
        "DiagnosticReport" => &[("result", ""), ("media", "link")],
        "Observation" => &[("hasMember", "")],
        "Encounter" => &[("diagnosis", "condition")],
        "List" => &[("entry", "item")],
        "Provenance" => &[("target", ""), ("entity", "what")],
        "Binary" => &[("securityContext", "")],
        "Composition" => &[("section", "entry")],
        "MeasureReport" => &[("evaluatedResource", "")],
        "Task" => &[("focus", ""), ("basedOn", ""), ("input", "valueReference")],
        _ => &[],
    };
    let mut found = Vec::new();
    for (outer, inner) in paths {
        let Some(element) = record.resource.get(outer) else { continue };
        for part in element.each() {
            let references = if inner.is_empty() { part.each() } else { part.get(inner).map_or(&[][..], Json::each) };
            found.extend(references.iter().filter_map(|one| one.str("reference")).map(str::to_owned));
        }
    }
    found
}

fn kind(record: &Record) -> &str {
    record.resource.str("resourceType").unwrap_or_default()
}

fn without_meta(resource: &Json) -> Json {
    let mut copy = resource.clone();
    copy.remove("meta");
    copy
}

/// Whether a coding stands anywhere inside.
fn has_coding(json: Option<&Json>, system: Option<&str>, code: &str) -> bool {
    let Some(json) = json else { return false };
    let is_it = json.str("code") == Some(code) && (system.is_none() || json.str("system") == system);
    is_it
        || json.items().iter().any(|item| has_coding(Some(item), system, code))
        || json.members().iter().any(|member| has_coding(Some(&member.value), system, code))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::caller::{Authority, Candidate};
    use super::super::policy::{Policy, compile};
    use super::super::stance::Others;
    use super::super::view::Row;
    use super::super::worlds::{Case, World, WorldTerms, above};
    use super::super::{View, decide, instant};
    use super::*;

    /// The policies of each person, in their order.
    fn compiled(world: &World, zone: &TimeZone) -> Vec<Vec<Arc<Policy>>> {
        let one = |filed: &Filed| match compile(&filed.consent, &WorldTerms, zone) {
            Ok(Some(policy)) => Arc::new(Policy { filer: filed.filer, ..policy }),
            other => panic!("{filed:?} {other:?}"),
        };
        world.people.iter().map(|person| person.consents.iter().map(one).collect()).collect()
    }

    fn view(world: &World, policies: &[Vec<Arc<Policy>>], case: &Case) -> View {
        let candidates: Vec<Candidate> = world
            .people
            .iter()
            .zip(policies)
            .map(|(person, policies)| Candidate {
                citizen: world.key(&person.patient),
                patient: person.patient.as_str().into(),
                authority: person.authority.then_some(Authority::OWN),
                blocked: person.blocked,
                consents: policies.clone(),
            })
            .collect();
        decide(&case.caller, case.now, case.action, &candidates, &Others::default())
    }

    fn listing_nothing(record: &Record) -> Record {
        let mut bare = Record { older: false, ..record.clone() };
        for name in ["result", "media", "hasMember", "diagnosis", "entry", "target", "entity", "securityContext"] {
            bare.resource.remove(name);
        }
        for name in ["section", "evaluatedResource", "focus", "basedOn", "input"] {
            bare.resource.remove(name);
        }
        bare
    }

    #[test]
    fn compiled_and_told_slowly_agree() {
        let zone = TimeZone::get("Asia/Tokyo").expect("a zone");
        let (mut cases, mut shown, mut by_consent, mut hidden) = (0, 0, 0, 0);
        let (mut with_list, mut by_list) = (0, 0);
        for seed in 0..700 {
            let mut world = World::new(seed);
            let policies = compiled(&world, &zone);
            for turn in 0..12 {
                let case = Case::new(&mut world, seed * 1000 + turn);
                let view = view(&world, &policies, &case);
                let stored = &world.records[..];
                let request =
                    Request { caller: &case.caller, now: case.now, action: case.action, zone: &zone, above, stored };
                for record in &world.records {
                    let facts = world.facts(record, &|when| instant::span(when, &zone));
                    let subjects: Vec<i64> = record.subjects.iter().map(|patient| world.key(patient)).collect();
                    let id = record.resource.str("id").unwrap_or_default();
                    let seen = view.shows(&Row { id, facts: &facts, subjects: &subjects });
                    let expected = request.allows(&world.people, record);
                    assert_eq!(
                        seen, expected,
                        "world {seed}, turn {turn}\n{case:#?}\n{record:#?}\n{view:#?}\n{:#?}",
                        world.people
                    );
                    let own =
                        world.people.iter().any(|person| person.authority && record.subjects.contains(&person.patient));
                    let kept = case.caller.client.organization.as_ref().is_some_and(|one| one.key == record.keeper);
                    shown += usize::from(seen);
                    by_consent += usize::from(seen && !own && !kept && !record.subjects.is_empty());
                    hidden += usize::from(!seen);
                    with_list += usize::from(seen && !own && !kept && !facts.listed.is_empty());
                    // What would be seen if it listed nothing.
                    by_list += usize::from(!seen && request.allows(&world.people, &listing_nothing(record)));
                }
                cases += 1;
            }
        }
        assert!(cases >= 5_000, "{cases}");
        // A test that hides all, or shows what needs no Consent, would prove nothing.
        assert!(shown > 5_000 && by_consent > 500 && hidden > 5_000, "{shown} {by_consent} {hidden}");
        assert!(with_list > 20 && by_list > 20, "{with_list} {by_list}");
    }
}
