//! URIs: whole and exact. A canonical URL with a version is found with it and
//! without. `:above` and `:below` go by the segments of URLs; URNs have none.
//!
//! Source: FHIR R4 search.html#uri

use super::{Cells, Element, Kind, Question};
use crate::search::escape::unescape;
use crate::search::fold::bounded;
use crate::search::modifier::Modifier;
use crate::search::plan::{Match, Place, SortColumn};
use crate::search::reason::Reason;
use crate::search::row::{Cell, Table};

/// URIs.
pub const KIND: Kind = Kind {
    name: "uri",
    tables: &[Table::Uri],
    modifiers: &["above", "below"],
    undone: &[],
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
        return Err(Reason::Uri);
    }
    match question.modifier {
        Modifier::Above => above(&text),
        Modifier::Below => below(&text),
        _ => Ok(vec![Match::Uri(bounded(&text))]),
    }
}

/// The URL, and every one that it stands under: with a closing slash and without.
fn above(url: &str) -> Result<Vec<Match>, Reason> {
    let start = host(url)?;
    let mut found = vec![Match::Uri(bounded(url))];
    for (at, _) in url.match_indices('/').filter(|(at, _)| *at >= start) {
        found.extend([&url[..at], &url[..=at]].map(|part| Match::Uri(bounded(part))));
    }
    Ok(found)
}

/// The URL, and every one that stands under it.
fn below(url: &str) -> Result<Vec<Match>, Reason> {
    host(url)?;
    let stem = url.trim_end_matches('/');
    Ok(vec![Match::Uri(bounded(stem)), Match::UriPart(Place::Start, format!("{stem}/").into())])
}

/// Where a URL's host begins.
fn host(url: &str) -> Result<usize, Reason> {
    let at = url.find("://").map(|at| at + 3).filter(|at| url.len() > *at && url.len() <= LONGEST);
    at.ok_or(Reason::UriAbove)
}

/// The longest URL with places above and below it.
const LONGEST: usize = 500;

#[cfg(test)]
mod tests {
    use super::super::testing::{ask, cells};
    use super::*;
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

    #[test]
    fn above_and_below_go_by_segments() {
        let uri = |text: &str| Match::Uri(text.into());
        let above = ask(&KIND, Modifier::Above, "http://x/a/b").expect("a URL");
        assert_eq!(above, ["http://x/a/b", "http://x", "http://x/", "http://x/a", "http://x/a/"].map(uri));
        for text in ["http://x/a", "http://x/a/"] {
            let below = ask(&KIND, Modifier::Below, text).expect("a URL");
            assert_eq!(below, [uri("http://x/a"), Match::UriPart(Place::Start, "http://x/a/".into())]);
        }
        for text in ["urn:oid:1.2", "", "http://", "x"] {
            assert!(ask(&KIND, Modifier::Below, text).is_err(), "{text}");
        }
    }
}
