//! One entry of a batch or transaction, read.
//!
//! Source: FHIR R4 bundle.html, http.html#transaction

use techo_profiles::Definitions;
use techo_profiles::json::Json;

use crate::consent::caller::Action;
use crate::interaction::{Call, Error, Expected, Ground, Interaction, Issue, Known, Location, Which, is_id};
use crate::search::shape::Shape;

/// What an entry asks for.
pub(super) struct Entry {
    pub(super) index: usize,
    pub(super) full_url: Option<String>,
    pub(super) verb: Verb,
    pub(super) kind: String,
    pub(super) id: Option<String>,
    /// What stands behind the id of a `GET`.
    past: Past,
    query: String,
    /// How much of what a `GET` names by its id goes out.
    shape: Shape,
    pub(super) body: Vec<u8>,
    /// `ifNoneExist`
    pub(super) unless: Option<String>,
    /// `ifMatch`
    pub(super) expected: Option<Expected>,
}

/// In the order in which a transaction does them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verb {
    Delete,
    Post,
    Put,
    Get,
}

#[derive(Clone, Copy)]
enum Past {
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
        let verb = verb(request.str("method"))?;
        let url = request.str("url").ok_or_else(missing)?;
        let url = url.strip_prefix(base).unwrap_or(url);
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let (kind, id, past) = path_of(path.trim_matches('/')).ok_or_else(not_here)?;
        let fits = match verb {
            Verb::Get => true,
            Verb::Post => id.is_none(),
            Verb::Put | Verb::Delete => id.is_some() && matches!(past, Past::Current),
        };
        let conditional = !query.is_empty() && verb != Verb::Get;
        if !fits || conditional {
            return Err(not_here());
        }
        let shape = match (verb, &id) {
            (Verb::Get, Some(_)) => shape(&kind, query)?,
            _ => Shape::default(),
        };
        let resource = json.get("resource").map(|resource| body[resource.span()].to_vec());
        if resource.is_none() && matches!(verb, Verb::Post | Verb::Put) {
            return Err(fault("The entry needs a resource.", "entry に resource が必要です。", "resource"));
        }
        Ok(Self {
            index,
            full_url: json.str("fullUrl").map(str::to_owned),
            verb,
            kind,
            id,
            past,
            query: query.to_owned(),
            shape,
            body: resource.unwrap_or_default(),
            unless: request.str("ifNoneExist").map(str::to_owned),
            expected: request.str("ifMatch").map(version).transpose()?,
        })
    }

    /// What the scopes never allow is refused before anything is looked up.
    pub(super) fn allowed(&self, call: &Call<'_>) -> Result<(), Error> {
        if call.definitions.type_number(&self.kind).is_none() {
            return Err(Error::UnknownType(self.kind.clone()));
        }
        let action = match (self.verb, &self.id) {
            (Verb::Delete, _) => Action::Delete,
            (Verb::Post, _) => Action::Create,
            (Verb::Put, _) => Action::Update,
            (Verb::Get, Some(_)) => Action::Read,
            (Verb::Get, None) => Action::Search,
        };
        call.may(action, &self.kind)
    }

    /// The same as a request of its own.
    pub(super) fn interaction(&self) -> Interaction {
        let query = || form_urlencoded::parse(self.query.as_bytes()).into_owned().collect();
        let Some(id) = &self.id else {
            return match self.verb {
                Verb::Post => Interaction::Create {
                    kind: self.kind.clone(),
                    body: self.body.clone(),
                    unless: self.unless.clone(),
                },
                Verb::Get | Verb::Put | Verb::Delete => Interaction::Search(Ground::Type(self.kind.clone()), query()),
            };
        };
        let at = Location { kind: self.kind.clone(), id: id.clone() };
        match (self.verb, self.past) {
            (Verb::Get, Past::Current) => Interaction::Read(at, Known::default(), self.shape.clone()),
            (Verb::Get, Past::History) => Interaction::History(at, query()),
            (Verb::Get, Past::Version(version)) => Interaction::Vread(at, version, self.shape.clone()),
            (Verb::Delete, _) => Interaction::Delete { to: Which::At(at), expected: self.expected.clone() },
            (Verb::Put | Verb::Post, _) => {
                Interaction::Update { to: Which::At(at), body: self.body.clone(), expected: self.expected.clone() }
            }
        }
    }
}

fn shape(kind: &str, query: &str) -> Result<Shape, Error> {
    let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    Shape::asked(Definitions::embedded(), kind, &query).map_err(Error::from)
}

fn verb(method: Option<&str>) -> Result<Verb, Error> {
    match method {
        Some("GET") => Ok(Verb::Get),
        Some("POST") => Ok(Verb::Post),
        Some("PUT") => Ok(Verb::Put),
        Some("DELETE") => Ok(Verb::Delete),
        _ => Err(fault(
            "request.method must be GET, POST, PUT or DELETE.",
            "request.method は GET, POST, PUT, DELETE のいずれかです。",
            "request.method",
        )),
    }
}

/// `Patient`, `Patient/1`, `Patient/1/_history`, `Patient/1/_history/2`
fn path_of(path: &str) -> Option<(String, Option<String>, Past)> {
    let mut parts = path.split('/');
    let kind = parts.next()?.to_owned();
    let id = parts.next().map(str::to_owned);
    if id.as_deref().is_some_and(|id| !is_id(id)) {
        return None;
    }
    let past = match (parts.next(), parts.next()) {
        (None, _) => Past::Current,
        (Some("_history"), None) => Past::History,
        (Some("_history"), Some(version)) => Past::Version(version.parse().ok()?),
        (Some(_), _) => return None,
    };
    parts.next().is_none().then_some((kind, id, past))
}

fn version(tag: &str) -> Result<Expected, Error> {
    Expected::read(tag).ok_or_else(|| {
        fault("ifMatch must be W/\"version\".", "ifMatch は W/\"版\" の形にしてください。", "request.ifMatch")
    })
}

fn not_here() -> Error {
    fault("This request.url is not done in a Bundle.", "この request.url は Bundle では扱えません。", "request.url")
}

/// A fault of the entry itself.
pub(super) fn fault(text: &str, text_ja: &str, expression: &str) -> Error {
    Error::Invalid(vec![Issue::error("invalid", text, text_ja).at(expression)])
}
