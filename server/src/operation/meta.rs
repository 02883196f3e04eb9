//! `$meta`, `$meta-add`, `$meta-delete`: the profiles, security labels and tags of a
//! resource, of one of its versions, or of all that the caller sees.
//!
//! The kind of the notebook is a tag of the server's own (`consent/label.rs`): it is
//! neither added nor taken away here.
//!
//! Source: FHIR R4 resource-operation-meta.html

use techo_profiles::json::Json;

use super::{ANY, Body, Gate, Input, Level, Operation, Origin, Parameter};
use crate::consent::label;
use crate::interaction::amend::{Change, LISTS, MOST, amend, too_many};
use crate::interaction::audit::RENDERED;
use crate::interaction::patch;
use crate::interaction::redact::Seen;
use crate::interaction::{Call, Error, Issue, Reply, Target};
use crate::store::meta::{InUse, Listed};

/// `$meta`
pub const META: Operation = Operation {
    name: "meta",
    summary: "The profiles, security labels and tags in use.",
    origin: Origin::R4("http://hl7.org/fhir/OperationDefinition/Resource-meta"),
    levels: &[Level::System, Level::Type(ANY), Level::Instance(ANY), Level::Version(ANY)],
    gate: Gate::Reads,
    changes: false,
    body: Body::Parameters,
    parameters: &[],
    answers: &[],
    run: |call, input| Box::pin(meta(call, input)),
};

/// `$meta-add`
pub const ADD: Operation = Operation {
    name: "meta-add",
    summary: "Adds profiles, security labels and tags to a resource.",
    origin: Origin::R4("http://hl7.org/fhir/OperationDefinition/Resource-meta-add"),
    levels: &[Level::Instance(ANY)],
    gate: Gate::Updates,
    changes: true,
    body: Body::Parameters,
    parameters: &[Parameter::required("meta", "Meta")],
    answers: &[],
    run: |call, input| Box::pin(change(call, input, Change::Add)),
};

/// `$meta-delete`
pub const DELETE: Operation = Operation {
    name: "meta-delete",
    summary: "Takes profiles, security labels and tags from a resource.",
    origin: Origin::R4("http://hl7.org/fhir/OperationDefinition/Resource-meta-delete"),
    run: |call, input| Box::pin(change(call, input, Change::Remove)),
    ..ADD
};

async fn meta(call: &Call<'_>, input: &Input<'_>) -> Result<Reply, Error> {
    let (at, found) = match input.on {
        Target::System => {
            let types = call.definitions.resource_types();
            let kinds: Vec<&str> = types.iter().copied().filter(|kind| !RENDERED.contains(kind)).collect();
            return in_use(call, &kinds).await;
        }
        Target::Type(kind) => return in_use(call, &[kind]).await,
        Target::Instance(at) => (at, call.reader().current(&at.kind, &at.id).await?),
        Target::Version(at, version) => (at, call.reader().version(&at.kind, &at.id, *version).await?),
    };
    let found = found.ok_or(Error::NotFound)?;
    call.looked_at(std::slice::from_ref(&found)).await?;
    let body = call.shown(&found, &mut Seen::new()).await?.ok_or(Error::Gone)?;
    let citizens = call.citizens_of(&found).await?;
    Ok(Reply {
        body: Some(told(&meta_of(&body)?)),
        version: Some((found.version, found.updated)),
        disclosed: citizens.into_iter().map(|citizen| (citizen, at.kind.clone())).collect(),
        about: Some(at.clone()),
        count: 1,
        ..Reply::default()
    })
}

/// A summary of what is in use with the records that the caller sees.
async fn in_use(call: &Call<'_>, kinds: &[&str]) -> Result<Reply, Error> {
    let reader = call.reader();
    let mut meta = Json::object::<&str>([]);
    for (name, listed) in LISTS.iter().zip([Listed::Profile, Listed::Security, Listed::Tag]) {
        let values = reader.in_use(listed, kinds).await?;
        if !values.is_empty() {
            meta.set(*name, Json::array(values.into_iter().map(|value| item(listed, value))));
        }
    }
    call.summed_up(kinds).await?;
    Ok(Reply { body: Some(told(&meta.to_string())), ..Reply::default() })
}

fn item(listed: Listed, (system, value): InUse) -> Json {
    if listed == Listed::Profile {
        return Json::from(value);
    }
    Json::object::<&str>([]).with_some("system", system).with("code", value)
}

async fn change(call: &Call<'_>, input: &Input<'_>, change: Change) -> Result<Reply, Error> {
    let Target::Instance(at) = input.on else { return Err(Error::NotFound) };
    let place = input.place("meta");
    let by = input.json("meta").ok_or_else(|| Error::Internal("a required parameter is missing".into()))?;
    understood(by, &place)?;
    let mut reply = amend(call, at, by, change).await?;
    // As she is shown it; who may label what she may not read is not told how it was labelled.
    let (version, _) = reply.version.ok_or_else(|| Error::Internal("labelled without a version".into()))?;
    let shown = patch::told(call, at, version).await?;
    reply.body = shown.as_deref().map(meta_of).transpose()?.map(|meta| told(&meta));
    Ok(reply)
}

/// Refuses what would be passed over: there is more to `Meta` than these lists.
fn understood(by: &Json, place: &str) -> Result<(), Error> {
    let refused = |inner: &str, code, text: &str, text_ja: &str| {
        Err(Error::Invalid(vec![Issue::error(code, text, text_ja).at(format!("{place}.{inner}"))]))
    };
    for member in by.members() {
        let list = LISTS.contains(&&*member.name);
        if list && !member.value.is_array() {
            return refused(&member.name, "structure", "This is a list.", "配列にしてください。");
        }
        if list && member.value.items().len() > MOST {
            let (en, ja) = too_many();
            let issue = Issue::error("too-costly", en, ja).at(format!("{place}.{}", member.name));
            return Err(Error::Unprocessable(vec![issue]));
        }
        // A client that sends back what it read sends these too; they are the server's.
        if !list && !matches!(&*member.name, "versionId" | "lastUpdated") {
            return refused(
                &member.name,
                "not-supported",
                "Only profile, security and tag are changed here.",
                "ここで変更できるのは profile, security, tag のみです。",
            );
        }
    }
    if by.list("tag").iter().any(label::is_tag) {
        return refused(
            "tag",
            "business-rule",
            "The tag of the notebook's kind is the server's own.",
            "手帳の区分のタグはサーバーが管理します。",
        );
    }
    Ok(())
}

/// The text of a body's `meta`.
fn meta_of(body: &[u8]) -> Result<String, Error> {
    let resource = Json::parse(body).map_err(|_| Error::Internal("stored body is no JSON".into()))?;
    let meta = resource.get("meta").map_or(&b"{}"[..], |meta| &body[meta.span()]);
    Ok(String::from_utf8_lossy(meta).into_owned())
}

/// Parameters with the one answer.
fn told(meta: &str) -> Vec<u8> {
    let parameters = format!(r#"{{"resourceType":"Parameters","parameter":[{{"name":"return","valueMeta":{meta}}}]}}"#);
    parameters.into_bytes()
}
