//! Whether what a decision was made from is still so: one text, asked for in the
//! statement that every request begins with.
//!
//! A decision's ingredients (authority, the citizens, their Consents, the
//! Organization) take many statements to gather. They are kept with their
//! [`Watch`], and each request asks for the watch's *mark* as it stands now. The
//! same mark: nothing that was gathered has changed, and nobody has joined. To
//! watch one more thing: a part in [`Watch::mark`].
//!
//! A read need not ask first. A [`Warrant`] goes with its statement: rows come out only
//! if the mark is still what it was, in the same snapshot. It is asked anew only where
//! anything watched has changed, or an instant has passed at which the answer may turn by
//! itself, since it was asked last. On SQLite the readers ask beside the statement, and
//! know the state of the database by its number (`readers.rs`). On PostgreSQL the statement
//! carries the question along: mostly whether the state of all that is watched is still
//! the one in which it was asked ([`Guard`]). Triggers change that state
//! (`migrations`, `watched`): what [`Watch::mark`] and [`alive`] look at must have one.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::DbErr;
use techo_profiles::Definitions;

use super::account::alive;
use super::row::Row;
use super::sql::Sql;
use super::stance::{naming, namings};
use crate::consent::view::CitizenKey;

/// What to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Whose authority counts.
    pub account: Option<String>,
    /// Ids of the Patients who come into question, those not there (yet) too.
    pub patients: Vec<String>,
    /// Those who are there.
    pub citizens: Vec<CitizenKey>,
    /// Where the caller works or is registered, `Organization/org-city`.
    pub organizations: Vec<String>,
    /// References whose naming in a Consent brings one more citizen into question.
    pub actors: Vec<String>,
    /// References whose naming in another way than before brings one more stance into
    /// question; who has it is asked by each statement.
    pub stances: Vec<String>,
    /// The same where nobody has some of the stances, and a new one would be heard.
    pub newest: Vec<String>,
}

impl Watch {
    /// An expression whose value changes with anything watched, over the living
    /// token `t` with its client `c` and account `a`.
    ///
    /// The order of what is put together is the database's own; another order
    /// gives another text, for which all is gathered anew.
    pub(super) fn mark(&self, now: i64) -> Sql {
        let mut mark = Sql::new(TOKEN);
        let parts = [
            self.authority(now),
            self.present(),
            self.versions(),
            self.people(),
            self.sharing(),
            self.stances(),
            self.newest(),
        ];
        for part in parts.into_iter().flatten() {
            mark.text(" || '|' || COALESCE((").push(part).text("), '')");
        }
        mark
    }

    /// Whether a decision made under this watch still stands.
    ///
    /// * `hash`: of the token.
    /// * `mark`: as it was when the decision was made.
    pub fn question(&self, hash: &[u8], mark: &str) -> Question {
        let mut fresh = Sql::new("SELECT COALESCE((SELECT ");
        fresh.push(self.mark(0)).push(alive(hash, 0)).text("), '') = ").bind(mark).text(" AS fresh");
        Question::new(fresh, self.turns(hash))
    }

    /// When the answer may turn with nothing written: the token ends, an authority begins or ends.
    fn turns(&self, hash: &[u8]) -> Sql {
        let mut sql = Sql::new("SELECT MIN(turn) FROM (SELECT t.expires AS turn FROM access_token t WHERE t.hash = ");
        sql.bind(hash.to_vec()).text(" UNION ALL SELECT CASE WHEN u.valid_from > ").instant(0);
        sql.text(" THEN u.valid_from WHEN u.valid_until > ").instant(0).text(" THEN u.valid_until END");
        sql.text(" FROM authority u WHERE u.patient IN ").list(self.patients.iter().cloned());
        sql.text(" OR u.account IN (SELECT t.account FROM access_token t WHERE t.hash = ").bind(hash.to_vec());
        sql.text(")) s");
        sql
    }

