//! Queries and the plans they become.

use super::super::address::Ways;
use super::super::plan::{CodePattern, Include, Match, Pattern, SortBy, SortColumn, SortKey, Total};
use super::super::row::{ParamKey, Table};
use super::super::shape::Summary;
use super::super::terms::NoTerms;
use super::*;
use jiff::tz::TimeZone;

fn asked(kind: &str, query: &[(&str, &str)], lenient: bool) -> Result<Plan, SearchError> {
    let local = Local::new("https://here.example/fhir", &TimeZone::fixed(jiff::tz::offset(9)));
    let query: Vec<(String, String)> =
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    plan(Definitions::embedded(), kind, &query, &Scope { local: &local, now: 0, lenient, terms: &NoTerms })
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
        Filter::Missing { parts: vec![("Observation.date".into(), &[Table::Date])], missing: false }
    );
    let parts: Vec<(ParamKey, &[Table])> = vec![
        ("Observation.code-value-quantity$0".into(), &[Table::Token, Table::Identifier]),
        ("Observation.code-value-quantity$1".into(), &[Table::Quantity]),
    ];
    assert_eq!(plan.filters[0], Filter::Missing { parts, missing: true });
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
    let key =
        |param: &str, column, descending| SortKey { by: SortBy::Indexed { param: param.into(), column }, descending };
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
        named: vec![],
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
    assert_eq!(good("Patient", &[("_sort", "identifier")]).sort, [key("Patient.identifier", SortColumn::Value, false)]);
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
        ("Patient", "identifier:of-type", "a|b", "value"),
        ("Patient", "gender:of-type", "a|b|c", "invalid"),
        ("Patient", "gender:below", "male", "value"),
        ("Patient", "gender:below", "http://nowhere|male", "not-found"),
        ("Patient", "gender:in", "http://nowhere", "not-found"),
        ("Patient", "gender:not-in", "http://nowhere", "not-found"),
        ("Patient", "general-practitioner:above", "x", "value"),
        ("Patient", "general-practitioner:above", "Practitioner/x", "invalid"),
        ("Patient", "general-practitioner:above", "http://x/y|1", "invalid"),
        ("Patient", "name", "", "value"),
        ("Patient", "birthdate", "soon", "value"),
        ("Patient", "gender:missing", "maybe", "value"),
        ("Patient", "_id:exact", "x", "invalid"),
        ("Patient", "_lastUpdated:missing", "maybe", "value"),
        ("Patient", "_id:missing", "", "value"),
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
        ("Patient", "_filter", "name eq", "value"),
        ("Patient", "_filter", "nothing eq x", "not-supported"),
        ("Patient", "_filter", "gender co x", "value"),
        ("Patient", "_filter", "birthdate gt le2020", "value"),
        ("Patient", "_filter:not", "name eq x", "invalid"),
        ("Patient", "_query", "x", "not-supported"),
        ("Patient", "_list", "$current-problems", "not-supported"),
        ("Patient", "_list", "a b", "value"),
        ("Patient", "_list:not", "a", "invalid"),
        ("Patient", "_has", "x", "value"),
        ("Patient", "_has:Observation", "x", "value"),
        ("Patient", "_has:Observation:patient", "x", "value"),
        ("Patient", "_has:Nothing:patient:code", "x", "invalid"),
        ("Patient", "_has:Observation:encounter:code", "x", "value"),
        ("Patient", "_has:Observation:code:status", "x", "value"),
        ("Patient", "_has:Observation:patient:nothing", "x", "not-supported"),
        ("Patient", "_has:AuditEvent:patient:date", "2020", "not-supported"),
        ("Patient", "name.given", "x", "value"),
        ("Patient", "general-practitioner.nothing", "x", "not-supported"),
        ("Patient", "general-practitioner:Patient.name", "x", "invalid"),
        ("Patient", "general-practitioner:exact.name", "x", "invalid"),
        ("Patient", "general-practitioner.", "x", "not-supported"),
        ("Provenance", "target.name", "x", "value"),
        ("Observation", "encounter.subject:Patient.link:Patient.general-practitioner.name", "x", "too-costly"),
        ("Observation", "code-value-quantity", "x", "value"),
        ("Observation", "code-value-quantity", "x$y", "value"),
        ("Observation", "code-value-quantity", "x$5$5", "value"),
        ("Location", "near", "here", "value"),
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
        for code in codes.chain([
            "_sort",
            "_count",
            "_include",
            "_revinclude",
            "_total",
            "_summary",
            "_text",
            "_content",
            "_query",
            "_contained",
        ]) {
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
    let query = [("nothing", "x"), ("_type", "Patient"), ("gender", "male")];
    let plan = asked("Patient", &query, true).expect("lenient");
    assert_eq!(plan.ignored.iter().map(|error| &*error.parameter).collect::<Vec<_>>(), ["nothing", "_type"]);
    assert_eq!(plan.used, [("gender".into(), "male".into())]);
    for (name, value) in [("birthdate", "soon"), ("_filter", "y"), ("identifier:of-type", "a|b"), ("gender:exact", "x")]
    {
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

#[test]
fn chains_go_to_each_type_that_knows_the_parameter() {
    let number = |name: &str| Definitions::embedded().type_number(name).expect(name);
    let plan = good("Observation", &[("subject:Patient.identifier", "s|1"), ("performer.name", "x")]);
    let identifier = CodePattern { system: Pattern::Is("s".into()), code: Pattern::Is("1".into()) };
    let indexed = Filter::Indexed {
        param: "Patient.identifier".into(),
        any: vec![Match::Identifier(identifier)],
        negated: false,
    };
    assert_eq!(
        plan.filters[0],
        Filter::Chain {
            param: "Observation.subject".into(),
            target: number("Patient"),
            by: Ways { place: true, address: None, within: true },
            filters: vec![indexed]
        }
    );
    let Filter::Any(any) = &plan.filters[1] else { panic!("{:?}", plan.filters[1]) };
    let targets = any.iter().map(|one| match one {
        Filter::Chain { target, .. } => *target,
        other => panic!("{other:?}"),
    });
    let named = ["Organization", "Patient", "Practitioner", "RelatedPerson"].map(number);
    let mut targets: Vec<u16> = targets.collect();
    targets.sort_unstable();
    assert_eq!(targets, named, "CareTeam and PractitionerRole have no name");
}

#[test]
fn chains_and_reverse_chains_mix() {
    let plan = good(
        "Patient",
        &[("_has:Observation:patient:_has:Provenance:target:agent:Practitioner.name", "x"), ("_list", "1,List/2")],
    );
    let Filter::Has { source, filters, .. } = &plan.filters[0] else { panic!("{:?}", plan.filters) };
    assert_eq!(Some(*source), Definitions::embedded().type_number("Observation"));
    let [Filter::Has { param, filters, .. }] = &filters[..] else { panic!("{filters:?}") };
    assert_eq!(&**param, "Provenance.target");
    assert!(matches!(&filters[..], [Filter::Chain { param, .. }] if **param == *"Provenance.agent"), "{filters:?}");
    let Filter::Has { param, filters, .. } = &plan.filters[1] else { panic!("{:?}", plan.filters) };
    assert_eq!(&**param, "List.has");
    assert_eq!(filters[..], [Filter::Id { any: vec!["1".into(), "2".into()], negated: false }]);
}

#[test]
fn the_parts_of_a_composite_are_read_by_their_kinds() {
    let plan = good("Observation", &[("component-code-value-quantity", r"http://loinc.org|8480-6$gt100,a\$b$5")]);
    let Filter::Together { any } = &plan.filters[0] else { panic!("{:?}", plan.filters) };
    let keys: Vec<&str> = any[0].iter().map(|(key, _)| &**key).collect();
    assert_eq!(keys, ["Observation.component-code-value-quantity$0", "Observation.component-code-value-quantity$1"]);
    assert_eq!(any[0][0].1, [token(Some("http://loinc.org"), "8480-6")]);
    assert_eq!(any[1][0].1, [token(None, "a$b")]);
    assert!(matches!(any[0][1].1[..], [Match::Quantity { .. }]), "{any:?}");
}

#[test]
fn a_filter_at_the_top_is_as_good_as_several_parameters() {
    let one = good("Patient", &[("_filter", "gender eq male and (birthdate ge 2000 or not (active eq true))")]);
    assert_eq!(one.filters[0], good("Patient", &[("gender", "male")]).filters[0]);
    let Filter::Any(any) = &one.filters[1] else { panic!("{:?}", one.filters) };
    assert!(matches!(any[..], [Filter::Indexed { .. }, Filter::Not(_)]), "{any:?}");
    let text = |filter: &str| canonical(&good("Patient", &[("_filter", filter)]));
    assert_ne!(text("name eq \"a,b\""), text("name eq \"b,a\""));
}

#[test]
fn conditions_are_bounded() {
    let many = vec!["gender eq male"; 200].join(" or ");
    for (kind, name, value, times) in [("Patient", "_filter", &*many, 1), ("Observation", "performer.name", "x", 10)] {
        let error = asked(kind, &vec![(name, value); times], false).expect_err(name);
        assert_eq!(error.issue_code(), "too-costly", "{error}");
    }
}
