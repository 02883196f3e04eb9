//! `$lastn`: the latest records of each group, told by the clinical index.
//!
//! Where codes are asked one by one, each is a group: a record is in that of each asked
//! code that it has. Else records are one group that share a coding, or whose codings
//! others share: a weight that is coded by four systems and one coded by a single of them
//! are weights. Those without a code are a group of their own.
//!
//! Groups are found by labels. A record's is the least number among its codes, then the
//! least of what shares a code with it; where labels still meet in a code, as far as they
//! lead. That last step has nearly always nothing to do, and grows with the labels that
//! met, not with the records.

use techo_profiles::Definitions;

use super::matching::code;
use super::selected;
use crate::consent::view::View;
use crate::search::plan::{CodePattern, Pattern, Plan};
use crate::store::sql::Sql;

/// What is wanted of `$lastn`.
#[derive(Clone, Copy)]
pub(in crate::store) struct Wanted<'a> {
    /// The ids of the Patients.
    pub(in crate::store) patients: &'a [&'a str],
    /// How many of each group.
    pub(in crate::store) max: usize,
    /// How many at most.
    pub(in crate::store) limit: usize,
}

/// Row numbers as `rid` of what the plan finds: of each group the latest, each once. By
/// `newest`, `grp`, `at` and `rid` they stand in the order of [`ORDER`]. `None` if no row
/// can be visible.
pub(in crate::store) fn latest(plan: &Plan, view: &View, wanted: Wanted<'_>) -> Option<Sql> {
    let mut columns = Sql::new("r.rid AS rid, COALESCE(r.clinical_low, ");
    columns.bind(i64::MIN).text(") AS at");
    let found = selected(plan, view, columns)?;
    let mut sql = Sql::new("WITH RECURSIVE dperson (rid) AS (SELECT q.rid FROM resource q WHERE q.kind = ");
    sql.bind(number("Patient")).text(" AND q.id IN ").list(wanted.patients.iter().map(ToString::to_string));
    sql.text("), dfound (rid, at) AS MATERIALIZED (").push(found).text("), ");
    sql.push(match plan.codes() {
        Some(codes) => of_asked(&codes, number(&plan.resource_type)),
        None => of_connected(number(&plan.resource_type)),
    });
    sql.text(
        ", dplace AS (SELECT u.rid AS rid, u.grp AS grp, u.at AS at, MAX(u.at) OVER (PARTITION BY u.grp) AS newest, \
         ROW_NUMBER() OVER (PARTITION BY u.grp ORDER BY u.at DESC, u.rid DESC) AS place FROM dgroup u), \
         dchosen AS (SELECT d.rid AS rid, d.grp AS grp, d.at AS at, d.newest AS newest, \
         ROW_NUMBER() OVER (PARTITION BY d.rid ORDER BY d.newest DESC, d.grp) AS time FROM dplace d WHERE d.place <= ",
    );
    sql.bind(i64::try_from(wanted.max).unwrap_or(i64::MAX));
    sql.text(") SELECT d.rid AS rid, d.grp AS grp, d.at AS at, d.newest AS newest FROM dchosen d WHERE d.time = 1");
    sql.text(&ORDER.replace("p.", "d.")).text(" LIMIT ").bind(i64::try_from(wanted.limit).unwrap_or(i64::MAX));
    Some(sql)
}

/// The group with the newest record first, and the newest of each first. `p` is what
/// [`latest`] gives.
pub(in crate::store) const ORDER: &str = " ORDER BY p.newest DESC, p.grp, p.at DESC, p.rid DESC";

