//! A query → a [`Plan`].
//!
//! A parameter is one of the result parameters in [`super::result`] (`_sort`,
//! `_count`, …), one of the resource's own columns (`_id`, `_lastUpdated`), or one
//! of the type's search parameters, whose kind reads the values. Values between
//! commas are alternatives; parameters given several times must all hold.
//!
//! Refused, not guessed: an unknown parameter, a modifier that does not fit or is
//! not done, a value that cannot be read. `handling=lenient` leaves out unknown
//! and undone parameters only, and says so.
//!
//! Source: FHIR R4 search.html

use std::ops::Range;

use techo_profiles::Definitions;

use super::bounds::Prefix;
use super::catalog::{Catalog, Parameter, TypeIndex};
use super::error::{Reason, SearchError};
use super::escape::{split, unescape};
use super::kinds::{Local, Question, Setting};
use super::modifier::Modifier;
use super::plan::{Filter, Plan, SortBy, SortKey, Total};
use super::result;
use super::shape::Shape;
use super::time::span;

/// What a query's meaning depends on beside its text.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Where the server is.
    pub local: &'a Local,
    /// The present, in microseconds: `ap` on dates is relative to it.
    pub now: i64,
    /// `Prefer: handling=lenient`
    pub lenient: bool,
}

/// The plan of a query on one resource type.
///
/// * `query`: names and values in order, percent-decoded.
///
/// # Errors
/// [`SearchError`] about the first parameter that is refused.
pub fn plan(
    definitions: &'static Definitions,
    resource_type: &str,
    query: &[(String, String)],
    scope: &Scope<'_>,
) -> Result<Plan, SearchError> {
    one_of(definitions, (resource_type, &[resource_type]), query, scope)
}

/// The plans of a query on several resource types, one each: what it asks, each of
/// them must know.
///
/// # Errors
/// [`SearchError`] about the first parameter that is refused.
pub fn plans(
    definitions: &'static Definitions,
    types: &[&str],
    query: &[(String, String)],
    scope: &Scope<'_>,
) -> Result<Vec<Plan>, SearchError> {
    let read = |query: &[(String, String)]| -> Result<Vec<Plan>, SearchError> {
        types.iter().map(|kind| one_of(definitions, (kind, types), query, scope)).collect()
    };
    let mut plans = read(query)?;
    let mut ignored: Vec<SearchError> = Vec::new();
    for error in plans.iter_mut().flat_map(|plan| plan.ignored.drain(..)) {
        if !ignored.iter().any(|known| known.parameter == error.parameter) {
            ignored.push(error);
        }
    }
    if types.len() > 1 && !ignored.is_empty() {
        // What one type does not know is asked of none.
        let known = |name: &String| !ignored.iter().any(|error| *error.parameter == **name);
        let rest: Vec<(String, String)> = query.iter().filter(|(name, _)| known(name)).cloned().collect();
        plans = read(&rest)?;
    }
    let own = |key: &SortKey| matches!(key.by, SortBy::Indexed { .. });
    if let Some(first) = plans.first_mut() {
        if types.len() > 1 && first.sort.iter().any(own) {
            let why = "several types are sorted by _lastUpdated and _id only";
            return Err(SearchError::new("_sort", Reason::Value(why.into())));
        }
        first.ignored = ignored;
    }
    Ok(plans)
}

/// The plan of a query on one of several resource types.
fn one_of(
    definitions: &'static Definitions,
    (resource_type, types): (&str, &[&str]),
    query: &[(String, String)],
    scope: &Scope<'_>,
) -> Result<Plan, SearchError> {
    let catalog = Catalog::of(definitions);
    let index = catalog
        .of_type(resource_type)
        .ok_or_else(|| SearchError::new("", Reason::UnknownType(resource_type.into())))?;
    let mut plan = Plan {
        resource_type: resource_type.into(),
        filters: Vec::new(),
        sort: Vec::new(),
        count: None,
        includes: Vec::new(),
        total: Total::default(),
        shape: Shape::default(),
        used: Vec::new(),
        ignored: Vec::new(),
    };
    let reader = Reader { catalog, index, scope, types };
    let mut left = MOST_VALUES;
    for (name, value) in query {
        left = left.checked_sub(1 + value.matches(',').count()).ok_or_else(|| too_much(name))?;
        if let Err(reason) = reader.parameter(&mut plan, name, value) {
            let error = SearchError::new(name, reason);
            if !(scope.lenient && error.may_be_ignored()) {
                return Err(error);
            }
            plan.ignored.push(error);
        } else {
            plan.used.push((name.as_str().into(), value.as_str().into()));
        }
    }
    result::settle(&mut plan)?;
    Ok(plan)
}

