//! The search parameters of each resource type, made ready: their kinds, keys
//! and paths.
//!
//! A type is prepared when first asked for and then kept. Both sides of search
//! read it: indexing walks the paths, parsing looks up names. What this installation
//! defines itself lies over R4's own; rows of a definition have a key of their own, so
//! that two of one name never mix.

use std::sync::OnceLock;

use foldhash::HashMap;
use techo_profiles::Definitions;
use techo_profiles::definitions::{Binding, Component, ParameterKind, SearchParameter, Strength};
use techo_profiles::path::{Expression, PathError};

use super::derived::{Derived, derive};
use super::index::items;
use super::kinds::Kind;
use super::own::{Life, OwnParameter, Standing};
use super::reach::{Reach, named, reach};
use super::reason::Reason;
use super::row::ParamKey;
use super::trail::{Trail, branches};

/// What is ready so far.
pub struct Catalog {
    definitions: &'static Definitions,
    types: Vec<OnceLock<TypeIndex>>,
    /// The generation of rules in force.
    generation: i64,
    /// The number of the change that it knows of.
    change: i64,
    own: Vec<OwnParameter>,
    /// It lies over R4's own, which is prepared once for all.
    overlays: bool,
}

/// The parameters of one resource type.
pub struct TypeIndex {
    /// Its name.
    pub name: &'static str,
    /// Sorted by code.
    pub parameters: Vec<Parameter>,
    /// Own parameters by which rows are made, or were, and that no search asks: what
    /// ended, and what is to follow another of its name.
    pub shadow: Vec<Parameter>,
    /// By the JSON name of a resource's member, the parameters it may hold
    /// values of, by position.
    by_member: HashMap<Box<str>, Vec<usize>>,
    /// The parameters that must be tried whatever members there are.
    always: Vec<usize>,
    /// The reference parameters that put the resource into a Patient's
    /// compartment, by position.
    pub patient: Vec<usize>,
    /// Keys of parameters, and of parts, that others answer.
    derived: HashMap<ParamKey, Derived>,
    /// Definitions whose expression cannot be read: code and error.
    pub broken: Vec<(Box<str>, PathError)>,
}

/// One search parameter on one resource type.
pub struct Parameter {
    /// The name in a query.
    pub code: Box<str>,
    /// Its canonical URL.
    pub url: Box<str>,
    /// The name of its index.
    pub key: ParamKey,
    /// The index of identifiers by type; only for tokens.
    pub typed_key: Option<ParamKey>,
    /// What its values are.
    pub kind: &'static Kind,
    /// Where they are.
    pub paths: Vec<Path>,
    /// Their FHIR types, if all are known.
    pub types: Option<Vec<Box<str>>>,
    /// The numbers of the types that references may point at, as the definition has it.
    pub targets: Vec<u16>,
    /// Those that its values can be to by type and id.
    pub reach: Reach,
    /// Those that its values can name by a canonical URL.
    pub named: Vec<u16>,
    /// The parts of a composite.
    pub parts: Vec<Part>,
    /// When it holds.
    pub life: Life,
}

/// A part of a composite.
pub struct Part {
    /// The name of its index.
    pub key: ParamKey,
    /// What its values are.
    pub kind: &'static Kind,
    /// Where they are, from each element of the composite; one list for each of
    /// the composite's paths.
    pub paths: Vec<Vec<Path>>,
    /// Their FHIR types, if all are known.
    pub types: Option<Vec<Box<str>>>,
    /// The numbers of the types that references may point at.
    pub targets: Vec<u16>,
}

/// A way to elements.
pub enum Path {
    /// Of a known form.
    Trail(Trail),
    /// For the evaluator.
    Expression(Expression),
}

impl Catalog {
    /// The catalog of these definitions; one a process.
    pub fn of(definitions: &'static Definitions) -> &'static Self {
        static CATALOG: OnceLock<Catalog> = OnceLock::new();
        CATALOG.get_or_init(|| Self {
            definitions,
            types: definitions.resource_types().iter().map(|_| OnceLock::new()).collect(),
            generation: 0,
            change: 0,
            own: Vec::new(),
            overlays: false,
        })
    }

    /// R4's parameters with those of this installation over them.
    ///
    /// * `own`: oldest first.
    pub fn with(definitions: &'static Definitions, generation: i64, change: i64, own: Vec<OwnParameter>) -> Self {
        let types = definitions.resource_types().iter().map(|_| OnceLock::new()).collect();
        Self { definitions, types, generation, change, own, overlays: true }
    }

    /// The generation of rules in force.
    pub fn generation(&self) -> i64 {
        self.generation
    }

    /// The number of the change that it knows of.
    pub fn change(&self) -> i64 {
        self.change
    }

    /// The parameters of this installation, oldest first; ended ones too.
    pub fn own(&self) -> &[OwnParameter] {
        &self.own
    }

    /// Those for a type.
    fn own_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a OwnParameter> {
        self.own.iter().filter(move |own| !own.definition.expression_for(name).is_empty())
    }

    /// The definitions it was made from.
    pub fn definitions(&self) -> &'static Definitions {
        self.definitions
    }

