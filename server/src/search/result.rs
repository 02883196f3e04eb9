//! The parameters that shape the answer instead of choosing rows: `_sort`,
//! `_count`, `_include` and so on.
//!
//! To add one: its row in [`RESULTS`].
//!
//! Source: FHIR R4 search.html#return

use super::catalog::Parameter;
use super::contained::Which;
use super::error::SearchError;
use super::escape::split;
use super::kinds::Kind;
use super::parse::{Reader, is_beside};
use super::plan::{Include, MAX_COUNT, Plan, SortBy, SortColumn, SortKey, Total};
use super::reason::Reason;
use super::shape::{Summary, elements};

/// One result parameter.
struct ResultParameter {
    name: &'static str,
    repeats: bool,
    read: fn(&Reader<'_>, &mut Plan, &str) -> Result<(), Reason>,
}

/// Those that are done, and those that FHIR knows and are not.
const RESULTS: &[ResultParameter] = &[
    once("_sort", sort),
    once("_count", count),
    once("_total", total),
    once("_summary", |_, plan, value| {
        plan.shape.summary = Summary::read(value)?;
        Ok(())
    }),
    // The edge reads these two; here they only have to be no error.
    once("_format", |_, _, _| Ok(())),
    once("_pretty", |_, _, _| Ok(())),
    // Read by [`read`] itself, for their modifier.
    undone("_include", |_, _, _| Err(not_done("_include"))),
    undone("_revinclude", |_, _, _| Err(not_done("_revinclude"))),
    once("_elements", |reader, plan, value| {
        plan.shape.elements = elements(reader.catalog.definitions(), reader.types, value)?;
        Ok(())
    }),
    once("_contained", |_, plan, value| {
        plan.contained.which = Which::read(value)?;
        Ok(())
    }),
    once("_containedType", |_, plan, value| {
        plan.contained.alone = match value {
            "container" => false,
            "contained" => true,
            _ => return Err(Reason::ContainedType),
        };
        Ok(())
    }),
    undone("_type", |_, _, _| Err(not_done("_type"))),
];

const fn once(name: &'static str, read: fn(&Reader<'_>, &mut Plan, &str) -> Result<(), Reason>) -> ResultParameter {
    ResultParameter { name, repeats: false, read }
}

const fn undone(name: &'static str, read: fn(&Reader<'_>, &mut Plan, &str) -> Result<(), Reason>) -> ResultParameter {
    ResultParameter { name, repeats: true, read }
}

fn not_done(name: &str) -> Reason {
    Reason::NotDone { name: name.into() }
}

/// Reads `name` if it is a result parameter; `false` if it is none.
pub(super) fn read(reader: &Reader<'_>, plan: &mut Plan, name: &str, value: &str) -> Result<bool, Reason> {
    let (base, suffix) = match name.split_once(':') {
        Some((base, suffix)) => (base, Some(suffix)),
        None => (name, None),
    };
    let Some(known) = RESULTS.iter().find(|known| known.name == base) else { return Ok(false) };
    let includes = ["_include", "_revinclude"].contains(&base);
    match suffix {
        None | Some("iterate" | "recurse") if includes => {
            let include = Asked { reverse: base == "_revinclude", iterate: suffix.is_some() };
            return include.read(reader, plan, value).map(|()| true);
        }
        None => {}
        Some(suffix) => return Err(Reason::ModifierUnfit { name: suffix.into(), what: base.into() }),
    }
    if !known.repeats && plan.used.iter().any(|(used, _)| **used == *name) {
        return Err(Reason::Repeated);
    }
    (known.read)(reader, plan, value)?;
    Ok(true)
}

/// Whether `name` is a result parameter.
pub(super) fn is_result(name: &str) -> bool {
    let base = name.split(':').next().unwrap_or(name);
    RESULTS.iter().any(|known| known.name == base)
}

