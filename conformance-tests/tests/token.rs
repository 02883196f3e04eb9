//! The token endpoint and what it hands out: codes, ID tokens, refresh,
//! introspection, revocation. The ids are those of the requirement rows.

use std::collections::BTreeSet;

use serde_json::Value;
use techo_conformance_tests::clock::now;
use techo_conformance_tests::http::{Request, Response};
use techo_conformance_tests::jose::{challenge, claims, fresh, header, verified};
use techo_conformance_tests::world::{ALL, Ask, World};

const APP: &str = "http://127.0.0.1:9871";

fn set(text: &str) -> BTreeSet<&str> {
    text.split(' ').filter(|part| !part.is_empty()).collect()
}

fn error(answer: &Response) -> String {
    answer.json()["error"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_token_answer_has_its_shape() {
    let world = World::new();
    for client in ["app-public", "app-secret", "app-keys"] {
        let coded = world.code(&Ask::new(client, "hanako", ALL).of("pt-mei"));
        let answer = world.exchange(&coded).expect(200);
        assert_eq!(answer.header("Cache-Control"), Some("no-store"), "NET-4");
        assert_eq!(answer.header("Pragma"), Some("no-cache"), "NET-4");
        assert!(answer.header("Content-Type").is_some_and(|media| media.starts_with("application/json")), "TOK-1");
        let grant = answer.json();
        assert!(grant["token_type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")), "TOK-1");
        let lasts = grant["expires_in"].as_u64().expect("TOK-1: a number");
        assert!(lasts > 0 && lasts <= 3_600, "TOK-1 {lasts}");
        assert_eq!(set(grant["scope"].as_str().expect("TOK-1")), set(ALL), "TOK-2");
        assert_eq!(grant["patient"], "pt-mei", "CON-6");
        assert!(grant["refresh_token"].is_string(), "REF-1");
        assert!(grant["access_token"].as_str().is_some_and(|token| token.len() >= 43), "256 bits");
        let caller = world.holder(grant["access_token"].as_str().unwrap_or_default().to_owned());
        caller.get("Patient/pt-mei").expect(200);
        assert!(!caller.ids("Immunization?patient=pt-mei").is_empty(), "{client} reads the daughter's vaccinations");
    }
}

/// The fields of a token request.
type Form = Vec<(&'static str, String)>;

#[test]
fn a_bad_code_exchange_is_refused() {
    let world = World::new();
    let ask = Ask::new("app-public", "hanako", "launch/patient patient/Observation.rs").of("pt-mei");
    let try_with = |change: &dyn Fn(&mut Form)| {
        let coded = world.code(&ask);
        let mut fields = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", coded.code),
            ("redirect_uri", coded.redirect),
            ("code_verifier", coded.verifier),
            ("client_id", "app-public".to_owned()),
            ("state", "an unknown field is ignored (TOK-5)".to_owned()),
        ];
        change(&mut fields);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Request::post(&world.endpoint("token_endpoint")).form(&fields).send()
    };
    let set = |fields: &mut Vec<(&'static str, String)>, name: &'static str, value: &str| {
        fields.retain(|(known, _)| *known != name);
        fields.push((name, value.to_owned()));
    };
    try_with(&|_| {}).expect(200);
    for verifier in ["", "wrong", &fresh()] {
        let answer = try_with(&|fields| set(fields, "code_verifier", verifier)).expect(400);
        assert_eq!(error(&answer), "invalid_grant", "TOK-4 {verifier:?}");
        assert_eq!(answer.header("Cache-Control"), Some("no-store"), "NET-4");
    }
    let absent = try_with(&|fields| fields.retain(|(name, _)| *name != "code_verifier")).expect(400);
    assert_eq!(error(&absent), "invalid_grant", "TOK-4");
    let swapped = try_with(&|fields| {
        let verifier = fields.iter().find(|(name, _)| *name == "code_verifier").map(|(_, value)| challenge(value));
        set(fields, "code_verifier", &verifier.unwrap_or_default());
    });
    assert_eq!(error(&swapped.expect(400)), "invalid_grant", "TOK-4: the challenge is no verifier");
    let other = try_with(&|fields| set(fields, "redirect_uri", &format!("{APP}/app/index.html"))).expect(400);
    assert_eq!(error(&other), "invalid_grant", "TOK-3");
    assert_eq!(error(&try_with(&|fields| set(fields, "code", "nonsense")).expect(400)), "invalid_grant", "TOK-3");
    let grant = try_with(&|fields| set(fields, "grant_type", "password")).expect(400);
    assert_eq!(error(&grant), "unsupported_grant_type", "TOK-3");
    let form = Request::post(&world.endpoint("token_endpoint")).form(&[("grant_type", "password")]);
    assert_eq!(error(&form.send().expect(400)), "unsupported_grant_type");
    let twice = form.header("Content-Type", "application/x-www-form-urlencoded").send().expect(400);
    assert_eq!(error(&twice), "invalid_request", "a body of two types");
    let client = try_with(&|fields| set(fields, "client_id", "nobody"));
    assert!([400, 401].contains(&client.status) && error(&client) == "invalid_client", "TOK-3 {}", client.text());
    let borrowed = try_with(&|fields| set(fields, "client_id", "app-secret"));
    assert_eq!((borrowed.status, error(&borrowed).as_str()), (401, "invalid_client"), "CLI-1: no proof");
}

#[test]
fn a_code_used_twice_takes_its_tokens_with_it() {
    let world = World::new();
    let coded = world.code(&Ask::new("app-public", "hanako", ALL).of("pt-mei"));
    let first = world.exchange(&coded).expect(200).json();
    let caller = world.holder(first["access_token"].as_str().expect("a token").to_owned());
    caller.get("Patient/pt-mei").expect(200);
    let second = world.exchange(&coded).expect(400);
    assert_eq!(error(&second), "invalid_grant", "AUT-6");
    caller.get("Patient/pt-mei").refused(401);
    let refresh = world.refresh("app-public", first["refresh_token"].as_str().expect("a refresh token"), None);
    assert_eq!(error(&refresh.expect(400)), "invalid_grant", "AUT-6");
}

#[test]
fn of_many_parallel_exchanges_one_succeeds_at_most() {
    let world = World::new();
    let coded = world.code(&Ask::new("app-public", "hanako", ALL).of("pt-mei"));
    let url = world.endpoint("token_endpoint");
    let send = || {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", coded.code.as_str()),
            ("redirect_uri", coded.redirect.as_str()),
            ("code_verifier", coded.verifier.as_str()),
            ("client_id", "app-public"),
        ];
        Request::post(&url).form(&fields).send().status
    };
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..50).map(|_| scope.spawn(send)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a request")).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
}

#[test]
fn the_id_token_is_signed_and_says_who() {
    let world = World::new();
    let before = now();
    let ask = Ask::new("app-public", "hanako", ALL).of("pt-mei").with("nonce", "the nonce").with("max_age", "3600");
    let caller = world.approve(&ask);
    let token = caller.granted("id_token");
    let jwks = Request::get(&world.endpoint("jwks_uri")).send().expect(200).json();
    for key in jwks["keys"].as_array().expect("keys") {
        assert!(key["kty"] == "RSA" && key["kid"].is_string(), "OID-1 {key}");
        for private in ["d", "p", "q", "dp", "dq", "qi"] {
            assert!(key[private].is_null(), "OID-1: no private part");
        }
    }
    assert_eq!(header(token)["alg"], "RS256", "OID-1");
    assert!(verified(token, &jwks), "OID-1: the signature");
    let claims = claims(token);
    assert_eq!(claims["iss"], world.base.as_str(), "OID-2");
    assert_eq!(claims["aud"], "app-public", "OID-3");
    assert_eq!(claims["nonce"], "the nonce", "AUT-9");
    assert!(claims["auth_time"].as_u64().is_some_and(|time| time + 5 >= before), "AUT-9 {claims}");
    assert!(claims["sub"].as_str().is_some_and(|sub| !sub.is_empty() && sub.len() <= 255), "OID-3");
    let (issued, expires) = (claims["iat"].as_u64().expect("iat"), claims["exp"].as_u64().expect("exp"));
    assert!(issued + 5 >= before && expires > issued, "OID-3");
    let user = claims["fhirUser"].as_str().expect("OID-3");
    let expected = world.user("hanako")["fhirUser"].as_str().expect("the demo says who she is").to_owned();
    assert!(user.ends_with(&expected), "{user}");
    caller.request("GET", user).header("Origin", APP).send().expect(200);
    let payload = token.split('.').nth(1).expect("three parts");
    assert!(payload.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "no padding");
    let again = world.approve(&Ask::new("app-public", "hanako", ALL).of("pt-taro"));
    assert_eq!(techo_conformance_tests::jose::claims(again.granted("id_token"))["sub"], claims["sub"], "OID-3: stable");
    let without = world.approve(&Ask::new("app-public", "hanako", "patient/Observation.rs").of("pt-mei"));
    assert!(without.grant["id_token"].is_null(), "no openid, no ID token");
}

#[test]
fn refresh_narrows_rotates_and_ends_on_reuse() {
    let world = World::new();
    let asked = "launch/patient openid offline_access patient/Observation.rs patient/Immunization.rs";
    for client in ["app-public", "app-secret", "app-keys"] {
        let caller = world.approve(&Ask::new(client, "hanako", asked).of("pt-mei"));
        let first = caller.granted("refresh_token").to_owned();
        let wider = world.refresh(client, &first, Some("patient/Observation.rs patient/Condition.rs")).expect(400);
        assert_eq!(error(&wider), "invalid_scope", "REF-2");
        let same = world.refresh(client, &first, None).expect(200);
        assert_eq!(same.header("Cache-Control"), Some("no-store"), "NET-4");
        let same = same.json();
        assert_eq!(set(same["scope"].as_str().unwrap_or_default()), set(asked), "REF-2, REF-3");
        for name in ["access_token", "token_type", "expires_in"] {
            assert!(!same[name].is_null(), "REF-3 {name}");
        }
        let newest = world.holder(same["access_token"].as_str().unwrap_or_default().to_owned());
        assert!(!newest.ids("Immunization?patient=pt-mei").is_empty(), "REF-3: still the same patient");
        let second = same["refresh_token"].as_str().expect("REF-5: rotated").to_owned();
        assert_ne!(first, second, "REF-5");
        let less = world.refresh(client, &second, Some("patient/Observation.rs")).expect(200).json();
        assert!(!set(less["scope"].as_str().unwrap_or_default()).contains("patient/Immunization.rs"), "REF-2");
        let narrow = world.holder(less["access_token"].as_str().unwrap_or_default().to_owned());
        narrow.get("Immunization?patient=pt-mei").refused(403);
        let reused = world.refresh(client, &first, None).expect(400);
        assert_eq!(error(&reused), "invalid_grant", "REF-5");
        let last = less["refresh_token"].as_str().unwrap_or(&second);
        assert_eq!(
            error(&world.refresh(client, last, None).expect(400)),
            "invalid_grant",
            "REF-5: the newest dies too"
        );
        newest.get("Patient/pt-mei").refused(401);
    }
}

#[test]
fn a_refresh_token_is_bound_to_its_client() {
    let world = World::new();
    let caller = world.approve(&Ask::new("app-public", "hanako", ALL).of("pt-mei"));
    let token = caller.granted("refresh_token");
    for other in ["app-secret", "app-keys"] {
        assert_eq!(error(&world.refresh(other, token, None).expect(400)), "invalid_grant", "REF-4 {other}");
    }
    let random = world.refresh("app-public", &fresh(), None);
    assert!([400, 401].contains(&random.status), "REF-6");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    Request::post(&world.endpoint("token_endpoint")).form(&fields).send().expect(200);
    let secret = world.approve(&Ask::new("app-secret", "hanako", ALL).of("pt-mei"));
    let fields = [("grant_type", "refresh_token"), ("refresh_token", secret.granted("refresh_token"))];
    let answer = Request::post(&world.endpoint("token_endpoint")).form(&fields).send();
    assert!([400, 401].contains(&answer.status), "REF-4: a confidential client proves itself");
}

#[test]
fn introspection_tells_the_owner_of_the_api_only() {
    let world = World::new();
    let caller = world.approve(&Ask::new("app-secret", "hanako", ALL).of("pt-mei"));
    let url = world.endpoint("introspection_endpoint");
    let ask = |token: &str| world.proved(&url, "app-secret", &[("token", token)]).expect(200).json();
    let answer = ask(&caller.token);
    assert_eq!(answer["active"], true, "INT-2");
    assert_eq!(set(answer["scope"].as_str().unwrap_or_default()), set(caller.granted("scope")), "INT-2");
    assert_eq!(answer["client_id"], "app-secret", "INT-2");
    assert_eq!(answer["patient"], "pt-mei", "INT-2");
    let expires = answer["exp"].as_u64().expect("INT-2");
    let lasts = caller.grant["expires_in"].as_u64().unwrap_or_default();
    assert!(expires.abs_diff(now() + lasts) < 60, "INT-2");
    let claims = claims(caller.granted("id_token"));
    for name in ["iss", "sub", "fhirUser"] {
        assert_eq!(answer[name], claims[name], "INT-2 {name}");
    }
    let inactive: Value = serde_json::json!({"active": false});
    for token in ["nonsense", "", caller.granted("id_token")] {
        let answer = world.proved(&url, "app-secret", &[("token", token)]);
        assert!(answer.status == 400 && token.is_empty() || answer.json() == inactive, "INT-3 {}", answer.text());
    }
    assert_eq!(Request::post(&url).form(&[("token", &caller.token)]).send().status, 401, "INT-1");
    world.proved(&world.endpoint("revocation_endpoint"), "app-secret", &[("token", &caller.token)]).expect(200);
    assert_eq!(ask(&caller.token), inactive, "INT-3");
}

#[test]
fn revocation_ends_a_grant_at_once() {
    let world = World::new();
    let url = world.endpoint("revocation_endpoint");
    let caller = world.approve(&Ask::new("app-public", "hanako", ALL).of("pt-mei"));
    caller.get("Patient/pt-mei").expect(200);
    world.proved(&url, "app-public", &[("token", "unknown")]).expect(200);
    let refresh = caller.granted("refresh_token").to_owned();
    world.proved(&url, "app-secret", &[("token", &refresh)]);
    caller.get("Patient/pt-mei").expect(200);
    world.proved(&url, "app-public", &[("token", &refresh), ("token_type_hint", "access_token")]).expect(200);
    caller.get("Patient/pt-mei").refused(401);
    assert_eq!(error(&world.refresh("app-public", &refresh, None).expect(400)), "invalid_grant", "REV-1");
}
