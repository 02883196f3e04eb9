//! [`Record`] ↔ bytes: `tag (1) ‖ length (varint) ‖ bytes`, field after field.
//!
//! The first byte is the form's version. A tag that is not known is skipped;
//! numbers are little-endian varints, so small ones are small.

use super::record::{Consented, Disclosed, Kind, Layer, Outcome, Party, Record};

/// Bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an audit record: {0}")]
pub(super) struct NoRecord(pub(super) &'static str);

/// Hides and shows the query inside a record.
pub(super) trait Veil {
    /// Seals `plain`, bound to the record's time.
    fn hide(&self, at: i64, plain: &[u8]) -> Vec<u8>;
    /// Opens it again.
    fn show(&self, at: i64, hidden: &[u8]) -> Option<Vec<u8>>;
}

/// The bytes of `record`.
pub(super) fn encode(record: &Record, veil: &dyn Veil) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(512));
    out.0.push(VERSION);
    out.field(tag::AT, &record.at.to_le_bytes());
    out.field(tag::KIND, &[record.kind.number()]);
    out.field(tag::OUTCOME, &[record.outcome.number()]);
    for (tag, party) in
        [(tag::CLIENT, &record.client), (tag::USER, &record.user), (tag::ORGANIZATION, &record.organization)]
    {
        if let Some(party) = party {
            out.field(tag, &encode_party(party));
        }
    }
    for (tag, text) in texts(record) {
        if let Some(text) = text {
            out.field(tag, text.as_bytes());
        }
    }
    if let Some(query) = &record.query {
        out.field(tag::QUERY, &veil.hide(record.at, query.as_bytes()));
    }
    for disclosed in &record.patients {
        out.field(tag::PATIENT, &encode_disclosed(disclosed));
    }
    if let Some(write) = &record.write {
        out.field(tag::WRITE, write);
    }
    out.0
}

/// The record that `bytes` are.
pub(super) fn decode(bytes: &[u8], veil: &dyn Veil) -> Result<Record, NoRecord> {
    let mut record = skim(bytes)?;
    for field in Reader::past_version(bytes)? {
        let (tag, bytes) = field?;
        match tag {
            tag::CLIENT => record.client = Some(decode_party(bytes)?),
            tag::USER => record.user = Some(decode_party(bytes)?),
            tag::ORGANIZATION => record.organization = Some(decode_party(bytes)?),
            tag::REASON => record.reason = Some(text(bytes)?),
            tag::PURPOSE => record.purpose = Some(text(bytes)?),
            tag::ADDRESS => record.address = Some(text(bytes)?),
            tag::TOKEN => record.token = Some(text(bytes)?),
            tag::REQUEST => record.request = Some(text(bytes)?),
            tag::METHOD => record.method = Some(text(bytes)?),
            tag::RESOURCE => record.resource = Some(text(bytes)?),
            tag::QUERY => {
                let plain = veil.show(record.at, bytes).ok_or(NoRecord("the query does not open"))?;
                record.query = Some(text(&plain)?);
            }
            _ => {}
        }
    }
    Ok(record)
}

/// Only what is needed to file a record: time, kind, outcome, whose, which write.
pub(super) fn skim(bytes: &[u8]) -> Result<Record, NoRecord> {
    let (mut at, mut kind, mut outcome) = (None, None, None);
    let mut patients = Vec::new();
    let mut write = None;
    for field in Reader::past_version(bytes)? {
        let (tag, bytes) = field?;
        match tag {
            tag::AT => at = Some(i64::from_le_bytes(bytes.try_into().map_err(|_| NoRecord("time"))?)),
            tag::KIND => kind = Some(one(bytes).and_then(Kind::numbered).ok_or(NoRecord("kind"))?),
            tag::OUTCOME => {
                let found = Outcome::ALL.into_iter().find(|outcome| one(bytes) == Some(outcome.number()));
                outcome = Some(found.ok_or(NoRecord("outcome"))?);
            }
            tag::PATIENT => patients.push(decode_disclosed(bytes)?),
            tag::WRITE => write = Some(bytes.try_into().map_err(|_| NoRecord("write id"))?),
            _ => {}
        }
    }
    let at = at.ok_or(NoRecord("no time"))?;
    let mut record = Record::new(at, kind.ok_or(NoRecord("no kind"))?, outcome.ok_or(NoRecord("no outcome"))?);
    record.patients = patients;
    record.write = write;
    Ok(record)
}

fn texts(record: &Record) -> [(u8, Option<&str>); 7] {
    [
        (tag::REASON, record.reason.as_deref()),
        (tag::PURPOSE, record.purpose.as_deref()),
        (tag::ADDRESS, record.address.as_deref()),
        (tag::TOKEN, record.token.as_deref()),
        (tag::REQUEST, record.request.as_deref()),
        (tag::METHOD, record.method.as_deref()),
        (tag::RESOURCE, record.resource.as_deref()),
    ]
}

