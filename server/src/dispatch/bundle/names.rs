//! The names that the entries of a transaction have for each other.
//!
//! A `fullUrl` may be any URI, `urn:uuid:…` mostly. Wherever a resource links to
//! one, it gets the `[type]/[id]` that the entry has or will have; a link to a
//! version gets the version that it will be. So does a conditional reference
//! (`Patient?identifier=…`), which must match exactly one resource, of those that
//! are stored or, where it asks for an identifier, of the Bundle's own.
//!
//! Source: FHIR R4 http.html#trules, bundle.html#references

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use techo_profiles::json::{Json, splice};
use techo_profiles::validate::{Link, LinkKind, links};

use super::MOST;
use super::entry::{Entry, Verb, fault};
use crate::interaction::conditional::{Condition, several};
use crate::interaction::error::search_issue;
use crate::interaction::patch::Links;
use crate::interaction::plan::parse;
use crate::interaction::{Call, Error, Issue, Location};

/// What is said in links → `[type]/[id]`.
#[derive(Default)]
pub(super) struct Names {
    known: HashMap<String, Named>,
    identified: Vec<Identified>,
    /// How many conditional references were looked up.
    looked_up: usize,
}

/// What a `fullUrl` stands for.
struct Named {
    at: String,
    /// The version that the entry says it is, and the one that it becomes.
    version: Option<(String, i32)>,
}

/// A resource that is written here, and its identifiers: system and value.
struct Identified {
    kind: String,
    at: String,
    identifiers: Vec<(String, String)>,
}

impl Names {
    /// The entry with this `fullUrl` is there. No two may have the same.
    pub(super) fn add(&mut self, full_url: &str, at: &Location, version: Option<(String, i32)>) -> Result<(), Error> {
        match self.known.insert(key(full_url).into_owned(), Named { at: at.reference(), version }) {
            None => Ok(()),
            Some(_) => Err(fault("The fullUrl stands twice.", "fullUrl が重複しています。", "fullUrl")),
        }
    }

    /// The entries by their identifiers, for conditional references: read only if
    /// there may be such.
    pub(super) fn identified(&mut self, entries: &[Entry]) {
        if !entries.iter().any(|entry| entry.body.contains(&b'?')) {
            return;
        }
        for entry in entries.iter().filter(|entry| matches!(entry.verb, Verb::Post | Verb::Put)) {
            let (Some(id), Ok(resource)) = (&entry.id, parse(&entry.body)) else { continue };
            let text = |json: &Json, name| json.str(name).unwrap_or_default().to_owned();
            let of = resource.get("identifier").map_or(&[][..], Json::each);
            let identifiers: Vec<_> = of.iter().map(|one| (text(one, "system"), text(one, "value"))).collect();
            if !identifiers.is_empty() {
                let at = format!("{}/{id}", entry.kind);
                self.identified.push(Identified { kind: entry.kind.clone(), at, identifiers });
            }
        }
    }

    /// Looks up the conditional references of an entry: what the caller finds now, and
    /// what the transaction brings.
    ///
    /// * `going`: what it deletes, which is not found any more.
    pub(super) async fn look_up(
        &mut self,
        call: &Call<'_>,
        entry: &Entry,
        going: &HashSet<Location>,
    ) -> Result<(), Error> {
        if !entry.body.contains(&b'?') {
            return Ok(());
        }
        let resource = parse(&entry.body)?;
        let links = links(call.definitions, &resource);
        let mut seen = HashSet::new();
        let asked = links.iter().filter_map(|link| conditional(call, link));
        let asked: Vec<_> = asked.filter(|(text, ..)| !self.known.contains_key(*text) && seen.insert(*text)).collect();
        // Each is a search, here and among all identifiers of the Bundle.
        self.looked_up += asked.len();
        if self.looked_up > MOST {
            return Err(too_many());
        }
        for (text, kind, query) in asked {
            let condition = Condition::read(call, kind, query).await.map_err(in_resource)?;
            let stored = condition.existing(call).await?.map(|found| Location { kind: kind.to_owned(), id: found.1 });
            let stored = stored.filter(|at| !going.contains(at)).map(|at| at.reference());
            let own = self.identified.iter().filter(|one| one.kind == kind);
            let own = own.filter(|one| one.identifiers.iter().any(|(system, value)| condition.names(system, value)));
            let mut all: BTreeSet<String> = own.map(|one| one.at.clone()).collect();
            all.extend(stored);
            let at = all.pop_first().ok_or_else(no_match)?;
            if !all.is_empty() {
                return Err(several());
            }
            self.known.insert(text.to_owned(), Named { at, version: None });
        }
        Ok(())
    }

