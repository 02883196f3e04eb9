//! Reading the log by citizen and time, newest first.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

use sea_orm::{QueryResult, Value};

use super::codec::decode;
use super::log::AuditLog;
use super::record::{Kind, NOBODY, Record};
use super::table::number_value;
use super::{AuditError, Position, number_column};
use crate::consent::view::CitizenKey;

/// Which entries are wanted.
#[derive(Clone, Debug)]
pub struct Filter<'a> {
    /// Whose; none of them finds nothing. [`NOBODY`] for sign-ins and upkeep.
    pub citizens: &'a [CitizenKey],
    /// First instant, in microseconds since 1970.
    pub from: Option<i64>,
    /// The instant after the last.
    pub until: Option<i64>,
    /// Of these kinds; of any if empty.
    pub kinds: &'a [Kind],
    /// Only these, of those citizens; all of them if not said.
    pub only: Option<&'a [Place]>,
    /// Behind this entry.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: u32,
}

/// One citizen's entry: an `AuditEvent` to be.
#[derive(Clone, Debug)]
pub struct Found {
    /// The event's id: stable, and not in any order.
    pub id: String,
    /// Whose it is; [`NOBODY`] if nobody's.
    pub citizen: CitizenKey,
    /// Her place among the record's patients.
    pub ordinal: usize,
    /// Where it stands in the order of answers.
    pub cursor: Cursor,
    /// The whole record. What it says of *other* patients is not hers to see:
    /// [`Found::event`] leaves it out.
    pub record: Record,
}

/// What an event id stands for: a record, and which of its patients. It grants nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    position: Position,
    ordinal: u32,
}

/// A place in the order of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    at: i64,
    position: Position,
    citizen: CitizenKey,
}

impl AuditLog {
    /// The entries of a filter, newest first, everything kept before this call included.
    pub async fn entries(&self, filter: &Filter<'_>) -> Result<Vec<Found>, AuditError> {
        if filter.finds_nothing() || filter.limit == 0 {
            return Ok(Vec::new());
        }
        self.catch_up().await?;
        let (sql, values) = filter.statement();
        let rows = self.0.db.all(&sql, values).await?;
        let cursors = rows.iter().map(cursor).collect::<Result<Vec<_>, _>>()?;
        let positions: BTreeSet<Position> = cursors.iter().map(|cursor| cursor.position).collect();
        let records = self.records(positions.into_iter().collect()).await?;
        let mut found = Vec::with_capacity(rows.len());
        for (row, cursor) in rows.iter().zip(cursors) {
            let ordinal: i32 = row.try_get("", "ordinal")?;
            let missing = AuditError::Damaged { position: cursor.position, fault: "there is no record here" };
            let record = records.get(&cursor.position).cloned().ok_or(missing)?;
            found.push(self.found(cursor, u32::try_from(ordinal).unwrap_or(u32::MAX), record)?);
        }
        Ok(found)
    }

    /// How many entries a filter finds, its `after` and `limit` aside.
    pub async fn count(&self, filter: &Filter<'_>) -> Result<u64, AuditError> {
        if filter.finds_nothing() {
            return Ok(0);
        }
        self.catch_up().await?;
        let (conditions, values) = filter.conditions(false);
        let sql = format!("SELECT count(*) AS number FROM audit_entry WHERE {conditions}");
        match self.0.db.one(&sql, values).await? {
            Some(row) => number_column(&row, "audit_entry", "number"),
            None => Ok(0),
        }
    }

    /// The entry of this event id; `None` for an id that never was.
    ///
    /// The caller must check that [`Found::citizen`] is one she may see.
    pub async fn by_id(&self, id: &str) -> Result<Option<Found>, AuditError> {
        let Some((position, ordinal)) = self.0.keys.open_event_id(id) else { return Ok(None) };
        let missing = AuditError::Damaged { position, fault: "there is no record here" };
        let record = self.records(vec![position]).await?.remove(&position).ok_or(missing)?;
        let citizen = match record.patients.get(ordinal as usize) {
            Some(disclosed) => disclosed.citizen,
            None => NOBODY,
        };
        let cursor = Cursor { at: record.at, position, citizen };
        Ok(Some(self.found(cursor, ordinal, record)?))
    }

    /// What an event id stands for; `None` for an id that never was. Nothing is looked up.
    pub fn place(&self, id: &str) -> Option<Place> {
        let (position, ordinal) = self.0.keys.open_event_id(id)?;
        Some(Place { position, ordinal })
    }

    async fn records(&self, positions: Vec<Position>) -> Result<HashMap<Position, Record>, AuditError> {
        let found = self.0.source.pick(&self.0.db, positions).await?;
        let decoded = found.into_iter().map(|(position, bytes)| {
            let record = decode(&bytes, &self.0.keys).map_err(|error| AuditError::record(position, error))?;
            Ok((position, record))
        });
        decoded.collect()
    }

