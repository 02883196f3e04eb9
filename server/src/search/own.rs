//! The search parameters of this installation: definitions from outside, checked
//! before anything is indexed by them.
//!
//! Source: FHIR R4 searchparameter.html

use std::collections::BTreeSet;

use techo_profiles::Definitions;
use techo_profiles::definitions::{ParameterKind, SearchParameter};
use techo_profiles::json::Json;
use techo_profiles::path::{Expression, PathError, Reason as PathReason};

use super::kinds::Kind;

/// A definition and when it holds.
#[derive(Clone, Debug)]
pub struct OwnParameter {
    /// Where it is from: `SearchParameter/[id]`, `file:[name]`.
    pub source: Box<str>,
    /// When it holds.
    pub life: Life,
    /// What it says, as stored.
    pub text: Box<str>,
    /// What it says.
    pub definition: SearchParameter,
}

/// The generations of rules for which rows are made, and whether searches may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// The first generation.
    pub born: i64,
    /// The first that it is no longer of.
    pub retired: i64,
    /// Whether searches may ask for it.
    pub standing: Standing,
}

/// Whether searches may ask for a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// No: this program would not take it any more, though an older one did.
    Refused,
    /// Not yet: there are records without its rows.
    Indexing,
    /// Yes: every record has its rows.
    Ready,
}

impl Life {
    /// What R4 defines holds always.
    pub const ALWAYS: Self = Self { born: 0, retired: i64::MAX, standing: Standing::Ready };

    /// Whether it is of this installation, not R4's.
    pub fn is_own(self) -> bool {
        self.born > 0
    }

    /// Whether every record has its rows, and searches find by them what they should.
    pub fn is_ready(self) -> bool {
        self.standing == Standing::Ready
    }

    /// Whether rows as of this generation are made by it.
    pub fn holds(self, generation: i64) -> bool {
        (self.born..self.retired).contains(&generation)
    }
}

/// What is wrong with a definition.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    /// An element is missing, or means nothing.
    Element(&'static str),
    /// The kind is none that a definition from outside may have.
    Kind,
    /// The name has signs that mean something in a query, or begins with `_`.
    Code,
    /// R4 has a parameter of this name on this type.
    Taken(String),
    /// The expression cannot be read, or means nothing on a type.
    Path(PathError),
    /// The expression yields what parameters of this kind do not search.
    Type {
        /// The kind.
        kind: &'static str,
        /// What it yields.
        found: String,
    },
    /// A part of a composite names no parameter of R4, or its expression is wrong.
    Component(usize, Option<PathError>),
}

/// Reads and checks a SearchParameter.
///
/// # Errors
/// The first [`Fault`].
pub fn read(definitions: &Definitions, resource: &Json) -> Result<SearchParameter, Fault> {
    let parameter = SearchParameter::of(definitions, resource).map_err(Fault::Element)?;
    if parameter.kind == ParameterKind::Special {
        return Err(Fault::Kind);
    }
    if parameter.base.iter().any(|base| RENDERED.contains(&base.as_str())) {
        return Err(Fault::Element("base"));
    }
    let plain = |sign: char| sign.is_ascii_alphanumeric() || sign == '-' || sign == '_';
    if parameter.code.starts_with('_') || parameter.code.len() > LONGEST_CODE || !parameter.code.chars().all(plain) {
        return Err(Fault::Code);
    }
    if (parameter.kind == ParameterKind::Composite) == parameter.components.is_empty() {
        return Err(Fault::Element("component"));
    }
    for kind in parameter.types(definitions) {
        if definitions.parameter(kind, &parameter.code).is_some() {
            return Err(Fault::Taken(kind.to_owned()));
        }
        applied(definitions, &parameter, kind)?;
    }
    Ok(parameter)
}

