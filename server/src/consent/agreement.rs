//! The slow telling against SQL: random worlds are stored, and each request sees
//! through the store's statements what [`super::brute`] allows, on both databases.
//!
//! PostgreSQL: `TECHO_TEST_POSTGRES` names a cluster (`postgres://…` without a
//! database); without it `conformance-tests/postgres.sh` starts one.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use jiff::tz::TimeZone;
use techo_profiles::Definitions;
use techo_profiles::json::Json;

use super::brute::{Filed, Person, Record, Request};
use super::caller::{Authority, Candidate};
use super::clinical::Coding;
use super::listed::{listed, lists};
use super::policy::{Policy, compile, compile_stance};
use super::stance::{Others, Stance};
use super::view::View;
use super::worlds::{Case, World, WorldTerms, above};
use super::{decide, instant};
use crate::clock::Clock;
use crate::store::facts::{Custody, Facts, LISTS, Role, labels};
use crate::store::index::IndexRow;
use crate::store::write::{Body, Method, Put, Rules, STAMP_WIDTH};
use crate::store::{Db, Store, WriteSet};

const WORLDS: u64 = 420;
/// Of these one in so many is asked, or all where `TECHO_TEST_WORLDS` is `all`. It is
/// enough to find a rule that one of the two tellings ignores.
const ONE_IN: u64 = 3;
const TURNS: u64 = 12;

#[tokio::test]
async fn on_sqlite() {
    let folder = std::env::temp_dir().join(format!("techo-agreement-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the database");
    agrees(&format!("sqlite:{}", folder.join("techo.db").display())).await;
    std::fs::remove_dir_all(&folder).expect("the folder is ours");
}

#[tokio::test]
async fn on_postgres() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance-tests/postgres.sh");
    let mut keeper = None;
    let cluster = match std::env::var("TECHO_TEST_POSTGRES") {
        Ok(url) => url,
        Err(_) if std::path::Path::new(script).exists() => {
            let mut child = Command::new(script)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("conformance-tests/postgres.sh can be run");
            let mut url = String::new();
            let output = child.stdout.take().expect("its output is piped");
            BufReader::new(output).read_line(&mut url).expect("its output is text");
            keeper = Some(child);
            url.trim().to_owned()
        }
        Err(_) => return eprintln!("consent on PostgreSQL: NOT RUN, set TECHO_TEST_POSTGRES"),
    };
    let name = format!("techo_agreement_{}", std::process::id());
    psql(&cluster, &format!("CREATE DATABASE {name}"));
    agrees(&format!("{cluster}/{name}")).await;
    psql(&cluster, &format!("DROP DATABASE {name} WITH (FORCE)"));
    if let Some(mut child) = keeper {
        drop(child.stdin.take());
        child.wait().expect("the cluster ends");
    }
}

fn psql(cluster: &str, statement: &str) {
    let done = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--command", statement, &format!("{cluster}/postgres")])
        .status()
        .expect("psql is installed (package postgresql)");
    assert!(done.success(), "{statement}");
}

