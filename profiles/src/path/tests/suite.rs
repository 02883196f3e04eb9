//! HL7's own test suite, where it is to be had.
//!
//! `TECHO_FHIRPATH_SUITE` names a directory with `tests-fhir-r4.xml` and its
//! inputs as JSON under `input/`. What is expected to fail is listed with the
//! reason, and must fail: a line that no longer holds is an error too.

use std::num::NonZeroU32;

use regex::Regex;

use super::{context, text};
use crate::codes::NoCodes;
use crate::json::Json;
use crate::path::temporal::DateTime;
use crate::path::{Canonical, Context, Expression, Item, Knowledge, Units};

/// Cases of the suite that we do not answer as it wants, and why.
const EXPECTED_FAILURES: &[(&str, &str)] = &[];

/// The crate that carries the suite lacks this input; ours is of the shape that the
/// case asks about, a name given by an extension alone beside one that is written.
const PATIENT_NAME_EXTENSIONS: &str = r#"{"resourceType": "Patient", "name": [{"given": [null, "x"],
    "_given": [{"extension": [{"url": "urn:x", "valueString": "a"}]}, null]}]}"#;

#[expect(clippy::struct_excessive_bools, reason = "the attributes of a test, as the suite has them")]
struct Case {
    name: String,
    input: String,
    expression: String,
    strict: bool,
    predicate: bool,
    invalid: bool,
    ordered: bool,
    outputs: Vec<String>,
}

#[test]
fn hl7_suite() {
    let Ok(directory) = std::env::var("TECHO_FHIRPATH_SUITE") else {
        eprintln!("skipped: TECHO_FHIRPATH_SUITE names no directory");
        return;
    };
    let xml = std::fs::read_to_string(format!("{directory}/tests-fhir-r4.xml")).expect("the suite");
    let cases = cases(&xml);
    let (mut failures, mut passed, mut skipped) = (Vec::new(), 0, 0);
    for case in &cases {
        let Some(resource) = resource(&directory, &case.input) else {
            skipped += 1;
            continue;
        };
        match run(case, &resource) {
            Ok(()) => passed += 1,
            Err(why) => failures.push((case, why)),
        }
    }
    let expected = |name: &str| EXPECTED_FAILURES.iter().any(|row| row.0 == name);
    let mut surprises = 0;
    for (case, why) in &failures {
        let mark = if expected(&case.name) { "expected" } else { "FAILED" };
        surprises += usize::from(!expected(&case.name));
        eprintln!("{mark} {}: {} -> {why}", case.name, case.expression.trim());
    }
    eprintln!("{passed} of {} passed, {skipped} without input", cases.len());
    assert!(!cases.is_empty(), "no cases were read");
    assert_eq!(surprises, 0, "failures that are not expected");
    for (name, _) in EXPECTED_FAILURES {
        assert!(failures.iter().any(|(case, _)| case.name == *name), "{name} is expected to fail, and did not");
    }
}

fn run(case: &Case, resource: &Json) -> Result<(), String> {
    let hooks = Hooks;
    let now = DateTime::parse("2026-11-22T12:34:56.789+09:00").expect("a time");
    let knowledge = Knowledge { definitions: crate::Definitions::embedded(), codes: &NoCodes };
    let mut context = context().now(now).units(&hooks).profiles(&knowledge);
    if case.strict {
        context = context.strict();
    }
    let outcome = Expression::parse(&case.expression).map_err(|error| error.to_string());
    let found = match &outcome {
        Ok(expression) => yielded(expression, resource, &context),
        Err(error) => Err(error.clone()),
    };
    match (found, case.invalid) {
        (Err(_), true) => Ok(()),
        (Err(error), false) => Err(error),
        (Ok(found), true) => Err(format!("an error was wanted, got {found:?}")),
        (Ok(mut found), false) => {
            if case.predicate {
                found = vec![(!found.is_empty()).to_string()];
            }
            let mut wanted = case.outputs.clone();
            if !case.ordered {
                found.sort();
                wanted.sort();
            }
            // Of a number it is the value that counts: -0.0 is 0.0.
            let unsigned = |text: &String| {
                text.strip_prefix("-").filter(|rest| rest.trim_matches(['0', '.']).is_empty()).map(str::to_owned)
            };
            let plain = |texts: &[String]| -> Vec<String> {
                texts.iter().map(|text| unsigned(text).unwrap_or_else(|| text.clone())).collect()
            };
            if plain(&found) == plain(&wanted) { Ok(()) } else { Err(format!("{found:?}, wanted {wanted:?}")) }
        }
    }
}

