//! One resource in many forms: XML, white space, compression, languages.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use techo_conformance_tests::http::{Request, Response};
use techo_conformance_tests::sample::{IDENTIFIERS, patient, weight};
use techo_conformance_tests::world::{Ask, World};
use techo_conformance_tests::xml::{canonical, value};

const JSON: &str = "application/fhir+json";
const XML: &str = "application/fhir+xml";

/// A Patient with one of everything that XML writes in its own way.
fn rich(identifier: &str) -> String {
    format!(
        r##"<?xml version="1.0" encoding="UTF-8"?>
<!-- from a town --><Patient xmlns="http://hl7.org/fhir">
  <text><status value="generated"/><div xmlns="http://www.w3.org/1999/xhtml"><p title='"'>山田 &amp; <b>太郎</b>
 &#160;</p><br/></div></text>
  <contained><Organization><id value="o"/><name value="市"/></Organization></contained>
  <extension url="http://example.org/weight"><valueDecimal value="1.10"/></extension>
  <identifier id="i"><system value="{IDENTIFIERS}"/><value value="{identifier}"/></identifier>
  <name><family value="山&#10;田 &lt;x&gt;"/><given value="太郎"/><given><extension url="http://example.org/absent"><valueCode value="unknown"/></extension></given></name>
  <gender value="male"/>
  <birthDate value="2021-11-03"><extension url="http://example.org/time"><valueDateTime value="2021-11-03T01:02:03+09:00"/></extension></birthDate>
  <multipleBirthInteger value="2"/>
  <managingOrganization><reference value="#o"/></managingOrganization>
</Patient>"##
    )
}

fn media(answer: &Response) -> &str {
    answer.header("Content-Type").unwrap_or_default()
}

#[test]
fn xml_that_is_sent_comes_back_as_xml_and_as_json() {
    let world = World::new();
    let tester = world.tester();
    let made = tester.request("POST", "Patient").header("Accept", XML).body(XML, rich("xml-1")).send().expect(201);
    assert_eq!(media(&made), "application/fhir+xml; charset=utf-8");
    let path = made.header("Location").expect("201 names the new resource").trim_end_matches("/_history/1").to_owned();
    let id = path.rsplit('/').next().expect("an id").to_owned();
    let answer = tester.request("GET", &path).header("Accept", XML).send().expect(200);
    assert_eq!(answer.text(), made.text());
    assert_eq!(value(&answer.text(), &["meta", "versionId"]).as_deref(), Some("1"));
    // Apart from what the server puts in, it is what was sent.
    let updated = value(&answer.text(), &["meta", "lastUpdated"]).expect("lastUpdated");
    let stamped =
        format!("<id value=\"{id}\"/><meta><versionId value=\"1\"/><lastUpdated value=\"{updated}\"/></meta><text>");
    assert_eq!(canonical(&answer.text()), canonical(&rich("xml-1").replacen("<text>", &stamped, 1)));
    let json = tester.get(&path).expect(200);
    assert_eq!(media(&json), "application/fhir+json; charset=utf-8");
    assert!(json.text().contains("\"valueDecimal\":1.10"), "decimals as written: {}", json.text());
    let tree = json.json();
    assert_eq!(tree["name"][0]["given"], json!(["太郎", null]));
    assert_eq!(tree["name"][0]["_given"][1]["extension"][0]["valueCode"], "unknown");
    assert_eq!(tree["name"][0]["family"], "山\n田 <x>");
    assert_eq!(tree["identifier"][0]["id"], "i");
    assert_eq!(tree["multipleBirthInteger"], 2);
    assert_eq!(tree["contained"][0], json!({"resourceType": "Organization", "id": "o", "name": "市"}));
    // The JSON of it, sent back, gives the same XML; an update and a read by XML too.
    let again = tester.put(&format!("Patient/{id}"), &tree).expect(200);
    assert_eq!(again.json()["name"], tree["name"]);
    let second = tester.request("PUT", &path).body("text/xml; charset=UTF-8", answer.body).send().expect(200);
    assert_eq!(media(&second), "application/fhir+json; charset=utf-8", "no Accept: JSON");
    let vread = tester.request("GET", &format!("{path}/_history/3?_format=xml")).send().expect(200);
    assert_eq!(vread.header("ETag"), Some("W/\"3\""));
    assert_eq!(
        canonical(&vread.text()).replace(&value(&vread.text(), &["meta", "lastUpdated"]).expect("a time"), &updated),
        canonical(&made.text().replace("<versionId value=\"1\"/>", "<versionId value=\"3\"/>"))
    );
    tester.request("GET", &path).header("Accept", XML).header("If-None-Match", "W/\"3\"").send().expect(304);
    let head = tester.request("HEAD", &path).header("Accept", XML).send().expect(200);
    assert_eq!(head.header("Content-Length"), Some(&*vread.body.len().to_string()), "{:?}", head.headers);
    assert!(head.body.is_empty() && media(&head).contains("xml"));
}

