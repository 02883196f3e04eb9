//! What was written, newest first: `GET [type]/[id]/_history`, `GET [type]/_history`
//! and `GET _history`.
//!
//! A page ends at a version, not at a number: what is written meanwhile comes
//! before the first page, so that a walk tells every version once; a walk back comes
//! to what is new.
//!
//! Source: FHIR R4 http.html#history

use std::collections::BTreeSet;

use techo_profiles::json::Json;

use super::audit::{RENDERED, STATISTICS};
use super::error::outcome;
use super::read::no_count;
use super::redact::Seen;
use super::search::{Bundle, damaged, foreign_page, page_link};
use super::{Call, Error, Issue, Location, Past, Reply, subset};
use crate::consent::caller::Action;
use crate::consent::gate::Access;
use crate::search::page::{Cursor, Direction, SortValue, query_string};
use crate::search::shape::Shape;
use crate::search::time::span;
use crate::search::{Reason, SearchError};
use crate::store::reader::{Stored, Window, newest_first};
use crate::store::write::{Method, instant};

/// Versions a page, and the most that `_count` may ask for.
const PAGE: usize = 50;
const MOST: usize = 1000;

/// A page of versions.
///
/// * `query`: `_count` (0: how many there are, alone), `_since`, `_at`; `_page` from a `next` link.
pub async fn history(call: &Call<'_>, of: &Past, query: &[(String, String)]) -> Result<Reply, Error> {
    let types = allowed(call, of)?;
    let path = of.path();
    let mut asked = Asked::read(call, (of.kind(), &path), query)?;
    if let Past::Instance(at) = of {
        let current = call.reader().current(&at.kind, &at.id).await?.ok_or(Error::NotFound)?;
        asked.window.rid = Some(current.rid);
        // That it is there is told though no version may be.
        call.looked_at(&[current]).await?;
    }
    call.asked_of_all(types.iter().map(String::as_str));
    if asked.limit == 0 {
        return counted(call, of, &types, &asked).await;
    }
    let mut versions = newest(call, &types, &asked).await?;
    let more = versions.len() > asked.limit;
    asked.window.nearest(&mut versions, asked.limit);
    let mut bundle = Bundle::new("history");
    link(call, &path, (&asked, &versions, more), &mut bundle)?;
    let mut reply = Reply::default();
    let mut seen = Seen::new();
    for version in &versions {
        let at = Location { kind: call.type_name(version.kind), id: version.id.clone() };
        let mut body = None;
        let shown = put_in(call, (&at.kind, version), &asked.shape, &mut seen, &mut body).await;
        let damage = damaged(&at.kind, version, shown)?.map(|issue| outcome(&[issue], call.japanese));
        bundle.push(&call.base, &at.kind, &at.id, body.as_deref(), &event(&at, version, damage));
        for citizen in call.citizens_of(version).await? {
            reply.disclosed.push((citizen, at.kind.clone()));
        }
    }
    reply.count = versions.len();
    reply.about = if let Past::Instance(at) = of { Some(at.clone()) } else { None };
    reply.body = Some(bundle.finish(None, &call.view));
    Ok(reply)
}

/// Puts the body of a version, as it is shown, into `body`.
async fn put_in(
    call: &Call<'_>,
    (kind, version): (&str, &Stored),
    shape: &Shape,
    seen: &mut Seen,
    body: &mut Option<Vec<u8>>,
) -> Result<(), Error> {
    let Some(shown) = call.shown(version, seen).await? else { return Ok(()) };
    *body = Some(subset::cut(call.definitions, kind, shown, (shape, true)).map_err(|_| version.unreadable())?);
    Ok(())
}

/// How many versions there are, and none of them: as a search with `_count=0` has it.
async fn counted(call: &Call<'_>, of: &Past, types: &[String], asked: &Asked) -> Result<Reply, Error> {
    let reader = call.reader();
    let (mut total, mut whose) = (0, BTreeSet::new());
    for number in in_use(call, types).await? {
        let kind = call.type_name(number);
        let count = reader.count_changes(&kind, &asked.window).await?;
        total += count;
        if count > 0 && asked.window.rid.is_none() && whose.len() <= STATISTICS {
            whose.extend(reader.citizens_of_changes(&kind, &asked.window, STATISTICS).await?);
        }
    }
    call.told_about(whose.into_iter().collect());
    let mut bundle = Bundle::new("history");
    link(call, &of.path(), (asked, &[], false), &mut bundle)?;
    let about = if let Past::Instance(at) = of { Some(at.clone()) } else { None };
    Ok(Reply { about, body: Some(bundle.finish(Some(total), &call.view)), ..Reply::default() })
}

