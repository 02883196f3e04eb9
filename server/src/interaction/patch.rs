//! `PATCH [type]/[id]`: the next version, told by what changes.
//! `PATCH [type]?…`: the same of the only one that the query finds.
//!
//! What comes out is judged exactly as an update. Whether a patch can be done tells
//! what is there, whatever it changes (`test`, a path that finds nothing, a result that
//! is not valid), so that nobody patches what she may not read. What she is shown in part
//! she patches as she is shown it (`redact/kept.rs`).
//!
//! A narrative that was there says what the resource said before. One that is generated goes
//! with the first patch that changes something else and leaves it as it is; one that says
//! more than the data has to be patched along (http.html#patch).
//!
//! Source: FHIR R4 http.html#patch, fhirpatch.html; RFC 6902

use techo_profiles::json::{Json, Place};
use techo_profiles::patch::{PatchError, Reason, fhir_patch, json_patch};

use super::conditional::Condition;
use super::follow::Pending;
use super::plan::Draft;
use super::redact::{Cut, in_part};
use super::turns::Tries;
use super::update::{Planned, next, precondition, same_id};
use super::{Call, Error, Expected, Issue, Location, Reply, Which};
use crate::consent::caller::Action;
use crate::consent::gate::Access;
use crate::store::StoreError;
use crate::store::reader::Stored;
use crate::store::write::Method;

/// A patch as received.
#[derive(Clone, Debug)]
pub struct Patch {
    /// The language it is in.
    pub form: Form,
    /// Its text.
    pub body: Vec<u8>,
}

/// The language of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON Patch
    Json,
    /// A Parameters resource
    FhirPath,
}

/// Media types of patches, for `Accept-Patch` and the `CapabilityStatement`.
pub const MEDIA: &[&str] = &["application/json-patch+json", "application/fhir+json", "application/fhir+xml"];

/// Patches a resource.
///
/// * `expected`: of `If-Match`; another current version is 412.
///
/// # Errors
/// [`Error::Invalid`] for what is no patch, [`Error::Unprocessable`] for one that
/// does not fit the resource or leaves it invalid, [`Error::NotFound`] for what
/// is absent or hidden.
pub async fn patch(call: &Call<'_>, to: &Which, patch: &Patch, expected: Option<&Expected>) -> Result<Reply, Error> {
    call.may(Action::Update, to.kind())?;
    readable(call, to.kind())?;
    let changes = Changes::read(call, patch)?;
    let condition = match to {
        Which::At(_) => None,
        Which::Matching { kind, query } => Some(Condition::read(call, kind, query).await?),
    };
    let mut tries = Tries::of(call.app, to);
    while tries.again().await {
        let planned = match (to, &condition) {
            (Which::At(at), _) => planned(call, at, &changes, expected).await?,
            (Which::Matching { .. }, Some(condition)) => matching(call, condition, &changes, expected).await?,
            (Which::Matching { .. }, None) => return Err(Error::Internal("a query without its condition".into())),
        };
        if let Some(mut reply) = planned.committed(call).await? {
            if let (Some(at), Some((version, _))) = (&reply.about, reply.version) {
                reply.body = told(call, at, version).await?;
            }
            return Ok(reply);
        }
    }
    Err(Error::Store(StoreError::Busy))
}

/// A patch, read.
pub(crate) struct Changes {
    form: Form,
    json: Json,
}

impl Changes {
    /// Reads a patch: JSON, and where it is a resource, one by R4's structure.
    pub(crate) fn read(call: &Call<'_>, patch: &Patch) -> Result<Self, Error> {
        let json = Json::parse(&patch.body).map_err(|error| {
            let place = Place::of(&patch.body, error.offset);
            let mut issue = Issue::error(
                "structure",
                format!("The patch is no JSON that this server takes: {}.", error.fault),
                format!("パッチを JSON として読み取れません: {}。", error.fault.japanese()),
            );
            issue.place = Some((place.line, place.column));
            Error::Invalid(vec![issue])
        })?;
        // What is none is told by what a patch must be.
        if patch.form == Form::FhirPath && json.str("resourceType") == Some("Parameters") {
            call.validated(&patch.body, &json)?;
        }
        Ok(Self { form: patch.form, json })
    }

