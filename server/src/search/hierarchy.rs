//! `:above` and `:below` of references: through a hierarchy that resources of one
//! type form, or over the versions of a canonical URL.
//!
//! | parameter | finds what refers to |
//! |---|---|
//! | `location:below=Location/42` | Location 42, or one that is a part of it, at any remove |
//! | `encounter:above=21` | Encounter 21, or one that it is a part of |
//! | `questionnaire:below=http://x/Q` | any version of it |
//! | `questionnaire:below=http://x/Q\|1` | version 1, 1.0, 1.2.3, …; not 10 |
//!
//! Which step leads up a hierarchy is told by the name of a parameter: [`PARENTS`].
//!
//! Source: FHIR R4 search.html#recursive, references.html#circular

use super::catalog::Parameter;
use super::escape::{split, unescape};
use super::fold::bounded;
use super::kinds::Setting;
use super::kinds::reference::{is_id, place};
use super::modifier::Modifier;
use super::parse::Reader;
use super::plan::{Filter, Match};
use super::reason::Reason;

/// The parameters by which a resource names what it is a part of, if that can be of
/// its own type.
const PARENTS: &[&str] = &["partof", "part-of", "parent"];
/// What a value costs: each step through a hierarchy carries the whole of what the
/// caller may see.
const STEP: usize = 4;
/// The longest canonical URL that is looked for with all its versions.
const LONGEST: usize = 500;

impl Reader<'_> {
    /// A reference with `:above` or `:below`.
    pub(super) fn hierarchy(
        &self,
        parameter: &Parameter,
        modifier: Modifier<'_>,
        value: &str,
    ) -> Result<Filter, Reason> {
        let up = modifier == Modifier::Above;
        let mut any = Vec::new();
        for value in split(value, ',') {
            self.spend(STEP)?;
            any.push(self.related(parameter, up, &unescape(value)?)?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Filter::Any(any) })
    }

    fn related(&self, parameter: &Parameter, up: bool, text: &str) -> Result<Filter, Reason> {
        let definitions = self.catalog.definitions();
        let type_number = |name: &str| definitions.type_number(name);
        let setting = Setting { local: self.scope.local, type_number: &type_number };
        let (kind, id) = match (place(text, setting), &parameter.targets[..]) {
            (Some(found), _) => found,
            (None, [only]) if is_id(text) => (*only, text),
            (None, _) if is_id(text) => return Err(Reason::HierarchyOfWhich),
            (None, _) if !text.contains("://") && !text.starts_with("urn:") => return Err(Reason::Reference),
            (None, _) => return versions(parameter, up, text),
        };
        let parent = self.catalog.of_type(definitions.type_name(kind).unwrap_or_default()).and_then(|index| {
            let leads_up = |one: &&Parameter| one.kind.name == "reference" && one.targets.contains(&kind);
            PARENTS.iter().filter_map(|code| index.parameter(code)).find(leads_up)
        });
        let parent =
            parent.ok_or_else(|| Reason::Flat { name: definitions.type_name(kind).unwrap_or_default().into() })?;
        Ok(Filter::Related { param: parameter.key.clone(), kind, id: id.into(), by: parent.key.clone(), up })
    }
}

/// A canonical URL, whatever its version, or with a version and what is below that.
fn versions(parameter: &Parameter, up: bool, text: &str) -> Result<Filter, Reason> {
    // R4 says what is below a version, and nothing of what is above one.
    if up || text.len() > LONGEST {
        return Err(Reason::VersionsAbove);
    }
    // The URL without a version has a row of its own for each version.
    let any = if text.contains('|') {
        vec![Match::Version(text.into())]
    } else {
        vec![Match::Reference { kinds: vec![0], id: bounded(text) }]
    };
    Ok(Filter::Indexed { param: parameter.key.clone(), any, negated: false })
}
