//! SMART App Launch 2.2 as an app meets it: discovery, authorization request,
//! approval, scopes. The ids are those of the requirement rows.

use std::collections::BTreeSet;

use techo_conformance_tests::browser::Browser;
use techo_conformance_tests::http::{Request, Response, encode, query};
use techo_conformance_tests::jose::{challenge, fresh};
use techo_conformance_tests::world::{ALL, Ask, CALLBACK, World};

const APP: &str = "http://127.0.0.1:9871";

fn set(text: &str) -> BTreeSet<&str> {
    text.split(' ').filter(|part| !part.is_empty()).collect()
}

#[test]
fn discovery_is_open_and_true() {
    let world = World::new();
    let url = format!("{}/.well-known/smart-configuration", world.base);
    for accept in [Some("text/html"), Some("application/fhir+json"), None] {
        let request = Request::get(&url).header("Origin", "https://anywhere.example");
        let answer = accept.map_or(request.clone(), |accept| request.header("Accept", accept)).send().expect(200);
        assert!(answer.header("Content-Type").is_some_and(|media| media.starts_with("application/json")), "DIS-1");
        let origin = answer.header("Access-Control-Allow-Origin");
        assert!(matches!(origin, Some("*" | "https://anywhere.example")), "NET-1 {origin:?}");
    }
    let document = world.discovery();
    let strings = |name: &str| -> BTreeSet<String> {
        let list = document[name].as_array().unwrap_or_else(|| panic!("{name} in {document}"));
        list.iter().map(|item| item.as_str().unwrap_or_else(|| panic!("{name} holds strings")).to_owned()).collect()
    };
    for name in
        ["authorization_endpoint", "token_endpoint", "introspection_endpoint", "revocation_endpoint", "jwks_uri"]
    {
        assert!(document[name].as_str().is_some_and(|url| url.starts_with("http")), "DIS-2 {name}");
    }
    assert!(
        strings("grant_types_supported").is_superset(&owned(&["authorization_code", "client_credentials"])),
        "DIS-2"
    );
    assert_eq!(strings("code_challenge_methods_supported"), owned(&["S256"]), "DIS-2");
    assert_eq!(strings("response_types_supported"), owned(&["code"]), "DIS-6");
    let methods = strings("token_endpoint_auth_methods_supported");
    assert!(methods.is_superset(&owned(&["client_secret_basic", "private_key_jwt"])), "DIS-5");
    let algorithms = strings("token_endpoint_auth_signing_alg_values_supported");
    assert!(algorithms.is_superset(&owned(&["ES384", "RS384"])), "DIS-5");
    let claimed = strings("capabilities");
    let built = [
        "launch-standalone",
        "authorize-post",
        "client-public",
        "client-confidential-symmetric",
        "client-confidential-asymmetric",
        "sso-openid-connect",
        "context-standalone-patient",
        "permission-offline",
        "permission-patient",
        "permission-user",
        "permission-v1",
        "permission-v2",
    ];
    assert!(claimed.is_superset(&owned(&built)), "DIS-4 {claimed:?}");
    let openid = Request::get(&format!("{}/.well-known/openid-configuration", world.base)).send().expect(200).json();
    assert_eq!(openid["issuer"], document["issuer"], "DIS-3");
    assert_eq!(openid["jwks_uri"], document["jwks_uri"], "DIS-3");
    assert_eq!(openid["issuer"], world.base.as_str(), "OID-2");
    for name in ["response_types_supported", "subject_types_supported", "id_token_signing_alg_values_supported"] {
        assert!(openid[name].is_array(), "OID-2 {name}");
    }
    let unknown = Request::get(&format!("{}/.well-known/nonsense", world.base)).send();
    assert!((400..500).contains(&unknown.status), "DIS-8");
}

