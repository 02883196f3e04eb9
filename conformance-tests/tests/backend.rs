//! Backend Services: signed assertions, and what an attacker makes of them.

use serde_json::{Value, json};
use techo_conformance_tests::clock::now;
use techo_conformance_tests::http::{Request, Response};
use techo_conformance_tests::jose::{Key, fresh, unsigned};
use techo_conformance_tests::world::{ASSERTION, World};

fn send(world: &World, assertion: &str) -> Response {
    send_as(world, ASSERTION, assertion)
}

fn send_as(world: &World, kind: &str, assertion: &str) -> Response {
    let fields = [
        ("grant_type", "client_credentials"),
        ("scope", "system/Patient.rs"),
        ("client_assertion_type", kind),
        ("client_assertion", assertion),
    ];
    Request::post(&world.endpoint("token_endpoint")).form(&fields).send()
}

fn refused(answer: &Response, why: &str) {
    assert!([400, 401].contains(&answer.status), "{why}: {} {}", answer.status, answer.text());
    assert_eq!(answer.json()["error"], "invalid_client", "{why}: {}", answer.text());
    assert_eq!(answer.header("Cache-Control"), Some("no-store"), "{why}");
}

#[test]
fn a_program_gets_a_short_token_without_refresh() {
    let world = World::new();
    let answer = world.backend_answer("tester", "system/Patient.rs system/Observation.rs").expect(200);
    assert_eq!(answer.header("Cache-Control"), Some("no-store"), "NET-4");
    let grant = answer.json();
    assert!(grant["expires_in"].as_u64().is_some_and(|lasts| lasts <= 300), "BKS-1 {grant}");
    assert!(grant["token_type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")), "BKS-1");
    assert_eq!(grant["scope"], "system/Patient.rs system/Observation.rs", "BKS-1");
    assert!(grant["refresh_token"].is_null(), "BKS-1");
    let caller = world.holder(grant["access_token"].as_str().expect("BKS-1").to_owned());
    caller.get("Patient").expect(200);
    caller.get("Condition").refused(403);
    caller.post("Patient", &json!({"resourceType": "Patient"})).refused(403);
}

#[test]
fn granted_is_what_was_asked_and_registered() {
    let world = World::new();
    for (client, asked) in [
        ("tester", "patient/*.rs"),
        ("tester", "user/*.cruds"),
        ("tester", "openid fhirUser"),
        ("ehr-sakura", "system/Patient.rs"),
        ("tester", "nonsense"),
        ("tester", ""),
    ] {
        let answer = world.backend_answer(client, asked).expect(400);
        assert_eq!(answer.json()["error"], "invalid_scope", "BKS-2 {client} {asked:?}");
    }
    let many: Vec<String> = ["Patient", "Observation", "Immunization", "Encounter", "DiagnosticReport", "Provenance"]
        .iter()
        .map(|kind| format!("system/{kind}.cu"))
        .collect();
    let asked = format!("{} patient/Observation.rs", many.join(" "));
    let grant = world.backend_answer("importer", &asked).expect(200).json();
    assert_eq!(grant["scope"], many.join(" ").as_str(), "BKS-2");
}

#[test]
fn programs_use_their_own_grant_only() {
    let world = World::new();
    let refused = |answer: Response| {
        assert!([400, 401].contains(&answer.status), "{} {}", answer.status, answer.text());
    };
    refused(world.token("app-public", &[("grant_type", "client_credentials"), ("scope", "system/*.rs")]));
    refused(world.token("app-secret", &[("grant_type", "client_credentials"), ("scope", "system/*.rs")]));
    refused(world.token("app-keys", &[("grant_type", "client_credentials"), ("scope", "system/*.rs")]));
    let bare = [("grant_type", "client_credentials"), ("scope", "system/*.rs"), ("client_id", "tester")];
    refused(Request::post(&world.endpoint("token_endpoint")).form(&bare).send());
}

#[test]
fn every_claim_of_an_assertion_is_checked() {
    let world = World::new();
    let key = &world.keys("tester")[0];
    let good = world.assertion_claims("tester");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims["jti"] = json!(fresh());
        claims[name] = value;
        claims
    };
    let mut issuer = with("aud", json!(world.base));
    send(&world, &key.sign(&issuer)).expect(200);
    issuer["jti"] = json!(fresh());
    issuer["exp"] = json!(now() + 300);
    send(&world, &key.sign(&issuer)).expect(200);
    let cases = [
        ("aud elsewhere", with("aud", json!("https://other.example/token"))),
        ("aud absent", with("aud", Value::Null)),
        ("aud a list", with("aud", json!([world.base, "https://other.example"]))),
        ("iss another client", with("iss", json!("importer"))),
        ("iss unknown", with("iss", json!("nobody"))),
        ("sub another client", with("sub", json!("importer"))),
        ("sub absent", with("sub", Value::Null)),
        ("expired", with("exp", json!(now() - 120))),
        ("too far ahead", with("exp", json!(now() + 400))),
        ("exp absent", with("exp", Value::Null)),
        ("exp text", with("exp", json!((now() + 100).to_string()))),
        ("jti absent", with("jti", Value::Null)),
        ("jti empty", with("jti", json!(""))),
        ("not yet", with("nbf", json!(now() + 200))),
    ];
    for (why, claims) in &cases {
        refused(&send(&world, &key.sign(claims)), why);
    }
    let unknown = world.assertion_claims("tester");
    let mut both = unknown.clone();
    both["iss"] = json!("nobody");
    both["sub"] = json!("nobody");
    refused(&send(&world, &key.sign(&both)), "BKS-3");
}

