//! Reading records through a [`View`].
//!
//! Every statement here carries the view's condition. A row that the view does
//! not show is not fetched, not counted, and takes no room on a page.

mod changes;
#[cfg(test)]
mod long;
#[cfg(test)]
mod mistold;
mod several;
mod standing;
mod stored;
pub(super) mod whose;

use std::sync::Arc;

use sea_orm::Value;
use techo_profiles::Definitions;

pub use changes::{Window, newest_first};
use stored::OLD_COLUMNS;
pub use stored::Stored;
pub(super) use stored::{COLUMNS, stored};

use crate::consent::view::View;
use crate::search::contained::Which;
use crate::search::page::{Direction, SortValue};
use crate::search::plan::{Plan, SortBy, SortColumn, SortKey, Total};
use crate::search::row::{ParamKey, Table};

use super::Store;
use super::error::StoreError;
use super::row::Row;
use super::select;
use super::sql::{Again, Ready, Sql};
use super::visible::{plainly, possible, visible};
use super::watch::{OF_GUARD, Warrant, always_of, always_over};
use super::write::Condition;

/// Answers what the view shows.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    store: &'a Store,
    view: &'a View,
    warrant: Option<&'a Warrant>,
}

/// A page of a search.
#[derive(Debug, Default)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Stored>,
    /// Beside each row the place in it that matches; 0 for the record itself.
    pub places: Vec<u32>,
    /// After which row the next page begins; `None` at the end.
    pub next: Option<Position>,
    /// Before which row the page before ends; `None` at the beginning.
    pub previous: Option<Position>,
    /// How many rows the whole search has, where the page's own statement tells.
    pub whole: Option<u64>,
}

