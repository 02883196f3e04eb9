use super::*;

fn choice(accept: &str, own: Option<&str>) -> Choice {
    Ranges(accept.split(',').map(str::to_owned).collect()).choice(own)
}

#[test]
fn what_is_wanted_most_is_given() {
    use Choice::{Content, Neither, Resource};
    for (accept, own, expected) in [
        ("application/pdf", "application/pdf", Content),
        ("APPLICATION/PDF; q=0.1", "application/pdf", Content),
        ("application/*", "application/pdf", Content),
        ("image/*", "application/pdf", Neither),
        ("image/*", "imagery/png", Neither),
        ("image/*, application/fhir+json;q=0.1", "application/pdf", Resource),
        ("application/pdf;q=0", "application/pdf", Neither),
        ("application/pdf;q=0, */*", "application/pdf", Resource),
        ("application/pdf;q=0, application/*", "application/pdf", Resource),
        // Weights.
        ("application/pdf, application/fhir+json;q=0.9", "application/pdf", Content),
        ("application/pdf;q=0.9, application/fhir+json", "application/pdf", Resource),
        ("application/pdf, application/fhir+xml", "application/pdf", Resource),
        ("application/pdf, application/fhir+json;q=0", "application/pdf", Content),
        ("application/pdf;q=0.3, */*", "application/pdf", Resource),
        ("image/png, */*;q=0.5", "application/pdf", Content),
        ("image/png, */*;q=0.5", "image/png", Content),
        ("text/*;q=0.9, application/fhir+json;q=0.5", "text/plain", Content),
        ("text/*;q=0.5, application/fhir+json;q=0.9", "text/plain", Resource),
        ("text/*, application/fhir+json", "text/plain", Resource),
        ("text/*", "text/plain", Content),
        // Browsers.
        ("text/html, application/xhtml+xml, application/xml;q=0.9, image/webp, */*;q=0.8", "application/pdf", Content),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", "text/html", Content),
        // Libraries that read FHIR.
        ("application/json, text/plain, */*", "application/pdf", Resource),
        ("application/json, text/plain, */*", "text/plain", Resource),
        ("application/fhir+json, */*;q=0.1", "application/pdf", Resource),
        ("application/fhir+json;q=0.5, */*", "application/pdf", Resource),
        ("application/fhir+json;q=0.5, application/*", "application/pdf", Resource),
        // Names that FHIR and the content share.
        ("application/xml", "application/pdf", Resource),
        ("application/xml", "application/xml", Content),
        ("application/xml, application/fhir+xml;q=0.5", "application/xml", Content),
        ("text/xml", "application/xml", Resource),
        ("application/json", "application/json", Content),
        ("application/fhir+json", "application/fhir+json", Resource),
        ("application/fhir+json; fhirVersion=3.0, text/csv", "application/pdf", Neither),
        // Lines of resources are no resource.
        ("application/fhir+ndjson", "application/fhir+ndjson", Content),
        ("application/fhir+ndjson, */*;q=0.5", "application/fhir+ndjson", Content),
        ("application/fhir+ndjson, application/fhir+json", "application/fhir+ndjson", Resource),
        ("application/fhir+json", "application/fhir+ndjson", Resource),
        ("application/fhir+ndjson", "application/pdf", Neither),
        ("application/fhir+ndjson, application/fhir+json;q=0.5", "application/pdf", Resource),
    ] {
        assert_eq!(choice(accept, Some(own)), expected, "{accept} of {own}");
    }
    // What has no content to give is given as FHIR, if that is taken.
    for (accept, expected) in [
        ("application/pdf", Neither),
        ("image/png, */*;q=0.5", Resource),
        ("application/xml", Resource),
        ("application/json;q=0", Neither),
    ] {
        assert_eq!(choice(accept, None), expected, "{accept}");
    }
}

