//! URIs: whole and exact. A canonical URL with a version is found with it and
//! without.
//!
//! Source: FHIR R4 search.html#uri

use super::{Cells, Element, Kind, Question};
use crate::search::error::Reason;
use crate::search::escape::unescape;
use crate::search::fold::bounded;
use crate::search::plan::{Match, SortColumn};
use crate::search::row::{Cell, Table};

/// URIs.
pub const KIND: Kind = Kind {
    name: "uri",
    tables: &[Table::Uri],
    modifiers: &[],
    undone: &["above", "below"],
    extract,
    parse,
    sort: Some(SortColumn::Uri),
};

fn extract(element: &Element<'_>, cells: &mut Cells<'_>) {
    if !matches!(element.type_name, "uri" | "url" | "canonical" | "oid" | "uuid") {
        return;
    }
    let Some(text) = element.json.as_str() else { return };
    cells.push(Cell::Uri(bounded(text)));
    if element.type_name == "canonical"
        && let Some((url, _)) = text.split_once('|')
    {
        cells.push(Cell::Uri(bounded(url)));
    }
}

fn parse(question: &Question<'_>) -> Result<Vec<Match>, Reason> {
    let text = unescape(question.value)?;
    if text.is_empty() {
        return Err(Reason::Value("a URI is wanted".into()));
    }
    Ok(vec![Match::Uri(bounded(&text))])
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, cells};
    use super::*;
    use crate::search::modifier::Modifier;
    use techo_profiles::json;

    #[test]
    fn canonicals_are_found_with_and_without_their_version() {
        let uri = |text: &str| Cell::Uri(text.into());
        assert_eq!(cells(&KIND, "canonical", &json!("http://x/P|2")), [uri("http://x/P|2"), uri("http://x/P")]);
        assert_eq!(cells(&KIND, "uri", &json!("urn:oid:1.2")), [uri("urn:oid:1.2")]);
        assert_eq!(cells(&KIND, "string", &json!("urn:oid:1.2")), []);
    }

    #[test]
    fn a_bar_in_a_question_may_be_escaped() {
        for value in ["http://x/P|2", r"http://x/P\|2"] {
            assert_eq!(ask(&KIND, Modifier::None, value), Ok(vec![Match::Uri("http://x/P|2".into())]));
        }
        assert!(ask(&KIND, Modifier::None, "").is_err());
    }
}
