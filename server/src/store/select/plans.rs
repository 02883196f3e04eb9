//! The plans of searches on SQLite: whoever asks, no index and no type is read from
//! end to end. `docs/src/reference/search-plans.md` shows some of them. The same on
//! PostgreSQL: `postgres.rs` in this folder.

mod postgres;

use jiff::tz::TimeZone;
use techo_migrations::{Migrator, MigratorTrait};
use techo_profiles::Definitions;
use techo_terminology::Terminology;

use super::*;
use crate::search::index::Local;
use crate::search::page::Direction;
use crate::search::parse::{Scope, plans};
use crate::store::Db;
use crate::store::reader::whose::{OF_ROW, people, shown};

/// A publisher, whose rows are many, an app, that sees one person's, and someone with
/// whom many share.
const ASKED: &[(&str, &str)] = &[
    ("publisher", "Observation?patient.identifier=urn:x|1"),
    ("publisher", "Observation?subject:Patient.identifier=urn:x|1&code=http://loinc.org|29463-7"),
    ("publisher", "Observation?patient.family=山田"),
    ("publisher", "Observation?performer:Organization.partof.name=病院"),
    ("publisher", "Patient?_has:Observation:patient:code=http://loinc.org|29463-7"),
    ("publisher", "Patient?identifier=urn:x|1&_has:Observation:patient:code=http://loinc.org|29463-7"),
    ("publisher", "Patient?_has:Observation:patient:_has:Provenance:target:agent:Practitioner.identifier=urn:x|1"),
    ("publisher", "Encounter?patient._has:Observation:patient:_id=a"),
    ("publisher", "Observation?component-code-value-quantity=http://loinc.org|8480-6$gt140"),
    ("publisher", "Observation?patient.identifier=urn:x|1&value-quantity=gt100|http://unitsofmeasure.org|kg"),
    ("publisher", "Observation?patient=p&value-quantity=gt100"),
    ("publisher", "Observation?patient=p&_sort=-date"),
    ("publisher", "Observation?patient=p&code=http://loinc.org|29463-7"),
    ("publisher", "Observation?patient=p&code=http://loinc.org|29463-7&_sort=-date"),
    ("app", "Observation?patient=p&code=http://loinc.org|29463-7"),
    ("publisher", "Observation?patient=p&code-value-quantity:missing=true"),
    ("app", "Observation?combo-code-value-quantity:missing=false"),
    ("publisher", "Observation?_list=a"),
    ("publisher", "Observation?_filter=patient.identifier eq urn:x|1 and (status eq final or not (code eq a))"),
    ("publisher", "Location?near=35|139|5"),
    ("app", "Observation?patient.identifier=urn:x|1"),
    ("app", "Observation?performer:Organization.partof.name=病院"),
    ("app", "Patient?_has:Observation:patient:code=http://loinc.org|29463-7"),
    ("app", "Observation?code=http://loinc.org|29463-7&value-quantity=gt100"),
    ("app", "Observation?value-quantity=gt100"),
    ("app", "Observation?_sort=-date"),
    ("publisher", "Medication?code=http://www.whocc.no/atc|N02BE01&_contained=true"),
    ("publisher", "Observation?component-code-value-quantity=http://loinc.org|8480-6$gt140&_contained=true"),
    ("publisher", "Organization?partof.name=病院&_contained=true&_containedType=contained&_sort=-_lastUpdated"),
    ("app", "Medication?code=http://www.whocc.no/atc|N02BE01&_contained=true"),
    ("publisher", "Encounter?location:below=Location/a"),
    ("publisher", "Encounter?location:above=Location/a&patient=p"),
    ("publisher", "Observation?encounter.part-of:above=Encounter/a"),
    ("publisher", "QuestionnaireResponse?questionnaire:below=http://x/q|1"),
    ("publisher", "QuestionnaireResponse?questionnaire.title=x"),
    ("publisher", "QuestionnaireResponse?questionnaire.title=x&patient=p"),
    ("publisher", "QuestionnaireResponse?questionnaire.version:missing=true&patient=p"),
    ("app", "QuestionnaireResponse?questionnaire.identifier=urn:x|1"),
    ("publisher", "Questionnaire?_has:QuestionnaireResponse:questionnaire:patient=p"),
    ("publisher", "Questionnaire?url=http://x/q&_has:QuestionnaireResponse:questionnaire:status=completed"),
    ("app", "Questionnaire?_has:QuestionnaireResponse:questionnaire:author=Patient/p"),
    ("publisher", "Patient?_has:QuestionnaireResponse:patient:questionnaire.identifier=urn:x|1"),
    ("publisher", "Library?depends-on:Questionnaire.identifier=urn:x|1"),
    ("publisher", "Medication?_has:MedicationRequest:medication:identifier=urn:x|1&_contained=true"),
    ("app", "Medication?_has:MedicationRequest:medication:status=active&_contained=true&_containedType=contained"),
    ("publisher", "Medication?code=http://www.whocc.no/atc|N02BE01&_lastUpdated=gt2026-01-01&_contained=true"),
    ("publisher", "Medication?_list=a&_contained=true"),
    ("app", "Encounter?location:below=Location/a"),
    ("app", "Medication?_id=m&_contained=true&_containedType=contained"),
    ("many", "Observation?patient=p&code=http://loinc.org|29463-7"),
    ("many", "Observation?patient=p&code=http://loinc.org|29463-7&status=final"),
    ("many", "Observation?code=http://loinc.org|29463-7&value-quantity=gt100"),
    ("many", "Observation?patient.identifier=urn:x|1"),
    ("app", "Practitioner?_has:Observation:performer:code=http://loinc.org|29463-7"),
    ("publisher", "Observation?category:in=http://hl7.org/fhir/ValueSet/observation-category"),
    ("publisher", "Observation?patient=p&category:in=http://hl7.org/fhir/ValueSet/observation-category"),
    ("publisher", "Observation?patient=p&category:not-in=http://hl7.org/fhir/ValueSet/observation-category"),
    ("publisher", "Patient?_has:Observation:patient:category:in=http://hl7.org/fhir/ValueSet/observation-category"),
    ("app", "Observation?category:in=http://hl7.org/fhir/ValueSet/observation-category"),
    ("many", "Observation?category:in=http://hl7.org/fhir/ValueSet/observation-category"),
    ("publisher", "Observation/$lastn?patient=p&code=http://loinc.org|29463-7,3141-9&status:not=cancelled"),
    ("publisher", "Observation/$lastn?patient=p&category=vital-signs&status:not=cancelled"),
    ("app", "Observation/$lastn?patient=p&code=http://loinc.org|29463-7"),
    ("app", "Observation/$lastn?patient=p&category=vital-signs"),
    ("many", "Observation/$lastn?patient=p&category=vital-signs"),
];