#[test]
fn every_interaction_answers_in_xml() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("形式", "xml-2", "2024-04-01"));
    tester.create(&weight(&who, "2026-01-02", "7.10"));
    let root = |answer: &Response| {
        assert_eq!(media(answer), "application/fhir+xml; charset=utf-8", "{}", answer.text());
        canonical(&answer.text())
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches("<{http://hl7.org/fhir}")
            .to_owned()
    };
    let get = |path: &str| tester.request("GET", path).header("Accept", "application/xml").send();
    for path in [
        format!("Observation?subject=Patient/{who}&_include=Observation:subject"),
        format!("Patient/{who}/_history"),
        "Patient?identifier=nobody".to_owned(),
    ] {
        let answer = get(&path).expect(200);
        assert_eq!(root(&answer), "Bundle>", "{path}");
    }
    let found = get(&format!("Observation?subject=Patient/{who}"));
    let path = ["entry", "resource", "Observation", "valueQuantity", "value"];
    assert_eq!(value(&found.text(), &path).as_deref(), Some("7.1"));
    // By form: `_format` in the body counts.
    let form = [("subject", &*format!("Patient/{who}")), ("_format", "xml"), ("_pretty", "true")];
    let found = tester.request("POST", "Observation/_search").form(&form).send().expect(200);
    assert_eq!(root(&found), "Bundle>");
    assert!(found.text().contains("\n    <resource>"), "pretty: {}", found.text());
    // A transaction.
    let bundle = "<Bundle xmlns=\"http://hl7.org/fhir\"><type value=\"transaction\"/><entry><fullUrl value=\"urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8\"/>\
        <resource><Patient><name><family value=\"束\"/></name></Patient></resource>\
        <request><method value=\"POST\"/><url value=\"Patient\"/></request></entry></Bundle>";
    let answer = tester.request("POST", "").header("Accept", XML).body(XML, bundle).send().expect(200);
    assert_eq!(root(&answer), "Bundle>");
    assert_eq!(value(&answer.text(), &["entry", "response", "status"]).as_deref(), Some("201 Created"));
    // An operation.
    let parameters = "<Parameters xmlns=\"http://hl7.org/fhir\"><parameter><name value=\"expression\"/><valueString value=\"name.family\"/></parameter>\
        <parameter><name value=\"resource\"/><resource><Patient><name><family value=\"式\"/></name></Patient></resource></parameter></Parameters>";
    let answer = tester.request("POST", "$fhirpath").header("Accept", XML).body(XML, parameters).send().expect(200);
    assert_eq!(root(&answer), "Parameters>");
    assert!(answer.text().contains("<valueString value=\"式\"/>"), "{}", answer.text());
    // A patch.
    let patch = "<Parameters xmlns=\"http://hl7.org/fhir\"><parameter><name value=\"operation\"/><part><name value=\"type\"/><valueCode value=\"replace\"/></part>\
        <part><name value=\"path\"/><valueString value=\"Patient.gender\"/></part><part><name value=\"value\"/><valueCode value=\"other\"/></part></parameter></Parameters>";
    let answer =
        tester.request("PATCH", &format!("Patient/{who}")).header("Accept", XML).body(XML, patch).send().expect(200);
    assert_eq!(root(&answer), "Patient>");
    assert_eq!(value(&answer.text(), &["gender"]).as_deref(), Some("other"));
    // What the server says of itself, and that it says so.
    let answer = Request::get(&format!("{}/metadata?_format=xml", world.base)).send().expect(200);
    assert_eq!(root(&answer), "CapabilityStatement>");
    for format in [JSON, XML, "json", "xml"] {
        assert!(answer.text().contains(&format!("<format value=\"{format}\"/>")), "{format} is claimed");
    }
    for format in [JSON, XML] {
        let answer = get(&format!("Patient/{who}?_format={}", format.replace('+', "%2B"))).expect(200);
        assert!(media(&answer).starts_with(format));
    }
    // No body, no form; and the preferred outcome.
    let answer = tester.request("POST", "Patient").header("Prefer", "return=minimal").header("Accept", XML);
    let answer = answer
        .body(XML, "<Patient xmlns=\"http://hl7.org/fhir\"><active value=\"true\"/></Patient>")
        .send()
        .expect(201);
    assert!(answer.body.is_empty(), "{}", answer.text());
    let answer = tester.request("POST", "Patient").header("Prefer", "return=OperationOutcome").header("Accept", XML);
    let answer = answer
        .body(XML, "<Patient xmlns=\"http://hl7.org/fhir\"><active value=\"true\"/></Patient>")
        .send()
        .expect(201);
    assert_eq!(root(&answer), "OperationOutcome>");
    assert_eq!(answer.header("Content-Language"), Some("en"));
}

