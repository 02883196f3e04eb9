//! A value set's codes, listed.
//!
//! Listing needs every code, so a set that draws on a system whose codes are not
//! all here is refused, saying where, rather than listed in part. A part that draws
//! on other sets alone, or names its codes, needs no system. What is excluded is
//! asked code by code, and never listed.
//!
//! One include is the intersection of its system, its filters and each of its sets; a
//! set is the union of its includes less the union of its excludes.
//!
//! Source: FHIR R4 valueset-operation-expand.html, valueset.html#compositions

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use techo_profiles::{codes::Membership, definitions::SetPart};

use crate::{CodeSystem, Shelf, ValueSet, filter::Test};

/// A value set's codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// The set's canonical URL.
    pub url: String,
    /// Its version.
    pub version: Option<String>,
    /// The codes, each once.
    pub codes: Vec<Expanded>,
}

/// One code of an expansion.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expanded {
    /// Its system.
    pub system: Option<String>,
    /// The code.
    pub code: String,
    /// The text shown for it.
    pub display: Option<String>,
    /// Whether it only groups others.
    pub is_abstract: bool,
    /// Whether it is no longer to be used.
    pub is_inactive: bool,
}

/// Why a set cannot be listed, and where that lies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{element} of the value set {set}: {fault}")]
pub struct ExpandError {
    /// The set, by its canonical URL.
    pub set: String,
    /// The element of it, as FHIRPath.
    pub element: String,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no such value set here.
    #[error("there is no value set {0} here")]
    UnknownSet(String),
    /// The codes of a system that it draws on are not all here.
    #[error("the codes of {0} are not all here")]
    UnknownSystem(String),
    /// It says something that cannot be worked out.
    #[error("it cannot be worked out")]
    Undecided,
    /// Sets that draw on one another without end.
    #[error("the value sets draw on one another without end")]
    Circle,
    /// It comes to too much.
    #[error("it comes to too many codes")]
    TooLarge,
}

/// The most codes that a set may come to.
pub const MOST_CODES: usize = 10_000;
/// The most codes that are listed on the way to one.
const MOST_LISTED: usize = 50_000;
/// The most codes that are looked at.
const MOST_LOOKS: usize = 2_000_000;
/// More sets than draw on one another anywhere.
const MAX_DEPTH: usize = 16;

/// Lists the codes of a value set.
///
/// # Errors
/// [`ExpandError`] if not all of its codes can be known, or they are more than
/// [`MOST_CODES`].
pub fn expand(shelf: &dyn Shelf, url: &str) -> Result<Expansion, ExpandError> {
    let mut work = Work { shelf, done: HashMap::new(), path: Vec::new(), looks: MOST_LOOKS, listed: MOST_LISTED };
    let set = shelf.value_set(url).ok_or_else(|| unknown(url))?;
    let codes = work.codes(set)?;
    let version = set.facts.version.as_deref().map(str::to_owned);
    Ok(Expansion { url: set.facts.url.to_string(), version, codes: codes.to_vec() })
}

fn unknown(url: &str) -> ExpandError {
    ExpandError { set: url.to_owned(), element: "ValueSet".to_owned(), fault: Fault::UnknownSet(url.to_owned()) }
}

/// A part of a set, and where it stands.
#[derive(Clone, Copy)]
struct Part<'s> {
    set: &'s ValueSet,
    own: &'s SetPart,
    /// `include` or `exclude`
    name: &'static str,
    at: usize,
}

impl Part<'_> {
    fn wrong(&self, rest: &str, fault: Fault) -> ExpandError {
        let element = format!("ValueSet.compose.{}[{}]{rest}", self.name, self.at);
        ExpandError { set: self.set.facts.url.to_string(), element, fault }
    }
}

/// What a code must be besides: in the system by its filters, and in each of the sets.
struct Besides<'s> {
    filters: Vec<(usize, Test<'s>)>,
    known: Option<&'s CodeSystem>,
    sets: Vec<HashSet<(Option<String>, String)>>,
}

struct Work<'s> {
    shelf: &'s dyn Shelf,
    /// Each set is listed once, however often it is drawn on.
    done: HashMap<*const ValueSet, Rc<[Expanded]>>,
    path: Vec<*const ValueSet>,
    looks: usize,
    listed: usize,
}