fn encode_party(party: &Party) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(64));
    out.field(part::REFERENCE, party.reference.as_bytes());
    if let Some(name) = &party.name {
        out.field(part::NAME, name.as_bytes());
    }
    out.0
}

fn decode_party(bytes: &[u8]) -> Result<Party, NoRecord> {
    let mut party = Party::new("", None);
    for field in Reader(bytes) {
        match field? {
            (part::REFERENCE, bytes) => party.reference = text(bytes)?,
            (part::NAME, bytes) => party.name = Some(text(bytes)?),
            _ => {}
        }
    }
    Ok(party)
}

fn encode_disclosed(disclosed: &Disclosed) -> Vec<u8> {
    let mut out = Writer(Vec::with_capacity(128 + 48 * disclosed.consents.len()));
    out.field(part::CITIZEN, &disclosed.citizen.to_le_bytes());
    out.field(part::ID, disclosed.patient.as_bytes());
    if let Some(layer) = disclosed.layer {
        out.field(part::LAYER, &[layer.number()]);
    }
    for consent in &disclosed.consents {
        out.numbered(part::CONSENT, consent.version, &consent.id);
    }
    for (kind, count) in &disclosed.counts {
        out.numbered(part::COUNT, u64::from(*count), kind);
    }
    out.0
}

fn decode_disclosed(bytes: &[u8]) -> Result<Disclosed, NoRecord> {
    let mut disclosed = Disclosed::of(0, "");
    for field in Reader(bytes) {
        let (part, bytes) = field?;
        match part {
            part::CITIZEN => {
                disclosed.citizen = i64::from_le_bytes(bytes.try_into().map_err(|_| NoRecord("citizen"))?);
            }
            part::ID => disclosed.patient = text(bytes)?,
            part::LAYER => {
                let found = Layer::ALL.into_iter().find(|layer| one(bytes) == Some(layer.number()));
                disclosed.layer = Some(found.ok_or(NoRecord("layer"))?);
            }
            part::CONSENT => {
                let (version, id) = split_number(bytes)?;
                disclosed.consents.push(Consented { id: id.into(), version });
            }
            part::COUNT => {
                let (count, kind) = split_number(bytes)?;
                disclosed.counts.push((kind, u32::try_from(count).map_err(|_| NoRecord("count"))?));
            }
            _ => {}
        }
    }
    Ok(disclosed)
}

fn split_number(bytes: &[u8]) -> Result<(u64, Box<str>), NoRecord> {
    let mut rest = bytes;
    let number = take_number(&mut rest)?;
    Ok((number, text(rest)?))
}

fn text(bytes: &[u8]) -> Result<Box<str>, NoRecord> {
    str::from_utf8(bytes).map(Into::into).map_err(|_| NoRecord("text that is not UTF-8"))
}

fn one(bytes: &[u8]) -> Option<u8> {
    match bytes {
        [byte] => Some(*byte),
        _ => None,
    }
}

fn take_number(rest: &mut &[u8]) -> Result<u64, NoRecord> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(NoRecord("a number is cut"))?;
        *rest = after;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(NoRecord("a number is too long"))
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, mut number: u64) {
        loop {
            let low = (number & 0x7F) as u8;
            number >>= 7;
            if number == 0 {
                return self.0.push(low);
            }
            self.0.push(low | 0x80);
        }
    }

    fn field(&mut self, tag: u8, bytes: &[u8]) {
        self.0.push(tag);
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// A number and a text in one field.
    fn numbered(&mut self, tag: u8, number: u64, text: &str) {
        let digits = (u64::BITS - number.leading_zeros()).div_ceil(7).max(1);
        self.0.push(tag);
        self.number(u64::from(digits) + text.len() as u64);
        self.number(number);
        self.0.extend_from_slice(text.as_bytes());
    }
}

