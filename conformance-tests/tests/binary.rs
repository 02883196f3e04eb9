//! Binaries as what they hold: content in, content out, by the same gates as the resource.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use techo_conformance_tests::http::Response;
use techo_conformance_tests::sample::{consent, patient};
use techo_conformance_tests::world::{Ask, Caller, World};

const JSON: &str = "application/fhir+json";
const HTML: &str = "text/html; charset=utf-8";
const PAGE: &[u8] = b"<script>alert(document.domain)</script>";
const CONTEXT: &str = "X-Security-Context";
/// What Firefox asks for a page with.
const BROWSER: &str =
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,image/svg+xml,*/*;q=0.8";

fn binary(media: &str, bytes: &[u8], context: &str) -> Value {
    json!({"resourceType": "Binary", "contentType": media, "data": STANDARD.encode(bytes),
        "securityContext": {"reference": context}})
}

fn read(caller: &Caller, path: &str, accept: &str) -> Response {
    caller.request("GET", path).header("Accept", accept).send()
}

fn send(caller: &Caller, place: &str, media: &str, bytes: &[u8], context: Option<&str>) -> Response {
    let (method, path) = place.split_once(' ').expect("a method and a path");
    let request = caller.request(method, path).body(media, bytes);
    context.map_or(request.clone(), |context| request.header(CONTEXT, context)).send()
}

/// The path of what was made.
fn made(answer: &Response) -> String {
    let location = answer.header("Location").unwrap_or_else(|| panic!("201 without Location"));
    let (path, version) = location.rsplit_once("/_history/").expect("a version");
    assert_eq!(version, "1");
    path.rsplit_once("/fhir/").expect("below the base").1.to_owned()
}

fn media(answer: &Response) -> &str {
    answer.header("Content-Type").unwrap_or_default()
}

/// Every byte there is, and some that are no UTF-8.
fn bytes() -> Vec<u8> {
    (0..=255).chain([0xFF, 0xFE, 0, 0xC3]).cycle().take(5000).collect()
}

/// It is content, and can do nothing.
#[track_caller]
fn harmless(answer: &Response, media_type: &str, expected: &[u8]) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!((media(answer), &*answer.body), (media_type, expected));
    for (name, value) in [
        ("Content-Disposition", "attachment"),
        ("Content-Security-Policy", "sandbox; default-src 'none'"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Accept-Ranges", "none"),
        ("Cache-Control", "no-store"),
    ] {
        let all: Vec<&str> = answer.all(name).collect();
        assert_eq!(all, [value], "{name}");
    }
    assert!(answer.all("Vary").any(|names| names.contains("Accept,")), "{:?}", answer.headers);
}

#[test]
fn content_goes_out_as_what_it_is() {
    let world = World::new();
    let tester = world.tester();
    let who = format!("Patient/{}", tester.create(&patient("内容", "binary-1", "2024-04-01")));
    let id = tester.create(&binary(HTML, PAGE, &who));
    let path = format!("Binary/{id}");
    for accept in ["text/html", "text/*", BROWSER, "application/fhir+json;q=0.5, text/html"] {
        let answer = read(&tester, &path, accept);
        harmless(&answer, HTML, PAGE);
        assert_eq!(answer.header("ETag"), Some("W/\"1\""));
        assert_eq!(answer.header(CONTEXT), Some(&*who));
        assert!(answer.header("Last-Modified").is_some_and(|date| date.ends_with(" GMT")), "{:?}", answer.headers);
    }
    let resource = tester.get(&path).expect(200);
    assert_eq!(resource.json()["data"], STANDARD.encode(PAGE));
    for accept in ["", "*/*", JSON, "application/json", "application/json, text/plain, */*"] {
        let answer = read(&tester, &path, accept).expect(200);
        assert_eq!(
            (media(&answer), &answer.body),
            ("application/fhir+json; charset=utf-8", &resource.body),
            "{accept}"
        );
        assert!(answer.header("Content-Disposition").is_none());
    }
    for accept in ["application/fhir+xml", "application/xml", "application/fhir+xml, text/html"] {
        assert!(media(&read(&tester, &path, accept).expect(200)).starts_with("application/fhir+xml"), "{accept}");
    }
    // `_format` names the resource, and so does a part of it.
    let answer = read(&tester, &format!("{path}?_format=xml"), "text/html").expect(200);
    assert!(media(&answer).starts_with("application/fhir+xml"));
    read(&tester, &format!("{path}?_summary=true"), "text/html").refused(406);
    assert!(read(&tester, &format!("{path}?_elements=contentType"), BROWSER).text().contains("SUBSETTED"));
    for accept in ["application/pdf", "image/*", "text/html;q=0", "text/html;q=0, application/fhir+json;q=0"] {
        let answer = read(&tester, &path, accept).refused(406);
        assert!(answer.header("ETag").is_none() && media(&answer).starts_with(JSON), "{:?}", answer.headers);
    }
    // It names nothing there, as of every type.
    read(&tester, &format!("{path}?_format="), "text/html").refused(406);
    // Of other types nothing changes.
    read(&tester, &who, "text/html").refused(406);
    read(&tester, "Binary?_id=x", "text/html").refused(406);
    read(&tester, &format!("{path}/_history"), "text/html").refused(406);
    // By `HEAD`, by condition, by version.
    let head = tester.request("HEAD", &path).header("Accept", "text/html").send().expect(200);
    assert_eq!((media(&head), head.header("Content-Length")), (HTML, Some(&*PAGE.len().to_string())));
    assert!(head.body.is_empty());
    let condition = tester.request("GET", &path).header("Accept", "text/html").header("If-None-Match", "W/\"1\"");
    assert!(condition.send().expect(304).body.is_empty());
    let second = json!({"resourceType": "Binary", "id": id, "contentType": "text/plain", "data": "QQ==",
        "securityContext": {"reference": who}});
    tester.put(&path, &second).expect(200);
    let answer = read(&tester, &path, "text/plain");
    harmless(&answer, "text/plain", b"A");
    assert_eq!(answer.header("ETag"), Some("W/\"2\""));
    let answer = read(&tester, &format!("{path}/_history/1"), "text/html");
    harmless(&answer, HTML, PAGE);
    assert_eq!(answer.header("ETag"), Some("W/\"1\""));
    read(&tester, &format!("{path}/_history/2"), "text/html").refused(406);
    read(&tester, &format!("{path}/_history/3"), "text/html").refused(404);
    tester.delete(&path).expect(204);
    read(&tester, &path, "text/plain").refused(410);
}

#[test]
fn what_a_header_cannot_say_and_what_is_not_there() {
    let world = World::new();
    let tester = world.tester();
    // FHIR lets this be a type; a header does not.
    let path =
        format!("Binary/{}", tester.create(&json!({"resourceType": "Binary", "contentType": "xml", "data": "QQ=="})));
    let refused = read(&tester, &path, "text/plain").refused(406);
    assert!(refused.text().contains("contentType"), "{}", refused.text());
    assert!(media(&read(&tester, &path, BROWSER).expect(200)).starts_with("application/fhir+xml"));
    let smuggled = "image/png; a=b, text/html";
    let path = format!(
        "Binary/{}",
        tester.create(&json!({"resourceType": "Binary", "contentType": smuggled, "data": "QQ=="}))
    );
    read(&tester, &path, "image/png").refused(406);
    for bad in ["image/png\r\nSet-Cookie: a=b", "image/png\nX: y", "nonsense", "image/*"] {
        tester.post("Binary", &json!({"resourceType": "Binary", "contentType": bad, "data": "QQ=="})).refused(400);
    }
    let bad = json!({"resourceType": "Binary", "contentType": "image/png", "data": "QQ="});
    let refused = tester.post("Binary", &bad).refused(400).json();
    assert_eq!(refused["issue"][0]["expression"], json!(["Binary.data"]), "{refused}");
    // No data is no bytes; data that is absent for a reason is told by the resource.
    let path = format!("Binary/{}", tester.create(&json!({"resourceType": "Binary", "contentType": "text/csv"})));
    harmless(&read(&tester, &path, "text/csv"), "text/csv", b"");
    let absent = json!({"resourceType": "Binary", "contentType": "text/csv", "_data": {"extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]}});
    let path = format!("Binary/{}", tester.create(&absent));
    read(&tester, &path, "text/csv").refused(406);
    // White space, as XML brings it.
    let xml =
        "<Binary xmlns=\"http://hl7.org/fhir\"><contentType value=\"text/csv\"/><data value=\"QU&#10; JD\"/></Binary>";
    let answer = tester.request("POST", "Binary").body("application/xml", xml).send().expect(201);
    harmless(&read(&tester, &made(&answer), "text/csv"), "text/csv", b"ABC");
}

#[test]
fn content_comes_in_and_goes_out_again() {
    let world = World::new();
    let tester = world.tester();
    let who = format!("Patient/{}", tester.create(&patient("送信", "binary-2", "2024-04-01")));
    for (media_type, bytes) in [("application/pdf", bytes()), (HTML, PAGE.to_vec()), ("image/png", Vec::new())] {
        let answer = send(&tester, "POST Binary", media_type, &bytes, Some(&who)).expect(201);
        assert_eq!(answer.header("ETag"), Some("W/\"1\""));
        let resource = answer.json();
        assert_eq!(resource["contentType"], media_type);
        assert_eq!(resource["securityContext"], json!({"reference": who}));
        let path = made(&answer);
        assert_eq!(tester.get(&path).expect(200).json(), resource);
        harmless(&read(&tester, &path, "text/html, */*;q=0.5"), media_type, &bytes);
    }
    // Packed, and packed again where that is worth it.
    let text = "山田".repeat(5000).into_bytes();
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&text).expect("gzip");
    let packed = packed.finish().expect("gzip");
    let request = tester.request("POST", "Binary").header("Content-Encoding", "gzip").body("text/plain", packed);
    let path = made(&request.send().expect(201));
    harmless(&read(&tester, &path, "text/plain"), "text/plain", &text);
    let answer = tester.request("GET", &path).header("Accept", "text/plain").header("Accept-Encoding", "zstd").send();
    assert_eq!(answer.header("Content-Encoding"), Some("zstd"));
    assert_eq!(zstd::stream::decode_all(&answer.body[..]).expect("zstd"), text);
    let path = made(&send(&tester, "POST Binary", "image/png", &bytes(), None).expect(201));
    let answer = tester.request("GET", &path).header("Accept", "image/*").header("Accept-Encoding", "zstd").send();
    assert!(answer.header("Content-Encoding").is_none(), "pictures are packed in themselves");
    harmless(&answer, "image/png", &bytes());
    // As every create: what is preferred, and its conditions.
    let request = || tester.request("POST", "Binary").body("image/png", bytes());
    assert!(request().header("Prefer", "return=minimal").send().expect(201).body.is_empty());
    request().header("If-Match", "W/\"1\"").send().refused(400);
    request().header("Accept", "image/png").send().refused(406);
    let id = path.trim_start_matches("Binary/");
    let again = request().header("If-None-Exist", &format!("_id={id}")).send().expect(200);
    assert_eq!(again.json()["id"], id);
    // The encoded resource must fit too.
    let large = vec![b'a'; 13 << 20];
    let refused = send(&tester, "POST Binary", "application/pdf", &large, None).refused(413);
    assert!(refused.text().contains("base64"), "{}", refused.text());
    let fits = &large[..12 << 20][..(12 << 20) - 300];
    let request = tester.request("POST", "Binary").header("Prefer", "return=minimal").body("application/pdf", fits);
    let path = made(&request.send().expect(201));
    assert_eq!(read(&tester, &path, "application/pdf").expect(200).body, fits);
}