/// What follows from several parameters together.
pub(super) fn settle(plan: &mut Plan) -> Result<(), SearchError> {
    plan.shape.fits()?;
    if plan.shape.summary == Summary::Text && !plan.includes.is_empty() {
        return Err(SearchError::new("_summary", Reason::SummaryAndInclude));
    }
    if plan.count == Some(0) {
        plan.shape.summary = Summary::Count;
    }
    if plan.shape.summary == Summary::Count {
        plan.count = Some(0);
        plan.total = Total::Accurate;
    }
    Ok(())
}

fn count(_: &Reader<'_>, plan: &mut Plan, value: &str) -> Result<(), Reason> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(Reason::Count);
    }
    // More digits than fit are more than the most, too.
    plan.count = Some(value.parse().unwrap_or(MAX_COUNT).min(MAX_COUNT));
    Ok(())
}

fn total(_: &Reader<'_>, plan: &mut Plan, value: &str) -> Result<(), Reason> {
    plan.total = match value {
        "none" => Total::None,
        "estimate" => Total::Estimate,
        "accurate" => Total::Accurate,
        _ => return Err(Reason::Total),
    };
    Ok(())
}

/// `-date,_id`
fn sort(reader: &Reader<'_>, plan: &mut Plan, value: &str) -> Result<(), Reason> {
    let keys = split(value, ',');
    if keys.len() > MOST_KEYS {
        return Err(Reason::ManyKeys { most: MOST_KEYS });
    }
    for key in keys {
        let (code, descending) = match key.strip_prefix('-') {
            Some(code) => (code, true),
            None => (key, false),
        };
        plan.sort.push(SortKey { by: sort_by(reader, code)?, descending });
    }
    Ok(())
}

fn sort_by(reader: &Reader<'_>, code: &str) -> Result<SortBy, Reason> {
    match code {
        "_id" => return Ok(SortBy::Id),
        "_lastUpdated" => return Ok(SortBy::Updated),
        "" => return Err(Reason::NoKey),
        _ => {}
    }
    let parameter = reader
        .index
        .parameter(code)
        .ok_or_else(|| Reason::NotAKey { resource_type: reader.index.name.into(), code: code.into() })?;
    // An order would tell of identifiers that the caller is not given.
    let sorts = parameter.kind.sort.filter(|_| !is_beside(parameter));
    let mut column = sorts.ok_or_else(|| Reason::Unsorted { code: code.into() })?;
    let only_identifiers = |types: &[Box<str>]| types.iter().all(|name| &**name == "Identifier");
    if column == SortColumn::Code && parameter.types.as_deref().is_some_and(only_identifiers) {
        column = SortColumn::Value;
    }
    Ok(SortBy::Indexed { param: parameter.key.clone(), column })
}

/// An `_include` or `_revinclude`.
struct Asked {
    reverse: bool,
    iterate: bool,
}

impl Asked {
    /// `Type:parameter`, `Type:parameter:Target`, `Type:*` or `*`
    fn read(&self, reader: &Reader<'_>, plan: &mut Plan, value: &str) -> Result<(), Reason> {
        let given =
            plan.used.iter().filter(|(name, _)| name.starts_with("_include") || name.starts_with("_revinclude"));
        if given.count() >= MOST_INCLUDES {
            return Err(Reason::ManyIncludes { most: MOST_INCLUDES });
        }
        let parts: Vec<&str> = value.split(':').collect();
        let (source, code, target) = match parts[..] {
            ["*"] => {
                self.everything(reader, plan);
                return Ok(());
            }
            [source, code] => (source, code, None),
            [source, code, target] => (source, code, Some(target)),
            _ => return Err(Reason::Include),
        };
        let target = target.filter(|target| !target.is_empty()).map(|name| number(reader, name)).transpose()?;
        number(reader, source)?;
        if !(self.reverse || self.iterate || reader.types.contains(&source)) {
            return Err(Reason::IncludeFrom { types: reader.types.join(", ").into(), source: source.into() });
        }
        let params = if code == "*" {
            references(reader, source, |parameter| self.reaches(reader, parameter, target))
        } else {
            let known = reader.catalog.of_type(source).and_then(|index| index.parameter(code));
            let parameter = known
                .filter(|parameter| is_reference(parameter.kind))
                .ok_or_else(|| Reason::IncludeBy { source: source.into(), code: code.into() })?;
            if !self.reaches(reader, parameter, target) {
                return Err(self.unreached(reader, parameter, (source, code), parts.get(2).copied()));
            }
            vec![parameter]
        };
        plan.includes.push(self.of(source, &params, target));
        Ok(())
    }