/// `dgroup`: a group for each code that was asked. One without a system is one group,
/// whatever systems have it.
fn of_asked(codes: &[&CodePattern], kind: i16) -> Sql {
    let (any, exact): (Vec<&CodePattern>, Vec<_>) = codes.iter().copied().partition(|one| one.system == Pattern::Any);
    let numbers = |grp: &str, patterns: Vec<&CodePattern>| {
        let mut sql = Sql::new(&format!("SELECT u.id AS code, {grp} AS grp FROM code u WHERE "));
        sql.push(Sql::or(patterns.into_iter().map(|pattern| code("u.id", pattern)).collect()));
        sql
    };
    let mut sql = Sql::new("dasked (code, grp) AS MATERIALIZED (");
    sql.push(numbers("u.id", exact)).text(" UNION ALL ");
    // Below zero no code has its number.
    sql.push(numbers("-MIN(u.id) OVER (PARTITION BY u.code)", any));
    sql.text("), dgroup (rid, grp, at) AS (SELECT x.rid, u.grp, MAX(x.at) FROM dperson d CROSS JOIN dasked u");
    let mut of_hers = Sql::new("x.citizen = d.rid AND x.kind = ");
    of_hers.bind(kind).text(" AND x.code = u.code");
    sql.step("clinical", "x", of_hers).text(" WHERE ").text(IS_FOUND).text(" GROUP BY x.rid, u.grp)");
    sql
}

/// `dgroup`: a group for all that codings connect, and one of what has none.
fn of_connected(kind: i16) -> Sql {
    let mut sql = Sql::new(
        "dcode (rid, code, at) AS MATERIALIZED (SELECT x.rid, x.code, MAX(x.at) FROM clinical x WHERE x.citizen",
    );
    sql.among(Sql::new("SELECT d.rid FROM dperson d")).text(" AND x.kind = ").bind(kind).text(" AND ");
    sql.text(IS_FOUND).text(" GROUP BY x.rid, x.code)").text(CONNECTED);
    sql
}

/// A bare IN would become a join, and perhaps begin elsewhere.
const IS_FOUND: &str = "(x.rid IN (SELECT u.rid FROM dfound u)) IS TRUE";

/// From `dcode` to `dgroup`. A label that meets a lesser one in a code leads to it and
/// back; all that the least of its neighbourhood reaches gets the least that reaches it.
const CONNECTED: &str = ", \
    d1 AS (SELECT d.rid AS rid, d.code AS code, d.at AS at, MIN(d.code) OVER (PARTITION BY d.rid) AS label FROM dcode d), \
    d2 AS (SELECT d.rid AS rid, d.code AS code, d.at AS at, MIN(d.label) OVER (PARTITION BY d.code) AS label FROM d1 d), \
    d3 AS MATERIALIZED \
    (SELECT d.rid AS rid, d.code AS code, d.at AS at, MIN(d.label) OVER (PARTITION BY d.rid) AS label FROM d2 d), \
    dmet (one, other) AS MATERIALIZED (SELECT DISTINCT d.label, d.least FROM \
    (SELECT u.label AS label, MIN(u.label) OVER (PARTITION BY u.code) AS least FROM d3 u) d WHERE d.label > d.least), \
    dlink (one, other) AS MATERIALIZED \
    (SELECT d.one, d.other FROM dmet d UNION SELECT d.other, d.one FROM dmet d), \
    dreach (root, label) AS (SELECT d.one, d.one FROM dlink d GROUP BY d.one HAVING MIN(d.other) > d.one \
    UNION SELECT d.root, u.other FROM dreach d JOIN dlink u ON u.one = d.label), \
    dlabel (rid, at, label, root) AS (SELECT d.rid, d.at, d.label, NULL FROM d3 d \
    UNION ALL SELECT NULL, NULL, d.label, MIN(d.root) FROM dreach d GROUP BY d.label), \
    drooted AS (SELECT d.rid AS rid, d.at AS at, COALESCE(MIN(d.root) OVER (PARTITION BY d.label), d.label) AS grp \
    FROM dlabel d), \
    dgroup (rid, grp, at) AS (SELECT d.rid, d.grp, MAX(d.at) FROM drooted d WHERE d.rid IS NOT NULL GROUP BY d.rid, d.grp \
    UNION ALL SELECT d.rid, 0, d.at FROM dfound d WHERE (d.rid IN (SELECT u.rid FROM dcode u)) IS NOT TRUE)";

fn number(kind: &str) -> i16 {
    let number = Definitions::embedded().type_number(kind).unwrap_or(0);
    i16::try_from(number).unwrap_or(0)
}
