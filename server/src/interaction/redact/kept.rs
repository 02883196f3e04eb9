//! What somebody is not shown of a record that she patches stays in it.
//!
//! She patches what she is shown: nothing of the rest can be tested for, copied or removed.
//! What was cut then goes back to where it was, if what she would be shown of that is
//! exactly what she has made.

use std::collections::{BTreeSet, HashMap};

use techo_profiles::json::{Json, Member, Value};

use super::{LEFT, nameless, subset, tagged, target};

/// A record of which something was cut for a caller.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(super) whole: Json,
    pub(super) left: Json,
    /// Type and id of what is hidden from her among what it refers to.
    pub(super) hidden: BTreeSet<(String, String)>,
    pub(super) base: String,
}

/// An element that has lost members.
struct Gap<'j> {
    way: Vec<Step<'j>>,
    left: &'j Json,
    lost: Vec<&'j Member>,
}

#[derive(Clone, Copy)]
enum Step<'j> {
    Member(&'j str),
    Item(usize),
}

impl Cut {
    /// What she is shown.
    pub(crate) fn shown(&self) -> Json {
        tagged(self.left.clone(), LEFT)
    }

    /// What she has made of [`Cut::shown`], with what was cut. `None` where that has no
    /// place any more, or she could then see it, or has put something in its place.
    pub(crate) fn restored(&self, mut made: Json) -> Option<Json> {
        self.untag(&mut made);
        if self.cut(&made).is_some() {
            return None;
        }
        let mut restored = made.clone();
        let mut gaps = Vec::new();
        gather(&self.whole, &self.left, &mut Vec::new(), &mut gaps);
        let mut removed: HashMap<&str, usize> = HashMap::new();
        for gap in &gaps {
            match at(&mut restored, &gap.way).filter(|now| is_same(gap, now)) {
                Some(now) => gap.lost.iter().for_each(|lost| now.set(lost.name.clone(), lost.value.clone())),
                None => *removed.entry(target(gap.left)?).or_default() += 1,
            }
        }
        // A reference that is gone took its names along; one that has moved did not.
        let gone = |(to, removed): (&&str, &usize)| references(&made, to) + removed <= references(&self.left, to);
        if !removed.iter().all(gone) {
            return None;
        }
        let told = self.cut(&restored);
        (told.as_ref().unwrap_or(&restored) == &made).then_some(restored)
    }

    fn cut(&self, resource: &Json) -> Option<Json> {
        let hidden = |kind: &str, id: &str| self.hidden.contains(&(kind.to_owned(), id.to_owned()));
        nameless(resource, &self.base, &hidden)
    }

    /// Takes the tags off that were put on for her.
    fn untag(&self, made: &mut Json) {
        let ours = |tag: &Json| {
            tag.str("system") == Some(subset::SYSTEM) && tag.str("code").is_some_and(|code| LEFT.contains(&code))
        };
        let Some(meta) = made.get_mut("meta") else { return };
        let before = self.whole.get("meta").map_or(&[][..], |meta| meta.list("tag"));
        let tags: Vec<Json> =
            meta.list("tag").iter().filter(|tag| !ours(tag) || before.contains(tag)).cloned().collect();
        if tags.is_empty() {
            meta.remove("tag");
        } else {
            meta.set("tag", Json::array(tags));
        }
        if meta.members().is_empty() && self.whole.get("meta").is_none() {
            made.remove("meta");
        }
    }
}

/// Finds what `left` lacks of `whole`.
fn gather<'j>(whole: &'j Json, left: &'j Json, way: &mut Vec<Step<'j>>, found: &mut Vec<Gap<'j>>) {
    let lost: Vec<&Member> = whole.members().iter().filter(|member| left.get(&member.name).is_none()).collect();
    if !lost.is_empty() {
        found.push(Gap { way: way.clone(), left, lost });
    }
    for member in left.members() {
        let Some(before) = whole.get(&member.name) else { continue };
        way.push(Step::Member(&member.name));
        gather(before, &member.value, way, found);
        way.pop();
    }
    for (number, (before, item)) in whole.items().iter().zip(left.items()).enumerate() {
        way.push(Step::Item(number));
        gather(before, item, way, found);
        way.pop();
    }
}