    /// Who holds authority at this instant: the account over anyone, anyone over the patients.
    fn authority(&self, now: i64) -> Option<Sql> {
        if self.account.is_none() && self.patients.is_empty() {
            return None;
        }
        let mut sql = Sql::new(
            "SELECT string_agg(u.id || ' ' || u.account || ' ' || u.patient || ' ' || u.kind || ' ' || \
             COALESCE(u.related_person, '') || ' ' || CAST(u.valid_from AS TEXT) || ' ' || \
             CAST(COALESCE(u.valid_until, 0) AS TEXT), ',') FROM authority u WHERE (u.patient IN ",
        );
        sql.list(self.patients.iter().cloned());
        if let Some(account) = &self.account {
            sql.text(" OR u.account = ").bind(account.as_str());
        }
        sql.text(") AND u.valid_from <= ").instant(now);
        sql.text(" AND (u.valid_until IS NULL OR u.valid_until > ").instant(now).text(")");
        Some(sql)
    }

    /// Which of the Patients and Organizations are there, and in whose keeping.
    fn present(&self) -> Option<Sql> {
        let number = |kind: &str| {
            let number = Definitions::embedded().type_number(kind);
            number.and_then(|number| i16::try_from(number).ok()).unwrap_or(0)
        };
        let organizations = self.organizations.iter().filter_map(|one| one.strip_prefix("Organization/"));
        let mut any = Vec::new();
        for (kind, ids) in
            [("Patient", self.patients.clone()), ("Organization", organizations.map(str::to_owned).collect())]
        {
            if !ids.is_empty() {
                let mut one = Sql::new("(p.kind = ");
                one.bind(number(kind)).text(" AND p.id IN ").list(ids).text(")");
                any.push(one);
            }
        }
        if any.is_empty() {
            return None;
        }
        let mut sql = Sql::new(
            "SELECT string_agg(p.id || ' ' || CAST(p.rid AS TEXT) || ' ' || CAST(p.custodian AS TEXT), ',') \
             FROM resource p WHERE p.deleted = 0 AND ",
        );
        sql.push(Sql::or(any));
        Some(sql)
    }

    /// The consent versions: each rises with every Consent about her.
    fn versions(&self) -> Option<Sql> {
        if self.citizens.is_empty() {
            return None;
        }
        let mut sql = Sql::new(
            "SELECT string_agg(CAST(z.rid AS TEXT) || ' ' || CAST(z.version AS TEXT), ',') FROM citizen z WHERE z.rid IN ",
        );
        sql.list(self.citizens.iter().copied());
        Some(sql)
    }

    /// Who works at the Organizations.
    fn people(&self) -> Option<Sql> {
        if self.organizations.is_empty() {
            return None;
        }
        let mut sql = Sql::new(
            "SELECT string_agg(w.organization || ' ' || COALESCE(w.fhir_user, ''), ',') FROM account w WHERE w.organization IN ",
        );
        sql.list(self.organizations.iter().map(|one| one.strip_prefix("Organization/").unwrap_or(one).to_owned()));
        Some(sql)
    }

    /// How often the Consents that name an actor have changed.
    fn sharing(&self) -> Option<Sql> {
        let pairs = self.actors.iter().filter_map(|actor| actor.split_once('/'));
        let any: Vec<Sql> = pairs
            .filter_map(|(kind, id)| {
                let number = i16::try_from(Definitions::embedded().type_number(kind)?).ok()?;
                let mut one = Sql::new("(n.kind = ");
                one.bind(number).text(" AND n.id = ").bind(id).text(")");
                Some(one)
            })
            .collect();
        if any.is_empty() {
            return None;
        }
        // A Consent that names nobody is for everyone.
        let any = any.into_iter().chain([Sql::new("(n.kind = 0 AND n.id = '*')")]).collect();
        let mut sql = Sql::new(
            "SELECT string_agg(CAST(n.kind AS TEXT) || n.id || ' ' || CAST(n.version AS TEXT), ',') FROM actor n WHERE ",
        );
        sql.push(Sql::or(any));
        Some(sql)
    }

