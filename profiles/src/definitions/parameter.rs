//! Search parameters: what to index, found how, comparing which way.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::Definitions;
use crate::json::Json;

/// One SearchParameter's facts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SearchParameter {
    /// The canonical URL.
    pub url: String,
    /// The name in a query: `birthdate`.
    pub code: String,
    /// How values compare.
    pub kind: ParameterKind,
    /// The whole `FHIRPath` expression as published; empty for `_filter` and the like.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expression: String,
    /// The resource types it belongs to.
    pub base: Vec<String>,
    /// The resource types that its references may point at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// The parts of a composite.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    /// Whether `a,b` may be asked.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub multiple_or: bool,
    /// Whether the parameter may stand twice.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub multiple_and: bool,
    /// The prefixes the definition names; none named leaves the choice to the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparators: Vec<String>,
    /// Per resource type the union branches that can apply to it.
    #[serde(skip)]
    pub(super) branches: Arc<BTreeMap<Box<str>, Box<str>>>,
}

/// How values of a parameter compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterKind {
    /// As numbers, with their implied precision.
    Number,
    /// As spans of time.
    Date,
    /// As folded text.
    String,
    /// As system and code.
    Token,
    /// As pointers to resources.
    Reference,
    /// As several at once.
    Composite,
    /// As numbers with units.
    Quantity,
    /// As exact addresses.
    Uri,
    /// In a way of its own.
    Special,
}

/// One part of a composite parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// The canonical URL of the part's own parameter.
    pub definition: String,
    /// Where the part lies, from each result of the composite's expression.
    pub expression: String,
}

impl SearchParameter {
    /// The union branches that can apply to `resource_type`: of the long
    /// `clinical-code` only `Observation.code` for an Observation. Empty for a
    /// type the parameter does not belong to.
    pub fn expression_for(&self, resource_type: &str) -> &str {
        self.branches.get(resource_type).map_or("", |branch| branch)
    }

    /// A definition from outside: a SearchParameter resource.
    ///
    /// # Errors
    /// The element that it lacks, or whose value means nothing.
    pub fn of(definitions: &Definitions, resource: &Json) -> Result<Self, &'static str> {
        let text = |name: &'static str| resource.str(name).filter(|text| !text.is_empty()).ok_or(name);
        let all = |name: &str| -> Vec<String> {
            resource.list(name).iter().filter_map(Json::as_str).map(str::to_owned).collect()
        };
        let component = |json: &Json| -> Result<Component, &'static str> {
            let part = |name| json.str(name).map(str::to_owned).ok_or("component");
            Ok(Component { definition: part("definition")?, expression: part("expression")? })
        };
        let flag = |name| resource.get(name).and_then(Json::as_bool).unwrap_or(true);
        let mut made = Self {
            url: text("url")?.to_owned(),
            code: text("code")?.to_owned(),
            kind: ParameterKind::named(text("type")?).ok_or("type")?,
            expression: text("expression")?.to_owned(),
            base: all("base"),
            targets: all("target"),
            components: resource.list("component").iter().map(component).collect::<Result<_, _>>()?,
            multiple_or: flag("multipleOr"),
            multiple_and: flag("multipleAnd"),
            comparators: all("comparator"),
            branches: Arc::default(),
        };
        let types: Vec<&str> = made.types(definitions);
        if types.is_empty() {
            return Err("base");
        }
        made.prepare(types.into_iter());
        Ok(made)
    }

    /// The resource types that [`SearchParameter::base`] stands for.
    pub fn types<'d>(&self, definitions: &'d Definitions) -> Vec<&'d str> {
        let applies = |name: &&&str| self.base.iter().any(|base| definitions.stands_for(base, name));
        definitions.resource_types().iter().filter(applies).copied().collect()
    }

    /// Prepares [`SearchParameter::expression_for`]. `types` are the resource
    /// types that [`SearchParameter::base`] stands for, abstract ones spelled out.
    pub(super) fn prepare<'a>(&mut self, types: impl Iterator<Item = &'a str>) {
        let branches = union(&self.expression);
        let mut table = BTreeMap::new();
        for name in types {
            let fitting: Vec<&str> = branches.iter().copied().filter(|branch| may_apply(branch, name)).collect();
            table.insert(name.into(), fitting.join(" | ").into());
        }
        self.branches = Arc::new(table);
    }
}

impl ParameterKind {
    /// The name that FHIR gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Date => "date",
            Self::String => "string",
            Self::Token => "token",
            Self::Reference => "reference",
            Self::Composite => "composite",
            Self::Quantity => "quantity",
            Self::Uri => "uri",
            Self::Special => "special",
        }
    }

    /// The kind called `name`.
    pub fn named(name: &str) -> Option<Self> {
        [
            Self::Number,
            Self::Date,
            Self::String,
            Self::Token,
            Self::Reference,
            Self::Composite,
            Self::Quantity,
            Self::Uri,
            Self::Special,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
    }
}

/// Splits an expression at the `|` of its outermost level.
fn union(expression: &str) -> Vec<&str> {
    let mut branches = Vec::new();
    let (mut depth, mut quote, mut start) = (0_i32, None, 0);
    let mut escaped = false;
    for (at, letter) in expression.char_indices() {
        match (quote, letter) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '`' | '"') => quote = Some(letter),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth -= 1,
            (None, '|') if depth == 0 => {
                branches.push(expression[start..at].trim());
                start = at + 1;
            }
            (Some(_) | None, _) => {}
        }
    }
    branches.push(expression[start..].trim());
    branches
}

/// Whether a branch can give anything on a resource of type `name`: it begins
/// with that type, with a type every resource is, or with no type at all.
fn may_apply(branch: &str, name: &str) -> bool {
    let bare = branch.trim_start_matches('(').trim_start();
    let first = &bare[..bare.find(|letter: char| !letter.is_ascii_alphanumeric()).unwrap_or(bare.len())];
    let is_type = first.starts_with(|letter: char| letter.is_ascii_uppercase());
    !is_type || first == name || first == "Resource" || first == "DomainResource"
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_true(truth: &bool) -> bool {
    *truth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unions_split_at_their_outermost_level_only() {
        for (expression, expected) in [
            ("A.x | B.y", vec!["A.x", "B.y"]),
            ("(A.x | A.y).where(z = '|')", vec!["(A.x | A.y).where(z = '|')"]),
            (r"A.where(b = 'it\'s | so') | C", vec![r"A.where(b = 'it\'s | so')", "C"]),
            ("name | alias", vec!["name", "alias"]),
        ] {
            assert_eq!(union(expression), expected, "{expression}");
        }
    }

    #[test]
    fn a_branch_applies_to_its_own_type() {
        for (branch, name, expected) in [
            ("Observation.code", "Observation", true),
            ("Observation.code", "ObservationDefinition", false),
            ("(MedicationRequest.medication as CodeableConcept)", "MedicationRequest", true),
            ("(MedicationRequest.medication as CodeableConcept)", "Medication", false),
            ("Resource.id", "Patient", true),
            ("alias", "InsurancePlan", true),
        ] {
            assert_eq!(may_apply(branch, name), expected, "{branch} on {name}");
        }
    }

    #[test]
    fn kinds_have_their_names() {
        for name in ["number", "date", "string", "token", "reference", "composite", "quantity", "uri", "special"] {
            assert_eq!(ParameterKind::named(name).map(ParameterKind::name), Some(name));
        }
        assert_eq!(ParameterKind::named("text"), None);
    }
}