/// A place between two rows of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Position {
    /// The sort keys of the row at the place.
    pub keys: Vec<SortValue>,
    /// That row; in a search for what is contained, with the place in it.
    pub rid: i64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(store: &'a Store, view: &'a View) -> Self {
        Self { store, view, warrant: None }
    }

    /// The rows of a statement that carries the view's condition and gives no whole record.
    pub(super) async fn values(&self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        self.store.db.run(sql, true).await
    }

    pub(super) fn view(&self) -> &View {
        self.view
    }

    /// The view is of a decision made earlier: its first statement finds out whether
    /// that still stands, and gives nothing but [`StoreError::Stale`] if not.
    #[must_use]
    pub fn under(self, warrant: Option<&'a Warrant>) -> Self {
        Self { warrant, ..self }
    }

    /// The current version of one record, deletions included.
    ///
    /// One that lists so much that it cannot be told in time whether it is shown is hidden.
    pub async fn current(&self, kind: &str, id: &str) -> Result<Option<Stored>, StoreError> {
        match self.one(kind, id).await {
            Err(StoreError::TooCostly) => {
                tracing::warn!(kind, "a record lists so much that nobody is shown it whose Consents it takes to tell");
                Ok(None)
            }
            found => found,
        }
    }

    async fn one(&self, kind: &str, id: &str) -> Result<Option<Stored>, StoreError> {
        let (db, warrant) = (&self.store.db, self.unconfirmed());
        let Some(number) = self.number(kind) else { return Ok(None) };
        if let Some(warrant) = warrant.filter(|_| !db.asks_beside()) {
            let ready = || {
                self.view.once((number, false, "the one, plainly"), || {
                    let shown = plainly(self.view, kind, number, "r");
                    always_over(where_id(number, opened("= "), shown)).ready(db.backend())
                })
            };
            let plain = self.known(warrant, ready, (&[id.into()], None)).await?;
            if let Some((Some(row), from)) = plain.as_ref().map(|(rows, from)| (rows.first(), from)) {
                return stored(row, *from).map(Some);
            }
            // Not there, hidden, or not plain.
            return Ok(self.many(kind, &[id]).await?.into_iter().next());
        }
        let ready = self
            .view
            .once((number, false, "the one"), || self.where_id(kind, number, opened("= ")).ready(db.backend()));
        let rows = db.again(Again::new(ready, self.view.now(), vec![id.into()]), warrant).await?;
        rows.first().map(|row| stored(row, 0)).transpose()
    }

    /// The rows of a statement that carries the question whether the decision stands, if
    /// that is known of some state of the database, and it is still in that state; and at
    /// which column their own begin.
    ///
    /// * `ready`: the statement, whose first open value is the state.
    /// * `unless`: of their own, a column in which the statement may say that it does not
    ///   tell; then there are none either.
    async fn known(
        &self,
        warrant: &Warrant,
        ready: impl FnOnce() -> Arc<Ready>,
        (open, unless): (&[Value], Option<usize>),
    ) -> Result<Option<(Vec<Row>, usize)>, StoreError> {
        let Some(guard) = warrant.known() else { return Ok(None) };
        let open = std::iter::once(guard.state().into()).chain(open.iter().cloned()).collect();
        let rows = self.store.db.again(Again::new(ready(), self.view.now(), open), None).await?;
        if let (Some(at), Some(row)) = (unless, rows.first())
            && row.get::<Option<bool>>(OF_GUARD + at)?.unwrap_or(false)
        {
            return Ok(None);
        }
        Ok(guard.confirmed(rows)?)
    }

    /// The current versions of several records of one type.
    pub async fn many(&self, kind: &str, ids: &[&str]) -> Result<Vec<Stored>, StoreError> {
        let Some(sql) = self.named(kind, ids) else { return Ok(Vec::new()) };
        self.rows(sql).await
    }

    /// One version of one record. An old version is shown only while the current
    /// one is: hiding a record hides its past. What was withdrawn or deleted is gone for all
    /// but those to whom it went out whole, and its past with it.
    pub async fn version(&self, kind: &str, id: &str, version: i32) -> Result<Option<Stored>, StoreError> {
        let Some(current) = self.current(kind, id).await? else { return Ok(None) };
        if current.version == version {
            return Ok(Some(current));
        }
        let whole = self.view.whole().covers(kind, current.custodian, current.citizen, current.several);
        if current.is_deleted() && !whole && !self.view.is_everything() {
            return Ok(None);
        }
        let Some(number) = self.number(kind) else { return Ok(None) };
        let mut named = Sql::new("r.rid = ");
        named.bind(current.rid).text(" AND r.version = ").bind(version);
        let mut sql = Sql::new(&format!("SELECT {OLD_COLUMNS} FROM "));
        sql.first("history", "r", named).text("r.kind = ").bind(i16::try_from(number).unwrap_or(0));
        sql.text(" AND ").push(visible(self.view, kind, number, "r", true));
        Ok(self.rows(sql).await?.into_iter().next())
    }

    /// One page of a search.
    pub async fn search(&self, plan: &Plan, after: Option<&Position>, limit: u32) -> Result<Page, StoreError> {
        let from = after.map(|position| (position, Direction::Onward));
        self.page(std::slice::from_ref(plan), from, limit).await
    }

    /// One page of a search of several types: one statement, unless it would be too long,
    /// each type with its own part of the view.
    ///
    /// Row numbers and sort keys alone are gathered, ordered and cut off; the bodies
    /// are fetched of those that are left, in the same statement.
    ///
    /// * `from`: where the page begins and which way it goes.
    pub async fn page(
        &self,
        plans: &[Plan],
        from: Option<(&Position, Direction)>,
        limit: u32,
    ) -> Result<Page, StoreError> {
        if let (None, [plan]) = (from, plans)
            && let Some(page) = self.page_of_one_code(plan, limit).await?
        {
            return Ok(page);
        }
        let direction = from.map_or(Direction::Onward, |(_, direction)| direction);
        let sort = plans.first().map_or(&[][..], |plan| &plan.sort);
        let order = select::order(plans, direction);
        let narrow = plans.iter().all(|plan| select::is_narrow(plan, self.view));
        // So few rows are all looked at anyway: that they are counted needs no second statement.
        let counted = narrow && from.is_none() && matches!(plans, [only] if only.total != Total::None);
        let mut branches = Vec::new();
        for plan in plans {
            let mut columns = order.columns(plan);
            if counted {
                columns.text(", COUNT(*) OVER () AS whole");
            }
            for mut sql in select::parts(plan, self.view, columns) {
                if let Some((position, _)) = from {
                    sql.text(" AND ").push(order.beyond(plan, &position.keys, position.rid));
                }
                sql.text(&order.by("r")).text(" LIMIT ").bind(i64::from(limit) + 1);
                branches.push(sql);
            }
        }
        let counted = counted && branches.len() == 1;
        let more = order.again() + if counted { ", p.whole" } else { "" };
        let mut found = Vec::new();
        for mut portion in several::portions(branches, overlap(plans)) {
            let chosen = match portion.len() {
                1 => portion.remove(0),
                _ => together(portion, &order, overlap(plans), limit),
            };
            found.push(self.fetched(&more, chosen, &order.by("p"), narrow).await?);
        }
        let rows = several::ordered(&found, sort, (order.several(), direction))?;
        let page = page(&rows, (sort, from, order.several()), limit)?;
        let Some((row, at)) = rows.first().filter(|_| counted) else { return Ok(page) };
        let whole: i64 = row.get(at + KEYS_AT + sort.len() + usize::from(order.several()))?;
        Ok(Page { whole: u64::try_from(whole).ok(), ..page })
    }

    /// The first page of one person's records of one code: its statement is kept with the
    /// decision. `None` for another search.
    async fn page_of_one_code(&self, plan: &Plan, limit: u32) -> Result<Option<Page>, StoreError> {
        let (db, warrant) = (&self.store.db, self.unconfirmed());
        let Some(asked) = plan.of_one_code() else { return Ok(None) };
        let Some(number) = self.number(&plan.resource_type) else { return Ok(None) };
        let counted = plan.total != Total::None;
        let more = if counted { ", p.whole" } else { "" };
        let open: Vec<Value> = asked.into_iter().map(Value::from).chain([Value::from(i64::from(limit) + 1)]).collect();
        let (found, from) = if let Some(warrant) = warrant.filter(|_| !db.asks_beside()) {
            let name = if counted { "of one code, plainly, counted" } else { "of one code, plainly" };
            let ready = || {
                self.view.once((number, false, name), || {
                    let mut chosen = select::of_one_code_plainly(number, self.view, counted);
                    chosen.text(" ORDER BY r.rid LIMIT ").open();
                    let columns = format!("{COLUMNS}{more}, p.intricate");
                    always_of(&columns, chosen, "NOT p.intricate", " ORDER BY p.rid").ready(db.backend())
                })
            };
            let intricate = KEYS_AT + usize::from(counted);
            let Some(found) = self.known(warrant, ready, (&open, Some(intricate))).await? else { return Ok(None) };
            found
        } else {
            let name = if counted { "of one code, counted" } else { "of one code" };
            let ready = self.view.once((number, false, name), || {
                let columns = if counted { "r.rid AS rid, COUNT(*) OVER () AS whole" } else { "r.rid AS rid" };
                let mut chosen = select::of_one_code(number, self.view, Sql::new(columns));
                chosen.text(" ORDER BY r.rid LIMIT ").open();
                bodies(&format!("{COLUMNS}{more}"), chosen, " ORDER BY p.rid").ready(db.backend())
            });
            (db.again(Again::new(ready, self.view.now(), open), warrant).await?, 0)
        };
        let rows: Vec<(&Row, usize)> = found.iter().map(|row| (row, from)).collect();
        let page = page(&rows, (&[], None, false), limit)?;
        let Some(row) = found.first().filter(|_| counted) else { return Ok(Some(page)) };
        let whole: i64 = row.get(from + KEYS_AT)?;
        Ok(Some(Page { whole: u64::try_from(whole).ok(), ..page }))
    }

    /// How many rows a search has, counted up to `at_most`; `None` if there are more.
    pub async fn count(&self, plan: &Plan, at_most: Option<u64>) -> Result<Option<u64>, StoreError> {
        self.total(std::slice::from_ref(plan), at_most).await
    }

    /// The same of a search of several types.
    pub async fn total(&self, plans: &[Plan], at_most: Option<u64>) -> Result<Option<u64>, StoreError> {
        let mut branches = Vec::new();
        for plan in plans {
            let column = if overlap(plans) { "r.rid AS rid" } else { "1 AS one" };
            branches.extend(select::parts(plan, self.view, Sql::new(column)));
        }
        let narrow = plans.iter().all(|plan| select::is_narrow(plan, self.view));
        let mut count = 0;
        for portion in several::portions(branches, overlap(plans)) {
            let mut inner = Sql::union(portion);
            if overlap(plans) {
                let mut once = Sql::new("SELECT DISTINCT q.* FROM (");
                once.push(inner).text(") q");
                inner = once;
            }
            if let Some(limit) = at_most {
                inner.text(" LIMIT ").bind(i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1);
            }
            let mut sql = Sql::new("SELECT COUNT(*) FROM (");
            sql.push(inner).text(") AS counted");
            let rows = self.store.db.run(sql, narrow).await?;
            let row = rows.first().ok_or(StoreError::Missing { table: "resource", what: "count" })?;
            count += u64::try_from(row.get::<i64>(0)?).unwrap_or(0);
        }
        Ok(at_most.is_none_or(|limit| count <= limit).then_some(count))
    }

    /// Live records of `source` of which one of the references `params` names one of
    /// `ids` of type `target`; of type 0, canonical URLs as they are written: what names
    /// a version has a row without it too, which names no other.
    pub async fn referring(
        &self,
        (source, params): (&str, &[ParamKey]),
        (target, ids): (u16, &[&str]),
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError> {
        let Some(number) = self.number(source) else { return Ok(Vec::new()) };
        let params = params.iter().map(|param| select::param("t", param, Table::Reference)).collect();
        let mut sql = Sql::new(&format!("SELECT {COLUMNS} FROM (SELECT DISTINCT t.rid AS rid FROM reference t WHERE "));
        sql.push(Sql::or(params)).text(" AND t.kind = ").bind(i16::try_from(target).unwrap_or(0));
        sql.text(" AND t.id IN ").list(ids.iter().map(ToString::to_string));
        if target == 0 {
            sql.text(
                " AND NOT EXISTS (SELECT 1 FROM reference o WHERE o.rid = t.rid AND o.param = t.param AND o.kind = 0 \
                 AND o.id >= t.id || '|' AND o.id < t.id || '}')",
            );
        }
        sql.text(") d");
        sql.step("resource", "r", Sql::new("r.rid = d.rid")).text(" WHERE r.kind = ");
        sql.bind(i16::try_from(number).unwrap_or(0)).text(" AND r.deleted = 0 AND ");
        sql.push(visible(self.view, source, number, "r", false));
        sql.text(" ORDER BY r.rid LIMIT ").bind(i64::from(limit));
        self.rows(sql).await
    }

    /// The condition of a conditional write: that this search finds `wanted` and
    /// nothing else. It is asked again inside the write's transaction.
    ///
    /// * `rid`: the record that is written.
    pub fn condition(
        &self,
        plan: &Plan,
        hash: [u8; 32],
        rid: i64,
        mut wanted: Vec<i64>,
    ) -> Result<Condition, StoreError> {
        wanted.sort_unstable();
        let mut sql = select::selected(plan, self.view, Sql::new("r.rid, r.id, r.version"))
            .unwrap_or_else(|| Sql::new("SELECT r.rid, r.id, r.version FROM resource r WHERE 1 = 0"));
        let most = i64::try_from(wanted.len() + 1).unwrap_or(i64::MAX).max(2);
        sql.text(" ORDER BY r.rid LIMIT ").bind(most);
        Ok(Condition { hash, matches: sql.statement(self.store.db.backend()), rid, wanted })
    }

    /// The current versions `r` of these records that are visible; `None` if no row of
    /// the type can be.
    pub(super) fn named(&self, kind: &str, ids: &[&str]) -> Option<Sql> {
        let number = self.number(kind)?;
        let mut among = Sql::new("IN ");
        among.list(ids.iter().map(ToString::to_string));
        Some(self.where_id(kind, number, among))
    }

    /// * `id`: what holds of the id.
    fn where_id(&self, kind: &str, number: u16, id: Sql) -> Sql {
        where_id(number, id, visible(self.view, kind, number, "r", false))
    }

    fn number(&self, kind: &str) -> Option<u16> {
        Definitions::embedded().type_number(kind).filter(|_| possible(self.view, kind))
    }

    pub(super) async fn rows(&self, sql: Sql) -> Result<Vec<Stored>, StoreError> {
        let db = &self.store.db;
        let (rows, from) = match self.unconfirmed() {
            None => (db.run(sql, true).await?, 0),
            Some(warrant) if db.asks_beside() => (db.resting(warrant, true, sql).await?, 0),
            Some(warrant) => db.guarded(warrant, true, |guard| guard.over(sql.clone())).await?,
        };
        rows.iter().map(|row| stored(row, from)).collect()
    }

    /// The records of the rows that `chosen` gives as `rid`, and at which column
    /// their own begin.
    ///
    /// * `more`: further columns of `chosen`, which is called `p`.
    /// * `narrow`: it cannot take long.
    async fn fetched(
        &self,
        more: &str,
        chosen: Sql,
        order: &str,
        narrow: bool,
    ) -> Result<(Vec<Row>, usize), StoreError> {
        let columns = format!("{COLUMNS}{more}");
        let db = &self.store.db;
        let rows = match self.unconfirmed() {
            None => db.run(bodies(&columns, chosen, order), narrow).await?,
            Some(warrant) if db.asks_beside() => db.resting(warrant, narrow, bodies(&columns, chosen, order)).await?,
            Some(warrant) => {
                return db.guarded(warrant, narrow, |guard| guard.of(&columns, chosen.clone(), order)).await;
            }
        };
        Ok((rows, 0))
    }

    /// The decision that the next statement must find still standing.
    fn unconfirmed(&self) -> Option<&'a Warrant> {
        self.warrant.filter(|warrant| !warrant.confirmed())
    }
}

