//! The language, case by case: what HL7's suite leaves out, and what has gone
//! wrong elsewhere.

use super::{context, texts, texts_in};
use crate::codes::{Codes, Membership};
use crate::json::Json;
use crate::path::temporal::DateTime;
use crate::path::{Expression, Item, Knowledge, Locations, MemberOf, Node, Reason, Resolve, locate};

fn patient() -> Json {
    let text = r##"{"resourceType":"Patient","id":"p","active":true,
        "contained":[{"resourceType":"Organization","id":"o","name":"中央病院"}],
        "name":[{"use":"official","family":"山田","given":["太郎",null],"_given":[null,{"extension":[{"url":"urn:x","valueCode":"c"}]}]},
                {"use":"usual","given":["Taro"],"period":{"start":"2020-01"}}],
        "_birthDate":{"extension":[{"url":"urn:t","valueDateTime":"1974-12-25T14:35:45+09:00"}]},"birthDate":"1974-12-25",
        "_gender":{"extension":[{"url":"urn:absent","valueBoolean":true}]},
        "multipleBirthInteger":2,
        "managingOrganization":{"reference":"#o"},
        "generalPractitioner":[{"reference":"Practitioner/1"},{"reference":"http://x.example/fhir/Organization/2/_history/1"},
                               {"type":"PractitionerRole","identifier":{"value":"1"}},{"reference":"urn:uuid:1"}],
        "extension":[{"url":"urn:q","valueQuantity":{"value":1.10,"system":"http://unitsofmeasure.org","code":"mg"}},
                     {"url":"urn:age","valueAge":{"value":50,"system":"http://unitsofmeasure.org","code":"a"}}]}"##;
    Json::parse(text.as_bytes()).expect("JSON")
}

fn check(cases: &[(&str, &str)]) {
    let patient = patient();
    let now = DateTime::parse("2026-11-22T12:00:00.000+09:00").expect("a time");
    let context = context().now(now);
    for (expression, expected) in cases {
        let found = texts_in(expression, &patient, &context).unwrap_or_else(|error| panic!("{expression}: {error}"));
        assert_eq!(found.join(" "), *expected, "{expression}");
    }
}

#[test]
fn elements_are_found_by_their_names() {
    check(&[
        ("Patient.name.given", "太郎  Taro"),
        ("name.where(use='official').given", "太郎 "),
        ("Resource.id", "p"),
        ("DomainResource.contained.name", "中央病院"),
        ("Observation.code", ""),
        ("multipleBirth", "2"),
        ("multipleBirth is integer", "true"),
        ("multipleBirthInteger", ""),
        ("birthDate.extension('urn:t').value", "1974-12-25T14:35:45+09:00"),
        ("gender.exists()", "true"),
        ("gender.hasValue()", "false"),
        ("gender.extension.value", "true"),
        ("name.given.extension.value is code", "true"),
        ("name[1].period.start", "2020-01"),
        ("name[7]", ""),
        ("name[-1]", ""),
        ("nothing.at.all", ""),
        ("children().count()", "15"),
        ("contained.type().name", "Organization"),
        ("%resource.id = %context.id", "true"),
        ("name.first().exists(%resource.active)", "true"),
    ]);
}

#[test]
fn types_are_told_apart() {
    check(&[
        ("extension.value.ofType(Quantity).value", "1.10 50"),
        ("extension.value.ofType(Age).value", "50"),
        ("extension('urn:age').value is Quantity", "true"),
        ("extension.value.where($this is FHIR.Age).count()", "1"),
        ("active is System.Boolean", "false"),
        ("active.type().namespace", "FHIR"),
        ("(1).is(Integer) and (1.0).is(System.Decimal)", "true"),
        ("Patient is DomainResource", "true"),
        ("name.first() is HumanName", "true"),
        ("contact.ofType(BackboneElement)", ""),
        ("birthDate is date", "true"),
        ("birthDate.value is System.Date", "true"),
        ("(1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|1|2.0|14).count()", "15"),
        (
            "%resource.descendants().combine(%resource.descendants()).distinct().count() <= %resource.descendants().count()",
            "true",
        ),
        ("name.ofType(Element).count()", "2"),
    ]);
}

