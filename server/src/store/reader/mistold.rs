//! The short conditions that PostgreSQL is asked first, against the whole one.

use super::super::error::StoreError;
use super::super::select;
use super::super::sql::Sql;
use super::super::visible::{intricate, plainly, visible};
use super::{Reader, Stored, where_id};

impl Reader<'_> {
    /// Of these records those of which a short condition tells another thing than
    /// [`visible`], though [`intricate`] does not own to it; and
    /// the intricate ones that are hidden and that no second statement is asked about.
    pub(crate) async fn mistold(&self, kind: &str, ids: &[&str]) -> Result<[Vec<Stored>; 2], StoreError> {
        let Some(number) = self.number(kind) else { return Ok(<[Vec<Stored>; 2]>::default()) };
        let among = || {
            let mut among = Sql::new("IN ");
            among.list(ids.iter().map(ToString::to_string));
            among
        };
        let told = |text: &str| {
            let mut sql = Sql::new("(");
            for word in text.split(' ') {
                match word {
                    "shown" => sql.push(visible(self.view, kind, number, "r", false)),
                    "plain" => sql.push(plainly(self.view, kind, number, "r")),
                    "perhaps" => sql.text("(").push(select::perhaps_shown(number, self.view)).text(")"),
                    "intricate" => sql.push(intricate("r")),
                    other => sql.text(&format!(" {other} ")),
                };
            }
            sql.text(")");
            where_id(number, among(), sql)
        };
        let wrong = "plain AND NOT shown OR NOT intricate AND shown AND NOT plain \
                     OR shown AND NOT perhaps OR NOT intricate AND perhaps AND NOT shown";
        Ok([self.rows(told(wrong)).await?, self.rows(told("intricate AND NOT perhaps")).await?])
    }
}