    /// How many stances there are that may concern the caller: none ever goes.
    fn stances(&self) -> Option<Sql> {
        if self.stances.is_empty() {
            return None;
        }
        let mut sql = Sql::new("SELECT CAST(COUNT(*) AS TEXT) FROM stance_actor n WHERE ");
        sql.push(naming(&self.stances));
        Some(sql)
    }

    /// The newest stance of each naming. Two that are added at once may be committed in
    /// the other order: one of them is then heard later. Its citizens are hidden till then.
    fn newest(&self) -> Option<Sql> {
        if self.newest.is_empty() {
            return None;
        }
        let mut sql = Sql::new("SELECT ''");
        for naming in namings(&self.newest) {
            sql.text(" || ' ' || COALESCE((SELECT CAST(MAX(n.stance) AS TEXT) FROM stance_actor n WHERE ");
            sql.push(naming).text("), '')");
        }
        Some(sql)
    }
}

/// What of the token's own row, its client and its account a decision depends on.
const TOKEN: &str = "t.scopes || '|' || t.purpose || '|' || COALESCE(t.patient, '') || '|' || c.kind || '|' || \
    COALESCE(c.organization, '') || '|' || CAST(c.custodial AS TEXT) || '|' || COALESCE(a.name, '') || '|' || \
    COALESCE(a.kind, '') || '|' || COALESCE(a.fhir_user, '') || '|' || COALESCE(a.patient, '') || '|' || \
    COALESCE(a.organization, '') || '|' || COALESCE(a.role, '')";

/// Whether a decision still stands, to be asked at any instant.
#[derive(Clone, Debug)]
pub struct Question(Arc<Asked>);

#[derive(Debug)]
struct Asked {
    number: u64,
    /// `SELECT … AS fresh`, one row.
    fresh: Sql,
    /// `SELECT` the instant from which on the answer may be another; NULL for never.
    turns: Sql,
    /// On PostgreSQL: where the decision was found to stand.
    standing: Mutex<Option<Standing>>,
}

/// In which state of all that is watched, and at which instants, a decision stands. It
/// stays true: a state is never there twice.
#[derive(Clone, Debug)]
struct Standing {
    state: String,
    from: i64,
    until: i64,
}

/// `SELECT` the state of all that is watched.
pub(super) const STATE: &str = "SELECT w.state FROM watched w WHERE w.id = 1";

impl Question {
    pub(super) fn new(fresh: Sql, turns: Sql) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Asked { number, fresh, turns, standing: Mutex::default() }))
    }

    /// No other question of this process has it.
    pub(super) fn number(&self) -> u64 {
        self.0.number
    }

    /// `SELECT fresh, turn`, one row.
    pub(super) fn at(&self, now: i64) -> Sql {
        let mut sql = Sql::new("SELECT (");
        sql.push_at(&self.0.fresh, now).text("), (").push_at(&self.0.turns, now).text(")");
        sql
    }

    /// The same, asked at `now`.
    pub fn warrant(&self, now: i64) -> Warrant {
        Warrant { question: self.clone(), now, confirmed: AtomicBool::new(false) }
    }
}

/// A condition that a reading statement carries along: that the decision behind
/// its view still stands. Good for the first statement of one request.
#[derive(Debug)]
pub struct Warrant {
    question: Question,
    now: i64,
    confirmed: AtomicBool,
}

impl Warrant {
    /// Whether a statement has found the decision still standing.
    pub fn confirmed(&self) -> bool {
        self.confirmed.load(Ordering::Acquire)
    }

    pub(super) fn confirm(&self) {
        self.confirmed.store(true, Ordering::Release);
    }

    /// What to ask, and the instant to ask it for.
    pub(super) fn asks(&self) -> (Question, i64) {
        (self.question.clone(), self.now)
    }

    /// The state in which the decision was found to stand, if it cannot have turned by
    /// itself since.
    pub(super) fn known(&self) -> Option<Guard<'_>> {
        let standing = self.question.0.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = standing.as_ref().filter(|one| (one.from..one.until).contains(&self.now))?;
        Some(Guard { warrant: self, state: Some(standing.state.clone()) })
    }

    /// The whole question.
    pub(super) fn whole(&self) -> Guard<'_> {
        Guard { warrant: self, state: None }
    }
}