/// The query in an order of its own, so that two ways to write one condition are
/// the same text: for the uniqueness of conditional creates.
pub fn canonical(plan: &Plan) -> String {
    let mut parts: Vec<(Box<str>, Box<str>)> = plan
        .used
        .iter()
        .filter(|(name, _)| !result::is_result(name))
        .map(|(name, value)| {
            let mut values = split(value, ',');
            values.sort_unstable();
            values.dedup();
            (name.clone(), values.join(",").into())
        })
        .collect();
    parts.sort_unstable();
    parts.dedup();
    super::page::query_string(&parts)
}

fn too_much(name: &str) -> SearchError {
    let why = format!("a search may have at most {MOST_VALUES} values");
    SearchError::new(name, Reason::TooMuch(why.into()))
}

/// Reads the parameters of one query.
pub(super) struct Reader<'a> {
    pub(super) catalog: &'static Catalog,
    pub(super) index: &'static TypeIndex,
    pub(super) scope: &'a Scope<'a>,
    /// All types that are searched.
    pub(super) types: &'a [&'a str],
}

impl Reader<'_> {
    fn parameter(&self, plan: &mut Plan, name: &str, value: &str) -> Result<(), Reason> {
        if value.contains('\0') {
            return Err(Reason::Value("a value has no NUL character".into()));
        }
        if result::read(self, plan, name, value)? {
            return Ok(());
        }
        if name.starts_with("_has:") || name == "_has" {
            return Err(Reason::NotDone("a reverse chain".into()));
        }
        let (code, suffix) = match name.split_once(':') {
            Some((code, suffix)) => (code, Some(suffix)),
            None => (name, None),
        };
        if code.contains('.') || suffix.is_some_and(|suffix| suffix.contains('.')) {
            return Err(Reason::NotDone("a chain".into()));
        }
        let modifier = match suffix {
            None => Modifier::None,
            Some(suffix) => Modifier::named(suffix, |name| self.catalog.of_type(name).is_some())
                .ok_or_else(|| Reason::Modifier(format!("there is no modifier :{suffix}").into()))?,
        };
        let filter = match code {
            "_id" => id(modifier, value)?,
            "_lastUpdated" => self.updated(modifier, value)?,
            code => {
                let found = self.index.parameter(code);
                let parameter = found.ok_or_else(|| Reason::Unknown { resource_type: self.index.name.into() })?;
                self.indexed(parameter, modifier, value)?
            }
        };
        plan.filters.push(filter);
        Ok(())
    }

    /// `updated` is one instant, so each prefix is a span of it.
    fn updated(&self, modifier: Modifier<'_>, value: &str) -> Result<Filter, Reason> {
        if modifier != Modifier::None {
            return Err(unfit(modifier, "_lastUpdated"));
        }
        let mut any: Vec<Range<i64>> = Vec::new();
        for part in split(value, ',') {
            let (prefix, text) = Prefix::of(part);
            let asked = span(text, self.scope.local.zone()).map_err(|error| Reason::Value(error.to_string().into()))?;
            let (low, high) = (asked.low, asked.high);
            let now = self.scope.now;
            let nearly = if now >= high { now - high } else { (low - now).max(0) } / 10;
            match prefix {
                Prefix::Eq => any.push(low..high),
                Prefix::Ne => any.extend([i64::MIN..low, high..i64::MAX]),
                Prefix::Gt | Prefix::Sa => any.push(high..i64::MAX),
                Prefix::Lt | Prefix::Eb => any.push(i64::MIN..low),
                Prefix::Ge => any.push(low..i64::MAX),
                Prefix::Le => any.push(i64::MIN..high),
                Prefix::Ap => any.push(low.saturating_sub(nearly)..high.saturating_add(nearly)),
            }
        }
        Ok(Filter::Updated { any })
    }

    fn indexed(&self, parameter: &Parameter, modifier: Modifier<'_>, value: &str) -> Result<Filter, Reason> {
        if modifier == Modifier::Missing {
            return missing(parameter, value);
        }
        let name = modifier.name();
        let kind = parameter.kind;
        if modifier != Modifier::None && !kind.modifiers.contains(&name) {
            if kind.undone.contains(&name) {
                return Err(Reason::ModifierNotDone(name.into()));
            }
            return Err(unfit(modifier, kind.name));
        }
        let definitions = self.catalog.definitions();
        let type_number = |name: &str| definitions.type_number(name);
        let setting = Setting { local: self.scope.local, type_number: &type_number };
        let implies = |system: &str| parameter.implies(definitions, system);
        let mut any = Vec::new();
        for value in split(value, ',') {
            any.extend((kind.parse)(&Question {
                value,
                modifier,
                setting,
                now: self.scope.now,
                types: parameter.types.as_deref(),
                targets: &parameter.targets,
                implies: &implies,
            })?);
        }
        Ok(Filter::Indexed { param: parameter.key.clone(), any, negated: modifier == Modifier::Not })
    }
}