async fn agrees(url: &str) {
    let one_in = if std::env::var("TECHO_TEST_WORLDS").is_ok_and(|worlds| worlds == "all") { 1 } else { ONE_IN };
    let zone = TimeZone::get("Asia/Tokyo").expect("a zone");
    let db = Db::open(url).await.expect("the database opens");
    let store = Store::open(db, Clock::fixed(jiff::Timestamp::UNIX_EPOCH), 1).await.expect("a new store");
    let (mut cases, mut shown, mut by_stance, mut bounded, mut hidden) = (0, 0, 0, 0, 0);
    let (mut days, mut shared, mut quiet) = (0, 0, 0);
    for seed in (0..WORLDS).step_by(usize::try_from(one_in).expect("few")) {
        let mut world = World::new(seed);
        fill(&store, &world, &zone).await;
        let policies = compiled(&world, &zone);
        let stances = stances(&store, &world, &zone).await;
        days += stances.effects.iter().filter(|(.., stance)| stance.days.is_some()).count();
        shared += stances.of_several_days();
        for turn in 0..TURNS {
            let case = Case::new(&mut world, seed * 1000 + turn);
            let view = one_by_one(&world, &policies, &case, |_| true, &Others::default());
            let found = seen(&store, &world, &view, &mut quiet).await;
            let stored = &world.records[..];
            let request =
                Request { caller: &case.caller, now: case.now, action: case.action, zone: &zone, above, stored };
            let allowed = shown_of(&world, &request, |_| true);
            assert_eq!(found, allowed, "world {seed}, turn {turn}\n{case:#?}\n{:#?}", world.records);
            cases += 1;
            shown += found.len();
            if turn % 2 == 1 {
                continue;
            }
            let own = |candidate: &Candidate| stays(candidate, &case);
            let others = Others { said: stances.policies.values().cloned().collect(), unheard: None };
            let view = one_by_one(&world, &policies, &case, own, &others);
            let found = seen(&store, &world, &view, &mut quiet).await;
            assert_eq!(found, allowed, "by stance: world {seed}, turn {turn}\n{case:#?}\n{:#?}", world.records);
            let by_all = found.len();
            let spoken: Vec<Candidate> = candidates(&world, &policies).into_iter().filter(own).collect();
            let alone = shown_of(&world, &request, |patient| spoken.iter().any(|one| *one.patient == *patient)).len();
            by_stance += by_all - alone;
            let others = heard(&store, &case, &stances).await;
            let Some(unheard) = left_out(&spoken, &case, &stances, &others) else { continue };
            let allowed = shown_of(&world, &request, |patient| !unheard.iter().any(|one| one == patient));
            let found = seen(&store, &world, &one_by_one(&world, &policies, &case, own, &others), &mut quiet).await;
            assert_eq!(found, allowed, "bounded: world {seed}, turn {turn}\n{case:#?}\n{unheard:?}");
            bounded += found.len() - alone;
            hidden += by_all - found.len();
        }
    }
    let at_least = |found: usize, wanted: usize| found * usize::try_from(one_in).expect("few") >= wanted;
    assert!(
        at_least(cases, 5_000) && at_least(shown, 2_000) && at_least(by_stance, 140),
        "{cases} {shown} {by_stance}"
    );
    assert!(at_least(bounded, 21) && at_least(hidden, 21), "{bounded} {hidden}");
    assert!(at_least(quiet, 1_000), "{quiet}: hidden ones of which nobody hears");
    assert!(at_least(days, 1_000) && at_least(shared, 200), "{days} {shared}");
}

/// What the slow telling allows, if these people alone are known of; sorted.
fn shown_of(world: &World, request: &Request<'_>, known: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let people: Vec<Person> = world.people.iter().filter(|person| known(&person.patient)).cloned().collect();
    let allowed = world.records.iter().filter(|record| request.allows(&people, record));
    let mut allowed: Vec<(String, String)> = allowed.map(name).collect();
    allowed.sort();
    allowed
}

fn name(record: &Record) -> (String, String) {
    let part = |name: &str| record.resource.str(name).unwrap_or_default().to_owned();
    (part("resourceType"), part("id"))
}

fn compiled(world: &World, zone: &TimeZone) -> Vec<Vec<Arc<Policy>>> {
    let one = |filed: &Filed| {
        let policy = compile(&filed.consent, &WorldTerms, zone).expect("enforceable");
        policy.map(|policy| Arc::new(Policy { filer: filed.filer, ..policy }))
    };
    world.people.iter().map(|person| person.consents.iter().filter_map(one).collect()).collect()
}

/// Puts the world's records in place of what was there.
async fn fill(store: &Store, world: &World, zone: &TimeZone) {
    for table in ["resource", "history", "subject", "listed", "effect"] {
        store.db().execute(&format!("DELETE FROM {table}"), []).await.expect("the table is emptied");
    }
    let mut set = WriteSet::default();
    for record in &world.records {
        let rid = store.number().await.expect("a row number");
        set.puts.push(put(record, rid, world, zone));
    }
    store.write(set).await.expect("the database works").expect("nothing stands against it");
}

