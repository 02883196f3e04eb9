//! [`View`] → SQL condition. Every statement that returns a row of a record
//! carries it, before any limit, count or order.
//!
//! A row is visible when one branch of the view reaches it and the branch's
//! predicate for its type holds. A row with several subjects is visible only if
//! *every* subject is reached by a citizens' branch whose predicate holds.

use techo_profiles::Definitions;

use crate::consent::predicate::Predicate;
use crate::consent::view::{Branch, But, CitizenKey, Reach, View};

use super::facts::{Custody, LABEL, LISTS, Role, label};
use super::sql::Sql;
use super::stance::{naming, standing};

/// The condition on a row of `resource` or `history` of type `kind`.
///
/// * `number`: the type's number in the database.
/// * `name`: what the statement calls the row.
/// * `past`: the row is one of `history`.
pub(super) fn visible(view: &View, kind: &str, number: u16, name: &str, past: bool) -> Sql {
    let made = view.once((number, past, name), || spelled(view, kind, number, name, past));
    let mut sql = Sql::default();
    sql.push_at(&made, view.now());
    sql
}

fn spelled(view: &View, kind: &str, number: u16, name: &str, past: bool) -> Sql {
    let whose = format!("{name}.citizen");
    whole(view, Row::of(view, (kind, name, &whose), past, Listed::Asked), number)
}

fn whole(view: &View, row: Row<'_>, number: u16) -> Sql {
    let mut any: Vec<Sql> = view.branches().iter().filter_map(|branch| reached(branch, row, number)).collect();
    any.extend(shared_by_several(view, row));
    Sql::or(any)
}

/// The same of a current version, for rows of which it is easily told: no others are
/// visible by it. Which those are says [`intricate`].
///
/// PostgreSQL makes all parts of a statement ready before it runs, and what is asked of
/// rows with several subjects, or that list others, is most of a condition.
pub(super) fn plainly(view: &View, kind: &str, number: u16, name: &str) -> Sql {
    let whose = format!("{name}.citizen");
    let row = Row::of(view, (kind, name, &whose), false, Listed::Hidden);
    Sql::or(view.branches().iter().filter_map(|branch| reached(branch, row, number)).collect())
}

/// The same as [`visible`] of a current version, as if all that it lists could be seen:
/// whoever is shown a row is shown it by this too. Only of rows that list others it
/// may say too much.
///
/// Rows that are asked about once more are chosen by it: were it every [`intricate`]
/// one, the time of an answer would tell that a hidden one is there.
pub(super) fn perhaps(view: &View, kind: &str, number: u16, name: &str) -> Sql {
    let whose = format!("{name}.citizen");
    whole(view, Row::of(view, (kind, name, &whose), false, Listed::Seen), number)
}

/// A row may be visible though it is not [`plainly`]: it has several subjects, or lists others.
pub(super) fn intricate(name: &str) -> Sql {
    let mut sql = Sql::new(&format!("({name}.several = 1 OR {name}.labels LIKE "));
    sql.bind(format!("%{LISTS}%")).text(")");
    sql
}

/// Nothing of a visible row `r` is taken out on the way to the caller: as
/// [`Whole::covers`](crate::consent::view::Whole::covers) says.
pub(super) fn covered(view: &View, r: &str) -> Sql {
    let whole = view.whole();
    let mut sql = Sql::new(&format!("({r}.several = 0 AND {r}.citizen IS NOT NULL AND {r}.citizen IN "));
    sql.list(whole.citizens.iter().copied());
    if let Some(kinds) = whole.kinds {
        sql.text(&format!(" AND {r}.kind IN ")).list(kinds.iter().map(|kind| number(kind)));
    }
    if let Some(custodian) = whole.custodian {
        sql.text(&format!(" OR {r}.custodian = ")).bind(custodian);
    }
    sql.text(")");
    sql
}

/// The condition on a row `r` of `resource` that may be of any of these types; `None`
/// if no row of them can be visible.
pub(super) fn visible_among<'k>(view: &View, kinds: impl Iterator<Item = &'k str>) -> Option<Sql> {
    visible_as("r", view, kinds)
}

