//! `Patient/[id]/$everything`: all that is known of one person; `Patient/$everything`: of
//! all whom the caller sees.
//!
//! First the Patient, then every record of her compartment that the caller's View
//! shows, then what those refer to and is not of her compartment: practitioners,
//! organizations, places, medicines. Each comes once, in an order that does not
//! change, and a page costs what it holds. Scopes to search decide about the
//! records, as they do for a search of each type.
//!
//! Of all, one person comes after the other, each like one by herself, and what several
//! have in common once a page. A page begins with no more people than [`PEOPLE`], so
//! that it is bounded too where most have nothing to tell.
//!
//! `start` and `end` mean the time of care; what has none is not left out. The
//! Patient is left out by `_type` alone.
//!
//! Source: FHIR R4 patient-operation-everything.html

mod cursor;
mod mentioned;

use std::collections::BTreeSet;

use super::{Body, Gate, Input, Level, Operation, Origin, Parameter};
use crate::consent::caller::Action;
use crate::interaction::audit::RENDERED;
use crate::interaction::redact::Seen;
use crate::interaction::search::{Bundle, damaged, foreign_page, page_link};
use crate::interaction::{Call, Error, Issue, Location, Reply, Target};
use crate::search::SearchError;
use crate::search::page::query_string;
use crate::search::time::span;
use crate::store::StoreError;
use crate::store::everything::Wanted;
use crate::store::reader::{Position, Stored};
use cursor::{Cursor, Place};
use mentioned::{Mentioned, mentioned};

/// The operation.
pub const OPERATION: Operation = Operation {
    name: "everything",
    summary: "All that is known of one person, or of all whom the caller sees.",
    origin: Origin::R4("http://hl7.org/fhir/OperationDefinition/Patient-everything"),
    levels: &[Level::Type("Patient"), Level::Instance("Patient")],
    gate: Gate::Reads,
    changes: false,
    body: Body::Parameters,
    parameters: &[
        Parameter::optional("start", "date"),
        Parameter::optional("end", "date"),
        Parameter::optional("_since", "instant"),
        Parameter::many("_type", "code"),
        Parameter::optional("_count", "integer"),
        Parameter::optional("_page", "string"),
    ],
    answers: &[],
    run: |call, input| Box::pin(everything(call, input)),
};

/// Records a page if the caller does not say, and the most that she may ask for.
const PAGE: usize = 200;
const MOST: usize = 1000;
/// Records looked through at a time for what they refer to.
const STEP: usize = 1000;

/// People that one page goes through at most.
const PEOPLE: u32 = 50;

async fn everything(call: &Call<'_>, input: &Input<'_>) -> Result<Reply, Error> {
    match input.on {
        Target::Instance(at) => of_one(call, at, input).await,
        Target::Type(_) => of_all(call, input).await,
        Target::System | Target::Version(..) => Err(Error::NotFound),
    }
}

async fn of_one(call: &Call<'_>, at: &Location, input: &Input<'_>) -> Result<Reply, Error> {
    let (asked, _, place) = asked(call, &at.reference(), input)?;
    // Whoever is hidden is answered like nobody.
    let row = call.reader().current(&at.kind, &at.id).await?.ok_or(Error::NotFound)?;
    // She is told of though nothing of hers may be on the page.
    call.looked_at(std::slice::from_ref(&row)).await?;
    let mut page = Page::new(call, at.reference(), asked);
    let person = page.person(call, row).await?.ok_or(Error::Gone)?;
    page.reply.about = Some(at.clone());
    page.fill(&person, place).await?;
    Ok(page.finish())
}

/// Goes on from one to the next, in the order of their rows.
async fn of_all(call: &Call<'_>, input: &Input<'_>) -> Result<Reply, Error> {
    let call = &call.doing(Action::Search);
    call.may(Action::Search, "Patient")?;
    let (asked, first, place) = asked(call, "Patient", input)?;
    let behind = Position { keys: Vec::new(), rid: first - 1 };
    let people = call.reader().search(&call.plan("Patient", &[], false).await?, Some(&behind), PEOPLE).await?;
    let mut page = Page { everybody: true, ..Page::new(call, "Patient".to_owned(), asked) };
    for row in people.rows {
        let rid = row.rid;
        if page.room == 0 {
            page.next = Some((rid, Place::Start));
            break;
        }
        let Some(person) = page.person(call, row).await? else { continue };
        // She with whom the page was to begin may have gone since.
        let place = if rid == first { place.clone() } else { Place::Start };
        page.fill(&person, place).await?;
        if page.next.is_some() {
            break;
        }
    }
    if let (None, Some(last)) = (&page.next, people.next) {
        page.next = Some((last.rid + 1, Place::Start));
    }
    Ok(page.finish())
}