fn put(record: &Record, rid: i64, world: &World, zone: &TimeZone) -> Put {
    let (kind, id) = name(record);
    let own = record.facts(record.when.as_deref().and_then(|when| instant::span(when, zone)));
    let subjects: Vec<i64> = record.subjects.iter().map(|patient| world.key(patient)).collect();
    let role = |role: Role, codings: &[Coding]| -> Vec<(Role, String, String)> {
        codings
            .iter()
            .map(|(system, code)| (role, system.as_deref().unwrap_or_default().to_owned(), code.to_string()))
            .collect()
    };
    let coded = [role(Role::Code, &own.codes), role(Role::Category, &own.categories)].concat();
    let listed: Vec<(i16, String)> = listed(&record.resource, "")
        .into_iter()
        .filter(|_| !record.older)
        .map(|(kind, id)| {
            let number = Definitions::embedded().type_number(kind).expect("a type of R4");
            (i16::try_from(number).expect("a small number"), id.to_owned())
        })
        .collect();
    let several = if subjects.len() > 1 { subjects.clone() } else { Vec::new() };
    Put {
        rid,
        kind: Definitions::embedded().type_number(&kind).expect("a type of R4"),
        id,
        expected: None,
        method: Method::Create,
        body: Some(Body { bytes: format!("{{{}}}", " ".repeat(STAMP_WIDTH)).into_bytes(), stamp_at: 1 }),
        facts: Facts {
            subjects,
            custodian: record.keeper,
            custody: if record.authored { Custody::Authored } else { Custody::Published },
            domain: record.notebook,
            clinical: own.time,
            labels: {
                let coded = labels(coded.iter().map(|(role, system, code)| (*role, system.as_str(), code.as_str())));
                if !record.older && lists(&kind, &listed) { format!("{LISTS} {coded}") } else { coded }
            },
        },
        left: Vec::new(),
        old: Vec::new(),
        new: several
            .into_iter()
            .map(|citizen| IndexRow::Subject { citizen })
            .chain(listed.into_iter().map(|(kind, id)| IndexRow::Listed { kind, id }))
            .collect(),
        sweep: false,
        rules: Rules::default(),
        rests: Vec::new(),
    }
}

/// Who is spoken of one by one wherever others are not: the caller acts for her, no
/// one may see her, or the caller's own Consent stands for her.
fn stays(candidate: &Candidate, case: &Case) -> bool {
    let given = |policy: &Arc<Policy>| case.caller.user.as_ref().is_some_and(|user| policy.given_by(&user.references));
    let in_context = case.caller.patient.as_ref() == Some(&candidate.patient);
    candidate.authority.is_some() || candidate.blocked || in_context || candidate.consents.iter().any(given)
}

/// What the Consents of a world say.
#[derive(Default)]
struct Said {
    /// By stance.
    policies: BTreeMap<i64, Arc<Policy>>,
    /// Whose Consent has which, as it stands.
    effects: Vec<(String, i64, Stance)>,
}

impl Said {
    /// Stances that somebody has for some days, and she or another for others.
    fn of_several_days(&self) -> usize {
        let days =
            |key: i64| self.effects.iter().filter(move |(_, own, _)| *own == key).map(|(.., stance)| stance.days);
        self.policies.keys().filter(|key| days(**key).collect::<HashSet<_>>().len() > 1).count()
    }
}

/// Stances decided about where they are bounded.
const MOST: usize = 2;

/// The stances that a caller's view is made from, bounded.
async fn heard(store: &Store, case: &Case, said: &Said) -> Others {
    let actors = case.caller.concerned_by();
    let (stances, all) = store.stances_about(&actors, MOST).await.expect("the database works");
    assert!(stances.len() <= MOST);
    let said = stances.iter().filter_map(|(key, _)| said.policies.get(key).cloned()).collect();
    Others { said, unheard: (!all).then_some(actors) }
}

/// The Patients of those who are not shown at all because of what they say; `None` if
/// everything was heard.
///
/// * `own`: who is spoken of one by one.
fn left_out(own: &[Candidate], case: &Case, said: &Said, others: &Others) -> Option<Vec<String>> {
    let actors = others.unheard.as_ref()?;
    let heard: Vec<i64> = others.said.iter().filter_map(|policy| policy.stance).collect();
    let concerns = |stance: &Stance| stance.actors.iter().any(|one| one == "*" || actors.contains(one));
    let odd = said.effects.iter().filter(|(_, key, stance)| {
        !heard.contains(key) && stance.since <= case.now && case.now < stance.until && concerns(stance)
    });
    let patients = odd.map(|(patient, ..)| patient.clone());
    Some(patients.filter(|patient| !own.iter().any(|one| *one.patient == **patient)).collect())
}