/// The same on a row of another name. Types with the same condition share it.
pub(super) fn visible_as<'k>(name: &str, view: &View, kinds: impl Iterator<Item = &'k str>) -> Option<Sql> {
    let mut groups: Vec<(Vec<i16>, Sql)> = Vec::new();
    for kind in kinds.filter(|kind| possible(view, kind)) {
        let Some(key) = Definitions::embedded().type_number(kind) else { continue };
        let condition = spelled(view, kind, key, name, false);
        match groups.iter_mut().find(|(_, same)| *same == condition) {
            Some((kinds, _)) => kinds.push(number(kind)),
            None => groups.push((vec![number(kind)], condition)),
        }
    }
    if groups.is_empty() {
        return None;
    }
    let of_group = |(kinds, condition): (Vec<i16>, Sql)| {
        let mut sql = Sql::new(&format!("({name}.kind IN "));
        sql.list(kinds).text(" AND ").push(condition).text(")");
        sql
    };
    Some(Sql::or(groups.into_iter().map(of_group).collect()))
}

/// Whether any row of this type could be visible at all.
pub(super) fn possible(view: &View, kind: &str) -> bool {
    view.branches().iter().any(|branch| branch.types.of(kind).is_some())
}

/// The only citizens whose records of type `kind` the view shows, if they are few
/// and it shows no others' records.
pub(super) fn few_citizens(view: &View, kind: &str) -> Option<Vec<CitizenKey>> {
    let mut all = Vec::new();
    for branch in view.branches().iter().filter(|branch| branch.types.of(kind).is_some()) {
        match &branch.reach {
            Reach::Citizens(citizens) => all.extend_from_slice(citizens),
            Reach::Identity { kind: wanted, .. } if **wanted != *kind => {}
            Reach::Identity { .. } | Reach::Others(_) | Reach::Custodian(_) | Reach::Shared | Reach::Everything => {
                return None;
            }
        }
    }
    (1..=FEW).contains(&all.len()).then_some(all)
}

/// Up to how many people's records are looked through one by one.
const FEW: usize = 16;

fn reached(branch: &Branch, row: Row<'_>, number: u16) -> Option<Sql> {
    let (kind, r) = (row.kind?, row.name);
    let rule = branch.types.of(kind)?;
    let mut reach = match &branch.reach {
        Reach::Citizens(citizens) => {
            let mut sql = Sql::new(&format!("{r}.several = 0 AND "));
            sql.push(among(&format!("{r}.citizen"), citizens));
            sql
        }
        Reach::Others(but) => {
            let mut sql = Sql::new(&format!("{r}.several = 0 AND "));
            sql.push(other_than(&format!("{r}.citizen"), but, row.now));
            sql
        }
        Reach::Custodian(custodian) => {
            let mut sql = Sql::new(&format!("{r}.custodian = "));
            sql.bind(*custodian);
            sql
        }
        Reach::Identity { kind: wanted, id } => {
            if &**wanted != kind {
                return None;
            }
            let mut sql = Sql::new(&format!("{r}.kind = "));
            sql.bind(i16::try_from(number).unwrap_or(0)).text(&format!(" AND {r}.id = ")).bind(id.to_string());
            sql
        }
        Reach::Shared | Reach::Everything => Sql::new("1 = 1"),
    };
    let mut sql = Sql::new("(");
    if *rule != Predicate::Always {
        reach.text(" AND ").push(holds(rule, row));
    }
    sql.push(reach).text(")");
    Some(sql)
}

