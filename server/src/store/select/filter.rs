//! A [`Filter`] → a condition on one row.
//!
//! A chain goes from a row to others, which take part only if the view shows
//! them and they are not deleted: a hidden row is like none at every step, or
//! asking for it would tell of it.

use techo_profiles::Definitions;

use crate::consent::view::View;
use crate::search::contained::{MARK, STEP, held};
use crate::search::plan::{Circle, Filter, Match, Together};
use crate::search::row::{ParamKey, Table};
use crate::store::sql::Sql;
use crate::store::visible::{possible, visible};

use super::compartment;
use super::matching::{by_table, name, one_of, one_of_row, param};

/// Whose eyes a statement looks through.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    /// For what is searched.
    pub(super) view: &'a View,
    /// For what chains lead to: of what is shown only for who the caller is, no
    /// element but the name may be asked.
    pub(super) beside: &'a View,
}

/// A row of `resource` in a statement: `r`, and `r1`, `r2`, … for what chains lead to.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) depth: usize,
    /// The number of its type.
    pub(super) kind: u16,
    /// It is a row `c` of `contained` instead.
    pub(super) held: bool,
}

impl Row {
    /// What the statement calls it.
    pub(super) fn name(self) -> String {
        let letter = if self.held { "c" } else { "r" };
        if self.depth == 0 { letter.to_owned() } else { format!("{letter}{}", self.depth) }
    }

    /// A row of type `kind` one step on.
    pub(super) fn next(self, kind: u16) -> Self {
        Self { depth: self.depth + 1, kind, held: false }
    }

    /// Its type's number as the database has it.
    pub(super) fn key(self) -> i16 {
        i16::try_from(self.kind).unwrap_or(0)
    }
}