fn id(modifier: Modifier<'_>, value: &str) -> Result<Filter, Reason> {
    let negated = match modifier {
        Modifier::None => false,
        Modifier::Not => true,
        other => return Err(unfit(other, "_id")),
    };
    let mut any = Vec::new();
    for part in split(value, ',') {
        let id = unescape(part)?;
        if id.is_empty() {
            return Err(Reason::Value("an id is wanted".into()));
        }
        any.push(id.as_ref().into());
    }
    Ok(Filter::Id { any, negated })
}

/// A composite has rows if its first part has: an element lacking one has none.
fn missing(parameter: &Parameter, value: &str) -> Result<Filter, Reason> {
    let missing = match value {
        "true" => true,
        "false" => false,
        _ => return Err(Reason::Value(":missing is true or false".into())),
    };
    let (param, tables) = match parameter.parts.first() {
        Some(part) => (part.key.clone(), part.kind.tables),
        None if parameter.kind.name == "special" => {
            (super::catalog::part_key(&parameter.key, 0), parameter.kind.tables)
        }
        None => (parameter.key.clone(), parameter.kind.tables),
    };
    Ok(Filter::Missing { param, tables, missing })
}

fn unfit(modifier: Modifier<'_>, what: &str) -> Reason {
    Reason::Modifier(format!("the modifier :{} does not go with {what}", modifier.name()).into())
}

/// The most values, alternatives counted one by one, that a query may have.
const MOST_VALUES: usize = 1000;

#[cfg(test)]
mod tests {
    use super::super::plan::{CodePattern, Include, Match, Pattern, SortBy, SortColumn, SortKey};
    use super::super::row::Table;
    use super::super::shape::Summary;
    use super::*;
    use jiff::tz::TimeZone;

    fn asked(kind: &str, query: &[(&str, &str)], lenient: bool) -> Result<Plan, SearchError> {
        let local = Local::new("https://here.example/fhir", &TimeZone::fixed(jiff::tz::offset(9)));
        let query: Vec<(String, String)> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        plan(Definitions::embedded(), kind, &query, &Scope { local: &local, now: 0, lenient })
    }

    fn good(kind: &str, query: &[(&str, &str)]) -> Plan {
        asked(kind, query, false).unwrap_or_else(|error| panic!("{error}"))
    }

    fn token(system: Option<&str>, code: &str) -> Match {
        let system = system.map_or(Pattern::Any, |system| Pattern::Is(system.into()));
        Match::Token(CodePattern { system, code: Pattern::Is(code.into()) })
    }

    #[test]
    fn parameters_and_alternatives() {
        let plan = good(
            "Observation",
            &[
                ("patient", "p1"),
                ("code", "http://loinc.org|8302-2,29463-7"),
                ("date", "ge2024"),
                ("date", "lt2025"),
                ("status:not", "entered-in-error"),
            ],
        );
        let patient = Definitions::embedded().type_number("Patient").expect("Patient");
        let of = |number: usize| match &plan.filters[number] {
            Filter::Indexed { param, any, negated } => (&**param, any.clone(), *negated),
            other => panic!("{other:?}"),
        };
        let (param, any, _) = of(0);
        assert_eq!(param, "Observation.patient");
        // R4 lets Observation.patient point at Patients alone.
        assert!(
            matches!(&any[..], [Match::Reference { kinds, id }] if **id == *"p1" && kinds.contains(&patient)),
            "{any:?}"
        );
        assert_eq!(
            of(1),
            ("Observation.code", vec![token(Some("http://loinc.org"), "8302-2"), token(None, "29463-7")], false)
        );
        assert_eq!(of(2).0, "Observation.date");
        assert_eq!(of(4), ("Observation.status", vec![token(None, "entered-in-error")], true));
        assert_eq!(plan.filters.len(), 5);
    }

