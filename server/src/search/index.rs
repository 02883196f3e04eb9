//! A resource → its index rows and clinical facts.
//!
//! Every search parameter of the type whose first element is present is walked
//! once and its elements handed to the parameter's kind. Nothing is left out
//! silently: a definition that cannot be evaluated fails the write, as a record
//! that searches cannot find, or that a Consent's code rule cannot see, is worse
//! than one refused.
//!
//! [`epoch`] changes with the definitions, the rules here and the place; rows of
//! another epoch are stale.

use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use techo_profiles::Definitions;
use techo_profiles::json::Json;
use techo_profiles::path::{Context, Item, Node, PathError};

use super::address::as_written;
use super::catalog::{Parameter, Path, TypeIndex, part_key};
use super::contained;
use super::derived::Derived;
use super::facts;
use super::fold::bounded;
use super::kinds::reference::{self, Lead, lead};
use super::kinds::{Cells, Element, Kind, Setting, small, special, token};
use super::row::{Cell, Extracted, ParamKey, Row, Table};
use super::trail::Root;

pub use super::kinds::Local;

/// The version of all rules by which rows are made. Raise it whenever the rows of
/// some resource would come out otherwise.
pub const INDEX_EPOCH: u32 = 17;

/// The index of what a List has, by which `_list` finds.
pub const LISTED: &str = "List.has";
/// The index of what a List tells to be no more of it.
const UNLISTED: &str = "List.had";

/// Why a resource cannot be indexed. Not the client's fault: the definitions do
/// not fit the resource, although it was validated.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// There is no such resource type.
    #[error("there is no resource type {0:?}")]
    NoType(Box<str>),
    /// A search parameter cannot be evaluated.
    #[error("search parameter {parameter:?}: {error}")]
    Parameter {
        /// Its index.
        parameter: Box<str>,
        /// Why.
        error: PathError,
    },
    /// More elements of one composite than rows can tell apart.
    #[error("search parameter {0:?}: too many elements")]
    TooMany(Box<str>),
    /// More contained resources than rows can tell apart.
    #[error("more than {0} contained resources")]
    ManyContained(u32),
}

/// The index rows by R4's own parameters, and the facts of a resource.
///
/// # Errors
/// [`IndexError`], naming the parameter.
pub fn extract(
    definitions: &'static Definitions,
    resource_type: &str,
    resource: &Json,
    local: &Local,
) -> Result<Extracted, IndexError> {
    let index = local.catalog(definitions).of_type(resource_type);
    let index = index.ok_or_else(|| IndexError::NoType(resource_type.into()))?;
    if let Some((code, error)) = index.broken.first() {
        return Err(IndexError::Parameter { parameter: code.clone(), error: error.clone() });
    }
    let type_number = |name: &str| definitions.type_number(name);
    let setting = Setting { local, type_number: &type_number };
    let mut extractor = Extractor::new(definitions, index, resource, setting);
    extractor.rows.reserve(32);
    extractor.given(index)?;
    let mut rows = extractor.rows;
    let mut clinical = facts::clinical(resource_type, resource, setting);
    clinical.compartment = compartment(index, &rows, definitions);
    let contained = contained::inside(definitions, resource)?;
    for (held, inner) in &contained {
        let index = contained::index_of(local.catalog(definitions), inner)?;
        let mut extractor = Extractor::new(definitions, index, inner, setting);
        extractor.given(index)?;
        rows.extend(extractor.rows.into_iter().map(|row| contained::row(row, held)));
    }
    let contained = contained.into_iter().map(|(held, _)| held).collect();
    Ok(Extracted { rows, clinical, contained, ..Extracted::default() })
}

