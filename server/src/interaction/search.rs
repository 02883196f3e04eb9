//! `GET [type]?…` and `POST [type]/_search`.
//!
//! Source: FHIR R4 http.html#search, search.html

use std::collections::BTreeSet;

use techo_profiles::json::Json;

use super::redact::Seen;
use super::{Call, Error, Issue, Reply};
use crate::consent::View;
use crate::consent::caller::Action;
use crate::search::page::{Cursor, Direction, query_string};
use crate::search::parse::Scope;
use crate::search::plan::{Include, Plan, Total};
use crate::search::{index, parse};
use crate::store::reader::{Position, Stored};

/// Rows a page if the query does not say.
const PAGE: u32 = 50;
/// Totals are exact up to here, and left out above, unless asked for.
const COUNTED: u64 = 10_000;
/// The most that `_include` and `_revinclude` add to a page.
const INCLUDED: u32 = 1000;

/// Searches one type.
pub async fn search(call: &Call<'_>, kind: &str, query: &[(String, String)]) -> Result<Reply, Error> {
    call.may(Action::Search, kind)?;
    if kind == "AuditEvent" {
        return super::audit::search(call, query).await;
    }
    let (plan, after) = match query.iter().find(|(name, _)| name == "_page") {
        Some((_, sealed)) => {
            // The link holds the whole query; a parameter beside it would be passed over.
            if query.iter().any(|(name, _)| !matches!(&**name, "_page" | "_format" | "_pretty")) {
                return Err(foreign_page());
            }
            resumed(call, kind, sealed)?
        }
        None => (call.plan(kind, query, call.lenient)?, None),
    };
    let limit = plan.count.unwrap_or(PAGE);
    let reader = call.reader();
    let page = reader.search(&plan, after.as_ref(), limit).await?;
    let whole = after.is_none() && page.next.is_none() && limit > 0;
    let total = match plan.total {
        Total::None => None,
        _ if whole => Some(page.rows.len() as u64),
        Total::Accurate => reader.count(&plan, None).await?,
        Total::Estimate | Total::Unsaid => reader.count(&plan, Some(COUNTED)).await?,
    };
    let mut bundle = Bundle::new("searchset");
    let used = query_string(&plan.used);
    let own = format!("{}/{kind}", call.base);
    bundle.link("self", &if used.is_empty() { own.clone() } else { format!("{own}?{used}") });
    if let (Some(next), true) = (&page.next, limit > 0) {
        let cursor = Cursor {
            query: format!("{kind}?{used}"),
            values: next.keys.clone(),
            rid: next.rid,
            direction: Direction::Onward,
        };
        let bytes = cursor.encode().ok_or_else(|| Error::Internal("page link too long".into()))?;
        bundle.link("next", &page_link(&own, &call.seal_page(&bytes)));
    }
    let mut reply = Reply { count: page.rows.len(), ..Reply::default() };
    let mut seen = Seen::new();
    for row in &page.rows {
        call.push((&mut bundle, &mut reply, &mut seen), kind, row, "match").await?;
    }
    for (kind, row) in included(call, &plan, &page.rows).await? {
        call.push((&mut bundle, &mut reply, &mut seen), &kind, &row, "include").await?;
    }
    if !plan.ignored.is_empty() {
        let issues: Vec<Issue> = plan
            .ignored
            .iter()
            .map(|error| Issue { severity: "warning", ..super::error::search_issue(error) })
            .collect();
        bundle.push_outcome(&issues, call.japanese);
    }
    reply.body = Some(bundle.finish(total, &call.view));
    Ok(reply)
}

fn resumed(call: &Call<'_>, kind: &str, sealed: &str) -> Result<(Plan, Option<Position>), Error> {
    let bytes = call.open_page(sealed)?;
    let cursor = Cursor::decode(&bytes).ok_or_else(foreign_page)?;
    let (_, query) = cursor.query.split_once('?').filter(|(own, _)| *own == kind).ok_or_else(foreign_page)?;
    let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let plan = call.plan(kind, &query, call.lenient)?;
    if plan.sort.len() != cursor.values.len() {
        return Err(foreign_page());
    }
    Ok((plan, Some(Position { keys: cursor.values, rid: cursor.rid })))
}

/// A page link that was not made here, for this caller.
pub(crate) fn foreign_page() -> Error {
    Error::Invalid(vec![
        Issue::error(
            "value",
            "This page link is not valid for you. Begin the search again.",
            "このページリンクは使えません。検索を最初からやり直してください。",
        )
        .at("_page"),
    ])
}

/// `[url]?_page=[sealed]`
pub(crate) fn page_link(url: &str, sealed: &str) -> String {
    format!("{url}?_page={sealed}")
}

/// What `_include` and `_revinclude` add: through the same view, each once.
async fn included(call: &Call<'_>, plan: &Plan, rows: &[Stored]) -> Result<Vec<(String, Stored)>, Error> {
    let mut seen: BTreeSet<i64> = rows.iter().map(|row| row.rid).collect();
    let mut found = Vec::new();
    for include in &plan.includes {
        let more = if include.reverse {
            revinclude(call, plan, include, rows).await?
        } else {
            forward(call, include, rows).await?
        };
        for (kind, row) in more {
            if row.deleted == 0 && found.len() < INCLUDED as usize && seen.insert(row.rid) {
                found.push((kind, row));
            }
        }
    }
    Ok(found)
}