/// Rows with several subjects: no subject may be left unpermitted.
///
/// Subjects are kept for the current version alone. An old version that was about
/// several people is shown only while the record is about the same: those who have
/// left it since can no longer be asked.
fn shared_by_several(view: &View, row: Row<'_>) -> Option<Sql> {
    let (kind, r) = (row.kind?, row.name);
    let permitted: Vec<Sql> = view
        .branches()
        .iter()
        .filter_map(|branch| {
            let rule = branch.types.of(kind)?;
            let mut one = Sql::new("(");
            one.push(match &branch.reach {
                Reach::Citizens(citizens) => among("s.citizen", citizens),
                Reach::Others(but) => other_than("s.citizen", but, row.now),
                _ => return None,
            });
            if *rule != Predicate::Always {
                one.text(" AND ").push(holds(rule, Row { whose: "s.citizen", ..row }));
            }
            one.text(")");
            Some(one)
        })
        .collect();
    if permitted.is_empty() {
        return None;
    }
    let mut sql = Sql::new(&format!("({r}.several = 1 AND "));
    if row.past {
        let same = format!(
            "EXISTS (SELECT 1 FROM resource n WHERE n.rid = {r}.rid AND n.several = 1 \
             AND substr(n.labels, 1, {LABEL}) = substr({r}.labels, 1, {LABEL})) AND "
        );
        sql.text(&same);
    }
    sql.text(&format!("NOT EXISTS (SELECT 1 FROM subject s WHERE s.rid = {r}.rid AND NOT "));
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

fn other_than(column: &str, but: &But, now: i64) -> Sql {
    let mut sql = Sql::new(&format!("{column} IS NOT NULL"));
    if !but.citizens.is_empty() {
        sql.text(&format!(" AND {column} NOT IN ")).list(but.citizens.iter().copied());
    }
    if let Some(unheard) = &but.unheard {
        let mut named = Sql::new("stance_actor n WHERE n.stance = e.stance AND ");
        named.push(naming(&unheard.actors));
        let mut odd = Sql::new(&format!("effect e WHERE e.citizen = {column} AND e.stance NOT IN "));
        odd.list(unheard.heard.iter().copied()).text(" AND ").push(standing(now)).text(" AND ").exists(named);
        sql.text(" AND NOT ").exists(odd);
    }
    sql
}

/// The row that a predicate is about.
#[derive(Clone, Copy)]
struct Row<'a> {
    /// What the statement calls it.
    name: &'a str,
    /// Its type, where the statement is about one; `Type` atoms are settled then.
    kind: Option<&'a str>,
    /// It is one of `history`.
    past: bool,
    /// What is made of the rows that it lists.
    listed: Listed,
    /// The row that lists it.
    outer: Option<&'a str>,
    /// The citizen whose Consents count.
    whose: &'a str,
    /// The instant at which they have to stand.
    now: i64,
}

impl<'a> Row<'a> {
    /// * `is`: its type, what the statement calls it, and whose Consents count.
    fn of(view: &View, is: (&'a str, &'a str, &'a str), past: bool, listed: Listed) -> Self {
        let (kind, name, whose) = is;
        Row { name, kind: Some(kind), past, listed, outer: None, whose, now: view.now() }
    }
}

/// What a row lists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    /// Is asked about.
    Asked,
    /// Is taken for hidden, all of it.
    Hidden,
    /// Is taken for visible, all of it.
    Seen,
}

