//! A search [`Plan`] → one statement's parts: where its rows come from, what each
//! must fulfil, and their order.
//!
//! One small set of row numbers *drives*: the clinical index for a person's
//! records by code, the records of the few people whom the view shows, or the
//! index of the most selective filter: for a chain from the target's side, for
//! `_has` from the source's. Every other filter is then probed row by row: a
//! point by the full key of its index, a span through the index's (rid, param)
//! side. So the cost of a search about one person grows with her records, not
//! with everybody's.

mod address;
mod compartment;
mod contained;
mod filter;
mod hierarchy;
mod latest;
mod matching;
mod order;
#[cfg(test)]
mod plans;
mod words;

use techo_profiles::Definitions;

use crate::consent::view::{CitizenKey, Reach, View};
use crate::search::clinical::Clinical;
use crate::search::contained::{Which, held};
use crate::search::plan::{CodePattern, Filter, Match, Pattern, Place, Plan};
use crate::search::row::Table;

use super::sql::Sql;
use super::visible::{few_citizens, intricate, perhaps};
use filter::{Parts, Row, Scene, together};
use matching::{by_table, code, name, one_of};

pub(super) use latest::{ORDER as LATEST_FIRST, Wanted, latest};
pub(super) use matching::param;
pub(super) use order::{Order, order, place};

/// `columns` of the records that the plan chooses, as ` FROM … WHERE …` without an
/// order; `None` if no row of the type can be visible.
pub(super) fn selected(plan: &Plan, view: &View, columns: Sql) -> Option<Sql> {
    let mut sql = found(plan, view, columns)?;
    if let Some(patients) = &plan.newest_of {
        let among = found(plan, view, Sql::new("r.rid AS rid"))?;
        sql.text(" AND r.rid IN (").push(newest(&plan.resource_type, patients, among)).text(")");
    }
    Some(sql)
}

/// `columns` of one person's records of one code, the commonest search. Her id, the code
/// and its system are open, in this order.
pub(super) fn of_one_code(kind: u16, view: &View, columns: Sql) -> Sql {
    let row = Row { depth: 0, held: false, kind };
    let shown = Scene { view, beside: view }.shown(row).unwrap_or_else(|| Sql::new("1 = 0"));
    one_code(row, columns, shown)
}

/// Row numbers of the same, of those that are visible as far as is told without asking what
/// they list ([`perhaps`]), with a column `intricate` in each: whether there are others among
/// them than those of which that tells.
///
/// * `whole`: with a column of how many there are.
pub(super) fn of_one_code_plainly(kind: u16, view: &View, whole: bool) -> Sql {
    let row = Row { depth: 0, held: false, kind };
    let mut columns = Sql::new("r.rid AS rid, bool_or(");
    columns.push(intricate("r")).text(") OVER () AS intricate");
    if whole {
        columns.text(", COUNT(*) OVER () AS whole");
    }
    one_code(row, columns, perhaps_shown(kind, view))
}

/// Of the rows `r` those that are looked at.
pub(super) fn perhaps_shown(kind: u16, view: &View) -> Sql {
    let row = Row { depth: 0, held: false, kind };
    let name = Definitions::embedded().type_name(kind).unwrap_or_default();
    let mut shown = Sql::new("r.kind = ");
    shown.bind(row.key()).text(" AND ").push(Scene { view, beside: view }.there("r"));
    shown.text(" AND ").push(perhaps(view, name, kind, "r"));
    shown
}

/// * `shown`: which of them.
fn one_code(row: Row, columns: Sql, shown: Sql) -> Sql {
    let patient = Definitions::embedded().type_number("Patient").unwrap_or(0);
    let mut sql = Sql::new("SELECT ");
    sql.push(columns).text(" FROM (SELECT x.rid AS rid FROM clinical x WHERE x.citizen = ");
    sql.text("(SELECT p.rid FROM resource p WHERE p.kind = ").bind(i16::try_from(patient).unwrap_or(0));
    sql.text(" AND p.id = ").open().text(") AND x.kind = ").bind(row.key());
    sql.text(" AND x.code = (SELECT c.id FROM code c WHERE c.code = ").open();
    sql.text(" AND c.system = (SELECT id FROM system WHERE uri = ").open().text("))) d");
    sql.step("resource", "r", Sql::new("r.rid = d.rid")).text(" WHERE ").push(shown);
    sql
}