#[test]
fn updates_take_content_too() {
    let world = World::new();
    let tester = world.tester();
    let path = "Binary/binary-by-put";
    send(&tester, &format!("PUT {path}"), "image/png", b"one", None).expect(201);
    harmless(&read(&tester, path, "image/png"), "image/png", b"one");
    let put = |condition: (&str, &str)| {
        tester.request("PUT", path).header(condition.0, condition.1).body("text/csv", *b"two").send()
    };
    put(("If-Match", "W/\"7\"")).refused(412);
    put(("If-None-Match", "*")).refused(412);
    let answer = put(("If-Match", "W/\"1\"")).expect(200);
    assert_eq!(answer.header("ETag"), Some("W/\"2\""));
    harmless(&read(&tester, path, "text/csv"), "text/csv", b"two");
    send(&tester, "PUT Binary?_id=binary-by-put", "text/csv", b"three", None).expect(200);
    harmless(&read(&tester, path, "text/csv"), "text/csv", b"three");
    harmless(&read(&tester, &format!("{path}/_history/1"), "image/png"), "image/png", b"one");
}

#[test]
fn what_is_fhir_and_what_is_content() {
    let world = World::new();
    let tester = world.tester();
    let post = |media: &str, body: &str| send(&tester, "POST Binary", media, body.as_bytes(), None);
    let cda = "<?xml version=\"1.0\"?><ClinicalDocument xmlns=\"urn:hl7-org:v3\"/>";
    for (media_type, body, accept) in [
        ("application/xml", cda, "application/xml"),
        ("text/xml; charset=utf-8", cda, "text/xml"),
        ("application/json", "{\"resourceType\":\"Patient\"}", "application/json"),
        ("application/json-patch+json", "[]", "application/json-patch+json"),
        ("application/x-www-form-urlencoded", "a=b", "application/*"),
        ("application/fhir+ndjson", "{\"resourceType\":\"Patient\"}\n{}\n", "application/fhir+ndjson"),
        ("application/fhir+ndjson; charset=utf-8", "{\"resourceType\":\"Binary\"}", "application/*"),
    ] {
        let path = made(&post(media_type, body).expect(201));
        harmless(&read(&tester, &path, accept), media_type, body.as_bytes());
    }
    // A Binary is one under every name, and FHIR's own names are kept for it.
    let resource = binary("text/csv", b"a", "Organization/org-test").to_string();
    for name in [JSON, "application/json", "text/json"] {
        assert_eq!(post(name, &resource).expect(201).json()["contentType"], "text/csv", "{name}");
    }
    for name in [JSON, "application/json"] {
        post(name, "{\"resourceType\":\"Binary\"").refused(400);
    }
    post(JSON, "{\"resourceType\":\"Patient\"}").refused(400);
    post("application/fhir+xml", cda).refused(400);
    for name in
        ["application/fhir+json; fhirVersion=3.0", "application/fhir+json; charset=Shift_JIS", "nonsense", "a/b/c"]
    {
        post(name, &resource).refused(415);
    }
    tester.request("POST", "Binary").send().refused(415);
    // Nothing is passed over.
    send(&tester, "POST Binary", JSON, resource.as_bytes(), Some("Patient/1")).refused(400);
    send(&tester, "POST Binary", "application/json", resource.as_bytes(), Some("Patient/1")).refused(400);
    let two = tester.request("POST", "Binary").header(CONTEXT, "Patient/1").header(CONTEXT, "Patient/2");
    two.body("image/png", *b"a").send().refused(400);
    send(&tester, "POST Binary", "image/png", b"a", Some("not a reference")).refused(400);
    // What is broken is told, and not that the header is out of place.
    let broken =
        send(&tester, "POST Binary", "application/json", b"{\"resourceType\": ", Some("Patient/1")).refused(400);
    let issue = broken.json()["issue"][0].clone();
    assert_eq!((&issue["code"], &issue["diagnostics"]), (&json!("structure"), &json!("line 1, column 18")), "{issue}");
    nothing_else_has_a_context(&tester);
    // Lines of resources are content of a Binary, and no form of a resource.
    send(&tester, "POST Patient", "application/fhir+ndjson", b"{}", None).refused(415);
    read(&tester, "Patient?_id=x", "application/fhir+ndjson").refused(406);
    // Elsewhere content is not taken; in a Bundle a Binary is the resource.
    send(&tester, "POST Patient", "image/png", b"a", None).refused(415);
    send(&tester, "POST Binary/$validate", "image/png", b"a", None).refused(415);
    let path = made(&post("image/png", "a").expect(201));
    let entry = json!({"request": {"method": "GET", "url": path}});
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": [entry]});
    let answer = tester.post("", &bundle).expect(200).json();
    assert_eq!(answer["entry"][0]["resource"]["data"], "YQ==", "{answer}");
    assert!(tester.get("metadata").expect(200).text().contains("X-Security-Context"), "it is said where clients look");
}

