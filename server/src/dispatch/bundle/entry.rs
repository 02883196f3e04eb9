//! One entry of a batch or transaction, read.
//!
//! Source: FHIR R4 bundle.html, http.html#transaction

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use techo_profiles::json::Json;

use super::path;
use crate::consent::caller::Action;
use crate::interaction::patch::{Form, Patch};
use crate::interaction::{Call, Error, Expected, Ground, Interaction, Issue, Known, Location, Which, is_id};

/// What an entry asks for.
pub(super) struct Entry {
    pub(super) index: usize,
    pub(super) full_url: Option<String>,
    pub(super) verb: Verb,
    /// `HEAD`: a `GET` whose answer has no resource.
    pub(super) head: bool,
    /// The type; empty where none is named.
    pub(super) kind: String,
    /// The id in the URL.
    url_id: Option<String>,
    /// The id of the resource, as soon as that is known.
    pub(super) id: Option<String>,
    query: String,
    /// What is asked for, where that is no write of this entry's resource.
    asked: Option<Interaction>,
    pub(super) body: Vec<u8>,
    /// The id that the resource itself has.
    pub(super) own_id: Option<String>,
    /// The version that the resource says it is.
    pub(super) own_version: Option<String>,
    patch: Option<Patch>,
    /// `ifNoneExist`
    unless: Option<String>,
    /// `ifMatch`, or `ifNoneMatch` of a write
    pub(super) expected: Option<Expected>,
}