async fn forward(call: &Call<'_>, include: &Include, rows: &[Stored]) -> Result<Vec<(String, Stored)>, Error> {
    let mut targets = BTreeSet::new();
    for row in rows {
        let Some(body) = &row.body else { continue };
        let resource = Json::parse(body).map_err(|_| Error::Internal("stored body is no JSON".into()))?;
        let found = index::references(call.definitions, &include.source, &resource, &include.param, &call.local())
            .map_err(|error| Error::Internal(error.to_string()))?;
        for (kind, id) in found {
            if include.target.is_none_or(|wanted| wanted == kind) {
                targets.insert((kind, id));
            }
        }
    }
    let mut found = Vec::new();
    for kind in targets.iter().map(|(kind, _)| *kind).collect::<BTreeSet<_>>() {
        let name = call.type_name(kind);
        if call.may(Action::Search, &name).is_err() && call.may(Action::Read, &name).is_err() {
            continue;
        }
        let ids: Vec<&str> =
            targets.iter().filter(|(of, _)| *of == kind).map(|(_, id)| &**id).take(INCLUDED as usize).collect();
        for chunk in ids.chunks(100) {
            let rows = call.reader().many(&name, chunk).await?;
            found.extend(rows.into_iter().map(|row| (name.clone(), row)));
        }
    }
    Ok(found)
}

async fn revinclude(
    call: &Call<'_>,
    plan: &Plan,
    include: &Include,
    rows: &[Stored],
) -> Result<Vec<(String, Stored)>, Error> {
    if call.may(Action::Search, &include.source).is_err() {
        return Ok(Vec::new());
    }
    let target = call.definitions.type_number(&plan.resource_type).unwrap_or(0);
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let mut found = Vec::new();
    for chunk in ids.chunks(100) {
        let reader = call.reader();
        let rows = reader.referring(&include.source, &include.param, target, chunk, INCLUDED).await?;
        found.extend(rows.into_iter().map(|row| (include.source.to_string(), row)));
    }
    Ok(found)
}

impl Call<'_> {
    /// The plan of a query.
    pub(crate) fn plan(&self, kind: &str, query: &[(String, String)], lenient: bool) -> Result<Plan, Error> {
        let local = self.local();
        let scope = Scope { local: &local, now: self.now, lenient, terms: &self.codes };
        Ok(parse::plan(self.definitions, kind, query, &scope)?)
    }

    async fn push(
        &self,
        (bundle, reply, seen): (&mut Bundle, &mut Reply, &mut Seen),
        kind: &str,
        row: &Stored,
        mode: &str,
    ) -> Result<(), Error> {
        let Some(body) = &row.body else { return Ok(()) };
        let body = self.redacted(row, body.clone(), seen).await?;
        bundle.push(&self.base, kind, &row.id, Some(&body), &format!("\"search\":{{\"mode\":\"{mode}\"}}"));
        for citizen in self.citizens_of(row).await? {
            reply.disclosed.push((citizen, kind.to_owned()));
        }
        Ok(())
    }
}

/// A Bundle that grows by the stored bytes of its entries.
#[derive(Debug)]
pub struct Bundle {
    kind: &'static str,
    links: Vec<Json>,
    entries: Vec<u8>,
}

impl Bundle {
    /// An empty Bundle of this type.
    pub fn new(kind: &'static str) -> Self {
        Self { kind, links: Vec::new(), entries: Vec::new() }
    }

    /// Adds a link.
    pub fn link(&mut self, relation: &str, url: &str) {
        self.links.push(Json::object([("relation", Json::from(relation)), ("url", Json::from(url))]));
    }

    /// Adds an entry.
    ///
    /// * `rest`: its other members, as JSON text without braces.
    pub fn push(&mut self, base: &str, kind: &str, id: &str, resource: Option<&[u8]>, rest: &str) {
        self.comma();
        self.entries.extend_from_slice(format!("{{\"fullUrl\":\"{base}/{kind}/{id}\",").as_bytes());
        if let Some(resource) = resource {
            self.entries.extend_from_slice(b"\"resource\":");
            self.entries.extend_from_slice(resource);
            self.entries.push(b',');
        }
        self.entries.extend_from_slice(rest.as_bytes());
        self.entries.push(b'}');
    }

    fn comma(&mut self) {
        if !self.entries.is_empty() {
            self.entries.push(b',');
        }
    }

    /// Adds what there is to say about the request itself.
    fn push_outcome(&mut self, issues: &[Issue], japanese: bool) {
        self.comma();
        let issues = issues.iter().map(|issue| issue.json(japanese));
        let outcome = Json::object([("resourceType", Json::from("OperationOutcome")), ("issue", Json::array(issues))]);
        let entry = format!("{{\"resource\":{outcome},\"search\":{{\"mode\":\"outcome\"}}}}");
        self.entries.extend_from_slice(entry.as_bytes());
    }

    /// The Bundle's text.
    ///
    /// Whoever is not on the citizen's own side gets one constant notice, the
    /// same whether or not anything is hidden.
    pub fn finish(self, total: Option<u64>, view: &View) -> Vec<u8> {
        let mut text = String::from("{\"resourceType\":\"Bundle\",");
        if !view.citizens_side() {
            text.push_str(&format!("\"meta\":{{\"tag\":[{}]}},", notice()));
        }
        text.push_str(&format!("\"type\":\"{}\"", self.kind));
        if let Some(total) = total {
            text.push_str(&format!(",\"total\":{total}"));
        }
        if !self.links.is_empty() {
            text.push_str(&format!(",\"link\":{}", Json::array(self.links)));
        }
        let mut bytes = text.into_bytes();
        if !self.entries.is_empty() {
            bytes.extend_from_slice(b",\"entry\":[");
            bytes.extend_from_slice(&self.entries);
            bytes.push(b']');
        }
        bytes.push(b'}');
        bytes
    }
}

fn notice() -> Json {
    Json::object([
        ("system", Json::from("https://techo.example/fhir/CodeSystem/notice")),
        ("code", Json::from("shared-only")),
        ("display", Json::from("Shows what the person chose to share; absence is not evidence.")),
    ])
}