/// `X-Security-Context` in a write that is not of content, which would pass it over.
fn nothing_else_has_a_context(tester: &Caller) {
    let who = tester.create(&patient("文脈", "binary-9", "2024-04-01"));
    let path = format!("Patient/{who}");
    let whole = tester.get(&path).expect(200).json();
    let bundle = json!({"resourceType": "Bundle", "type": "batch", "entry": []});
    let patch = json!([{"op": "replace", "path": "/gender", "value": "other"}]);
    let tags = json!({"resourceType": "Parameters", "parameter": [
        {"name": "meta", "valueMeta": {"tag": [{"system": "urn:x", "code": "y"}]}}]});
    let file = binary("text/csv", b"a", "Organization/org-test");
    for (place, media, body) in [
        ("POST Patient", JSON, &patient("文脈", "binary-10", "2024-04-01")),
        (&*format!("PUT {path}"), JSON, &whole),
        ("PUT Patient?identifier=binary-9", "application/json", &whole),
        (&format!("PATCH {path}"), "application/json-patch+json", &patch),
        (&format!("POST {path}/$meta-add"), JSON, &tags),
        ("POST ", JSON, &bundle),
        ("POST Binary", JSON, &file),
        ("PATCH Binary/none", "application/json-patch+json", &patch),
    ] {
        let refused = send(tester, place, media, body.to_string().as_bytes(), Some("Patient/1")).refused(400);
        assert!(refused.text().contains(CONTEXT), "{place}: {}", refused.text());
    }
    // What changes nothing loses nothing by it.
    for (method, place) in [("GET", &*path), ("GET", "Patient"), ("POST", "Patient/_search"), ("DELETE", &path)] {
        let answer = tester.request(method, place).header(CONTEXT, "Patient/1").send();
        assert!(answer.status < 300, "{method} {place}: {}", answer.text());
    }
}