/// Checks the expression on one type.
fn applied(definitions: &Definitions, parameter: &SearchParameter, kind: &str) -> Result<(), Fault> {
    // What is told of its place is told of the whole expression, so that is read first.
    let whole = Expression::parse(&parameter.expression).map_err(Fault::Path)?;
    recorded(&whole).map_err(Fault::Path)?;
    let text = parameter.expression_for(kind);
    if text.is_empty() {
        return Err(Fault::Element("expression"));
    }
    let start = parameter.expression.find(text).unwrap_or(0);
    let moved = |error: PathError| Fault::Path(PathError { at: error.at + start, ..error });
    let found = Expression::parse(text).and_then(|read| read.types(definitions, kind)).map_err(moved)?;
    let Some(found) = found else { return Ok(()) };
    if parameter.kind == ParameterKind::Composite {
        return parts(definitions, parameter, &found);
    }
    let searched = searched(parameter.kind);
    if found.is_empty() || found.iter().any(|name| searched.contains(&name.as_str())) {
        return Ok(());
    }
    Err(Fault::Type { kind: parameter.kind.name(), found: found.into_iter().collect::<Vec<_>>().join(", ") })
}

/// Refuses what is not told by the record alone.
fn recorded(expression: &Expression) -> Result<(), PathError> {
    let missing = |at, text| Err(PathError { reason: PathReason::Missing, at, text, word: None });
    if let Some((at, name)) = expression.calls(ELSEWHERE) {
        return missing(at, format!("{name}() is not to be had where records are indexed"));
    }
    if let Some((at, name)) = expression.goes_to(STAMPED) {
        let text = format!("{name} is put in as a record is written, after it is indexed");
        return Err(PathError { reason: PathReason::Missing, at, text, word: Some(name.into()) });
    }
    if let Some(at) = expression.fetches() {
        let text = "resolve() tells only the type where records are indexed: resolve() is Patient";
        return missing(at, text.to_owned());
    }
    Ok(())
}

fn parts(definitions: &Definitions, parameter: &SearchParameter, starts: &BTreeSet<String>) -> Result<(), Fault> {
    for (number, component) in parameter.components.iter().enumerate() {
        let known = definitions.all_parameters().iter().find(|known| known.url == component.definition);
        if known.is_none_or(|known| Kind::named(known.kind.name()).is_none()) {
            return Err(Fault::Component(number, None));
        }
        let fault = |error| Fault::Component(number, Some(error));
        let expression = Expression::parse(&component.expression).map_err(fault)?;
        recorded(&expression).map_err(fault)?;
        for start in starts {
            expression.types(definitions, start).map_err(fault)?;
        }
    }
    Ok(())
}

/// The types that parameters of a kind search. Of an extension it is the value.
fn searched(kind: ParameterKind) -> &'static [&'static str] {
    match kind {
        ParameterKind::Number => &["integer", "decimal", "positiveInt", "unsignedInt", "Range", "Integer", "Decimal"],
        ParameterKind::Date => &["date", "dateTime", "instant", "Period", "Timing", "Date", "DateTime"],
        ParameterKind::String => &[
            "string",
            "markdown",
            "code",
            "id",
            "uri",
            "HumanName",
            "Address",
            "CodeableConcept",
            "Extension",
            "String",
        ],
        ParameterKind::Token => &[
            "Coding",
            "CodeableConcept",
            "Identifier",
            "ContactPoint",
            "code",
            "boolean",
            "id",
            "string",
            "uri",
            "integer",
            "positiveInt",
            "unsignedInt",
            "Extension",
            "Boolean",
            "String",
            "Integer",
        ],
        ParameterKind::Reference => &["Reference", "canonical", "uri", "url", "Extension"],
        ParameterKind::Quantity => &[
            "Quantity",
            "Age",
            "Count",
            "Distance",
            "Duration",
            "SimpleQuantity",
            "MoneyQuantity",
            "Money",
            "Range",
            "SampledData",
            "Extension",
        ],
        ParameterKind::Uri => &["uri", "url", "canonical", "oid", "uuid"],
        ParameterKind::Composite | ParameterKind::Special => &[],
    }
}

/// The facts of a definition as text, the same for definitions that index the same.
pub fn text(resource: &Json) -> String {
    let kept = ["url", "code", "base", "type", "expression", "target", "multipleOr", "multipleAnd", "component"];
    let member = |name: &&'static str| Some((*name, resource.get(name)?.clone()));
    Json::object(kept.iter().filter_map(member)).to_string()
}