/// The plan of a search, and through whose eyes it looks.
fn planned(who: &str, query: &str) -> (Plan, View) {
    let (kind, query) = query.split_once('?').expect("a search");
    let kind = kind.strip_suffix("/$lastn").unwrap_or(kind);
    let (name, value): (Vec<&str>, Vec<&str>) = query.split('&').filter_map(|pair| pair.split_once('=')).unzip();
    let query: Vec<(String, String)> =
        name.into_iter().map(str::to_owned).zip(value.into_iter().map(str::to_owned)).collect();
    let definitions = Definitions::embedded();
    let local = Local::new("https://here.example/fhir", &TimeZone::UTC);
    let terms = Terminology::new(definitions, "https://here.example/fhir");
    let scope = Scope { local: &local, now: 0, lenient: false, terms: &terms };
    let mut plans = plans(definitions, &[kind], &query, &scope).expect("a plan");
    let plan = plans.pop().expect("one type");
    let view = match who {
        "app" => View::sample(Reach::Citizens(vec![5])),
        "many" => View::sample_of_many(),
        _ => View::sample(Reach::Custodian(7)),
    };
    (plan, view)
}

/// The statement of a search.
fn asked(who: &str, query: &str) -> Sql {
    let (plan, view) = planned(who, query);
    let definitions = Definitions::embedded();
    let kind = || definitions.type_number(&plan.resource_type).expect("a type");
    if query.contains("/$lastn?") {
        return latest(&plan, &view, Wanted { patients: &["p"], max: 1, limit: 51 }).expect("it can be visible");
    }
    let order = order(std::slice::from_ref(&plan), Direction::Onward);
    let columns = order.columns(&plan);
    let parts = match plan.of_one_code() {
        Some(_) => vec![of_one_code(kind(), &view, columns)].into_iter(),
        None => parts(&plan, &view, columns).into_iter(),
    };
    let whole = |mut sql: Sql| {
        sql.text(&order.by("r")).text(" LIMIT 51");
        sql
    };
    Sql::union(parts.map(whole).collect())
}

