//! One entry of a batch or transaction, read.
//!
//! Source: FHIR R4 bundle.html, http.html#transaction

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use techo_profiles::Definitions;
use techo_profiles::json::Json;

use crate::consent::caller::Action;
use crate::interaction::patch::{Form, Patch};
use crate::interaction::{Call, Error, Expected, Ground, Interaction, Issue, Known, Location, Past, Which, is_id};
use crate::search::shape::Shape;

/// What an entry asks for.
pub(super) struct Entry {
    pub(super) index: usize,
    pub(super) full_url: Option<String>,
    pub(super) verb: Verb,
    /// `HEAD`: a `GET` whose answer has no resource.
    pub(super) head: bool,
    /// The type; empty for the history of all.
    pub(super) kind: String,
    /// The id in the URL.
    url_id: Option<String>,
    /// The id of the resource, as soon as that is known.
    pub(super) id: Option<String>,
    /// What stands behind the type or id of a `GET`.
    part: Part,
    query: String,
    /// How much of what a `GET` names by its id goes out.
    shape: Shape,
    pub(super) body: Vec<u8>,
    /// The id that the resource itself has.
    pub(super) own_id: Option<String>,
    /// The version that the resource says it is.
    pub(super) own_version: Option<String>,
    patch: Option<Patch>,
    /// `ifNoneExist`
    unless: Option<String>,
    /// `ifMatch`
    pub(super) expected: Option<Expected>,
    /// `ifNoneMatch`, `ifModifiedSince`
    known: Known,
}

/// In the order in which a transaction does them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    Delete,
    Post,
    Put,
    Patch,
    Get,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Current,
    History,
    Version(i32),
}

impl Entry {
    /// Reads an entry.
    ///
    /// * `body`: the text of the Bundle.
    /// * `base`: of our own URLs, which `request.url` may begin with.
    pub(super) fn read(body: &[u8], base: &str, index: usize, json: &Json) -> Result<Self, Error> {
        let missing = || {
            fault(
                "Every entry needs request.method and request.url.",
                "各 entry に request.method と request.url が必要です。",
                "request",
            )
        };
        let request = json.get("request").ok_or_else(missing)?;
        let (verb, head) = verb(request.str("method"))?;
        let url = request.str("url").ok_or_else(missing)?;
        let url = url.strip_prefix(base).unwrap_or(url);
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let (kind, id, part) = path_of(path.trim_matches('/')).ok_or_else(not_here)?;
        let one = !kind.is_empty() && part == Part::Current;
        let fits = match verb {
            Verb::Get => true,
            Verb::Post => one && id.is_none() && query.is_empty(),
            // Either the one with this id, or the one that the query finds.
            Verb::Put | Verb::Patch | Verb::Delete => one && id.is_some() == query.is_empty(),
        };
        if !fits {
            return Err(not_here());
        }
        let shape = match (verb, &id) {
            (Verb::Get, Some(_)) => shape(&kind, query)?,
            _ => Shape::default(),
        };
        let resource = json.get("resource");
        if resource.is_none() && matches!(verb, Verb::Post | Verb::Put | Verb::Patch) {
            return Err(fault("The entry needs a resource.", "entry に resource が必要です。", "resource"));
        }
        let text = resource.map(|resource| body[resource.span()].to_vec()).unwrap_or_default();
        let changes = resource.filter(|_| verb == Verb::Patch).map(|resource| patch_of(resource, &text)).transpose()?;
        Ok(Self {
            index,
            full_url: json.str("fullUrl").map(str::to_owned),
            verb,
            head,
            kind,
            url_id: id.clone(),
            id,
            part,
            query: query.to_owned(),
            shape,
            own_id: resource.and_then(|resource| resource.str("id")).map(str::to_owned),
            own_version: resource.and_then(|one| one.at(&["meta", "versionId"])?.as_str()).map(str::to_owned),
            body: if changes.is_some() { Vec::new() } else { text },
            patch: changes,
            unless: request.str("ifNoneExist").map(str::to_owned),
            expected: request.str("ifMatch").map(version).transpose()?,
            known: known(request, verb)?,
        })
    }

    /// What the scopes never allow is refused before anything is looked up.
    pub(super) fn allowed(&self, call: &Call<'_>) -> Result<(), Error> {
        if self.kind.is_empty() {
            return Ok(());
        }
        if call.definitions.type_number(&self.kind).is_none() {
            return Err(Error::UnknownType(self.kind.clone()));
        }
        let action = match (self.verb, &self.url_id, self.part) {
            (Verb::Delete, _, _) => Action::Delete,
            (Verb::Post, _, _) => Action::Create,
            (Verb::Put | Verb::Patch, _, _) => Action::Update,
            (Verb::Get, Some(_), _) => Action::Read,
            (Verb::Get, None, Part::History) => Action::History,
            (Verb::Get, None, _) => Action::Search,
        };
        call.may(action, &self.kind)
    }

    /// The query under whose condition it writes.
    pub(super) fn condition(&self) -> Option<&str> {
        match self.verb {
            Verb::Post => self.unless.as_deref(),
            Verb::Put | Verb::Patch | Verb::Delete => Some(&*self.query).filter(|query| !query.is_empty()),
            Verb::Get => None,
        }
    }

    /// Forgets the id that was found for it.
    pub(super) fn renamed(&mut self) {
        self.id.clone_from(&self.url_id);
    }

    /// What it changes, if it is a patch.
    pub(super) fn patch(&self) -> Option<&Patch> {
        self.patch.as_ref()
    }