/// What a statement on PostgreSQL carries: a row `g` beside which its own stand.
#[derive(Debug)]
pub(super) struct Guard<'w> {
    warrant: &'w Warrant,
    /// In which the decision stands; the whole question is asked if none is known.
    state: Option<String>,
}

/// The state of all that is watched is the one that is put in first.
fn guarded(state: impl FnOnce(&mut Sql)) -> Sql {
    let mut sql = Sql::new(&format!("COALESCE(({STATE}) = "));
    state(&mut sql);
    sql.text(", false) AS fresh");
    sql
}

/// Columns of the guard in [`always_over`] and [`always_of`].
pub(super) const OF_GUARD: usize = 1;

/// [`Guard::over`] for many runs: the first of the open values is [`Guard::state`].
pub(super) fn always_over(inner: Sql) -> Sql {
    over("g.fresh", "r.*", (opened(), inner))
}

/// [`Guard::of`] for many runs, of rows for which `on` holds.
pub(super) fn always_of(columns: &str, chosen: Sql, on: &str, order: &str) -> Sql {
    of("g.fresh", columns, (opened(), chosen), &format!("{on}{order}"))
}

fn opened() -> Sql {
    guarded(|sql| {
        sql.open();
    })
}

/// * `own`: columns of the guard.
fn over(own: &str, columns: &str, (guard, inner): (Sql, Sql)) -> Sql {
    let mut sql = asked(&format!("{own}, {columns}"), guard);
    sql.push(inner).text(") r ON g.fresh");
    sql
}

fn of(own: &str, columns: &str, (guard, chosen): (Sql, Sql), rest: &str) -> Sql {
    let mut sql = asked(&format!("{own}, {columns}"), guard);
    sql.push(chosen).text(") p ON g.fresh LEFT JOIN ");
    sql.text("LATERAL (SELECT * FROM resource r WHERE r.rid = p.rid OFFSET 0) r ON ").text(rest);
    sql
}

/// PostgreSQL would put the question wherever its answer is looked at, and ask it each time.
fn asked(columns: &str, guard: Sql) -> Sql {
    let mut sql = Sql::new(&format!("SELECT {columns} FROM (SELECT "));
    sql.push(guard).text(" OFFSET 0) g LEFT JOIN (");
    sql
}

impl Guard<'_> {
    /// The state that it asks for.
    pub(super) fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Whether the decision is known to stand in this state, which all that is watched has now.
    pub(super) fn holds_in(&self, now: &str) -> bool {
        let holds = self.state.as_deref() == Some(now);
        if holds {
            self.warrant.confirm();
        } else {
            self.forget();
        }
        holds
    }

    /// Who comes next asks the whole question at once.
    fn forget(&self) {
        let mut standing = self.warrant.question.0.standing.lock().unwrap_or_else(PoisonError::into_inner);
        standing.take_if(|one| self.state.as_ref().is_none_or(|state| *state == one.state));
    }

    /// Its own columns, which come first, and how many.
    fn columns(&self) -> (&'static str, usize) {
        if self.state.is_some() { ("g.fresh", OF_GUARD) } else { ("g.fresh, g.state, g.turn", 3) }
    }

    fn row(&self) -> Sql {
        match &self.state {
            Some(state) => guarded(|sql| {
                sql.bind(state.as_str());
            }),
            None => {
                let Asked { fresh, turns, .. } = &*self.warrant.question.0;
                let mut sql = Sql::new("(");
                sql.push_at(fresh, self.warrant.now).text(&format!(") AS fresh, ({STATE}) AS state, ("));
                sql.push_at(turns, self.warrant.now).text(") AS turn");
                sql
            }
        }
    }

    /// The rows of `inner` if the decision stands: columns that say so,
    /// then the columns of `inner`, NULL where there is no row.
    pub(super) fn over(&self, inner: Sql) -> Sql {
        over(self.columns().0, "r.*", (self.row(), inner))
    }

    /// The same for the records `r` whose row numbers `chosen`, called `p`, gives as `rid`.
    pub(super) fn of(&self, columns: &str, chosen: Sql, order: &str) -> Sql {
        of(self.columns().0, columns, (self.row(), chosen), &format!("true{order}"))
    }

    /// The rows that came, and at which column their own begin; `None` if the guard let
    /// nothing out.
    pub(super) fn confirmed(&self, mut rows: Vec<Row>) -> Result<Option<(Vec<Row>, usize)>, DbErr> {
        let (_, from) = self.columns();
        let Some(first) = rows.first() else { return Ok(None) };
        if !first.get::<bool>(0)? {
            self.forget();
            return Ok(None);
        }
        let mut standing = self.warrant.question.0.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.state.is_none()
            && let Some(state) = first.get::<Option<String>>(1)?
        {
            let until = first.get::<Option<i64>>(2)?.unwrap_or(i64::MAX);
            *standing = Some(Standing { state, from: self.warrant.now, until });
        }
        drop(standing);
        self.warrant.confirm();
        // The one row of a statement that found nothing has no row number.
        if let [only] = &rows[..]
            && only.get::<Option<i64>>(from)?.is_none()
        {
            rows.clear();
        }
        Ok(Some((rows, from)))
    }
}