    fn apply(&self, call: &Call<'_>, resource: &mut Json) -> Result<(), Error> {
        let done = match self.form {
            Form::Json => json_patch::apply_to_resource(resource, &self.json),
            Form::FhirPath => fhir_patch::apply(call.definitions, resource, &self.json),
        };
        done.map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &PatchError) -> Error {
        let code = match error.reason {
            Reason::Malformed(..) | Reason::Unreadable(_) => "invalid",
            Reason::Failed(..) | Reason::Unevaluated(_) => "processing",
            Reason::TooMuch(..) => "too-costly",
        };
        let issue = Issue::error(
            code,
            format!("The patch cannot be applied: {}.", error.reason),
            format!("パッチを適用できません: {}。", error.reason.text_ja()),
        );
        let issue = match self.place(error) {
            Some(place) => issue.at(place),
            None => issue,
        };
        if error.reason.is_malformed() { Error::Invalid(vec![issue]) } else { Error::Unprocessable(vec![issue]) }
    }

    /// `Parameters.parameter[2].part[1]`; a JSON Patch is a bare list of operations.
    fn place(&self, error: &PatchError) -> Option<String> {
        let number = error.operation?;
        if self.form == Form::Json {
            let member = if error.member.is_empty() { String::new() } else { format!(".{}", error.member) };
            return Some(format!("$this[{number}]{member}"));
        }
        let parts = self.json.list("parameter").get(number).map_or(&[][..], |one| one.list("part"));
        let part = parts.iter().position(|part| part.str("name") == Some(error.member));
        let part = part.map_or_else(String::new, |part| format!(".part[{part}]"));
        Some(format!("Parameters.parameter[{number}]{part}"))
    }
}

/// Plans the patched version of what is there now.
async fn planned(
    call: &Call<'_>,
    at: &Location,
    changes: &Changes,
    expected: Option<&Expected>,
) -> Result<Planned, Error> {
    let old = patchable(call, at, expected).await?;
    let text = patched(call, &old, changes, &Alone).await?;
    of(call, &old, text, &Pending::default()).await
}

/// What is there to be patched.
pub(crate) async fn patchable(call: &Call<'_>, at: &Location, expected: Option<&Expected>) -> Result<Stored, Error> {
    let old = match call.writable_now(at, Action::Update).await {
        Ok(Some(old)) if !old.is_deleted() => old,
        Ok(Some(_)) => return Err(Error::Gone),
        // An id that someone else holds is, for a patch, no resource at all.
        Ok(None) | Err(Error::Conflict(_)) => return Err(Error::NotFound),
        Err(error) => return Err(error),
    };
    if expected.is_some_and(|expected| !expected.fits(Some(old.version))) {
        return Err(precondition());
    }
    call.guarded(expected)?;
    Ok(old)
}

/// Plans the next version of a record.
///
/// * `text`: as patched.
pub(crate) async fn of(call: &Call<'_>, old: &Stored, text: Vec<u8>, pending: &Pending) -> Result<Planned, Error> {
    let kind = call.type_name(old.kind);
    let draft = Draft::read(call, &kind, old.id.clone(), text).map_err(spoiled)?;
    same_id(&draft).map_err(spoiled)?;
    draft.whole().map_err(broken)?;
    let mut planned = next(call, &draft, Some(old), pending).await.map_err(broken)?;
    planned.put.method = Method::Patch;
    Ok(planned)
}

/// Plans the patched version of the only match of a query.
async fn matching(
    call: &Call<'_>,
    condition: &Condition,
    changes: &Changes,
    expected: Option<&Expected>,
) -> Result<Planned, Error> {
    let old = condition.target(call, Action::Update).await?.ok_or(Error::NotFound)?;
    if expected.is_some_and(|expected| !expected.fits(Some(old.version))) {
        return Err(precondition());
    }
    let text = patched(call, &old, changes, &Alone).await?;
    let mut planned = of(call, &old, text, &Pending::default()).await?;
    planned.set.conditions.push(condition.only(call, old.rid)?);
    Ok(planned)
}