    /// The same as a request of its own.
    pub(super) fn interaction(&self) -> Interaction {
        let query = || form_urlencoded::parse(self.query.as_bytes()).into_owned().collect();
        let at = self.url_id.as_ref().map(|id| Location { kind: self.kind.clone(), id: id.clone() });
        let expected = self.expected.clone();
        let to = match at.clone() {
            Some(at) => Which::At(at),
            None => Which::Matching { kind: self.kind.clone(), query: self.query.clone() },
        };
        match (self.verb, at, &self.patch) {
            (Verb::Get, at, _) => self.reading(at, query()),
            (Verb::Post, _, _) => {
                Interaction::Create { kind: self.kind.clone(), body: self.body.clone(), unless: self.unless.clone() }
            }
            (Verb::Patch, _, Some(patch)) => Interaction::Patch { to, patch: patch.clone(), expected },
            (Verb::Put | Verb::Patch, _, _) => Interaction::Update { to, body: self.body.clone(), expected },
            (Verb::Delete, _, _) => Interaction::Delete { to, expected },
        }
    }

    fn reading(&self, at: Option<Location>, query: Vec<(String, String)>) -> Interaction {
        match (at, self.part) {
            (Some(at), Part::Current) => Interaction::Read(at, self.known.clone(), self.shape.clone()),
            (Some(at), Part::History) => Interaction::History(Past::Instance(at), query),
            (Some(at), Part::Version(version)) => Interaction::Vread(at, version, self.shape.clone()),
            (None, Part::History) if self.kind.is_empty() => Interaction::History(Past::System, query),
            (None, Part::History) => Interaction::History(Past::Type(self.kind.clone()), query),
            (None, Part::Current | Part::Version(_)) => Interaction::Search(Ground::Type(self.kind.clone()), query),
        }
    }
}

fn shape(kind: &str, query: &str) -> Result<Shape, Error> {
    let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    Shape::asked(Definitions::embedded(), kind, &query).map_err(Error::from)
}

fn verb(method: Option<&str>) -> Result<(Verb, bool), Error> {
    match method {
        Some("GET") => Ok((Verb::Get, false)),
        Some("HEAD") => Ok((Verb::Get, true)),
        Some("POST") => Ok((Verb::Post, false)),
        Some("PUT") => Ok((Verb::Put, false)),
        Some("PATCH") => Ok((Verb::Patch, false)),
        Some("DELETE") => Ok((Verb::Delete, false)),
        _ => Err(fault(
            "request.method must be GET, HEAD, POST, PUT, PATCH or DELETE.",
            "request.method は GET, HEAD, POST, PUT, PATCH, DELETE のいずれかです。",
            "request.method",
        )),
    }
}

/// `Patient`, `Patient/1`, `Patient/1/_history/2`, and the histories of one, of a
/// type, and of all.
fn path_of(path: &str) -> Option<(String, Option<String>, Part)> {
    let parts: Vec<&str> = path.split('/').collect();
    let (kind, id, part) = match parts[..] {
        ["_history"] => ("", None, Part::History),
        [kind] => (kind, None, Part::Current),
        [kind, "_history"] => (kind, None, Part::History),
        [kind, id] => (kind, Some(id), Part::Current),
        [kind, id, "_history"] => (kind, Some(id), Part::History),
        [kind, id, "_history", version] => (kind, Some(id), Part::Version(version.parse().ok()?)),
        _ => return None,
    };
    let named = !kind.is_empty() || part == Part::History;
    (named && id.is_none_or(is_id)).then(|| (kind.to_owned(), id.map(str::to_owned), part))
}

/// A JSON Patch comes in a Binary, a `FHIRPath` Patch as Parameters.
fn patch_of(resource: &Json, text: &[u8]) -> Result<Patch, Error> {
    let none = || {
        fault(
            "A PATCH entry has Parameters, or a Binary of application/json-patch+json.",
            "PATCH の entry の resource は Parameters、または application/json-patch+json の Binary にしてください。",
            "resource",
        )
    };
    match resource.str("resourceType") {
        Some("Parameters") => Ok(Patch { form: Form::FhirPath, body: text.to_vec() }),
        Some("Binary") if resource.str("contentType") == Some("application/json-patch+json") => {
            let body = STANDARD.decode(resource.str("data").ok_or_else(none)?).map_err(|_| none())?;
            Ok(Patch { form: Form::Json, body })
        }
        _ => Err(none()),
    }
}

fn version(tag: &str) -> Result<Expected, Error> {
    Expected::read(tag).ok_or_else(|| {
        fault("ifMatch must be W/\"version\".", "ifMatch は W/\"版\" の形にしてください。", "request.ifMatch")
    })
}

/// What the reader has already.
fn known(request: &Json, verb: Verb) -> Result<Known, Error> {
    let (tags, since) = (request.str("ifNoneMatch"), request.str("ifModifiedSince"));
    if tags.is_some() && verb != Verb::Get {
        return Err(fault(
            "ifNoneMatch is for reading. To change a version that you know, give ifMatch.",
            "ifNoneMatch は読み取り用です。特定の版を変更するには ifMatch を指定してください。",
            "request.ifNoneMatch",
        ));
    }
    let known = Known::read(tags, None).map_err(|_| {
        fault(
            "ifNoneMatch must be W/\"version\".",
            "ifNoneMatch は W/\"版\" の形にしてください。",
            "request.ifNoneMatch",
        )
    })?;
    Ok(known.since(since))
}

fn not_here() -> Error {
    fault("This request.url is not done in a Bundle.", "この request.url は Bundle では扱えません。", "request.url")
}

/// A fault of the entry itself.
pub(super) fn fault(text: &str, text_ja: &str, expression: &str) -> Error {
    Error::Invalid(vec![Issue::error("invalid", text, text_ja).at(expression)])
}