#[test]
fn what_is_wrong_with_xml_is_told_with_its_place() {
    let world = World::new();
    let tester = world.tester();
    let send = |inner: &str| {
        let body = format!("<Patient xmlns=\"http://hl7.org/fhir\">\n  {inner}\n</Patient>");
        tester.request("POST", "Patient").header("Accept-Language", "ja").body(XML, body).send().refused(400)
    };
    for (inner, place, expression) in [
        ("<nickname value=\"x\"/>", "2行目、3文字目", "Patient"),
        ("<active value=\"yes\"/>", "2行目、11文字目", "Patient.active"),
        ("<gender value=\"male\"/><active value=\"true\"/>", "2行目、25文字目", "Patient.active"),
        ("<name/>", "2行目、3文字目", "Patient.name[0]"),
        ("text", "2行目、3文字目", "Patient"),
        ("<active value=\"true\" value=\"true\"/>", "2行目、24文字目", "Patient"),
        ("<name><family value=\"&nbsp;\"/></name>", "2行目、24文字目", "Patient.name[0]"),
        // Found by validation in the JSON, told in the XML.
        ("<name>\n<family value=\"a\"/></name><gender value=\"x\"/>", "3行目、35文字目", "Patient.gender"),
        ("<birthDate value=\"2021-02-30\"/>", "2行目、14文字目", "Patient.birthDate"),
        (
            "<text>\n<status value=\"generated\"/><div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div></text>",
            "3行目、28文字目",
            "Patient.text.div",
        ),
    ] {
        let answer = send(inner);
        let issue = &answer.json()["issue"][0];
        assert_eq!(issue["diagnostics"], place, "{inner}: {issue}");
        assert_eq!(issue["expression"], json!([expression]), "{inner}");
        assert!(issue["details"]["text"].as_str().is_some_and(|text| !text.is_ascii()), "in Japanese: {issue}");
    }
    let entity = "<!DOCTYPE Patient [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><Patient xmlns=\"http://hl7.org/fhir\"><name><text value=\"&x;\"/></name></Patient>";
    let answer = tester.request("POST", "Patient").header("Accept", XML).body(XML, entity).send();
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(value(&answer.text(), &["issue", "diagnostics"]).as_deref(), Some("line 1, column 1"));
    let deep = format!("<Patient xmlns=\"http://hl7.org/fhir\">{}", "<extension url=\"a\">".repeat(100_000));
    tester.request("POST", "Patient").body(XML, deep).send().refused(400);
    tester.request("POST", "Patient").body("application/fhir+xml; charset=Shift_JIS", rich("x")).send().refused(415);
    tester.request("POST", "Patient").body("application/fhir+xml; fhirVersion=3.0", rich("x")).send().refused(415);
    tester.request("POST", "Patient").body(XML, "{}").send().refused(400);
    tester.request("POST", "Patient").body(JSON, rich("x")).send().refused(400);
    // Whoever has no token hears nothing else.
    for token in ["", "nonsense"] {
        let answer =
            world.holder(token.to_owned()).request("POST", "Patient").header("Accept", XML).body(XML, "<").send();
        assert_eq!(answer.status, 401, "{}", answer.text());
        assert!(media(&answer).contains("xml"), "{:?}", answer.headers);
        assert_eq!(value(&answer.text(), &["issue", "code"]).as_deref(), Some("login"));
    }
    for path in ["Nothing/1", "Patient/none", "a/b/c/d/e", "Patient?nonsense=1"] {
        let answer = tester.request("GET", path).header("Accept", XML).send();
        assert!([400, 404].contains(&answer.status) && media(&answer).contains("xml"), "{path}: {:?}", answer.headers);
        assert!(value(&answer.text(), &["issue", "severity"]).is_some(), "{}", answer.text());
    }
    let answer = tester.request("PATCH", "metadata").header("Accept", XML).send();
    assert!(answer.status == 405 && media(&answer).contains("xml"), "{}: {:?}", answer.status, answer.headers);
}

