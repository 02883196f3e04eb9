//! Date parameters: every date is a span, a prefix says how two spans lie.
//!
//! The spans here, in the order of their beginnings (+09:00 where no zone is
//! written, as the sample world's server is set):
//!
//! | id | span |
//! |---|---|
//! | `year` | 2013 |
//! | `month` | 2013-01 |
//! | `day` | 2013-01-14 |
//! | `ten` | 2013-01-14T10:00:00+09:00, one second |
//! | `utc` | 2013-01-14T20:00:00Z, which is the 15th at 05:00 here |
//! | `next` | 2013-01-15 |
//! | `from` | a Period from 2013-01-21, without an end |
//! | `until` | a Period without a start until 2013-01-10 |
//! | `week` | a Period 2013-01-14 to 2013-01-20 |
//!
//! Source: FHIR R4 search.html#date

use serde_json::{Value, json};

use crate::check::{Check, finds, get, refused, row};
use crate::seed::{observation, patient, resource};

pub fn seed() -> Vec<Value> {
    let at = |id: &str, date: &str| observation(id, json!({"effectiveDateTime": date}));
    let over = |id: &str, period: Value| observation(id, json!({"effectivePeriod": period}));
    vec![
        resource("Patient", "p", json!({"birthDate": "1990-05-20"})),
        patient("unborn", "x"),
        at("year", "2013"),
        at("month", "2013-01"),
        at("day", "2013-01-14"),
        at("ten", "2013-01-14T10:00:00+09:00"),
        at("utc", "2013-01-14T20:00:00Z"),
        at("next", "2013-01-15"),
        over("from", json!({"start": "2013-01-21"})),
        over("until", json!({"end": "2013-01-10"})),
        over("week", json!({"start": "2013-01-14", "end": "2013-01-20"})),
        observation("never", json!({})),
        resource("Patient", "leap", json!({"birthDate": "2012-02-29"})),
        resource("Patient", "vague", json!({"birthDate": "2012"})),
    ]
}

pub fn checks() -> Vec<Check> {
    [equal(), unequal(), after(), before(), beyond(), zones(), people(), bad()].into_iter().flatten().collect()
}

/// The span asked for holds the whole span there is.
fn equal() -> Vec<Check> {
    let january = ["month", "day", "ten", "utc", "next", "week"];
    vec![
        row("a day", get("Observation?date=2013-01-14"), finds(&["day", "ten"])),
        row("a day, eq", get("Observation?date=eq2013-01-14"), finds(&["day", "ten"])),
        row("a month holds its days", get("Observation?date=2013-01"), finds(&january)),
        row(
            "a year holds its months",
            get("Observation?date=2013"),
            finds(&["year", "month", "day", "ten", "utc", "next", "week"]),
        ),
        row("a second", get("Observation?date=2013-01-14T10:00:00%2B09:00"), finds(&["ten"])),
        row("a minute", get("Observation?date=2013-01-14T10:00"), finds(&["ten"])),
        row("another minute", get("Observation?date=2013-01-14T10:01"), finds(&[])),
        row("midnight is a second, no day", get("Observation?date=2013-01-14T00:00:00"), finds(&[])),
        row("a day without any", get("Observation?date=2013-01-16"), finds(&[])),
        row("an open end is never held", get("Observation?date=2013-01-21"), finds(&[])),
        row("two days", get("Observation?date=2013-01-14,2013-01-15"), finds(&["day", "ten", "utc", "next"])),
        row("a day and a month", get("Observation?date=2013-01-14&date=2013-01"), finds(&["day", "ten"])),
        row("two days at once", get("Observation?date=2013-01-14&date=2013-01-15"), finds(&[])),
    ]
}

/// The span asked for does not hold the whole span there is.
fn unequal() -> Vec<Check> {
    let not_fourteenth = ["year", "month", "utc", "next", "from", "until", "week"];
    vec![
        row("ne a day", get("Observation?date=ne2013-01-14"), finds(&not_fourteenth)),
        row("ne a month: what reaches beyond it", get("Observation?date=ne2013-01"), finds(&["year", "from", "until"])),
        row("ne a year", get("Observation?date=ne2013"), finds(&["from", "until"])),
        row(
            "ne does not find what has no date",
            get("Observation?date=ne2020"),
            finds(&["year", "month", "day", "ten", "utc", "next", "from", "until", "week"]),
        ),
        row("ne twice", get("Observation?date=ne2013-01&date=ne2013"), finds(&["from", "until"])),
    ]
}

