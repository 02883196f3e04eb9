//! Records for what they contain.
//!
//! What is contained is shown where its holder is, of whatever type that is. A
//! search begins with the holders of the few people whom the view shows, and with
//! what is contained in records of the other types: or with what an index finds,
//! where the view shows everybody's.
//!
//! A chain leads into what is contained too: a reference `#m1` is to the resource of
//! that id in the same holder, and the holder is shown already. So does `_has` lead out of
//! it: what refers to a contained resource is its holder, or stands beside it.

use techo_profiles::Definitions;

use crate::consent::view::{CitizenKey, View};
use crate::search::contained::MARK;
use crate::search::plan::{Filter, Plan};
use crate::store::sql::Sql;
use crate::store::visible::{few_citizens, possible, visible_as};

use super::filter::{Row, Scene, placed};
use super::matching::referring;
use super::{BY_IDENTIFIER, UNINDEXED, cheapest, cost, ids_of};

/// `columns` of the holders `r` that the plan chooses, or of these beside what they
/// contain `c`: statements without an order, which have no row in common.
pub(super) fn holders(plan: &Plan, view: &View, columns: &Sql) -> Vec<Sql> {
    let definitions = Definitions::embedded();
    let beside = view.beside_identity();
    let Some(kind) = definitions.type_number(&plan.resource_type) else { return Vec::new() };
    let scene = Scene { view: &beside, beside: &beside };
    let row = Row { depth: 0, kind, held: true };
    let (mut few, mut own, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for holder in definitions.resource_types().iter().map(|kind| &**kind).filter(|kind| possible(&beside, kind)) {
        match few_citizens(&beside, holder) {
            Some(citizens) => {
                few.extend(citizens);
                own.push(holder);
            }
            None => others.push(holder),
        }
    }
    few.sort_unstable();
    few.dedup();
    let one = |holders: &[&str], driver: Sql| {
        let mut sql = Sql::new("SELECT ");
        sql.push(columns.clone()).text(" FROM (").push(driver).text(") d");
        let conditions = scene.conditions(&plan.filters, row, &[]);
        if plan.contained.alone {
            sql.step("contained", "c", inside("d", row)).step("resource", "r", Sql::new("r.rid = d.rid"));
            sql.text(" WHERE ").push(scene.there("r")).text(" AND ").push(visible_as(
                "r",
                &beside,
                holders.iter().copied(),
            )?);
            sql.text(" AND ").push(conditions);
            return Some(sql);
        }
        sql.step("resource", "r", Sql::new("r.rid = d.rid")).text(" WHERE ").push(scene.there("r"));
        sql.text(" AND ").push(visible_as("r", &beside, holders.iter().copied())?).text(" AND ");
        let mut inner = Sql::default();
        inner.first("contained", "c", inside("r", row)).push(conditions);
        sql.exists(inner);
        Some(sql)
    };
    let found = scene.by_index(plan, row, own.is_empty());
    let by_people = (!few.is_empty()).then(|| found.clone().unwrap_or_else(|| of_people(&few)));
    let mut all = Vec::new();
    all.extend(by_people.and_then(|driver| one(&own, driver)));
    if !others.is_empty() {
        all.extend(one(&others, found.unwrap_or_else(|| in_types(plan, row, &others))));
    }
    all
}

impl Scene<'_> {
    /// The holders that the index of the most selective filter gives, if that is the
    /// best to begin with.
    ///
    /// * `everybody`: there are no few people to begin with instead.
    fn by_index(self, plan: &Plan, row: Row, everybody: bool) -> Option<Sql> {
        let good = if everybody { UNINDEXED - 1 } else { BY_IDENTIFIER };
        let mut ranked: Vec<(u8, &Filter)> = plan.filters.iter().map(|one| (cost(one), one)).collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().filter(|(rank, _)| *rank <= good).find_map(|(_, filter)| self.set_of(filter, row))
    }
}

impl Scene<'_> {
    /// The row refers by `reference` to a contained resource of type `kind` for which the
    /// filters hold.
    pub(super) fn chained_within(self, reference: &str, filters: &[Filter], row: Row, kind: u16) -> Sql {
        let next = Row { depth: row.depth + 1, kind, held: true };
        let (r, c, f) = (row.name(), next.name(), format!("f{}", next.depth));
        let mut own = Sql::new(&format!("{f}.rid = {r}.rid AND "));
        own.push(referring(&f, reference)).text(&placed(reference, &f, &r));
        let mut inner = Sql::default();
        inner.pair(("reference", &f, own), ("contained", &c, inside(&f, next)));
        inner.text(" WHERE ").push(names(&f, &c)).text(" AND ").push(self.conditions(filters, next, &[]));
        let mut sql = Sql::default();
        sql.exists(inner);
        sql
    }

    /// The rows that refer so: from what is contained to its holders.
    pub(super) fn chain_set_within(self, reference: &str, filters: &[Filter], row: Row, kind: u16) -> Option<Sql> {
        let next = Row { depth: row.depth + 1, kind, held: true };
        let (c, d, f) = (next.name(), format!("d{}", next.depth), format!("f{}", next.depth));
        let (number, _) = cheapest(filters)?;
        let mut sql = Sql::new(&format!("SELECT DISTINCT {f}.rid AS rid FROM "));
        if let Some(ids) = ids_of(filters) {
            sql.text(&format!("reference {f}")).step("contained", &c, inside(&f, next)).text(" WHERE ");
            sql.push(referring(&f, reference)).text(&format!(" AND {f}.id IN "));
            sql.list(ids.iter().map(|id| format!("#{id}"))).text(" AND ");
        } else {
            sql.text("(").push(self.set_of(&filters[number], next)?).text(&format!(") {d}"));
            let mut own = Sql::new(&format!("{f}.rid = {c}.rid AND "));
            own.push(referring(&f, reference));
            sql.step("contained", &c, inside(&d, next)).step("reference", &f, own).text(" WHERE ");
        }
        sql.push(names(&f, &c)).text(" AND ").push(self.conditions(filters, next, &[]));
        Some(sql)
    }
}