/// `self`, and where there are other pages the ways to them.
///
/// * `more`: there are versions beyond the page, the way it was walked.
fn link(
    call: &Call<'_>,
    path: &str,
    (asked, versions, more): (&Asked, &[Stored], bool),
    bundle: &mut Bundle,
) -> Result<(), Error> {
    let own = format!("{}/{path}", call.base);
    let used = query_string(&asked.used);
    let first = if used.is_empty() { own.clone() } else { format!("{own}?{used}") };
    bundle.link("self", &first);
    let place = |version: &Stored| (version.updated, version.rid);
    let (ahead, behind) = match (asked.window.after, asked.window.before) {
        (None, None) => (more, false),
        (Some(_), _) => (more, true),
        (None, Some(_)) => (true, more),
    };
    // Where all that a page had has gone since, the way leads over its place itself.
    let next =
        versions.last().map(place).or(asked.window.before.map(|(updated, rid)| (updated, rid.saturating_add(1))));
    let previous = versions.first().map(place).or(asked.window.after.map(|(updated, rid)| (updated, rid - 1)));
    let ways = [
        ("next", next.filter(|_| ahead), Direction::Onward),
        ("previous", previous.filter(|_| behind), Direction::Back),
    ];
    if ways.iter().any(|(_, place, _)| place.is_some()) {
        bundle.link("first", &first);
    }
    for (relation, place, direction) in ways {
        let Some((updated, rid)) = place else { continue };
        let values = vec![SortValue::Integer(updated)];
        let cursor = Cursor { query: format!("{path}?{used}"), values, rid, direction };
        let bytes = cursor.encode().ok_or_else(|| Error::Internal("page link too long".into()))?;
        bundle.link(relation, &page_link(&own, &call.seal_page(&bytes)));
    }
    Ok(())
}

/// The types that a history is about.
///
/// # Errors
/// [`Error::Forbidden`] where the scopes allow none of them.
fn allowed(call: &Call<'_>, of: &Past) -> Result<Vec<String>, Error> {
    match of {
        Past::Instance(at) => call.may(Action::Read, &at.kind).map(|()| vec![at.kind.clone()]),
        Past::Type(kind) => {
            call.may(Action::History, kind)?;
            if RENDERED.contains(&kind.as_str()) {
                return Err(Error::NotAllowed(Issue::error(
                    "not-supported",
                    format!("{kind} has one version each, and no history."),
                    format!("{kind} の版は一つだけで、履歴はありません。"),
                )));
            }
            Ok(vec![kind.clone()])
        }
        Past::System => {
            let types = call.definitions.resource_types().iter().map(ToString::to_string);
            let types = types.filter(|kind| call.view.may(Action::History, kind) == Access::Yes);
            let types: Vec<String> = types.filter(|kind| !RENDERED.contains(&kind.as_str())).collect();
            if types.is_empty() {
                call.may(Action::History, "Resource")?;
            }
            Ok(types)
        }
    }
}

/// The types of which there is anything to tell.
async fn in_use(call: &Call<'_>, types: &[String]) -> Result<Vec<u16>, Error> {
    let numbers: Vec<u16> = types.iter().filter_map(|kind| call.definitions.type_number(kind)).collect();
    if types.len() > 1 { Ok(call.reader().types_in_use(&numbers).await?) } else { Ok(numbers) }
}

/// The versions of a page, and one more if there is one. The types are read one by
/// one: what the first ones tell bounds what the next ones are asked for.
async fn newest(call: &Call<'_>, types: &[String], asked: &Asked) -> Result<Vec<Stored>, Error> {
    let reader = call.reader();
    let mut window = asked.window.clone();
    let mut versions = Vec::new();
    for number in in_use(call, types).await? {
        versions.extend(reader.changes(&call.type_name(number), &window, asked.limit + 1).await?);
        newest_first(&mut versions);
        window.nearest(&mut versions, asked.limit + 1);
        if versions.len() > asked.limit {
            match asked.window.before {
                None => window.since = window.since.max(versions.last().map(|last| last.updated)),
                Some(_) => window.until = versions.first().map(|first| first.updated),
            }
        }
    }
    Ok(versions)
}

