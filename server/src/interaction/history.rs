//! `GET [type]/[id]/_history`: the versions of one resource, newest first.
//!
//! Source: FHIR R4 http.html#history

use techo_profiles::json::Json;

use super::read::no_count;
use super::redact::Seen;
use super::search::{Bundle, page_link_as};
use super::{Call, Error, Issue, Location, Reply, subset};
use crate::consent::caller::Action;
use crate::search::shape::Shape;
use crate::store::reader::Stored;
use crate::store::write::{Method, instant};

/// Versions a page, and the most that `_count` may ask for.
const PAGE: u64 = 50;
const MOST: u64 = 1000;

/// The versions of one resource.
///
/// * `query`: `_count`; `_page` from a `next` link.
pub async fn history(call: &Call<'_>, at: &Location, query: &[(String, String)]) -> Result<Reply, Error> {
    call.may(Action::Read, &at.kind)?;
    let shape = Shape::asked(call.definitions, &at.kind, query)?;
    no_count(&shape)?;
    let mut limit = PAGE;
    let mut below = i32::MAX;
    for (name, value) in query {
        match name.as_str() {
            "_count" => limit = count(value)?,
            "_page" => below = open_page(call, at, value)?,
            "_format" | "_pretty" | "_summary" | "_elements" => {}
            other if !call.lenient => return Err(unknown(other)),
            _ => {}
        }
    }
    let mut versions = call.reader().history(&at.kind, &at.id, below, limit + 1).await?;
    if versions.is_empty() && below == i32::MAX {
        return Err(Error::NotFound);
    }
    let more = versions.len() as u64 > limit;
    versions.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut bundle = Bundle::new("history");
    let own = format!("{}/{}/_history", &call.base, at.reference());
    bundle.link("self", &own);
    if let (true, Some(last)) = (more, versions.last()) {
        let sealed = call.seal_page(format!("{} {}", at.reference(), last.version).as_bytes());
        bundle.link("next", &page_link_as(&own, &sealed, query, &["_count", "_summary", "_elements"]));
    }
    let mut reply = Reply::default();
    let mut seen = Seen::new();
    for version in &versions {
        let body = call.shown(version, &mut seen).await?;
        let body = body.map(|body| subset::cut(call.definitions, &at.kind, body, (&shape, true))).transpose()?;
        bundle.push(&call.base, &at.kind, &version.id, body.as_deref(), &event(at, version));
        for citizen in call.citizens_of(version).await? {
            reply.disclosed.push((citizen, at.kind.clone()));
        }
    }
    reply.count = versions.len();
    reply.about = Some(at.clone());
    reply.body = Some(bundle.finish(None, &call.view));
    Ok(reply)
}

fn event(at: &Location, version: &Stored) -> String {
    let (verb, status) = Method::told(version.method);
    let url = if verb == "POST" { at.kind.clone() } else { at.reference() };
    let request = Json::object([("method", Json::from(verb)), ("url", Json::from(url))]);
    let response = Json::object([
        ("status", Json::from(status)),
        ("etag", Json::from(format!("W/\"{}\"", version.version))),
        ("lastModified", Json::from(instant(version.updated))),
    ]);
    format!("\"request\":{request},\"response\":{response}")
}

fn count(value: &str) -> Result<u64, Error> {
    value.parse().ok().filter(|count| *count > 0).map(|count: u64| count.min(MOST)).ok_or_else(|| {
        let issue =
            Issue::error("value", "_count is a whole number from 1.", "_count は 1 以上の整数で指定してください。");
        Error::Invalid(vec![issue.at("_count")])
    })
}

fn open_page(call: &Call<'_>, at: &Location, sealed: &str) -> Result<i32, Error> {
    let text = call.open_page(sealed)?;
    let text = String::from_utf8_lossy(&text);
    let (reference, version) = text.rsplit_once(' ').unwrap_or_default();
    if reference != at.reference() {
        return Err(super::search::foreign_page());
    }
    version.parse().map_err(|_| super::search::foreign_page())
}

fn unknown(name: &str) -> Error {
    let shown: String = name.chars().take(64).collect();
    Error::Invalid(vec![
        Issue::error(
            "not-supported",
            format!("The parameter {shown} is not understood here; _count is."),
            format!("パラメータ {shown} はここでは使えません。使えるのは _count です。"),
        )
        .at(shown),
    ])
}