fn yielded<'a>(expression: &'a Expression, resource: &'a Json, context: &Context<'a>) -> Result<Vec<String>, String> {
    let items: Vec<Item<'a>> = expression.evaluate(resource, context).map_err(|error| error.to_string())?;
    Ok(items.iter().map(text).collect())
}

fn resource(directory: &str, input: &str) -> Option<Json> {
    if input.is_empty() {
        return Some(Json::object([("resourceType", "Patient")].map(|(name, value)| (name, Json::from(value)))));
    }
    let name = input.rsplit_once('.').map_or(input, |(name, _)| name);
    if name == "patient-name-extensions" {
        return Json::parse(PATIENT_NAME_EXTENSIONS.as_bytes()).ok();
    }
    let text = std::fs::read(format!("{directory}/input/{name}.json")).ok()?;
    Some(Json::parse(&text).expect("an input is JSON"))
}

fn cases(xml: &str) -> Vec<Case> {
    let regex = |text| Regex::new(text).expect("a regex");
    let comment = regex("(?s)<!--.*?-->");
    let xml = comment.replace_all(xml, "");
    let test = regex(r"(?s)<test\s([^>]*)>(.*?)</test>");
    let expression = regex(r"(?s)<expression([^>]*)>(.*?)</expression>");
    let output = regex(r"(?s)<output([^>]*)>(.*?)</output>");
    let found = test.captures_iter(&xml).filter_map(|test| {
        let (attributes, body) = (&test[1], &test[2]);
        let expression = expression.captures(body)?;
        let invalid = attribute(&expression[1], "invalid");
        let outputs = output.captures_iter(body).map(|output| {
            let wanted = unescape(&output[2]);
            wanted.strip_prefix('@').map_or(wanted.clone(), |moment| moment.trim_start_matches('T').to_owned())
        });
        Some(Case {
            name: attribute(attributes, "name"),
            input: attribute(attributes, "inputfile"),
            expression: unescape(&expression[2]),
            // A fault of meaning is only looked for in the strict mode.
            strict: attribute(attributes, "mode") == "strict" || invalid == "semantic",
            predicate: attribute(attributes, "predicate") == "true",
            invalid: !invalid.is_empty(),
            ordered: attribute(attributes, "ordered") != "false",
            outputs: outputs.collect(),
        })
    });
    found.collect()
}

fn attribute(text: &str, name: &str) -> String {
    let found =
        Regex::new(&format!(r#"\b{name}="([^"]*)""#)).expect("a regex").captures(text).map(|found| unescape(&found[1]));
    found.unwrap_or_default()
}

fn unescape(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, sign)| text.replace(entity, sign))
}

/// As much of UCUM as the suite needs.
struct Hooks;

impl Units for Hooks {
    fn canonical(&self, unit: &str) -> Option<Canonical> {
        let (factor, base) = match unit {
            "g" => ("1", "g"),
            "mg" => ("0.001", "g"),
            "kg" => ("1000", "g"),
            "[lb_av]" => ("453.59237", "g"),
            "m" => ("1", "m"),
            "cm" => ("0.01", "m"),
            "[in_i]" => ("0.0254", "m"),
            "m2" => ("1", "m2"),
            "cm.m" => ("0.01", "m2"),
            "s" => ("1", "s"),
            _ => return None,
        };
        Some(Canonical { factor: factor.parse().ok()?, divisor: NonZeroU32::MIN, unit: base.into() })
    }
}
