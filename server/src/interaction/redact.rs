//! What is taken out of a resource on its way out.
//!
//! A token with `fhirUser` may read the one resource it names: its id, name and
//! language, nothing else (`consent.md` §10). For a recipient a reference to what
//! she cannot see keeps its opaque id and loses its `display`, whether that is
//! hidden or is not there (§4.6): a name could stand in it.

use std::collections::HashMap;

use techo_profiles::json::{Json, ParseError, splice};

use super::{Call, Error, Location, subset};
use crate::consent::caller::Action;
use crate::consent::subject::{SHARED, local};
use crate::consent::view::Reach;
use crate::store::reader::Stored;

/// Which places the caller can see, as far as they were asked about.
pub(crate) type Seen = HashMap<String, bool>;

/// The elements that say who someone is.
const IDENTITY: &[&str] = &["resourceType", "id", "meta", "language", "name"];

impl Call<'_> {
    /// The body of a version as this caller may have it.
    pub(crate) async fn redacted(&self, found: &Stored, body: Vec<u8>, seen: &mut Seen) -> Result<Vec<u8>, Error> {
        let unreadable = |_: ParseError| Error::Store(found.unreadable());
        if self.action == Action::Read && self.is_only_named(found).await? {
            return identity(&body).map_err(unreadable);
        }
        let whole = self.view.whole().covers(found.custodian, found.citizen, found.several);
        // Most records name nobody: that is seen without taking them apart, where no name
        // can be spelled by escapes.
        if whole || [DISPLAY, ESCAPE].iter().all(|sign| memchr::memmem::find(&body, sign).is_none()) {
            return Ok(body);
        }
        let resource = Json::parse(&body).map_err(unreadable)?;
        self.without_names(body, &resource, seen).await
    }

    async fn without_names(&self, body: Vec<u8>, resource: &Json, seen: &mut Seen) -> Result<Vec<u8>, Error> {
        let mut references = Vec::new();
        names(resource, &self.base, &mut references);
        let mut edits = Vec::new();
        for (reference, at) in references {
            let place = at.reference();
            let visible = match seen.get(&place) {
                Some(visible) => *visible,
                None => self.sees(&at).await?,
            };
            seen.insert(place, visible);
            if !visible {
                let mut nameless = reference.clone();
                nameless.remove("display");
                nameless.remove("_display");
                edits.push((reference.span(), nameless.to_string().into_bytes()));
            }
        }
        if edits.is_empty() {
            return Ok(body);
        }
        let mut resource = Json::parse(&splice(&body, edits))
            .map_err(|_| Error::Internal("what was taken out leaves no JSON".into()))?;
        // The narratives may say what the elements no longer do.
        resource.remove("text");
        if resource.list("contained").iter().any(|inner| inner.get("text").is_some()) {
            let nameless = |inner: &Json| {
                let mut inner = inner.clone();
                inner.remove("text");
                inner
            };
            let contained = Json::array(resource.list("contained").iter().map(nameless));
            resource.set("contained", contained);
        }
        Ok(tagged(resource, &[subset::SUBSETTED, "REDACTED"]).to_string().into_bytes())
    }

    /// Whether this version is visible because it is who the caller is, and for no
    /// other reason. That another reason reaches its type is not enough: it must
    /// reach this row.
    async fn is_only_named(&self, found: &Stored) -> Result<bool, Error> {
        let own = self.type_name(found.kind);
        let names = |reach: &Reach| matches!(reach, Reach::Identity { kind, id } if **kind == own && **id == *found.id);
        if !self.view.branches().iter().any(|branch| names(&branch.reach)) {
            return Ok(false);
        }
        let beside = self.view.beside_identity();
        Ok(self.store.reader(&beside).version(&own, &found.id, found.version).await?.is_none())
    }

    /// Seals a page link for this caller alone.
    pub(crate) fn seal_page(&self, bytes: &[u8]) -> String {
        self.sealer.seal_link(self.world_name().as_bytes(), bytes)
    }

    /// Opens a page link that was sealed for this caller.
    pub(crate) fn open_page(&self, sealed: &str) -> Result<Vec<u8>, Error> {
        self.sealer.open_link(self.world_name().as_bytes(), sealed).map_err(|_| super::search::foreign_page())
    }
}

/// A resource of which only who it is goes out.
fn identity(body: &[u8]) -> Result<Vec<u8>, ParseError> {
    let resource = Json::parse(body)?;
    let kept = resource
        .members()
        .iter()
        .filter(|member| IDENTITY.contains(&&*member.name))
        .map(|member| (member.name.clone(), member.value.clone()));
    Ok(tagged(Json::object(kept), &[subset::SUBSETTED]).to_string().into_bytes())
}

/// Says that something was taken out.
fn tagged(mut resource: Json, codes: &[&str]) -> Json {
    // What is contained in a record may have none.
    if resource.get("meta").is_none() {
        resource.set("meta", Json::object::<&str>([]));
    }
    if let Some(meta) = resource.get_mut("meta") {
        let mut tags = Json::array(meta.list("tag").iter().cloned());
        for code in codes {
            tags.push(Json::object([("system", Json::from(subset::SYSTEM)), ("code", Json::from(*code))]));
        }
        meta.set("tag", tags);
    }
    resource
}

/// The references with a `display` to resources here that somebody may hide.
fn names<'j>(json: &'j Json, base: &str, found: &mut Vec<(&'j Json, Location)>) {
    if let Some((kind, id)) = named(json, base) {
        found.push((json, Location { kind: kind.to_owned(), id: id.to_owned() }));
        return;
    }
    json.items().iter().for_each(|item| names(item, base, found));
    json.members().iter().for_each(|member| names(&member.value, base, found));
}

/// The place that a reference with a `display` leads to, if somebody may hide it:
/// type and id.
pub(super) fn named<'j>(json: &'j Json, base: &str) -> Option<(&'j str, &'j str)> {
    json.get("display").or_else(|| json.get("_display"))?;
    local(json.str("reference")?, base).filter(|(kind, _)| !SHARED.contains(kind))
}

const DISPLAY: &[u8] = b"display\"";
const ESCAPE: &[u8] = b"\\u";
