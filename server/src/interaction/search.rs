//! `GET [type]?…`, `GET [base]?_type=…`, `GET [base]?…`, `GET [type]/[id]/[type]?…`, and
//! the same by `POST …/_search`.
//!
//! A search has a [`Ground`]: one type, several, or a compartment. From there on
//! there are only plans, one a type, in one statement.
//!
//! Source: FHIR R4 http.html#search, search.html

use techo_profiles::json::Json;

use super::ground::Ground;
use super::include::included;
use super::redact::{self, Seen};
use super::vocabulary::Vocabulary;
use super::{Call, Error, Issue, Reply, subset};
use crate::consent::View;
use crate::consent::caller::Action;
use crate::search::SearchError;
use crate::search::contained::{self, Which};
use crate::search::names::Answer;
use crate::search::page::{Cursor, Direction, query_string};
use crate::search::parse;
use crate::search::parse::Scope;
use crate::search::plan::{Plan, Total};
use crate::search::shape::Shape;
use crate::store::StoreError;
use crate::store::reader::{Page, Position, Stored};

/// Rows a page if the query does not say.
const PAGE: u32 = 50;
/// Totals are exact up to here, and left out above, unless asked for.
const COUNTED: u64 = 10_000;
/// The same where an estimate is asked for: an exact number is a good one.
const ESTIMATED: u64 = 100_000;

/// Up to so many types are all asked.
const FEW: usize = 8;

/// Why an entry is there.
const MATCH: &str = "\"search\":{\"mode\":\"match\"}";
const INCLUDE: &str = "\"search\":{\"mode\":\"include\"}";
/// Bytes of an entry beside its resource, roughly.
const BESIDE: usize = 192;

/// Where a page begins, and which way it goes.
type Place = (Position, Direction);

/// Searches.
pub async fn search(call: &Call<'_>, ground: &Ground, query: &[(String, String)]) -> Result<Reply, Error> {
    if ground.is_audit() {
        call.may(Action::Search, "AuditEvent")?;
        return super::audit::search(call, ground, query).await;
    }
    let (plans, place) = planned(call, ground, query).await?;
    let plans = in_use(call, plans).await?;
    let first = plans.first().ok_or_else(|| Error::Internal("a search of no type".into()))?;
    let limit = first.count.unwrap_or(PAGE);
    let from = place.as_ref().map(|(position, direction)| (position, *direction));
    let page = call.reader().page(&plans, from, limit).await?;
    let total = total(call, &plans, &page, place.is_none() && limit > 0).await?;
    told(call, &plans, &page, (limit, total)).await?;
    let mut bundle = Bundle::new("searchset");
    bundle.entries.reserve(page.rows.iter().map(|row| row.size() + BESIDE).sum());
    link(call, (ground, query), first, &page, &mut bundle)?;
    let mut reply = Reply { count: page.rows.len(), ..Reply::default() };
    let warning = |error| Issue { severity: "warning", ..super::error::search_issue(error) };
    let mut issues: Vec<Issue> = first.ignored.iter().map(warning).collect();
    let mut seen = Seen::new();
    for (row, place) in page.rows.iter().zip(&page.places) {
        let kind = call.definitions.type_name(row.kind).unwrap_or_default();
        let into = (&mut bundle, &mut reply, &mut seen);
        let pushed = match place {
            0 => call.push(into, &first.shape, (kind, row, true)).await,
            place => call.push_held(into, &first.shape, (kind, row, *place)).await,
        };
        issues.extend(damaged(kind, row, pushed)?);
    }
    let more = included(call, first, &page).await?;
    for (kind, row) in &more.found {
        let pushed = call.push((&mut bundle, &mut reply, &mut seen), &first.shape, (kind, row, false)).await;
        issues.extend(damaged(kind, row, pushed)?);
    }
    issues.extend(more.left_out);
    bundle.push_outcome(&issues, call.japanese);
    reply.body = Some(bundle.finish(total, &call.view));
    Ok(reply)
}

/// Of whom the answer tells beside those whose records are on the page: whom the search
/// names, and of a count alone those whom it counts.
async fn told(call: &Call<'_>, plans: &[Plan], page: &Page, (limit, total): (u32, Option<u64>)) -> Result<(), Error> {
    let ends = page.next.is_none() && page.previous.is_none();
    for plan in plans {
        let kind = call.definitions.type_number(&plan.resource_type);
        let found = page.rows.iter().filter(|row| Some(row.kind) == kind).count();
        call.asked(std::slice::from_ref(plan), Answer { found, whole: ends || limit == 0 });
    }
    if limit == 0 && total != Some(0) { call.counted(plans, total).await } else { Ok(()) }
}