#[test]
fn only_a_media_type_becomes_a_header() {
    for (text, expected) in [
        ("application/pdf", Some("application/pdf")),
        ("Text/HTML; charset=utf-8", Some("text/html")),
        ("text/plain ; charset=\"utf-8\";format=flowed", Some("text/plain")),
        ("text/plain; title=\"a b; c, d/e\"", Some("text/plain")),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            Some("application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ),
        ("", None),
        ("xml", None),
        ("application/", None),
        ("/pdf", None),
        ("a/b/c", None),
        ("image/*", None),
        ("*/*", None),
        (" text/plain", None),
        ("image/png, text/html", None),
        ("image/png; a=b, text/html", None),
        ("image/png; a=\"b\", text/html", None),
        ("image/png; a=\"b", None),
        ("image/png; a=\"b\\\"c\"", None),
        ("image/png; a", None),
        ("image/png; =a", None),
        ("image/png;", None),
        ("image/png; a=", None),
        ("image/png; a=b c", None),
        ("image/png\r\nSet-Cookie: a=b", None),
        ("image/png; a=b\r\nSet-Cookie: a=b", None),
        ("image/png; a=\"b\nc\"", None),
        ("image/絵", None),
        ("image/png; a=絵", None),
        ("image/png\0", None),
    ] {
        assert_eq!(media_type(text).as_deref(), expected, "{text:?}");
    }
}

/// What a request with such a body becomes.
fn sent(method: &str, path: &str, media: &str, context: &[&'static str]) -> Option<Sent> {
    let mut request = Request::builder().method(method).uri(path).header(CONTENT_TYPE, media);
    for line in context {
        request = request.header(CONTEXT, *line);
    }
    Sent::of(&request.body(Body::empty()).expect("a request"))
}

#[test]
fn only_writes_of_binaries_take_content() {
    for (method, path, id) in [
        ("POST", "/fhir/Binary", Some(None)),
        ("PUT", "/fhir/Binary/a-1", Some(Some("a-1"))),
        ("PUT", "/fhir/Binary?_id=a", Some(None)),
        ("PUT", "/fhir/Binary/a_1", None),
        ("POST", "/fhir/Binary/a", None),
        ("POST", "/fhir/Binary/$validate", None),
        ("POST", "/fhir/Binary/_search", None),
        ("PATCH", "/fhir/Binary/a", None),
        ("POST", "/fhir/BinaryX", None),
        ("POST", "/fhir/Patient", None),
        ("POST", "/fhir", None),
        ("POST", "/fhir/$import", None),
    ] {
        let found = sent(method, path, "application/pdf", &[]);
        assert_eq!(found.map(|sent| sent.id), id.map(|id| id.map(str::to_owned)), "{method} {path}");
    }
    assert!(sent("POST", "/fhir/Binary", "application/fhir+json", &[]).is_none());
    assert!(sent("POST", "/fhir/Binary", "Application/FHIR+XML; fhirVersion=3.0", &[]).is_none());
}

#[test]
fn a_binary_under_a_general_name_is_a_resource_and_all_else_is_content() {
    let made = |media: &str, body: &str, context: &[&'static str]| {
        let sent = sent("POST", "/fhir/Binary", media, context).expect("a write of a Binary");
        sent.resource(body.as_bytes())
    };
    let xml = "<?xml version=\"1.0\"?><!-- a --><Binary xmlns=\"http://hl7.org/fhir\"/>";
    for (media, body, is_content) in [
        ("application/json", r#"{"resourceType":"Binary"}"#, false),
        ("text/json", r#" {"resourceType":"Binary"}"#, false),
        ("application/json", r#"{"resourceType":"Patient"}"#, true),
        ("application/json", "[1]", true),
        ("application/json", r#"{"resourceType":"Binary""#, false),
        ("application/xml", xml, false),
        ("text/xml; charset=utf-8", xml, false),
        ("application/xml", "<Binary xmlns=\"urn:x\"/>", true),
        ("application/xml", "<Binary/>", true),
        ("application/xml", "<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><a>", true),
        ("text/xml; charset=Shift_JIS", "<?xml version=\"1.0\" encoding=\"Shift_JIS\"?><a/>", true),
        ("text/plain", r#"{"resourceType":"Binary"}"#, true),
        ("text/plain", "", true),
        ("application/fhir+ndjson", r#"{"resourceType":"Binary"}"#, true),
    ] {
        assert_eq!(made(media, body, &[]).expect("taken").is_some(), is_content, "{media} {body}");
    }
    let one = made("text/plain; charset=utf-8", "あ", &["Patient/1"]).expect("taken").expect("content");
    assert_eq!(
        one,
        r#"{"resourceType":"Binary","contentType":"text/plain; charset=utf-8","securityContext":{"reference":"Patient/1"},"data":"44GC"}"#
    );
    // A header that says two things, or nothing that can be read.
    for context in [&["Patient/1", "Patient/2"][..], &["患者"]] {
        assert!(matches!(made("text/plain", "a", context), Err(Error::Invalid(_))), "{context:?}");
    }
    assert!(matches!(made("nonsense", "a", &[]), Err(Error::Unsupported(_))));
}

#[test]
fn what_comes_in_goes_out_byte_for_byte() {
    // xorshift64: the same bytes at every run.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..500 {
        let length = if round < 50 { round } else { usize::try_from(next() % 4000).expect("small") };
        let bytes: Vec<u8> = (0..length).map(|_| next().to_le_bytes()[3]).collect();
        let sent = sent("POST", "/fhir/Binary", "image/png", &[]).expect("a write");
        let text = sent.resource(&bytes).expect("taken").expect("content");
        let resource = Json::parse(text.as_bytes()).expect("JSON");
        let content = Held::of(&resource).expect("held").content(Some(Coding::Gzip)).expect("decoded");
        assert_eq!(content.bytes, bytes);
    }
}

#[test]
fn base64_goes_out_as_validation_takes_it() {
    let held = |data: &str| {
        let resource = Json::object([("contentType", Json::from("a/b")), ("data", Json::from(data))]);
        Held::of(&resource).expect("held").content(None).map(|content| content.bytes)
    };
    for (data, expected) in [("QUJD", "ABC"), ("QU\r\n JD\t", "ABC"), ("QQ==\n", "A"), ("QR==", "A"), ("QUJ=", "AB")] {
        assert_eq!(held(data).expect(data), expected.as_bytes(), "{data:?}");
    }
    assert!(held("QUJ").is_err());
}

#[test]
fn what_is_shown_in_part_has_no_content_to_give() {
    let subsetted =
        r#"{"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]}"#;
    for (binary, is_held) in [
        (r#"{"contentType":"a/b","data":"QUJD"}"#.to_owned(), true),
        (r#"{"contentType":"a/b"}"#.to_owned(), true),
        (r#"{"contentType":"a/b","_data":{"id":"x"}}"#.to_owned(), false),
        (r#"{"contentType":"xml","data":"QUJD"}"#.to_owned(), false),
        (r#"{"data":"QUJD"}"#.to_owned(), false),
        (r#"{"contentType":"a/b","data":"QUJD","securityContext":{"reference":"患者"}}"#.to_owned(), false),
        (format!(r#"{{"contentType":"a/b","data":"QUJD","meta":{subsetted}}}"#), false),
    ] {
        let binary = Json::parse(binary.as_bytes()).expect("JSON");
        assert_eq!(Held::of(&binary).is_some(), is_held, "{binary}");
    }
}