impl Scene<'_> {
    /// What holds the contained row is a row `next` for which the filters hold, and refers to
    /// it. It is shown already; here it is one of a type that is asked by itself.
    pub(super) fn held_by(self, reference: &str, filters: &[Filter], row: Row, next: Row) -> Sql {
        let Some(shown) = self.shown(next) else { return Sql::new("1 = 0") };
        let (c, n, f) = (row.name(), next.name(), format!("f{}", next.depth));
        let mut own = Sql::new(&format!("{f}.rid = {c}.rid AND "));
        own.push(referring(&f, reference)).text(" AND ").push(names(&f, &c));
        let mut inner = Sql::default();
        inner.pair(("reference", &f, own), ("resource", &n, Sql::new(&format!("{n}.rid = {f}.rid"))));
        inner.text(" WHERE ").push(shown).text(" AND ").push(self.conditions(filters, next, &[]));
        let mut sql = Sql::default();
        sql.exists(inner);
        sql
    }

    /// Another row that is contained beside it refers to it, and the filters hold for that.
    pub(super) fn held_beside(self, reference: &str, filters: &[Filter], row: Row, kind: u16) -> Sql {
        let next = Row { depth: row.depth + 1, kind, held: true };
        let (c, n, f) = (row.name(), next.name(), format!("f{}", next.depth));
        let reference = format!("{reference}{MARK}");
        let mut of_it = Sql::new(&format!("{f}.rid = {n}.rid AND "));
        of_it.push(referring(&f, &reference)).text(&placed(&reference, &f, &n)).text(" AND ").push(names(&f, &c));
        let mut inner = Sql::default();
        inner.pair(("contained", &n, inside(&c, next)), ("reference", &f, of_it));
        inner.text(" WHERE ").push(self.conditions(filters, next, &[]));
        let mut sql = Sql::default();
        sql.exists(inner);
        sql
    }

    /// The rows `next` for which the filters hold, and that refer to what they contain.
    pub(super) fn holding_set(self, reference: &str, filters: &[Filter], next: Row) -> Option<Sql> {
        let (n, f) = (next.name(), format!("f{}", next.depth));
        let (mut from, conditions) = self.rows_of(filters, next)?;
        let mut own = Sql::new(&format!("{f}.rid = {n}.rid AND "));
        own.push(referring(&f, reference)).text(&format!(" AND {f}.kind = 0"));
        from.step("reference", &f, own);
        let mut sql = Sql::new(&format!("SELECT DISTINCT {f}.rid AS rid FROM "));
        sql.push(from).text(" WHERE ").push(conditions);
        Some(sql)
    }

    /// What contains something for which the best of the filters holds.
    pub(super) fn beside_set(self, filters: &[Filter], row: Row, kind: u16) -> Option<Sql> {
        let next = Row { depth: row.depth + 1, kind, held: true };
        let (number, _) = cheapest(filters)?;
        self.set_of(&filters[number], next)
    }
}

/// What the row `of` contains, of the type asked for: the plus keeps SQLite from reading
/// all of that type instead.
fn inside(of: &str, next: Row) -> Sql {
    let c = next.name();
    Sql::new(&format!("{c}.rid = {of}.rid AND +{c}.kind = {}", next.key()))
}

/// The reference `f` names the contained `c`.
fn names(f: &str, c: &str) -> Sql {
    Sql::new(&format!("{f}.kind = 0 AND {f}.id = '#' || {c}.id"))
}

/// All records of these people.
fn of_people(citizens: &[CitizenKey]) -> Sql {
    let mut sql = Sql::new("SELECT o.rid AS rid FROM resource o WHERE o.citizen IN ");
    sql.list(citizens.iter().copied());
    sql.text(" UNION SELECT s.rid FROM subject s WHERE s.citizen IN ").list(citizens.iter().copied());
    sql
}

/// The records of these types that contain one of the type asked for.
fn in_types(plan: &Plan, row: Row, holders: &[&str]) -> Sql {
    let number = |kind: &&str| i16::try_from(Definitions::embedded().type_number(kind)?).ok();
    let mut sql = Sql::new("SELECT DISTINCT c.rid AS rid FROM contained c WHERE c.kind = ");
    sql.bind(row.key()).text(" AND c.holder IN ").list(holders.iter().filter_map(number));
    if let Some(ids) = ids_of(&plan.filters) {
        sql.text(" AND c.id IN ").list(ids.iter().map(ToString::to_string));
    }
    sql
}
