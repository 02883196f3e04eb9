//! What codes mean to one caller: what came with the program, and beside it the
//! value sets and code systems that are stored here, as far as she may search them.
//!
//! Planning a search and evaluating an expression are pure, and read no database. They
//! say which definition they lack; that is fetched, with all that it draws on, and they
//! are begun anew. What is hidden from the caller is like what does not exist, at every
//! step: the fetching is a search of hers.
//!
//! Definitions that are read one after the other might never have stood beside each
//! other. So it is asked once, of all of them, whether they are current at one instant;
//! if not, they are read anew.
//!
//! Source: FHIR R4 search.html#token (`:in`), references.html#canonical

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use techo_profiles::codes::{Codes, Membership};
use techo_profiles::json::Json;
use techo_terminology::expand::{MOST_CODES, expand};
use techo_terminology::{
    CodeSystem, Definition, ExpandError, Fault, Shelf, Shelves, Terminology, code_system, newest, value_set,
};

use super::plan::parse;
use super::{Call, Error};
use crate::consent::caller::Action;
use crate::consent::subject::local;
use crate::search::Reason;
use crate::search::parse::{Scope, plan};
use crate::search::reason::Class;
use crate::search::terms::{Members, Terms, related};
use crate::store::StoreError;
use crate::store::reader::Stored;

/// Definitions, and the versions of each, that one question may draw on.
const MOST_DEFINITIONS: usize = 64;
/// Sets and systems that one question may name.
const MOST_NAMED: usize = 16;
/// Versions of one definition among which the newest is looked for.
const MOST_VERSIONS: u32 = 20;
/// Bytes of definitions that one question may have read.
const MOST_BYTES: usize = 32 << 20;
/// Codes that all conditions of one question may come to together.
const MOST_GIVEN: usize = 10 * MOST_CODES;
/// Times that definitions which change meanwhile are read anew.
const TRIES: usize = 8;

/// The members of a set, or why they cannot be told.
type Listed = Result<Arc<Members>, Reason>;

/// What codes mean, for one question.
pub(crate) struct Vocabulary<'c> {
    base: &'c Terminology,
    shelves: Shelves<'c>,
    /// Row and version of all that was fetched.
    read: Vec<(i64, i32)>,
    named: usize,
    bytes: usize,
    tries: usize,
    lacking: Mutex<Option<Definition>>,
    listed: Mutex<HashMap<Box<str>, Listed>>,
    given: AtomicUsize,
}

impl<'c> Vocabulary<'c> {
    /// What came with the program.
    pub(crate) fn new(base: &'c Terminology) -> Self {
        Self {
            base,
            shelves: Shelves::new(base),
            read: Vec::new(),
            named: 0,
            bytes: 0,
            tries: 0,
            lacking: Mutex::default(),
            listed: Mutex::default(),
            given: AtomicUsize::default(),
        }
    }

    /// What was asked for and is not fetched yet. Whatever was answered meanwhile may
    /// be answered otherwise with it.
    pub(crate) fn lacking(&self) -> Option<Definition> {
        self.given.store(0, Ordering::Relaxed);
        locked(&self.lacking).take()
    }

    /// Whether more was asked for than one question may.
    pub(crate) fn is_over(&self) -> bool {
        self.named > MOST_NAMED || self.shelves.len() > MOST_DEFINITIONS || self.bytes > MOST_BYTES
    }

    /// Fetches a definition and all that it draws on, through the caller's eyes.
    pub(crate) async fn fetch(&mut self, call: &Call<'_>, wanted: Definition) -> Result<(), Error> {
        self.named += 1;
        loop {
            let lacking = self.shelves.lacking(&wanted);
            if lacking.is_empty() {
                break;
            }
            for one in lacking {
                if self.is_over() {
                    self.give_up(&wanted, Reason::ManyDefinitions { most: MOST_DEFINITIONS });
                    return Ok(());
                }
                if !self.fetch_one(call, &one).await? {
                    self.give_up(&wanted, Reason::ManyVersions { most: MOST_VERSIONS as usize });
                }
            }
        }
        if self.read.len() < 2 || call.store.reader(&call.world()).all_current(&self.read).await? {
            return Ok(());
        }
        self.tries += 1;
        if self.tries == TRIES {
            return Err(Error::Store(StoreError::Busy));
        }
        let tries = self.tries;
        *self = Self { tries, ..Self::new(self.base) };
        Ok(())
    }