impl Scene<'_> {
    /// The row is of its type, there, and shown; `None` if no row of the type can be.
    pub(super) fn shown(self, row: Row) -> Option<Sql> {
        let view = if row.depth == 0 { self.view } else { self.beside };
        let kind = Definitions::embedded().type_name(row.kind).filter(|kind| possible(view, kind))?;
        let r = row.name();
        let mut sql = Sql::new(&format!("{r}.kind = "));
        sql.bind(row.key()).text(" AND ").push(self.there(&r)).text(" AND ");
        sql.push(visible(view, kind, row.kind, &r, false));
        Some(sql)
    }

    /// The row is not deleted. What its publisher withdrew is still the citizen's to find.
    pub(super) fn there(self, r: &str) -> Sql {
        Sql::new(&format!("{r}.deleted {}", if self.view.citizens_side() { "<> 1" } else { "= 0" }))
    }

    /// All of these hold of the row, but for those at `except`.
    pub(super) fn conditions(self, filters: &[Filter], row: Row, except: &[usize]) -> Sql {
        let others = filters.iter().enumerate().filter(|(number, _)| !except.contains(number));
        Sql::and(others.map(|(_, filter)| self.condition(filter, row)).collect())
    }

    /// The filter holds of the row.
    fn condition(self, filter: &Filter, row: Row) -> Sql {
        let r = row.name();
        match filter {
            Filter::Id { any, negated } => {
                let mut sql = Sql::new(&format!("{r}.id {}IN ", if *negated { "NOT " } else { "" }));
                sql.list(any.iter().map(ToString::to_string));
                sql
            }
            Filter::Updated { any } => {
                // What is contained was changed with what holds it.
                let r = if row.held { Row { held: false, ..row }.name() } else { r };
                let within = |span: &std::ops::Range<i64>| {
                    let mut sql = Sql::new(&format!("({r}.updated >= "));
                    sql.bind(span.start).text(&format!(" AND {r}.updated < ")).bind(span.end).text(")");
                    sql
                };
                Sql::or(any.iter().map(within).collect())
            }
            Filter::Indexed { param, any, negated } => {
                let has = |(table, same): (Table, Vec<&Match>)| probe(&r, table, param, Some(one_of_row("t", &same)));
                not_if(*negated, Sql::or(by_table(any).into_iter().map(has).collect()))
            }
            Filter::Missing { parts, missing } => {
                let there = match &parts[..] {
                    [(param, tables)] => tables.iter().map(|table| probe(&r, *table, param, None)).collect(),
                    parts => Parts::there(parts).into_iter().map(|parts| parts.probe(&r)).collect(),
                };
                not_if(*missing, Sql::or(there))
            }
            Filter::Unequal { param, any } => {
                let has = |(table, same): (Table, Vec<&Match>)| {
                    // A system that is nowhere has no number: NULL, and not equal.
                    let mut other = Sql::new("NOT COALESCE(");
                    other.push(one_of("t", &same)).text(", 1 = 0)");
                    probe(&r, table, param, Some(other))
                };
                Sql::or(by_table(any).into_iter().map(has).collect())
            }
            Filter::Chain { param, target, by, filters } => {
                let next = row.next(*target);
                let place = by.place.then(|| self.chained(param, filters, row, next));
                let address = by.address.as_ref().map(|one| self.addressed((param, one), filters, row, next));
                let held = held(filters).filter(|_| by.within);
                let within = held.map(|filters| self.chained_within(param, &filters, row, *target));
                Sql::or(place.into_iter().chain(address).chain(within).collect())
            }
            Filter::Has { source, param, by, filters } if row.held => {
                let holder = self.held_by(param, filters, row, row.next(*source));
                let held = held(filters).filter(|_| by.within);
                let beside = held.map(|filters| self.held_beside(param, &filters, row, *source));
                Sql::or([holder].into_iter().chain(beside).collect())
            }
            Filter::Has { source, param, by, filters } => {
                let next = row.next(*source);
                let place = by.place.then(|| self.referred(param, filters, row, next));
                let address = by.address.as_ref().map(|one| self.addressing((param, one), filters, row, next));
                Sql::or(place.into_iter().chain(address).collect())
            }
            Filter::Together { any } => Sql::or(any.iter().flat_map(together).map(|parts| parts.probe(&r)).collect()),
            Filter::Near { params, any } => {
                Sql::or(any.iter().map(|circle| Parts::near(params, circle).probe(&r)).collect())
            }
            Filter::Compartment { of, kind, id, params } => {
                let mut sql = Sql::default();
                sql.either(&format!("{r}.rid IN ("), "EXISTS (SELECT 1 FROM (");
                sql.push(compartment::rows(*of, (*kind, id), params));
                sql.either(")", &format!(") m WHERE m.rid = {r}.rid OFFSET 0)"));
                sql
            }
            Filter::Related { .. } => self.related(&r, filter).unwrap_or_else(|| Sql::new("1 = 0")),
            Filter::Words { everything, sought } => self.says(row, *everything, sought),
            Filter::Told => self.told(&r, row),
            Filter::Any(parts) => Sql::or(parts.iter().map(|part| self.condition(part, row)).collect()),
            Filter::All(parts) => self.conditions(parts, row, &[]),
            Filter::Not(part) => not_if(true, self.condition(part, row)),
        }
    }

    /// The row refers by `reference` to a row `next` for which the filters hold.
    fn chained(self, reference: &str, filters: &[Filter], row: Row, next: Row) -> Sql {
        let Some(shown) = self.shown(next) else { return Sql::new("1 = 0") };
        let (r, n, f) = (row.name(), next.name(), format!("f{}", next.depth));
        let mut own = Sql::new(&format!("{f}.rid = {r}.rid AND "));
        own.push(param(&f, reference, Table::Reference)).text(&placed(reference, &f, &r));
        let mut named = Sql::new(&format!("{n}.kind = "));
        named.bind(next.key()).text(&format!(" AND {n}.id = {f}.id"));
        let mut kind = Sql::new(&format!("{f}.kind = "));
        kind.bind(next.key());
        let mut inner = Sql::default();
        inner
            .pair(("reference", &f, own), ("resource", &n, named))
            .text(" WHERE ")
            .push(kind)
            .text(" AND ")
            .push(shown);
        inner.text(" AND ").push(self.conditions(filters, next, &[]));
        let mut sql = Sql::default();
        sql.exists(inner);
        sql
    }

    /// A row `next` for which the filters hold refers by `reference` to the row.
    fn referred(self, reference: &str, filters: &[Filter], row: Row, next: Row) -> Sql {
        let Some(shown) = self.shown(next) else { return Sql::new("1 = 0") };
        let (r, n, f) = (row.name(), next.name(), format!("f{}", next.depth));
        let mut naming = param(&f, reference, Table::Reference);
        naming.text(&format!(" AND {f}.kind = ")).bind(row.key()).text(&format!(" AND {f}.id = {r}.id"));
        let of_it = Sql::new(&format!("{n}.rid = {f}.rid"));
        let mut inner = Sql::default();
        inner.pair(("reference", &f, naming), ("resource", &n, of_it)).text(" WHERE ").push(shown);
        inner.text(" AND ").push(self.conditions(filters, next, &[]));
        let mut sql = Sql::default();
        sql.exists(inner);
        sql
    }
}