#[cfg(test)]
mod postgres;

#[cfg(test)]
mod tests {
    use techo_migrations::{Migrator, MigratorTrait};

    use super::super::db::Db;
    use super::super::error::StoreError;
    use super::super::folder::Folder;
    use super::*;

    const ROWS: &[&str] = &[
        "INSERT INTO client (id, kind, name_ja, name_en, scopes, purposes, custodial, municipalities, disabled, created) \
         VALUES ('c', 'app', '', '', '', '', false, '', false, 0)",
        "INSERT INTO account (id, name, password, kind, locked, created) VALUES ('a', 'mother', '', 'citizen', false, 0)",
        "INSERT INTO access_token (hash, id, client, account, scopes, purpose, with_id_token, issued, expires, revoked) \
         VALUES (x'01', 't', 'c', 'a', '', '', false, 0, 300, 0)",
        // Hers ends, another begins; the last is of somebody else.
        "INSERT INTO authority (id, account, patient, kind, with_apps, valid_from, valid_until, evidence, created) VALUES \
         ('u1', 'a', 'child', 'parent', true, 0, 200, '', 0), ('u2', 'b', 'child', 'parent', true, 100, NULL, '', 0), \
         ('u3', 'c', 'other', 'parent', true, 50, 60, '', 0)",
    ];

    #[tokio::test(flavor = "multi_thread")]
    async fn a_decision_ends_at_the_instant_at_which_an_authority_or_the_token_does() {
        let folder = Folder::new("watch");
        let db = Db::open(&folder.url()).await.expect("a database");
        Migrator::up(&*db.write().await, None).await.expect("a schema");
        for sql in ROWS {
            db.execute(sql, []).await.expect(sql);
        }
        let watch = Watch { account: Some("a".into()), patients: vec!["child".into()], ..Watch::default() };
        // Decided at the first instant; it stands until the last but one, and not at the last.
        for (decided, lasts, ends) in [(10, 99, 100), (100, 199, 200), (200, 299, 300)] {
            let mut sql = Sql::new("SELECT ");
            sql.push(watch.mark(decided)).push(alive(&[1], decided));
            let mark: String = db.rows(sql).await.expect("a mark")[0].get(0).expect("a text");
            let question = watch.question(&[1], &mark);
            // More than there are readers: each of them has answered before.
            for now in [decided, lasts, ends, decided, lasts, ends] {
                for _ in 0..8 {
                    let found = db.resting(&question.warrant(now), true, Sql::new("SELECT 7")).await;
                    assert_eq!(found.is_ok(), now < ends, "decided at {decided}, asked at {now}");
                    assert!(matches!(found, Ok(_) | Err(StoreError::Stale)), "{found:?}");
                }
            }
        }
    }
}