    #[test]
    fn the_resource_s_own_columns() {
        let plan = good("Patient", &[("_id", "a,b"), ("_lastUpdated", "ge1970-01-01T00:00:00Z"), ("_id:not", "c")]);
        assert_eq!(
            plan.filters,
            [
                Filter::Id { any: vec!["a".into(), "b".into()], negated: false },
                Filter::Updated { any: std::iter::once(0..i64::MAX).collect() },
                Filter::Id { any: vec!["c".into()], negated: true },
            ]
        );
    }

    #[test]
    fn missing_looks_where_rows_may_be() {
        let plan = good("Observation", &[("code-value-quantity:missing", "true"), ("date:missing", "false")]);
        assert_eq!(
            plan.filters[1],
            Filter::Missing { param: "Observation.date".into(), tables: &[Table::Date], missing: false }
        );
        let Filter::Missing { param, missing: true, .. } = &plan.filters[0] else { panic!("{:?}", plan.filters) };
        assert_eq!(&**param, "Observation.code-value-quantity$0");
    }

    #[test]
    fn results_are_shaped() {
        let plan = good(
            "Observation",
            &[
                ("_sort", "-date,code,_id"),
                ("_count", "99999999999999999999"),
                ("_total", "accurate"),
                ("_include", "Observation:subject:Patient"),
                ("_revinclude", "Provenance:target"),
                ("_format", "json"),
            ],
        );
        let key = |param: &str, column, descending| SortKey {
            by: SortBy::Indexed { param: param.into(), column },
            descending,
        };
        assert_eq!(
            plan.sort,
            [
                key("Observation.date", SortColumn::Date, true),
                key("Observation.code", SortColumn::Code, false),
                SortKey { by: SortBy::Id, descending: false }
            ]
        );
        assert_eq!((plan.count, plan.total), (Some(1000), Total::Accurate));
        let patient = Definitions::embedded().type_number("Patient");
        let include = |reverse, source: &str, param: &str, target| Include {
            reverse,
            source: source.into(),
            params: vec![param.into()],
            target,
            iterate: false,
        };
        assert_eq!(
            plan.includes,
            [
                include(false, "Observation", "Observation.subject", patient),
                include(true, "Provenance", "Provenance.target", None)
            ]
        );
        assert_eq!(
            good("Patient", &[("_sort", "identifier")]).sort,
            [key("Patient.identifier", SortColumn::Value, false)]
        );
        for query in [("_count", "0"), ("_summary", "count")] {
            let plan = good("Patient", &[query]);
            assert_eq!((plan.count, plan.total, plan.shape.summary), (Some(0), Total::Accurate, Summary::Count));
        }
    }

    #[test]
    fn every_type_has_the_parameters_of_all() {
        let query =
            [("_tag", "s|c"), ("_profile", "http://x/P"), ("_security", "N"), ("_source", "http://x"), ("_id", "a")];
        for kind in Definitions::embedded().resource_types() {
            assert_eq!(good(kind, &query).filters.len(), 5, "{kind}");
        }
    }

    #[test]
    fn a_code_may_be_asked_with_the_system_it_implies() {
        for (kind, name, value, implied) in [
            ("Observation", "status", "http://hl7.org/fhir/observation-status|final", true),
            ("Patient", "gender", "http://hl7.org/fhir/administrative-gender|male", true),
            ("Patient", "active", "http://terminology.hl7.org/CodeSystem/special-values|true", true),
            ("Observation", "status", "http://hl7.org/fhir/administrative-gender|final", false),
            ("Observation", "code", "http://hl7.org/fhir/observation-status|final", false),
        ] {
            let plan = good(kind, &[(name, value)]);
            let Filter::Indexed { any, .. } = &plan.filters[0] else { panic!("{:?}", plan.filters) };
            let bare = value.split('|').nth(1).expect("a code");
            assert_eq!(any.contains(&token(Some(""), bare)), implied, "{value}");
        }
    }