fn at<'m>(json: &'m mut Json, way: &[Step<'_>]) -> Option<&'m mut Json> {
    way.iter().try_fold(json, |json, step| match step {
        Step::Member(name) => json.get_mut(name),
        Step::Item(number) => json.items_mut().get_mut(*number),
    })
}

/// Whether an element is still the one with the gap: it refers to the same; of what has a
/// narrative, it is the same resource or section.
fn is_same(gap: &Gap<'_>, now: &Json) -> bool {
    if let Some(to) = target(gap.left) {
        return target(now) == Some(to);
    }
    let named = ["resourceType", "id", "title"].iter().all(|name| gap.left.get(name) == now.get(name));
    gap.way.is_empty() || named && matches!(now.value(), Value::Object(_))
}

/// How many elements refer to a place.
fn references(json: &Json, to: &str) -> usize {
    let inside = json.items().iter().chain(json.members().iter().map(|member| &member.value));
    usize::from(target(json) == Some(to)) + inside.map(|json| references(json, to)).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"resourceType":"Observation","id":"o","text":{"status":"generated","div":"<div>秘</div>"},
        "status":"final","subject":{"reference":"Patient/open","display":"見"},
        "performer":[{"reference":"Patient/hidden","display":"秘"},{"reference":"Patient/hidden"},{"reference":"Patient/other"}]}"#;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).expect("JSON")
    }

    fn cut() -> Cut {
        let hidden = BTreeSet::from([("Patient".to_owned(), "hidden".to_owned())]);
        let base = "https://own.example/fhir".to_owned();
        let whole = json(WHOLE);
        let left = nameless(&whole, &base, &|_, id| id == "hidden").expect("something is hidden");
        Cut { whole, left, hidden, base }
    }

    /// What becomes of the record when of what is shown one text is made another.
    fn changed(from: &str, to: &str) -> Option<String> {
        let shown = cut().shown().to_string();
        assert!(!shown.contains('秘') && shown.contains(from), "{shown}");
        Some(cut().restored(json(&shown.replacen(from, to, 1)))?.to_string())
    }

    #[test]
    fn what_was_cut_stays_where_it_was() {
        let first = r#"{"reference":"Patient/hidden"},"#;
        for (from, to) in [
            ("final", "amended"),
            ("見", "他"),
            (r#"{"reference":"Patient/other"}"#, r#"{"reference":"Patient/other"},{"reference":"Patient/more"}"#),
            (r#","performer""#, r#","note":[{"text":"x"}],"performer""#),
            // Nobody can tell which of the two went: one of them is left, with the name.
            (first, ""),
        ] {
            let made = changed(from, to).unwrap_or_else(|| panic!("{from} → {to}"));
            assert!(made.contains("display\":\"秘") && made.contains("<div>秘</div>"), "{from} → {to}: {made}");
            assert!(!made.contains("REDACTED") && !made.contains("SUBSETTED"), "{made}");
        }
        let untouched = json(&changed("final", "final").expect("nothing is changed"));
        assert_eq!(cut().cut(&untouched), cut().cut(&json(WHOLE)));
    }

    #[test]
    fn what_was_cut_is_neither_seen_nor_written_over_nor_lost() {
        let both = r#"{"reference":"Patient/hidden"},{"reference":"Patient/hidden"}"#;
        for (from, to) in [
            // She would see it.
            (format!("{both},"), String::new()),
            (both.to_owned(), r#"{"reference":"Patient/a"},{"reference":"Patient/b"}"#.to_owned()),
            // She would write over it.
            (both.to_owned(), both.replacen("\"}", "\",\"display\":\"x\"}", 1)),
            ("\"status\"".to_owned(), r#""text":{"status":"generated","div":"<div>x</div>"},"status""#.to_owned()),
            // It would be lost.
            (both.to_owned(), format!(r#"{{"reference":"Patient/a"}},{both}"#)),
        ] {
            assert_eq!(changed(&from, &to), None, "{from} → {to}");
        }
    }
}