fn not_if(negated: bool, inner: Sql) -> Sql {
    let mut sql = Sql::new(if negated { "NOT " } else { "" });
    sql.push(inner);
    sql
}

/// ` AND` the row `t` of this index is of the contained resource `r`, if it is an
/// index of such.
pub(super) fn placed(index: &str, t: &str, r: &str) -> String {
    if index.ends_with(MARK) {
        format!(" AND {t}.grp BETWEEN {r}.place AND {r}.place + {}", STEP - 1)
    } else {
        String::new()
    }
}

/// The index has a row for `r`.
pub(super) fn probe(r: &str, table: Table, index: &str, conditions: Option<Sql>) -> Sql {
    // A span is looked for among the row's own index rows: the plus keeps SQLite from
    // reading all rows of the parameter instead, each time.
    let t = if matches!(table, Table::Date | Table::Number | Table::Quantity) { "+t" } else { "t" };
    let mut own = Sql::new(&format!("t.rid = {r}.rid AND "));
    own.push(param(t, index, table)).text(&placed(index, "t", r));
    let mut inner = Sql::default();
    inner.first(name(table), "t", own).push(conditions.unwrap_or_else(|| Sql::new("1 = 1")));
    let mut sql = Sql::default();
    sql.exists(inner);
    sql
}

/// Index rows `t0`, `t1`, … with one and the same `rid` and `grp`.
pub(super) struct Parts {
    tables: Vec<Table>,
    conditions: Vec<Sql>,
    /// One of the indexes.
    index: ParamKey,
}

/// One composite value: alternatives by the tables that its parts' rows may be in.
pub(super) fn together(parts: &Together) -> Vec<Parts> {
    let each = parts.iter().enumerate().map(|(number, (index, any))| {
        let t = format!("t{number}");
        let choice =
            |(table, same): (Table, Vec<&Match>)| (table, Sql::and(vec![param(&t, index, table), one_of(&t, &same)]));
        (index, by_table(any).into_iter().map(choice).collect())
    });
    Parts::alternatives(each)
}

impl Parts {
    /// All the parts of a composite, whatever their values.
    fn there(parts: &[(ParamKey, &'static [Table])]) -> Vec<Self> {
        let each = parts.iter().enumerate().map(|(number, (index, tables))| {
            let t = format!("t{number}");
            (index, tables.iter().map(|table| (*table, param(&t, index, *table))).collect())
        });
        Self::alternatives(each)
    }

    /// * `each`: of a part its index, and by table what is asked of its row.
    fn alternatives<'k>(each: impl Iterator<Item = (&'k ParamKey, Vec<(Table, Sql)>)>) -> Vec<Self> {
        let mut all = vec![Self { tables: Vec::new(), conditions: Vec::new(), index: "".into() }];
        for (index, choices) in each {
            let with = |parts: &Self| {
                let more = |(table, condition): &(Table, Sql)| Self {
                    tables: [&parts.tables[..], &[*table]].concat(),
                    conditions: [&parts.conditions[..], std::slice::from_ref(condition)].concat(),
                    index: index.clone(),
                };
                choices.iter().map(more).collect::<Vec<_>>()
            };
            all = all.iter().flat_map(with).collect();
        }
        all
    }