#[test]
fn values_compare_and_compute() {
    check(&[
        ("1.10 = 1.1", "true"),
        ("0.1 + 0.2 = 0.3", "true"),
        ("5.4 * 1", "5.4"),
        ("extension('urn:q').value = 1.1 'mg'", "true"),
        ("extension('urn:q').value > 1 'kg'", ""),
        ("birthDate + 50 years", "2024-12-25"),
        ("birthDate + extension('urn:age').value", "2024-12-25"),
        ("@2024-01-31 + 1 month", "2024-02-29"),
        ("@2014 + 23 months", "2015"),
        ("@T23:30 + 45 minutes", "00:15"),
        ("@2016-02-28T23:00:00Z + 2 hours", "2016-02-29T01:00:00Z"),
        ("@2020-03-01T00:30 - 1 hour", "2020-02-29T23:30"),
        ("@9999-12-31 + 1 day", ""),
        ("2147483647 + 1", ""),
        ("-2147483648", "-2147483648"),
        ("- 2147483648 is Integer", "true"),
        ("(-2147483648).abs()", ""),
        ("--2147483648", ""),
        ("-2147483648 - 1", ""),
        ("-2147483648 div -1", ""),
        ("-2147483648 = -2147483647 - 1", "true"),
        ("-2147483648 'mg'", "-2147483648 'mg'"),
        ("-2147483648.5", "-2147483648.5"),
        ("-2147483647.abs()", "-2147483647"),
        ("today() - 1 year", "2025-11-22"),
        ("1 year = 12 months", "true"),
        ("1 year = 365 days", ""),
        ("3 'mg' + 2 'mg'", "5 'mg'"),
        ("'a' & {} & 'b'", "ab"),
        ("1 'mg' / 2 'mg'", "0.5 '1'"),
        ("(1|2|3).where($this > 1).select($this * 2)", "4 6"),
        ("(3|1|2).select($index)", "0 1 2"),
        ("name.given.first().length()", "2"),
        ("'山田太郎'.substring(2)", "太郎"),
        ("'山田太郎'.indexOf('太')", "2"),
        ("(true or {}) and ({} implies true)", "true"),
        ("1 in (1|2) and (1|2) contains 2", "true"),
        ("'2024-02-30'.convertsToDate()", "false"),
        ("'x'.matches('^[a-z]$')", "true"),
        ("'2020'.replaceMatches('(20)(20)', '$2-$1')", "20-20"),
        ("1.power(2) is Integer", "true"),
    ]);
}

/// As Java and .NET have it, and not as Rust, where `$1x` is a group by that name.
#[test]
fn a_group_is_named_by_digits_and_a_dollar_may_be_written() {
    let ten = "'abcdefghij'.replaceMatches('(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)', ";
    check(&[
        ("'abc'.replaceMatches('(a)', '$1x')", "axbc"),
        ("'ab'.replaceMatches('(a)(b)', '$2_$1')", "b_a"),
        ("'abab'.replaceMatches('(a)(b)', '[$0]')", "[ab][ab]"),
        ("'ab'.replaceMatches('(a)(b)', '$10-${1}0')", "a0-a0"),
        (&format!("{ten}'$10$1$11')"), "jaa1"),
        ("'ab'.replaceMatches('(a)(b)', '$3$')", "$3$"),
        ("'ab'.replaceMatches('(a)(?<last>b)', '${last}${2}${3}$last')", "bb${3}$last"),
        ("'a'.replaceMatches('(a)', '\\\\$1 $$1 \\\\n \\\\\\\\$1 \\\\')", "$1 $1 \\n \\a \\"),
        ("'ab'.replaceMatches('(a)|(b)', '<$1$2>')", "<a><b>"),
        ("'山田'.replaceMatches('(山)', '$1川${')", "山川${田"),
    ]);
}

#[test]
fn a_day_that_is_not_in_the_calendar_is_named() {
    for (expression, named) in [
        ("@2015-02-30", Some("@2015-02-30")),
        ("birthDate < @2015-13-01T10:00:00Z", Some("@2015-13-01T10:00:00Z")),
        ("@T25", Some("@T25")),
        ("@tomorrow", None),
    ] {
        let error = Expression::parse(expression).expect_err(expression);
        assert_eq!((error.reason, error.word.as_deref()), (Reason::Syntax, named), "{expression}");
        assert!(error.text.contains(named.unwrap_or("no date or time after")), "{expression}: {}", error.text);
    }
}

