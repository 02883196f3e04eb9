//! Named queries: `_query=name`, each an ordinary search under a name of its own.
//!
//! A query asks its [`asks`](NamedQuery::asks) beside whatever else the caller asks
//! of the type, and so is a [`Plan`] like any other: through the same View, with the
//! same pages, totals and includes. What it sorts by holds where the caller does not
//! say otherwise.
//!
//! To add one: its row in [`QUERIES`]. Its `OperationDefinition`, the claim in the
//! CapabilityStatement and the manual follow. No clinical code stands here: what a
//! record is about is for the caller to ask.
//!
//! Source: FHIR R4 search.html#query

use super::error::SearchError;
use super::parse::Reader;
use super::plan::Plan;
use super::reason::Reason;
use super::time::span;

/// Every named query.
pub const QUERIES: &[NamedQuery] = &[
    NamedQuery {
        name: "latest",
        kind: "Observation",
        summary: "The newest Observation of each code of one patient or several, by the time of care; of an Observation \
                  with two codings the newest of either. Those without a code are left out, as are those that were \
                  cancelled or entered in error.",
        parameters: &[QueryParameter {
            name: PATIENT,
            kind: "reference",
            required: true,
            about: "Whose: the id of a Patient; or subject=Patient/ID. Any other search parameter narrows what is \
                    looked at.",
        }],
        asks: &[NO_RESULT],
        newest: true,
    },
    NamedQuery {
        name: "in-use",
        kind: "MedicationStatement",
        summary: "The medicines that are taken on a day: the statements whose time covers it and that are active or \
                  say when it ends, newest first; none that are on hold, not taken or entered in error.",
        parameters: &[
            QueryParameter {
                name: DAY,
                kind: "date",
                required: false,
                about: "The day, in the server's zone; today if it is not said.",
            },
            ANYONE,
        ],
        asks: &[
            ("status:not", "on-hold,not-taken,entered-in-error"),
            // What was stopped, and nobody says when, is not in use.
            ("_filter", "effective po {on} and (status eq active or effective eb 9999-12-31)"),
            ("_sort", "-effective"),
        ],
        newest: false,
    },
    NamedQuery {
        name: "given",
        kind: "Immunization",
        summary: "The vaccinations that were given, newest first.",
        parameters: &[ANYONE],
        asks: &[("status", "completed"), ("_sort", "-date")],
        newest: false,
    },
];

/// A search under a name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedQuery {
    /// The value of `_query`.
    pub name: &'static str,
    /// The type that is searched.
    pub kind: &'static str,
    /// What it finds, in a sentence or two.
    pub summary: &'static str,
    /// What it is told.
    pub parameters: &'static [QueryParameter],
    /// The search parameters that it stands for; `{on}` is the day.
    asks: &'static [(&'static str, &'static str)],
    /// Of what these find, the newest of each patient and clinical code.
    newest: bool,
}

/// What a named query is told, or what it takes note of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryParameter {
    /// Its name.
    pub name: &'static str,
    /// The kind of search parameter that it is.
    pub kind: &'static str,
    /// It must be there.
    pub required: bool,
    /// What it says.
    pub about: &'static str,
}

/// Leaves out the Observations that are no results.
pub const NO_RESULT: (&str, &str) = ("status:not", "cancelled,entered-in-error");

const ANYONE: QueryParameter = QueryParameter {
    name: PATIENT,
    kind: "reference",
    required: false,
    about: "Whose. Any other search parameter of the type goes with it, too.",
};

const PATIENT: &str = "patient";
/// The parameter that is a query's own, not the type's.
const DAY: &str = "on";

/// The named query that is asked for.
///
/// # Errors
/// [`SearchError`] for a name that is none of `resource_type`: R4 wants that refused,
/// however lenient a server is asked to be.
pub(super) fn asked(
    (resource_type, types): (&str, &[&str]),
    query: &[(String, String)],
) -> Result<Option<&'static NamedQuery>, SearchError> {
    let mut asked = query.iter().filter(|(name, _)| name.split(':').next() == Some(QUERY));
    let Some((given, value)) = asked.next() else { return Ok(None) };
    let wrong = |reason| Err(SearchError::new(given, reason));
    if asked.next().is_some() {
        return wrong(Reason::Repeated);
    }
    if let Some((_, modifier)) = given.split_once(':') {
        return wrong(Reason::ModifierUnfit { name: modifier.into(), what: QUERY.into() });
    }
    let known = QUERIES.iter().find(|one| one.name == value && one.kind == resource_type);
    match known {
        Some(_) if types.len() > 1 => wrong(Reason::QueryAlone),
        Some(known) => Ok(Some(known)),
        None => {
            let shown: String = value.chars().filter(|sign| !sign.is_control()).take(64).collect();
            wrong(Reason::NoQuery { resource_type: resource_type.into(), name: shown.into() })
        }
    }
}

impl NamedQuery {
    /// Whether the parameter is the query's own.
    pub(super) fn takes(&self, name: &str) -> bool {
        name == DAY && self.parameters.iter().any(|one| one.name == DAY)
    }

