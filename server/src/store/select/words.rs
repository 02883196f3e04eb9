//! Full text: whether what is looked for stands in a record's words.
//!
//! A record's words are one row, which is looked at when the rest of the search has
//! come down to the record: two signs of Japanese are too little to drive by. What
//! must be read for that is bounded by the time that a search may take.

use techo_profiles::Definitions;

use crate::search::plan::{Place, Sought};
use crate::store::sql::Sql;
use crate::store::visible::{covered, number, visible_as};

use super::filter::{Row, Scene};
use super::matching::part;

impl Scene<'_> {
    /// The row says this: in its narrative, or anywhere. Whether the narrative counts
    /// is written once, however many words are sought.
    pub(super) fn says(self, row: Row, everything: bool, sought: &Sought) -> Sql {
        let r = row.name();
        let mut said = Sql::new("(SELECT v.content AS content, CASE WHEN ");
        said.push(self.tells(&r, row)).text(" THEN v.narrative ELSE '' END AS narrative FROM words v ");
        // What says nothing has no row: of that a negation holds.
        let negated = sought.holds_of_nothing();
        said.text(&format!("WHERE v.rid = {r}.rid) w WHERE ")).text(if negated { "NOT " } else { "" });
        said.push(stands(everything, sought));
        let mut sql = Sql::new(if negated { "NOT " } else { "" });
        sql.exists(said);
        sql
    }

    /// The caller would get the identifiers of its references; those of what is contained, if
    /// they would stay in its holder.
    pub(super) fn told(self, r: &str, row: Row) -> Sql {
        if !row.held {
            return self.tells(r, row);
        }
        let holder = format!("{r}h");
        let mut of_it = Sql::new(&format!("resource {holder} WHERE {holder}.rid = {r}.rid AND "));
        of_it.push(self.tells(&holder, row));
        let mut sql = Sql::default();
        sql.exists(of_it);
        sql
    }

    /// The caller would get the narrative, and the identifiers of references: nothing that
    /// she cannot see is named beside them, or its names are no secret to her. Whoever can
    /// search for what is named can also read its name: this is never less strict than what
    /// is taken out.
    fn tells(self, r: &str, row: Row) -> Sql {
        let whole = self.view.whole();
        let mut sql = Sql::new("(");
        sql.push(covered(self.view, r));
        let (x, y) = (format!("{r}x"), format!("{r}y"));
        sql.text(&format!(" OR NOT EXISTS (SELECT 1 FROM named {x} WHERE {x}.rid = {r}.rid"));
        if let Some(patient) = &whole.patient {
            sql.text(&format!(" AND NOT ({x}.kind = ")).bind(number("Patient"));
            sql.text(&format!(" AND {x}.id = ")).bind(patient.to_string()).text(")");
        }
        sql.text(" AND NOT EXISTS (");
        sql.text(&format!(
            "SELECT 1 FROM resource {y} WHERE {y}.kind = {x}.kind AND {y}.id = {x}.id AND {y}.deleted = 0 AND "
        ));
        let view = if row.depth == 0 { self.view } else { self.beside };
        let kinds = Definitions::embedded().resource_types().iter().map(|kind| &**kind);
        sql.push(visible_as(&y, view, kinds).unwrap_or_else(|| Sql::new("1 = 0"))).text(")))");
        sql
    }
}

/// What is sought stands in the words `w`.
fn stands(everything: bool, sought: &Sought) -> Sql {
    let each = |parts: &[Sought]| parts.iter().map(|part| stands(everything, part)).collect();
    match sought {
        Sought::Part(text) => {
            let columns = if everything { &["w.content", "w.narrative"][..] } else { &["w.narrative"] };
            Sql::or(columns.iter().map(|column| part(column, Place::Within, text)).collect())
        }
        Sought::All(parts) => Sql::and(each(parts)),
        Sought::Any(parts) => Sql::or(each(parts)),
        Sought::Not(inner) => {
            let mut sql = Sql::new("(NOT ");
            sql.push(stands(everything, inner)).text(")");
            sql
        }
    }
}