/// A path binds closer than the sign before it: this one begins with 2147483648.
#[test]
fn an_integer_beyond_the_greatest_is_none() {
    for expression in ["2147483648", "-2147483648.abs()", "-2147483648[0]", "-2147483649", "2 - 2147483648"] {
        let error = Expression::parse(expression).expect_err(expression);
        assert_eq!(error.reason, Reason::Syntax, "{expression}");
        assert!(error.text.contains("out of range"), "{expression}: {}", error.text);
    }
}

struct Store(Json);
impl Resolve for Store {
    fn resolve(&self, reference: &str) -> Option<&Json> {
        (reference == "Practitioner/1").then_some(&self.0)
    }
}

#[test]
fn references_resolve() {
    check(&[
        ("managingOrganization.resolve().name", "中央病院"),
        ("managingOrganization.resolve() is Organization", "true"),
        ("generalPractitioner.where(resolve() is Practitioner).reference", "Practitioner/1"),
        ("generalPractitioner.where(resolve() is Organization).count()", "1"),
        ("generalPractitioner.where(resolve() is PractitionerRole).identifier.value", "1"),
        ("generalPractitioner.resolve().name", ""),
    ]);
    let store = Store(crate::json!({"resourceType": "Practitioner", "id": "1", "gender": "female"}));
    let patient = patient();
    let found = texts_in("generalPractitioner.resolve().gender", &patient, &context().resolver(&store));
    assert_eq!(found, Ok(vec!["female".to_owned()]));
    // What the store does not have is left out, whatever its text says.
    let found = texts_in("generalPractitioner.resolve().count()", &patient, &context().resolver(&store));
    assert_eq!(found, Ok(vec!["1".to_owned()]));
}

#[test]
fn references_resolve_within_a_bundle() {
    let bundle = crate::json!({"resourceType": "Bundle", "entry": [
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Observation", "id": "a", "subject": {"reference": "urn:uuid:2"},
            "contained": [{"resourceType": "Device", "id": "d"}], "device": {"reference": "#d"}}},
        {"fullUrl": "urn:uuid:2", "resource": {"resourceType": "Patient", "id": "b", "gender": "male",
            "managingOrganization": {"reference": "Organization/3"}}},
        {"fullUrl": "http://x.example/Organization/3", "resource": {"resourceType": "Organization", "id": "3"}}
    ]});
    for (expression, expected) in [
        ("Bundle.entry.resource.subject.resolve().gender", "male"),
        ("Bundle.entry.resource.device.resolve().id", "d"),
        ("Bundle.entry.resource.ofType(Patient).managingOrganization.resolve().id", "3"),
    ] {
        assert_eq!(texts(expression, &bundle).expect(expression).join(" "), expected, "{expression}");
    }
}

#[test]
fn faults_are_named_and_placed() {
    for (expression, reason, at) in [
        ("name.frobnicate()", Reason::UnknownFunction, 5),
        ("name.where()", Reason::Syntax, 5),
        ("name.first(1)", Reason::Syntax, 5),
        ("name.", Reason::Syntax, 5),
        ("name name", Reason::Syntax, 5),
        ("(1", Reason::Syntax, 2),
        ("", Reason::Syntax, 0),
        ("'a'.matches('[')", Reason::Syntax, 4),
        ("99999999999", Reason::Syntax, 0),
        ("@2024-13-01", Reason::Syntax, 0),
        ("a ^ b", Reason::Syntax, 2),
        ("$that", Reason::Syntax, 0),
    ] {
        let error = Expression::parse(expression).expect_err(expression);
        assert_eq!((error.reason, error.at), (reason, at), "{expression}: {error}");
    }
    let patient = patient();
    for (expression, reason) in [
        ("name.single()", Reason::Type),
        ("1 + 'a'", Reason::Type),
        ("name.family < 1", Reason::Type),
        ("now()", Reason::Missing),
        ("name.first().memberOf('urn:x')", Reason::Missing),
        ("%nothing", Reason::Semantic),
        ("active is NoSuchType", Reason::Semantic),
        ("name as HumanName", Reason::Type),
        ("$total", Reason::Semantic),
        ("@2020 + 1 'mo'", Reason::Type),
    ] {
        let error = texts(expression, &patient).expect_err(expression);
        assert_eq!(error.reason, reason, "{expression}: {error}");
    }
    let lenient = texts_in("(name as HumanName).use", &patient, &context().lenient_as());
    assert_eq!(lenient.map(|found| found.len()), Ok(2));
    let strict = texts_in("name.givn", &patient, &context().strict()).expect_err("no such element");
    assert_eq!(strict.reason, Reason::Semantic);
}