#[test]
fn the_form_wanted_most_is_given() {
    let world = World::new();
    let tester = world.tester();
    let path = format!("Patient/{}", tester.create(&patient("重み", "xml-3", "2024-04-01")));
    for (accept, form) in [
        ("application/fhir+xml", Some(XML)),
        ("application/xml", Some(XML)),
        ("text/xml", Some(XML)),
        ("TEXT/XML", Some(XML)),
        ("application/fhir+xml; fhirVersion=4.0", Some(XML)),
        ("application/fhir+xml; fhirVersion=\"4.0\"", Some(XML)),
        ("application/fhir+xml; fhirVersion=5.0", None),
        ("application/fhir+xml;q=0", None),
        ("application/fhir+xml, application/fhir+json", Some(JSON)),
        ("application/fhir+xml;q=0.9, application/fhir+json;q=0.8", Some(XML)),
        ("application/fhir+xml;q=0.2, application/fhir+json;q=0.8", Some(JSON)),
        ("application/fhir+xml;q=0.2, */*;q=0.8", Some(JSON)),
        ("application/fhir+json;q=0, */*", Some(XML)),
        ("application/json;q=0.4, application/xml;q=0.5", Some(XML)),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", Some(XML)),
        ("text/turtle", None),
        ("*/*;q=0", None),
        ("", Some(JSON)),
    ] {
        let answer = tester.request("GET", &path).header("Accept", accept).send();
        match form {
            Some(form) => {
                assert!(answer.status == 200 && media(&answer).starts_with(form), "{accept}: {:?}", answer.headers);
            }
            None => assert_eq!(answer.status, 406, "{accept}"),
        }
        assert!(answer.all("Vary").any(|names| names.contains("Accept")), "{:?}", answer.headers);
    }
    for format in
        ["xml", "text/xml", "application/xml", "application/fhir+xml", "application/fhir%2Bxml;fhirVersion=4.0"]
    {
        let answer =
            tester.request("GET", &format!("{path}?_format={format}")).header("Accept", JSON).send().expect(200);
        assert!(media(&answer).starts_with(XML), "{format}");
    }
    for format in ["ttl", "html", "application/fhir%2Bxml;fhirVersion=3.0", ""] {
        tester.request("GET", &format!("{path}?_format={format}")).send().refused(406);
    }
}