    /// Says of a set why it cannot be answered about, and fetches no more of it.
    fn give_up(&mut self, wanted: &Definition, reason: Reason) {
        match wanted {
            Definition::Set(set) => {
                locked(&self.listed).insert(set.clone(), Err(reason));
            }
            Definition::System(system) => self.shelves.put_system(system, None),
        }
    }

    /// `false` if there are too many of that name to choose from.
    async fn fetch_one(&mut self, call: &Call<'_>, wanted: &Definition) -> Result<bool, Error> {
        let (kind, name) = match wanted {
            Definition::Set(name) => ("ValueSet", name),
            Definition::System(name) => ("CodeSystem", name),
        };
        let Some(found) = found(call, kind, name).await? else {
            self.put(wanted, None);
            return Ok(false);
        };
        for row in &found {
            self.bytes += row.body()?.map_or(0, <[u8]>::len);
        }
        if self.is_over() {
            return Ok(true);
        }
        let mut bodies = Vec::with_capacity(found.len());
        for row in &found {
            bodies.push(row.body()?.map(parse).transpose()?.unwrap_or_else(Json::null));
        }
        let all: Vec<(&Json, i64)> = bodies.iter().zip(found.iter().map(|row| row.updated)).collect();
        let Some(place) = newest(&all) else {
            self.put(wanted, None);
            return Ok(true);
        };
        self.read.push((found[place].rid, found[place].version));
        self.put(wanted, Some(bodies.swap_remove(place)));
        Ok(true)
    }

    fn put(&mut self, wanted: &Definition, resource: Option<Json>) {
        match wanted {
            Definition::Set(name) => self.shelves.put_set(name, resource.map(|one| value_set(one, name))),
            Definition::System(name) => self.shelves.put_system(name, resource.and_then(code_system)),
        }
    }

    /// The codes of a set, listed once.
    fn listed(&self, set: &str) -> Listed {
        if let Some(known) = locked(&self.listed).get(set) {
            return known.clone();
        }
        if self.lacks(Definition::Set(set.into())) {
            return Err(Reason::NoValueSet);
        }
        let listed = expand(&self.shelves, set).map(|all| Arc::new(Members::of(all.codes))).map_err(refused);
        locked(&self.listed).insert(set.into(), listed.clone());
        listed
    }

    fn system(&self, system: &str) -> Option<&CodeSystem> {
        if self.lacks(Definition::System(system.into())) {
            return None;
        }
        self.shelves.code_system(system)
    }

    fn lacks(&self, wanted: Definition) -> bool {
        let lacks = !self.shelves.lacking(&wanted).is_empty();
        if lacks {
            *locked(&self.lacking) = Some(wanted);
        }
        lacks
    }
}