/// What is asked for.
#[derive(Debug)]
struct Asked {
    /// As in the `self` link.
    query: Vec<(Box<str>, Box<str>)>,
    /// The Patient herself is wanted.
    herself: bool,
    /// Types were named: what the records refer to is of them too.
    named: bool,
    wanted: Wanted,
    count: usize,
}

/// The question, and where its page begins: with whom, and where with her.
///
/// * `of`: `Patient/1`, or `Patient` for all.
fn asked(call: &Call<'_>, of: &str, input: &Input<'_>) -> Result<(Asked, i64, Place), Error> {
    let own: Vec<&Parameter> = OPERATION.parameters.iter().filter(|one| one.name != "_page").collect();
    let mut query: Vec<(Box<str>, Box<str>)> = Vec::new();
    for one in &own {
        query.extend(input.texts(one.name).map(|value| (one.name.into(), value.into())));
    }
    let (mut person, mut place) = (0, Place::Start);
    if let Some(sealed) = input.text("_page") {
        // The link holds the whole question; a parameter beside it would be passed over.
        let cursor = Cursor::decode(&call.open_page(sealed)?, of).filter(|_| query.is_empty());
        let cursor = cursor.ok_or_else(foreign_page)?;
        (query, person, place) = (cursor.query, cursor.person, cursor.place);
    }
    Ok((understood(call, query)?, person, place))
}

fn understood(call: &Call<'_>, query: Vec<(Box<str>, Box<str>)>) -> Result<Asked, Error> {
    let mut asked = Asked { query: Vec::new(), herself: true, named: false, wanted: Wanted::default(), count: PAGE };
    let mut kinds = BTreeSet::new();
    for (name, value) in &query {
        match &**name {
            "start" => asked.wanted.from = Some(instant(call, name, value)?.0),
            "end" => asked.wanted.until = Some(instant(call, name, value)?.1),
            "_since" => asked.wanted.since = Some(instant(call, name, value)?.0),
            "_count" => asked.count = count(value)?,
            "_type" => {
                asked.named = true;
                for kind in value.split(',').map(str::trim) {
                    let known = call.definitions.type_number(kind).is_some() && !RENDERED.contains(&kind);
                    known.then_some(()).ok_or_else(|| no_type(kind))?;
                    call.may(Action::Search, kind)
                        .or_else(|error| if kind == "Patient" { call.may(Action::Read, kind) } else { Err(error) })?;
                    kinds.insert(kind);
                }
            }
            _ => return Err(foreign_page()),
        }
    }
    if asked.named {
        asked.herself = kinds.contains("Patient");
        asked.wanted.kinds = kinds.into_iter().map(Into::into).collect();
    } else if let Some(compartment) = call.definitions.compartment("Patient") {
        let stored = compartment.members.keys().filter(|kind| !RENDERED.contains(&kind.as_str()));
        asked.wanted.kinds = stored.map(|kind| kind.as_str().into()).collect();
    }
    asked.query = query;
    Ok(asked)
}

/// The first instant of a date, and the instant after its last.
fn instant(call: &Call<'_>, name: &str, text: &str) -> Result<(i64, i64), Error> {
    let span = span(text, &call.config.zone).map_err(|error| SearchError::new(name, error.into()))?;
    Ok((span.low, span.high))
}

fn count(text: &str) -> Result<usize, Error> {
    text.parse().ok().filter(|count| *count > 0).map(|count: usize| count.min(MOST)).ok_or_else(|| {
        let issue =
            Issue::error("value", "_count is a whole number from 1.", "_count は 1 以上の整数で指定してください。");
        Error::Invalid(vec![issue.at("_count")])
    })
}