    /// What is written with this `fullUrl`.
    fn find(&self, full_url: &str) -> Option<&Named> {
        self.known.get(&*key(full_url))
    }

    /// The entry's resource, its links to other entries resolved; all else stays
    /// byte for byte.
    pub(super) fn resolved(&self, call: &Call<'_>, entry: &Entry) -> Result<Vec<u8>, Error> {
        let base = entry.full_url.as_deref().and_then(base_of);
        self.rewritten(call, &entry.body, base, &HashSet::new())
    }

    /// The same for the text of a resource.
    ///
    /// * `base`: of its own `fullUrl`.
    /// * `stays`: links that mean what they say.
    fn rewritten(
        &self,
        call: &Call<'_>,
        body: &[u8],
        base: Option<&str>,
        stays: &HashSet<&str>,
    ) -> Result<Vec<u8>, Error> {
        let resource = parse(body)?;
        let mut edits = Vec::new();
        for link in links(call.definitions, &resource) {
            let text = link.text.as_str().unwrap_or_default();
            if stays.contains(text) {
                continue;
            }
            let new = match link.kind {
                LinkKind::Narrative => self.narrative(text),
                LinkKind::Address => self.find(text).map(|named| named.at.clone()),
                LinkKind::Reference => self.reference(text, base)?,
            };
            if let Some(new) = new {
                edits.push((link.text.span(), Json::from(new.as_str()).to_string().into_bytes()));
            }
        }
        Ok(if edits.is_empty() { body.to_vec() } else { splice(body, edits) })
    }

    /// * `base`: of the entry's own `fullUrl`, to which relative references belong.
    fn reference(&self, text: &str, base: Option<&str>) -> Result<Option<String>, Error> {
        let find = |text: &str| self.find(text).or_else(|| self.find(&format!("{}{text}", base?)));
        if let Some(named) = find(text) {
            return Ok(Some(named.at.clone()));
        }
        if let Some((one, version)) = text.rsplit_once("/_history/")
            && let Some(Named { at, version: Some((own, becomes)) }) = find(one)
            && own == version
        {
            return Ok(Some(format!("{at}/_history/{becomes}")));
        }
        if is_own(text) {
            return Err(Error::Invalid(vec![
                Issue::error(
                    "not-found",
                    "No entry of this Bundle has the fullUrl that is referred to here.",
                    "ここで参照している fullUrl を持つ entry がこの Bundle にありません。",
                )
                .at("resource"),
            ]));
        }
        Ok(None)
    }

    /// XHTML with its `href`s and `src`s resolved; `None` if there is nothing to do.
    fn narrative(&self, xhtml: &str) -> Option<String> {
        let mut new = String::new();
        let mut done = 0;
        for (at, _) in xhtml.match_indices('=') {
            let name = xhtml[..at].trim_end();
            let value = xhtml[at + 1..].trim_start();
            let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''));
            let (Some(quote), true) = (quote, name.ends_with("href") || name.ends_with("src")) else { continue };
            let start = xhtml.len() - value.len() + 1;
            let Some(length) = xhtml[start..].find(quote) else { continue };
            // A place in it stays.
            let length = xhtml[start..start + length].find('#').unwrap_or(length);
            if let Some(target) = self.find(&xhtml[start..start + length]) {
                new.push_str(&xhtml[done..start]);
                new.push_str(&target.at);
                done = start + length;
            }
        }
        (done > 0).then(|| new + &xhtml[done..])
    }
}

impl Links for Names {
    fn followed(&self, call: &Call<'_>, before: &Json, patched: Json) -> Result<Json, Error> {
        let stays = links(call.definitions, before).into_iter().filter_map(|link| link.text.as_str()).collect();
        parse(&self.rewritten(call, patched.to_string().as_bytes(), None, &stays)?)
    }
}

/// What only a Bundle knows.
fn is_own(text: &str) -> bool {
    let begins = |scheme: &str| text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
    begins("urn:uuid:") || begins("urn:oid:")
}

/// A `fullUrl` in the one spelling that all of its spellings have: in these URNs case has no
/// meaning, and programs write UUIDs either way.
///
/// Source: RFC 8141 §3.1; RFC 9562 §4
fn key(text: &str) -> Cow<'_, str> {
    if is_own(text) { Cow::Owned(text.to_ascii_lowercase()) } else { Cow::Borrowed(text) }
}

/// The same for a batch, where it names nothing.
pub(super) fn key_of(full_url: &str) -> String {
    key(full_url).into_owned()
}