    /// Why the parameter finds nothing: it leads to no such type, or not to the results.
    fn unreached(
        &self,
        reader: &Reader<'_>,
        parameter: &Parameter,
        (source, code): (&str, &str),
        target: Option<&str>,
    ) -> Reason {
        let results: Box<str> = reader.types.join(", ").into();
        let target = target.filter(|target| !target.is_empty());
        let number = target.and_then(|target| reader.catalog.definitions().type_number(target));
        match target {
            Some(target) if self.reverse && number.is_some_and(|number| parameter.names(Some(number))) => {
                Reason::IncludeFrom { types: results, source: target.into() }
            }
            _ => Reason::IncludeTo {
                source: source.into(),
                code: code.into(),
                types: target.map_or(results, Into::into),
            },
        }
    }

    /// `*`: whatever the results refer to, or whatever refers to them.
    fn everything(&self, reader: &Reader<'_>, plan: &mut Plan) {
        let all = reader.catalog.definitions().resource_types();
        let sources = if self.reverse || self.iterate { all } else { reader.types };
        for source in sources {
            let params = references(reader, source, |parameter| self.reaches(reader, parameter, None));
            if !params.is_empty() {
                plan.includes.push(self.of(source, &params, None));
            }
        }
    }

    fn of(&self, source: &str, parameters: &[&Parameter], target: Option<u16>) -> Include {
        let params = parameters.iter().map(|parameter| parameter.key.clone()).collect();
        let by_url = parameters.iter().flat_map(|one| one.named.iter().map(move |kind| (one, *kind)));
        // Back from a target an index is asked, which does not tell a Reference by its URL.
        let by_url = by_url.filter(|(one, kind)| !self.reverse || one.addresses(*kind));
        let by_url = by_url.map(|(one, kind)| (one.key.clone(), kind));
        let named = by_url.filter(|(_, kind)| target.is_none_or(|target| target == *kind)).collect();
        Include { reverse: self.reverse, source: source.into(), params, named, target, iterate: self.iterate }
    }

    /// Whether what the parameter refers to can be among the results: asked of a
    /// `_revinclude` that begins with them.
    fn reaches(&self, reader: &Reader<'_>, parameter: &Parameter, target: Option<u16>) -> bool {
        if !self.reverse || self.iterate {
            return parameter.names(target);
        }
        let mut searched = reader.types.iter().filter_map(|name| reader.catalog.definitions().type_number(name));
        searched.any(|kind| parameter.names(Some(kind)) && target.is_none_or(|target| target == kind))
    }
}

fn number(reader: &Reader<'_>, name: &str) -> Result<u16, Reason> {
    let unknown = || Reason::NoType { name: name.into() };
    reader.catalog.definitions().type_number(name).ok_or_else(unknown)
}

fn is_reference(kind: &Kind) -> bool {
    kind.name == "reference"
}

/// The reference indexes of a type that `wanted` lets through.
fn references<'r>(reader: &Reader<'r>, source: &str, wanted: impl Fn(&Parameter) -> bool) -> Vec<&'r Parameter> {
    let index = reader.catalog.of_type(source);
    let all = index.into_iter().flat_map(|index| &index.parameters);
    all.filter(|parameter| is_reference(parameter.kind) && wanted(parameter)).collect()
}

const MOST_KEYS: usize = 5;
const MOST_INCLUDES: usize = 20;