/// What the references of these parameters point at here, and what their canonical URLs
/// name, each with the parameter that leads there.
///
/// * `params`: keys of reference parameters of `resource_type`.
pub fn leads(
    definitions: &'static Definitions,
    resource_type: &str,
    resource: &Json,
    params: &[ParamKey],
    local: &Local,
) -> Result<BTreeSet<(ParamKey, Lead)>, IndexError> {
    let index = local.catalog(definitions).of_type(resource_type);
    let index = index.ok_or_else(|| IndexError::NoType(resource_type.into()))?;
    let type_number = |name: &str| definitions.type_number(name);
    let setting = Setting { local, type_number: &type_number };
    let root = Root::of(Element { type_name: index.name, json: resource });
    let mut found = BTreeSet::new();
    for position in index.present(resource.members().iter().map(|member| &*member.name)) {
        let parameter = &index.parameters[position];
        if !params.contains(&parameter.key) {
            continue;
        }
        for path in &parameter.paths {
            each(definitions, path, &root, root.element, &mut |element| {
                found.extend(lead(&element, setting).map(|lead| (parameter.key.clone(), lead)));
            })
            .map_err(|error| IndexError::Parameter { parameter: (*parameter.key).into(), error })?;
        }
    }
    Ok(found)
}

/// What answers `List?item=…`, whether it is there still or not.
pub(super) fn items() -> (ParamKey, Derived) {
    ("List.item".into(), Derived { from: vec![LISTED.into(), UNLISTED.into()], to: None })
}

/// What rows depend on, as a number: two epochs that differ make different rows.
pub fn epoch(definitions: &'static Definitions, local: &Local) -> u64 {
    let mut hash = Fnv::new();
    hash.text(&INDEX_EPOCH.to_string());
    hash.text(local.base());
    hash.text(local.zone().iana_name().unwrap_or_default());
    for parameter in definitions.all_parameters() {
        hash.text(&parameter.code);
        hash.text(parameter.kind.name());
        hash.text(&parameter.expression);
        parameter.base.iter().for_each(|name| hash.text(name));
        for part in &parameter.components {
            hash.text(&part.definition);
            hash.text(&part.expression);
        }
    }
    hash.0
}

/// FNV-1a: a fingerprint against mistakes, not against attackers, that is the
/// same on every machine and in every build.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn text(&mut self, text: &str) {
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Collects the rows of one resource.
struct Extractor<'a> {
    definitions: &'static Definitions,
    root: Rc<Root<'a>>,
    cells: Cells<'a>,
    rows: Vec<Row>,
}

/// The index rows by this installation's parameters, as of the generation of `local`. Their
/// expressions may go anywhere.
///
/// * `resource`: what everybody gets of it who sees it.
///
/// # Errors
/// [`IndexError::NoType`]
pub fn extract_own(
    definitions: &'static Definitions,
    resource_type: &str,
    resource: &Json,
    local: &Local,
) -> Result<Vec<Row>, IndexError> {
    let index = local.catalog(definitions).of_type(resource_type);
    let index = index.ok_or_else(|| IndexError::NoType(resource_type.into()))?;
    let type_number = |name: &str| definitions.type_number(name);
    let mut extractor = Extractor::new(definitions, index, resource, Setting { local, type_number: &type_number });
    extractor.own(index, local.generation());
    let mut rows = extractor.rows;
    for (held, inner) in contained::inside(definitions, resource)? {
        let index = contained::index_of(local.catalog(definitions), inner)?;
        let mut extractor = Extractor::new(definitions, index, inner, Setting { local, type_number: &type_number });
        extractor.own(index, local.generation());
        rows.extend(extractor.rows.into_iter().map(|row| contained::row(row, &held)));
    }
    Ok(rows)
}

impl<'a> Extractor<'a> {
    fn new(definitions: &'static Definitions, index: &TypeIndex, resource: &'a Json, setting: Setting<'a>) -> Self {
        let root = Rc::new(Root::of(Element { type_name: index.name, json: resource }));
        Self { definitions, root, cells: Cells { setting, cells: Vec::new() }, rows: Vec::new() }
    }

    /// Rows by the parameters that R4 defines.
    fn given(&mut self, index: &TypeIndex) -> Result<(), IndexError> {
        for position in index.present(self.root.element.json.members().iter().map(|member| &*member.name)) {
            let parameter = &index.parameters[position];
            if parameter.life.is_own() {
                continue;
            }
            match index.derived(&parameter.key) {
                None if parameter.parts.first().is_some_and(|part| index.derived(&part.key).is_some()) => {}
                None => self.parameter(parameter)?,
                // What says only by its other cells what it refers to has those of its own.
                Some(Derived { to: Some(_), .. }) => {
                    let start = self.rows.len();
                    self.parameter(parameter)?;
                    let own = self.rows.split_off(start).into_iter();
                    self.rows.extend(own.filter(|row| row.cell.table() != Table::Reference));
                }
                Some(_) => {}
            }
        }
        if index.name == "List" {
            self.items();
        }
        Ok(())
    }

