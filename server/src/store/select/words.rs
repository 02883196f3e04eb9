//! Full text: whether what is looked for stands in a record's words.
//!
//! A record's words are one row, which is looked at when the rest of the search has
//! come down to the record: two signs of Japanese are too little to drive by. What
//! must be read for that is bounded by the time that a search may take.

use techo_profiles::Definitions;

use crate::search::plan::Place;
use crate::store::sql::Sql;
use crate::store::visible::visible_as;

use super::filter::{Row, Scene};
use super::matching::part;

impl Scene<'_> {
    /// The row says this: in its narrative, or anywhere.
    pub(super) fn says(self, row: Row, everything: bool, sought: &str) -> Sql {
        let r = row.name();
        let has = |column: &str| {
            let mut its = Sql::new(&format!("words w WHERE w.rid = {r}.rid AND "));
            its.push(part(column, Place::Within, sought));
            let mut sql = Sql::default();
            sql.exists(its);
            sql
        };
        let narrative = Sql::and(vec![has("w.narrative"), self.tells(&r, row)]);
        if everything { Sql::or(vec![has("w.content"), narrative]) } else { narrative }
    }

    /// The caller would get the narrative: nothing that she cannot see is named beside
    /// it, or its names are no secret to her. Whoever can search for what is named can
    /// also read its name: this is never less strict than what is taken out.
    fn tells(self, r: &str, row: Row) -> Sql {
        let whole = self.view.whole();
        let mut sql = Sql::new(&format!("({r}.several = 0 AND ({r}.citizen IS NULL OR {r}.citizen IN "));
        sql.list(whole.citizens.iter().copied()).text(")");
        if let Some(custodian) = whole.custodian {
            sql.text(&format!(" OR {r}.custodian = ")).bind(custodian);
        }
        let (x, y) = (format!("{r}x"), format!("{r}y"));
        sql.text(&format!(" OR NOT EXISTS (SELECT 1 FROM named {x} WHERE {x}.rid = {r}.rid AND NOT EXISTS ("));
        sql.text(&format!("SELECT 1 FROM resource {y} WHERE {y}.kind = {x}.kind AND {y}.id = {x}.id AND "));
        let view = if row.depth == 0 { self.view } else { self.beside };
        let kinds = Definitions::embedded().resource_types().iter().map(|kind| &**kind);
        sql.push(visible_as(&y, view, kinds).unwrap_or_else(|| Sql::new("1 = 0"))).text(")))");
        sql
    }
}
