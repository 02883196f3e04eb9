//! What stands above a record or below it, of its own type.
//!
//! A step is taken from the record that tells of it, the part, and only where the
//! caller sees that record: whoever does not, does not learn of what it is a part.
//! A record that is reached again leads no further, so that a circle ends; how far a
//! hierarchy goes is bounded by the time that a search may take.

use techo_profiles::Definitions;

use crate::search::plan::Filter;
use crate::search::row::Table;
use crate::store::sql::Sql;
use crate::store::visible::{possible, visible};

use super::filter::{Scene, probe};
use super::matching::param;

impl Scene<'_> {
    /// The row `r` refers to the record, or to one above or below it.
    pub(super) fn related(self, r: &str, filter: &Filter) -> Option<Sql> {
        let Filter::Related { param, kind, .. } = filter else { return None };
        let mut sql = Sql::new(&format!("t.kind = {} AND t.id", number(*kind)));
        sql.among(self.standing(filter)?);
        Some(probe(r, Table::Reference, param, Some(sql)))
    }

    /// All rows that do.
    pub(super) fn related_set(self, filter: &Filter) -> Option<Sql> {
        let Filter::Related { param: index, kind, .. } = filter else { return None };
        let mut own = param("t", index, Table::Reference);
        own.text(&format!(" AND t.kind = {} AND t.id = d.id", number(*kind)));
        let mut sql = Sql::new("SELECT DISTINCT t.rid AS rid FROM (");
        sql.push(self.standing(filter)?).text(") d").step("reference", "t", own);
        Some(sql)
    }

    /// `SELECT id`: the record, and those above or below it.
    fn standing(self, filter: &Filter) -> Option<Sql> {
        let Filter::Related { kind, id, by, up, .. } = filter else { return None };
        let number = number(*kind);
        let mut steps = Sql::default();
        // A bound text has no collation of its own, which PostgreSQL wants the same in all rows.
        steps.text("WITH RECURSIVE h(id) AS (SELECT ").either("", "CAST(").bind(&**id);
        steps.either("", " AS TEXT) COLLATE \"C\"");
        if let Some(told) = Definitions::embedded().type_name(*kind).filter(|kind| possible(self.beside, kind)) {
            let own = |column: &str| Sql::new(&format!("v.kind = {number} AND v.{column}"));
            let mut parent = param("g", by, Table::Reference);
            parent.text(&format!(" AND g.kind = {number}"));
            if *up {
                parent.text(" AND g.rid = v.rid");
                let mut row = own("id");
                row.text(" = h.id");
                steps.text(" UNION SELECT g.id FROM h").step("resource", "v", row).step("reference", "g", parent);
            } else {
                parent.text(" AND g.id = h.id");
                let mut row = own("rid");
                row.text(" = g.rid");
                steps.text(" UNION SELECT v.id FROM h").step("reference", "g", parent).step("resource", "v", row);
            }
            steps.text(" WHERE ").push(self.there("v")).text(" AND ");
            steps.push(visible(self.beside, told, *kind, "v", false));
        }
        steps.text(") SELECT id FROM h");
        Some(steps)
    }
}

fn number(kind: u16) -> i16 {
    i16::try_from(kind).unwrap_or(0)
}
