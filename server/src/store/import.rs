//! What imports remember: a source's keys, and the files about several citizens.

use std::collections::HashMap;

use sea_orm::Value;

use super::error::StoreError;
use super::reader::{COLUMNS, Stored, stored};
use super::sql::Sql;
use super::write::{Beside, Extra, Into};
use super::{Store, db};
use crate::consent::view::{CitizenKey, CustodianKey};

/// A remembered key: its hash, the row it made, the hash of the content, and the
/// row as it is now (`None` if it was erased).
pub type Remembered = (Vec<u8>, i64, Vec<u8>, Option<Stored>);

impl Store {
    /// Which of these source keys were imported before.
    ///
    /// * `of`: custodian and citizen; `keys`: hashes.
    pub async fn remembered(
        &self,
        of: (CustodianKey, CitizenKey),
        keys: &[Vec<u8>],
    ) -> Result<Vec<Remembered>, StoreError> {
        let mut found = Vec::new();
        for keys in keys.chunks(200) {
            let mut sql = Sql::new("SELECT key, rid, content FROM import_key WHERE custodian = ");
            sql.bind(of.0).text(" AND citizen = ").bind(of.1).text(" AND key IN ").list(keys.iter().cloned());
            let rows = self.db().rows(sql).await?;
            let mut known: Vec<(Vec<u8>, i64, Vec<u8>)> = Vec::new();
            for row in &rows {
                known.push((row.get(0)?, row.get(1)?, row.get(2)?));
            }
            if known.is_empty() {
                continue;
            }
            let mut sql = Sql::new(&format!("SELECT {COLUMNS} FROM resource r WHERE r.rid IN "));
            sql.list(known.iter().map(|(_, rid, _)| *rid));
            let rows = self.db().rows(sql).await?;
            let mut now: HashMap<i64, Stored> =
                rows.iter().map(|row| stored(row, 0).map(|row| (row.rid, row))).collect::<Result<_, _>>()?;
            found.extend(known.into_iter().map(|(key, rid, content)| (key, rid, content, now.remove(&rid))));
        }
        Ok(found)
    }

    /// Remembers what a source key made. Another import that has remembered something else of
    /// it meanwhile makes the write [`Refused::Taken`](super::Refused::Taken).
    ///
    /// * `before`: the row and the content that were found, if any were.
    pub fn remember(
        &self,
        of: (CustodianKey, CitizenKey),
        key: &[u8],
        (rid, content): (i64, &[u8]),
        before: Option<(i64, &[u8])>,
    ) -> Vec<Extra> {
        let place: [Value; 3] = [of.0.into(), of.1.into(), key.to_vec().into()];
        let row = [&place[..], &[rid.into(), content.to_vec().into()]].concat();
        let Some((rid, content)) = before else { return vec![Extra(Beside::Row(&IMPORT_KEY, row))] };
        let statement =
            |sql: &str, values: Vec<Value>| Extra(Beside::Statement(db::statement(self.db().backend(), sql, values)));
        let gone = [&place[..], &[rid.into(), content.to_vec().into()]].concat();
        vec![
            statement(
                "DELETE FROM import_key WHERE custodian = ? AND citizen = ? AND key = ? AND rid = ? AND content = ?",
                gone,
            ),
            statement("INSERT INTO import_key (custodian, citizen, key, rid, content) VALUES (?, ?, ?, ?, ?)", row),
        ]
    }

    /// Keeps a sealed file with its publisher. Keeping it twice changes nothing.
    pub async fn keep_original(
        &self,
        hash: &[u8],
        custodian: CustodianKey,
        received: i64,
        sealed: Vec<u8>,
    ) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO import_original (hash, custodian, received, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
        self.db().execute(sql, [hash.to_vec().into(), custodian.into(), received.into(), sealed.into()]).await?;
        Ok(())
    }

    /// The body of a citizen's Patient, to find a mistake in a file.
    pub async fn patient_body(&self, citizen: CitizenKey) -> Result<Option<Vec<u8>>, StoreError> {
        let row = self.db().one("SELECT body FROM resource WHERE rid = ?", [citizen.into()]).await?;
        row.map(|row| Ok(row.try_get_by_index::<Option<Vec<u8>>>(0)?)).transpose().map(Option::flatten)
    }

    /// The audit row of a write, for the write's own transaction.
    pub fn audit_row(&self, row: super::audit::WriteRow) -> Extra {
        Extra(Beside::Row(&AUDIT_WRITE, row.values().into()))
    }
}

const IMPORT_KEY: Into =
    Into { table: "import_key", columns: &["custodian", "citizen", "key", "rid", "content"], conflict: "" };

const AUDIT_WRITE: Into = Into { table: "audit_write", columns: &super::audit::WriteRow::COLUMNS, conflict: "" };
