//! Which profiles, security labels and tags are in use, as far as the view shows:
//! from the indexes of `_profile`, `_security` and `_tag`.
//!
//! A caller who sees few people's records is answered from those. Anybody else is
//! answered value by value: each that is there is looked for once among the visible.

use crate::consent::view::CitizenKey;

use super::error::StoreError;
use super::reader::Reader;
use super::sql::Sql;
use super::visible::{few_citizens, possible, visible_among};

/// A value with its system, which a profile does not have.
pub type InUse = (Option<String>, String);

/// What of `meta` is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// `meta.profile`
    Profile,
    /// `meta.security`
    Security,
    /// `meta.tag`
    Tag,
}

impl Listed {
    fn param(self) -> &'static str {
        match self {
            Self::Profile => "_profile",
            Self::Security => "_security",
            Self::Tag => "_tag",
        }
    }

    /// The index, its column, the columns of a value named by `v`, and what they are joined from.
    fn table(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Profile => ("uri", "value", "NULL, v.value", ""),
            Self::Security | Self::Tag => {
                ("token", "code", "s.uri, c.code", " JOIN code c ON c.id = v.code JOIN system s ON s.id = c.system")
            }
        }
    }
}

impl Reader<'_> {
    /// The values in use with records of these types, sorted.
    pub async fn in_use(&self, listed: Listed, kinds: &[&str]) -> Result<Vec<InUse>, StoreError> {
        let mut citizens: Vec<CitizenKey> = Vec::new();
        let (mut of_few, mut others) = (Vec::new(), Vec::new());
        for kind in kinds.iter().copied().filter(|kind| possible(self.view(), kind)) {
            match few_citizens(self.view(), kind) {
                Some(few) => {
                    citizens.extend(few);
                    of_few.push(kind);
                }
                None => others.push(kind),
            }
        }
        citizens.sort_unstable();
        citizens.dedup();
        let mut found = Vec::new();
        for sql in [self.of_people(listed, &of_few, &citizens), self.of_anybody(listed, &others)].into_iter().flatten()
        {
            for row in self.values(sql).await? {
                let system: Option<String> = row.get(0)?;
                found.push((system.filter(|uri| !uri.is_empty()), row.get(1)?));
            }
        }
        found.sort();
        found.dedup();
        Ok(found)
    }

    fn of_people(&self, listed: Listed, kinds: &[&str], citizens: &[CitizenKey]) -> Option<Sql> {
        let visible = visible_among(self.view(), kinds.iter().copied())?;
        let (table, _, columns, joined) = listed.table();
        let mut sql = Sql::new(&format!(
            "SELECT DISTINCT {columns} FROM (SELECT o.rid AS rid FROM resource o WHERE o.citizen IN "
        ));
        sql.list(citizens.iter().copied()).text(" UNION SELECT b.rid FROM subject b WHERE b.citizen IN ");
        sql.list(citizens.iter().copied());
        sql.text(") d").step("resource", "r", Sql::new("r.rid = d.rid"));
        sql.step(table, "v", Sql::new("v.rid = r.rid")).text(joined).text(" WHERE v.param");
        sql.among(params(listed, kinds)).text(" AND ").push(self.found()).text(" AND ").push(visible);
        Some(sql)
    }

    fn of_anybody(&self, listed: Listed, kinds: &[&str]) -> Option<Sql> {
        let visible = visible_among(self.view(), kinds.iter().copied())?;
        let (table, column, columns, joined) = listed.table();
        // From each value the next, by the index's own order: as many steps as there are values.
        let mut sql = Sql::new(&format!(
            "WITH RECURSIVE v(param, {column}) AS (SELECT p.id, (SELECT MIN(t.{column}) FROM {table} t WHERE t.param = p.id) \
             FROM parameter p WHERE p.id"
        ));
        sql.among(params(listed, kinds));
        sql.text(&format!(
            " UNION ALL SELECT v.param, (SELECT MIN(t.{column}) FROM {table} t WHERE t.param = v.param AND t.{column} > v.{column}) \
             FROM v WHERE v.{column} IS NOT NULL) \
             SELECT DISTINCT {columns} FROM v{joined} WHERE "
        ));
        let having = Sql::new(&format!("t.param = v.param AND t.{column} = v.{column}"));
        let mut inner = Sql::default();
        inner.pair((table, "t", having), ("resource", "r", Sql::new("r.rid = t.rid"))).text(" WHERE ");
        inner.push(self.found()).text(" AND ").push(visible);
        sql.exists(inner);
        Some(sql)
    }
}

fn params(listed: Listed, kinds: &[&str]) -> Sql {
    let mut sql = Sql::new("SELECT id FROM parameter WHERE name IN ");
    sql.list(kinds.iter().map(|kind| format!("{kind}.{}", listed.param())));
    sql
}