/// The plans of a query, and the place where a page link leads to.
async fn planned(
    call: &Call<'_>,
    ground: &Ground,
    query: &[(String, String)],
) -> Result<(Vec<Plan>, Option<Place>), Error> {
    let Some((_, sealed)) = query.iter().find(|(name, _)| name == "_page") else {
        let kinds = ground.kinds(call, query)?;
        return Ok((ground.plans(call, &kinds, query).await?, None));
    };
    // The link holds the whole query; a parameter beside it would be passed over.
    if query.iter().any(|(name, _)| !matches!(&**name, "_page" | "_format" | "_pretty")) {
        return Err(foreign_page());
    }
    let cursor = Cursor::decode(&call.open_page(sealed)?).ok_or_else(foreign_page)?;
    let (_, query) = cursor.query.split_once('?').filter(|(own, _)| *own == ground.path()).ok_or_else(foreign_page)?;
    let query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let kinds = ground.kinds(call, &query)?;
    let plans = ground.plans(call, &kinds, &query).await?;
    if plans.first().is_none_or(|plan| plan.sort.len() != cursor.values.len()) {
        return Err(foreign_page());
    }
    let position = Position { keys: cursor.values, rid: cursor.rid };
    Ok((plans, Some((position, cursor.direction))))
}

/// The plans of those types of which there is any record: the others would find nothing,
/// and of all types most have none. The first stays, for what it says of the answer.
async fn in_use(call: &Call<'_>, mut plans: Vec<Plan>) -> Result<Vec<Plan>, Error> {
    if plans.len() <= FEW {
        return Ok(plans);
    }
    let number = |plan: &Plan| call.definitions.type_number(&plan.resource_type).unwrap_or(0);
    let types: Vec<u16> = plans.iter().map(number).collect();
    let known = call.reader().types_in_use(&types).await?;
    let mut first = true;
    // What is contained may be of a type of which there is no record.
    let held = |plan: &Plan| plan.contained.which != Which::Records;
    plans.retain(|plan| std::mem::take(&mut first) || held(plan) || known.contains(&number(plan)));
    Ok(plans)
}

/// `Bundle.total`, if there is to be one.
///
/// * `from_start`: nothing comes before the page.
async fn total(call: &Call<'_>, plans: &[Plan], page: &Page, from_start: bool) -> Result<Option<u64>, Error> {
    let wanted = plans.first().map(|plan| plan.total).unwrap_or_default();
    let at_most = match wanted {
        Total::None => return Ok(None),
        _ if from_start && page.next.is_none() => return Ok(Some(page.rows.len() as u64)),
        Total::Accurate => None,
        Total::Estimate => Some(ESTIMATED),
        Total::Unsaid => Some(COUNTED),
    };
    match page.whole {
        Some(whole) => Ok(at_most.is_none_or(|most| whole <= most).then_some(whole)),
        None => Ok(call.reader().total(plans, at_most).await?),
    }
}

