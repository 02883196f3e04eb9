//! The parameters that shape the answer instead of choosing rows: `_sort`,
//! `_count`, `_include` and so on.
//!
//! To add one: its row in [`RESULTS`].
//!
//! Source: FHIR R4 search.html#return

use super::error::Reason;
use super::escape::split;
use super::kinds::Kind;
use super::parse::Reader;
use super::plan::{Include, MAX_COUNT, Plan, SortBy, SortColumn, SortKey, Summary, Total};

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
    once("_summary", summary),
    // The edge reads these two; here they only have to be no error.
    once("_format", |_, _, _| Ok(())),
    once("_pretty", |_, _, _| Ok(())),
    ResultParameter {
        name: "_include",
        repeats: true,
        read: |reader, plan, value| include(reader, plan, value, false),
    },
    ResultParameter {
        name: "_revinclude",
        repeats: true,
        read: |reader, plan, value| include(reader, plan, value, true),
    },
    undone("_elements", |_, _, _| Err(not_done("_elements"))),
    undone("_contained", |_, _, _| Err(not_done("_contained"))),
    undone("_containedType", |_, _, _| Err(not_done("_containedType"))),
    undone("_type", |_, _, _| Err(not_done("_type"))),
    undone("_query", |_, _, _| Err(not_done("_query"))),
    undone("_text", |_, _, _| Err(not_done("_text"))),
    undone("_content", |_, _, _| Err(not_done("_content"))),
];

const fn once(name: &'static str, read: fn(&Reader<'_>, &mut Plan, &str) -> Result<(), Reason>) -> ResultParameter {
    ResultParameter { name, repeats: false, read }
}

const fn undone(name: &'static str, read: fn(&Reader<'_>, &mut Plan, &str) -> Result<(), Reason>) -> ResultParameter {
    ResultParameter { name, repeats: true, read }
}

fn not_done(name: &str) -> Reason {
    Reason::NotDone(format!("the parameter {name}").into())
}

/// Reads `name` if it is a result parameter; `false` if it is none.
pub(super) fn read(reader: &Reader<'_>, plan: &mut Plan, name: &str, value: &str) -> Result<bool, Reason> {
    let (base, suffix) = match name.split_once(':') {
        Some((base, suffix)) => (base, Some(suffix)),
        None => (name, None),
    };
    let Some(known) = RESULTS.iter().find(|known| known.name == base) else { return Ok(false) };
    match suffix {
        None => {}
        Some("iterate" | "recurse") if base.ends_with("include") => {
            return Err(Reason::ModifierNotDone(suffix.unwrap_or_default().into()));
        }
        Some(suffix) => return Err(Reason::Modifier(format!("the modifier :{suffix} does not go with {base}").into())),
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
pub(super) fn settle(plan: &mut Plan) {
    if plan.count == Some(0) {
        plan.summary = Summary::Count;
    }
    if plan.summary == Summary::Count {
        plan.count = Some(0);
        plan.total = Total::Accurate;
    }
}

fn count(_: &Reader<'_>, plan: &mut Plan, value: &str) -> Result<(), Reason> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number {
        return Err(Reason::Value("_count is a whole number from 0".into()));
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
        _ => return Err(Reason::Value("_total is none, estimate or accurate".into())),
    };
    Ok(())
}

fn summary(_: &Reader<'_>, plan: &mut Plan, value: &str) -> Result<(), Reason> {
    plan.summary = match value {
        "false" => Summary::False,
        "count" => Summary::Count,
        "true" | "text" | "data" => return Err(Reason::NotDone(format!("_summary={value}").into())),
        _ => return Err(Reason::Value("_summary is false or count".into())),
    };
    Ok(())
}

/// `-date,_id`
fn sort(reader: &Reader<'_>, plan: &mut Plan, value: &str) -> Result<(), Reason> {
    let keys = split(value, ',');
    if keys.len() > MOST_KEYS {
        return Err(Reason::TooMuch(format!("at most {MOST_KEYS} keys sort").into()));
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
        "" => return Err(Reason::Value("a parameter to sort by is wanted".into())),
        _ => {}
    }
    let parameter = reader
        .index
        .parameter(code)
        .ok_or_else(|| Reason::Value(format!("{} cannot be sorted by {code:?}", reader.index.name).into()))?;
    let mut column = parameter.kind.sort.ok_or_else(|| Reason::NotDone(format!("sorting by {code}").into()))?;
    let only_identifiers = |types: &[Box<str>]| types.iter().all(|name| &**name == "Identifier");
    if column == SortColumn::Code && parameter.types.as_deref().is_some_and(only_identifiers) {
        column = SortColumn::Value;
    }
    Ok(SortBy::Indexed { param: parameter.key.clone(), column })
}

/// `Type:parameter` or `Type:parameter:target`
fn include(reader: &Reader<'_>, plan: &mut Plan, value: &str, reverse: bool) -> Result<(), Reason> {
    if plan.includes.len() >= MOST_INCLUDES {
        return Err(Reason::TooMuch(format!("at most {MOST_INCLUDES} includes").into()));
    }
    let parts: Vec<&str> = value.split(':').collect();
    let (source, code, target) = match parts[..] {
        ["*"] | [_, "*", ..] => return Err(Reason::NotDone("including everything".into())),
        [source, code] => (source, code, None),
        [source, code, target] => (source, code, Some(target)),
        _ => return Err(Reason::Value("an include is written Type:parameter or Type:parameter:Target".into())),
    };
    let definitions = reader.catalog.definitions();
    let number = |name: &str| {
        let unknown = || Reason::Value(format!("there is no resource type {name:?}").into());
        definitions.type_number(name).ok_or_else(unknown)
    };
    let target = target.filter(|target| !target.is_empty()).map(number).transpose()?;
    number(source)?;
    let found = reader.catalog.of_type(source).and_then(|index| index.parameter(code));
    let is_reference = |kind: &Kind| kind.name == "reference";
    let parameter = found.filter(|parameter| is_reference(parameter.kind)).ok_or_else(|| {
        Reason::Value(format!("{source} has no search parameter {code:?} that refers to resources").into())
    })?;
    let searched = number(reader.index.name)?;
    if reverse {
        let points_here = parameter.targets.is_empty() || parameter.targets.contains(&searched);
        if !points_here || target.is_some_and(|target| target != searched) {
            return Err(Reason::Value(format!("{source}:{code} does not refer to {}", reader.index.name).into()));
        }
    } else if source != reader.index.name {
        return Err(Reason::Value(format!("the results are of type {}, not {source}", reader.index.name).into()));
    }
    plan.includes.push(Include {
        reverse,
        source: source.into(),
        param: parameter.key.clone(),
        target,
        iterate: false,
    });
    Ok(())
}

const MOST_KEYS: usize = 5;
const MOST_INCLUDES: usize = 20;