    #[test]
    fn what_is_refused() {
        for (kind, name, value, code) in [
            ("Nothing", "", "", "invalid"),
            ("Patient", "nothing", "x", "not-supported"),
            ("Patient", "name:nothing", "x", "invalid"),
            ("Patient", "name:not", "x", "invalid"),
            ("Patient", "gender:exact", "x", "invalid"),
            ("Patient", "identifier:of-type", "a|b|c", "not-supported"),
            ("Patient", "name", "", "value"),
            ("Patient", "birthdate", "soon", "value"),
            ("Patient", "gender:missing", "maybe", "value"),
            ("Patient", "_id:exact", "x", "invalid"),
            ("Patient", "_lastUpdated:missing", "true", "invalid"),
            ("Patient", "_count", "-1", "value"),
            ("Patient", "_count", "ten", "value"),
            ("Patient", "_sort", "nothing", "value"),
            ("Patient", "_sort", "", "value"),
            ("Patient", "_include", "Observation:subject", "value"),
            ("Patient", "_include", "Patient:name", "value"),
            ("Patient", "_include", "Patient", "value"),
            ("Patient", "_include:other", "Patient:link", "invalid"),
            ("Patient", "_include:iterate", "Patient:name", "value"),
            ("Patient", "_include", "Patient:link:Observation", "value"),
            ("Patient", "_revinclude", "Patient:general-practitioner", "value"),
            ("Patient", "_summary", "some", "value"),
            ("Patient", "_elements", "nothing", "value"),
            ("Patient", "_filter", "name eq x", "not-supported"),
            ("Patient", "_has:Observation:patient:code", "x", "not-supported"),
            ("Patient", "general-practitioner.name", "x", "not-supported"),
            ("Observation", "subject:Patient.name", "x", "not-supported"),
            ("Observation", "code-value-quantity", "x$5", "not-supported"),
            ("Observation", "subject:Nothing", "x", "invalid"),
        ] {
            let error = asked(kind, &[(name, value)], false).expect_err(name);
            assert_eq!((error.issue_code(), &*error.parameter), (code, name), "{error}");
        }
        let twice = asked("Patient", &[("_count", "1"), ("_count", "2")], false);
        assert_eq!(twice.map(|_| ()), Err(SearchError::new("_count", Reason::Repeated)));
        let many = vec!["x"; 1001].join(",");
        let error = asked("Patient", &[("gender", &many)], false).expect_err("too much");
        assert_eq!(error.issue_code(), "too-costly");
    }

    #[test]
    fn no_value_makes_it_panic() {
        const ODD: [&str; 18] = [
            "",
            ",",
            "|",
            "||",
            "|||",
            "$",
            r"\",
            r"\,",
            "\u{0}",
            "ge",
            "ap-",
            "9e999",
            "-",
            "é|山",
            "0001-01-01T00:00",
            "9999-12-31T23:59:59.999999999+14:00",
            "ap0001",
            "http://[::1]/%zz?#",
        ];
        let definitions = Definitions::embedded();
        for kind in ["Patient", "Observation", "Bundle", "Location", "Group", "MolecularSequence", "RiskAssessment"] {
            let codes = definitions.parameters(kind).iter().map(|parameter| parameter.code.as_str());
            for code in codes.chain(["_sort", "_count", "_include", "_revinclude", "_total", "_summary"]) {
                for suffix in ["", ":exact", ":missing", ":not", ":text", ":Patient", ":identifier", ":", ":é"] {
                    for value in ODD {
                        let _ = asked(kind, &[(&format!("{code}{suffix}"), value)], false);
                    }
                }
            }
        }
    }

    #[test]
    fn lenient_leaves_out_what_is_unknown_and_says_so() {
        let query = [("nothing", "x"), ("_filter", "y"), ("gender", "male")];
        let plan = asked("Patient", &query, true).expect("lenient");
        assert_eq!(plan.ignored.iter().map(|error| &*error.parameter).collect::<Vec<_>>(), ["nothing", "_filter"]);
        assert_eq!(plan.used, [("gender".into(), "male".into())]);
        for (name, value) in [("birthdate", "soon"), ("identifier:of-type", "a|b|c"), ("gender:exact", "x")] {
            assert!(asked("Patient", &[(name, value)], true).is_err(), "{name} would mean something else");
        }
    }

    #[test]
    fn one_condition_has_one_canonical_text() {
        let text = |query: &[(&str, &str)]| canonical(&good("Patient", query));
        let one = text(&[("identifier", "s|1"), ("gender", "male,female"), ("_format", "json")]);
        assert_eq!(one, text(&[("gender", "female,male"), ("identifier", "s|1")]));
        assert_ne!(one, text(&[("gender", "female"), ("identifier", "s|1")]));
    }
}