/// Puts the rows of the world's Consents beside them, and answers what they say.
async fn stances(store: &Store, world: &World, zone: &TimeZone) -> Said {
    let (mut found, mut rows) = (Said::default(), Vec::new());
    for (person, rid) in
        world.people.iter().flat_map(|person| person.consents.iter().map(move |one| (person, one))).zip(1_i64..)
    {
        let (person, filed) = person;
        let Some(stance) = Stance::of(&filed.consent, filed.filer, zone) else { continue };
        let key = store.stance(&stance).await.expect("a number");
        let said = Json::parse(stance.said.as_bytes()).expect("JSON");
        let policy = compile_stance(key, &said, &WorldTerms, zone).expect("enforceable").expect("a policy");
        found.policies.insert(key, Arc::new(policy));
        rows.extend([world.key(&person.patient), key, rid, stance.since, stance.until].map(sea_orm::Value::from));
        rows.extend([stance.days.map(|days| days.0), stance.days.map(|days| days.1)].map(sea_orm::Value::from));
        found.effects.push((person.patient.clone(), key, stance));
    }
    if !rows.is_empty() {
        let sql = "INSERT INTO effect (citizen, stance, rid, giver, since, until, data_since, data_until) VALUES ";
        let each = vec!["(?, ?, ?, '', ?, ?, ?, ?)"; found.effects.len()].join(", ");
        store.db().execute(&format!("{sql}{each}"), rows).await.expect("rows");
    }
    found
}

/// The decision where `own` are spoken of one by one, and everyone else by stance.
fn one_by_one(
    world: &World,
    policies: &[Vec<Arc<Policy>>],
    case: &Case,
    own: impl Fn(&Candidate) -> bool,
    others: &Others,
) -> View {
    let candidates: Vec<Candidate> = candidates(world, policies).into_iter().filter(own).collect();
    decide(&case.caller, case.now, case.action, &candidates, others)
}

fn candidates(world: &World, policies: &[Vec<Arc<Policy>>]) -> Vec<Candidate> {
    let each = world.people.iter().zip(policies);
    each.map(|(person, policies)| Candidate {
        citizen: world.key(&person.patient),
        patient: person.patient.as_str().into(),
        authority: person.authority.then_some(Authority::OWN),
        blocked: person.blocked,
        consents: policies.clone(),
    })
    .collect()
}

/// What the store shows of this world, sorted.
///
/// * `quiet`: counts the hidden records because of which no second statement is asked.
///
/// Each type is asked for by as many ids, of any type: nearly all of the time goes into
/// preparing statements, and those of one text are prepared once.
async fn seen(store: &Store, world: &World, view: &View, quiet: &mut usize) -> Vec<(String, String)> {
    let named: Vec<(String, String)> = world.records.iter().map(name).collect();
    let kinds: BTreeSet<&str> = named.iter().map(|(kind, _)| kind.as_str()).collect();
    assert!(named.len() <= MOST_RECORDS);
    let ids = named.iter().map(|(_, id)| id.as_str()).chain(std::iter::repeat("no-such-id"));
    let ids: Vec<&str> = ids.take(MOST_RECORDS).collect();
    let reader = store.reader(view);
    let mut found = Vec::new();
    for kind in kinds {
        if named.len().is_multiple_of(2) {
            let [wrong, unasked] = reader.mistold(kind, &ids).await.expect("the database works");
            assert!(wrong.is_empty(), "{kind}: {view:#?}");
            *quiet += unasked.len();
        }
        let rows = reader.many(kind, &ids).await.expect("the database works");
        found.extend(rows.into_iter().map(|row| (kind.to_owned(), row.id)));
    }
    found.sort();
    found
}

/// Records that a world has at most.
const MOST_RECORDS: usize = 16;