    /// Rows by parameters of this installation. One that cannot be evaluated on this
    /// resource has no rows of it, as its author is not the resource's: the write is
    /// none the worse.
    fn own(&mut self, index: &TypeIndex, generation: i64) {
        for parameter in index.own().filter(|parameter| parameter.life.holds(generation)) {
            let before = self.rows.len();
            if let Err(error) = self.parameter(parameter) {
                tracing::warn!(%error, "an own search parameter cannot be evaluated on a resource");
                self.rows.truncate(before);
                self.cells.cells.clear();
            }
        }
    }

    /// Rows by what a List has, and by what it says that it had: an entry that is marked as
    /// deleted tells of the latter.
    fn items(&mut self) {
        let is_gone = |entry: &Json| entry.get("deleted").and_then(Json::as_bool) == Some(true);
        for (key, gone) in [(LISTED, false), (UNLISTED, true)] {
            let entries = self.root.element.json.list("entry").iter().filter(|entry| is_gone(entry) == gone);
            for item in entries.filter_map(|entry| entry.get("item")) {
                (reference::KIND.extract)(&Element { type_name: "Reference", json: item }, &mut self.cells);
            }
            let cells = std::mem::take(&mut self.cells.cells);
            push(&mut self.rows, &key.into(), 0, cells);
        }
    }

    fn parameter(&mut self, parameter: &Parameter) -> Result<(), IndexError> {
        let failed = |error| IndexError::Parameter { parameter: (*parameter.key).into(), error };
        match parameter.kind.name {
            "composite" => return self.composite(parameter),
            "special" => return self.special(parameter).map_err(failed),
            _ => {}
        }
        let is_version = parameter.kind.name == "token" && &*parameter.code == "version";
        for path in &parameter.paths {
            let cells = &mut self.cells;
            let (mut typed, mut written) = (Vec::new(), Vec::new());
            each(self.definitions, path, &self.root, self.root.element, &mut |element| {
                (parameter.kind.extract)(&element, cells);
                if is_version && let Some(version) = element.json.as_str() {
                    written.push(Cell::Token { system: "".into(), code: bounded(version) });
                }
                if parameter.typed_key.is_some() && element.type_name == "Identifier" {
                    typed.extend(token::identifier_types(element.json));
                }
            })
            .map_err(failed)?;
            if let Some(key) = &parameter.typed_key {
                push(&mut self.rows, key, 0, typed);
            }
            if is_version {
                push(&mut self.rows, &as_written(&parameter.key), 0, written);
            }
        }
        let cells = std::mem::take(&mut self.cells.cells);
        push(&mut self.rows, &parameter.key, 0, cells);
        Ok(())
    }

    /// One `grp` an element; an element that lacks a part has no rows, as it
    /// matches nothing.
    fn composite(&mut self, parameter: &Parameter) -> Result<(), IndexError> {
        let failed = |error| IndexError::Parameter { parameter: (*parameter.key).into(), error };
        let (definitions, root) = (self.definitions, self.root.clone());
        let mut grp = 0_u32;
        let mut outcome = Ok(());
        for (number, path) in parameter.paths.iter().enumerate() {
            each(definitions, path, &root, root.element, &mut |element| {
                grp = grp.saturating_add(1);
                if outcome.is_ok() {
                    outcome = self.together(parameter, number, element, grp);
                }
            })
            .map_err(failed)?;
        }
        if grp > MOST_GROUPS {
            return Err(IndexError::TooMany((*parameter.key).into()));
        }
        outcome.map_err(failed)
    }

