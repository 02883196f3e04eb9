//! What a resource says in words, for `_text` and `_content`.
//!
//! Its narrative, and all its values of the types `string` and `markdown`, in
//! contained resources and extensions too. No codes, URLs, ids, dates, numbers, units
//! and no data: these have parameters of their own. Each value is folded
//! ([`super::fold`]) and cut into words, each with a blank before it:
//!
//! ```text
//! 春の花粉症（hay fever）  →  " 春の花粉症 hay fever"
//! ```
//!
//! Japanese is written without blanks, so a run of kana and kanji is one word here
//! and is found by any part of it; a word of another script by its beginning. Both
//! are "contains": of the second the blank is a part. Values stand in lines, so
//! that nothing is found across two of them.
//!
//! On its way out a resource may lose the `display` and `identifier` of a reference, and for
//! a reference its narratives (`interaction/redact.rs`). Such a display is therefore no word
//! at all, nor is the narrative of what is contained beside such a reference; and where it
//! leads is kept, for the store to ask whether the caller would get narrative and identifier.
//!
//! A change here must raise [`super::index::INDEX_EPOCH`].

mod query;
mod xhtml;

use techo_profiles::Definitions;
use techo_profiles::json::Json;
use techo_profiles::path::Model;

pub(super) use query::filter;

use super::fold::{fold, is_japanese};

/// What one resource says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Its narrative.
    pub narrative: String,
    /// Its other texts.
    pub content: String,
    /// Types and ids of the records that it refers to, if it has a narrative or tells by
    /// `identifier` too what one is.
    pub named: Vec<(Box<str>, Box<str>)>,
}

/// What an element says of where it leads, where somebody may hide that.
#[derive(Clone, Copy, Debug)]
pub struct Named<'j> {
    /// Where that is: type and id.
    pub place: (&'j str, &'j str),
    /// The members in which it says so.
    pub by: &'static [&'static str],
}

/// The words of a resource.
///
/// * `named`: of each element, if it leads to what somebody may hide.
pub fn of<'j>(
    definitions: &Definitions,
    resource_type: &str,
    resource: &'j Json,
    named: &dyn Fn(&'j Json) -> Option<Named<'j>>,
) -> Words {
    let mut reader =
        Reader { definitions, named, found: Vec::new(), identified: false, lines: Vec::new(), inner: Vec::new() };
    reader.element(resource_type, resource, true);
    if reader.found.is_empty() {
        for line in std::mem::take(&mut reader.inner) {
            reader.push(line);
        }
    }
    let div = resource.at(&["text", "div"]).and_then(Json::as_str).unwrap_or_default();
    let narrative = xhtml::texts(div).iter().map(|text| line(text)).collect::<String>();
    let mut found = if narrative.is_empty() && !reader.identified { Vec::new() } else { reader.found };
    found.sort_unstable();
    found.dedup();
    Words { narrative, content: reader.lines.concat(), named: found }
}

/// A text in words, and the end of its line; nothing for what holds no word.
fn line(text: &str) -> String {
    let mut words = words(text);
    if !words.is_empty() {
        words.push('\n');
    }
    words
}

/// The words of a text, a blank before each.
fn words(text: &str) -> String {
    let mut words = String::with_capacity(text.len() + 1);
    let mut last = None;
    for sign in fold(text).chars() {
        if !sign.is_alphanumeric() {
            last = None;
            continue;
        }
        let script = Some(is_japanese(sign));
        if script != last {
            words.push(' ');
        }
        words.push(sign);
        last = script;
    }
    words
}

struct Reader<'a, 'j> {
    definitions: &'a Definitions,
    named: &'a dyn Fn(&'j Json) -> Option<Named<'j>>,
    found: Vec<(Box<str>, Box<str>)>,
    /// One of the references has an `identifier`.
    identified: bool,
    lines: Vec<String>,
    /// What narratives of contained resources say.
    inner: Vec<String>,
}

impl<'j> Reader<'_, 'j> {
    /// * `outermost`: it is the resource itself, whose narrative is no content.
    fn element(&mut self, type_name: &str, json: &'j Json, outermost: bool) {
        let hidden = (self.named)(json);
        let cut = hidden.map_or(&[][..], |hidden| hidden.by);
        if let Some(Named { place: (kind, id), .. }) = hidden {
            self.found.push((kind.into(), id.into()));
            self.identified |= cut.contains(&"identifier") && json.get("identifier").is_some();
        }
        for member in json.members() {
            let name = &*member.name;
            if let Some(name) = name.strip_prefix('_') {
                // The extensions of a primitive.
                if !cut.contains(&name) {
                    self.extensions(&member.value);
                }
                continue;
            }
            let other = name == "id" || NO_WORDS.contains(&(type_name, name));
            if other || cut.contains(&name) || name == "text" && outermost {
                continue;
            }
            let Some(property) = self.definitions.property(type_name, name) else { continue };
            member.value.each().iter().for_each(|item| self.value(property.type_name, item));
        }
    }

    fn extensions(&mut self, json: &'j Json) {
        for item in json.each() {
            item.list("extension").iter().for_each(|extension| self.element("Extension", extension, false));
        }
    }

    fn value(&mut self, type_name: &str, json: &'j Json) {
        match (type_name, json.as_str()) {
            ("string" | "markdown", Some(text)) => self.push(line(text)),
            ("xhtml", Some(div)) => self.inner.extend(xhtml::texts(div).iter().map(|text| line(text))),
            (_, Some(_)) => {}
            (_, None) => {
                let own = json.str("resourceType").filter(|name| self.definitions.is_resource(name));
                self.element(own.unwrap_or(type_name), json, false);
            }
        }
    }

    /// A text that stands there several times is kept once, where that is cheap to tell.
    fn push(&mut self, line: String) {
        let known = self.lines.len() < FEW && self.lines.contains(&line);
        if !(line.is_empty() || known) {
            self.lines.push(line);
        }
    }
}

