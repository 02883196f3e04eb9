//! `GET AuditEvent?patient=…&date=…`, and the same in a Patient's compartment.
//!
//! Source: FHIR R4 search.html; http.html#paging

use std::collections::BTreeSet;

use super::event;
use crate::consent::view::CitizenKey;
use crate::interaction::ground::Ground;
use crate::interaction::search::{Bundle, foreign_page, page_link_as};
use crate::interaction::{Call, Error, Issue, Reply};
use crate::search::escape::split;
use crate::search::page::query_string;
use crate::search::time::span;
use crate::store::StoreError;
use crate::store::audit::{AuditError, Cursor, Filter, Found, Place};

/// Events a page if the query does not say.
const PAGE: u32 = 50;
/// Events a page at most: more is cut.
const LONGEST_PAGE: u32 = 1000;
/// Alternatives of one parameter at most.
const MOST_VALUES: usize = 500;

/// Searches.
pub(in crate::interaction) async fn search(
    call: &Call<'_>,
    ground: &Ground,
    query: &[(String, String)],
) -> Result<Reply, Error> {
    let (asked, after) = planned(call, ground, query).await?;
    let filter = Filter {
        citizens: &asked.citizens,
        from: asked.from,
        until: asked.until,
        kinds: &[],
        only: asked.only.as_deref(),
        after,
        // One more tells whether there is another page.
        limit: if asked.limit == 0 { 0 } else { asked.limit + 1 },
    };
    let mut found = call.audit.entries(&filter).await.map_err(|error| audit(&error))?;
    let total = if asked.total { Some(call.audit.count(&filter).await.map_err(|error| audit(&error))?) } else { None };
    let limit = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let mut bundle = Bundle::new("searchset");
    link(call, (ground, query), &asked, found.last().filter(|_| more), &mut bundle);
    let mut reply = Reply { count: found.len(), ..Reply::default() };
    for one in &found {
        let event = event(call, one).to_string();
        bundle.push(&call.base, "AuditEvent", &one.id, Some(event.as_bytes()), "\"search\":{\"mode\":\"match\"}");
        reply.disclosed.push((one.citizen, "AuditEvent".into()));
    }
    reply.body = Some(bundle.finish(total, &call.view));
    Ok(reply)
}

/// The query, and the place where a page link leads to. Whose events they may be is asked
/// anew for each page: the link grants nothing.
async fn planned(
    call: &Call<'_>,
    ground: &Ground,
    query: &[(String, String)],
) -> Result<(Asked, Option<Cursor>), Error> {
    let Some((_, sealed)) = query.iter().find(|(name, _)| name == "_page") else {
        return Ok((Asked::read(call, ground, query).await?, None));
    };
    // The link holds the whole query; a parameter beside it would be passed over.
    if query.iter().any(|(name, _)| !matches!(&**name, "_page" | "_format" | "_pretty")) {
        return Err(foreign_page());
    }
    let bytes = call.open_page(sealed)?;
    let (place, query) = bytes.split_at_checked(Cursor::BYTES).ok_or_else(foreign_page)?;
    let after = Cursor::from_bytes(place).ok_or_else(foreign_page)?;
    let query = std::str::from_utf8(query).map_err(|_| foreign_page())?;
    let (_, query) = query.split_once('?').filter(|(own, _)| *own == ground.path()).ok_or_else(foreign_page)?;
    let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    Ok((Asked::read(call, ground, &query).await?, Some(after)))
}

/// `self`, and where there are other pages the ways to them.
fn link(
    call: &Call<'_>,
    (ground, query): (&Ground, &[(String, String)]),
    asked: &Asked,
    edge: Option<&Found>,
    bundle: &mut Bundle,
) {
    let used = query_string(&asked.used);
    let own = ground.url(&call.base);
    let first = if used.is_empty() { own.clone() } else { format!("{own}?{used}") };
    let page = query.iter().find(|(name, _)| name == "_page");
    match page {
        Some((_, sealed)) => bundle.link("self", &page_link_as(&own, sealed, query, &[])),
        None => bundle.link("self", &first),
    }
    if (page.is_none() && edge.is_none()) || asked.limit == 0 {
        return;
    }
    bundle.link("first", &first);
    if let Some(edge) = edge {
        let mut bytes = edge.cursor.bytes();
        bytes.extend(format!("{}?{used}", ground.path()).into_bytes());
        bundle.link("next", &page_link_as(&own, &call.seal_page(&bytes), query, &[]));
    }
}

/// A query, read.
struct Asked {
    citizens: Vec<CitizenKey>,
    from: Option<i64>,
    until: Option<i64>,
    only: Option<Vec<Place>>,
    limit: u32,
    total: bool,
    used: Vec<(Box<str>, Box<str>)>,
}