#[test]
fn an_assertion_is_used_once_even_after_a_restart() {
    let world = World::new();
    let once = world.assertion("tester");
    send(&world, &once).expect(200);
    refused(&send(&world, &once), "fosite CVE-2020-15222: replay");
    let claims = techo_conformance_tests::jose::claims(&once);
    let resigned = world.keys("tester")[0].sign(&claims);
    refused(&send(&world, &resigned), "the same jti under a new signature");
    let world = world.killed_and_restarted();
    let mut claims = world.assertion_claims("tester");
    claims["jti"] = techo_conformance_tests::jose::claims(&once)["jti"].clone();
    refused(&send(&world, &world.keys("tester")[0].sign(&claims)), "the same jti after a restart");
    send(&world, &world.assertion("tester")).expect(200);
}

#[test]
fn forged_headers_and_signatures_are_refused() {
    let world = World::new();
    let key: &Key = &world.keys("tester")[0];
    let other: &Key = &world.keys("importer")[0];
    let claims = || world.assertion_claims("tester");
    let head = |changes: Value| {
        let mut header = json!({"alg": key.algorithm(), "kid": key.id(), "typ": "JWT"});
        for (name, value) in changes.as_object().into_iter().flatten() {
            header[name] = value.clone();
        }
        header
    };
    let public = json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA"});
    let cases = [
        ("none", unsigned(&claims())),
        ("none with a signature", key.sign_as(&head(json!({"alg": "none"})), &claims())),
        ("HS256", key.sign_as(&head(json!({"alg": "HS256"})), &claims())),
        (
            "another algorithm",
            key.sign_as(&head(json!({"alg": if key.algorithm() == "ES384" { "RS384" } else { "ES384" }})), &claims()),
        ),
        ("unknown kid", key.sign_as(&head(json!({"kid": "nobody"})), &claims())),
        ("kid as path", key.sign_as(&head(json!({"kid": "../../../etc/passwd"})), &claims())),
        ("kid as SQL", key.sign_as(&head(json!({"kid": "x' OR '1'='1"})), &claims())),
        ("kid of a megabyte", key.sign_as(&head(json!({"kid": "k".repeat(1_000_000)})), &claims())),
        ("embedded key", other.sign_as(&head(json!({"jwk": public, "kid": other.id()})), &claims())),
        ("unknown crit", key.sign_as(&head(json!({"crit": ["nonsense"], "nonsense": 1})), &claims())),
        ("foreign jku", key.sign_as(&head(json!({"jku": "https://evil.example/jwks.json"})), &claims())),
        ("x5u", key.sign_as(&head(json!({"x5u": "https://evil.example/cert", "kid": "nobody"})), &claims())),
        ("another client's key", other.sign(&claims())),
        ("another's key under our kid", other.sign_as(&head(json!({})), &claims())),
        ("signature cut", {
            let mut token = key.sign(&claims());
            token.truncate(token.len() - 6);
            token
        }),
        ("not a token", "nonsense".to_owned()),
        ("empty", String::new()),
        ("five parts", "a.b.c.d.e".to_owned()),
    ];
    for (why, assertion) in &cases {
        let answer = send(&world, assertion);
        assert!([400, 401, 413].contains(&answer.status), "{why}: {} {}", answer.status, answer.text());
        assert!(answer.status == 413 || answer.json()["error"] == "invalid_client", "{why}: {}", answer.text());
    }
    let mine = world.mother_for_daughter();
    refused(&send(&world, mine.granted("id_token")), "an ID token is no assertion");
    let kind = send_as(&world, "urn:ietf:params:oauth:client-assertion-type:saml2-bearer", &world.assertion("tester"))
        .expect(400);
    assert_eq!(kind.json()["error"], "invalid_client", "CLI-6");
    send(&world, &world.assertion("tester")).expect(200);
}

#[test]
fn both_algorithms_of_keys_work() {
    let world = World::new();
    let kinds: Vec<&str> = ["importer", "ehr-sakura", "researcher", "tester", "app-keys"]
        .iter()
        .flat_map(|client| world.keys(client))
        .map(|key| key.algorithm())
        .collect();
    assert!(kinds.contains(&"ES384"), "{kinds:?}");
    for client in ["importer", "tester"] {
        for key in world.keys(client) {
            send(&world, &key.sign(&world.assertion_claims(client))).expect(200);
        }
    }
}

#[test]
fn an_operators_token_lives_as_long_as_said_and_no_longer_than_an_hour() {
    let world = World::new();
    let output = world.server.command(&["token", "--client", "tester", "--scope", "system/*.cruds", "--minutes", "60"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let token = String::from_utf8(output.stdout).expect("text");
    assert_eq!(token.trim().lines().count(), 1, "the bare token, nothing else");
    world.holder(token.trim().to_owned()).get("Patient").expect(200);
    for bad in [["--minutes", "61"], ["--minutes", "0"], ["--minutes", "-5"]] {
        let output = world.server.command(&["token", "--client", "tester", "--scope", "system/*.rs", bad[0], bad[1]]);
        assert!(!output.status.success(), "{bad:?}");
    }
    let output = world.server.command(&["token", "--client", "nobody", "--scope", "system/*.rs", "--minutes", "5"]);
    assert_eq!(output.status.code(), Some(1));
}