/// The rows of that name among which the newest is meant; `None` if they are too many.
///
/// * `name`: a canonical URL, `URL|version`, or a reference to a record here.
async fn found(call: &Call<'_>, kind: &str, name: &str) -> Result<Option<Vec<Stored>>, Error> {
    let view = call.view_for(Action::Search);
    let reader = call.store.reader(&view).under(call.warrant.as_deref());
    let base = call.config.fhir_base();
    if let Some((_, id)) = local(name, &base).filter(|(own, _)| *own == kind && !name.contains("/_history/")) {
        let live = reader.current(kind, id).await?.filter(|row| !row.is_deleted());
        return Ok(Some(live.into_iter().collect()));
    }
    let (url, version) = name.split_once('|').map_or((name, None), |(url, version)| (url, Some(version)));
    // Those in force come before all others: the others are looked at where there are none.
    for in_force in [true, false] {
        let mut query = vec![("url".to_owned(), escaped(url))];
        query.extend(version.map(|version| ("version".to_owned(), escaped(version))));
        query.extend(in_force.then(|| ("status".to_owned(), "active".to_owned())));
        let plan = {
            let local = call.local();
            let scope = Scope { local: &local, now: call.now, lenient: false, terms: &call.codes };
            plan(call.definitions, kind, &query, &scope)
        };
        let plan = match plan {
            // No record has such a name.
            Err(error) if error.reason.class() == Class::Value => return Ok(Some(Vec::new())),
            plan => plan?,
        };
        let page = reader.search(&plan, None, MOST_VERSIONS).await?;
        if page.next.is_some() {
            return Ok(None);
        }
        // A search finds a version in whatever case.
        let is_named = |row: &Stored| match (version, row.json()) {
            (Some(version), Ok(Some(resource))) => resource.str("version") == Some(version),
            _ => true,
        };
        let live: Vec<Stored> = page.rows.into_iter().filter(|row| !row.is_deleted() && is_named(row)).collect();
        if !live.is_empty() {
            return Ok(Some(live));
        }
    }
    Ok(Some(Vec::new()))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for sign in text.chars() {
        if matches!(sign, '\\' | ',' | '|' | '$') {
            escaped.push('\\');
        }
        escaped.push(sign);
    }
    escaped
}

fn refused(error: ExpandError) -> Reason {
    let ExpandError { set, element, fault } = error;
    let (set, element): (Box<str>, Box<str>) = (set.into(), element.into());
    match fault {
        Fault::UnknownSet(_) if &*element == "ValueSet" => Reason::NoValueSet,
        Fault::UnknownSet(lacks) | Fault::UnknownSystem(lacks) => {
            Reason::SetLacks { set, element, lacks: lacks.into() }
        }
        Fault::Undecided => Reason::SetUndecided { set, element },
        Fault::Circle => Reason::SetCircle { set, element },
        Fault::TooLarge => Reason::ManyCodes { most: MOST_CODES },
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Terms for Vocabulary<'_> {
    fn below(&self, system: &str, code: &str) -> Option<Vec<Box<str>>> {
        let known = self.system(system)?;
        related(known, code, &|other| known.subsumes(code, other))
    }

    fn above(&self, system: &str, code: &str) -> Option<Vec<Box<str>>> {
        let known = self.system(system)?;
        related(known, code, &|other| known.subsumes(other, code))
    }

    fn members(&self, value_set: &str) -> Result<Arc<Members>, Reason> {
        let members = self.listed(value_set)?;
        let before = self.given.fetch_add(members.pairs().len(), Ordering::Relaxed);
        if before + members.pairs().len() > MOST_GIVEN {
            return Err(Reason::ManyCodes { most: MOST_GIVEN });
        }
        Ok(members)
    }
}

/// A set that cannot be listed may still be decided of one code, if it came with the
/// program.
impl Codes for Vocabulary<'_> {
    fn member(&self, value_set: &str, system: Option<&str>, code: &str) -> Membership {
        if self.shelves.is_built_in(value_set) {
            let told = self.base.member(value_set, system, code);
            if told != Membership::Unknown {
                return told;
            }
        }
        match self.listed(value_set) {
            Ok(members) if members.has(system, code) => Membership::Yes,
            Ok(_) => Membership::No,
            Err(_) => Membership::Unknown,
        }
    }

    fn subsumes(&self, system: &str, ancestor: &str, code: &str) -> Option<bool> {
        self.system(system)?.subsumes(ancestor, code)
    }

    fn display(&self, system: &str, code: &str) -> Option<&str> {
        self.base.display(system, code)
    }
}
