//! Whether what was read one after the other stands together.

use super::{Reader, StoreError};
use crate::store::sql::Sql;
use crate::store::visible::visible_among;

/// The types of which that is asked.
const DEFINITIONS: [&str; 2] = ["CodeSystem", "ValueSet"];

impl Reader<'_> {
    /// Whether these versions of definitions, each a row and its version, are all current
    /// at one instant.
    pub async fn all_current(&self, versions: &[(i64, i32)]) -> Result<bool, StoreError> {
        let Some(shown) = visible_among(self.view(), DEFINITIONS.into_iter()) else { return Ok(versions.is_empty()) };
        let mut sql = Sql::new("SELECT r.rid, r.version FROM resource r WHERE r.deleted = 0 AND r.rid IN ");
        sql.list(versions.iter().map(|(rid, _)| *rid)).text(" AND ").push(shown);
        let mut current = Vec::new();
        for row in self.values(sql).await? {
            current.push((row.get::<i64>(0)?, row.get::<i32>(1)?));
        }
        Ok(versions.iter().all(|version| current.contains(version)))
    }
}