const FEW: usize = 32;

/// Strings that are no words: where a reference leads, and units, which a quantity is
/// searched by and which every measurement would bring a row for.
const NO_WORDS: &[(&str, &str)] = &[
    ("Reference", "reference"),
    ("Quantity", "unit"),
    ("Age", "unit"),
    ("Count", "unit"),
    ("Distance", "unit"),
    ("Duration", "unit"),
];

#[cfg(test)]
mod tests {
    use techo_profiles::json;

    use super::*;

    fn named(json: &Json) -> Option<Named<'_>> {
        json.get("display")?;
        Some(Named { place: json.str("reference")?.split_once('/')?, by: &["display", "identifier"] })
    }

    fn read(resource: &Json) -> Words {
        let kind = resource.str("resourceType").expect("a resource");
        of(Definitions::embedded(), kind, resource, &named)
    }

    #[test]
    fn a_text_becomes_words() {
        for (text, expected) in [
            ("春の花粉症（hay fever）", " 春の花粉症 hay fever"),
            ("山田 太郎", " 山田太郎"),
            ("ｶﾌﾝ、鼻炎", " かふん 鼻炎"),
            ("COVID-19 3回目", " covid 19 3 回目"),
            ("---", ""),
            ("100%_x", " 100 x"),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_said_is_read_wherever_it_stands() {
        let found = read(&json!({
            "resourceType": "Observation", "id": "someid", "language": "ja", "status": "final",
            "meta": {"tag": [{"system": "https://example.org/tags", "code": "tagcode", "display": "札"}]},
            "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">要約</div>"},
            "contained": [{"resourceType": "Patient", "id": "in",
                "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">内側</div>"},
                "name": [{"family": "内田", "_family": {"extension": [{"url": "http://x.example/u", "valueString": "ウチダ"}]}}]}],
            "extension": [{"url": "http://x.example/e", "valueMarkdown": "**太字**"}, {"url": "urn:x", "valueCode": "codeonly"}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7", "display": "体重"}], "text": "体重"},
            "subject": {"id": "refid", "reference": "Patient/p", "display": "隠し名"},
            "performer": [{"display": "名だけ"}],
            "effectiveDateTime": "2026-01-01", "valueQuantity": {"value": 6, "unit": "unitonly"},
            "note": [{"text": "朝 fasting", "time": "2026-01-01"}]
        }));
        assert_eq!(found.narrative, " 要約\n");
        let lines: Vec<&str> = found.content.lines().collect();
        assert_eq!(lines, [" 札", " 内田", " うちだ", " 太字", " 体重", " 名だけ", " 朝 fasting"]);
        assert_eq!(found.named, [("Patient".into(), "p".into())]);
    }

    #[test]
    fn the_narrative_of_what_is_contained_was_found_by_whom_it_is_not_given_to() {
        let holder = |display: &str| {
            let reference = json!({"reference": "Condition/c"}).with("display", display);
            read(
                &json!({"resourceType": "Observation", "status": "final", "code": {"text": "体重"},
                "contained": [{"resourceType": "Encounter", "id": "e", "status": "finished",
                    "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">内側</div>"}}]})
                .with("focus", Json::array([reference])),
            )
        };
        assert_eq!(holder("隠し名").content, " 体重\n");
        let mut unnamed = holder("隠し名");
        assert!(unnamed.named.is_empty(), "it has no narrative of its own");
        let told = json!({"resourceType": "Observation", "status": "final", "code": {"text": "体重"},
            "contained": [{"resourceType": "Encounter", "id": "e", "status": "finished",
                "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">内側</div>"}}]});
        unnamed.content.push_str(" 内側\n");
        assert_eq!(read(&told), unnamed);
    }

    #[test]
    fn without_a_narrative_nothing_needs_to_be_told_of_it() {
        let found =
            read(&json!({"resourceType": "Observation", "status": "final", "code": {"coding": [{"code": "x"}]},
            "subject": {"reference": "Patient/p", "display": "隠し名"}}));
        assert_eq!(found, Words::default());
    }
}
