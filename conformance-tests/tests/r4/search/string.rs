//! String parameters: names and addresses.
//!
//! Source: FHIR R4 search.html#string

use serde_json::{Value, json};

use crate::check::{Check, finds, get, refused, row};
use crate::seed::resource;

/// People with names and addresses in several scripts.
pub fn seed() -> Vec<Value> {
    let named = |id: &str, members: Value| resource("Patient", id, members);
    vec![
        named("mueller", json!({"name": [{"family": "Müller", "given": ["Anna", "Eve"], "prefix": ["Dr."]}]})),
        named("mull", json!({"name": [{"family": "mull", "given": ["Anne"]}, {"text": "Old Name"}]})),
        named("obrien", json!({"name": [{"family": "O'Brien-Smith", "given": ["John Paul"]}]})),
        named("comma", json!({"name": [{"family": "a,b|c$d\\e"}]})),
        named("percent", json!({"name": [{"family": "100%_x"}]})),
        named(
            "home",
            json!({"address": [{"use": "home", "line": ["1-2-3 Sakura"], "city": "Yokohama", "state": "Kanagawa", "postalCode": "2200011", "country": "JP", "text": "Yokohama, Kanagawa"}]}),
        ),
        named("none", json!({"gender": "male"})),
    ]
}

pub fn checks() -> Vec<Check> {
    [plain(), exact(), contains(), several(), parts(), bad()].into_iter().flatten().collect()
}

fn plain() -> Vec<Check> {
    vec![
        row("the whole text", get("Patient?family=Müller"), finds(&["mueller"])),
        row("the beginning", get("Patient?family=Mül"), finds(&["mueller", "mull"])),
        row("case is no matter", get("Patient?family=mÜLLER"), finds(&["mueller"])),
        row("accents are no matter", get("Patient?family=muller"), finds(&["mueller"])),
        row("an accent in the question is no matter", get("Patient?family=müll"), finds(&["mueller", "mull"])),
        row("the middle is no beginning", get("Patient?family=ller"), finds(&[])),
        row("any given name", get("Patient?given=eve"), finds(&["mueller"])),
        row("a name of two words", get("Patient?given=John Paul"), finds(&["obrien"])),
        row("a blank as +", get("Patient?given=John+Paul"), finds(&["obrien"])),
        row("a blank as %20", get("Patient?given=john%20p"), finds(&["obrien"])),
        row("an apostrophe", get("Patient?family=o'brien"), finds(&["obrien"])),
        row("a percent sign is itself", get("Patient?family=100%25"), finds(&["percent"])),
        row("a percent sign is no wildcard", get("Patient?family=%25"), finds(&[])),
        row("an underscore is no wildcard", get("Patient?family=_"), finds(&[])),
        row("an asterisk is no wildcard", get("Patient?family=*"), finds(&[])),
        row("nobody", get("Patient?family=nobody"), finds(&[])),
        row("text in NFD", get("Patient?family=Mu%CC%88ller"), finds(&["mueller"])),
        row("full width letters", get("Patient?family=ｍｕｌｌ"), finds(&["mueller", "mull"])),
    ]
}

fn exact() -> Vec<Check> {
    vec![
        row(":exact", get("Patient?family:exact=Müller"), finds(&["mueller"])),
        row(":exact minds case", get("Patient?family:exact=müller"), finds(&[])),
        row(":exact minds accents", get("Patient?family:exact=Muller"), finds(&[])),
        row(":exact is the whole", get("Patient?family:exact=Mül"), finds(&[])),
        row(":exact of a small one", get("Patient?family:exact=mull"), finds(&["mull"])),
        row(":exact on a percent sign", get("Patient?family:exact=100%25_x"), finds(&["percent"])),
        row(":exact with each escape", get("Patient?family:exact=a\\,b\\|c\\$d\\\\e"), finds(&["comma"])),
    ]
}

fn contains() -> Vec<Check> {
    vec![
        row(":contains, the middle", get("Patient?family:contains=lle"), finds(&["mueller"])),
        row(":contains, the beginning", get("Patient?family:contains=mul"), finds(&["mueller", "mull"])),
        row(":contains, the end", get("Patient?family:contains=SMITH"), finds(&["obrien"])),
        row(":contains without accents", get("Patient?family:contains=ULLE"), finds(&["mueller"])),
        row(":contains of a percent sign", get("Patient?family:contains=0%25"), finds(&["percent"])),
        row(":contains of an underscore", get("Patient?family:contains=_"), finds(&["percent"])),
        row(":contains, not there", get("Patient?family:contains=zzz"), finds(&[])),
    ]
}

fn several() -> Vec<Check> {
    vec![
        row("a comma is or", get("Patient?family=müller,o'brien"), finds(&["mueller", "obrien"])),
        row("an escaped comma is a comma", get("Patient?family=a\\,b"), finds(&["comma"])),
        row("twice is and: two given names of one", get("Patient?given=anna&given=eve"), finds(&["mueller"])),
        row("twice is and: not of two people", get("Patient?given=anna&given=anne"), finds(&[])),
        row("family and given", get("Patient?family=mul&given=anne"), finds(&["mull"])),
        row(":exact of several", get("Patient?family:exact=mull,Müller"), finds(&["mueller", "mull"])),
        row(":missing=true", get("Patient?name:missing=true"), finds(&["home", "none"])),
        row(":missing=false", get("Patient?address:missing=false"), finds(&["home"])),
        row(":missing with another", get("Patient?name:missing=true&gender=male"), finds(&["none"])),
    ]
}

fn parts() -> Vec<Check> {
    vec![
        row("name finds a family name", get("Patient?name=o'b"), finds(&["obrien"])),
        row("name finds a given name", get("Patient?name=anne"), finds(&["mull"])),
        row("name finds a prefix", get("Patient?name=Dr."), finds(&["mueller"])),
        row("name finds the text", get("Patient?name=old name"), finds(&["mull"])),
        row("address finds a line", get("Patient?address=1-2-3"), finds(&["home"])),
        row("address finds a city", get("Patient?address=yokohama"), finds(&["home"])),
        row("address finds a postal code", get("Patient?address=2200011"), finds(&["home"])),
        row("a city", get("Patient?address-city=yoko"), finds(&["home"])),
        row("a state is no city", get("Patient?address-city=kanagawa"), finds(&[])),
        row("a state", get("Patient?address-state=kanagawa"), finds(&["home"])),
        row("a postal code, its beginning", get("Patient?address-postalcode=220"), finds(&["home"])),
        row("a country", get("Patient?address-country=JP"), finds(&["home"])),
    ]
}

fn bad() -> Vec<Check> {
    vec![
        row("an empty value", get("Patient?family="), refused(400, "value").expression("family")),
        row("no value at all", get("Patient?family"), refused(400, "value").expression("family")),
        row("a blank", get("Patient?family=%20"), refused(400, "value")),
        row("an empty alternative", get("Patient?family=,x"), refused(400, "value")),
        row("a modifier of tokens", get("Patient?family:not=x"), refused(400, "invalid").expression("family:not")),
        row("a modifier of tokens, :text", get("Patient?family:of-type=x"), refused(400, "invalid")),
        row("a backslash before nothing", get("Patient?family=x\\"), refused(400, "value")),
    ]
}