    /// The rows of one element of a composite.
    ///
    /// * `number`: by which of the composite's paths it was found.
    fn together(&mut self, of: &Parameter, number: usize, element: Element<'_>, grp: u32) -> Result<(), PathError> {
        let mut found = Vec::with_capacity(of.parts.len());
        // The value is the last part, and the one that most often is not there.
        for part in of.parts.iter().rev() {
            let mut cells = self.part(&part.paths[number], element, part.kind)?;
            // Displays serve `:text`, which composites do not have.
            cells.retain(|cell| cell.table() != Table::String || part.kind.name == "string");
            if cells.is_empty() {
                return Ok(());
            }
            found.push((&part.key, cells));
        }
        found.into_iter().rev().for_each(|(key, cells)| push(&mut self.rows, key, grp, cells));
        Ok(())
    }

    fn part(&mut self, paths: &[Path], start: Element<'_>, kind: &Kind) -> Result<Vec<Cell>, PathError> {
        for path in paths {
            let cells = &mut self.cells;
            each(self.definitions, path, &self.root, start, &mut |element| (kind.extract)(&element, cells))?;
        }
        Ok(std::mem::take(&mut self.cells.cells))
    }

    fn special(&mut self, parameter: &Parameter) -> Result<(), PathError> {
        let mut positions = Vec::new();
        for path in &parameter.paths {
            each(self.definitions, path, &self.root, self.root.element, &mut |element| {
                positions.extend(special::position(element.json));
            })?;
        }
        for (grp, position) in (1..).zip(positions) {
            for (number, cell) in position.into_iter().enumerate() {
                push(&mut self.rows, &part_key(&parameter.key, number), grp, vec![cell]);
            }
        }
        Ok(())
    }
}

/// Calls `found` with each element that a path leads to from `start`.
fn each(
    definitions: &'static Definitions,
    path: &Path,
    root: &Root<'_>,
    start: Element<'_>,
    found: &mut dyn FnMut(Element<'_>),
) -> Result<(), PathError> {
    let expression = match path {
        Path::Trail(trail) => {
            trail.walk(root, start, found);
            return Ok(());
        }
        Path::Expression(expression) => expression,
    };
    let context = Context::new(definitions).lenient_as().resource(Node::new(root.element.json, root.element.type_name));
    for item in expression.evaluate_at(Node::new(start.json, start.type_name), &context)? {
        match &item {
            Item::Node(node) => {
                if let Some(json) = node.json() {
                    found(Element { type_name: node.type_name(), json });
                }
            }
            // A computed value has the FHIR type of the same name, written small.
            Item::Value(value) => found(Element { type_name: &small(value.type_name()), json: &value.to_json() }),
            Item::Target(_) => {}
        }
    }
    Ok(())
}

/// Adds rows, each once.
fn push(rows: &mut Vec<Row>, key: &ParamKey, grp: u32, cells: Vec<Cell>) {
    let start = rows.len();
    if cells.len() <= FEW {
        for cell in cells {
            if !rows[start..].iter().any(|row| row.cell == cell) {
                rows.push(Row { param: key.clone(), grp, cell });
            }
        }
        return;
    }
    let mut seen = HashSet::new();
    for cell in cells {
        if seen.insert(format!("{cell:?}")) {
            rows.push(Row { param: key.clone(), grp, cell });
        }
    }
}

/// The Patients in whose compartment the resource is: what the compartment's parameters
/// refer to. A Patient is in her own, too.
fn compartment(index: &TypeIndex, rows: &[Row], definitions: &Definitions) -> Vec<Box<str>> {
    let patient = definitions.type_number("Patient");
    let mut ids = BTreeSet::new();
    for &position in &index.patient {
        let key = &index.parameters[position].key;
        let from = index.derived(key).map_or(std::slice::from_ref(key), |derived| &derived.from);
        for row in rows.iter().filter(|row| from.contains(&row.param)) {
            match &row.cell {
                Cell::Reference { kind, id } if Some(*kind) == patient => {
                    ids.insert(id.clone());
                }
                _ => {}
            }
        }
    }
    ids.into_iter().collect()
}

/// More elements would reach into the next place of what is contained.
const MOST_GROUPS: u32 = contained::STEP - 1;
/// Up to here comparing each with each is the quicker way to find doubles.
const FEW: usize = 32;

#[cfg(test)]
mod tests;
