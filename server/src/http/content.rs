//! XML, the content of Binaries, white space and compression, around handlers that know
//! plain JSON alone.
//!
//! On the way in: a packed body is unpacked, FHIR XML becomes FHIR JSON, and so does what
//! comes in place of a Binary (`binary.rs`). None of it is done for a token that is not
//! alive: strangers' bodies are not worth our time. On the way out: JSON becomes what
//! `Accept`, `_format` and `_pretty` ask for, and is packed as `Accept-Encoding` asks.
//! Refusals go the same way.
//!
//! What validation finds in JSON that was made of XML it places in that JSON; the
//! answer's places are led back to the XML that the client has.
//!
//! Source: FHIR R4 http.html#mime-type, #general; RFC 9110 §8, §12

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use techo_profiles::json::{Json, Place, pretty};
use techo_profiles::xml::{self, Layout};

use super::binary::{self, Ranges, Sent};
use super::encoding::{self, Coding};
use super::fhir::{bearer, format};
use super::negotiate::{self, Form};
use super::outcome::{language, refusal};
use super::{BODY_LIMIT, fhir};
use crate::app::App;
use crate::interaction::Error;
use crate::interaction::error::{placed_at, read_place};
use crate::interaction::plan::parse_xml;
use crate::interaction::query::loosely;
use crate::operation::{self, OPERATIONS};
use crate::secret;

type Answer = Response<Body>;

/// The forms of the body that is asked for most, as long as it is the same.
#[derive(Default)]
struct Kept {
    of: Option<Arc<[u8]>>,
    forms: HashMap<(Rendering, Option<Coding>), Bytes>,
}

impl Kept {
    /// Lets the forms of another body go.
    fn of(&mut self, whole: &Arc<[u8]>) -> &mut HashMap<(Rendering, Option<Coding>), Bytes> {
        if !self.of.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, whole)) {
            *self = Self { of: Some(whole.clone()), forms: HashMap::new() };
        }
        &mut self.forms
    }
}

/// What the edge needs: the server, and one body in all its forms.
#[derive(Clone)]
pub struct Edge {
    app: Arc<App>,
    kept: Arc<Mutex<Kept>>,
}

impl Edge {
    /// For one server.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, kept: Arc::default() }
    }

    /// The server.
    pub fn app(&self) -> &App {
        &self.app
    }
}

/// How an answer is spelled. A handler that knows better than the URL puts one into
/// its answer's extensions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rendering {
    form: Form,
    pretty: bool,
}

impl Rendering {
    /// As the headers and `_format` and `_pretty` among the parameters ask. What cannot
    /// be given is refused by the handler, in JSON.
    pub fn of(headers: &HeaderMap, query: &[(String, String)]) -> Self {
        let pretty = query.iter().any(|(name, value)| name == "_pretty" && value == "true");
        Self { form: negotiate::wanted(headers, format(query)).unwrap_or_default(), pretty }
    }
}

/// In an answer's extensions: its whole body, which is the same at many requests. While
/// this very body is given, its forms are kept.
#[derive(Clone, Debug)]
pub struct Constant(pub Arc<[u8]>);

/// Around all FHIR routes.
pub async fn both_ways<F>(edge: &Edge, mut request: Request, next: impl FnOnce(Request) -> F) -> Answer
where
    F: Future<Output = Answer>,
{
    let wish = Wish::of(&request);
    // The body's length in another form is known only from the body; the router takes
    // the body off again.
    if request.method() == Method::HEAD {
        *request.method_mut() = Method::GET;
    }
    // Whether what is read can be had in that type is known from the record alone.
    if wish.content.is_some() {
        request.headers_mut().remove(ACCEPT);
    }
    let limits = edge.app.config.limits;
    let time = limits.of(request.uri().path());
    let work = async {
        match readable(&edge.app, limits.patient(request)).await {
            Ok((request, original)) => (next(request).await, original),
            Err(error) => (refusal(&error, wish.japanese), None),
        }
    };
    let done = tokio::time::timeout(time, work).await;
    let (answer, original) = done.unwrap_or_else(|_| (refusal(&Error::Late, wish.japanese), None));
    wish.fulfil(answer, original, Some(edge)).await
}

/// What a request asks of its answer's form.
pub struct Wish {
    rendering: Rendering,
    /// Where a Binary's content may be wanted in place of the resource.
    content: Option<Ranges>,
    coding: Option<Coding>,
    japanese: bool,
}

