//! The names that the entries of a transaction have for each other.
//!
//! A `fullUrl` may be any URI, `urn:uuid:…` mostly. Wherever a resource links to
//! one, it gets the `[type]/[id]` that the entry has or will have; so does a
//! conditional reference (`Patient?identifier=…`), which must match exactly one.
//!
//! Source: FHIR R4 http.html#trules, bundle.html#references

use std::collections::HashMap;

use techo_profiles::json::{Json, splice};
use techo_profiles::validate::{Link, LinkKind, links};

use super::entry::{Entry, fault};
use crate::interaction::conditional::Condition;
use crate::interaction::plan::parse;
use crate::interaction::{Call, Error, Issue, Location};

/// What is said in links → `[type]/[id]`.
#[derive(Default)]
pub(super) struct Names(HashMap<String, String>);

impl Names {
    /// The entry with this `fullUrl` is there. No two may have the same.
    pub(super) fn add(&mut self, full_url: &str, at: &Location) -> Result<(), Error> {
        match self.0.insert(full_url.to_owned(), at.reference()) {
            None => Ok(()),
            Some(_) => Err(fault("The fullUrl stands twice.", "fullUrl が重複しています。", "fullUrl")),
        }
    }

    /// Looks up the conditional references of an entry, as the caller sees the world
    /// before the transaction.
    pub(super) async fn look_up(&mut self, call: &Call<'_>, entry: &Entry) -> Result<(), Error> {
        if !entry.body.contains(&b'?') {
            return Ok(());
        }
        let resource = parse(&entry.body)?;
        for link in links(call.definitions, &resource) {
            let Some((text, kind, query)) = conditional(call, &link) else { continue };
            if self.0.contains_key(text) {
                continue;
            }
            let found = Condition::read(call, kind, query)?.existing(call).await?.ok_or_else(no_match)?;
            self.0.insert(text.to_owned(), format!("{kind}/{}", found.1));
        }
        Ok(())
    }

    /// The entry's resource, its links to other entries resolved; all else stays
    /// byte for byte.
    pub(super) fn resolved(&self, call: &Call<'_>, entry: &Entry) -> Result<Vec<u8>, Error> {
        let resource = parse(&entry.body)?;
        let base = entry.full_url.as_deref().and_then(base_of);
        let mut edits = Vec::new();
        for link in links(call.definitions, &resource) {
            let text = link.text.as_str().unwrap_or_default();
            let new = match link.kind {
                LinkKind::Narrative => self.narrative(text),
                LinkKind::Address => self.0.get(text).cloned(),
                LinkKind::Reference => self.reference(text, base)?,
            };
            if let Some(new) = new {
                edits.push((link.text.span(), Json::from(new.as_str()).to_string().into_bytes()));
            }
        }
        Ok(if edits.is_empty() { entry.body.clone() } else { splice(&entry.body, edits) })
    }

    /// * `base`: of the entry's own `fullUrl`, to which relative references belong.
    fn reference(&self, text: &str, base: Option<&str>) -> Result<Option<String>, Error> {
        let found = self.0.get(text).or_else(|| self.0.get(&format!("{}{text}", base?)));
        if found.is_none() && (text.starts_with("urn:uuid:") || text.starts_with("urn:oid:")) {
            return Err(Error::Invalid(vec![
                Issue::error(
                    "not-found",
                    "No entry of this Bundle has the fullUrl that is referred to here.",
                    "ここで参照している fullUrl を持つ entry がこの Bundle にありません。",
                )
                .at("resource"),
            ]));
        }
        Ok(found.cloned())
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
            if let Some(target) = self.0.get(&xhtml[start..start + length]) {
                new.push_str(&xhtml[done..start]);
                new.push_str(target);
                done = start + length;
            }
        }
        (done > 0).then(|| new + &xhtml[done..])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narratives_link_to_what_the_entries_become() {
        let mut names = Names::default();
        let at = Location { kind: "Patient".into(), id: "1".into() };
        names.add("urn:uuid:a", &at).expect("new");
        assert!(names.add("urn:uuid:a", &at).is_err());
        for (xhtml, expected) in [
            ("<a href=\"urn:uuid:a\">x</a>", Some("<a href=\"Patient/1\">x</a>")),
            (
                "<p><img src = 'urn:uuid:a'/>urn:uuid:a <a title=\"urn:uuid:a\" href=\"#urn:uuid:a\"/></p>",
                Some("<p><img src = 'Patient/1'/>urn:uuid:a <a title=\"urn:uuid:a\" href=\"#urn:uuid:a\"/></p>"),
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
        names.add("https://x/fhir/Patient/1", &Location { kind: "Patient".into(), id: "new".into() }).expect("new");
        let found = |text, base| names.reference(text, base).map_err(|_| ());
        assert_eq!(found("Patient/1", Some("https://x/fhir/")), Ok(Some("Patient/new".into())));
        assert_eq!(found("Patient/1", Some("https://y/fhir/")), Ok(None));
        assert_eq!(found("Patient/1", None), Ok(None));
        assert!(found("urn:uuid:a", None).is_err());
    }
}