/// A predicate over a row.
fn holds(rule: &Predicate, row: Row<'_>) -> Sql {
    let name = row.name;
    let equals = |column: &str, value: sea_orm::Value| {
        let mut sql = Sql::new(&format!("({name}.{column} = "));
        sql.bind(value).text(")");
        sql
    };
    match rule {
        Predicate::Always => Sql::new("1 = 1"),
        Predicate::Never => Sql::new("1 = 0"),
        Predicate::All(parts) => Sql::and(parts.iter().map(|part| holds(part, row)).collect()),
        Predicate::Any(parts) => Sql::or(parts.iter().map(|part| holds(part, row)).collect()),
        Predicate::Not(inner) => {
            let mut sql = Sql::new("NOT ");
            // What is taken for hidden inside would be let in, and the other way round.
            sql.push(holds(inner, Row { listed: Listed::Asked, ..row }));
            sql
        }
        Predicate::Type(wanted) => match row.kind {
            Some(kind) => Sql::new(if **wanted == *kind { "1 = 1" } else { "1 = 0" }),
            None => equals("kind", number(wanted).into()),
        },
        Predicate::Kind(domain) => equals("domain", i16::from(*domain).into()),
        Predicate::Code { system, code } => labelled(row, &label(Role::Code, system.as_deref(), code)),
        Predicate::Category { system, code } => labelled(row, &label(Role::Category, system.as_deref(), code)),
        Predicate::Keeper(custodian) => equals("custodian", (*custodian).into()),
        Predicate::Authored => equals("custody", Custody::Authored.number().into()),
        // An undated row has NULL here; COALESCE keeps the condition two-valued under NOT.
        Predicate::Within { from, until } => {
            let mut sql = Sql::new(&format!("COALESCE({name}.clinical_low >= "));
            sql.bind(*from).text(&format!(" AND {name}.clinical_high <= ")).bind(*until).text(", 1 = 0)");
            sql
        }
        Predicate::Touches { from, until } => {
            let mut sql = Sql::new(&format!("COALESCE({name}.clinical_low < "));
            sql.bind(*until).text(&format!(" AND {name}.clinical_high > ")).bind(*from).text(", 1 = 1)");
            sql
        }
        Predicate::WithinIts => {
            let (low, high) = (format!("{name}.clinical_low"), format!("{name}.clinical_high"));
            Sql::new(&format!("COALESCE({low} >= e.data_since AND {high} <= e.data_until, 1 = 0)"))
        }
        Predicate::TouchesIts => {
            let (low, high) = (format!("{name}.clinical_low"), format!("{name}.clinical_high"));
            Sql::new(&format!("COALESCE({low} < e.data_until AND {high} > e.data_since, 1 = 1)"))
        }
        Predicate::Stands(stances, part) => {
            let mut sql = Sql::new(&format!("effect e WHERE e.citizen = {}", row.whose));
            sql.text(" AND e.stance IN ").list(stances.iter().copied()).text(" AND ").push(standing(row.now));
            if **part != Predicate::Always {
                sql.text(" AND ").push(holds(part, row));
            }
            let mut exists = Sql::default();
            exists.exists(sql);
            exists
        }
        Predicate::Lists(each) => lists(each, row),
        Predicate::ListKept => labelled(row, LISTS),
        // A row about nobody or about several has NULL here, and is not the same.
        Predicate::Same => {
            let outer = row.outer.unwrap_or(name);
            Sql::new(&format!("(COALESCE({name}.citizen, 0) = COALESCE({outer}.citizen, -1))"))
        }
    }
}

/// All that this row lists is there and fulfils `each`: what is not there is not told from
/// what is hidden, or who writes a list could ask with it what is there. Most rows list
/// nothing and say so themselves. What an old version or a deleted row listed is not
/// kept: where it listed anything, it is not shown. That of what was withdrawn is, and so
/// who could see it is told that it is gone; what was withdrawn with it counts then.
fn lists(each: &Predicate, row: Row<'_>) -> Sql {
    let name = row.name;
    if row.listed == Listed::Seen && !row.past {
        return Sql::new("1 = 1");
    }
    let mut sql = Sql::new(&format!("({name}.labels NOT LIKE "));
    sql.bind(format!("%{LISTS}%"));
    if !row.past && row.listed == Listed::Asked {
        // Each step has names of its own, so that a list of lists can be followed.
        let (list, inner) = (format!("{name}l"), format!("{name}i"));
        let whose = format!("{inner}.citizen");
        let is = Row { name: &inner, kind: None, outer: Some(name), whose: &whose, ..row };
        sql.text(&format!(
            " OR {name}.deleted <> 1 AND NOT EXISTS (SELECT 1 FROM listed {list} WHERE {list}.rid = {name}.rid \
             AND NOT EXISTS (SELECT 1 FROM resource {inner} WHERE {inner}.kind = {list}.kind \
             AND {inner}.id = {list}.id AND {inner}.deleted IN (0, {name}.deleted) AND "
        ));
        sql.push(holds(each, is)).text("))");
    }
    sql.text(")");
    sql
}

pub(super) fn number(kind: &str) -> i16 {
    Definitions::embedded().type_number(kind).and_then(|number| i16::try_from(number).ok()).unwrap_or(0)
}

fn labelled(row: Row<'_>, label: &str) -> Sql {
    let mut sql = Sql::new(&format!("({}.labels LIKE ", row.name));
    sql.bind(format!("%{label}%")).text(")");
    sql
}
