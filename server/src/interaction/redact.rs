//! What is taken out of a resource on its way out.
//!
//! A token with `fhirUser` may read the one resource it names: its id, name and
//! language, nothing else (`consent.md` §10). For a recipient a reference to what
//! she cannot see keeps its opaque id and loses its `display`, whether that is
//! hidden or is not there (§4.6): a name could stand in it. So it does its `identifier`,
//! the number of an insured person or a chart; and so goes the case beside a claim. A name could stand in a narrative too, which
//! she gets only of a record all of whose references lead to what she sees. What nobody's
//! record is, an Organization or a guide, is no different: it may name a patient. A reference
//! to what is contained says who that is about: it goes where that refers to what is hidden.
//!
//! Whatever takes a part out of a record, or an answer from its content, takes it from
//! what is left ([`Call::redacted`], [`nameless`]), never from what is stored.

mod glance;
mod inner;
mod kept;

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use techo_profiles::json::{Json, ParseError, Value};

use super::{Call, Error, Issue, Location, subset};
use crate::base::leads_nowhere;
use crate::consent::caller::Action;
use crate::consent::listed::NOWHERE;
use crate::consent::subject::{SHARED, local};
use crate::consent::view::Reach;
use crate::search::words::Named;
use crate::store::reader::Stored;
use inner::Inner;
pub(crate) use kept::Cut;

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
        let kind = self.definitions.type_name(found.kind).unwrap_or_default();
        let whole = self.view.whole().covers(kind, found.custodian, found.citizen, found.several);
        if whole || !glance::may_lose(&body) {
            return Ok(body);
        }
        let resource = Json::parse(&body).map_err(unreadable)?;
        let hidden = self.hidden(&resource, seen).await?;
        Ok(match nameless(&resource, &self.base, &|kind, id| hidden.contains(&(kind, id))) {
            Some(left) => tagged(left, LEFT).to_string().into_bytes(),
            None => body,
        })
    }

    /// Where a resource refers to that is hidden from the caller, as far as it matters to
    /// what she is shown of it.
    async fn hidden<'j>(&self, resource: &'j Json, seen: &mut Seen) -> Result<BTreeSet<(&'j str, &'j str)>, Error> {
        let (mut places, mut hidden) = (BTreeSet::new(), BTreeSet::new());
        // What is contained need have no names to be named by.
        let all = has_narrative(resource) || resource.get(CONTAINED).is_some();
        mentions(resource, &self.base, all, &mut places);
        let told = self.view.whole();
        for place in places.into_iter().filter(|place| !told.knows(place.0, place.1)) {
            let at = Location { kind: place.0.to_owned(), id: place.1.to_owned() };
            let is_seen = match seen.entry(at.reference()) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(unknown) => *unknown.insert(place != NOWHERE && self.sees(&at).await?),
            };
            if !is_seen {
                hidden.insert(place);
            }
        }
        Ok(hidden)
    }

    /// What of a record, which she patches, is cut for the caller; `None` where she is shown
    /// all of it. In a call that reads.
    pub(crate) async fn cut(&self, old: &Stored, whole: &Json) -> Result<Option<Cut>, Error> {
        if self.is_only_named(old).await? {
            return Err(in_part());
        }
        let kind = self.definitions.type_name(old.kind).unwrap_or_default();
        if self.view.whole().covers(kind, old.custodian, old.citizen, old.several) {
            return Ok(None);
        }
        let hidden = self.hidden(whole, &mut Seen::new()).await?;
        let left = nameless(whole, &self.base, &|kind, id| hidden.contains(&(kind, id)));
        let hidden = hidden.into_iter().map(|(kind, id)| (kind.to_owned(), id.to_owned())).collect();
        Ok(left.map(|left| Cut { whole: whole.clone(), left, hidden, base: self.base.clone() }))
    }

    /// Refuses a change of a record that the caller is shown in part: she would write over
    /// what she does not know of.
    pub(crate) async fn shown_whole(&self, old: &Stored) -> Result<(), Error> {
        // What cannot be read is shown to nobody; its keeper may replace it.
        let Ok(Some(body)) = old.body() else { return Ok(()) };
        // What she may change and not read, she is not shown.
        if self.doing(Action::Read).redacted(old, body.to_vec(), &mut Seen::new()).await? == body {
            return Ok(());
        }
        Err(in_part())
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

/// Refuses a change of what the caller is shown in part.
pub(crate) fn in_part() -> Error {
    Error::Unprocessable(vec![Issue::error(
        "business-rule",
        "You are shown this resource in part, so that you cannot change it like this: what you are not shown would \
         be written over, lost or shown. Patch other elements alone.",
        "このリソースは一部だけが開示されているため、このようには変更できません。開示されていない部分の上書き、消失または開示につながります。他の要素だけを PATCH してください。",
    )])
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

/// A contained resource of what is left of its holder, which says of it too that something
/// was taken out.
///
/// * `body`: the holder's text, which `inner` is a part of.
pub(super) fn part(holder: &Json, body: &[u8], inner: &Json) -> Vec<u8> {
    let tags = holder.get("meta").map_or(&[][..], |meta| meta.list("tag"));
    let is_left = tags.iter().any(|tag| tag.str("system") == Some(subset::SYSTEM) && tag.str("code") == Some(REDACTED));
    if is_left {
        return tagged(inner.clone(), LEFT).to_string().into_bytes();
    }
    body[inner.span()].to_vec()
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

/// Where references lead, at any depth, as far as somebody may hide it.
///
/// * `all`: those without names too.
fn mentions<'j>(json: &'j Json, base: &str, all: bool, found: &mut BTreeSet<(&'j str, &'j str)>) {
    found.extend(place(json, base).filter(|_| all || is_named(json)));
    json.items().iter().for_each(|item| mentions(item, base, all, found));
    json.members().iter().for_each(|member| mentions(&member.value, base, all, found));
}

/// Whether there is a narrative: of the resource, of what it contains, of a section.
fn has_narrative(json: &Json) -> bool {
    is_narrative(json.get(TEXT))
        || json.items().iter().any(has_narrative)
        || json.members().iter().any(|member| has_narrative(&member.value))
}

fn take_narratives(json: &mut Json) {
    if is_narrative(json.get(TEXT)) {
        json.remove(TEXT);
    }
    match json.value_mut() {
        Value::Array(items) => items.iter_mut().for_each(take_narratives),
        Value::Object(members) => members.iter_mut().for_each(|member| take_narratives(&mut member.value)),
        _ => {}
    }
}

/// Other elements of this name are strings.
fn is_narrative(text: Option<&Json>) -> bool {
    text.is_some_and(|text| matches!(text.value(), Value::Object(_)))
}

/// What is left of a resource for whom those places are hidden: references to them lose
/// `display` and `identifier`, and where there is one, the narratives go, as they may say what
/// the elements do not. `None` where nothing is taken out.
///
/// * `hidden`: of a type and an id.
pub(super) fn nameless(resource: &Json, base: &str, hidden: &dyn Fn(&str, &str) -> bool) -> Option<Json> {
    let inner = Inner::of(resource, base, hidden);
    let leads =
        |json: &Json| place(json, base).is_some_and(|(kind, id)| hidden(kind, id)) || inner.place(json).is_some();
    let mut left = resource.clone();
    let found = take_names(&mut left, &leads);
    if !(found.named || found.hidden && has_narrative(resource)) {
        return None;
    }
    take_narratives(&mut left);
    Some(left)
}

/// What references there were.
#[derive(Clone, Copy, Default)]
struct Found {
    /// One to a hidden place.
    hidden: bool,
    /// One to a hidden place with names, which it has no more.
    named: bool,
}

/// * `hidden`: whether an element leads to a hidden place.
fn take_names(json: &mut Json, hidden: &dyn Fn(&Json) -> bool) -> Found {
    let mut found = Found::default();
    if hidden(json) {
        found = Found { hidden: true, named: is_named(json) };
        for name in names(json) {
            json.remove(name);
        }
    }
    let mut inside = |json: &mut Json| {
        let Found { hidden, named } = take_names(json, hidden);
        found.hidden |= hidden;
        found.named |= named;
    };
    match json.value_mut() {
        Value::Array(items) => items.iter_mut().for_each(inside),
        Value::Object(members) => members.iter_mut().for_each(|member| inside(&mut member.value)),
        _ => {}
    }
    found
}

/// The place that a reference leads to, if somebody may hide it: type and id; [`NOWHERE`]
/// for one that would lead to this server, but to nothing that could be here. An element
/// that has its names beside a reference leads where that does.
pub(super) fn place<'j>(json: &'j Json, base: &str) -> Option<(&'j str, &'j str)> {
    let reference = target(json)?;
    match local(reference, base) {
        Some((kind, _)) if SHARED.contains(&kind) => None,
        Some(place) => Some(place),
        None => leads_nowhere(reference, base).then_some(NOWHERE),
    }
}

/// The text of a reference, or of the one beside which an element has its names.
fn target(json: &Json) -> Option<&str> {
    let beside = if has_case(json) { CLAIM } else { REFERENCE };
    json.str(REFERENCE).or_else(|| [BESIDE, beside].iter().find_map(|name| json.get(name)?.str(REFERENCE)))
}

/// Whether `reference` is no reference, and no text of one.
fn has_inner(json: &Json) -> bool {
    json.get(REFERENCE).is_some_and(|inner| matches!(inner.value(), Value::Object(_)))
}

/// Whether it is the Identifier of a claim's case, which stands beside the claim.
fn has_case(json: &Json) -> bool {
    json.get(CLAIM).is_some() && has_inner(json)
}

/// For the words of a resource: where each of its references leads, if somebody may hide
/// that, and in what elements it says so; one to what is contained leads where that does.
pub(super) fn named<'j>(resource: &'j Json, base: &str) -> impl Fn(&'j Json) -> Option<Named<'j>> {
    let inner = Inner::of(resource, base, &|_, _| true);
    let base = base.to_owned();
    move |json| Some(Named { place: place(json, &base).or_else(|| inner.place(json))?, by: names(json) })
}

/// Whether a reference says what it leads to.
fn is_named(reference: &Json) -> bool {
    names(reference).iter().any(|name| reference.get(name).is_some())
}

/// The elements in which it may say so.
fn names(reference: &Json) -> &'static [&'static str] {
    match (has_case(reference), has_inner(reference)) {
        (true, _) => CASE,
        (false, true) => BESIDE_NAMES,
        (false, false) => NAMES,
    }
}

/// What says in a reference who it leads to.
const NAMES: &[&str] = &["display", "_display", "identifier"];

/// What says it beside one, in `ImplementationGuide.definition.resource`.
const BESIDE_NAMES: &[&str] = &["name", "_name", "description", "_description"];

/// Where a reference leads; in some elements a whole reference has this name.
const REFERENCE: &str = "reference";

/// The reference in `DocumentManifest.related`, whose `identifier` says what it leads to.
const BESIDE: &str = "ref";

/// The reference in `Claim.related` and `ExplanationOfBenefit.related`, whose `reference` is
/// the Identifier of the case that the claim belongs to.
const CLAIM: &str = "claim";

/// What says there what the claim is about.
const CASE: &[&str] = &[REFERENCE];

const CONTAINED: &str = "contained";

const TEXT: &str = "text";
const REDACTED: &str = "REDACTED";
/// The tags of what something was taken out of.
const LEFT: &[&str] = &[subset::SUBSETTED, REDACTED];