    /// What answers an index that has no rows of its own; `None` if it has.
    pub fn derived(&self, key: &str) -> Option<&Derived> {
        let (name, _) = key.split_once('.')?;
        self.of_type(name)?.derived(key)
    }

    /// The parameters of a resource type; `None` if there is no such type.
    pub fn of_type(&self, name: &str) -> Option<&TypeIndex> {
        let position = self.definitions.resource_types().binary_search(&name).ok()?;
        let name = self.definitions.resource_types()[position];
        if self.overlays && self.own_of(name).next().is_none() {
            return Self::of(self.definitions).of_type(name);
        }
        let made = || TypeIndex::of(self.definitions, name, &self.own_of(name).collect::<Vec<_>>());
        Some(self.types[position].get_or_init(made))
    }
}

impl Parameter {
    /// Whether its values name nothing by type and id.
    fn leads_nowhere(&self) -> bool {
        self.reach.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether chains follow its canonical URLs to this type: where an element might hold
    /// a Reference too, an index cannot tell which of the two a URL is.
    pub fn addresses(&self, kind: u16) -> bool {
        let plain = |types: &[Box<str>]| types.iter().all(|name| matches!(&**name, "canonical" | "uri" | "url"));
        self.named.contains(&kind) && self.types.as_deref().is_some_and(plain)
    }

    /// Whether its values are resources that the record holds, as a document its Composition:
    /// no chain leads into them.
    pub fn is_inline(&self) -> bool {
        self.types.as_deref().is_some_and(|types| !types.is_empty() && types.iter().all(|name| &**name == "Resource"))
    }

    /// Whether one of its values can be to a resource of this type, by type and id.
    pub fn leads_to(&self, kind: u16) -> bool {
        self.reach.as_ref().is_none_or(|reach| reach.contains(&kind))
    }

    /// Whether one of its values can name a resource of this type, in whichever way; of
    /// any, if none is given.
    pub fn names(&self, kind: Option<u16>) -> bool {
        match kind {
            Some(kind) => self.leads_to(kind) || self.named.contains(&kind),
            None => !self.leads_nowhere() || !self.named.is_empty(),
        }
    }

    /// Whether this is the system of its elements that carry none: of a code,
    /// the one its binding draws from.
    pub fn implies(&self, definitions: &Definitions, system: &str) -> bool {
        implied(definitions, self.types.as_deref(), &mut self.paths.iter(), system)
    }

    /// The value sets that its elements are bound to and may not leave.
    pub fn bound_sets(&self, definitions: &Definitions) -> Vec<Box<str>> {
        let bindings = ends(self.paths.iter()).filter_map(|path| binding(definitions, path));
        let required = bindings.filter(|binding| binding.strength == Strength::Required);
        required.filter_map(|binding| binding.value_set.clone()).collect()
    }
}

impl Part {
    /// Whether this is the system of its elements that carry none.
    pub fn implies(&self, definitions: &Definitions, system: &str) -> bool {
        implied(definitions, self.types.as_deref(), &mut self.paths.iter().flatten(), system)
    }
}

fn implied(
    definitions: &Definitions,
    types: Option<&[Box<str>]>,
    paths: &mut dyn Iterator<Item = &Path>,
    system: &str,
) -> bool {
    let Some(types) = types else { return false };
    let is = |name: &str| types.iter().any(|known| **known == *name);
    if is("boolean") && SPECIAL_VALUES.contains(&system) {
        return true;
    }
    is("code") && ends(paths).any(|path| draws_from(definitions, path, system))
}

/// The definitions' paths of the elements that these lead to, as far as they are known.
fn ends<'p>(paths: impl Iterator<Item = &'p Path>) -> impl Iterator<Item = &'p str> {
    let trails = paths.filter_map(|path| match path {
        Path::Trail(trail) => Some(trail),
        Path::Expression(_) => None,
    });
    trails.flat_map(Trail::ends)
}

fn binding<'d>(definitions: &'d Definitions, path: &str) -> Option<&'d Binding> {
    let root = path.split('.').next().unwrap_or(path);
    definitions.type_def(root)?.element(path)?.binding.as_ref()
}

/// Whether the codes of an element are bound to a value set that draws from a
/// code system.
fn draws_from(definitions: &Definitions, path: &str, system: &str) -> bool {
    let url = binding(definitions, path).and_then(|binding| binding.value_set.as_deref());
    let set = url.and_then(|url| definitions.value_set(url));
    set.is_some_and(|set| set.include.iter().any(|part| part.system.as_deref() == Some(system)))
}