/// What the links mean that a patch puts in.
pub(crate) trait Links: Sync {
    /// The patched resource with those that name what is written along with it.
    ///
    /// * `before`: the record as the patch found it, whose links mean what they say.
    fn followed(&self, call: &Call<'_>, before: &Json, patched: Json) -> Result<Json, Error>;
}

/// Nothing else is written.
struct Alone;

impl Links for Alone {
    fn followed(&self, _: &Call<'_>, _: &Json, patched: Json) -> Result<Json, Error> {
        Ok(patched)
    }
}

/// The text of a record, patched. What somebody is not shown of it, neither the patch nor the
/// links touch.
///
/// # Errors
/// [`StoreError::Corrupt`] where what is stored makes no sense: no patch fits it.
pub(crate) async fn patched(
    call: &Call<'_>,
    old: &Stored,
    changes: &Changes,
    links: &dyn Links,
) -> Result<Vec<u8>, Error> {
    let kind = call.type_name(old.kind);
    readable(call, &kind)?;
    let view = call.view_for(Action::Read);
    call.store.reader(&view).current(&kind, &old.id).await?.ok_or_else(unread)?;
    let resource = old.json()?;
    let resource = resource.ok_or_else(|| Error::Internal("a live record without a body".into()))?;
    let cut = call.doing(Action::Read).cut(old, &resource).await?;
    let before = cut.as_ref().map_or_else(|| resource.clone(), Cut::shown);
    let mut made = before.clone();
    changes.apply(call, &mut made)?;
    let made = links.followed(call, &before, made)?;
    let patched = match cut {
        // Of a narrative that she is not shown she hears nothing.
        Some(cut) => narrated(&resource, cut.restored(made).ok_or_else(in_part)?).map_err(|_| in_part())?,
        None => narrated(&resource, made)?,
    };
    Ok(patched.to_string().into_bytes())
}

/// The patched resource with a narrative that fits it, or without one.
///
/// # Errors
/// Where the old one says what stands nowhere else.
fn narrated(before: &Json, mut patched: Json) -> Result<Json, Error> {
    let Some(narrative) = patched.get("text").filter(|text| before.get("text") == Some(text)) else {
        return Ok(patched);
    };
    let told = |resource: &Json| {
        let mut told = resource.clone();
        told.remove("text");
        told.remove("meta");
        told
    };
    let status = narrative.str("status");
    if status == Some("empty") || told(before) == told(&patched) {
        return Ok(patched);
    }
    if status == Some("additional") {
        let kind = patched.str("resourceType").unwrap_or("Resource");
        let (en, ja) = NARRATIVE;
        return Err(Error::Unprocessable(vec![Issue::error("processing", en, ja).at(format!("{kind}.text"))]));
    }
    patched.remove("text");
    Ok(patched)
}

/// Why a patch is refused that leaves a narrative behind.
const NARRATIVE: (&str, &str) = (
    "The narrative (status additional) says more than the data, and may no longer fit after this patch. Replace or \
     remove text in the same patch.",
    "説明文(text、status が additional)にはデータにない内容が含まれ、このパッチの後は合わなくなる可能性があります。同じパッチで text を置き換えるか削除してください。",
);

/// Refuses where the scopes never let the caller read the type.
fn readable(call: &Call<'_>, kind: &str) -> Result<(), Error> {
    let access = call.view_for(Action::Read).may(Action::Read, kind);
    if access == Access::Yes { Ok(()) } else { Err(unread()) }
}

fn unread() -> Error {
    Error::Forbidden(Issue::error(
        "forbidden",
        "A patch tells what is there, so it needs the right to read it (the scope's r). Send the whole resource by PUT.",
        "PATCH の結果から内容が分かるため、読み取りの権限(スコープの r)が必要です。PUT で全体を送ってください。",
    ))
}

/// What a patch leaves behind is not what the client sent: 422 rather than 400.
fn spoiled(error: Error) -> Error {
    match error {
        Error::Invalid(issues) => Error::Patched(unplaced(issues)),
        other => broken(other),
    }
}

/// A rule is broken by what the patch makes, not by the patch.
fn broken(error: Error) -> Error {
    match error {
        Error::Unprocessable(issues) => Error::Patched(unplaced(issues)),
        other => other,
    }
}

/// Without line and column: they are of a text that the client does not have, and would tell how
/// long is what she is not shown of it.
fn unplaced(issues: Vec<Issue>) -> Vec<Issue> {
    issues.into_iter().map(|issue| Issue { place: None, ..issue }).collect()
}

/// The patched resource for a caller who may read it.
pub(crate) async fn told(call: &Call<'_>, at: &Location, version: i32) -> Result<Option<Vec<u8>>, Error> {
    let reading = call.doing(Action::Read);
    match reading.reader().version(&at.kind, &at.id, version).await? {
        Some(found) => reading.shown(&found, &mut super::redact::Seen::new()).await,
        None => Ok(None),
    }
}
