//! [`View`] → SQL condition. Every statement that returns a row of a record
//! carries it, before any limit, count or order.
//!
//! A row is visible when one branch of the view reaches it and the branch's
//! predicate for its type holds. A row with several subjects is visible only if
//! *every* subject is reached by a citizens' branch whose predicate holds.

use crate::consent::predicate::Predicate;
use crate::consent::view::{Branch, CitizenKey, Reach, View};

use super::facts::{Custody, LABEL, Role, label};
use super::sql::Sql;

/// The condition on a row `r` of `resource` or `history` of type `kind`.
///
/// * `number`: the type's number in the database.
/// * `past`: the row is one of `history`.
pub(super) fn visible(view: &View, kind: &str, number: u16, past: bool) -> Sql {
    let mut any: Vec<Sql> = view.branches().iter().filter_map(|branch| reached(branch, kind, number)).collect();
    any.extend(shared_by_several(view, kind, past));
    Sql::or(any)
}

/// Whether any row of this type could be visible at all.
pub(super) fn possible(view: &View, kind: &str) -> bool {
    view.branches().iter().any(|branch| branch.types.of(kind).is_some())
}

fn reached(branch: &Branch, kind: &str, number: u16) -> Option<Sql> {
    let rule = branch.types.of(kind)?;
    let mut reach = match &branch.reach {
        Reach::Citizens(citizens) => {
            let mut sql = Sql::new("r.several = 0 AND ");
            sql.push(among("r.citizen", citizens));
            sql
        }
        Reach::Custodian(custodian) => {
            let mut sql = Sql::new("r.custodian = ");
            sql.bind(*custodian);
            sql
        }
        Reach::Identity { kind: wanted, id } => {
            if &**wanted != kind {
                return None;
            }
            let mut sql = Sql::new("r.kind = ");
            sql.bind(i16::try_from(number).unwrap_or(0)).text(" AND r.id = ").bind(id.to_string());
            sql
        }
        Reach::Shared | Reach::Everything => Sql::new("1 = 1"),
    };
    let mut sql = Sql::new("(");
    if *rule != Predicate::Always {
        reach.text(" AND ").push(holds(rule, kind));
    }
    sql.push(reach).text(")");
    Some(sql)
}

/// Rows with several subjects: no subject may be left unpermitted.
///
/// Subjects are kept for the current version alone. An old version that was about
/// several people is shown only while the record is about the same: those who have
/// left it since can no longer be asked.
fn shared_by_several(view: &View, kind: &str, past: bool) -> Option<Sql> {
    let permitted: Vec<Sql> = view
        .branches()
        .iter()
        .filter_map(|branch| match (&branch.reach, branch.types.of(kind)) {
            (Reach::Citizens(citizens), Some(rule)) => {
                let mut one = Sql::new("(");
                one.push(among("s.citizen", citizens));
                if *rule != Predicate::Always {
                    one.text(" AND ").push(holds(rule, kind));
                }
                one.text(")");
                Some(one)
            }
            _ => None,
        })
        .collect();
    if permitted.is_empty() {
        return None;
    }
    let mut sql = Sql::new("(r.several = 1 AND ");
    if past {
        let same = format!(
            "EXISTS (SELECT 1 FROM resource n WHERE n.rid = r.rid AND n.several = 1 \
             AND substr(n.labels, 1, {LABEL}) = substr(r.labels, 1, {LABEL})) AND "
        );
        sql.text(&same);
    }
    sql.text("NOT EXISTS (SELECT 1 FROM subject s WHERE s.rid = r.rid AND NOT ");
    sql.push(Sql::or(permitted)).text("))");
    Some(sql)
}

fn among(column: &str, citizens: &[CitizenKey]) -> Sql {
    let mut sql = Sql::new(column);
    match citizens {
        [one] => sql.text(" = ").bind(*one),
        many => sql.text(" IN ").list(many.iter().copied()),
    };
    sql
}

/// A predicate over row `r`; its type is known, so `Type` atoms are settled here.
fn holds(rule: &Predicate, kind: &str) -> Sql {
    match rule {
        Predicate::Always => Sql::new("1 = 1"),
        Predicate::Never => Sql::new("1 = 0"),
        Predicate::All(parts) => Sql::and(parts.iter().map(|part| holds(part, kind)).collect()),
        Predicate::Any(parts) => Sql::or(parts.iter().map(|part| holds(part, kind)).collect()),
        Predicate::Not(inner) => {
            let mut sql = Sql::new("NOT ");
            sql.push(holds(inner, kind));
            sql
        }
        Predicate::Type(wanted) => Sql::new(if **wanted == *kind { "1 = 1" } else { "1 = 0" }),
        Predicate::Kind(domain) => {
            let mut sql = Sql::new("(r.domain = ");
            sql.bind(i16::from(*domain)).text(")");
            sql
        }
        Predicate::Code { system, code } => labelled(Role::Code, system.as_deref(), code),
        Predicate::Category { system, code } => labelled(Role::Category, system.as_deref(), code),
        Predicate::Keeper(custodian) => {
            let mut sql = Sql::new("(r.custodian = ");
            sql.bind(*custodian).text(")");
            sql
        }
        Predicate::Authored => {
            let mut sql = Sql::new("(r.custody = ");
            sql.bind(Custody::Authored.number()).text(")");
            sql
        }
        // An undated row has NULL here; COALESCE keeps the condition two-valued under NOT.
        Predicate::Within { from, until } => {
            let mut sql = Sql::new("COALESCE(r.clinical_low >= ");
            sql.bind(*from).text(" AND r.clinical_high <= ").bind(*until).text(", 1 = 0)");
            sql
        }
        Predicate::Touches { from, until } => {
            let mut sql = Sql::new("COALESCE(r.clinical_low < ");
            sql.bind(*until).text(" AND r.clinical_high > ").bind(*from).text(", 1 = 1)");
            sql
        }
    }
}

fn labelled(role: Role, system: Option<&str>, code: &str) -> Sql {
    let mut sql = Sql::new("(r.labels LIKE ");
    sql.bind(format!("%{}%", label(role, system, code))).text(")");
    sql
}