/// The systems of `true` and `false`: R4 search.html's, and the published one.
const SPECIAL_VALUES: &[&str] =
    &["http://hl7.org/fhir/special-values", "http://terminology.hl7.org/CodeSystem/special-values"];

impl TypeIndex {
    /// * `own`: this installation's for the type, oldest first.
    fn of(definitions: &'static Definitions, name: &'static str, own: &[&OwnParameter]) -> Self {
        let mut index = Self {
            name,
            parameters: Vec::new(),
            shadow: Vec::new(),
            by_member: HashMap::default(),
            always: Vec::new(),
            patient: Vec::new(),
            derived: HashMap::default(),
            broken: Vec::new(),
        };
        for definition in definitions.parameters(name) {
            // The resource's own columns answer these two.
            if matches!(definition.code.as_str(), "_id" | "_lastUpdated") {
                continue;
            }
            match (Maker { definitions, name }).parameter(definition, Life::ALWAYS) {
                Ok(Some(parameter)) => index.parameters.push(parameter),
                Ok(None) => {}
                Err(error) => index.broken.push((definition.code.as_str().into(), error)),
            }
        }
        index.parameters.sort_by(|one, other| one.code.cmp(&other.code));
        index.derived = derive(&index.parameters);
        if name == "List" {
            index.derived.extend([items()]);
        }
        index.overlay(definitions, own);
        index.parameters.sort_by(|one, other| one.code.cmp(&other.code));
        for position in 0..index.parameters.len() {
            index.register(position);
        }
        let members = definitions.compartment("Patient").and_then(|compartment| compartment.members.get(name));
        let by_code = |code: &String| index.position(code);
        index.patient = members.into_iter().flatten().filter_map(by_code).collect();
        index
    }

    /// Puts own parameters in. Of those of one name the latest that is ready answers
    /// searches; if none is, the latest says so.
    fn overlay(&mut self, definitions: &'static Definitions, own: &[&OwnParameter]) {
        let rank = |own: &OwnParameter| (own.life.retired == i64::MAX, own.life.standing, own.life.born);
        for one in own {
            let code = &one.definition.code;
            // A definition that was checked and cannot be made came from another version of this program.
            let made = (Maker { definitions, name: self.name }).parameter(&one.definition, one.life);
            let Ok(Some(made)) = made else { continue };
            let same = |other: &&&OwnParameter| other.definition.code == *code;
            let first = own.iter().filter(same).max_by_key(|other| rank(other));
            let answers = one.life.retired == i64::MAX && first.is_some_and(|first| std::ptr::eq(*first, *one));
            let is_new = self.parameters.iter().all(|known| *known.code != **code);
            if answers && is_new { self.parameters.push(made) } else { self.shadow.push(made) }
        }
    }

    /// The parameter called `code` that searches may ask.
    pub fn parameter(&self, code: &str) -> Option<&Parameter> {
        self.position(code).map(|position| &self.parameters[position]).filter(|parameter| parameter.life.is_ready())
    }

    /// Why searches may not ask for `code`.
    pub fn lacks(&self, code: &str) -> Reason {
        let resource_type = self.name.into();
        match self.position(code).map(|position| self.parameters[position].life.standing) {
            Some(Standing::Refused) => Reason::Refused { resource_type },
            Some(_) => Reason::NotIndexed { resource_type },
            None => Reason::Unknown { resource_type },
        }
    }

    /// The parameters of this installation.
    pub fn own(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|parameter| parameter.life.is_own()).chain(&self.shadow)
    }

    /// What answers one of its indexes that has no rows of its own.
    pub fn derived(&self, key: &str) -> Option<&Derived> {
        self.derived.get(key)
    }

    fn position(&self, code: &str) -> Option<usize> {
        self.parameters.binary_search_by(|parameter| (*parameter.code).cmp(code)).ok()
    }

    /// The parameters that may have values in a resource with these members, in
    /// order, each once.
    pub fn present<'a>(&self, members: impl Iterator<Item = &'a str>) -> Vec<usize> {
        let mut positions = self.always.clone();
        for name in members {
            if let Some(found) = self.by_member.get(name) {
                positions.extend(found);
            }
        }
        positions.sort_unstable();
        positions.dedup();
        positions
    }

    fn register(&mut self, position: usize) {
        let mut names: Vec<Box<str>> = Vec::new();
        for path in &self.parameters[position].paths {
            match path {
                Path::Trail(trail) if !trail.is_start() => names.extend(trail.first_names().map(Into::into)),
                Path::Trail(_) | Path::Expression(_) => {
                    self.always.push(position);
                    return;
                }
            }
        }
        for name in names {
            self.by_member.entry(name).or_default().push(position);
        }
    }
}