    /// A latitude and a longitude within the circle.
    ///
    /// On a sphere, by the cosine at the middle latitude, which is written as a
    /// series around the centre's: databases need not know trigonometry. Within
    /// the radius that a query may ask for the error is below one in a thousand.
    pub(super) fn near(params: &[ParamKey; 2], circle: &Circle) -> Self {
        let Circle { latitude, longitude, degrees } = *circle;
        let (sine, cosine) = latitude.to_radians().sin_cos();
        let mut box_of = Sql::new("t0.low >= ");
        box_of.bind(latitude - degrees).text(" AND t0.low <= ").bind(latitude + degrees);
        let mut east = Sql::new("CASE WHEN ABS(t1.low - ");
        east.bind(longitude).text(") > 180 THEN 360 - ABS(t1.low - ").bind(longitude);
        east.text(") ELSE ABS(t1.low - ").bind(longitude).text(") END");
        // Half the way north, in radians.
        let half = |sql: &mut Sql| {
            sql.text("((t0.low - ").bind(latitude).text(") * ").bind(std::f64::consts::PI / 360.0).text(")");
        };
        let mut middle = Sql::new("(");
        middle.bind(cosine).text(" * (1 - ");
        half(&mut middle);
        middle.text(" * ");
        half(&mut middle);
        middle.text(" / 2) - ").bind(sine).text(" * ");
        half(&mut middle);
        middle.text(")");
        let mut within = Sql::new("(t0.low - ");
        within.bind(latitude).text(") * (t0.low - ").bind(latitude).text(") + (").push(east.clone()).text(") * ");
        within.push(middle.clone()).text(" * (").push(east).text(") * ").push(middle);
        within.text(" <= ").bind(degrees * degrees);
        let conditions = vec![
            Sql::and(vec![param("t0", &params[0], Table::Number), box_of]),
            Sql::and(vec![param("t1", &params[1], Table::Number), within]),
        ];
        Self { tables: vec![Table::Number; 2], conditions, index: params[0].clone() }
    }

    /// The row has such rows.
    fn probe(self, r: &str) -> Sql {
        let mut sql = Sql::default();
        sql.exists(self.joined(Some(r)));
        sql
    }

    /// The row numbers of all that have such rows.
    pub(super) fn set(self) -> Sql {
        let mut sql = Sql::new("SELECT DISTINCT t0.rid AS rid FROM ");
        sql.push(self.joined(None));
        sql
    }

    /// `t0 CROSS JOIN t1 … WHERE …`: of the row `r`, or of any.
    fn joined(self, r: Option<&str>) -> Sql {
        let mut parts = self.tables.iter().zip(self.conditions).enumerate();
        let mut sql = Sql::default();
        let Some((_, (first, condition))) = parts.next() else { return sql };
        match r {
            Some(r) => sql.either(&format!("{} t0", name(*first)), &own_rows(*first, "t0", r)),
            None => sql.text(&format!("{} t0", name(*first))),
        };
        let mut conditions = vec![condition];
        if let Some(r) = r {
            conditions.push(Sql::new(&format!("t0.rid = {r}.rid{}", placed(&self.index, "t0", r))));
        }
        for (number, (table, condition)) in parts {
            let t = format!("t{number}");
            sql.step(name(*table), &t, Sql::new(&format!("{t}.rid = t0.rid AND {t}.grp = t0.grp")));
            conditions.push(condition);
        }
        sql.text(" WHERE ").push(Sql::and(conditions));
        sql
    }
}

/// The index rows of `r`, on PostgreSQL, and no others whatever is asked of them.
fn own_rows(table: Table, t: &str, r: &str) -> String {
    format!("(SELECT * FROM {} {t} WHERE {t}.rid = {r}.rid OFFSET 0) {t}", name(table))
}