/// The current versions `r` of a type.
///
/// * `id`: what holds of the id.
/// * `shown`: which of them.
fn where_id(number: u16, id: Sql, shown: Sql) -> Sql {
    let mut named = Sql::new("r.kind = ");
    named.bind(i16::try_from(number).unwrap_or(0)).text(" AND r.id ").push(id);
    let mut sql = Sql::new(&format!("SELECT {COLUMNS} FROM "));
    sql.first("resource", "r", named).push(shown);
    sql
}

/// `text` and a value that is given later.
fn opened(text: &str) -> Sql {
    let mut sql = Sql::new(text);
    sql.open();
    sql
}

/// `columns` of the records `r` of the rows that `chosen`, called `p`, gives as `rid`.
fn bodies(columns: &str, chosen: Sql, order: &str) -> Sql {
    let mut sql = Sql::new(&format!("SELECT {columns} FROM ("));
    sql.push(chosen).text(") p").step("resource", "r", Sql::new("r.rid = p.rid")).text(order);
    sql
}

/// The rows of several parts of a search as one: ordered and cut off together.
fn together(parts: Vec<Sql>, order: &select::Order, overlap: bool, limit: u32) -> Sql {
    let mut all = Sql::new(if overlap { "SELECT DISTINCT q.* FROM (" } else { "SELECT q.* FROM (" });
    all.push(Sql::union(parts)).text(") q").text(&order.by("q"));
    all.text(" LIMIT ").bind(i64::from(limit) + 1);
    all
}