fn no_type(kind: &str) -> Error {
    let kind: String = kind.chars().filter(char::is_ascii_graphic).take(64).collect();
    Error::Invalid(vec![
        Issue::error(
            "value",
            format!("_type: {kind} is no type that is stored here."),
            format!("_type の {kind} は、ここに保存される種別ではありません。"),
        )
        .at("_type"),
    ])
}

/// A Patient, and her body as it is shown; none that makes no sense.
struct Person {
    row: Stored,
    body: Option<Vec<u8>>,
}

/// A page on its way.
struct Page<'a> {
    /// About to search.
    call: Call<'a>,
    /// `Patient/1`, or `Patient`.
    of: String,
    /// It is about all, one after the other.
    everybody: bool,
    bundle: Bundle,
    reply: Reply,
    seen: Seen,
    asked: Asked,
    /// Records that still fit.
    room: usize,
    /// The rows that are on it.
    there: BTreeSet<i64>,
    /// With whom, and where with her, the next page begins.
    next: Option<(i64, Place)>,
    /// What there is to say of rows that make no sense.
    issues: Vec<Issue>,
}

impl<'a> Page<'a> {
    fn new(call: &Call<'a>, of: String, asked: Asked) -> Self {
        Self {
            call: call.doing(Action::Search),
            of,
            everybody: false,
            bundle: Bundle::new("searchset"),
            reply: Reply::default(),
            seen: Seen::new(),
            room: asked.count,
            asked,
            there: BTreeSet::new(),
            next: None,
            issues: Vec::new(),
        }
    }

    /// Her with whom the page goes on; `None` if she is gone. Her records are not lost for a
    /// body that makes no sense.
    async fn person(&mut self, call: &Call<'_>, row: Stored) -> Result<Option<Person>, Error> {
        match call.shown(&row, &mut self.seen).await {
            Ok(body) => Ok(body.map(|body| Person { row, body: Some(body) })),
            Err(Error::Store(StoreError::Corrupt { row: rid, .. })) if rid == row.rid => {
                Ok(Some(Person { row, body: None }))
            }
            Err(error) => Err(error),
        }
    }

    /// Puts in what comes at `place` and behind it, until the page is full.
    async fn fill(&mut self, person: &Person, place: Place) -> Result<(), Error> {
        let citizen = person.row.rid;
        let mut places = BTreeSet::new();
        if place == Place::Start && self.asked.herself && self.there.insert(citizen) {
            let pushed = match &person.body {
                Some(body) => {
                    self.bundle.push(&self.call.base, "Patient", &person.row.id, Some(body), MATCH);
                    Ok(())
                }
                None => Err(person.row.unreadable().into()),
            };
            self.lacks("Patient", &person.row, pushed).await?;
            self.room -= 1;
        }
        let after = match place {
            Place::Start => Some((0, 0)),
            Place::Member(after) => Some(after),
            Place::Beyond(_) => None,
        };
        if let Some(after) = after {
            let (room, wanted) = (self.room, self.asked.wanted.clone());
            let rows = self.call.reader().members((citizen, &person.row.id), &wanted, after, room + 1).await?;
            let last = rows.iter().take(room).next_back().map_or(after, |row| (row.kind, row.rid));
            for row in rows.iter().take(room) {
                self.push(row, MATCH).await?;
                mentioned(text(row), &self.call.base, &mut places);
            }
            if rows.len() > room {
                self.next = Some((citizen, Place::Member(last)));
                return Ok(());
            }
            self.room -= rows.len();
        }
        if place != Place::Start {
            places = self.all_mentioned(&person.row).await?;
        }
        if self.asked.herself {
            mentioned(person.body.as_deref().unwrap_or_default(), &self.call.base, &mut places);
        }
        let behind = if let Place::Beyond(behind) = place { Some(behind) } else { None };
        self.beyond(&person.row, &places, behind).await
    }

    /// What her records refer to: all of them are looked through, whichever page they are on.
    async fn all_mentioned(&self, person: &Stored) -> Result<Mentioned, Error> {
        let mut places = BTreeSet::new();
        let mut after = (0, 0);
        loop {
            let rows = self.call.reader().members((person.rid, &person.id), &self.asked.wanted, after, STEP).await?;
            for row in &rows {
                mentioned(text(row), &self.call.base, &mut places);
            }
            match rows.last() {
                Some(last) if rows.len() == STEP => after = (last.kind, last.rid),
                _ => return Ok(places),
            }
        }
    }