/// `columns` of the records of a plan of any kind: statements whose rows together are the plan's.
pub(super) fn parts(plan: &Plan, view: &View, columns: Sql) -> Vec<Sql> {
    match plan.contained.which {
        Which::Records => selected(plan, view, columns).into_iter().collect(),
        Which::Held | Which::Both => contained::holders(plan, view, &columns),
    }
}

/// The newest of `among` of each of these Patients and each clinical code: told by the
/// clinical index, of what the view shows alone.
fn newest(kind: &str, patients: &[Box<str>], among: Sql) -> Sql {
    let number = |kind: &str| {
        let number = Definitions::embedded().type_number(kind).unwrap_or(0);
        i16::try_from(number).unwrap_or(0)
    };
    let mut sql = Sql::new(
        "SELECT n.rid FROM (SELECT x.rid AS rid, ROW_NUMBER() OVER \
         (PARTITION BY x.citizen, x.code ORDER BY x.at DESC, x.rid DESC) AS place \
         FROM clinical x WHERE x.citizen IN (SELECT q.rid FROM resource q WHERE q.kind = ",
    );
    sql.bind(number("Patient")).text(" AND q.id IN ").list(patients.iter().map(ToString::to_string));
    sql.text(") AND x.kind = ").bind(number(kind)).text(" AND x.rid IN (").push(among);
    sql.text(")) n WHERE n.place = 1");
    sql
}

/// What the plan's filters find.
fn found(plan: &Plan, view: &View, columns: Sql) -> Option<Sql> {
    let named = view.branches().iter().any(|branch| matches!(branch.reach, Reach::Identity { .. }));
    let beside = named.then(|| view.beside_identity());
    let scene = Scene { view, beside: beside.as_ref().unwrap_or(view) };
    let row = Row { depth: 0, held: false, kind: Definitions::embedded().type_number(&plan.resource_type)? };
    let shown = scene.shown(row)?;
    let (driver, answered) = scene.driver(plan, row);
    let mut sql = Sql::new("SELECT ");
    sql.push(columns).text(" FROM ");
    match driver {
        Some(driver) => {
            sql.text("(").push(driver).text(") d").step("resource", "r", Sql::new("r.rid = d.rid")).text(" WHERE ")
        }
        None => match ids_of(&plan.filters) {
            Some(any) => sql.first("resource", "r", by_ids("r", row, any)),
            None => sql.text("resource r WHERE "),
        },
    };
    sql.push(shown).text(" AND ").push(scene.conditions(&plan.filters, row, &answered));
    Some(sql)
}

/// Whether the search looks through no more than one record's, or a few people's,
/// rows, each by plain conditions: it needs no limit of time.
pub(super) fn is_narrow(plan: &Plan, view: &View) -> bool {
    let plain = |filter: &Filter| {
        matches!(filter, Filter::Id { .. } | Filter::Updated { .. } | Filter::Indexed { .. } | Filter::Missing { .. })
    };
    let few = || few_citizens(view, &plan.resource_type).is_some();
    let one = || cheapest(&plan.filters).is_some_and(|(_, rank)| rank <= BY_IDENTIFIER);
    let clinical = || plan.clinical().is_some_and(|clinical| !clinical.patients.is_empty());
    plan.contained.which == Which::Records
        && plan.newest_of.is_none()
        && plan.filters.iter().all(plain)
        && (one() || few() || clinical())
}