impl Asked {
    async fn read(call: &Call<'_>, ground: &Ground, query: &[(String, String)]) -> Result<Self, Error> {
        let citizens = call.audited();
        let mut asked =
            Self { citizens, from: None, until: None, only: None, limit: PAGE, total: true, used: Vec::new() };
        if let Ground::Compartment(at, _) = ground {
            asked.only_of(call, &[&at.id]).await?;
        }
        for (name, value) in query {
            if asked.take(call, name, value).await? {
                asked.used.push((name.as_str().into(), value.as_str().into()));
            }
        }
        Ok(asked)
    }

    /// Reads one parameter. Whether `self` states it: what is passed over or is about the
    /// form of the answer it does not.
    async fn take(&mut self, call: &Call<'_>, name: &str, value: &str) -> Result<bool, Error> {
        match name {
            "patient" | "patient.identifier" => {
                let base = format!("{}/", call.base);
                let id = |part| -> &str {
                    let part = str::strip_prefix(part, &*base).unwrap_or(part);
                    part.strip_prefix("Patient/").unwrap_or(part)
                };
                let ids: Vec<&str> = alternatives(name, value)?.into_iter().map(id).collect();
                self.only_of(call, &ids).await?;
            }
            "_id" => {
                let ids = alternatives(name, value)?;
                let mut places: Vec<Place> = ids.into_iter().filter_map(|id| call.audit.place(id)).collect();
                if let Some(before) = &self.only {
                    places.retain(|place| before.contains(place));
                }
                self.only = Some(places);
            }
            "date" | "_lastUpdated" => {
                let (lower, upper) = instants(value, &call.config.zone).ok_or_else(|| bad_date(name))?;
                self.from = self.from.max(lower);
                self.until = self.until.into_iter().chain(upper).min();
            }
            "_count" => {
                self.limit = value.parse().map_err(|_| bad("_count")).map(|count: u32| count.min(LONGEST_PAGE))?;
            }
            "_total" => match value {
                "none" => self.total = false,
                "accurate" | "estimate" => self.total = true,
                _ => return Err(bad("_total")),
            },
            "_sort" if value == "-date" || value == "-_lastUpdated" => {}
            "_format" | "_pretty" => return Ok(false),
            other if call.lenient => {
                tracing::debug!(length = other.len(), "parameter passed over");
                return Ok(false);
            }
            other => return Err(bad(other)),
        }
        Ok(true)
    }

    /// Of these alone, as far as the caller may ask about them: others neither add to
    /// what is found nor take from it.
    async fn only_of(&mut self, call: &Call<'_>, ids: &[&str]) -> Result<(), Error> {
        let known = call.store.citizens(ids).await?;
        let wanted: BTreeSet<CitizenKey> = known.values().map(|citizen| citizen.key).collect();
        self.citizens.retain(|citizen| wanted.contains(citizen));
        Ok(())
    }
}

/// The values between commas, each once.
fn alternatives<'v>(name: &str, value: &'v str) -> Result<Vec<&'v str>, Error> {
    let each: BTreeSet<&str> = split(value, ',').into_iter().collect();
    if each.len() > MOST_VALUES {
        return Err(refused(
            name,
            format!("{name} of AuditEvent takes at most {MOST_VALUES} values."),
            format!("AuditEvent の {name} に指定できる値は {MOST_VALUES} 個までです。"),
        ));
    }
    Ok(each.into_iter().collect())
}

/// A date with its prefix as bounds: first instant, and the instant after the last.
fn instants(text: &str, zone: &jiff::tz::TimeZone) -> Option<(Option<i64>, Option<i64>)> {
    let (prefix, date) = match text.get(..2) {
        Some(prefix @ ("eq" | "ge" | "gt" | "le" | "lt" | "sa" | "eb")) => (prefix, &text[2..]),
        _ => ("eq", text),
    };
    let span = span(date, zone).ok()?;
    Some(match prefix {
        "ge" => (Some(span.low), None),
        "gt" | "sa" => (Some(span.high), None),
        "le" => (None, Some(span.high)),
        "lt" | "eb" => (None, Some(span.low)),
        _ => (Some(span.low), Some(span.high)),
    })
}

fn audit(error: &AuditError) -> Error {
    Error::Store(StoreError::Audit(error.to_string()))
}

fn bad_date(name: &str) -> Error {
    refused(
        name,
        format!(
            "{name} of AuditEvent takes one date, alone or with eq, ge, gt, le, lt, sa or eb; \
             not several with commas. Repeat it for a range."
        ),
        format!(
            "AuditEvent の {name} の値は日付一つです。eq, ge, gt, le, lt, sa, eb を付けられます。\
             コンマで複数は指定できません。期間は {name} を二つ書いて指定してください。"
        ),
    )
}

fn bad(name: &str) -> Error {
    let name: String = name.chars().take(64).collect();
    refused(
        &name,
        format!(
            "AuditEvent is searched by patient, date, _id and _lastUpdated, with _count and _total; \
             {name} is not understood."
        ),
        format!(
            "AuditEvent の検索条件は patient, date, _id, _lastUpdated と _count, _total です。{name} は使えません。"
        ),
    )
}

fn refused(name: &str, english: String, japanese: String) -> Error {
    Error::Invalid(vec![Issue::error("not-supported", english, japanese).at(name.to_owned())])
}