/// What somebody may write as a resource, she may write as content, and nothing else.
#[test]
fn content_is_judged_as_the_resource() {
    let world = World::new();
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let photo = bytes();
    let both = |context: Option<&str>| {
        let mut resource = binary("image/png", &photo, context.unwrap_or_default());
        if context.is_none() {
            resource.as_object_mut().map(|resource| resource.remove("securityContext"));
        }
        let (raw, wrapped) = (send(&app, "POST Binary", "image/png", &photo, context), app.post("Binary", &resource));
        assert_eq!(raw.status, wrapped.status, "{context:?}: {} {}", raw.text(), wrapped.text());
        if raw.status != 201 {
            assert_eq!(raw.text(), wrapped.text(), "{context:?}");
        }
        raw
    };
    let path = made(&both(Some("Patient/pt-mei")).expect(201));
    harmless(&read(&app, &path, "image/png"), "image/png", &photo);
    for context in [None, Some("Patient/pt-stranger"), Some("Patient/pt-absent"), Some("Organization/org-city")] {
        both(context).refused(403);
    }
    // Through what she sees, and not through what she does not.
    let tester = world.tester();
    let other = tester.create(&patient("他家", "binary-3", "2024-04-01"));
    let document = |who: &str| {
        json!({"resourceType": "DocumentReference", "status": "current", "subject": {"reference": who},
            "content": [{"attachment": {"contentType": "image/png"}}]})
    };
    let hers = format!("DocumentReference/{}", app.create(&document("Patient/pt-mei")));
    let hidden = format!("DocumentReference/{}", tester.create(&document(&format!("Patient/{other}"))));
    both(Some(&hers)).expect(201);
    both(Some(&hidden)).refused(403);
    // An update of hers, and not without the context, which would make it nobody's.
    send(&app, &format!("PUT {path}"), "image/png", b"new", Some("Patient/pt-mei")).expect(200);
    send(&app, &format!("PUT {path}"), "image/png", b"new", None).refused(403);
    send(&app, &format!("PUT {path}"), "image/png", b"new", Some("Patient/pt-stranger")).refused(403);
    send(&app, "PUT Binary/binary-chosen", "image/png", b"new", Some("Patient/pt-mei")).refused(405);
    // Who may only read; who has no token.
    send(&world.mother_for_daughter(), "POST Binary", "image/png", &photo, Some("Patient/pt-mei")).refused(403);
    for token in ["", "nonsense"] {
        let nobody = world.holder(token.to_owned());
        send(&nobody, "POST Binary", "image/png", &photo, Some("Patient/pt-mei")).refused(401);
        send(&nobody, &format!("PUT {path}"), "image/png", &photo, None).refused(401);
        read(&nobody, &path, "image/png").refused(401);
    }
    harmless(&read(&app, &path, "image/png"), "image/png", b"new");
}