/// Said twice, the first counted; a proxy may have gone by the second.
#[test]
fn a_body_is_of_one_type() {
    let world = World::new();
    let tester = world.tester();
    let who = patient("二形", "types-1", "2024-04-01");
    let path = format!("Patient/{}", tester.create(&who));
    let whole = tester.get(&path).expect(200).text();
    let search = "application/x-www-form-urlencoded";
    for (method, place, media, body) in [
        ("POST", "Patient", JSON, who.to_string()),
        ("PUT", &*path, JSON, whole.clone()),
        ("PATCH", &path, "application/json-patch+json", "[]".to_owned()),
        ("POST", "Patient/_search", search, "_id=x".to_owned()),
        ("POST", "Patient/$validate", JSON, whole),
        ("POST", "Binary", "image/png", "a".to_owned()),
    ] {
        let request = tester.request(method, place).body(media, body.clone());
        for second in [media, "text/plain"] {
            let refused = request.clone().header("Content-Type", second).send().refused(400);
            assert!(refused.text().contains("Content-Type"), "{method} {place} {second}: {}", refused.text());
        }
        request.send().expect(if method == "POST" && !place.contains(['_', '$']) { 201 } else { 200 });
    }
    // A list goes on in the next line.
    let request = tester.request("PUT", &path).header("If-Match", "W/\"7\"").header("If-Match", "W/\"8\"");
    request.fhir(&tester.get(&path).json()).send().refused(412);
    // Two dates are none.
    let since = "Wed, 21 Nov 2040 08:00:00 GMT";
    let request = tester.request("GET", &path).header("If-Modified-Since", since);
    assert_eq!(request.clone().send().status, 304);
    request.header("If-Modified-Since", since).send().expect(200);
}

#[test]
fn pretty_only_where_it_is_asked_for() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("字下げ", "xml-4", "2024-04-01"));
    let sent = weight(&who, "2026-01-02", "7.1").to_string().replace("\"value\":7.1", "\"value\":7.10");
    let made = tester.request("POST", "Observation").body(JSON, sent).send().expect(201);
    let path = made.header("Location").expect("a place").to_owned();
    let plain = tester.get(&path).expect(200);
    for off in ["", "false", "yes"] {
        assert_eq!(tester.get(&format!("{path}?_pretty={off}")).expect(200).body, plain.body);
    }
    let pretty = tester.get(&format!("{path}?_pretty=true")).expect(200);
    assert!(pretty.text().contains("\n  \"resourceType\": \"Observation\""), "{}", pretty.text());
    assert!(pretty.text().contains("\"value\": 7.10"), "{}", pretty.text());
    assert_eq!(pretty.json(), plain.json());
    let xml = tester.get(&format!("{path}?_pretty=true&_format=xml")).expect(200);
    assert!(xml.text().contains("\n  <status value=\"final\"/>\n"), "{}", xml.text());
    let flat = tester.get(&format!("{path}?_format=xml")).expect(200);
    assert_eq!(flat.text().lines().count(), 1);
    assert_eq!(canonical(&flat.text()), canonical(&xml.text()));
    let refused = tester.get("Patient/none?_pretty=true").refused(404);
    assert!(refused.text().contains("\n  \"issue\": ["), "{}", refused.text());
}

fn unpacked(answer: &Response) -> Vec<u8> {
    let mut out = Vec::new();
    match answer.header("Content-Encoding") {
        Some("gzip") => drop(GzDecoder::new(&answer.body[..]).read_to_end(&mut out).expect("gzip")),
        Some("zstd") => out = zstd::stream::decode_all(&answer.body[..]).expect("zstd"),
        Some(other) => panic!("{other}"),
        None => out.clone_from(&answer.body),
    }
    out
}

