//! Steps of chains by canonical URL: from a record to what has that `url`, and back.
//!
//! A record that names `http://x/Q|2` has index rows for that and for `http://x/Q`
//! ([`crate::search::address`]). The one without the version is joined with the target's
//! `url`; then no row beside it may name a version, or one must name the target's. Both
//! ends of a step are records, shown like those of any other.

use crate::search::address::Address;
use crate::search::plan::Filter;
use crate::search::row::Table;
use crate::store::sql::Sql;

use super::filter::{Row, Scene, placed};
use super::matching::param;

impl Scene<'_> {
    /// The row names by canonical URL a row `next` for which the filters hold.
    pub(super) fn addressed(
        self,
        (reference, address): (&str, &Address),
        filters: &[Filter],
        row: Row,
        next: Row,
    ) -> Sql {
        let Some(shown) = self.shown(next) else { return Sql::new("1 = 0") };
        let (r, n, names) = (row.name(), next.name(), Names::of(next));
        let (f, a) = (&names.reference, &names.url);
        let mut own = Sql::new(&format!("{f}.rid = {r}.rid AND "));
        own.push(names.refers(reference)).text(&placed(reference, f, &r));
        let mut url = param(a, &address.url, Table::Uri);
        url.text(&format!(" AND {a}.value = {f}.id"));
        let mut inner = Sql::default();
        inner.pair(("reference", f, own), ("uri", a, url));
        inner.step("resource", &n, Sql::new(&format!("{n}.rid = {a}.rid"))).text(" WHERE ").push(shown);
        inner.text(" AND ").push(names.of_version(address, &n));
        inner.text(" AND ").push(self.conditions(filters, next, &[]));
        let mut sql = Sql::default();
        sql.exists(inner);
        sql
    }

    /// A row `next` for which the filters hold names the row by canonical URL.
    pub(super) fn addressing(
        self,
        (reference, address): (&str, &Address),
        filters: &[Filter],
        row: Row,
        next: Row,
    ) -> Sql {
        let Some(shown) = self.shown(next) else { return Sql::new("1 = 0") };
        let (r, n, names) = (row.name(), next.name(), Names::of(next));
        let (f, a) = (&names.reference, &names.url);
        let mut own = Sql::new(&format!("{a}.rid = {r}.rid AND "));
        own.push(param(a, &address.url, Table::Uri));
        let mut naming = names.refers(reference);
        naming.text(&format!(" AND {f}.id = {a}.value"));
        let mut inner = Sql::default();
        inner.pair(("uri", a, own), ("reference", f, naming));
        inner.step("resource", &n, Sql::new(&format!("{n}.rid = {f}.rid"))).text(" WHERE ").push(shown);
        inner.text(" AND ").push(names.of_version(address, &r));
        inner.text(" AND ").push(self.conditions(filters, next, &[]));
        let mut sql = Sql::default();
        sql.exists(inner);
        sql
    }

    /// From the targets to what names them.
    pub(super) fn addressed_set(
        self,
        (reference, address): (&str, &Address),
        filters: &[Filter],
        next: Row,
    ) -> Option<Sql> {
        let (n, names) = (next.name(), Names::of(next));
        let (f, a) = (&names.reference, &names.url);
        let (mut from, conditions) = self.rows_of(filters, next)?;
        let mut own = Sql::new(&format!("{a}.rid = {n}.rid AND "));
        own.push(param(a, &address.url, Table::Uri));
        let mut naming = names.refers(reference);
        naming.text(&format!(" AND {f}.id = {a}.value"));
        from.step("uri", a, own).step("reference", f, naming);
        let mut sql = Sql::new(&format!("SELECT DISTINCT {f}.rid AS rid FROM "));
        sql.push(from).text(" WHERE ").push(conditions).text(" AND ").push(names.of_version(address, &n));
        Some(sql)
    }

    /// From the sources to what they name.
    pub(super) fn addressing_set(
        self,
        (reference, address): (&str, &Address),
        filters: &[Filter],
        next: Row,
    ) -> Option<Sql> {
        let (n, names) = (next.name(), Names::of(next));
        let (f, a) = (&names.reference, &names.url);
        let (mut from, conditions) = self.rows_of(filters, next)?;
        let mut own = Sql::new(&format!("{f}.rid = {n}.rid AND "));
        own.push(names.refers(reference));
        let mut url = param(a, &address.url, Table::Uri);
        url.text(&format!(" AND {a}.value = {f}.id"));
        from.step("reference", f, own).step("uri", a, url);
        let mut sql = Sql::new(&format!("SELECT DISTINCT {a}.rid AS rid FROM "));
        sql.push(from).text(" WHERE ").push(conditions).text(" AND ").push(names.of_version(address, a));
        Some(sql)
    }
}

/// What a statement calls the index rows of a step.
struct Names {
    reference: String,
    url: String,
    depth: usize,
}

impl Names {
    fn of(next: Row) -> Self {
        let depth = next.depth;
        Self { reference: format!("f{depth}"), url: format!("a{depth}"), depth }
    }

    /// The reference is of this index, and may be a URL without a version.
    fn refers(&self, reference: &str) -> Sql {
        let f = &self.reference;
        let mut sql = param(f, reference, Table::Reference);
        sql.text(&format!(" AND {f}.kind = 0 AND {f}.id LIKE '%:%' AND {f}.id NOT LIKE '%|%'"));
        sql
    }

    /// Where the record named a version, it is that of the row `target`.
    fn of_version(&self, address: &Address, target: &str) -> Sql {
        let (f, o) = (&self.reference, format!("o{}", self.depth));
        let beside = format!("{o}.rid = {f}.rid AND {o}.param = {f}.param AND {o}.kind = 0 AND {o}.grp = {f}.grp");
        let mut any = Sql::default();
        any.exists(Sql::new(&format!(
            "reference {o} WHERE {beside} AND {o}.id >= {f}.id || '|' AND {o}.id < {f}.id || '}}'"
        )));
        let mut none = Sql::new("NOT ");
        none.push(any);
        let Some(version) = &address.version else { return none };
        let (v, y) = (format!("v{}", self.depth), format!("y{}", self.depth));
        let mut own = Sql::new(&format!("{v}.rid = {target}.rid AND "));
        own.push(param(&v, version, Table::Token));
        let mut inner = Sql::default();
        inner.pair(("token", &v, own), ("code", &y, Sql::new(&format!("{y}.id = {v}.code"))));
        inner.step("reference", &o, Sql::new(&format!("{beside} AND {o}.id = {f}.id || '|' || {y}.code")));
        let mut its = Sql::default();
        its.exists(inner);
        Sql::or(vec![none, its])
    }
}