/// Whatever is asked for, hidden is as absent, and what is taken out stays out.
#[test]
fn hidden_content_is_not_there() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("隠", "binary-4", "2024-04-01"));
    let other = tester.create(&patient("別人", "binary-5", "2024-04-01"));
    let subject = format!("Patient/{who}");
    let path = format!("Binary/{}", tester.create(&binary("image/png", &bytes(), &subject)));
    let version = format!("{path}/_history/1");
    let hidden_from = |caller: &Caller| {
        for accept in ["image/png", "image/*", "application/pdf", BROWSER, "*/*", JSON] {
            for known in ["", "W/\"1\""] {
                let ask = |path: &str| {
                    let request = caller.request("GET", path).header("Accept", accept);
                    let request = if known.is_empty() { request } else { request.header("If-None-Match", known) };
                    let answer = request.send();
                    (
                        answer.status,
                        answer.text(),
                        answer.headers.iter().filter(|(name, _)| *name != "date").cloned().collect::<Vec<_>>(),
                    )
                };
                let absent = ask("Binary/00000000-0000-4000-8000-000000000000");
                assert_eq!(absent.0, 404);
                assert_eq!(ask(&path), absent, "{accept}");
                assert_eq!(ask(&version), absent, "{accept}");
            }
        }
    };
    hidden_from(&world.stranger());
    hidden_from(&town);
    // A Binary goes by its security context: that too must be shared.
    let share = consent(&who, &subject, "permit", "Binary", "Organization/org-city");
    tester.create(&consent(&who, &subject, "permit", "Patient", "Organization/org-city"));
    let share_id = tester.create(&share);
    hidden_from(&world.stranger());
    harmless(&read(&town, &path, "image/png"), "image/png", &bytes());
    // Shown in part: the content would not say so.
    let mut named = binary("image/png", &bytes(), &subject);
    named["meta"] = json!({"extension": [{"url": "https://example.org/seen-by",
        "valueReference": {"reference": format!("Patient/{other}"), "display": "別人 花子"}}]});
    let part = format!("Binary/{}", tester.create(&named));
    let resource = town.get(&part).expect(200).text();
    assert!(resource.contains("REDACTED") && !resource.contains("別人"), "{resource}");
    read(&town, &part, "image/png").refused(406);
    harmless(&read(&tester, &part, "image/png"), "image/png", &bytes());
    // A change of heart counts at once.
    let mut ended = share;
    ended["id"] = json!(share_id);
    ended["status"] = json!("inactive");
    tester.put(&format!("Consent/{share_id}"), &ended).expect(200);
    hidden_from(&town);
}