/// `gt`, `ge`: some of what there is lies above.
fn after() -> Vec<Check> {
    vec![
        row(
            "gt a day: none of the day itself",
            get("Observation?date=gt2013-01-14"),
            finds(&["year", "month", "utc", "next", "from", "week"]),
        ),
        row(
            "gt an hour of the day: the day reaches above",
            get("Observation?date=gt2013-01-14T10:00"),
            finds(&["year", "month", "day", "utc", "next", "from", "week"]),
        ),
        row("gt the month", get("Observation?date=gt2013-01"), finds(&["year", "from"])),
        row("gt the year: an open end reaches above", get("Observation?date=gt2013"), finds(&["from"])),
        row(
            "ge a day: the day too",
            get("Observation?date=ge2013-01-14"),
            finds(&["year", "month", "day", "ten", "utc", "next", "from", "week"]),
        ),
        row("ge after an open end began", get("Observation?date=ge2013-03-14"), finds(&["year", "from"])),
        row(
            "ge the last day of a period: it overlaps",
            get("Observation?date=ge2013-01-20"),
            finds(&["year", "month", "week", "from"]),
        ),
        row("gt the last day of a period", get("Observation?date=gt2013-01-20"), finds(&["year", "month", "from"])),
        row(
            "ge a second",
            get("Observation?date=ge2013-01-14T20:00:00Z"),
            finds(&["year", "month", "utc", "next", "from", "week"]),
        ),
    ]
}

/// `lt`, `le`: some of what there is lies below.
fn before() -> Vec<Check> {
    vec![
        row(
            "lt a day: none of the day itself",
            get("Observation?date=lt2013-01-14"),
            finds(&["year", "month", "until"]),
        ),
        row(
            "lt an hour of the day: the day begins below",
            get("Observation?date=lt2013-01-14T10:00"),
            finds(&["year", "month", "day", "until", "week"]),
        ),
        row("lt the month", get("Observation?date=lt2013-01"), finds(&["until"])),
        row(
            "le a day: the day too",
            get("Observation?date=le2013-01-14"),
            finds(&["year", "month", "week", "day", "ten", "until"]),
        ),
        row(
            "le after an open period began",
            get("Observation?date=le2013-03-14"),
            finds(&["year", "month", "day", "ten", "utc", "next", "from", "until", "week"]),
        ),
        row(
            "lt the first day of an open period",
            get("Observation?date=lt2013-01-21"),
            finds(&["year", "month", "day", "ten", "utc", "next", "until", "week"]),
        ),
        row("le before all", get("Observation?date=le2012"), finds(&["until"])),
        row(
            "from and until",
            get("Observation?date=ge2013-01-14&date=le2013-01-14"),
            finds(&["year", "month", "week", "day", "ten"]),
        ),
        row(
            "from and until, half open",
            get("Observation?date=ge2013-01-15&date=lt2013-01-16"),
            finds(&["year", "month", "utc", "next", "week"]),
        ),
    ]
}

/// `sa`, `eb`: all of what there is lies above, or below; `ap`: they meet.
fn beyond() -> Vec<Check> {
    vec![
        row("sa a day", get("Observation?date=sa2013-01-14"), finds(&["utc", "next", "from"])),
        row("sa: the period began before", get("Observation?date=sa2013-01-21"), finds(&[])),
        row("sa an hour of a day", get("Observation?date=sa2013-01-14T10:00"), finds(&["utc", "next", "from"])),
        row(
            "sa the year before",
            get("Observation?date=sa2012"),
            finds(&["year", "month", "day", "ten", "utc", "next", "from", "week"]),
        ),
        row("eb a day", get("Observation?date=eb2013-01-14"), finds(&["until"])),
        row(
            "eb after a period's end",
            get("Observation?date=eb2013-01-21"),
            finds(&["day", "ten", "utc", "next", "until", "week"]),
        ),
        row(
            "eb on the last day of a period",
            get("Observation?date=eb2013-01-20"),
            finds(&["day", "ten", "utc", "next", "until"]),
        ),
        row(
            "eb the year after",
            get("Observation?date=eb2014"),
            finds(&["year", "month", "day", "ten", "utc", "next", "until", "week"]),
        ),
        row(
            "ap finds the day itself",
            get("Observation?date=ap2013-01-14&code=8302-2&_id=day,ten"),
            finds(&["day", "ten"]),
        ),
        row("ap of today is not years ago", get("Observation?date=ap2026-11-01"), finds(&["from"])),
    ]
}

