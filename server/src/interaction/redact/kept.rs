//! What somebody is not shown of a record that she patches stays in it.
//!
//! She patches what she is shown: nothing of the rest can be tested for, copied or removed.
//! What was cut then goes back to where it was, if what she would be shown of that is
//! exactly what she has made.

use std::collections::{BTreeSet, HashMap, HashSet};

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
        let mut removed = Counted::new();
        restore(&self.whole, &self.left, Some(&mut restored), true, &mut removed)?;
        // A reference that is gone took its names along; one that has moved did not.
        if !removed.is_empty() {
            let (mut before, mut now) = (Counted::new(), Counted::new());
            count(&self.left, &mut before);
            count(&made, &mut now);
            let of = |counted: &Counted<'_>, to: &str| counted.get(to).copied().unwrap_or(0);
            if !removed.iter().all(|(to, removed)| of(&now, to) + removed <= of(&before, to)) {
                return None;
            }
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
        let before: HashSet<String> = before.iter().filter(|tag| ours(tag)).map(Json::to_string).collect();
        let stays = |tag: &&Json| !ours(tag) || before.contains(&tag.to_string());
        let tags: Vec<Json> = meta.list("tag").iter().filter(stays).cloned().collect();
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

/// How many elements refer to each place.
type Counted<'j> = HashMap<&'j str, usize>;

/// Gives `now` what `left` lacks of `whole`, at any depth. A record may hold tens of thousands
/// of references: each is gone to once, and none is looked for.
///
/// * `now`: what has become of `left`; `None` where that is gone.
/// * `outermost`: it is the record itself.
/// * `removed`: where the elements lead that are gone, or are others now.
/// * returns `None` if what was cut of something else has no place any more.
fn restore<'j>(
    whole: &'j Json,
    left: &'j Json,
    mut now: Option<&mut Json>,
    outermost: bool,
    removed: &mut Counted<'j>,
) -> Option<()> {
    let lost: Vec<&Member> = whole.members().iter().filter(|member| left.get(&member.name).is_none()).collect();
    if !lost.is_empty() {
        match now.as_deref_mut().filter(|now| is_same(left, now, outermost)) {
            Some(now) => lost.iter().for_each(|lost| now.set(lost.name.clone(), lost.value.clone())),
            None => *removed.entry(target(left)?).or_default() += 1,
        }
    }
    for member in left.members() {
        let Some(before) = whole.get(&member.name) else { continue };
        let now = now.as_deref_mut().and_then(|now| now.get_mut(&member.name));
        restore(before, &member.value, now, false, removed)?;
    }
    for (number, (before, item)) in whole.items().iter().zip(left.items()).enumerate() {
        let now = now.as_deref_mut().and_then(|now| now.items_mut().get_mut(number));
        restore(before, item, now, false, removed)?;
    }
    Some(())
}

/// Whether an element is still the one that lost something: it refers to the same; of what
/// has a narrative, it is the same resource or section.
fn is_same(left: &Json, now: &Json, outermost: bool) -> bool {
    if let Some(to) = target(left) {
        return target(now) == Some(to);
    }
    let named = ["resourceType", "id", "title"].iter().all(|name| left.get(name) == now.get(name));
    outermost || named && matches!(now.value(), Value::Object(_))
}

/// Counts how many elements refer to each place.
fn count<'j>(json: &'j Json, found: &mut Counted<'j>) {
    if let Some(to) = target(json) {
        *found.entry(to).or_default() += 1;
    }
    json.items().iter().for_each(|item| count(item, found));
    json.members().iter().for_each(|member| count(&member.value, found));
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

    /// A record with tens of thousands of references, each of which was counted in all of it:
    /// this would take minutes. So would it where each was gone to through members that the
    /// patch has brought.
    #[test]
    fn a_crowd_of_references_is_counted_once() {
        let crowd: Vec<String> = (0..30_000)
            .map(|at| format!(r#"{{"url":"u:{at}","valueReference":{{"reference":"Patient/a{at}","display":"秘"}}}}"#))
            .collect();
        let whole = json(&format!(r#"{{"resourceType":"Basic","id":"b","extension":[{}]}}"#, crowd.join(",")));
        let base = "https://own.example/fhir".to_owned();
        let left = nameless(&whole, &base, &|_, _| true).expect("all are hidden");
        let hidden = (0..30_000).map(|at| ("Patient".to_owned(), format!("a{at}"))).collect();
        let cut = Cut { whole: whole.clone(), left, hidden, base };
        let mut without = cut.shown();
        without.remove("extension");
        assert_eq!(
            cut.restored(without).map(|made| made.to_string()).as_deref(),
            Some(r#"{"resourceType":"Basic","id":"b"}"#)
        );
        let strange: Vec<String> = (0..30_000).map(|at| format!(r#""x{at}":0,"#)).collect();
        let behind = cut.shown().to_string().replacen('{', &format!("{{{}", strange.concat()), 1);
        let restored = cut.restored(json(&behind)).expect("all of it has its place");
        assert_eq!(restored.get("extension"), whole.get("extension"));
    }

    /// Each of these tags was compared with all that were there: this would take minutes.
    #[test]
    fn a_crowd_of_tags_of_ours_is_told_from_that_of_before() {
        let tags = |name: &str| -> Vec<String> {
            let system = subset::SYSTEM;
            let tag = |at| format!(r#"{{"system":"{system}","code":"REDACTED","display":"{name}{at}"}}"#);
            (0..30_000).map(tag).collect()
        };
        let with = |tags: &[String]| {
            let tags = tags.join(",");
            json(&format!(
                r#"{{"resourceType":"Basic","meta":{{"tag":[{tags}]}},"subject":{{"reference":"Patient/hidden","display":"秘"}}}}"#
            ))
        };
        let (before, new) = (tags("a"), tags("b"));
        let whole = with(&before);
        let base = "https://own.example/fhir".to_owned();
        let left = nameless(&whole, &base, &|_, _| true).expect("one is hidden");
        let hidden = BTreeSet::from([("Patient".to_owned(), "hidden".to_owned())]);
        let cut = Cut { whole, left, hidden, base };
        let mut made = with(&[new, before].concat());
        cut.untag(&mut made);
        assert_eq!(made.get("meta"), cut.whole.get("meta"));
    }
}
