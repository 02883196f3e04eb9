//! How much of each resource an answer holds: `_summary` and `_elements`.
//!
//! A search reads them with its other parameters; a read or a history reads
//! nothing else by [`Shape::asked`]. What they cut is in `interaction/subset.rs`.
//!
//! Source: FHIR R4 search.html#summary, #elements

use techo_profiles::Definitions;

use super::error::SearchError;
use super::reason::Reason;

/// How much of each resource to answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// `_summary`
    pub summary: Summary,
    /// `_elements`: top-level elements as `name` or `Type.name`; empty means all.
    pub elements: Vec<Box<str>>,
}

/// `_summary`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Summary {
    /// Whole resources.
    #[default]
    False,
    /// What the definitions mark as summary.
    True,
    /// The narrative and what is mandatory.
    Text,
    /// All but the narrative.
    Data,
    /// No resources, the count alone.
    Count,
}

impl Summary {
    /// Reads the parameter's value.
    pub fn read(value: &str) -> Result<Self, Reason> {
        match value {
            "false" => Ok(Self::False),
            "true" => Ok(Self::True),
            "text" => Ok(Self::Text),
            "data" => Ok(Self::Data),
            "count" => Ok(Self::Count),
            _ => Err(Reason::Summary),
        }
    }
}

impl Shape {
    /// The shape that these parameters ask for, of resources of one type. Other
    /// parameters are somebody else's.
    ///
    /// # Errors
    /// [`SearchError`] about the parameter that cannot be read.
    pub fn asked(definitions: &Definitions, kind: &str, query: &[(String, String)]) -> Result<Self, SearchError> {
        let mut shape = Self::default();
        let mut seen = Vec::new();
        for (name, value) in query.iter().filter(|(name, _)| matches!(&**name, "_summary" | "_elements")) {
            let known = |reason| SearchError::new(name, reason);
            if seen.contains(&name) {
                return Err(known(Reason::Repeated));
            }
            seen.push(name);
            match &**name {
                "_summary" => shape.summary = Summary::read(value).map_err(known)?,
                _ => shape.elements = elements(definitions, &[kind], value).map_err(known)?,
            }
        }
        shape.fits()?;
        Ok(shape)
    }

    /// Whether resources go out whole.
    pub fn is_whole(&self) -> bool {
        matches!(self.summary, Summary::False | Summary::Count) && self.elements.is_empty()
    }

    /// Refuses two ways to cut at once.
    pub fn fits(&self) -> Result<(), SearchError> {
        if self.elements.is_empty() || matches!(self.summary, Summary::False | Summary::Count) {
            return Ok(());
        }
        Err(SearchError::new("_elements", Reason::SummaryAndElements))
    }
}

/// `name,Type.name`: elements of `kinds`, or of any type by its name. An element of
/// several types is asked for by its base name; `value[x]`, as the definitions write
/// it, is taken for that.
pub fn elements(definitions: &Definitions, kinds: &[&str], value: &str) -> Result<Vec<Box<str>>, Reason> {
    use techo_profiles::path::Model;
    let is_element = |kind: &str, name: &str| match name.strip_suffix(CHOICE) {
        Some(base) => definitions.spellings(kind, base).iter().any(|spelling| *spelling != base),
        None => definitions.part(kind, name).is_some() || !definitions.spellings(kind, name).is_empty(),
    };
    let mut found: Vec<Box<str>> = Vec::new();
    for name in value.split(',') {
        let known = match name.split_once('.') {
            Some((kind, name)) => definitions.type_number(kind).is_some() && is_element(kind, name),
            None => kinds.iter().any(|kind| is_element(kind, name)),
        };
        if !known {
            let shown: String = name.chars().filter(|sign| !sign.is_control()).take(64).collect();
            return Err(Reason::NoElement { name: shown.into(), types: kinds.join(", ").into() });
        }
        if found.len() >= MOST {
            return Err(Reason::ManyElements { most: MOST });
        }
        found.push(name.strip_suffix(CHOICE).unwrap_or(name).into());
    }
    Ok(found)
}

/// How the definitions mark an element of several types.
const CHOICE: &str = "[x]";
/// The most elements that may be named.
const MOST: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: &str, query: &[(&str, &str)]) -> Result<Shape, SearchError> {
        let query: Vec<(String, String)> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Shape::asked(Definitions::embedded(), kind, &query)
    }

    #[test]
    fn what_is_asked_is_read() {
        for (query, summary, elements) in [
            (vec![], Summary::False, vec![]),
            (vec![("_summary", "true")], Summary::True, vec![]),
            (vec![("_summary", "count"), ("other", "x")], Summary::Count, vec![]),
            (vec![("_elements", "value,valueQuantity,code")], Summary::False, vec!["value", "valueQuantity", "code"]),
            (vec![("_elements", "value[x],Patient.deceased[x]")], Summary::False, vec!["value", "Patient.deceased"]),
            (vec![("_elements", "Patient.name"), ("_summary", "false")], Summary::False, vec!["Patient.name"]),
        ] {
            let shape = asked("Observation", &query).expect("good");
            assert_eq!((shape.summary, shape.elements), (summary, elements.into_iter().map(Box::from).collect()));
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (query, code) in [
            (vec![("_summary", "some")], "value"),
            (vec![("_summary", "true"), ("_summary", "true")], "invalid"),
            (vec![("_elements", "nothing")], "value"),
            (vec![("_elements", "")], "value"),
            (vec![("_elements", "code[x]")], "value"),
            (vec![("_elements", "valueQuantity[x]")], "value"),
            (vec![("_elements", "value[x][x]")], "value"),
            (vec![("_elements", "[x]")], "value"),
            (vec![("_elements", "code,")], "value"),
            (vec![("_elements", "code.coding")], "value"),
            (vec![("_elements", "Nothing.code")], "value"),
            (vec![("_elements", "code"), ("_summary", "text")], "invalid"),
        ] {
            assert_eq!(asked("Observation", &query).map_err(|error| error.issue_code()), Err(code), "{query:?}");
        }
    }
}
