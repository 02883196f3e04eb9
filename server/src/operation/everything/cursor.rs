//! Where a page of `$everything` ended: the content of its `next` link, sealed before
//! it leaves. It grants nothing: the next page is asked for anew through the View.

use crate::search::page::query_string;
use crate::store::everything::Member;

/// The content of a `next` link.
#[derive(Debug, PartialEq)]
pub(super) struct Cursor {
    /// The question's parameters.
    pub(super) query: Vec<(Box<str>, Box<str>)>,
    /// The row of the Patient with whom the next page begins; 0 where one is named.
    pub(super) person: i64,
    /// Where it begins with her.
    pub(super) place: Place,
}

/// A place in the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The Patient.
    Start,
    /// Behind a record of her compartment.
    Member(Member),
    /// Behind something that her records refer to, by type and id.
    Beyond((u16, String)),
}

impl Cursor {
    /// * `of`: whose everything it is, `Patient/1` or `Patient`; a link for one person opens
    ///   no other's.
    pub(super) fn encode(&self, of: &str) -> Vec<u8> {
        let place = match &self.place {
            Place::Start => "start 0 -".to_owned(),
            Place::Member((kind, rid)) => format!("member {kind} {rid}"),
            Place::Beyond((kind, id)) => format!("beyond {kind} {id}"),
        };
        format!("everything {of} {} {place} {}", self.person, query_string(&self.query)).into_bytes()
    }

    /// The cursor that was encoded for `of`; `None` for any other bytes.
    pub(super) fn decode(bytes: &[u8], of: &str) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let rest = text.strip_prefix("everything ")?.strip_prefix(of)?.strip_prefix(' ')?;
        let mut parts = rest.splitn(5, ' ');
        let person = parts.next()?.parse().ok()?;
        let (what, kind, which, query) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let kind = kind.parse().ok()?;
        let place = match what {
            "start" => Place::Start,
            "member" => Place::Member((kind, which.parse().ok()?)),
            "beyond" => Place::Beyond((kind, which.to_owned())),
            _ => return None,
        };
        let query = form_urlencoded::parse(query.as_bytes());
        let query = query.map(|(name, value)| (name.as_ref().into(), value.as_ref().into())).collect();
        Some(Self { query, person, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_for_the_same_person_only() {
        let query = vec![("start".into(), "2024-01-01".into()), ("_type".into(), "Observation,Condition".into())];
        for place in
            [Place::Start, Place::Member((97, 123)), Place::Beyond((0, String::new())), Place::Beyond((3, "a".into()))]
        {
            for (of, other, person) in [("Patient/1", "Patient/12", 0), ("Patient", "Patient/1", 77)] {
                let cursor = Cursor { query: query.clone(), person, place: place.clone() };
                let bytes = cursor.encode(of);
                assert_eq!(Cursor::decode(&bytes, of), Some(cursor));
                assert_eq!(Cursor::decode(&bytes, other), None);
                assert_eq!(Cursor::decode(&bytes, "Patient/").or(Cursor::decode(&bytes, "")), None);
            }
        }
    }
}