/// Whose the matches of a search are, and of whom anything is shown: asked for the audit log.
fn whose(who: &str, query: &str) -> [Sql; 2] {
    let (plan, view) = planned(who, query);
    let matches = Sql::union(parts(&plan, &view, Sql::new(OF_ROW)));
    [people(matches, Some(100)), shown(&view, &["p", "q"]).expect("something is shown")]
}

/// The steps of a statement's plan, as SQLite tells them.
async fn steps(db: &Db, asked: Sql) -> Vec<String> {
    let mut sql = Sql::new("EXPLAIN QUERY PLAN ");
    sql.push(asked);
    let rows = db.run(sql, false).await.expect("a plan");
    rows.iter().map(|row| row.get(3).expect("a step")).collect()
}

/// Reads a whole index or type: a scan of a table, or a search by what all its rows share.
fn reads_all(step: &str) -> bool {
    let is_set = |name: &str| {
        name.starts_with(['d', 'u', '(']) || matches!(name, "h" | "CONSTANT" | "CONSTANT ROW")
            // The codes of a value set, which the query brings along.
            || name.starts_with("json_each ")
    };
    let scans = step.strip_prefix("SCAN ").is_some_and(|rest| !is_set(rest));
    scans
        || ["(kind=?)", "(param=?)", "(param=? AND kind=?)", "(custodian=?)"]
            .iter()
            .any(|shared| step.ends_with(shared))
}

#[tokio::test]
async fn no_search_reads_an_index_from_end_to_end() {
    let folder = std::env::temp_dir().join(format!("techo-plans-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let db = Db::open(&format!("sqlite:{}", folder.join("db").display())).await.expect("a database");
    Migrator::up(&*db.write().await, None).await.expect("the schema");
    let mut faults = Vec::new();
    for (who, query) in ASKED {
        for sql in std::iter::once(asked(who, query)).chain(whose(who, query)) {
            let steps = steps(&db, sql).await;
            println!("{who}: {query}\n    {}", steps.join("\n    "));
            let bad: Vec<&String> = steps.iter().filter(|step| reads_all(step)).collect();
            if !bad.is_empty() {
                faults.push(format!("{who}: {query}: {bad:?}"));
            }
        }
    }
    drop(db);
    let _ = std::fs::remove_dir_all(folder);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_reads_all_is_seen() {
    for (step, all) in [
        ("SCAN r", true),
        ("SCAN t USING COVERING INDEX token_rid", true),
        ("SEARCH r USING INDEX resource_id (kind=?)", true),
        ("SEARCH t USING PRIMARY KEY (param=?)", true),
        ("SCAN d", false),
        ("SCAN (subquery-3)", false),
        ("SEARCH r USING INTEGER PRIMARY KEY (rowid=?)", false),
        ("SEARCH t USING PRIMARY KEY (param=? AND code=?)", false),
    ] {
        assert_eq!(reads_all(step), all, "{step}");
    }
}