/// Prepares the parameters of one type.
struct Maker<'d> {
    definitions: &'d Definitions,
    name: &'d str,
}

impl Maker<'_> {
    /// `None` for a definition that says nothing about this type.
    fn parameter(&self, definition: &SearchParameter, life: Life) -> Result<Option<Parameter>, PathError> {
        let expression = definition.expression_for(self.name);
        if expression.is_empty() {
            return Ok(None);
        }
        let Some(kind) = Kind::named(definition.kind.name()) else { return Ok(None) };
        let key = match life.born {
            0 => format!("{}.{}", self.name, definition.code),
            born => format!("{}.{}~{born}", self.name, definition.code),
        };
        let paths = self.paths(self.name, expression)?;
        let targets = self.numbers(&definition.targets);
        let parts = match definition.kind {
            ParameterKind::Composite => self.parts(definition, &key, &paths)?,
            _ => Vec::new(),
        };
        let (reach, named) = match definition.kind {
            ParameterKind::Reference => {
                (reach(self.definitions, self.name, definition), named(self.definitions, self.name, definition))
            }
            _ => (None, Vec::new()),
        };
        let types = types(&mut paths.iter());
        let may_be_typed = types.as_ref().is_none_or(|types| types.iter().any(|name| &**name == "Identifier"));
        let typed_key =
            (definition.kind == ParameterKind::Token && may_be_typed).then(|| ParamKey::from(format!("{key}:of-type")));
        Ok(Some(Parameter {
            code: definition.code.as_str().into(),
            url: definition.url.as_str().into(),
            key: key.into(),
            typed_key,
            kind,
            paths,
            types,
            targets,
            reach,
            named,
            parts,
            life,
        }))
    }

    fn paths(&self, start: &str, expression: &str) -> Result<Vec<Path>, PathError> {
        let path = |branch: &str| match Trail::of(self.definitions, start, branch) {
            Some(trail) => Ok(Path::Trail(trail)),
            None => Expression::parse(branch).map(Path::Expression),
        };
        branches(expression).into_iter().map(path).collect()
    }

    fn numbers(&self, names: &[String]) -> Vec<u16> {
        names.iter().filter_map(|name| self.definitions.type_number(name)).collect()
    }

    /// The parts of a composite, each from where each path of the composite ends.
    fn parts(&self, definition: &SearchParameter, key: &str, paths: &[Path]) -> Result<Vec<Part>, PathError> {
        let mut parts = Vec::new();
        for (number, component) in definition.components.iter().enumerate() {
            let known = self.definitions.all_parameters().iter().find(|known| known.url == component.definition);
            let Some((known, kind)) = known.and_then(|known| Some((known, Kind::named(known.kind.name())?))) else {
                continue;
            };
            let starts = paths.iter().map(|path| match path {
                Path::Trail(trail) => trail.types().first().map_or(self.name, |name| &**name),
                Path::Expression(_) => self.name,
            });
            let paths: Vec<Vec<Path>> =
                starts.map(|start| self.paths(start, part_of(definition, component))).collect::<Result<_, _>>()?;
            let types = types(&mut paths.iter().flatten());
            parts.push(Part { key: part_key(key, number), kind, paths, types, targets: self.numbers(&known.targets) });
        }
        Ok(parts)
    }
}

/// Where a part of a composite lies. R4 has written the two of `relationship` of a
/// `DocumentReference` one for the other: the code is to be a reference, the reference a code.
///
/// Source: FHIR R4 documentreference.html#search; later versions have them right
fn part_of<'d>(definition: &SearchParameter, component: &'d Component) -> &'d str {
    let crossed = definition.url == "http://hl7.org/fhir/SearchParameter/DocumentReference-relationship";
    match component.expression.as_str() {
        "code" if crossed => "target",
        "target" if crossed => "code",
        own => own,
    }
}

/// The key of a composite's part, counted from 0.
pub fn part_key(key: &str, number: usize) -> ParamKey {
    format!("{key}${number}").into()
}

/// The types that a parameter's values may have; `None` if a path does not tell.
fn types(paths: &mut dyn Iterator<Item = &Path>) -> Option<Vec<Box<str>>> {
    let mut types: Vec<Box<str>> = Vec::new();
    for path in paths {
        match path {
            Path::Trail(trail) if trail.types().iter().all(|name| &**name != "Extension") => {
                types.extend_from_slice(trail.types());
            }
            Path::Trail(_) | Path::Expression(_) => return None,
        }
    }
    types.sort_unstable();
    types.dedup();
    Some(types)
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Catalog")
    }
}