    /// Puts row and record together, if they belong together.
    fn found(&self, cursor: Cursor, ordinal: u32, record: Record) -> Result<Found, AuditError> {
        let place = ordinal as usize;
        let owner = match record.patients.get(place) {
            Some(disclosed) => Some(disclosed.citizen),
            None if place == 0 && record.patients.is_empty() => Some(NOBODY),
            None => None,
        };
        if owner != Some(cursor.citizen) || record.at != cursor.at {
            let fault = "the record is not the one its row was made from";
            return Err(AuditError::Damaged { position: cursor.position, fault });
        }
        let id = self.0.keys.event_id(&cursor.position, ordinal);
        Ok(Found { id, citizen: cursor.citizen, ordinal: place, cursor, record })
    }
}

impl Filter<'_> {
    fn finds_nothing(&self) -> bool {
        self.citizens.is_empty() || self.only.is_some_and(<[Place]>::is_empty)
    }

    fn statement(&self) -> (String, Vec<Value>) {
        let (conditions, mut values) = self.conditions(true);
        values.push(i64::from(self.limit).into());
        let sql = format!(
            "SELECT citizen, at, chain, segment, place, ordinal FROM audit_entry WHERE {conditions} \
             ORDER BY at DESC, chain DESC, segment DESC, place DESC, citizen DESC LIMIT ?"
        );
        (sql, values)
    }

    fn conditions(&self, paged: bool) -> (String, Vec<Value>) {
        let mut sql = format!("citizen IN ({})", vec!["?"; self.citizens.len()].join(", "));
        let mut values: Vec<Value> = self.citizens.iter().map(|citizen| (*citizen).into()).collect();
        if let Some(from) = self.from {
            sql.push_str(" AND at >= ?");
            values.push(from.into());
        }
        if let Some(until) = self.until {
            sql.push_str(" AND at < ?");
            values.push(until.into());
        }
        if !self.kinds.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(sql, " AND kind IN ({})", vec!["?"; self.kinds.len()].join(", "));
            values.extend(self.kinds.iter().map(|kind| Value::from(i32::from(kind.number()))));
        }
        if let Some(only) = self.only {
            // Writing to a String cannot fail.
            let rows = vec!["(?, ?, ?, ?)"; only.len()].join(", ");
            let _ = write!(sql, " AND (chain, segment, place, ordinal) IN (VALUES {rows})");
            values.extend(only.iter().flat_map(Place::values));
        }
        if let Some(after) = self.after.filter(|_| paged) {
            // The first half lets the index begin at the right place.
            sql.push_str(" AND at <= ? AND (at, chain, segment, place, citizen) < (?, ?, ?, ?, ?)");
            values.push(after.at.into());
            values.extend(after.values());
        }
        (sql, values)
    }
}

impl Place {
    fn values(&self) -> [Value; 4] {
        let Position { chain, segment, place } = self.position;
        [chain.into(), i64::from(segment).into(), number_value(place), i64::from(self.ordinal).into()]
    }
}

impl Cursor {
    /// How many bytes it has.
    pub const BYTES: usize = 36;

    /// As bytes, to be sealed into a link.
    pub fn bytes(&self) -> Vec<u8> {
        let Position { chain, segment, place } = self.position;
        [
            &self.at.to_be_bytes()[..],
            &chain.to_be_bytes(),
            &segment.to_be_bytes(),
            &place.to_be_bytes(),
            &self.citizen.to_be_bytes(),
        ]
        .concat()
    }

    /// From the bytes of an opened link.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (at, rest) = bytes.split_first_chunk()?;
        let (chain, rest) = rest.split_first_chunk()?;
        let (segment, rest) = rest.split_first_chunk()?;
        let (place, rest) = rest.split_first_chunk()?;
        let position = Position {
            chain: i64::from_be_bytes(*chain),
            segment: u32::from_be_bytes(*segment),
            place: u64::from_be_bytes(*place),
        };
        Some(Self { at: i64::from_be_bytes(*at), position, citizen: CitizenKey::from_be_bytes(rest.try_into().ok()?) })
    }

    fn values(&self) -> [Value; 5] {
        [
            self.at.into(),
            self.position.chain.into(),
            i64::from(self.position.segment).into(),
            number_value(self.position.place),
            self.citizen.into(),
        ]
    }
}

fn cursor(row: &QueryResult) -> Result<Cursor, AuditError> {
    let segment = number_column(row, "audit_entry", "segment")?;
    let nonsense = || AuditError::Row { table: "audit_entry", column: "segment", row: segment.to_string() };
    Ok(Cursor {
        at: row.try_get("", "at")?,
        position: Position {
            chain: row.try_get("", "chain")?,
            segment: u32::try_from(segment).map_err(|_| nonsense())?,
            place: number_column(row, "audit_entry", "place")?,
        },
        citizen: row.try_get("", "citizen")?,
    })
}