    /// Puts in those of `places` that are not of her compartment, behind `behind`.
    async fn beyond(
        &mut self,
        person: &Stored,
        places: &Mentioned,
        behind: Option<(u16, String)>,
    ) -> Result<(), Error> {
        let mut last = behind.clone();
        let mut left: Vec<&(u16, String)> =
            places.iter().filter(|one| behind.as_ref().is_none_or(|at| *one > at)).collect();
        left.retain(|(kind, _)| self.refers_to(*kind));
        for of_kind in left.chunk_by(|one, other| one.0 == other.0).flat_map(|same| same.chunks(100)) {
            let kind = self.call.type_name(of_kind[0].0);
            let ids: Vec<&str> = of_kind.iter().map(|(_, id)| id.as_str()).collect();
            for row in self.call.reader().beyond(&person.id, (&kind, &ids), self.asked.wanted.since).await? {
                if self.room == 0 {
                    self.next = Some((person.rid, last.map_or(Place::Beyond((0, String::new())), Place::Beyond)));
                    return Ok(());
                }
                self.push(&row, INCLUDE).await?;
                last = Some((row.kind, row.id.clone()));
                self.room -= 1;
            }
        }
        Ok(())
    }

    /// Whether a type is wanted where records refer to it, and in the caller's scopes. Of
    /// all people each comes by herself.
    fn refers_to(&self, kind: u16) -> bool {
        let name = self.call.type_name(kind);
        if self.everybody && name == "Patient" {
            return false;
        }
        let wanted = !self.asked.named || self.asked.wanted.kinds.iter().any(|one| **one == name);
        wanted && self.call.may(Action::Search, &name).is_ok()
    }

    async fn push(&mut self, row: &Stored, mode: &str) -> Result<(), Error> {
        if row.is_bodiless() || !self.there.insert(row.rid) {
            return Ok(());
        }
        let kind = self.call.type_name(row.kind);
        let pushed = self.put_in(row, &kind, mode).await;
        self.lacks(&kind, row, pushed).await
    }

    async fn put_in(&mut self, row: &Stored, kind: &str, mode: &str) -> Result<(), Error> {
        let Some(body) = row.body()? else { return Ok(()) };
        let body = self.call.redacted(row, body.to_vec(), &mut self.seen).await?;
        self.bundle.push(&self.call.base, kind, &row.id, Some(&body), mode);
        Ok(())
    }

    /// Counts a record, whether or not it could be put in.
    async fn lacks(&mut self, kind: &str, row: &Stored, pushed: Result<(), Error>) -> Result<(), Error> {
        self.issues.extend(damaged(kind, row, pushed)?);
        self.reply.count += 1;
        let citizens = self.call.citizens_of(row).await?;
        self.reply.disclosed.extend(citizens.into_iter().map(|citizen| (citizen, kind.to_owned())));
        Ok(())
    }

    fn finish(mut self) -> Reply {
        self.bundle.push_outcome(&self.issues, self.call.japanese);
        let path = format!("{}/{}/$everything", self.call.base, self.of);
        let query = query_string(&self.asked.query);
        self.bundle.link("self", &if query.is_empty() { path.clone() } else { format!("{path}?{query}") });
        if let Some((person, place)) = self.next {
            let person = if self.everybody { person } else { 0 };
            let cursor = Cursor { query: self.asked.query, person, place };
            self.bundle.link("next", &page_link(&path, &self.call.seal_page(&cursor.encode(&self.of))));
        }
        self.reply.body = Some(self.bundle.finish(None, &self.call.view));
        self.reply
    }
}

/// What is looked through for references; none of what makes no sense, of which the page
/// tells.
fn text(row: &Stored) -> &[u8] {
    row.body().ok().flatten().unwrap_or_default()
}

const MATCH: &str = "\"search\":{\"mode\":\"match\"}";
const INCLUDE: &str = "\"search\":{\"mode\":\"include\"}";