#[test]
fn a_document_leads_to_its_content_where_both_are_shared() {
    let world = World::new();
    let (tester, town) = (world.tester(), world.importer());
    let who = tester.create(&patient("文書", "binary-6", "2024-04-01"));
    let subject = format!("Patient/{who}");
    let share = |class: &str| consent(&who, &subject, "permit", class, "Organization/org-city");
    tester.create(&share("Patient"));
    let content = made(&send(&tester, "POST Binary", "application/pdf", &bytes(), Some(&subject)).expect(201));
    let document = tester.create(&json!({"resourceType": "DocumentReference", "status": "current",
        "subject": {"reference": subject}, "content": [{"attachment": {"contentType": "application/pdf", "url": content}}]}));
    tester.create(&share("DocumentReference"));
    let found = town.get(&format!("DocumentReference/{document}")).expect(200).json();
    let attachment = &found["content"][0]["attachment"];
    let (url, accept) =
        (attachment["url"].as_str().expect("a url"), attachment["contentType"].as_str().expect("a type"));
    read(&town, url, accept).refused(404);
    tester.create(&share("Binary"));
    harmless(&read(&town, url, accept), "application/pdf", &bytes());
}

#[test]
fn pages_of_registered_apps_give_and_get_the_context() {
    let world = World::new();
    let tester = world.tester();
    let path = format!("Binary/{}", tester.create(&binary("image/png", b"a", "Organization/org-test")));
    let from_page = |method: &str| tester.request(method, &path).header("Origin", "http://127.0.0.1:9871");
    let says = |answer: &Response, name: &str| {
        answer.header(name).is_some_and(|names| names.split(", ").any(|one| one.eq_ignore_ascii_case(CONTEXT)))
    };
    let preflight = from_page("OPTIONS").header("Access-Control-Request-Method", "PUT").send().expect(204);
    assert!(says(&preflight, "Access-Control-Allow-Headers"), "{:?}", preflight.headers);
    let answer = from_page("GET").header("Accept", "image/*").send();
    harmless(&answer, "image/png", b"a");
    assert!(says(&answer, "Access-Control-Expose-Headers"), "{:?}", answer.headers);
}

#[test]
fn content_that_comes_and_goes_is_on_record() {
    let world = World::new();
    let auditor = world.approve(&Ask::new("app-secret", "hanako", "launch/patient patient/AuditEvent.rs").of("pt-mei"));
    let app = world.approve(&Ask::new("app-public", "hanako", "launch/patient patient/*.cruds").of("pt-mei"));
    let path = made(&send(&app, "POST Binary", "image/png", b"a", Some("Patient/pt-mei")).expect(201));
    harmless(&read(&app, &path, "image/png"), "image/png", b"a");
    read(&world.stranger(), &path, "image/png").refused(404);
    let bundle = auditor.search("AuditEvent?patient=pt-mei&_count=200");
    let of = |action: &str| {
        let entries = bundle["entry"].as_array().expect("events").iter().map(|entry| &entry["resource"]);
        entries.filter(|event| event["action"] == action && event.to_string().contains(&path)).count()
    };
    assert_eq!((of("C"), of("R")), (1, 1), "{bundle}");
}