#[test]
fn large_answers_are_packed_as_asked() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("圧縮", "gzip-1", "2024-04-01"));
    for day in 1..10 {
        tester.create(&weight(&who, &format!("2026-01-0{day}"), "7.1"));
    }
    let search = format!("Observation?subject=Patient/{who}&_sort=date");
    let plain = tester.get(&search).expect(200);
    assert!(plain.header("Content-Encoding").is_none() && plain.body.len() > 1024);
    for (accept, coding) in [
        ("gzip", Some("gzip")),
        ("zstd", Some("zstd")),
        ("gzip, deflate, br, zstd", Some("zstd")),
        ("zstd;q=0.5, gzip", Some("gzip")),
        ("br", None),
        ("gzip;q=0, *;q=0", None),
        ("identity, gzip;q=0.5", None),
    ] {
        let answer = tester.request("GET", &search).header("Accept-Encoding", accept).send().expect(200);
        assert_eq!(answer.header("Content-Encoding"), coding, "{accept}");
        assert!(answer.all("Vary").any(|names| names.contains("Accept-Encoding")), "{:?}", answer.headers);
        assert_eq!(unpacked(&answer), plain.body, "{accept}");
        assert!(coding.is_none() || answer.body.len() < plain.body.len() / 2, "{accept}: {}", answer.body.len());
    }
    let xml = tester.request("GET", &search).header("Accept", XML).header("Accept-Encoding", "gzip").send().expect(200);
    let flat = tester.request("GET", &search).header("Accept", XML).send().expect(200);
    assert_eq!((xml.header("Content-Encoding"), unpacked(&xml)), (Some("gzip"), flat.body));
    // Small answers are not worth it; nor is what belongs to sign-in, which holds secrets.
    let small = tester.request("GET", &format!("Patient/{who}")).header("Accept-Encoding", "gzip").send().expect(200);
    assert!(small.header("Content-Encoding").is_none() && small.body.len() < 1024);
    let discovery = format!("{}/.well-known/smart-configuration", world.base);
    let sign_in = format!("{}/", world.portal.trim_end_matches('/'));
    for url in [discovery, sign_in] {
        let answer = Request::get(&url).header("Accept-Encoding", "gzip, zstd").header("Accept", "*/*").send();
        assert!(answer.header("Content-Encoding").is_none(), "{url}: {:?}", answer.headers);
    }
    // Kept ready in each form.
    let metadata = format!("{}/metadata", world.base);
    let plain = Request::get(&metadata).send().expect(200);
    for _ in 0..2 {
        for coding in ["gzip", "zstd"] {
            let answer = Request::get(&metadata).header("Accept-Encoding", coding).send().expect(200);
            assert_eq!(answer.header("Content-Encoding"), Some(coding));
            assert_eq!(unpacked(&answer), plain.body);
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    out.write_all(bytes).expect("gzip");
    out.finish().expect("gzip")
}

#[test]
fn packed_bodies_are_taken_and_bombs_are_not() {
    let world = World::new();
    let tester = world.tester();
    let body = patient("荷", "gzip-2", "2024-04-01").to_string().into_bytes();
    let post = |coding: &str, media: &str, body: Vec<u8>| {
        tester.request("POST", "Patient").header("Content-Encoding", coding).body(media, body).send()
    };
    post("gzip", JSON, gzip(&body)).expect(201);
    post("X-GZIP", JSON, gzip(&body)).expect(201);
    post("zstd", JSON, zstd::bulk::compress(&body, 3).expect("zstd")).expect(201);
    post("identity", JSON, body.clone()).expect(201);
    let made = post("gzip", XML, gzip(rich("gzip-3").as_bytes())).expect(201);
    assert_eq!(made.json()["gender"], "male");
    for coding in ["br", "deflate", "gzip, gzip", "nonsense"] {
        let answer = post(coding, JSON, gzip(&body)).refused(415);
        assert_eq!(answer.header("Accept-Encoding"), Some("gzip, zstd"), "{:?}", answer.headers);
    }
    post("gzip", JSON, body.clone()).refused(400);
    post("zstd", JSON, body.clone()).refused(400);
    let packed = gzip(&body);
    post("gzip", JSON, packed[..packed.len() - 4].to_vec()).refused(400);
    // 64 MiB of spaces in 64 KiB; and the same packed again.
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 100_000);
    post("gzip", JSON, bomb.clone()).refused(413);
    post("gzip", XML, bomb.clone()).refused(413);
    post("zstd", JSON, zstd::bulk::compress(&vec![b' '; 64 << 20], 3).expect("zstd")).refused(413);
    let answer = world.anon().request("POST", "Patient").header("Content-Encoding", "gzip").body(JSON, bomb).send();
    answer.refused(401);
    // A search by form.
    let form = gzip(b"identifier=gzip-2&_summary=count");
    let search = tester.request("POST", "Patient/_search").header("Content-Encoding", "gzip");
    let found = search.body("application/x-www-form-urlencoded", form).send().expect(200);
    assert_eq!(found.json()["total"], 4, "{}", found.text());
}