impl Scene<'_> {
    /// `SELECT … AS rid`, each once: rows outside it are no matches. `None` where
    /// the row's own columns select best. And the filters that hold for all of its rows.
    fn driver(self, plan: &Plan, row: Row) -> (Option<Sql>, Vec<usize>) {
        let patient = Definitions::embedded().type_number("Patient").unwrap_or(0);
        let few = few_citizens(self.view, &plan.resource_type);
        let best = cheapest(&plan.filters);
        let clinical = plan.clinical().filter(|one| !one.patients.is_empty() || few.is_some());
        match (clinical, few, best) {
            // The id's own unique key, or an identifier: nothing is narrower.
            (_, _, Some((number, rank))) if rank <= BY_IDENTIFIER => self.driven(&plan.filters, number, row),
            (Some(clinical), few, _) => {
                let patient = i16::try_from(patient).unwrap_or(0);
                (Some(by_clinical(&clinical, (row.key(), patient), few.as_deref())), clinical.answered)
            }
            (None, Some(citizens), _) => (Some(records_of(&citizens, row.key())), Vec::new()),
            (None, None, Some((number, _))) => self.driven(&plan.filters, number, row),
            (None, None, None) => (None, Vec::new()),
        }
    }

    fn driven(self, filters: &[Filter], number: usize, row: Row) -> (Option<Sql>, Vec<usize>) {
        let set = self.set_of(&filters[number], row);
        let answered = set.iter().map(|_| number).collect();
        (set, answered)
    }

    /// The rows like `row` that a filter's index gives, exactly those for which it
    /// holds; `None` for a filter without an index of its own.
    fn set_of(self, filter: &Filter, row: Row) -> Option<Sql> {
        match filter {
            Filter::Indexed { param: index, any, negated: false } => Some(indexed(index, any)),
            Filter::Together { any } => {
                let sets = any.iter().flat_map(together).map(Parts::set);
                Some(union(sets.collect()))
            }
            Filter::Near { params, any } => {
                Some(union(any.iter().map(|circle| Parts::near(params, circle).set()).collect()))
            }
            Filter::Chain { param: index, target, by, filters } => {
                let next = row.next(*target);
                let mut sets = Vec::new();
                if by.place {
                    sets.push(self.chain_set(index, filters, next)?);
                }
                if let Some(address) = &by.address {
                    sets.push(self.addressed_set((index, address), filters, next)?);
                }
                if let Some(filters) = held(filters).filter(|_| by.within) {
                    sets.push(self.chain_set_within(index, &filters, row, *target)?);
                }
                Some(union(sets))
            }
            Filter::Has { source, param: index, by, filters } if row.held => {
                let mut sets = vec![self.holding_set(index, filters, row.next(*source))?];
                if let Some(filters) = held(filters).filter(|_| by.within) {
                    sets.push(self.beside_set(&filters, row, *source)?);
                }
                Some(union(sets))
            }
            Filter::Has { source, param: index, by, filters } => {
                let next = row.next(*source);
                let mut sets = Vec::new();
                if by.place {
                    sets.push(self.has_set(index, filters, row, next)?);
                }
                if let Some(address) = &by.address {
                    sets.push(self.addressing_set((index, address), filters, next)?);
                }
                Some(union(sets))
            }
            Filter::Related { .. } => self.related_set(filter),
            Filter::Compartment { of, kind, id, params } => Some(compartment::rows(*of, (*kind, id), params)),
            Filter::Any(parts) => {
                let sets = parts.iter().map(|part| self.set_of(part, row)).collect::<Option<Vec<_>>>()?;
                Some(union(sets))
            }
            _ => None,
        }
    }

    /// From the targets to what refers to them.
    fn chain_set(self, index: &str, filters: &[Filter], next: Row) -> Option<Sql> {
        let (n, f) = (next.name(), format!("f{}", next.depth));
        let (mut from, conditions) = self.rows_of(filters, next)?;
        let mut naming = param(&f, index, Table::Reference);
        naming.text(&format!(" AND {f}.kind = ")).bind(next.key()).text(&format!(" AND {f}.id = {n}.id"));
        from.step("reference", &f, naming);
        let mut sql = Sql::new(&format!("SELECT DISTINCT {f}.rid AS rid FROM "));
        sql.push(from).text(" WHERE ").push(conditions);
        Some(sql)
    }

    /// From the sources to what they refer to.
    fn has_set(self, index: &str, filters: &[Filter], row: Row, next: Row) -> Option<Sql> {
        let (n, f, x) = (next.name(), format!("f{}", next.depth), format!("x{}", next.depth));
        let (mut from, conditions) = self.rows_of(filters, next)?;
        let mut own = Sql::new(&format!("{f}.rid = {n}.rid AND "));
        own.push(param(&f, index, Table::Reference));
        let mut named = Sql::new(&format!("{x}.kind = "));
        named.bind(row.key()).text(&format!(" AND {x}.id = {f}.id"));
        from.step("reference", &f, own).step("resource", &x, named);
        let mut sql = Sql::new(&format!("SELECT DISTINCT {x}.rid AS rid FROM "));
        sql.push(from).text(" WHERE ").push(conditions).text(&format!(" AND {f}.kind = ")).bind(row.key());
        Some(sql)
    }

    /// The rows for which all filters hold: what stands after `FROM`, and the
    /// conditions. `None` if only looking at each row would tell.
    pub(super) fn rows_of(self, filters: &[Filter], row: Row) -> Option<(Sql, Sql)> {
        let (n, d) = (row.name(), format!("d{}", row.depth));
        let (number, rank) = cheapest(filters)?;
        let Some(shown) = self.shown(row) else { return Some((Sql::new(&format!("resource {n}")), Sql::new("1 = 0"))) };
        let set = match ids_of(filters) {
            Some(any) if rank == BY_ID => {
                let mut sql = Sql::new("SELECT o.rid AS rid FROM resource o WHERE ");
                sql.push(by_ids("o", row, any));
                sql
            }
            _ => self.set_of(&filters[number], row)?,
        };
        let mut from = Sql::new("(");
        from.push(set).text(&format!(") {d}")).step("resource", &n, Sql::new(&format!("{n}.rid = {d}.rid")));
        let mut conditions = shown;
        conditions.text(" AND ").push(self.conditions(filters, row, &[number]));
        Some((from, conditions))
    }
}