    /// Puts into a plan, which holds what else is asked, what the query asks.
    pub(super) fn settle(&self, reader: &Reader<'_>, plan: &mut Plan) -> Result<(), SearchError> {
        let day = if self.takes(DAY) { day(reader, plan)? } else { String::new() };
        let sorted = !plan.sort.is_empty();
        for (name, value) in self.asks.iter().filter(|(name, _)| !(sorted && *name == "_sort")) {
            reader
                .parameter(plan, name, &value.replace("{on}", &day))
                .map_err(|reason| SearchError::new(name, reason))?;
        }
        if self.newest {
            let patients = plan.patients().map(|ids| ids.into_iter().map(Box::from).collect());
            let missing = || SearchError::new(PATIENT, Reason::QueryNeeds { parameter: PATIENT.into() });
            plan.newest_of = Some(patients.ok_or_else(missing)?);
        }
        Ok(())
    }
}

/// The day that was said, or today, which the links of the answer then say.
fn day(reader: &Reader<'_>, plan: &mut Plan) -> Result<String, SearchError> {
    let zone = reader.scope.local.zone();
    let mut said = plan.used.iter().filter(|(name, _)| **name == *DAY).map(|(_, day)| day.to_string());
    if let Some(day) = said.next() {
        if said.next().is_some() {
            return Err(SearchError::new(DAY, Reason::Repeated));
        }
        let known = span(&day, zone).map_err(|error| SearchError::new(DAY, error.into()));
        return known.map(|_| day);
    }
    let now = jiff::Timestamp::from_microsecond(reader.scope.now).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let today = now.to_zoned(zone.clone()).date().to_string();
    plan.used.push((DAY.into(), today.as_str().into()));
    Ok(today)
}

/// The parameter that names a query.
pub(super) const QUERY: &str = "_query";

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use techo_profiles::Definitions;

    use super::super::kinds::Local;
    use super::super::parse::{Scope, plan};
    use super::super::plan::SortBy;
    use super::super::terms::NoTerms;
    use super::*;

    fn read(kind: &str, query: &[(&str, &str)]) -> Result<Plan, SearchError> {
        let local = Local::new("https://here.example/fhir", &TimeZone::fixed(jiff::tz::offset(9)));
        // Late on the day before, in UTC.
        let now = "2026-11-27T20:00:00Z".parse::<jiff::Timestamp>().expect("an instant").as_microsecond();
        let scope = Scope { local: &local, now, lenient: true, terms: &NoTerms };
        let query: Vec<(String, String)> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        plan(Definitions::embedded(), kind, &query, &scope)
    }

    #[test]
    fn each_query_is_a_plan_of_its_own() {
        for query in QUERIES {
            let found = read(query.kind, &[("_query", query.name), ("patient", "p")]);
            let found = found.unwrap_or_else(|error| panic!("{}: {error}", query.name));
            assert!(found.filters.len() > 1 && found.ignored.is_empty(), "{}", query.name);
            assert_eq!(found.newest_of.is_some(), query.newest);
            let same = QUERIES.iter().filter(|other| other.name == query.name).count();
            assert_eq!(same, 1, "{}: the id of its definition", query.name);
        }
    }

    #[test]
    fn the_day_is_that_of_the_place() {
        let used = |query: &[(&str, &str)]| read("MedicationStatement", query).map(|plan| plan.used);
        let pair = |name: &str, value: &str| (Box::from(name), Box::from(value));
        assert_eq!(used(&[("_query", "in-use")]), Ok(vec![pair("_query", "in-use"), pair("on", "2026-11-28")]));
        let said = [("_query", "in-use"), ("on", "2026-01")];
        assert_eq!(used(&said), Ok(vec![pair("_query", "in-use"), pair("on", "2026-01")]));
    }

    #[test]
    fn the_callers_own_order_holds() {
        let own = read("Immunization", &[("_sort", "_id"), ("_query", "given")]).expect("a plan");
        assert_eq!(own.sort.iter().map(|key| &key.by).collect::<Vec<_>>(), [&SortBy::Id]);
    }

    #[test]
    fn what_is_asked_wrongly_is_refused_lenient_or_not() {
        for (kind, query, place, code) in [
            ("Patient", vec![("_query", "latest")], "_query", "not-supported"),
            ("Observation", vec![("_query", "")], "_query", "not-supported"),
            ("Observation", vec![("_query", "latest"), ("_query", "latest")], "_query", "invalid"),
            ("Observation", vec![("_query:exact", "latest")], "_query:exact", "invalid"),
            ("Observation", vec![("_query", "latest")], "patient", "value"),
            ("Observation", vec![("_query", "latest"), ("subject", "Group/x")], "patient", "value"),
            ("MedicationStatement", vec![("_query", "in-use"), ("on", "gt2026")], "on", "value"),
            ("MedicationStatement", vec![("_query", "in-use"), ("on", "2026"), ("on", "2026")], "on", "invalid"),
            ("MedicationStatement", vec![("_query", "in-use"), ("on", "2026 or status eq x")], "on", "value"),
        ] {
            let error = read(kind, &query).expect_err(place);
            assert_eq!((&*error.parameter, error.issue_code()), (place, code), "{query:?}");
        }
    }
}
