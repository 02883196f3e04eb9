//! Parameters that others answer, and that so need no rows of their own.
//!
//! Many of R4's parameters look at what others look at too: `patient` is `subject`
//! where that is a Patient, `combo-code` is `code` and `component-code`, and
//! `code-value-quantity` is a record's `code` beside its `value-quantity`. Half of a
//! vital sign's index rows would be such copies. What is found here is searched in
//! the rows of the others: less to write, and less disk.
//!
//! Rows of the record itself have `grp` 0 and those of its components 1 and more, so
//! the parts of a composite stay together in the others' rows too.

use foldhash::HashMap;

use super::catalog::{Parameter, Path, part_key};
use super::row::ParamKey;
use super::trail::Trail;

/// In which rows to look instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    /// The indexes that together hold the rows.
    pub from: Vec<ParamKey>,
    /// Of their references only those to this type.
    pub to: Option<Box<str>>,
}

/// By the key of a parameter or part, what answers it.
pub(super) fn derive(parameters: &[Parameter]) -> HashMap<ParamKey, Derived> {
    let mut known = HashMap::default();
    // The shorter first: an index that holds rows answers longer ones.
    let mut order: Vec<&Parameter> = parameters.iter().collect();
    order.sort_by_key(|parameter| (parameter.paths.len(), aims(parameter).is_some()));
    for parameter in &order {
        let Some(trails) = trails(&parameter.paths) else { continue };
        if matches!(parameter.kind.name, "composite" | "special") || trails.is_empty() {
            continue;
        }
        let holders = order.iter().copied().filter(|other| {
            other.key != parameter.key && other.kind.name == parameter.kind.name && !known.contains_key(&other.key)
        });
        let found = match aims(parameter) {
            Some((to, within)) => same(holders, &within).map(|key| Derived { from: vec![key], to: Some(to.into()) }),
            None => union(holders, parameter, &trails).map(|from| Derived { from, to: None }),
        };
        if let Some(found) = found {
            if let (None, Some(typed)) = (&found.to, &parameter.typed_key) {
                let from = typed_keys(parameters, &found.from);
                known.insert(typed.clone(), Derived { from, to: None });
            }
            known.insert(parameter.key.clone(), found);
        }
    }
    for composite in &order {
        for (number, from) in composed(composite, parameters, &known).into_iter().enumerate() {
            known.insert(part_key(&composite.key, number), Derived { from, to: None });
        }
    }
    known
}

/// All paths, if each is a trail.
fn trails(paths: &[Path]) -> Option<Vec<&Trail>> {
    let mut trails = Vec::with_capacity(paths.len());
    for path in paths {
        let Path::Trail(trail) = path else { return None };
        trails.push(trail);
    }
    Some(trails)
}

/// The type that all references must be to, and the trails without that condition.
fn aims(parameter: &Parameter) -> Option<(&str, Vec<Trail>)> {
    let cut: Vec<(&str, Trail)> = trails(&parameter.paths)?.into_iter().map(Trail::to).collect::<Option<_>>()?;
    let (to, _) = cut.first()?;
    let to = *to;
    let one = cut.iter().all(|(other, _)| *other == to);
    one.then(|| (to, cut.into_iter().map(|(_, trail)| trail).collect()))
}

/// The index of exactly these trails.
fn same<'a>(mut holders: impl Iterator<Item = &'a Parameter>, wanted: &[Trail]) -> Option<ParamKey> {
    let is = |holder: &&Parameter| {
        trails(&holder.paths)
            .is_some_and(|has| has.len() == wanted.len() && wanted.iter().all(|trail| has.contains(&trail)))
    };
    holders.find(is).map(|holder| holder.key.clone())
}

/// The indexes that together are of exactly these trails.
fn union<'a>(
    holders: impl Iterator<Item = &'a Parameter>,
    parameter: &Parameter,
    wanted: &[&Trail],
) -> Option<Vec<ParamKey>> {
    let (mut from, mut covered) = (Vec::new(), Vec::new());
    for holder in holders {
        let Some(has) = trails(&holder.paths) else { continue };
        // Of two of the same trails the first by name holds the rows.
        let later = has.len() == wanted.len() && holder.key > parameter.key;
        let adds = has.iter().any(|trail| !covered.contains(trail));
        if !has.is_empty() && !later && adds && has.iter().all(|trail| wanted.contains(trail)) {
            covered.extend(has);
            from.push(holder.key.clone());
        }
    }
    wanted.iter().all(|trail| covered.contains(trail)).then_some(from)
}

fn typed_keys(parameters: &[Parameter], keys: &[ParamKey]) -> Vec<ParamKey> {
    let of = |key: &ParamKey| parameters.iter().find(|one| one.key == *key)?.typed_key.clone();
    keys.iter().filter_map(of).collect()
}