/// The ids that the rows are named by, if one filter names them.
fn ids_of(filters: &[Filter]) -> Option<&[Box<str>]> {
    filters.iter().find_map(|filter| match filter {
        Filter::Id { any, negated: false } => Some(&any[..]),
        _ => None,
    })
}

/// A row `r` of a type has one of these ids.
fn by_ids(r: &str, row: Row, any: &[Box<str>]) -> Sql {
    let mut sql = Sql::new(&format!("{r}.kind = "));
    sql.bind(row.key()).text(&format!(" AND {r}.id IN ")).list(any.iter().map(ToString::to_string));
    sql
}

/// The filter that is likely to leave the fewest rows, and its rank.
fn cheapest(filters: &[Filter]) -> Option<(usize, u8)> {
    filters.iter().map(cost).enumerate().min_by_key(|(_, rank)| *rank)
}

/// How many rows a filter is likely to leave, as a rank.
fn cost(filter: &Filter) -> u8 {
    match filter {
        Filter::Id { negated: false, .. } => BY_ID,
        Filter::Indexed { any, negated: false, .. } => any.iter().map(match_cost).max().unwrap_or(0),
        // What refers to one record, or what one record refers to.
        Filter::Chain { filters, .. } | Filter::Has { filters, .. } => match cheapest(filters) {
            Some((_, BY_ID | BY_IDENTIFIER)) => BY_REFERENCE,
            Some((_, rank)) if rank < UNINDEXED => (rank + 1).min(BY_SPAN + 1),
            _ => UNINDEXED,
        },
        Filter::Compartment { .. } => BY_REFERENCE,
        Filter::Related { .. } => BY_REFERENCE + 1,
        Filter::Together { .. } | Filter::Near { .. } => BY_SPAN,
        Filter::Any(parts) => parts.iter().map(set_cost).max().unwrap_or(0),
        Filter::Updated { .. } => 8,
        Filter::All(_)
        | Filter::Not(_)
        | Filter::Unequal { .. }
        | Filter::Words { .. }
        | Filter::Told
        | Filter::Id { .. }
        | Filter::Indexed { .. }
        | Filter::Missing { .. } => UNINDEXED,
    }
}

/// The same for a filter of which the set itself is wanted: not its row's columns.
fn set_cost(filter: &Filter) -> u8 {
    match filter {
        Filter::Id { .. } | Filter::Updated { .. } => UNINDEXED,
        other => cost(other),
    }
}