impl Wish {
    /// Out of the URL and the headers.
    pub fn of(request: &Request) -> Self {
        let headers = request.headers();
        let query = loosely(request.uri().query().unwrap_or_default());
        Self {
            rendering: Rendering::of(headers, &query),
            content: Ranges::of(request),
            coding: Coding::wanted(headers),
            japanese: negotiate::japanese(headers),
        }
    }

    /// Gives a FHIR answer the form asked for; others stay as they are.
    ///
    /// * `original`: the XML and the JSON made of it, where the request came as XML.
    pub async fn fulfil(self, answer: Answer, original: Option<Original>, edge: Option<&Edge>) -> Answer {
        let answer = match self.content {
            Some(ranges) if answer.status() == StatusCode::OK => {
                ranges.fulfil(answer, self.coding, self.japanese).await
            }
            _ => answer,
        };
        let media = answer.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
        if !media.starts_with("application/fhir+json") || answer.extensions().get::<binary::Spelled>().is_some() {
            return answer;
        }
        let (mut head, body) = answer.into_parts();
        let Ok(body) = to_bytes(body, usize::MAX).await else {
            return refusal(&Error::Internal("the body of an answer".into()), self.japanese);
        };
        let rendering = head.extensions.get::<Rendering>().copied().unwrap_or(self.rendering);
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(rendering.form.media()));
        let is_outcome = body.starts_with(b"{\"resourceType\":\"OperationOutcome\"");
        head.headers.append(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
        if is_outcome {
            head.headers.append(VARY, HeaderValue::from_static("Accept-Language"));
            head.headers.entry(CONTENT_LANGUAGE).or_insert(language(self.japanese));
        }
        if body.is_empty() {
            return Response::from_parts(head, Body::empty());
        }
        let kept = edge.zip(head.extensions.get::<Constant>().cloned());
        let original = original.filter(|_| is_outcome);
        let (body, coding) = match rendered(body, rendering, self.coding, original, kept).await {
            Ok(done) => done,
            Err(error) => {
                head.status = StatusCode::INTERNAL_SERVER_ERROR;
                (Bytes::from(failure(&error, rendering.form, self.japanese)), None)
            }
        };
        if let Some(coding) = coding {
            head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
        }
        head.headers.remove(CONTENT_LENGTH);
        Response::from_parts(head, Body::from(body))
    }
}

/// An answer that could not be spelled: the refusal is told in the same form.
fn failure(error: &Error, form: Form, japanese: bool) -> String {
    let outcome = super::outcome::outcome(&error.explained().1, japanese);
    match form {
        Form::Json => outcome.to_string(),
        Form::Xml => xml::write(techo_profiles::Definitions::embedded(), &outcome, Layout::Compact).unwrap_or_default(),
    }
}

async fn rendered(
    body: Bytes,
    rendering: Rendering,
    coding: Option<Coding>,
    original: Option<Original>,
    kept: Option<(&Edge, Constant)>,
) -> Result<(Bytes, Option<Coding>), Error> {
    let coding = coding.filter(|_| body.len() >= encoding::WORTH_IT);
    if rendering == Rendering::default() && coding.is_none() && original.is_none() {
        return Ok((body, None));
    }
    let variant = (rendering, coding);
    if let Some((edge, Constant(whole))) = &kept
        && let Some(known) = lock(edge).of(whole).get(&variant).cloned()
    {
        return Ok((known, coding));
    }
    let work = move || -> Result<Bytes, Error> {
        let body = original.map_or_else(|| body.clone(), |original| original.places(&body));
        let body = spelled(body, rendering)?;
        match coding {
            Some(coding) => coding.pack(&body).map(Bytes::from).map_err(|_| Error::Internal("compression".into())),
            None => Ok(body),
        }
    };
    let done = heavy(work).await?;
    if let Some((edge, Constant(whole))) = kept {
        lock(edge).of(&whole).insert(variant, done.clone());
    }
    Ok((done, coding))
}

fn lock(edge: &Edge) -> MutexGuard<'_, Kept> {
    edge.kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Work on whole bodies keeps no other request waiting.
pub(super) async fn heavy<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Internal("the form of a body".into()))?
}