fn zones() -> Vec<Check> {
    vec![
        row("a second, by another zone", get("Observation?date=2013-01-14T01:00:00Z"), finds(&["ten"])),
        row("a second, west of here", get("Observation?date=2013-01-13T20:00:00-05:00"), finds(&["ten"])),
        row("the day here, not the day there", get("Observation?date=2013-01-15"), finds(&["utc", "next"])),
        row("a time without a zone is here", get("Observation?date=2013-01-15T05:00:00"), finds(&["utc"])),
        row("Z", get("Observation?date=2013-01-14T20:00:00Z"), finds(&["utc"])),
        row("+00:00", get("Observation?date=2013-01-14T20:00:00%2B00:00"), finds(&["utc"])),
        row("a fraction of another second", get("Observation?date=2013-01-14T20:00:00.5Z"), finds(&[])),
        row(
            "a bare plus is a blank, and said so",
            get("Observation?date=2013-01-14T10:00:00+09:00"),
            refused(400, "value").holds("%2B"),
        ),
    ]
}

fn people() -> Vec<Check> {
    vec![
        row("a birthday", get("Patient?birthdate=1990-05-20"), finds(&["p"])),
        row("born in a month", get("Patient?birthdate=1990-05"), finds(&["p"])),
        row("the leap day", get("Patient?birthdate=2012-02-29"), finds(&["leap"])),
        row("a year that holds both", get("Patient?birthdate=2012"), finds(&["leap", "vague"])),
        row("between", get("Patient?birthdate=ge1990-01-01&birthdate=lt1991-01-01"), finds(&["p"])),
        row(":missing=true", get("Patient?birthdate:missing=true"), finds(&["unborn"])),
        row(":missing=false", get("Patient?birthdate:missing=false"), finds(&["p", "leap", "vague"])),
        row("_lastUpdated, the past", get("Patient?_lastUpdated=lt2020"), finds(&[])),
        row("_lastUpdated, since", get("Patient?_lastUpdated=ge2020-01-01"), finds(&["p", "unborn", "leap", "vague"])),
        row(
            "_lastUpdated, both ends",
            get("Patient?_lastUpdated=ge2020&_lastUpdated=lt2100"),
            finds(&["p", "unborn", "leap", "vague"]),
        ),
        row("_lastUpdated, ne", get("Patient?_lastUpdated=ne2020"), finds(&["p", "unborn", "leap", "vague"])),
    ]
}

fn bad() -> Vec<Check> {
    let value = |name: &str, text: &str| {
        row(name, get(&format!("Observation?date={text}")), refused(400, "value").expression("date"))
    };
    vec![
        value("no date", ""),
        value("a prefix alone", "gt"),
        value("a word", "today"),
        value("a month that is none", "2013-13"),
        value("a day that is none", "2013-02-30"),
        value("29 February of no leap year", "2013-02-29"),
        value("an hour that is none", "2013-01-14T25:00"),
        value("two digits of a year", "13"),
        value("an unknown prefix", "xx2013"),
        value("a prefix in capitals", "GE2013"),
        value("a slash", "2013/01/14"),
        value("one good, one bad", "2013,today"),
        row(
            "a modifier of strings",
            get("Observation?date:exact=2013"),
            refused(400, "invalid").expression("date:exact"),
        ),
        row(":not is for tokens", get("Observation?date:not=2013"), refused(400, "invalid")),
    ]
}