/// Types that are no records: they have no index rows.
const RENDERED: &[&str] = &["AuditEvent"];
const LONGEST_CODE: usize = 64;
/// Functions whose answer is not in the record: rows by them would be of the moment
/// at which it was written.
const ELSEWHERE: &[&str] =
    &["now", "today", "timeOfDay", "memberOf", "subsumes", "subsumedBy", "conformsTo", "elementDefinition", "slice"];

/// The elements of a record's `meta` that its write puts in. What is indexed has none of them:
/// `descendants()` does not find them either.
pub const STAMPED: &[&str] = &["versionId", "lastUpdated"];

#[cfg(test)]
mod tests {
    use techo_profiles::json;

    use super::*;

    fn definition(code: &str, kind: &str, base: &str, expression: &str) -> Json {
        json!({"resourceType": "SearchParameter", "url": (format!("https://example.org/{code}")), "code": code,
            "type": kind, "base": [base], "expression": expression, "status": "active"})
    }

    fn fault(resource: &Json) -> Fault {
        read(Definitions::embedded(), resource).expect_err("refused")
    }

    #[test]
    fn what_fits_is_read() {
        let extension = "Patient.extension('urn:x').value.as(CodeableConcept)";
        for (code, kind, base, expression) in [
            ("eye-colour", "token", "Patient", extension),
            ("eye-colour", "token", "Patient", "Patient.extension('urn:x').value"),
            ("eye-colour", "token", "Patient", "extension('urn:x')"),
            ("weight", "quantity", "Observation", "(Observation.value as Quantity)"),
            ("when", "date", "Observation", "Observation.issued | Observation.effective"),
            ("note", "string", "Observation", "Observation.note.text"),
            ("old", "token", "Patient", "Patient.birthDate < @1950-01-01"),
            ("who", "reference", "Observation", "Observation.subject.where(resolve() is Patient)"),
            ("who", "reference", "Observation", "Observation.subject.where(resolve().is(Patient))"),
        ] {
            assert!(read(Definitions::embedded(), &definition(code, kind, base, expression)).is_ok(), "{expression}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_with_its_place() {
        for (code, kind, base, expression, at) in [
            ("x", "token", "Patient", "Patient.nonsense", 8),
            ("x", "token", "Patient", "Patient.gender | Patient.nonsense", 25),
            ("x", "token", "Patient", "Patient.name.where(", 19),
            ("x", "token", "Patient", "Patient.gender.nonsense()", 15),
            ("x", "token", "Patient", "Patient.birthDate < today() - 18 years", 20),
            ("x", "string", "Observation", "Observation.subject.resolve().name", 20),
            ("x", "token", "Observation", "Observation.where(subject.resolve().active).status", 26),
        ] {
            match fault(&definition(code, kind, base, expression)) {
                Fault::Path(error) => assert_eq!(error.at, at, "{expression}: {error}"),
                other => panic!("{expression}: {other:?}"),
            }
        }
        assert_eq!(fault(&definition("x", "token", "Patient", "Observation.code")), Fault::Element("expression"));
        assert_eq!(fault(&definition("x", "token", "Nonsense", "Patient.gender")), Fault::Element("base"));
        assert_eq!(fault(&definition("x", "special", "Patient", "Patient.gender")), Fault::Kind);
        assert_eq!(fault(&definition("a.b", "token", "Patient", "Patient.gender")), Fault::Code);
        assert_eq!(fault(&definition("_x", "token", "Patient", "Patient.gender")), Fault::Code);
        assert_eq!(fault(&definition("gender", "token", "Patient", "Patient.gender")), Fault::Taken("Patient".into()));
        let mismatch = fault(&definition("x", "date", "Patient", "Patient.name.given"));
        assert_eq!(mismatch, Fault::Type { kind: "date", found: "string".into() });
        assert_eq!(fault(&definition("x", "composite", "Patient", "Patient")), Fault::Element("component"));
    }
}
