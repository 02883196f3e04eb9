//! A search of so many types, through so long a view, that it is no longer one
//! statement: databases bound the text and the values of one. It is asked in portions,
//! each with the whole order and limit, and their rows are put in order here.

use std::cmp::Ordering;

use super::{KEYS_AT, Row, StoreError, key_values};
use crate::search::page::{Direction, SortValue};
use crate::search::plan::SortKey;
use crate::store::sql::Sql;

/// SQLite takes 32,766 values and a million bytes of text, PostgreSQL 65,535 values.
const MOST_VALUES: usize = 16_000;
const MOST_TEXT: usize = 500_000;
/// SQLite takes 500 statements in a union.
const MOST_PARTS: usize = 400;

/// Rows of one statement, and at which column their own begin.
pub(super) type Found = (Vec<Row>, usize);

/// The parts of a search, so many together as one statement may hold.
///
/// * `whole`: rows may be in several of them, so that none may be asked apart.
pub(super) fn portions(parts: Vec<Sql>, whole: bool) -> Vec<Vec<Sql>> {
    let (mut all, mut values, mut text): (Vec<Vec<Sql>>, usize, usize) = (Vec::new(), 0, 0);
    for part in parts {
        let (more, longer) = part.size();
        (values, text) = (values + more, text + longer);
        let fits =
            |portion: &&mut Vec<Sql>| whole || portion.len() < MOST_PARTS && values <= MOST_VALUES && text <= MOST_TEXT;
        match all.last_mut().filter(fits) {
            Some(portion) => portion.push(part),
            None => {
                all.push(vec![part]);
                (values, text) = (more, longer);
            }
        }
    }
    all
}

/// The rows of all portions in the order of the search.
///
/// * `several`: of one record there may be several rows.
pub(super) fn ordered<'r>(
    found: &'r [Found],
    sort: &[SortKey],
    (several, direction): (bool, Direction),
) -> Result<Vec<(&'r Row, usize)>, StoreError> {
    let all = found.iter().flat_map(|(rows, at)| rows.iter().map(|row| (row, *at)));
    if found.len() <= 1 {
        return Ok(all.collect());
    }
    let mut keyed = Vec::new();
    for (row, at) in all {
        let last = if several { at + KEYS_AT + sort.len() } else { at };
        keyed.push((key_values(row, at, sort)?, row.get::<i64>(last)?, (row, at)));
    }
    keyed.sort_by(|(keys, spot, _), (others, other, _)| {
        let of_keys = sort.iter().zip(keys.iter().zip(others)).map(|(key, (one, other))| before(one, other, key));
        let order = of_keys.fold(Ordering::Equal, Ordering::then).then(spot.cmp(other));
        if direction == Direction::Back { order.reverse() } else { order }
    });
    Ok(keyed.into_iter().map(|(_, _, row)| row).collect())
}

/// As the databases have it: texts by their bytes, what has no value last.
fn before(one: &SortValue, other: &SortValue, key: &SortKey) -> Ordering {
    let order = match (one, other) {
        (SortValue::Absent, SortValue::Absent) => return Ordering::Equal,
        (SortValue::Absent, _) => return Ordering::Greater,
        (_, SortValue::Absent) => return Ordering::Less,
        (SortValue::Integer(one), SortValue::Integer(other)) => one.cmp(other),
        (SortValue::Real(one), SortValue::Real(other)) => one.total_cmp(other),
        (SortValue::Text(one), SortValue::Text(other)) => one.cmp(other),
        // One key has values of one kind.
        _ => Ordering::Equal,
    };
    if key.descending { order.reverse() } else { order }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::plan::SortBy;

    #[test]
    fn no_portion_is_longer_than_a_database_takes() {
        let part = |values: usize| {
            let mut sql = Sql::new("SELECT r.rid FROM resource r WHERE r.citizen IN ");
            sql.list(0..i64::try_from(values).expect("few"));
            sql
        };
        let sizes = |parts: &[usize], whole| -> Vec<usize> {
            portions(parts.iter().map(|values| part(*values)).collect(), whole).iter().map(Vec::len).collect()
        };
        assert_eq!(sizes(&[], false), [0; 0]);
        assert_eq!(sizes(&[5, 5, 5], false), [3]);
        assert_eq!(sizes(&[MOST_VALUES, 1, MOST_VALUES, 1], false), [1, 1, 1, 1]);
        assert_eq!(sizes(&[MOST_VALUES + 1, 1, 1], false), [1, 2]);
        assert_eq!(sizes(&[9000, 7000, 7000, 9000, 1], false), [2, 2, 1]);
        assert_eq!(sizes(&[9000, 9000, 9000], true), [3]);
    }

    #[test]
    fn keys_are_ordered_as_a_database_does() {
        let key = |descending| SortKey { by: SortBy::Id, descending };
        let text = |text: &str| SortValue::Text(text.to_owned());
        for (one, other, descending, expected) in [
            (text("A"), text("a"), false, Ordering::Less),
            (text("A"), text("a"), true, Ordering::Greater),
            (SortValue::Integer(2), SortValue::Integer(10), false, Ordering::Less),
            (SortValue::Absent, text("a"), false, Ordering::Greater),
            (SortValue::Absent, text("a"), true, Ordering::Greater),
            (text("a"), SortValue::Absent, true, Ordering::Less),
        ] {
            assert_eq!(before(&one, &other, &key(descending)), expected, "{one:?} {other:?}");
        }
    }
}