/// The limit of a body holds in every form, not a smaller one where it is read first.
#[test]
fn a_body_of_megabytes_is_taken_in_every_form() {
    let world = World::new();
    let tester = world.tester();
    let data = "A".repeat(4 << 20);
    let xml = |name: &str| {
        let photo = format!("<photo><contentType value=\"image/png\"/><data value=\"{data}\"/></photo><managing");
        rich(name).replacen("<managing", &photo, 1)
    };
    let made = tester.request("POST", "Patient").body(XML, xml("large-1")).send().expect(201);
    let json = made.text();
    assert!(json.len() > 4 << 20);
    let path = made.header("Location").expect("201 names it").trim_end_matches("/_history/1").to_owned();
    tester.request("PUT", &path).body(JSON, json.clone()).send().expect(200);
    let packed = gzip(json.as_bytes());
    tester.request("PUT", &path).header("Content-Encoding", "gzip").body(JSON, packed).send().expect(200);
}

#[test]
fn texts_come_in_the_language_wanted_most() {
    let world = World::new();
    let tester = world.tester();
    for (accept, japanese) in [
        ("ja", true),
        ("ja-JP, en;q=0.9", true),
        ("JA", true),
        ("en, ja;q=0.9", false),
        ("en;q=0.1, ja;q=0.2", true),
        ("fr, ja;q=0.5", true),
        ("fr", false),
        ("ja;q=0", false),
        ("*", false),
        ("ja;q=x", false),
        ("jam", false),
    ] {
        for (method, path, status) in [
            ("GET", "Patient/none", 404),
            ("GET", "Nothing", 404),
            ("GET", "Patient?nonsense=1", 400),
            ("PATCH", "metadata", 405),
            ("GET", "Patient/none?_format=ttl", 406),
            ("POST", "Patient", 415),
        ] {
            let answer = tester.request(method, path).header("Accept-Language", accept);
            let answer = if method == "POST" { answer.body("text/csv", "a") } else { answer };
            let answer = answer.send().refused(status);
            assert_eq!(answer.header("Content-Language"), Some(if japanese { "ja" } else { "en" }), "{accept} {path}");
            let text = answer.json()["issue"][0]["details"]["text"].as_str().unwrap_or_default().to_owned();
            assert_eq!(!text.is_ascii(), japanese, "{accept} {path}: {text}");
            assert!(answer.all("Vary").any(|names| names.contains("Accept-Language")), "{:?}", answer.headers);
        }
    }
}

