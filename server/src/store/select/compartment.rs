//! Who is in a compartment: exactly CompartmentDefinition's members.
//!
//! A Patient's compartment has a table of its own, written with each record. The
//! others are read from the reference index. Whether the caller may see a member
//! is asked of the member: this gives row numbers to the statement, never an
//! answer.

use techo_profiles::Definitions;

use crate::search::row::{ParamKey, Table};
use crate::store::sql::Sql;

/// `SELECT … AS rid`: the members of type `of` of the compartment of one resource.
///
/// * `kind`, `id`: the resource; it is in its own compartment.
/// * `params`: the reference indexes of `of` that count; not asked of a Patient's.
pub(in crate::store) fn rows(of: u16, (kind, id): (u16, &str), params: &[ParamKey]) -> Sql {
    let mut sql = Sql::default();
    if Definitions::embedded().type_number("Patient") == Some(kind) {
        sql.text("SELECT m.rid AS rid FROM compartment m WHERE m.patient = ").bind(id);
        sql.text(" AND m.kind = ").bind(number(of));
        return sql;
    }
    let params = params.iter().map(|param| super::param("t", param, Table::Reference)).collect();
    sql.text("SELECT t.rid AS rid FROM reference t WHERE ").push(Sql::or(params));
    sql.text(" AND t.kind = ").bind(number(kind)).text(" AND t.id = ").bind(id);
    sql.text(" UNION SELECT o.rid FROM resource o WHERE o.kind = ").bind(number(kind)).text(" AND o.id = ").bind(id);
    sql.text(" AND o.kind = ").bind(number(of));
    sql
}

fn number(kind: u16) -> i16 {
    i16::try_from(kind).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use techo_migrations::{Migrator, MigratorTrait};

    use crate::clock::Clock;
    use crate::store::Store;
    use crate::store::db::Db;
    use crate::store::folder::Folder;

    /// The step before a compartment was told by the Patient's id.
    const BEFORE: u32 = 8;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_in_a_compartment_stays_in_it() {
        let folder = Folder::new("compartments");
        let db = Db::open(&folder.url()).await.expect("a database");
        Migrator::up(&*db.write().await, Some(BEFORE)).await.expect("the schema of before");
        // Hers stays where it is, though she is deleted.
        let person = "INSERT INTO resource (rid, kind, id, version, updated, deleted, several, custodian, custody, \
                      domain, epoch, rules, method, labels) VALUES (5, 1, 'mei', 2, 0, 1, 0, 5, 2, 9, 1, 0, 2, '')";
        let members = "INSERT INTO compartment (citizen, kind, rid) VALUES (5, 1, 5), (5, 30, 8)";
        for sql in [person, members] {
            db.execute(sql, []).await.expect("rows");
        }
        let store = Store::open(db, Clock::system(), 1).await.expect("a store");
        let sql = "SELECT rid FROM compartment WHERE patient = 'mei' ORDER BY kind";
        let rows = store.db().all(sql, []).await.expect("rows");
        let found: Vec<i64> = rows.iter().map(|row| row.try_get_by_index(0).expect("a number")).collect();
        assert_eq!(found, [5, 8]);
    }
}