#[test]
fn no_expression_runs_away() {
    let patient = patient();
    let doubling = format!("('x'){}", ".select($this & $this)".repeat(40));
    for expression in [
        "descendants().select(%resource.descendants().select(%resource.descendants()))",
        doubling.as_str(),
        "(1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|17|18|19|20|21|22|23|24|25|26|27|28|29|30).aggregate($total & $total & $this.toString(), 'x')",
        "%resource.descendants().combine(%resource.descendants()).select(%resource.descendants().combine(%resource.descendants())).select(%resource.descendants()).count()",
        "('aaaaaaaaaa').replace('', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').replace('', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').replace('', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').replace('', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')",
    ] {
        let outcome = texts(expression, &patient);
        assert!(matches!(&outcome, Err(error) if error.reason == Reason::Fuel), "{expression}: {outcome:?}");
    }
    let few = texts_in("name.given.count()", &patient, &context().fuel(3)).expect_err("three steps");
    assert_eq!(few.reason, Reason::Fuel);
}

#[test]
fn nesting_is_bounded_and_length_is_not_depth() {
    let patient = patient();
    let brackets = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
    let signs = format!("{}1", "-".repeat(5000));
    let sums = format!("1{}", " + 1".repeat(5000));
    let calls = format!("{}1{}", "iif(true,".repeat(5000), ")".repeat(5000));
    for expression in [&brackets, &signs, &sums, &calls] {
        assert_eq!(Expression::parse(expression).expect_err("too deep").reason, Reason::TooLarge);
    }
    let chain = format!("name{}", ".given".repeat(5000));
    let union = format!("1{}", " | 1".repeat(5000));
    assert_eq!(texts(&chain, &patient), Ok(vec![]));
    assert_eq!(texts(&union, &patient), Ok(vec!["1".to_owned()]));
    let deepest = format!("{}1{}", "iif(true, ".repeat(90), ")".repeat(90));
    assert_eq!(texts(&deepest, &patient), Ok(vec!["1".to_owned()]));
}

/// Objects with very many names, texts of a megabyte, regular expressions that
/// are slow by nature: each must be over within seconds, even unoptimised.
#[test]
fn no_resource_runs_away() {
    let many: Vec<String> = (0..100_000).map(|number| format!("\"_x{number}\":1,")).collect();
    let text = "ab".repeat(200_000);
    let json = format!(
        r#"{{"resourceType":"Patient","id":"x",{}"gender":"{text}","name":[{{"text":"{text}"}}]}}"#,
        many.concat()
    );
    let patient = Json::parse(json.as_bytes()).expect("JSON");
    let started = std::time::Instant::now();
    // Two thousand items to do a thing for.
    let items = format!("'{}'.toChars()", "x".repeat(2000));
    for expression in [
        "%resource.repeat(children()).select(%resource.children().select(%resource.children().select(%resource.children().select(%resource.children()))))".to_owned(),
        format!("{items}.where(%resource.gender = %resource.name.text)"),
        format!("{items}.where(%resource.gender ~ %resource.name.text)"),
        format!("{items}.where(%resource.gender <= %resource.name.text)"),
        "gender.matches('(a|b)*a(a|b){300}c')".to_owned(),
        "gender.replaceMatches('b', '$0$0$0$0$0$0$0$0$0$0')".to_owned(),
        format!(r"{items}.where('x'.matches('\\w{{20}}' & $this))"),
    ] {
        let outcome = texts(&expression, &patient);
        let fault = outcome.map(|_| ()).map_err(|error| error.reason);
        assert_eq!(fault, Err(Reason::Fuel), "{}", &expression[expression.len() - 40..]);
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

/// Text that is hardly ever an expression must give an error or a result, never a panic.
#[test]
fn no_text_breaks_the_parser() {
    let patient = patient();
    let words = [
        "name", ".", "(", ")", "[", "]", "'", "\\", "@2024", "@T1", "1", "1.5", "%", "`", "$this", "|", "is", "{}",
        "山", " ", "-", "and", ",", "where", "first()", "/*", "//", "'mg'", "days",
    ];
    let mut state: u64 = 7;
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..8 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(words[usize::try_from(state >> 33).expect("31 bits") % words.len()]);
        }
        if let Ok(expression) = Expression::parse(&text) {
            drop(expression.evaluate(&patient, &context()));
        }
    }
}