/// In the order in which a transaction does them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    Delete,
    Post,
    Put,
    Patch,
    /// Reads, searches, and operations by whichever method.
    Get,
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
        let (mut verb, head) = verb(request.str("method"))?;
        let url = request.str("url").ok_or_else(missing)?;
        let url = url.strip_prefix(base).unwrap_or(url);
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let path = path.trim_matches('/');
        let root = base.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, root)| root);
        if path.split('/').next().is_some_and(|first| !first.is_empty() && first == root) {
            return Err(below_base(root));
        }
        let resource = json.get("resource");
        let text = resource.map(|resource| body[resource.span()].to_vec()).unwrap_or_default();
        let known = known(request, verb)?;
        let asked = match verb {
            Verb::Get => Some(path::asked(path, query, known)?),
            Verb::Post => path::posted(path, query, &text)?,
            Verb::Put | Verb::Patch | Verb::Delete => None,
        };
        let (kind, id) = match &asked {
            Some(interaction) => {
                verb = Verb::Get;
                let at = path::about(interaction);
                (at.map(|at| at.kind.clone()).unwrap_or_default(), at.map(|at| at.id.clone()))
            }
            None => written(path, verb, query).ok_or_else(not_here)?,
        };
        let full_url = json.str("fullUrl");
        if let (Verb::Put | Verb::Patch, Some(id)) = (verb, &id)
            && let Some(said) = full_url.and_then(|full| full.strip_prefix(base)?.strip_prefix('/'))
            && said != format!("{kind}/{id}")
        {
            return Err(fault(
                "fullUrl names another resource than request.url.",
                "fullUrl と request.url が別のリソースを指しています。",
                "fullUrl",
            ));
        }
        if resource.is_none() && matches!(verb, Verb::Post | Verb::Put | Verb::Patch) {
            return Err(fault("The entry needs a resource.", "entry に resource が必要です。", "resource"));
        }
        let changes = resource.filter(|_| verb == Verb::Patch).map(|resource| patch_of(resource, &text)).transpose()?;
        let is_body = asked.is_none() && changes.is_none();
        Ok(Self {
            index,
            full_url: full_url.map(str::to_owned),
            verb,
            head,
            kind,
            url_id: id.clone(),
            id,
            query: query.to_owned(),
            asked,
            own_id: resource.and_then(|resource| resource.str("id")).map(str::to_owned),
            own_version: resource.and_then(|one| one.at(&["meta", "versionId"])?.as_str()).map(str::to_owned),
            body: if is_body { text } else { Vec::new() },
            patch: changes,
            unless: request.str("ifNoneExist").map(str::to_owned),
            expected: expected(request, verb)?,
        })
    }

    /// What the scopes never allow is refused before anything is looked up.
    pub(super) fn allowed(&self, call: &Call<'_>) -> Result<(), Error> {
        let action = match (self.verb, &self.asked) {
            (Verb::Delete, _) => Action::Delete,
            (Verb::Post, _) => Action::Create,
            (Verb::Put | Verb::Patch, _) => Action::Update,
            // A compartment is no resource that is read, and an operation has its gate.
            (
                Verb::Get,
                None
                | Some(Interaction::Search(Ground::Compartment(..) | Ground::Types, _) | Interaction::Operation(_)),
            ) => return Ok(()),
            (Verb::Get, Some(asked)) => asked.action(),
        };
        let kind = self.asked.as_ref().map_or(Some(&*self.kind), Interaction::kind);
        let Some(kind) = kind else { return Ok(()) };
        if call.definitions.type_number(kind).is_none() {
            return Err(Error::UnknownType(kind.to_owned()));
        }
        call.may(action, kind)
    }

    /// Refuses what a transaction could not undo.
    pub(super) fn undone(&self) -> Result<(), Error> {
        self.asked.as_ref().map_or(Ok(()), path::undone)
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

    /// Where it writes.
    pub(super) fn place(&self) -> Result<Location, Error> {
        let id = self.id.clone();
        let id =
            id.ok_or_else(|| fault("The URL names no resource.", "URL にリソースの id がありません。", "request.url"))?;
        Ok(Location { kind: self.kind.clone(), id })
    }

    /// What it changes, if it is a patch.
    pub(super) fn patch(&self) -> Option<&Patch> {
        self.patch.as_ref()
    }

    /// The same as a request of its own.
    pub(super) fn interaction(&self) -> Interaction {
        if let Some(asked) = &self.asked {
            return asked.clone();
        }
        let expected = self.expected.clone();
        let to = match &self.url_id {
            Some(id) => Which::At(Location { kind: self.kind.clone(), id: id.clone() }),
            None => Which::Matching { kind: self.kind.clone(), query: self.query.clone() },
        };
        match (self.verb, &self.patch) {
            (Verb::Post, _) => {
                Interaction::Create { kind: self.kind.clone(), body: self.body.clone(), unless: self.unless.clone() }
            }
            (Verb::Patch, Some(patch)) => Interaction::Patch { to, patch: patch.clone(), expected },
            (Verb::Delete, _) => Interaction::Delete { to, expected },
            (Verb::Put | Verb::Patch | Verb::Get, _) => Interaction::Update { to, body: self.body.clone(), expected },
        }
    }
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

/// The type that a write names, and the id: `Patient`, `Patient/1`.
fn written(path: &str, verb: Verb, query: &str) -> Option<(String, Option<String>)> {
    let (kind, id) = match path.split_once('/') {
        Some((kind, id)) => (kind, Some(id)),
        None => (path, None),
    };
    let fits = match verb {
        Verb::Post => id.is_none() && query.is_empty(),
        // Either the one with this id, or the one that the query finds.
        _ => id.is_some() == query.is_empty(),
    };
    (fits && !kind.is_empty() && id.is_none_or(is_id)).then(|| (kind.to_owned(), id.map(str::to_owned)))
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

/// What a write wants to find.
fn expected(request: &Json, verb: Verb) -> Result<Option<Expected>, Error> {
    let (is, is_not) = (request.str("ifMatch"), request.str("ifNoneMatch").filter(|_| verb != Verb::Get));
    let (found, place) = match (is, is_not) {
        (None, None) => return Ok(None),
        (Some(tags), None) if verb != Verb::Post => (Expected::read(tags), "request.ifMatch"),
        (None, Some(tags)) if verb != Verb::Post => (Expected::read_none(tags), "request.ifNoneMatch"),
        _ => {
            let place = if is.is_some() { "request.ifMatch" } else { "request.ifNoneMatch" };
            return Err(fault(
                "ifMatch and ifNoneMatch do not stand together, nor with a POST: that has ifNoneExist.",
                "ifMatch と ifNoneMatch は同時に指定できません。POST には ifNoneExist を使ってください。",
                place,
            ));
        }
    };
    found.map(Some).ok_or_else(|| {
        fault(
            "ifMatch and ifNoneMatch must be * or W/\"version\".",
            "ifMatch と ifNoneMatch は * または W/\"版\" の形にしてください。",
            place,
        )
    })
}

/// What the reader has already.
fn known(request: &Json, verb: Verb) -> Result<Known, Error> {
    let (tags, since) = (request.str("ifNoneMatch").filter(|_| verb == Verb::Get), request.str("ifModifiedSince"));
    let known = Known::read(tags, None).map_err(|_| {
        fault(
            "ifNoneMatch must be W/\"version\".",
            "ifNoneMatch は W/\"版\" の形にしてください。",
            "request.ifNoneMatch",
        )
    })?;
    Ok(known.since(since))
}

/// Nothing that an entry may ask for.
pub(super) fn not_here() -> Error {
    fault(
        "This method and url are not done in a Bundle. Write the url relative to this server's base: Patient for POST, \
         Patient/1 or Patient?identifier=… for PUT, PATCH and DELETE.",
        "この method と url の組み合わせは Bundle では扱えません。url はこのサーバーのベースからの相対で、\
         POST では Patient、PUT・PATCH・DELETE では Patient/1 や Patient?identifier=… のように書いてください。",
        "request.url",
    )
}

/// The URL begins with the path of our base.
fn below_base(root: &str) -> Error {
    fault(
        &format!("The url is relative to this server's base: Patient/1, not /{root}/Patient/1."),
        &format!("url はこのサーバーのベースからの相対で、/{root}/Patient/1 ではなく Patient/1 と書いてください。"),
        "request.url",
    )
}

/// A fault of the entry itself.
pub(super) fn fault(text: &str, text_ja: &str, expression: &str) -> Error {
    Error::Invalid(vec![Issue::error("invalid", text, text_ja).at(expression)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where an entry is refused; empty where it is not.
    fn refused(full: &str, method: &str, url: &str) -> String {
        let body = format!(
            r#"{{"fullUrl": "{full}", "resource": {{"resourceType": "Parameters"}}, "request": {{"method": "{method}", "url": "{url}"}}}}"#
        );
        let json = Json::parse(body.as_bytes()).expect("JSON");
        match Entry::read(body.as_bytes(), "https://here.example/fhir", 0, &json) {
            Ok(_) => String::new(),
            Err(Error::Invalid(issues)) => issues[0].expression.clone().unwrap_or_default(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_full_url_below_our_base_names_what_is_written() {
        for (full, method, url, at) in [
            ("https://here.example/fhir/Patient/b", "PUT", "Patient/a", "fullUrl"),
            ("https://here.example/fhir/Patient/b", "PATCH", "Patient/a", "fullUrl"),
            ("https://here.example/fhir/Group/a", "PUT", "Patient/a", "fullUrl"),
            ("https://here.example/fhir/Patient/a", "PUT", "Patient/a", ""),
            ("https://here.example/fhir/Patient/a", "PUT", "https://here.example/fhir/Patient/a", ""),
            ("https://here.example/fhir/Patient/b", "POST", "Patient", ""),
            ("https://here.example/fhir/Patient/b", "PUT", "Patient?identifier=x", ""),
            ("https://elsewhere.example/fhir/Patient/b", "PUT", "Patient/a", ""),
            ("urn:uuid:00000000-0000-4000-8000-000000000001", "PUT", "Patient/a", ""),
        ] {
            assert_eq!(refused(full, method, url), at, "{full} {method} {url}");
        }
    }

    #[test]
    fn a_url_is_relative_to_the_base() {
        for (url, at) in
            [("/fhir/Patient/a", "request.url"), ("fhir", "request.url"), ("/Patient/a", ""), ("Patient/fhir", "")]
        {
            assert_eq!(refused("urn:x", "GET", url), at, "{url}");
        }
    }
}