/// Whether an entry of a batch refers to another by a name that only the Bundle knows.
///
/// * `names`: each `fullUrl`, as of [`key_of`].
pub(super) fn refers(call: &Call<'_>, entry: &Entry, names: &HashSet<String>) -> bool {
    let Ok(resource) = parse(&entry.body) else { return false };
    let links = links(call.definitions, &resource);
    let mut texts = links.iter().filter(|link| link.kind == LinkKind::Reference).filter_map(|link| link.text.as_str());
    texts.any(|text| is_own(text) && names.contains(&*key(text)))
}

/// The fault of a conditional reference stands in the resource, not in the request.
fn in_resource(error: Error) -> Error {
    let placed = |issues: Vec<Issue>| Error::Invalid(issues.into_iter().map(|issue| issue.at("resource")).collect());
    match error {
        Error::Search(errors) => placed(errors.iter().map(search_issue).collect()),
        Error::Invalid(issues) => placed(issues),
        Error::Precondition(issue) => Error::Precondition(issue.at("resource")),
        other => other,
    }
}

/// `Patient?identifier=…` → the whole, the type, the query.
fn conditional<'a>(call: &Call<'_>, link: &Link<'a>) -> Option<(&'a str, &'a str, &'a str)> {
    let text = link.text.as_str().filter(|_| link.kind == LinkKind::Reference)?;
    let (kind, query) = text.split_once('?')?;
    call.definitions.type_number(kind)?;
    Some((text, kind, query))
}

/// `https://x/fhir/Patient/1` → `https://x/fhir/`
fn base_of(full_url: &str) -> Option<&str> {
    let mut slashes = full_url.rmatch_indices('/');
    let (at, _) = slashes.nth(1)?;
    Location::read(&full_url[at + 1..]).map(|_| &full_url[..=at])
}

fn no_match() -> Error {
    Error::Precondition(
        Issue::error(
            "not-found",
            "Nothing matches a conditional reference of this entry.",
            "この entry の条件付き参照に合うリソースがありません。",
        )
        .at("resource"),
    )
}

fn too_many() -> Error {
    Error::TooLarge(
        Issue::error(
            "too-costly",
            format!("A transaction may have up to {MOST} different conditional references."),
            format!("transaction の条件付き参照は異なるもので {MOST} 件までです。"),
        )
        .at("resource"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narratives_link_to_what_the_entries_become() {
        let mut names = Names::default();
        let at = Location { kind: "Patient".into(), id: "1".into() };
        names.add("urn:uuid:a", &at, None).expect("new");
        assert!(names.add("urn:uuid:a", &at, None).is_err());
        assert!(names.add("urn:UUID:A", &at, None).is_err());
        for (xhtml, expected) in [
            ("<a href=\"urn:uuid:a\">x</a>", Some("<a href=\"Patient/1\">x</a>")),
            (
                "<p><img src = 'urn:uuid:a'/>urn:uuid:a <a title=\"urn:uuid:a\" href=\"#urn:uuid:a\"/></p>",
                Some("<p><img src = 'Patient/1'/>urn:uuid:a <a title=\"urn:uuid:a\" href=\"#urn:uuid:a\"/></p>"),
            ),
            (
                "<a href=\"URN:uuid:A#part\">x</a><a href='urn:uuid:a#'/>",
                Some("<a href=\"Patient/1#part\">x</a><a href='Patient/1#'/>"),
            ),
            ("<a href=\"urn:uuid:b\">a=b</a>", None),
            ("a href=\"urn:uuid:a", None),
            ("href=", None),
        ] {
            assert_eq!(names.narrative(xhtml).as_deref(), expected, "{xhtml}");
        }
    }

    #[test]
    fn relative_references_belong_to_the_base_of_their_entry() {
        assert_eq!(base_of("https://x/fhir/Patient/1"), Some("https://x/fhir/"));
        assert_eq!(base_of("urn:uuid:a"), None);
        assert_eq!(base_of("https://x/fhir/Nothing/1"), None);
        let mut names = Names::default();
        let at = Location { kind: "Patient".into(), id: "new".into() };
        names.add("https://x/fhir/Patient/1", &at, Some(("3".into(), 4))).expect("new");
        let found = |text, base| names.reference(text, base).map_err(|_| ());
        assert_eq!(found("Patient/1", Some("https://x/fhir/")), Ok(Some("Patient/new".into())));
        assert_eq!(found("Patient/1/_history/3", Some("https://x/fhir/")), Ok(Some("Patient/new/_history/4".into())));
        assert_eq!(found("Patient/1/_history/2", Some("https://x/fhir/")), Ok(None));
        assert_eq!(found("Patient/1", Some("https://y/fhir/")), Ok(None));
        assert_eq!(found("Patient/1", None), Ok(None));
        assert!(found("urn:uuid:a", None).is_err() && found("URN:UUID:A", None).is_err());
    }
}