#[test]
fn a_node_knows_where_it_stands() {
    let patient = patient();
    let context = context();
    let root = Node::resource(&patient);
    for (expression, expected) in [
        ("name[1].given[0]", "Patient.name[1].given[0]"),
        ("name.given.extension.value", "Patient.name[0].given[1].extension[0].value"),
        ("multipleBirth", "Patient.multipleBirth"),
        ("contained.name", "Patient.contained[0].name"),
        ("birthDate.extension", "Patient.birthDate.extension[0]"),
        ("Patient", "Patient"),
    ] {
        let parsed = Expression::parse(expression).expect(expression);
        let found = parsed.evaluate(&patient, &context).expect(expression);
        let node = found[0].node().expect("a node");
        let definitions = crate::Definitions::embedded();
        assert_eq!(locate(definitions, root, node).as_deref(), Some(expected), "{expression}");
        assert_eq!(Locations::of(definitions, root).path(node), Some(expected), "{expression}");
    }
}

#[test]
fn hooks_are_asked() {
    struct Odd;
    impl MemberOf for Odd {
        fn member_of(&self, coded: &Item<'_>, value_set: &str) -> Option<bool> {
            (value_set == "urn:known").then(|| coded.as_str() == Some("official"))
        }

        fn subsumes(&self, above: &Item<'_>, below: &Item<'_>) -> Option<bool> {
            Some(above.as_str()? < below.as_str()?)
        }
    }
    let patient = patient();
    let context = context().terminology(&Odd);
    for (expression, expected) in [
        ("name.first().use.memberOf('urn:known')", "true"),
        ("name.last().use.memberOf('urn:known')", "false"),
        ("name.first().use.memberOf('urn:unknown')", ""),
        ("'a'.subsumes('b')", "true"),
        ("'a'.subsumedBy('b')", "false"),
        ("1.subsumes('b')", ""),
    ] {
        assert_eq!(texts_in(expression, &patient, &context).expect(expression).join(" "), expected, "{expression}");
    }
}

/// Answers of `urn:set` that a holds, b does not, and nothing of the rest; a stands above c.
struct Few;
impl Codes for Few {
    fn member(&self, value_set: &str, _: Option<&str>, code: &str) -> Membership {
        match (value_set, code) {
            ("urn:set", "a") => Membership::Yes,
            ("urn:set", "b" | "") => Membership::No,
            _ => Membership::Unknown,
        }
    }

    fn subsumes(&self, _: &str, ancestor: &str, code: &str) -> Option<bool> {
        (ancestor != "x" && code != "x").then_some(ancestor == "a" && code == "c")
    }

    fn display(&self, _: &str, _: &str) -> Option<&str> {
        None
    }
}

