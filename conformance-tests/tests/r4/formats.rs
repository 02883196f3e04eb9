//! XML beside JSON: both ways, on every request; `_pretty`; packed bodies.
//!
//! Source: FHIR R4 http.html#mime-type, xml.html

use serde_json::{Value, json};

use crate::check::{Ask, Check, any, ask, get, ok, post, refused, row, status};
use crate::seed::{observation, resource, with};

const XML: &str = "application/fhir+xml";

pub fn seed() -> Vec<Value> {
    vec![
        resource(
            "Patient",
            "p",
            json!({
                "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">山田 <b>花子</b></div>"},
                "name": [{"family": "山田", "given": ["花子"]}], "gender": "female"
            }),
        ),
        with(observation("o", json!({})), json!({"valueQuantity": {"value": 7, "unit": "kg"}})),
    ]
}

pub fn checks() -> Vec<Check> {
    [answered(), sent(), shaped()].into_iter().flatten().collect()
}

fn xml(text: &str) -> String {
    format!("<{text}")
}

fn answered() -> Vec<Check> {
    let patient = "<Patient xmlns=\"http://hl7.org/fhir\">";
    let spoken = |name: &str, ask: Ask| {
        row(name, ask, ok().header_holds("Content-Type", XML).holds(patient).holds("<family value=\"山田\"/>"))
    };
    let accept = |media: &str| get("Patient/p").with("Accept", media);
    vec![
        spoken("Accept: application/fhir+xml", accept("application/fhir+xml")),
        spoken("Accept: application/xml", accept("application/xml")),
        spoken("Accept: XML before JSON", accept("application/fhir+xml, application/fhir+json;q=0.5")),
        row(
            "Accept: JSON before XML",
            accept("application/fhir+xml;q=0.3, application/fhir+json;q=0.5"),
            ok().header_holds("Content-Type", "application/fhir+json"),
        ),
        row("Accept: anything is JSON", accept("*/*"), ok().header_holds("Content-Type", "application/fhir+json")),
        spoken("_format=xml", get("Patient/p?_format=xml")),
        spoken("_format=application/fhir+xml", get("Patient/p?_format=application/fhir%2Bxml")),
        spoken("_format=application/fhir+xml, the plus bare", get("Patient/p?_format=application/fhir+xml")),
        spoken("_format wins over Accept", get("Patient/p?_format=xml").with("Accept", "application/fhir+json")),
        row(
            "the narrative stands as it is",
            accept(XML),
            ok().holds("<div xmlns=\"http://www.w3.org/1999/xhtml\">山田 <b>花子</b></div>"),
        ),
        row("a vread", get("Patient/p/_history/1?_format=xml"), ok().holds(patient).header("ETag", "W/\"1\"")),
        row(
            "a search",
            get("Patient?_id=p&_format=xml"),
            ok().holds("<Bundle xmlns=\"http://hl7.org/fhir\">").holds("<total value=\"1\"/>"),
        ),
        row("a history", get("Patient/p/_history?_format=xml"), ok().holds("<type value=\"history\"/>")),
        row(
            "a refusal",
            get("Patient/nobody?_format=xml"),
            status(404)
                .header_holds("Content-Type", XML)
                .holds("<OperationOutcome xmlns=\"http://hl7.org/fhir\">")
                .holds("<code value=\"not-found\"/>"),
        ),
        row(
            "a refusal in Japanese",
            get("Patient/nobody?_format=xml").with("Accept-Language", "ja"),
            status(404).holds("該当するリソースはありません"),
        ),
        row("metadata", get("metadata?_format=xml"), ok().holds("<CapabilityStatement xmlns=\"http://hl7.org/fhir\">")),
        row("HEAD", ask("HEAD", "Patient/p").with("Accept", XML), ok().empty().header_holds("Content-Type", XML)),
        row("the answer depends on Accept, and says so", accept(XML), ok().header_holds("Vary", "ccept")),
    ]
}