/// `self`, and where there are other pages the ways to them.
fn link(
    call: &Call<'_>,
    (ground, query): (&Ground, &[(String, String)]),
    plan: &Plan,
    page: &Page,
    bundle: &mut Bundle,
) -> Result<(), Error> {
    let used = query_string(&plan.used);
    let own = ground.url(&call.base);
    let first = if used.is_empty() { own.clone() } else { format!("{own}?{used}") };
    match query.iter().find(|(name, _)| name == "_page") {
        Some((_, sealed)) => bundle.link("self", &page_link_as(&own, sealed, query, &[])),
        None => bundle.link("self", &first),
    }
    if page.next.is_none() && page.previous.is_none() || plan.count == Some(0) {
        return Ok(());
    }
    bundle.link("first", &first);
    let ways = [("next", &page.next, Direction::Onward), ("previous", &page.previous, Direction::Back)];
    for (relation, place, direction) in ways {
        let Some(place) = place else { continue };
        let cursor = Cursor {
            query: format!("{}?{used}", ground.path()),
            values: place.keys.clone(),
            rid: place.rid,
            direction,
        };
        let bytes = cursor.encode().ok_or_else(|| Error::Internal("page link too long".into()))?;
        bundle.link(relation, &page_link_as(&own, &call.seal_page(&bytes), query, &[]));
    }
    Ok(())
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

/// The same, and what of the query goes on beside the seal: the form of the answer,
/// and `more`.
pub(super) fn page_link_as(url: &str, sealed: &str, query: &[(String, String)], more: &[&str]) -> String {
    let goes_on = |name: &str| matches!(name, "_format" | "_pretty") || more.contains(&name);
    let beside = query.iter().filter(|(name, _)| goes_on(name));
    let beside: Vec<_> = beside.map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect();
    let and = if beside.is_empty() { "" } else { "&" };
    format!("{}{and}{}", page_link(url, sealed), query_string(&beside))
}

impl Call<'_> {
    /// The plan of a query.
    pub(crate) async fn plan(&self, kind: &str, query: &[(String, String)], lenient: bool) -> Result<Plan, Error> {
        self.read(lenient, &|scope| parse::plan(self.definitions, kind, query, scope)).await
    }

    /// The plans of a query on several types.
    pub(super) async fn plans(&self, kinds: &[&str], query: &[(String, String)]) -> Result<Vec<Plan>, Error> {
        self.read(self.lenient, &|scope| parse::plans(self.definitions, kinds, query, scope)).await
    }

    /// Reads a query, fetching what value sets and code systems it turns out to need.
    async fn read<P>(
        &self,
        lenient: bool,
        read: &(dyn Fn(&Scope<'_>) -> Result<P, SearchError> + Sync),
    ) -> Result<P, Error> {
        let local = self.local();
        let mut words = Vocabulary::new(&self.codes);
        loop {
            let found = read(&Scope { local: &local, now: self.now, lenient, terms: &words });
            match words.lacking() {
                Some(wanted) => words.fetch(self, wanted).await?,
                None => return Ok(found?),
            }
        }
    }

    pub(crate) async fn push(
        &self,
        (bundle, reply, seen): (&mut Bundle, &mut Reply, &mut Seen),
        shape: &Shape,
        (kind, row, matches): (&str, &Stored, bool),
    ) -> Result<(), Error> {
        let Some(body) = row.body().transpose() else { return Ok(()) };
        self.tells(reply, kind, row).await?;
        let body = body?;
        let body = self.redacted(row, body.to_vec(), seen).await?;
        let body = subset::cut(self.definitions, kind, body, (shape, matches)).map_err(|_| row.unreadable())?;
        bundle.push(&self.base, kind, &row.id, Some(&body), if matches { MATCH } else { INCLUDE });
        Ok(())
    }

    /// That a record is there is told, whatever its body is.
    async fn tells(&self, reply: &mut Reply, kind: &str, row: &Stored) -> Result<(), Error> {
        let citizens = self.citizens_of(row).await?;
        reply.disclosed.extend(citizens.into_iter().map(|citizen| (citizen, kind.to_owned())));
        Ok(())
    }

    /// A match that is contained in a record: it goes out as it would in its holder.
    async fn push_held(
        &self,
        (bundle, reply, seen): (&mut Bundle, &mut Reply, &mut Seen),
        shape: &Shape,
        (kind, row, place): (&str, &Stored, u32),
    ) -> Result<(), Error> {
        let Some(body) = row.body().transpose() else { return Ok(()) };
        self.tells(reply, kind, row).await?;
        let body = self.redacted(row, body?.to_vec(), seen).await?;
        let holder = Json::parse(&body).map_err(|_| row.unreadable())?;
        let inner =
            contained::at(&holder, place).and_then(|inner| Some((inner, inner.str("resourceType")?, inner.str("id")?)));
        let (inner, own, id) = inner.ok_or_else(|| Error::Internal("nothing is contained there".into()))?;
        let text = redact::part(&holder, &body, inner);
        let text = subset::cut(self.definitions, own, text, (shape, true)).map_err(|_| row.unreadable())?;
        bundle.push(&self.base, kind, &format!("{}#{id}", row.id), Some(&text), MATCH);
        Ok(())
    }
}

/// A page is not lost for one row that cannot be put into it: what is said of that in its
/// place. Nothing of its content is; its row is in the operator's log.
///
/// # Errors
/// Whatever else there was.
pub(crate) fn damaged(kind: &str, row: &Stored, pushed: Result<(), Error>) -> Result<Option<Issue>, Error> {
    let Err(Error::Store(StoreError::Corrupt { row: rid, .. })) = pushed else { return pushed.map(|()| None) };
    if rid != row.rid {
        return pushed.map(|()| None);
    }
    tracing::error!(row = rid, "a stored body makes no sense");
    let at = format!("{kind}/{}", row.id);
    let issue = Issue::error(
        "incomplete",
        format!("{at} is stored damaged and cannot be shown. Whoever keeps it may replace or delete it."),
        format!("{at} は保存されている内容が壊れているため表示できません。登録元は置き換えまたは削除ができます。"),
    );
    Ok(Some(Issue { severity: "warning", ..issue }))
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
        for part in ["{\"fullUrl\":\"", base, "/", kind, "/", id, "\","] {
            self.entries.extend_from_slice(part.as_bytes());
        }
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

    /// Adds what there is to say about the request itself, if anything.
    pub(crate) fn push_outcome(&mut self, issues: &[Issue], japanese: bool) {
        if issues.is_empty() {
            return;
        }
        self.comma();
        let outcome = super::error::outcome(issues, japanese);
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
        bytes.reserve(self.entries.len() + 16);
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