/// The indexes of each part of a composite, if others hold all of its rows.
fn composed(composite: &Parameter, parameters: &[Parameter], known: &HashMap<ParamKey, Derived>) -> Vec<Vec<ParamKey>> {
    let whole = || {
        let paths = trails(&composite.paths).filter(|_| composite.kind.name == "composite")?;
        // One that looks at nothing but a list of elements holds the rows of that list.
        if let [only] = &paths[..]
            && !only.is_start()
        {
            return None;
        }
        let mut from = vec![Vec::new(); composite.parts.len()];
        let mut elsewhere = 0;
        for (position, path) in paths.into_iter().enumerate() {
            let keys = if path.is_start() {
                of_record(composite, position, parameters, known)?
            } else {
                elsewhere += 1;
                of_elements(composite, position, path, parameters)?
            };
            from.iter_mut().zip(keys).for_each(|(all, keys)| all.extend(keys));
        }
        // The groups of two other composites would be taken for one another.
        (elsewhere <= 1 && !from.is_empty()).then_some(from)
    };
    whole().unwrap_or_default()
}

/// Of the composite's path to the record itself: for each part the parameter that
/// looks at the same element. It may see more of the element's types than the
/// composite names (R4's composite leaves out `SampledData`, its part does not).
fn of_record(
    composite: &Parameter,
    position: usize,
    parameters: &[Parameter],
    known: &HashMap<ParamKey, Derived>,
) -> Option<Vec<Vec<ParamKey>>> {
    let of_part = |part: &super::catalog::Part| {
        let wanted = trails(part.paths.get(position)?)?;
        let ends: Vec<&str> = wanted.first()?.ends().collect();
        let fits = |holder: &&Parameter| {
            holder.kind.name == part.kind.name
                && trails(&holder.paths).is_some_and(|has| {
                    wanted.iter().all(|trail| has.contains(trail))
                        && has.iter().all(|trail| trail.ends().eq(ends.iter().copied()))
                })
        };
        let holder = parameters.iter().find(fits)?;
        match known.get(&holder.key) {
            None => Some(vec![holder.key.clone()]),
            Some(Derived { from, to: None }) => Some(from.clone()),
            Some(_) => None,
        }
    };
    composite.parts.iter().map(of_part).collect()
}

/// Of the composite's path to a list of elements: the composite of that path alone.
fn of_elements(
    composite: &Parameter,
    position: usize,
    path: &Trail,
    parameters: &[Parameter],
) -> Option<Vec<Vec<ParamKey>>> {
    let fits = |other: &&Parameter| {
        other.key != composite.key
            && matches!(&other.paths[..], [Path::Trail(only)] if only == path)
            && other.parts.len() == composite.parts.len()
            && other.parts.iter().zip(&composite.parts).all(|(one, two)| {
                one.kind.name == two.kind.name
                    && trails(&one.paths[0]) == two.paths.get(position).and_then(|of| trails(of))
            })
    };
    let other = parameters.iter().find(fits)?;
    Some(other.parts.iter().map(|part| vec![part.key.clone()]).collect())
}

#[cfg(test)]
mod tests {
    use techo_profiles::Definitions;

    use super::super::catalog::Catalog;

    fn answered(key: &str) -> Option<(Vec<String>, Option<String>)> {
        let found = Catalog::of(Definitions::embedded()).derived(key)?;
        Some((found.from.iter().map(ToString::to_string).collect(), found.to.as_deref().map(str::to_owned)))
    }

    fn from(keys: &[&str]) -> (Vec<String>, Option<String>) {
        (keys.iter().map(|&key| key.to_owned()).collect(), None)
    }

    #[test]
    fn what_a_vital_sign_need_not_repeat() {
        assert_eq!(
            answered("Observation.patient"),
            Some((vec!["Observation.subject".to_owned()], Some("Patient".to_owned())))
        );
        assert_eq!(answered("Observation.combo-code"), Some(from(&["Observation.code", "Observation.component-code"])));
        assert_eq!(
            answered("Observation.combo-value-quantity"),
            Some(from(&["Observation.component-value-quantity", "Observation.value-quantity"]))
        );
        assert_eq!(answered("Observation.code-value-quantity$0"), Some(from(&["Observation.code"])));
        assert_eq!(answered("Observation.code-value-quantity$1"), Some(from(&["Observation.value-quantity"])));
        assert_eq!(
            answered("Observation.combo-code-value-quantity$1"),
            Some(from(&["Observation.value-quantity", "Observation.component-code-value-quantity$1"]))
        );
        for own in ["Observation.code", "Observation.subject", "Observation.component-code-value-quantity$0"] {
            assert_eq!(answered(own), None, "{own}");
        }
    }

    #[test]
    fn what_answers_another_has_rows_itself() {
        let catalog = Catalog::of(Definitions::embedded());
        let mut count = 0;
        for name in Definitions::embedded().resource_types() {
            let index = catalog.of_type(name).expect("a type");
            let parts = index.parameters.iter().flat_map(|one| one.parts.iter().map(|part| &part.key));
            for key in index.parameters.iter().map(|one| &one.key).chain(parts) {
                let Some(found) = index.derived(key) else { continue };
                count += 1;
                assert!(!found.from.is_empty(), "{key}");
                for holder in &found.from {
                    assert!(index.derived(holder).is_none(), "{key} from {holder}");
                }
            }
        }
        assert!(count > 50, "{count}");
    }
}