fn owned(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn every_supported_scope_can_be_granted() {
    let world = World::new();
    let document = world.discovery();
    for scope in document["scopes_supported"].as_array().expect("DIS-5") {
        let scope = scope.as_str().expect("a string");
        if scope.starts_with("system/") {
            let asked = if scope == "system/launch.c" { "ehr-sakura" } else { "tester" };
            let answer = world.backend_answer(asked, scope);
            assert_eq!(answer.status, 200, "{scope}: {}", answer.text());
            continue;
        }
        let beside =
            if scope.starts_with("patient/") || scope.starts_with("user/") { "" } else { " patient/Observation.rs" };
        let caller = world.approve(&Ask::new("app-secret", "hanako", &format!("{scope}{beside}")).of("pt-mei"));
        assert!(set(caller.granted("scope")).contains(scope), "{scope} in {}", caller.grant);
    }
}

/// They were granted, and every request by them was refused.
#[test]
fn a_scope_that_would_give_nothing_is_not_granted() {
    let world = World::new();
    let metadata = Request::get(&format!("{}/metadata", world.base)).send().expect(200).json();
    let types: Vec<&str> = metadata["rest"][0]["resource"]
        .as_array()
        .expect("types")
        .iter()
        .filter_map(|one| one["type"].as_str())
        .collect();
    assert!(types.len() > 100, "{types:?}");
    let asked: Vec<String> = types.iter().map(|kind| format!("patient/{kind}.rs")).collect();
    let app = world.approve(&Ask::new("app-public", "hanako", &asked.join(" ")).of("pt-mei"));
    let granted = set(app.granted("scope"));
    for (kind, scope) in types.iter().zip(&asked) {
        let status = app.get(&format!("{kind}?_count=1")).status;
        assert_eq!(status == 403, !granted.contains(scope.as_str()), "{scope}: {status}");
    }
    for (kind, is) in [
        ("Observation", true),
        ("Provenance", true),
        ("Binary", true),
        ("Organization", true),
        ("Medication", true),
        ("Task", false),
        ("Device", false),
        ("Bundle", false),
    ] {
        assert_eq!(granted.contains(format!("patient/{kind}.rs").as_str()), is, "{kind}");
    }
    // Alone it is as good as none, to a person and to the operator; in `user/` it means something.
    let alone = authorize(&world, &[("scope", Some("patient/Task.read patient/Device.cruds"))]);
    assert_eq!(alone.location_parameter("error").as_deref(), Some("invalid_scope"));
    world.approve(&Ask::new("app-public", "hanako", "user/Task.rs").of("pt-mei")).get("Task").expect(200);
    for (scope, done) in [("patient/Device.rs", false), ("patient/Binary.rs", true), ("user/Device.rs", true)] {
        let add = [
            "client",
            "add",
            "--id",
            "idle",
            "--kind",
            "public",
            "--redirect",
            "http://127.0.0.1/cb",
            "--scope",
            scope,
        ];
        let output = world.server.command(&add);
        assert_eq!(output.status.success(), done, "{scope}");
        assert_eq!(String::from_utf8_lossy(&output.stderr).contains("belongs to a patient"), !done, "{scope}");
        if done {
            assert!(world.server.command(&["client", "remove", "--id", "idle"]).status.success());
        }
    }
    let token = ["token", "--client", "app-public", "--patient", "pt-mei", "--scope", "patient/Task.r"];
    assert!(!world.server.command(&token).status.success());
}

/// An authorization request with some parameters changed; `None` drops one.
fn authorize(world: &World, changes: &[(&str, Option<&str>)]) -> Response {
    let digest = challenge(&fresh());
    let mut fields: Vec<(&str, &str)> = vec![
        ("response_type", "code"),
        ("client_id", "app-public"),
        ("redirect_uri", CALLBACK),
        ("scope", "launch/patient patient/Observation.rs"),
        ("state", "the state"),
        ("aud", &world.base),
        ("code_challenge", &digest),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        fields.retain(|(known, _)| known != name);
        fields.extend(value.map(|value| (*name, value)));
    }
    Browser::new().send(Request::get(&format!("{}?{}", world.endpoint("authorization_endpoint"), query(&fields))))
}

#[test]
fn a_wrong_client_or_address_never_redirects() {
    let world = World::new();
    let good = authorize(&world, &[]);
    assert!(good.status < 400, "{}", good.text());
    for uri in [
        "https://evil.example/cb",
        "http://127.0.0.1:9871/cb/",
        "http://127.0.0.1:9871/CB",
        "http://127.0.0.1:9871/cb?x=1",
        "http://127.0.0.1:9871/cb#f",
        "http://127.0.0.1:9871@evil.example/cb",
        "http://127.0.0.1.evil.example:9871/cb",
        "https://127.0.0.1:9871/cb",
        "http://127.0.0.1:9871//cb",
        "http://127.0.0.1:9871/x/../cb",
        "http://127.0.0.1:9871/%63b",
        "http://localhost:9871/cb",
        "http://u:p@127.0.0.1:9871/cb",
        "HTTP://127.0.0.1:9871/cb ",
        "javascript:alert(1)",
        "//127.0.0.1:9871/cb",
        "/cb",
        "",
        "http://0x7f.1:9871/cb",
        "http://127.1:9871/cb",
        "http://[::1]:9871/cb",
        "http://127.0.0.1:9871/cb\\@evil.example",
        "data:text/html,x",
        "http://127.0.0.1:9871/cb%0d%0aX:y",
    ] {
        let answer = authorize(&world, &[("redirect_uri", Some(uri))]);
        assert!((400..500).contains(&answer.status), "AUT-2 {uri}: {}", answer.status);
        assert!(answer.header("Location").is_none(), "AUT-2 {uri}");
    }
    // RFC 8252: an app on a loopback address chooses its port when it starts.
    assert!(authorize(&world, &[("redirect_uri", Some("http://127.0.0.1:5555/cb"))]).status < 400, "AUT-2 any port");
    for client in [Some("nobody"), Some(""), None, Some("importer"), Some("app-public ")] {
        let answer = authorize(&world, &[("client_id", client)]);
        assert!((400..500).contains(&answer.status) && answer.header("Location").is_none(), "AUT-2 {client:?}");
    }
}

/// Parameters of a good request that are changed or left out.
type Change<'a> = &'a [(&'a str, Option<&'a str>)];

#[test]
fn what_is_wrong_in_a_request_is_told_to_the_app() {
    let world = World::new();
    let long = "x".repeat(2_000);
    let digest = challenge("v");
    let cases: [(Change<'_>, &str); 11] = [
        (&[("response_type", Some("token"))], "unsupported_response_type"),
        (&[("response_type", Some("code id_token"))], "unsupported_response_type"),
        (&[("code_challenge", None)], "invalid_request"),
        (&[("code_challenge", Some(""))], "invalid_request"),
        (&[("code_challenge", Some("short"))], "invalid_request"),
        (&[("code_challenge_method", Some("plain"))], "invalid_request"),
        (&[("code_challenge_method", None)], "invalid_request"),
        (&[("aud", None)], "invalid_request"),
        (&[("aud", Some("https://other.example/fhir"))], "invalid_request"),
        (&[("launch", Some("nonsense")), ("scope", Some("launch patient/Observation.rs"))], "invalid_request"),
        (&[("scope", Some("nonsense patient/Nonsense.rs"))], "invalid_scope"),
    ];
    for (changes, expected) in cases {
        for state in ["1234567890123456", long.as_str(), "a b&c=d%20", digest.as_str()] {
            let mut changes = changes.to_vec();
            changes.push(("state", Some(state)));
            let answer = authorize(&world, &changes);
            assert!(
                answer.header("Location").is_some_and(|to| to.starts_with(CALLBACK)),
                "{changes:?}: {}",
                answer.text()
            );
            assert_eq!(answer.location_parameter("error").as_deref(), Some(expected), "{changes:?}");
            assert_eq!(answer.location_parameter("state").as_deref(), Some(state), "AUT-5");
            assert_eq!(answer.location_parameter("iss").as_deref(), Some(world.base.as_str()), "RFC 9207");
        }
    }
    let none = authorize(&world, &[("prompt", Some("none")), ("scope", Some("openid patient/Observation.rs"))]);
    assert_eq!(none.location_parameter("error").as_deref(), Some("login_required"), "AUT-9");
    let slash = authorize(&world, &[("aud", Some(&format!("{}/", world.base)))]);
    assert!(slash.location_parameter("error").is_none(), "AUT-3: one slash at the end is ignored");
}

#[test]
fn a_posted_request_works_as_a_get_does() {
    let world = World::new();
    let ask = Ask::new("app-public", "hanako", "launch/patient patient/Observation.rs").of("pt-mei");
    let (url, verifier, _) = world.authorize_url(&ask);
    let fields = techo_conformance_tests::http::parameters(&url);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let browser = Browser::new();
    let endpoint = world.endpoint("authorization_endpoint");
    let answer = browser.send(Request::post(&endpoint).form(&fields));
    let mut page = techo_conformance_tests::browser::Page { url: endpoint, answer };
    if let Some(next) = page.redirect() {
        page = browser.open(&page.resolve(next));
    }
    let page = world.sign_in(&browser, page, "hanako");
    let page = world.decide(&browser, &page, &ask, "allow");
    let code = page.answer.location_parameter("code").expect("AUT-1: a code");
    let coded = techo_conformance_tests::world::Coded { code, verifier, redirect: ask.redirect, client: ask.client };
    world.exchange(&coded).expect(200);
}

#[test]
fn what_is_not_ticked_is_not_granted() {
    let world = World::new();
    let asked = "launch/patient offline_access patient/Observation.rs patient/Condition.rs patient/Immunization.rs";
    let ask =
        Ask::new("app-public", "hanako", asked).of("pt-mei").without("patient/Condition.rs").without("offline_access");
    let caller = world.approve(&ask);
    assert_eq!(
        set(caller.granted("scope")),
        set("launch/patient patient/Observation.rs patient/Immunization.rs"),
        "CON-1"
    );
    assert!(caller.grant["refresh_token"].is_null(), "CON-3");
    caller.get("Observation?patient=pt-mei").expect(200);
    caller.get("Condition?patient=pt-mei").refused(403);
    caller.get("Condition").refused(403);
    caller.get("Condition/never-was").refused(403);
    caller.get("MedicationStatement?patient=pt-mei").refused(403);
}

#[test]
fn the_approval_page_asks_fairly() {
    let world = World::new();
    let ask = Ask::new("app-public", "hanako", ALL).of("pt-mei");
    let (url, _, state) = world.authorize_url(&ask);
    let browser = Browser::new();
    let signin = browser.open(&url);
    for page in [&signin, &world.sign_in(&browser, signin.clone(), "hanako")] {
        assert!(page.answer.header("Cache-Control").is_some_and(|value| value.contains("no-store")), "NET-6");
        let policy = page.answer.header("Content-Security-Policy").unwrap_or_default();
        assert!(policy.contains("frame-ancestors"), "NET-6 {policy}");
        assert!(page.answer.header("X-Content-Type-Options") == Some("nosniff"), "{:?}", page.answer.headers);
    }
    let cookie = signin.answer.all("Set-Cookie").chain([]).collect::<Vec<_>>().join(" ").to_lowercase();
    assert!(cookie.is_empty() || cookie.contains("httponly") && cookie.contains("samesite"), "{cookie}");
    let page = browser.open(&url);
    let form = page.form("decision").expect("signed in already: the approval page");
    let mut offered = form.values("scope");
    offered.sort_unstable();
    assert_eq!(offered, ["offline_access", "patient/*.rs"], "openid, fhirUser and launch need no tick");
    assert!(
        form.fields.iter().filter(|field| field.name == "scope").all(|field| !field.checked),
        "nothing is pre-ticked"
    );
    let mut people = form.values("patient");
    people.sort_unstable();
    assert_eq!(people, ["pt-hanako", "pt-mei", "pt-taro"], "CON-6");
    let empty = browser.submit(&page, &form, &[("patient", "pt-mei"), ("decision", "allow")]);
    assert!(empty.redirect().is_none() && empty.form("decision").is_some(), "allow with nothing ticked asks again");
    let forged = Ask { untick: Vec::new(), ..ask.clone() };
    let mut bare = form.clone();
    bare.fields.retain(|field| field.kind != "hidden");
    let answer =
        browser.submit(&page, &bare, &[("patient", "pt-mei"), ("scope", "patient/*.rs"), ("decision", "allow")]);
    assert!((400..500).contains(&answer.answer.status), "NET-6: no token, no decision: {}", answer.answer.status);
    let taken =
        browser.submit(&page, &form, &[("patient", "pt-stranger"), ("scope", "patient/*.rs"), ("decision", "allow")]);
    assert!(taken.answer.location_parameter("code").is_none(), "a patient that was not offered");
    let page = browser.open(&url);
    let denied = world.decide(&browser, &page, &forged, "deny");
    assert_eq!(denied.answer.location_parameter("error").as_deref(), Some("access_denied"), "CON-5");
    assert_eq!(denied.answer.location_parameter("state").as_deref(), Some(state.as_str()), "CON-5");
    let japanese = Browser::japanese().open(&url);
    assert!(japanese.answer.text().chars().any(|letter| ('あ'..='ん').contains(&letter)), "CON-7");
}

#[test]
fn scopes_are_read_in_both_versions() {
    let world = World::new();
    // asked, granted; ids of SCP
    for (asked, granted) in [
        ("patient/Observation.read", "patient/Observation.read"),
        ("patient/*.read", "patient/*.read"),
        ("patient/Observation.rs", "patient/Observation.rs"),
        ("patient/Observation.rs patient/Observation.dus", "patient/Observation.rs"),
        ("patient/Observation.rs patient/Nonsense.rs profile", "patient/Observation.rs"),
        ("patient/Observation.rs patient/Observation.", "patient/Observation.rs"),
        ("patient/Observation.rs patient/Observation.rs?nope=1", "patient/Observation.rs"),
    ] {
        let caller = world.approve(&Ask::new("app-public", "hanako", &format!("launch/patient {asked}")).of("pt-mei"));
        let mut got = set(caller.granted("scope"));
        got.remove("launch/patient");
        assert_eq!(got, set(granted), "{asked}");
        assert_eq!(caller.granted("patient"), "pt-mei");
        caller.get("Observation?patient=pt-mei").expect(200);
    }
    let inferred = world.approve(&Ask::new("app-public", "hanako", "patient/Observation.rs").of("pt-mei"));
    assert_eq!(inferred.granted("patient"), "pt-mei", "CON-6: launch/patient is inferred");
}

#[test]
fn read_and_search_are_two_permissions() {
    let world = World::new();
    let all = world.mother_for_daughter();
    let some = all.ids("Observation?patient=pt-mei").remove(0);
    let reads = world.approve(&Ask::new("app-public", "hanako", "patient/Observation.r").of("pt-mei"));
    reads.get(&format!("Observation/{some}")).expect(200);
    reads.get(&format!("Observation/{some}/_history")).expect(200);
    reads.get("Observation?patient=pt-mei").refused(403);
    let searches = world.approve(&Ask::new("app-public", "hanako", "patient/Observation.s").of("pt-mei"));
    searches.get("Observation?patient=pt-mei").expect(200);
    searches.get(&format!("Observation/{some}")).refused(403);
    searches.get(&format!("Observation/{some}/_history/1")).refused(403);
}

#[test]
fn a_category_scope_binds_every_way() {
    let world = World::new();
    let all = world.mother_for_daughter();
    let category = "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs";
    let vital = all.ids(&format!("Observation?patient=pt-mei&category={}", encode(category)));
    let every = all.ids("Observation?patient=pt-mei&_count=500");
    let other: Vec<&String> = every.iter().filter(|id| !vital.contains(id)).collect();
    assert!(!vital.is_empty() && !other.is_empty(), "the sample has both: {} and {}", vital.len(), other.len());
    let scope = format!("patient/Observation.rs?category={category}");
    let some = world.approve(&Ask::new("app-public", "hanako", &scope).of("pt-mei"));
    assert!(set(some.granted("scope")).contains(scope.as_str()), "{}", some.grant);
    let mut found = some.ids("Observation?patient=pt-mei&_count=500");
    let mut expected = vital.clone();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "SCP-6");
    assert_eq!(some.search("Observation?patient=pt-mei&_total=accurate&_count=1")["total"], vital.len(), "SCP-6");
    some.get(&format!("Observation/{}", vital[0])).expect(200);
    for path in ["", "/_history", "/_history/1"] {
        let answer = some.get(&format!("Observation/{}{path}", other[0]));
        assert!([403, 404].contains(&answer.status), "SCP-6 {path}: {}", answer.status);
    }
}

#[test]
fn a_user_scope_reaches_all_her_people_and_no_further() {
    let world = World::new();
    let coded = world
        .code(&Ask::new("app-public", "hanako", "openid fhirUser user/Immunization.rs user/Patient.rs").of("pt-mei"));
    let caller = world.exchange(&coded).expect(200).json();
    let caller = world.holder(caller["access_token"].as_str().expect("a token").to_owned());
    assert!(!caller.ids("Immunization?patient=pt-mei").is_empty());
    assert_eq!(caller.ids("Immunization?patient=pt-stranger"), [""; 0]);
    caller.get("Patient/pt-stranger").refused(404);
    caller.get("Observation?patient=pt-mei").refused(403);
}

#[test]
fn a_person_without_records_gets_no_patient_scope() {
    let world = World::new();
    let ask = Ask::new("app-public", "admin", "launch/patient patient/Observation.rs");
    let (url, _, _) = world.authorize_url(&ask);
    let browser = Browser::new();
    let mut page = browser.open(&url);
    page = world.sign_in(&browser, page, "admin");
    if let Some(form) = page.form("decision") {
        let mut fields = vec![("decision", "allow")];
        fields.extend(form.values("scope").into_iter().map(|scope| ("scope", scope)));
        page = browser.submit(&page, &form, &fields);
    }
    assert!(page.answer.location_parameter("code").is_none(), "CTX-6: {:?}", page.redirect());
}

#[test]
fn browsers_of_registered_apps_may_call_and_others_may_not() {
    let world = World::new();
    let caller = world.mother_for_daughter();
    let preflight = |origin: &str, url: &str, method: &str| {
        Request::new("OPTIONS", url)
            .header("Origin", origin)
            .header("Access-Control-Request-Method", method)
            .header("Access-Control-Request-Headers", "authorization,content-type,prefer,if-match,if-none-match")
            .send()
    };
    let fhir = format!("{}/Patient/pt-mei", world.base);
    for (url, method) in [(&fhir, "GET"), (&world.endpoint("token_endpoint"), "POST")] {
        let answer = preflight(APP, url, method);
        assert!([200, 204].contains(&answer.status), "NET-2 {url}: {}", answer.status);
        let allowed = answer.header("Access-Control-Allow-Origin");
        assert!(matches!(allowed, Some("*" | APP)), "NET-2 {url}: {allowed:?}");
        let headers = answer.header("Access-Control-Allow-Headers").unwrap_or_default().to_lowercase();
        for name in ["authorization", "content-type", "prefer", "if-match", "if-none-match"] {
            assert!(headers.contains(name), "NET-2 {name} in {headers}");
        }
        let foreign = preflight("https://evil.example", url, method);
        assert!(foreign.header("Access-Control-Allow-Origin").is_none(), "NET-2: an origin nobody registered");
    }
    for path in ["Patient/pt-mei", "Condition/never-was"] {
        let answer = caller.request("GET", path).header("Origin", APP).send();
        assert!(matches!(answer.header("Access-Control-Allow-Origin"), Some("*" | APP)), "NET-2 {path}");
        let exposed = answer.header("Access-Control-Expose-Headers").unwrap_or_default().to_lowercase();
        for name in ["etag", "location", "content-location", "retry-after", "www-authenticate"] {
            assert!(exposed.contains(name), "NET-2 {name} in {exposed}");
        }
    }
    let refused = Request::get(&fhir).header("Origin", APP).send().refused(401);
    assert!(refused.header("Access-Control-Allow-Origin").is_some(), "NET-2: a browser can read a refusal");
    let page =
        Request::get(&world.authorize_url(&Ask::new("app-public", "hanako", ALL)).0).header("Origin", APP).send();
    assert!(page.header("Access-Control-Allow-Origin").is_none(), "RFC 9700 §2.6: never on the authorization endpoint");
}

#[test]
fn a_wrong_password_signs_nobody_in() {
    let world = World::new();
    let ask = Ask::new("app-public", "hanako", ALL).of("pt-mei");
    let (url, _, _) = world.authorize_url(&ask);
    for (user, password) in [("hanako", "wrong"), ("nobody", "wrong"), ("hanako", ""), ("' OR 1=1 --", "x")] {
        let browser = Browser::new();
        let page = browser.open(&url);
        let form = page.form("username").expect("the sign-in page");
        let after = browser.submit(&page, &form, &[("username", user), ("password", password)]);
        assert!(after.form("decision").is_none() && after.redirect().is_none(), "{user}: {}", after.answer.text());
        assert!(after.form("username").is_some(), "{user}: asked again: {}", after.answer.text());
    }
    let mut limited = false;
    for _ in 0..20 {
        let browser = Browser::new();
        let page = browser.open(&url);
        let Some(form) = page.form("username") else { break };
        let after = browser.submit(&page, &form, &[("username", "kazuko"), ("password", "guess")]);
        limited |= after.answer.status == 429;
    }
    assert!(limited, "twenty wrong passwords for one name are too many");
}
