//! Where a page of results ended: the content of a `next` link.
//!
//! A page link is sealed by the store before it leaves, so a [`Cursor`] is only
//! turned into bytes and back here. It grants nothing: the next page is searched
//! anew through the caller's view, from the row after this one.

/// The place after which, or before which, the next page begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    /// The resource type and the query, as in the `self` link: `Patient?name=x`.
    pub query: String,
    /// The sort values of the row at the edge, one a sort key.
    pub values: Vec<SortValue>,
    /// That row's id.
    pub rid: i64,
    /// Towards later or earlier rows.
    pub direction: Direction,
}

/// Which way to go from a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// `next`
    Onward,
    /// `previous`
    Back,
}

/// One value that rows are sorted by.
#[derive(Clone, Debug, PartialEq)]
pub enum SortValue {
    /// The row has none.
    Absent,
    /// An instant or a row's own number.
    Integer(i64),
    /// A number or quantity.
    Real(f64),
    /// A text.
    Text(String),
}

impl Cursor {
    /// The bytes of this cursor; `None` if it would be longer than
    /// [`MAX_BYTES`], which a query of ordinary length never is.
    pub fn encode(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![VERSION, u8::from(self.direction == Direction::Back)];
        bytes.extend(self.rid.to_be_bytes());
        put_text(&mut bytes, &self.query)?;
        bytes.push(u8::try_from(self.values.len()).ok()?);
        for value in &self.values {
            match value {
                SortValue::Absent => bytes.push(0),
                SortValue::Integer(number) => {
                    bytes.push(1);
                    bytes.extend(number.to_be_bytes());
                }
                SortValue::Real(number) => {
                    bytes.push(2);
                    bytes.extend(number.to_bits().to_be_bytes());
                }
                SortValue::Text(text) => {
                    bytes.push(3);
                    put_text(&mut bytes, text)?;
                }
            }
        }
        (bytes.len() <= MAX_BYTES).then_some(bytes)
    }

    /// The cursor that was encoded; `None` for any other bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_BYTES {
            return None;
        }
        let mut reader = Reader(bytes);
        if reader.byte()? != VERSION {
            return None;
        }
        let direction = match reader.byte()? {
            0 => Direction::Onward,
            1 => Direction::Back,
            _ => return None,
        };
        let rid = i64::from_be_bytes(reader.array()?);
        let query = reader.text()?;
        let count = reader.byte()?;
        let values = (0..count).map(|_| reader.value()).collect::<Option<_>>()?;
        reader.0.is_empty().then_some(Self { query, values, rid, direction })
    }
}

/// The length of a text, then its bytes.
fn put_text(bytes: &mut Vec<u8>, text: &str) -> Option<()> {
    bytes.extend(u16::try_from(text.len()).ok()?.to_be_bytes());
    bytes.extend(text.as_bytes());
    Some(())
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        std::str::from_utf8(head).ok().map(str::to_owned)
    }

    fn value(&mut self) -> Option<SortValue> {
        Some(match self.byte()? {
            0 => SortValue::Absent,
            1 => SortValue::Integer(i64::from_be_bytes(self.array()?)),
            2 => SortValue::Real(f64::from_bits(u64::from_be_bytes(self.array()?))),
            3 => SortValue::Text(self.text()?),
            _ => return None,
        })
    }
}

/// `name=value&…` of these parameters, percent-encoded for a URL.
pub fn query_string(parameters: &[(Box<str>, Box<str>)]) -> String {
    let mut text = String::new();
    for (name, value) in parameters {
        if !text.is_empty() {
            text.push('&');
        }
        put_encoded(&mut text, name);
        text.push('=');
        put_encoded(&mut text, value);
    }
    text
}

fn put_encoded(text: &mut String, part: &str) {
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:,/*".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let digit = |half: u8| char::from(b"0123456789ABCDEF"[usize::from(half)]);
            text.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// The longest cursor.
pub const MAX_BYTES: usize = 16 * 1024;
const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Cursor {
        Cursor {
            query: "Patient?name=%E5%B1%B1&_sort=-birthdate".into(),
            values: vec![
                SortValue::Absent,
                SortValue::Integer(i64::MIN),
                SortValue::Real(-0.5),
                SortValue::Text("やまだ".into()),
            ],
            rid: 42,
            direction: Direction::Back,
        }
    }

    #[test]
    fn what_goes_in_comes_out() {
        let cursor = sample();
        assert_eq!(Cursor::decode(&cursor.encode().expect("short")), Some(cursor));
    }

    #[test]
    fn no_other_bytes_are_a_cursor() {
        let bytes = sample().encode().expect("short");
        for length in 0..bytes.len() {
            assert_eq!(Cursor::decode(&bytes[..length]), None, "{length}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Cursor::decode(&longer), None);
        for at in 0..bytes.len() {
            for flip in [1, 0x80, 0xff] {
                let mut other = bytes.clone();
                other[at] ^= flip;
                // Any answer but a panic will do; the seal refuses it first.
                let _ = Cursor::decode(&other);
            }
        }
    }

    #[test]
    fn too_long_a_query_has_no_cursor() {
        let cursor = Cursor { query: "x".repeat(MAX_BYTES), ..sample() };
        assert_eq!(cursor.encode(), None);
    }

    #[test]
    fn a_query_is_encoded_for_a_url() {
        let parameters = [("code".into(), "http://loinc.org|8302-2".into()), ("name:exact".into(), "山 &=+".into())];
        assert_eq!(query_string(&parameters), "code=http://loinc.org%7C8302-2&name:exact=%E5%B1%B1%20%26%3D%2B");
    }
}