/// Field after field of what is left.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn past_version(bytes: &'a [u8]) -> Result<Self, NoRecord> {
        match bytes.split_first() {
            Some((&VERSION, rest)) => Ok(Self(rest)),
            Some(_) => Err(NoRecord("a version from the future")),
            None => Err(NoRecord("empty")),
        }
    }

    fn field(&mut self, tag: u8) -> Result<(u8, &'a [u8]), NoRecord> {
        let length = usize::try_from(take_number(&mut self.0)?).map_err(|_| NoRecord("a length is too large"))?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(NoRecord("a field is cut"))?;
        self.0 = rest;
        Ok((tag, bytes))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<(u8, &'a [u8]), NoRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        let (tag, rest) = self.0.split_first()?;
        self.0 = rest;
        let field = self.field(*tag);
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Form of the records written today.
const VERSION: u8 = 1;

/// Tags of a record's fields. Never reused.
mod tag {
    pub(super) const AT: u8 = 1;
    pub(super) const KIND: u8 = 2;
    pub(super) const OUTCOME: u8 = 3;
    pub(super) const CLIENT: u8 = 4;
    pub(super) const USER: u8 = 5;
    pub(super) const ORGANIZATION: u8 = 6;
    pub(super) const REASON: u8 = 7;
    pub(super) const PURPOSE: u8 = 8;
    pub(super) const ADDRESS: u8 = 9;
    pub(super) const TOKEN: u8 = 10;
    pub(super) const REQUEST: u8 = 11;
    pub(super) const METHOD: u8 = 12;
    pub(super) const RESOURCE: u8 = 13;
    pub(super) const QUERY: u8 = 14;
    pub(super) const PATIENT: u8 = 15;
    pub(super) const WRITE: u8 = 16;
}

/// Tags inside a party or a patient. Never reused.
mod part {
    pub(super) const REFERENCE: u8 = 1;
    pub(super) const NAME: u8 = 2;
    pub(super) const CITIZEN: u8 = 1;
    pub(super) const ID: u8 = 2;
    pub(super) const LAYER: u8 = 3;
    pub(super) const CONSENT: u8 = 4;
    pub(super) const COUNT: u8 = 5;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns bytes over, so that plain text in the output shows.
    struct Inverting;

    impl Veil for Inverting {
        fn hide(&self, at: i64, plain: &[u8]) -> Vec<u8> {
            let mut hidden: Vec<u8> = plain.iter().map(|byte| !byte).collect();
            hidden.extend_from_slice(&at.to_le_bytes());
            hidden
        }

        fn show(&self, at: i64, hidden: &[u8]) -> Option<Vec<u8>> {
            let (plain, bound) = hidden.split_last_chunk::<8>()?;
            (*bound == at.to_le_bytes()).then(|| plain.iter().map(|byte| !byte).collect())
        }
    }

    fn full() -> Record {
        let mut record = Record::new(-5, Kind::Search, Outcome::Success);
        record.reason = Some("why".into());
        record.client = Some(Party::new("Device/app", Some("App")));
        record.user = Some(Party::new("Practitioner/dr-sato", Some("佐藤 健")));
        record.organization = Some(Party::new("Organization/org", None));
        record.purpose = Some("TREAT".into());
        record.address = Some("192.0.2.1".into());
        record.token = Some("t1".into());
        record.request = Some("r1".into());
        record.method = Some("GET".into());
        record.query = Some("Patient?name=山田".into());
        record.resource = Some("Patient/pt".into());
        record.write = Some([9; 16]);
        record.patients = vec![
            Disclosed {
                layer: Some(Layer::Consent),
                consents: vec![
                    Consented { id: "c".into(), version: u64::MAX },
                    Consented { id: "d".into(), version: 0 },
                ],
                counts: vec![("Observation".into(), 300), ("Patient".into(), 1)],
                ..Disclosed::of(i64::MAX, "pt-a")
            },
            Disclosed::of(i64::MIN, "pt-b"),
        ];
        record
    }

    #[test]
    fn what_is_written_is_read() {
        for record in [full(), Record::new(i64::MIN, Kind::Refusal, Outcome::Refused)] {
            let bytes = encode(&record, &Inverting);
            assert_eq!(decode(&bytes, &Inverting), Ok(record.clone()));
            let skimmed = skim(&bytes).expect("skimmed");
            assert_eq!((skimmed.at, skimmed.patients, skimmed.write), (record.at, record.patients, record.write));
        }
    }

    #[test]
    fn every_layer_and_outcome_has_a_number() {
        for layer in Layer::ALL {
            let record = Record {
                patients: vec![Disclosed { layer: Some(layer), ..Disclosed::of(1, "a") }],
                ..Record::new(0, Kind::Read, Outcome::Success)
            };
            assert_eq!(decode(&encode(&record, &Inverting), &Inverting), Ok(record));
        }
        for outcome in Outcome::ALL {
            let record = Record::new(0, Kind::Read, outcome);
            assert_eq!(decode(&encode(&record, &Inverting), &Inverting), Ok(record));
        }
    }

    #[test]
    fn the_query_is_not_in_the_log_in_plain() {
        let bytes = encode(&full(), &Inverting);
        let needle = "山田".as_bytes();
        assert!(!bytes.windows(needle.len()).any(|window| window == needle));
    }

    #[test]
    fn unknown_fields_are_skipped_and_nothing_panics() {
        let mut bytes = encode(&full(), &Inverting);
        let mut extended = Writer(bytes.clone());
        extended.field(200, b"from the future");
        assert_eq!(decode(&extended.0, &Inverting), Ok(full()));
        for cut in 0..bytes.len() {
            let _ = decode(&bytes[..cut], &Inverting);
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7F, 0x80, 0xFF] {
                let before = std::mem::replace(&mut bytes[at], value);
                let _ = decode(&bytes, &Inverting);
                bytes[at] = before;
            }
        }
    }
}