#[test]
fn codes_and_profiles_are_asked_about() {
    let definitions = crate::Definitions::embedded();
    let knowledge = Knowledge { definitions, codes: &Few };
    let context = context().terminology(&knowledge).profiles(&knowledge);
    let resource = crate::json!({"resourceType": "Observation", "id": "o", "status": "final",
        "code": {"coding": [{"system": "urn:s", "code": "b"}, {"system": "urn:s", "code": "a"}]},
        "category": [{"coding": [{"system": "urn:s", "code": "c"}, {"system": "urn:s", "code": "b"}]}, {"text": "x"},
                     {"coding": [{"system": "urn:s", "code": "x"}, {"system": "urn:s", "code": "b"}]}],
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p onclick=\"x()\">a</p></div>"},
        "modifierExtension": [{"url": "urn:m", "valueCode": "x"}]});
    let base = "http://hl7.org/fhir/StructureDefinition";
    for (expression, expected) in [
        ("code.memberOf('urn:set')", "true"),
        ("code.coding.first().memberOf('urn:set')", "false"),
        ("category[0].memberOf('urn:set')", ""),
        ("category[1].memberOf('urn:set')", "false"),
        ("category[1].memberOf('urn:unknown')", ""),
        ("code.subsumes(%resource.category[0])", "true"),
        ("category[0].subsumedBy(%resource.code)", "true"),
        ("category[0].coding[0].subsumes(%resource.code.coding[1])", "false"),
        ("category[1].subsumes(%resource.code)", ""),
        ("text.div.htmlChecks()", "false"),
        ("code.htmlChecks()", ""),
        ("checkModifiers('urn:m').id", "o"),
        ("code.checkModifiers().coding.count()", "2"),
        // Its narrative is not FHIR's.
        (&format!("conformsTo('{base}/DomainResource')"), "false"),
        (&format!("conformsTo('{base}/Patient')"), "false"),
        (&format!("code.conformsTo('{base}/CodeableConcept')"), "true"),
    ] {
        assert_eq!(texts_in(expression, &resource, &context).expect(expression).join(" "), expected, "{expression}");
    }
    for (expression, reason) in [
        ("checkModifiers('urn:other')", Reason::Semantic),
        ("conformsTo('urn:unknown')", Reason::Missing),
        ("conformsTo('http://hl7.org/fhir/StructureDefinition/bmi')", Reason::Missing),
        ("elementDefinition()", Reason::Missing),
        ("slice('urn:x', 'y')", Reason::Missing),
    ] {
        let error = texts_in(expression, &resource, &context).expect_err(expression);
        assert_eq!(error.reason, reason, "{expression}");
    }
}

/// Those that had a partner were passed by again and again: this would take minutes.
#[test]
fn a_crowd_has_partners_in_any_order() {
    let names = |count: usize, first: &str| {
        let given: Vec<String> = (1..count).map(|at| format!("\"g{at}\"")).collect();
        format!(r#"{{"given":["{first}",{}]}}"#, given.join(","))
    };
    let count = 400_000;
    let context = context().fuel(u64::MAX / 2);
    let told = |first: &str, other: &str| {
        let text = format!(r#"{{"resourceType":"Patient","name":[{},{}]}}"#, names(count, first), names(count, other));
        let patient = Json::parse(text.as_bytes()).expect("JSON");
        texts_in("name[0].given ~ name[1].given", &patient, &context).expect("an answer")
    };
    assert_eq!(told("g0", "g0"), ["true"]);
    assert_eq!(told("g0", "other"), ["false"]);
}

/// What goes through many members or contained resources pays for it.
#[test]
fn what_is_looked_for_among_many_is_paid_for() {
    let members: Vec<String> = (0..20_000).map(|at| format!("\"m{at}\":0")).collect();
    let members = members.join(",");
    let patient = format!(r#"{{"resourceType":"Patient","contact":[{{{members}}},{{{members}}}]}}"#);
    let contained: Vec<String> = (0..20_000).map(|at| format!(r#"{{"resourceType":"Basic","id":"b{at}"}}"#)).collect();
    let links: Vec<String> = (0..20_000).map(|at| format!(r##"{{"reference":"#b{at}"}}"##)).collect();
    let (contained, links) = (contained.join(","), links.join(","));
    let holder = format!(r#"{{"resourceType":"Patient","contained":[{contained}],"generalPractitioner":[{links}]}}"#);
    for (text, expression) in [
        (&patient, "contact[0] = contact[1]"),
        (&patient, "contact[0] ~ contact[1]"),
        (&holder, "generalPractitioner.resolve()"),
    ] {
        let resource = Json::parse(text.as_bytes()).expect("JSON");
        let refused = texts_in(expression, &resource, &context()).expect_err(expression);
        assert_eq!(refused.reason, Reason::Fuel, "{expression}");
    }
}