impl<'s> Work<'s> {
    fn codes(&mut self, set: &'s ValueSet) -> Result<Rc<[Expanded]>, ExpandError> {
        let own: *const ValueSet = set;
        if let Some(done) = self.done.get(&own) {
            return Ok(done.clone());
        }
        let wrong = |element: &str, fault| {
            Err(ExpandError { set: set.facts.url.to_string(), element: element.to_owned(), fault })
        };
        if let Some(flaw) = &set.flaw {
            return wrong(flaw, Fault::Undecided);
        }
        if self.path.contains(&own) || self.path.len() >= MAX_DEPTH {
            return wrong("ValueSet.compose", Fault::Circle);
        }
        self.path.push(own);
        let composed = if set.listed_alone { Ok(listed(set)) } else { self.composed(set) };
        self.path.pop();
        let codes = match composed {
            // HL7's own sets may have been listed by their publisher where they cannot be composed.
            Err(_) if set.is_built_in && !set.facts.expansion.is_empty() => listed(set),
            composed => composed?,
        };
        if codes.len() > MOST_CODES {
            return wrong("ValueSet", Fault::TooLarge);
        }
        let codes: Rc<[Expanded]> = codes.into();
        self.done.insert(own, codes.clone());
        Ok(codes)
    }

    fn composed(&mut self, set: &'s ValueSet) -> Result<Vec<Expanded>, ExpandError> {
        let place = |name, at, part| Part { set, own: part, name, at };
        let mut seen = HashSet::new();
        let mut codes = Vec::new();
        for (at, part) in set.facts.include.iter().enumerate() {
            for one in self.included(place("include", at, part))? {
                if seen.insert((one.system.clone(), one.code.clone())) {
                    codes.push(one);
                }
            }
        }
        for (at, part) in set.facts.exclude.iter().enumerate() {
            let place = place("exclude", at, part);
            let besides = self.besides(place, &part.value_sets)?;
            let listed: HashSet<&str> = part.concepts.iter().map(|one| &*one.code).collect();
            // To find out that a code is none of the part's is work too.
            self.look(place, codes.len())?;
            let mut outcome = Ok(());
            codes.retain(|one: &Expanded| {
                if outcome.is_err() || !of_part(part, &listed, one) {
                    return true;
                }
                let met = self.meets(place, &besides, one);
                let excluded = matches!(met, Ok(true));
                outcome = met.map(|_| ());
                !excluded
            });
            outcome?;
        }
        if set.active_only {
            codes.retain(|one| !one.is_inactive);
        }
        Ok(codes)
    }

    fn included(&mut self, place: Part<'s>) -> Result<Vec<Expanded>, ExpandError> {
        let part = place.own;
        let Some(system) = part.system.as_deref() else {
            let Some((first, rest)) = part.value_sets.split_first() else { return Ok(Vec::new()) };
            let codes = self.imported(place, 0, first)?.to_vec();
            return self.met(place, rest, codes);
        };
        let known = self.shelf.code_system(&place.set.system_of(part).unwrap_or_default());
        if !part.concepts.is_empty() {
            let codes =
                part.concepts.iter().map(|one| made(system, known, &one.code, one.display.as_deref())).collect();
            return self.met(place, &part.value_sets, codes);
        }
        if let Some((first, rest)) = part.value_sets.split_first() {
            let mut codes = self.imported(place, 0, first)?.to_vec();
            codes.retain(|one| one.system.as_deref() == Some(system));
            return self.met(place, rest, codes);
        }
        let complete = known.filter(|known| known.is_complete());
        let complete = complete.ok_or_else(|| place.wrong(".system", Fault::UnknownSystem(system.to_owned())))?;
        let concepts = &complete.facts().concepts;
        let besides = self.besides(place, &[])?;
        let mut codes = Vec::new();
        for concept in concepts {
            let one = made(system, known, &concept.code, None);
            if self.meets(place, &besides, &one)? {
                self.spend(place, 1)?;
                codes.push(one);
            }
        }
        Ok(codes)
    }

    /// Those of the codes that are all the part asks besides.
    fn met(
        &mut self,
        place: Part<'s>,
        sets: &'s [Box<str>],
        codes: Vec<Expanded>,
    ) -> Result<Vec<Expanded>, ExpandError> {
        self.spend(place, codes.len())?;
        let besides = self.besides(place, sets)?;
        let mut met = Vec::with_capacity(codes.len());
        for one in codes {
            if self.meets(place, &besides, &one)? {
                met.push(one);
            }
        }
        Ok(met)
    }