#[test]
fn what_is_hidden_is_absent_in_xml_too() {
    let world = World::new();
    let mother = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.rs").of("pt-mei"));
    let ask = |path: &str| mother.request("GET", path).header("Accept", XML).send();
    assert!(ask("Patient/pt-mei").expect(200).text().contains("<Patient "));
    let (hidden, absent) = (ask("Patient/pt-stranger"), ask("Patient/pt-nobody"));
    assert_eq!((hidden.status, hidden.text()), (absent.status, absent.text()));
    let json: Value = mother.get("Observation?_count=50").expect(200).json();
    let xml = ask("Observation?_count=50").expect(200).text();
    assert_eq!(value(&xml, &["total"]), json["total"].as_u64().map(|total| total.to_string()));
    assert_eq!(xml.matches("<resource>").count(), json["entry"].as_array().map_or(0, Vec::len));
}

/// Anyone may ask for a part of the CapabilityStatement: nobody else is to get it for the
/// whole, nor the whole for the part.
#[test]
fn a_part_of_the_capability_statement_is_not_kept_for_the_whole() {
    let world = World::new();
    let ask = |query: &str, accept: &str, coding: &str| {
        let request = Request::get(&format!("{}/metadata{query}", world.base)).header("Accept", accept);
        unpacked(&request.header("Accept-Encoding", coding).send().expect(200))
    };
    let queries = ["?_summary=true", "?_elements=format", "?_summary=true&_pretty=true", ""];
    // As JSON that is not packed: it is made at each request.
    let [part, _, _, whole] = queries.map(|query| ask(query, JSON, "identity"));
    assert!(part.len() < whole.len());
    for coding in ["gzip", "zstd", "identity"] {
        for _ in 0..2 {
            let [json, elements, _, all] = queries.map(|query| ask(query, JSON, coding));
            assert!(json == part && elements.len() < part.len() && all == whole, "{coding}");
            let [xml, elements, pretty, all] = queries.map(|query| ask(query, XML, coding));
            assert!(elements.len() < xml.len() && xml.len() < all.len(), "{coding}");
            assert!(xml.len() < pretty.len() && pretty.len() < all.len(), "{coding}");
        }
    }
}

/// What is echoed of a request may have any character; what answers it may not.
#[test]
fn what_xml_cannot_hold_is_echoed_without_it() {
    let world = World::new();
    let tester = world.tester();
    let who = tester.create(&patient("字", "xml-5", "2024-04-01"));
    for path in [
        "Patient?%00=x",
        "Patient?a%0bb=x",
        "Patient?a%EF%BF%BFb=x",
        "Patient?name:%01=x",
        "Patient?_has:%01:x:y=1",
        "Patient?organization.%01=x",
        "Patient?=x",
        "Patient/_history?%01=1",
        &format!("Patient/{who}/$everything?%01=2"),
        "metadata?_elements=%01",
    ] {
        for accept in [XML, JSON] {
            let answer = tester.request("GET", path).header("Accept", accept).send().expect(400);
            assert_eq!(media(&answer), format!("{accept}; charset=utf-8"), "{path}");
            let text = if accept == XML { canonical(&answer.text()) } else { answer.json()["issue"].to_string() };
            let is_odd = text.chars().any(|letter| letter < ' ' && letter != '\n' || letter == '\u{FFFF}');
            assert!(!is_odd && !text.contains("\\u00"), "{path}: {text}");
            assert!(!text.contains(r#""expression":[""]"#), "{path}: {text}");
        }
    }
    let evaluated = json!({"resourceType": "Parameters", "parameter": [
        {"name": "expression", "valueString": r"'a\u0001' & name.family"},
        {"name": "resource", "resource": {"resourceType": "Patient", "name": [{"family": "\u{1}b"}]}}]});
    let ask = |accept: &str| tester.request("POST", "$fhirpath").header("Accept", accept).fhir(&evaluated).send();
    assert_eq!(ask(JSON).expect(200).json()["parameter"][0]["valueString"], "a\u{FFFD}\u{FFFD}b");
    assert!(canonical(&ask(XML).expect(200).text()).contains("a\u{FFFD}\u{FFFD}b"));
}
