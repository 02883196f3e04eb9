//! What is refused, and where it says the fault is.

use super::{definitions, patient};
use crate::json::{MAX_DEPTH, Place};
use crate::primitive::Primitive;
use crate::xml::{FHIR, Fault, XHTML, read};

type Fits = Box<dyn Fn(&Fault) -> bool>;

#[test]
fn what_is_no_xml() {
    let syntax = |fault: &Fault| matches!(fault, Fault::Syntax(..));
    let is = |wanted: Fault| move |fault: &Fault| *fault == wanted;
    let open = |open: &str| is(Fault::EndTag { open: open.into() });
    let cases: Vec<(&str, Fits)> = vec![
        ("", Box::new(is(Fault::Truncated))),
        ("x", Box::new(is(Fault::Text))),
        ("{}", Box::new(is(Fault::Text))),
        ("<Patient", Box::new(is(Fault::Truncated))),
        ("<Patient xmlns=\"http://hl7.org/fhir\">", Box::new(is(Fault::Truncated))),
        ("<Patient xmlns=\"http://hl7.org/fhir\"></Patent>", Box::new(open("Patient"))),
        ("<!DOCTYPE Patient><Patient xmlns=\"http://hl7.org/fhir\"/>", Box::new(is(Fault::Doctype))),
        ("<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"c\">]><a/>", Box::new(is(Fault::Doctype))),
        ("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><Patient/>", Box::new(is(Fault::Encoding))),
        ("<?xml version=\"1.1\"?><Patient/>", Box::new(syntax)),
        ("<?xml encoding=\"UTF-8\"?><Patient/>", Box::new(syntax)),
        (" <?xml version=\"1.0\"?><Patient/>", Box::new(syntax)),
        ("<p:Patient/>", Box::new(is(Fault::Prefix))),
        ("<Patient xmlns:p=\"\"/>", Box::new(is(Fault::Prefix))),
        ("<Patient xmlns:xmlns=\"http://a\"/>", Box::new(is(Fault::Prefix))),
        ("<Patient a='1' a='2'/>", Box::new(is(Fault::AttributeTwice))),
        ("<Patient xmlns:a='u' xmlns:b='u' a:x='1' b:x='2'/>", Box::new(is(Fault::AttributeTwice))),
        ("<Patient a='1'b='2'/>", Box::new(syntax)),
        ("<Patient a=1/>", Box::new(syntax)),
        ("<Patient a/>", Box::new(syntax)),
        ("<Patient a='<'/>", Box::new(syntax)),
        ("<Patient a='&b;'/>", Box::new(is(Fault::Reference))),
        ("<Patient><!-- a -- b --></Patient>", Box::new(is(Fault::Namespace { wanted: FHIR }))),
        ("<!-- a -- b --><Patient/>", Box::new(syntax)),
        ("<1/>", Box::new(syntax)),
        ("<a:b:c/>", Box::new(syntax)),
        ("</a>", Box::new(open(""))),
        ("<![CDATA[x]]>", Box::new(is(Fault::Doctype))),
    ];
    for (text, fits) in cases {
        let error = read(definitions(), text.as_bytes()).expect_err(text);
        assert!(fits(&error.fault), "{text}: {error:?}");
    }
    let doubled = format!("{}<Patient xmlns=\"http://hl7.org/fhir\"/>", patient("<active value=\"true\"/>"));
    assert!(syntax(&read(definitions(), doubled.as_bytes()).expect_err("two roots").fault));
    assert_eq!(read(definitions(), b"<Patient>\xFF").expect_err("no UTF-8").fault, Fault::Encoding);
    assert_eq!(read(definitions(), b"<Patient>\x01").expect_err("control").fault, Fault::Character);
}