    fn spend(&mut self, place: Part<'_>, codes: usize) -> Result<(), ExpandError> {
        self.listed = self.listed.checked_sub(codes).ok_or_else(|| place.wrong("", Fault::TooLarge))?;
        Ok(())
    }

    fn look(&mut self, place: Part<'_>, looks: usize) -> Result<(), ExpandError> {
        self.looks = self.looks.checked_sub(looks).ok_or_else(|| place.wrong("", Fault::TooLarge))?;
        Ok(())
    }

    /// * `sets`: the last of the part's sets, that are still to be looked at.
    fn besides(&mut self, place: Part<'s>, sets: &'s [Box<str>]) -> Result<Besides<'s>, ExpandError> {
        let part = place.own;
        let skipped = part.value_sets.len() - sets.len();
        let mut inner = Vec::new();
        for (at, set) in sets.iter().enumerate() {
            let codes = self.imported(place, at + skipped, set)?;
            inner.push(codes.iter().map(|one| (one.system.clone(), one.code.clone())).collect());
        }
        let mut filters = Vec::new();
        let named = place.set.system_of(part);
        let known = named.as_deref().and_then(|named| self.shelf.code_system(named));
        for (at, filter) in part.filters.iter().enumerate() {
            let test = Test::read(filter);
            let test = test.map_err(|element| place.wrong(&format!(".filter[{at}].{element}"), Fault::Undecided))?;
            let known =
                known.ok_or_else(|| place.wrong(".system", Fault::UnknownSystem(named.clone().unwrap_or_default())))?;
            if let Some(element) = test.misfit(known) {
                return Err(place.wrong(&format!(".filter[{at}].{element}"), Fault::Undecided));
            }
            filters.push((at, test));
        }
        Ok(Besides { filters, known, sets: inner })
    }

    fn meets(&mut self, place: Part<'_>, besides: &Besides<'_>, one: &Expanded) -> Result<bool, ExpandError> {
        self.look(place, 1 + besides.filters.len() + besides.sets.len())?;
        for (at, test) in &besides.filters {
            match besides.known.map_or(Membership::Unknown, |known| test.holds(known, &one.code)) {
                Membership::Yes => {}
                Membership::No => return Ok(false),
                Membership::Unknown => return Err(place.wrong(&format!(".filter[{at}]"), Fault::Undecided)),
            }
        }
        let key = (one.system.clone(), one.code.clone());
        Ok(besides.sets.iter().all(|set| set.contains(&key)))
    }

    fn imported(&mut self, place: Part<'s>, at: usize, canonical: &str) -> Result<Rc<[Expanded]>, ExpandError> {
        let missing = || place.wrong(&format!(".valueSet[{at}]"), Fault::UnknownSet(canonical.to_owned()));
        let set = self.shelf.value_set(place.set.import(canonical)).ok_or_else(missing)?;
        self.codes(set)
    }
}

/// Whether a code is one of the part's, but for its filters and sets.
fn of_part(part: &SetPart, listed: &HashSet<&str>, one: &Expanded) -> bool {
    match part.system.as_deref() {
        Some(system) if one.system.as_deref() != Some(system) => false,
        Some(_) => listed.is_empty() || listed.contains(&*one.code),
        None => !part.value_sets.is_empty(),
    }
}

fn made(system: &str, known: Option<&CodeSystem>, code: &str, display: Option<&str>) -> Expanded {
    let concept = known.and_then(|known| known.concept(code));
    let display = display.or_else(|| concept?.display.as_deref());
    Expanded {
        system: Some(system.to_owned()),
        code: code.to_owned(),
        display: display.map(str::to_owned),
        is_abstract: concept.is_some_and(|concept| concept.is_abstract),
        is_inactive: known.is_some_and(|known| known.is_inactive(code)),
    }
}

/// The codes as the publisher listed them; what only groups them is none.
fn listed(set: &ValueSet) -> Vec<Expanded> {
    let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    let mut seen = HashSet::new();
    let each = set.facts.expansion.iter().filter(|listed| !(listed.is_abstract && set.listed_alone));
    let made = each.map(|listed| Expanded {
        system: owned(&listed.system),
        code: listed.code.to_string(),
        display: owned(&listed.display),
        is_abstract: listed.is_abstract,
        is_inactive: false,
    });
    made.filter(|one| seen.insert((one.system.clone(), one.code.clone()))).collect()
}
