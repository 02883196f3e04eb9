//! XML both ways: what is read, what is refused and where, and that nothing is lost.

mod fuzz;
mod random;
mod refused;

use super::{Layout, Origin, read, write};
use crate::Definitions;
use crate::json::{Json, Place};

fn definitions() -> &'static Definitions {
    Definitions::embedded()
}

fn json(text: &str) -> Json {
    Json::parse(text.as_bytes()).expect(text)
}

fn written(resource: &Json, layout: Layout) -> String {
    write(definitions(), resource, layout).expect("XML")
}

/// A resource body inside a Patient with the right namespace.
fn patient(inner: &str) -> String {
    format!("<Patient xmlns=\"http://hl7.org/fhir\">{inner}</Patient>")
}

#[test]
fn each_form_of_an_element_in_both_spellings() {
    for (inner, members) in [
        (r#"<id value="x"/><active value="true"/>"#, r#""id":"x","active":true"#),
        // Lists of primitives are padded with null where only one side stands.
        (
            r#"<name><given value="a"/><given id="g"/><given value="c"><extension url="http://e"><valueCode value="x"/></extension></given></name>"#,
            r#""name":[{"given":["a",null,"c"],"_given":[null,{"id":"g"},{"extension":[{"url":"http://e","valueCode":"x"}]}]}]"#,
        ),
        (
            r#"<name><given><extension url="http://e"><valueCode value="x"/></extension></given></name>"#,
            r#""name":[{"_given":[{"extension":[{"url":"http://e","valueCode":"x"}]}]}]"#,
        ),
        (
            r#"<birthDate id="b" value="2021-11-03"><extension url="http://e"><valueDecimal value="1.10"/></extension></birthDate>"#,
            r#""birthDate":"2021-11-03","_birthDate":{"id":"b","extension":[{"url":"http://e","valueDecimal":1.10}]}"#,
        ),
        (
            r#"<extension id="i" url="http://e"><extension url="a"><valueInteger value="-0"/></extension></extension>"#,
            r#""extension":[{"id":"i","extension":[{"url":"a","valueInteger":-0}],"url":"http://e"}]"#,
        ),
        (r#"<multipleBirthInteger value="2"/>"#, r#""multipleBirthInteger":2"#),
        (
            r#"<contained><Organization><name value="市"/></Organization></contained>"#,
            r#""contained":[{"resourceType":"Organization","name":"市"}]"#,
        ),
        (
            r#"<text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><p title='"'>山 &#38; &amp;<br/></p></div></text>"#,
            r#""text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p title='\"'>山 &#38; &amp;<br/></p></div>"}"#,
        ),
        (
            r#"<name id="n"><text value="a&#10;b&#9;&quot;&lt;&amp;'&gt;"/></name>"#,
            r#""name":[{"id":"n","text":"a\nb\t\"<&'>"}]"#,
        ),
    ] {
        let xml = patient(inner);
        let expected = json(&format!("{{\"resourceType\":\"Patient\",{members}}}"));
        let found = read(definitions(), xml.as_bytes()).unwrap_or_else(|error| panic!("{inner}: {error:?}"));
        assert_eq!(found, expected, "{inner}");
        let again = written(&found, Layout::Compact);
        assert_eq!(again, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{xml}"));
        for layout in [Layout::Compact, Layout::Pretty] {
            let xml = written(&expected, layout);
            assert_eq!(read(definitions(), xml.as_bytes()).as_ref(), Ok(&expected), "{xml}");
        }
    }
}

#[test]
fn decimals_keep_every_digit() {
    for decimal in ["0.0", "-0.10", "1.00E-3", "12345678901234567890.10", "1e400"] {
        let xml = format!(
            "<Observation xmlns=\"http://hl7.org/fhir\"><valueQuantity><value value=\"{decimal}\"/></valueQuantity></Observation>"
        );
        let found = read(definitions(), xml.as_bytes()).expect(decimal);
        assert_eq!(found.at(&["valueQuantity", "value"]).and_then(Json::as_number), Some(decimal));
        assert!(written(&found, Layout::Compact).ends_with(&xml));
    }
}

#[test]
fn the_same_in_another_dress() {
    let plain = read(definitions(), patient("<active value=\"true\"/><name><text value=\"a b\"/></name>").as_bytes());
    let dressed = "\u{FEFF}<?xml version='1.0' encoding=\"utf-8\" standalone='yes' ?>\r\n<!-- a --><?b c?>\n\
        <f:Patient xmlns:f='http://hl7.org/fhir' xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\n\
        xsi:schemaLocation='http://hl7.org/fhir ../x.xsd' ><!-- c -->\n <f:active value = 'true'><!--d--></f:active >\
        <name xmlns='http://hl7.org/fhir'><text value='a\nb'></text></name></f:Patient>\n<!-- e -->";
    assert_eq!(read(definitions(), dressed.as_bytes()), plain);
}

#[test]
fn a_narrative_that_leans_on_its_surroundings_is_written_anew() {
    let xhtml = "http://www.w3.org/1999/xhtml";
    for (inner, expected) in [
        (
            format!(
                "<h:div xmlns:h=\"{xhtml}\" xml:lang=\"ja\"><h:p class='a\"b'>x<![CDATA[<&]]></h:p><h:br/></h:div>"
            ),
            format!("<div xmlns=\"{xhtml}\" xml:lang=\"ja\"><p class=\"a&quot;b\">x&lt;&amp;</p><br/></div>"),
        ),
        (format!("<div xmlns=\"{xhtml}\">a\r\nb<?pi x?></div>"), format!("<div xmlns=\"{xhtml}\">a\nb</div>")),
        (
            format!("<div xmlns=\"{xhtml}\"><p xmlns:e='http://e'>a</p></div>"),
            format!("<div xmlns=\"{xhtml}\"><p>a</p></div>"),
        ),
    ] {
        let found =
            read(definitions(), patient(&format!("<text><status value=\"generated\"/>{inner}</text>")).as_bytes());
        let found = found.unwrap_or_else(|error| panic!("{inner}: {error:?}"));
        assert_eq!(found.at(&["text", "div"]).and_then(Json::as_str), Some(&*expected));
    }
}

#[test]
fn a_place_in_the_json_leads_back_to_the_xml() {
    let xml = "<Patient xmlns=\"http://hl7.org/fhir\">\n  <name>\n    <given value=\"a\"/>\n    <given value=\"b\"/>\n  </name>\n  <gender value=\"x\"/>\n</Patient>";
    let made = read(definitions(), xml.as_bytes()).expect("XML").to_string();
    for (needle, line, column) in [("\"b\"", 4, 12), ("\"x\"", 6, 11), ("{\"given", 2, 3), ("{\"resource", 1, 1)] {
        let offset = made.find(needle).expect(needle);
        let origin = Origin::of(definitions(), xml.as_bytes(), made.as_bytes()).expect(needle);
        let at = origin.at(offset).expect(needle);
        assert_eq!(Place::of(xml.as_bytes(), at), Place { line, column }, "{needle}");
    }
}

#[test]
fn what_is_no_fhir_is_not_written() {
    for (text, place) in [
        (r#"{"resourceType":"Nothing"}"#, "resourceType"),
        (r#"{"resourceType":"Patient","nickname":"x"}"#, "Patient.nickname"),
        (r#"{"resourceType":"Patient","name":[{"given":[null]}]}"#, "Patient.name.given"),
        (r#"{"resourceType":"Patient","name":{}}"#, "Patient.name"),
        (r#"{"resourceType":"Patient","gender":{}}"#, "Patient.gender.value"),
        (r#"{"resourceType":"Patient","gender":"\uffff"}"#, "Patient.gender.value"),
        (r#"{"resourceType":"Patient","contained":["x"]}"#, "Patient.contained"),
        (r#"{"resourceType":"Patient","text":{"div":"<div>"}}"#, "Patient.text.div"),
        (
            r#"{"resourceType":"Patient","text":{"div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"/><p/>"}}"#,
            "Patient.text.div",
        ),
    ] {
        let error = write(definitions(), &json(text), Layout::Compact).expect_err(text);
        assert_eq!(error.0, place, "{text}");
    }
}