fn sent() -> Vec<Check> {
    let send = |body: &str| ask("POST", "Patient").body(XML, body);
    let patient = |inner: &str| format!("<Patient xmlns=\"http://hl7.org/fhir\">{inner}</Patient>");
    let weight = "<Observation xmlns=\"http://hl7.org/fhir\"><id value=\"x\"/><status value=\"final\"/><code><text value=\"w\"/></code>\
                  <subject><reference value=\"Patient/p\"/></subject><valueQuantity><value value=\"7.100\"/></valueQuantity></Observation>";
    vec![
        row("a create in XML", send(&patient("<gender value=\"male\"/>")), status(201).header("ETag", "W/\"1\"").keep("made")),
        row("is read as JSON", get("Patient/{made}"), ok().at("/gender", "male").at("/id", "{made}")),
        row("is found", get("Patient?gender=male"), crate::check::finds(&["{made}"])),
        row("an update in XML", ask("PUT", "Observation/x").body(XML, weight), status(201)),
        row("keeps the zeros of a decimal", get("Observation/x"), ok().holds("7.100")),
        row("and in XML", get("Observation/x?_format=xml"), ok().holds("<value value=\"7.100\"/>")),
        row("XML in, XML out", send(&patient("<gender value=\"male\"/>")).with("Accept", XML), status(201).header_holds("Content-Type", XML).holds("<gender value=\"male\"/>")),
        row("JSON in, XML out", post("Patient", &json!({"resourceType": "Patient"})).with("Accept", XML), status(201).header_holds("Content-Type", XML)),
        row("a transaction in XML", ask("POST", "").body(XML, "<Bundle xmlns=\"http://hl7.org/fhir\"><type value=\"transaction\"/><entry>\
            <resource><Patient><gender value=\"other\"/></Patient></resource><request><method value=\"POST\"/><url value=\"Patient\"/></request></entry></Bundle>"), ok().holds("201")),
        row("is done", get("Patient?gender=other"), ok().at("/total", 1)),
        row("a patch in XML", ask("PATCH", "Observation/x").body(XML, "<Parameters xmlns=\"http://hl7.org/fhir\"><parameter><name value=\"operation\"/>\
            <part><name value=\"type\"/><valueCode value=\"replace\"/></part><part><name value=\"path\"/><valueString value=\"Observation.status\"/></part>\
            <part><name value=\"value\"/><valueCode value=\"amended\"/></part></parameter></Parameters>"), ok().header("ETag", "W/\"2\"")),
        row("is done too", get("Observation/x"), ok().at("/status", "amended")),
        row("no XML", send("<Patient"), any(&[400]).at("/resourceType", "OperationOutcome")),
        row("no namespace", send("<Patient><gender value=\"male\"/></Patient>"), any(&[400])),
        row("an element that is none", send(&patient("<sex value=\"male\"/>")), any(&[400]).expression("Patient")),
        row("a code that is none", send(&patient("<gender value=\"girl\"/>")), refused(400, "code-invalid").expression("Patient.gender")),
        row("a document type is refused", send(&format!("<!DOCTYPE x [<!ENTITY e \"y\">]>{}", patient("<language value=\"&e;\"/>"))), any(&[400])),
        row("an unknown entity is refused", send(&patient("<language value=\"&e;\"/>")), any(&[400])),
        row("another type", ask("POST", "Patient").body(XML, weight), any(&[400])),
        row("XML that says it is JSON", ask("POST", "Patient").body("application/fhir+json", xml("Patient/>")), refused(400, "structure")),
        row("nothing was made by what was refused", get("Patient?language=en&_summary=count"), any(&[200])),
    ]
}

fn shaped() -> Vec<Check> {
    vec![
        row("_pretty=true is written over lines", get("Patient/p?_pretty=true"), ok().holds("\n").at("/id", "p")),
        row("_pretty in XML", get("Patient/p?_pretty=true&_format=xml"), ok().holds("\n  <")),
        row("_pretty=false is not", get("Patient/p?_pretty=false"), ok().lacks("\n")),
        row(
            "gzip where it is wanted",
            get("metadata").with("Accept-Encoding", "gzip"),
            ok().header("Content-Encoding", "gzip").header_holds("Vary", "ccept-"),
        ),
        row("no packing where none is wanted", get("metadata"), ok().no_header("Content-Encoding")),
        row(
            "no packing of what is not spoken",
            get("metadata").with("Accept-Encoding", "br"),
            ok().no_header("Content-Encoding"),
        ),
    ]
}