#[test]
fn what_is_no_fhir() {
    let unknown =
        |name: &str, near: Option<&str>| Fault::UnknownElement { name: name.into(), near: near.map(Into::into) };
    let attribute = |name: &str| Fault::UnknownAttribute(name.into());
    for (inner, fault, expression, at) in [
        ("<nickname value=\"x\"/>", unknown("nickname", None), "Patient", "<nick"),
        ("<birthdate value=\"x\"/>", unknown("birthdate", Some("birthDate")), "Patient", "<birth"),
        (
            "<gender value=\"male\"/><active value=\"true\"/>",
            Fault::Order { after: "gender".into() },
            "Patient.active",
            "<active",
        ),
        ("<active value=\"true\"/><active value=\"true\"/>", Fault::Twice, "Patient.active", "<active"),
        (
            "<deceasedBoolean value=\"true\"/><deceasedDateTime value=\"2020\"/>",
            Fault::Twice,
            "Patient.deceased",
            "<deceasedD",
        ),
        ("<active/>", Fault::Empty, "Patient.active", "<active"),
        ("<name/>", Fault::Empty, "Patient.name[0]", "<name"),
        ("<name><family value=\"a\"/></name><name></name>", Fault::Empty, "Patient.name[1]", "<name"),
        ("<active value=\"\"/>", Fault::EmptyValue, "Patient.active", "value"),
        ("<active value=\"1\"/>", Fault::Value(Primitive::Boolean), "Patient.active", "value"),
        ("<active value=\"true\" x=\"1\"/>", attribute("x"), "Patient.active", "x="),
        ("<active value=\"true\">y</active>", Fault::Text, "Patient.active", "y"),
        ("z<active value=\"true\"/>", Fault::Text, "Patient", "z"),
        ("<![CDATA[x]]>", Fault::Text, "Patient", "x"),
        ("<name text=\"x\"/>", Fault::WrongForm { attribute: false }, "Patient.name[0].text", "text"),
        ("<name><id value=\"x\"/></name>", Fault::WrongForm { attribute: true }, "Patient.name[0].id", "<id"),
        (
            "<extension><url value=\"http://a\"/></extension>",
            Fault::WrongForm { attribute: true },
            "Patient.extension[0].url",
            "<url",
        ),
        ("<active xmlns=\"http://other\" value=\"true\"/>", Fault::Namespace { wanted: FHIR }, "Patient", "<active"),
        (
            "<text><status value=\"generated\"/><div>x</div></text>",
            Fault::Namespace { wanted: XHTML },
            "Patient.text",
            "<div",
        ),
        ("<contained/>", Fault::OneResource, "Patient.contained[0]", "<contained"),
        (
            "<contained><Patient><active value=\"true\"/></Patient><Device/></contained>",
            Fault::OneResource,
            "Patient.contained[0]",
            "<Device",
        ),
        (
            "<contained><Nothing/></contained>",
            Fault::UnknownResource("Nothing".into()),
            "Patient.contained[0]",
            "<Nothing",
        ),
        ("<contained id=\"a\"><Patient/></contained>", attribute("id"), "Patient.contained[0]", "id="),
        (
            "<multipleBirthInteger value=\"+2\"/>",
            Fault::Value(Primitive::Integer),
            "Patient.multipleBirth.ofType(integer)",
            "value",
        ),
    ] {
        let text = patient(inner);
        let error = read(definitions(), text.as_bytes()).expect_err(inner);
        assert_eq!(error.fault, fault, "{inner}");
        assert_eq!(error.expression.as_deref(), Some(expression), "{inner}");
        let inside = &text[..text.len() - "</Patient>".len()];
        let column = inside.rfind(at).expect(at) + 1;
        assert_eq!(error.place(text.as_bytes()), Place { line: 1, column }, "{inner}");
        let (english, japanese) = error.words();
        assert!(english.ends_with('.') && japanese.ends_with('。'), "{english} {japanese}");
    }
}

#[test]
fn what_is_no_root() {
    for root in ["<Patient/>", "<Patient xmlns=\"http://www.w3.org/1999/xhtml\"/>"] {
        assert_eq!(read(definitions(), root.as_bytes()).expect_err(root).fault, Fault::Namespace { wanted: FHIR });
    }
    let root = "<HumanName xmlns=\"http://hl7.org/fhir\"/>";
    assert_eq!(read(definitions(), root.as_bytes()).expect_err(root).fault, Fault::UnknownResource("HumanName".into()));
}

#[test]
fn depth_and_attributes_are_bounded() {
    let nested = |levels: usize| {
        let inner = "<valueCode value=\"x\"/>".to_owned();
        patient(&(0..levels).fold(inner, |inner, _| format!("<extension url=\"a\">{inner}</extension>")))
    };
    // Each extension is a list and an object of JSON; the resource and the value are one more each.
    assert!(read(definitions(), nested(MAX_DEPTH / 2 - 1).as_bytes()).is_ok());
    for levels in [MAX_DEPTH / 2, MAX_DEPTH, 10_000] {
        assert_eq!(read(definitions(), nested(levels).as_bytes()).expect_err("too deep").fault, Fault::TooDeep);
    }
    let div = format!("<text><div xmlns=\"{XHTML}\">{}", "<p>".repeat(100_000));
    assert_eq!(read(definitions(), patient(&div).as_bytes()).expect_err("too deep").fault, Fault::TooDeep);
    let many: String = (0..1000).map(|n| format!(" a{n}=\"\"")).collect();
    let error = read(definitions(), format!("<Patient{many}/>").as_bytes()).expect_err("too many");
    assert_eq!(error.fault, Fault::TooManyAttributes);
}

/// Every name is looked up among the prefixes in force.
#[test]
fn prefixes_without_number_are_refused() {
    let nested = |depth: usize, each: usize| {
        let open = |level: usize| {
            let declared: String = (0..each).map(|at| format!(" xmlns:n{level}x{at}=\"urn:x\"")).collect();
            format!("<b xmlns=\"{XHTML}\"{declared}>")
        };
        let opened: String = (0..depth).map(open).collect();
        let closed = "</b>".repeat(depth);
        patient(&format!("<text><status value=\"generated\"/><div xmlns=\"{XHTML}\">{opened}x{closed}</div></text>"))
    };
    assert!(read(definitions(), nested(200, 0).as_bytes()).is_ok(), "each element may say where it belongs");
    let refused = read(definitions(), nested(10, 60).as_bytes()).expect_err("too many");
    assert_eq!(refused.fault, Fault::TooManyAttributes);
}