/// The query of a history, read.
struct Asked {
    limit: usize,
    window: Window,
    shape: Shape,
    used: Vec<(Box<str>, Box<str>)>,
}

impl Asked {
    fn read(call: &Call<'_>, (kind, path): (Option<&str>, &str), query: &[(String, String)]) -> Result<Self, Error> {
        let Some((_, sealed)) = query.iter().find(|(name, _)| name == "_page") else {
            return Self::plain(call, kind, query);
        };
        // The link holds the whole query; a parameter beside it would be passed over.
        if query.iter().any(|(name, _)| !matches!(&**name, "_page" | "_format" | "_pretty")) {
            return Err(foreign_page());
        }
        let cursor = Cursor::decode(&call.open_page(sealed)?).ok_or_else(foreign_page)?;
        let (_, query) = cursor.query.split_once('?').filter(|(own, _)| *own == path).ok_or_else(foreign_page)?;
        let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut asked = Self::plain(call, kind, &query)?;
        let [SortValue::Integer(updated)] = cursor.values[..] else { return Err(foreign_page()) };
        match cursor.direction {
            Direction::Onward => asked.window.after = Some((updated, cursor.rid)),
            Direction::Back => asked.window.before = Some((updated, cursor.rid)),
        }
        Ok(asked)
    }

    /// * `kind`: whose elements may be picked; none in the history of all.
    fn plain(call: &Call<'_>, kind: Option<&str>, query: &[(String, String)]) -> Result<Self, Error> {
        let shape = kind.map(|kind| Shape::asked(call.definitions, kind, query)).transpose()?.unwrap_or_default();
        no_count(&shape)?;
        let mut asked = Self { limit: PAGE, window: Window::default(), shape, used: Vec::new() };
        for (name, value) in query {
            let time = || span(value, &call.config.zone).map_err(|error| SearchError::new(name, error.into()));
            match name.as_str() {
                "_format" | "_pretty" => continue,
                "_count" => asked.limit = count(value)?,
                "_since" => asked.window.since = Some(time()?.low),
                "_at" => asked.window.at = time().map(|span| Some(span.low..span.high))?,
                "_summary" | "_elements" if kind.is_some() => {}
                // The order that R4 has: there is no other.
                "_sort" if matches!(value.as_str(), "-_lastUpdated" | "none") => {}
                "_sort" => return Err(SearchError::new(name, Reason::NewestFirst).into()),
                _ if call.lenient => continue,
                other => return Err(unknown(other)),
            }
            if asked.used.iter().any(|(used, _)| **used == **name) {
                return Err(SearchError::new(name, Reason::Repeated).into());
            }
            asked.used.push((name.as_str().into(), value.as_str().into()));
        }
        Ok(asked)
    }
}

/// * `damage`: why there is no body though there should be one.
fn event(at: &Location, version: &Stored, damage: Option<Json>) -> String {
    let (verb, status) = Method::told(version.method);
    let url = if verb == "POST" { at.kind.clone() } else { at.reference() };
    let request = Json::object([("method", Json::from(verb)), ("url", Json::from(url))]);
    let response = Json::object([
        ("status", Json::from(status)),
        ("etag", Json::from(format!("W/\"{}\"", version.version))),
        ("lastModified", Json::from(instant(version.updated))),
    ])
    .with_some("outcome", damage);
    format!("\"request\":{request},\"response\":{response}")
}

fn count(value: &str) -> Result<usize, Error> {
    value.parse().ok().map(|count: usize| count.min(MOST)).ok_or_else(|| {
        let issue =
            Issue::error("value", "_count is a whole number from 0.", "_count は 0 以上の整数で指定してください。");
        Error::Invalid(vec![issue.at("_count")])
    })
}

fn unknown(name: &str) -> Error {
    let shown: String = name.chars().take(64).collect();
    Error::Invalid(vec![
        Issue::error(
            "not-supported",
            format!("The parameter {shown} is not understood here; _count, _since and _at are."),
            format!("パラメータ {shown} はここでは使えません。使えるのは _count, _since, _at です。"),
        )
        .at(shown),
    ])
}
