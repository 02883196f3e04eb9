//! `_count`, `_total`, links, and what may be done with them.
//!
//! Source: FHIR R4 search.html#count, #total; http.html#paging

use serde_json::{Value, json};

use crate::check::{Check, Who, ask, delete, finds, get, in_order, ok, put, refused, row, status};
use crate::seed::{observation, patient};

pub fn seed() -> Vec<Value> {
    let dated = |day: u32| observation(&format!("o{day}"), json!({"effectiveDateTime": format!("2026-01-{day:02}")}));
    let mut all = vec![patient("p", "x")];
    all.extend((1..=7).map(dated));
    all
}

pub fn checks() -> Vec<Check> {
    [counts(), walks(), links(), bad()].into_iter().flatten().collect()
}

fn counts() -> Vec<Check> {
    vec![
        row(
            "_count",
            get("Observation?_sort=date&_count=2"),
            in_order(&["o1", "o2"]).total(7).link("next", "{base}/Observation?"),
        ),
        row(
            "_count of all",
            get("Observation?_sort=date&_count=7"),
            in_order(&["o1", "o2", "o3", "o4", "o5", "o6", "o7"]).total(7).no_link("next"),
        ),
        row("_count above all", get("Observation?_count=500"), ok().total(7).length("/entry", 7).no_link("next")),
        row(
            "_count above the most is cut, not refused",
            get("Observation?_count=100000"),
            ok().total(7).length("/entry", 7),
        ),
        row("_count=0 counts", get("Observation?_count=0"), ok().total(7).absent("/entry").no_link("next")),
        row("_summary=count counts", get("Observation?_summary=count"), ok().total(7).absent("/entry").no_link("next")),
        row(
            "_summary=count of some",
            get("Observation?_summary=count&date=ge2026-01-05"),
            ok().total(3).absent("/entry"),
        ),
        row("_summary=count of none", get("Observation?_summary=count&date=lt2020"), ok().total(0)),
        row(
            "_summary=false is the whole",
            get("Observation?_summary=false&_id=o1"),
            finds(&["o1"]).at("/entry/0/resource/status", "final"),
        ),
        row("_total=accurate", get("Observation?_total=accurate&_count=1"), ok().total(7).length("/entry", 1)),
        row("_total=none", get("Observation?_total=none&_count=1"), ok().absent("/total").length("/entry", 1)),
        row(
            "_total=estimate is at least what is there",
            get("Observation?_total=estimate&_count=1"),
            ok().present("/total"),
        ),
        row("nothing found", get("Observation?date=lt2020"), finds(&[]).total(0).absent("/entry").no_link("next")),
    ]
}

fn walks() -> Vec<Check> {
    vec![
        row("the first page", get("Observation?_sort=date&_count=3"), in_order(&["o1", "o2", "o3"]).keep_link("next")),
        row("the second", get("{next}"), in_order(&["o4", "o5", "o6"]).total(7).keep_link("next")),
        row("the last", get("{next}"), in_order(&["o7"]).no_link("next")),
        row(
            "the first page, newest first",
            get("Observation?_sort=-date&_count=3"),
            in_order(&["o7", "o6", "o5"]).keep_link("next"),
        ),
        row("one of the page is deleted", delete("Observation/o6"), status(204)),
        row(
            "one that was passed is changed",
            put("Observation/o7", &observation("o7", json!({"effectiveDateTime": "2026-01-08"}))),
            ok(),
        ),
        row(
            "one comes in before the place",
            put("Observation/o9", &observation("o9", json!({"effectiveDateTime": "2026-01-09"}))),
            status(201),
        ),
        row(
            "the second page neither repeats nor leaves out",
            get("{next}"),
            in_order(&["o4", "o3", "o2"]).keep_link("next"),
        ),
        row("one to come is deleted", delete("Observation/o1"), status(204)),
        row("the third is empty or absent", get("{next}"), in_order(&[]).no_link("next")),
        row("unsorted, in pages", get("Observation?_count=4"), ok().length("/entry", 4).keep_link("next")),
        row("the rest", get("{next}"), ok().length("/entry", 2).no_link("next")),
        row(
            "a page of a search that counts",
            get("Observation?_count=2&_total=none&_sort=_id"),
            in_order(&["o2", "o3"]).keep_link("next"),
        ),
        row("counts no more on the next", get("{next}"), in_order(&["o4", "o5"]).absent("/total")),
    ]
}

fn links() -> Vec<Check> {
    vec![
        row(
            "self is the question",
            get("Observation?code=8302-2&_count=2"),
            ok().link("self", "{base}/Observation?code=8302-2").link("self", "_count=2"),
        ),
        row("self of no question", get("Observation"), ok().link("self", "{base}/Observation")),
        row(
            "self of a form",
            ask("POST", "Observation/_search").form("code=8302-2&_count=2"),
            ok().link("self", "{base}/Observation?code=8302-2"),
        ),
        row("self keeps what is escaped", get("Patient?family=a%26b"), finds(&[]).link("self", "family=a%26b")),
        row("self keeps a plus", get("Patient?family=a%2Bb"), finds(&[]).link("self", "family=a%2Bb")),
        row(
            "a fullUrl is absolute",
            get("Observation?_id=o2"),
            ok().at("/entry/0/fullUrl", "{base}/Observation/o2").at("/entry/0/search/mode", "match"),
        ),
        row(
            "form and URL are one question",
            ask("POST", "Observation/_search?date=ge2026-01-04").form("date=le2026-01-05"),
            finds(&["o4", "o5"]),
        ),
        row("an empty form is a search for all", ask("POST", "Observation/_search").form(""), ok().total(6)),
        row(
            "a form of Japanese",
            ask("POST", "Patient/_search").form("family=山田"),
            finds(&[]).link("self", "family=%E5%B1%B1"),
        ),
        row("a page to keep", get("Observation?_count=1"), ok().keep_link("next")),
        row("a page without a token", get("{next}").by(Who::Nobody), refused(401, "login")),
        row("a page of another's", get("{next}").by(Who::Mother), refused(400, "value")),
        row("a page asked in a form", ask("POST", "Observation/_search").form("_page=nonsense"), refused(400, "value")),
        row("a forged page", get("{next}x"), refused(400, "value")),
        row("a page and another parameter", get("{next}&code=8302-2"), refused(400, "value")),
    ]
}

fn bad() -> Vec<Check> {
    let refuse = |name: &str, query: &str, place: &str| {
        row(name, get(&format!("Observation?{query}")), refused(400, "value").expression(place))
    };
    vec![
        refuse("_count below nothing", "_count=-1", "_count"),
        refuse("_count of no number", "_count=many", "_count"),
        refuse("_count of no value", "_count=", "_count"),
        refuse("_count of a fraction", "_count=1.5", "_count"),
        refuse("_total of no such", "_total=perhaps", "_total"),
        refuse("_summary of no such", "_summary=perhaps", "_summary"),
        row("_count twice", get("Observation?_count=1&_count=2"), refused(400, "invalid").expression("_count")),
        row("_page of nothing", get("Observation?_page=x"), refused(400, "value")),
    ]
}