/// The rank of an id.
const BY_ID: u8 = 0;
/// The rank of [`Match::Identifier`].
const BY_IDENTIFIER: u8 = 1;
/// The rank of [`Match::Reference`].
const BY_REFERENCE: u8 = 2;
/// The rank of what lies between two values.
const BY_SPAN: u8 = 6;
/// The rank of what no index finds.
const UNINDEXED: u8 = 9;

fn match_cost(one: &Match) -> u8 {
    match one {
        Match::Identifier(_) => BY_IDENTIFIER,
        Match::Reference { .. } => BY_REFERENCE,
        Match::Exact { .. } | Match::Whole(_) | Match::Uri(_) => 3,
        Match::Prefix(_) | Match::UriPart(Place::Start, _) | Match::Version(_) => 4,
        Match::Token(_) | Match::Codes { .. } => 5,
        Match::Date(_) | Match::Number(_) | Match::Quantity { .. } | Match::Canonical { .. } => BY_SPAN,
        Match::Contains(_) | Match::Ends(_) | Match::UriPart(..) => 7,
    }
}

/// The rows of the clinical index for these codes: of the patients that the
/// query names, else of the people whom the view shows.
fn by_clinical(clinical: &Clinical<'_>, (number, patient): (i16, i16), few: Option<&[CitizenKey]>) -> Sql {
    let exactly = |one: &&CodePattern| !matches!((&one.system, &one.code), (Pattern::Any, _) | (_, Pattern::Any));
    let people = if clinical.patients.is_empty() { few.unwrap_or_default().len() } else { clinical.patients.len() };
    // One person's rows of one code: each record once, without sorting out doubles.
    let once = people == 1 && matches!(&clinical.codes[..], [one] if exactly(one));
    let mut sql = Sql::new(if once { "SELECT x.rid AS rid" } else { "SELECT DISTINCT x.rid AS rid" });
    sql.text(" FROM clinical x WHERE x.citizen");
    if clinical.patients.is_empty() {
        sql.text(" IN ").list(few.unwrap_or_default().iter().copied());
    } else {
        let mut people = Sql::new("SELECT p.rid FROM resource p WHERE p.kind = ");
        people.bind(patient).text(" AND p.id IN ").list(clinical.patients.iter().map(ToString::to_string));
        sql.among(people);
    }
    let codes = clinical.codes.iter().map(|pattern| code("x.code", pattern)).collect();
    sql.text(" AND x.kind = ").bind(number).text(" AND ").push(Sql::or(codes));
    sql
}

/// The records of a few people, shared ones included.
pub(super) fn records_of(citizens: &[CitizenKey], number: i16) -> Sql {
    let mut sql = Sql::new("SELECT o.rid AS rid FROM resource o WHERE o.citizen IN ");
    sql.list(citizens.iter().copied()).text(" AND o.kind = ").bind(number);
    sql.text(" UNION SELECT s.rid FROM subject s WHERE s.citizen IN ").list(citizens.iter().copied());
    sql
}

/// The rows of one index.
fn indexed(index: &str, any: &[Match]) -> Sql {
    let set = |(table, same): (Table, Vec<&Match>)| {
        let mut sql = Sql::new(&format!("SELECT DISTINCT t.rid AS rid FROM {} t WHERE ", name(table)));
        sql.push(param("t", index, table)).text(" AND ").push(one_of("t", &same));
        sql
    };
    union(by_table(any).into_iter().map(set).collect())
}

/// Each row of these sets once; nothing for none.
fn union(mut sets: Vec<Sql>) -> Sql {
    if sets.len() == 1 {
        return sets.remove(0);
    }
    if sets.is_empty() {
        return Sql::new("SELECT 0 AS rid WHERE 1 = 0");
    }
    let mut all = Sql::default();
    for (position, set) in sets.into_iter().enumerate() {
        // A set may be a union itself, which none but a named table may stand around.
        all.text(if position == 0 { "SELECT u.rid AS rid FROM (" } else { " UNION SELECT u.rid FROM (" });
        all.push(set).text(") u");
    }
    all
}
