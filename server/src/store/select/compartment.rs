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
        sql.text(
            "SELECT m.rid AS rid FROM compartment m WHERE m.citizen = (SELECT o.rid FROM resource o WHERE o.kind = ",
        );
        sql.bind(number(kind)).text(" AND o.id = ").bind(id).text(") AND m.kind = ").bind(number(of));
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