/// Whether a record may be found by several plans: as such, and for what it contains.
fn overlap(plans: &[Plan]) -> bool {
    plans.len() > 1 && plans.iter().any(|plan| plan.contained.which != Which::Records && !plan.contained.alone)
}

/// Columns before the sort keys.
const KEYS_AT: usize = 14;

/// The rows of a statement as a page, in the order of the search.
///
/// * `found`: if there are more, at least one row more than `limit`; each with the column
///   at which its own begin.
fn page(
    found: &[(&Row, usize)],
    (sort, from, several): (&[SortKey], Option<(&Position, Direction)>, bool),
    limit: u32,
) -> Result<Page, StoreError> {
    let more = found.len() > limit as usize;
    let back = from.is_some_and(|(_, direction)| direction == Direction::Back);
    let mut kept: Vec<(&Row, usize)> = found.iter().take(limit as usize).copied().collect();
    if back {
        kept.reverse();
    }
    let mut rows = Vec::with_capacity(kept.len());
    for (row, at) in &kept {
        rows.push(stored(row, *at)?);
    }
    // In a search for what is contained one row may be there several times.
    let spot = |(row, at): (&Row, usize), rid: i64| {
        if several { row.get::<i64>(at + KEYS_AT + sort.len()) } else { Ok(rid) }
    };
    let spots = kept.iter().zip(&rows).map(|(row, stored)| spot(*row, stored.rid)).collect::<Result<Vec<_>, _>>()?;
    let places = spots.iter().map(|spot| if several { select::place(*spot) } else { 0 }).collect();
    let place = |edge: Option<(&(&Row, usize), &i64)>, beside: i64| -> Result<Option<Position>, StoreError> {
        match (edge, from) {
            (Some(((row, at), spot)), _) => Ok(Some(Position { keys: key_values(row, *at, sort)?, rid: *spot })),
            // All the rows that were there have gone: the way leads over the place itself.
            (None, Some((place, _))) => Ok(Some(Position { keys: place.keys.clone(), rid: place.rid + beside })),
            (None, None) => Ok(None),
        }
    };
    let next = if back || more { place(kept.last().zip(spots.last()), -1)? } else { None };
    let before = if back { more } else { from.is_some() };
    let previous = if before { place(kept.first().zip(spots.first()), 1)? } else { None };
    Ok(Page { rows, places, next, previous, whole: None })
}

fn key_values(row: &Row, from: usize, sort: &[SortKey]) -> Result<Vec<SortValue>, StoreError> {
    let mut values = Vec::new();
    for (number, key) in sort.iter().enumerate() {
        let at = from + KEYS_AT + number;
        let integer = || -> Result<SortValue, StoreError> {
            Ok(row.get::<Option<i64>>(at)?.map_or(SortValue::Absent, SortValue::Integer))
        };
        let text = || -> Result<SortValue, StoreError> {
            Ok(row.get::<Option<String>>(at)?.map_or(SortValue::Absent, SortValue::Text))
        };
        values.push(match &key.by {
            SortBy::Updated => integer()?,
            SortBy::Id => text()?,
            SortBy::Indexed { column: SortColumn::Date, .. } => integer()?,
            SortBy::Indexed { column: SortColumn::Number | SortColumn::Quantity, .. } => {
                row.get::<Option<f64>>(at)?.map_or(SortValue::Absent, SortValue::Real)
            }
            SortBy::Indexed { .. } => text()?,
        });
    }
    Ok(values)
}