fn spelled(body: Bytes, rendering: Rendering) -> Result<Bytes, Error> {
    match (rendering.form, rendering.pretty) {
        (Form::Json, false) => Ok(body),
        (Form::Json, true) => Ok(pretty(&body).into()),
        (Form::Xml, _) => {
            let unreadable = |place: String| Error::Internal(format!("XML of an answer: {place}"));
            let tree = Json::parse(&body).map_err(|error| unreadable(error.to_string()))?;
            let layout = if rendering.pretty { Layout::Pretty } else { Layout::Compact };
            let text = xml::write(techo_profiles::Definitions::embedded(), &tree, layout);
            text.map(Bytes::from).map_err(|error| unreadable(error.to_string()))
        }
    }
}

/// The body as the client sent it, and the JSON made of it.
pub struct Original {
    xml: Bytes,
    json: Bytes,
}

impl Original {
    /// The outcome with each place in the JSON led back to the XML.
    fn places(&self, outcome: &Bytes) -> Bytes {
        let Ok(mut tree) = Json::parse(outcome) else { return outcome.clone() };
        let mut origin = None;
        for issue in tree.get_mut("issue").map(Json::items_mut).unwrap_or_default() {
            let Some(((line, column), japanese)) = issue.str("diagnostics").and_then(read_place) else { continue };
            let offset = Place { line, column }.offset(&self.json);
            let definitions = techo_profiles::Definitions::embedded();
            // Read once, however many issues there are.
            let origin = origin.get_or_insert_with(|| xml::Origin::of(definitions, &self.xml, &self.json));
            match origin.as_ref().and_then(|origin| origin.at(offset)) {
                Some(at) => {
                    let place = Place::of(&self.xml, at);
                    issue.set("diagnostics", Json::from(placed_at((place.line, place.column), japanese)));
                }
                None => drop(issue.remove("diagnostics")),
            }
        }
        Bytes::from(tree.to_string())
    }
}

/// The request with a body that handlers can read.
async fn readable(app: &App, request: Request) -> Result<(Request, Option<Original>), Error> {
    negotiate::of_one_type(request.headers())?;
    let coding = encoding::received(request.headers())?;
    let is_xml = negotiate::sent(request.headers()) == Some(Form::Xml) && reads_fhir(&request);
    let content = Sent::of(&request);
    if coding.is_none() && !is_xml && content.is_none() {
        return Ok((request, None));
    }
    let (mut head, body) = request.into_parts();
    head.headers.remove(CONTENT_ENCODING);
    head.headers.remove(CONTENT_LENGTH);
    if !is_alive(app, &head.headers).await? {
        // The token is all that is to be refused.
        head.headers.remove(binary::CONTEXT);
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(Form::Json.media()));
        return Ok((Request::from_parts(head, Body::empty()), None));
    }
    let body = fhir::body_of(Request::from_parts(head.clone(), body)).await?;
    let media = HeaderValue::from_static(Form::Json.media());
    let (body, original, is_made) = heavy(move || {
        let body = match coding {
            Some(coding) => encoding::unpacked(coding, &body, BODY_LIMIT)?.into(),
            None => body,
        };
        if let Some(resource) = content.map(|content| content.resource(&body)).transpose()?.flatten() {
            return Ok((Bytes::from(resource), None, true));
        }
        if !is_xml {
            return Ok((body, None, false));
        }
        let json = Bytes::from(parse_xml(&body)?.to_string());
        Ok((json.clone(), Some(Original { xml: body, json }), true))
    })
    .await?;
    if is_made {
        head.headers.insert(CONTENT_TYPE, media);
    }
    if is_made && original.is_none() {
        // It stands in the resource that was made.
        head.headers.remove(binary::CONTEXT);
    }
    Ok((Request::from_parts(head, Body::from(body)), original))
}

/// Whether the token is good. Who has none gets no body read.
async fn is_alive(app: &App, headers: &HeaderMap) -> Result<bool, Error> {
    let Some(token) = bearer(headers) else { return Ok(false) };
    let hash = secret::hash(token.as_bytes());
    let found = app.accounts.bearer(hash.as_ref(), app.clock.micros()).await;
    Ok(found.map_err(crate::store::StoreError::from)?.is_some())
}

/// Whether XML sent there is a resource: to some operations it is a file.
fn reads_fhir(request: &Request) -> bool {
    let last = request.uri().path().rsplit('/').next().unwrap_or_default();
    let operation = last.strip_prefix('$').and_then(|name| OPERATIONS.iter().find(|one| one.name == name));
    operation.is_none_or(|operation| operation.body != operation::Body::File)
}
