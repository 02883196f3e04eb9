//! What must not work.

use axum::http::header;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::browser::{Browser, field, request};
use super::world::{BASE, CHALLENGE, Key, ORIGIN, PASSWORD, Reply, World, es384};
use crate::auth::assertion::TYPE;

async fn prove(world: &World, assertion: &str) -> Reply {
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", "system/*.read"),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ];
    world.call("/oauth/token", None, &form).await
}

fn changed(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

#[tokio::test]
async fn assertions_that_do_not_hold() {
    let world = World::new().await;
    let refused = (400, "invalid_client".to_owned());
    let claims = world.claims("importer");
    let now = world.seconds();
    for (name, value) in [
        ("iss", json!("remote")),
        ("sub", json!("app-keys")),
        ("aud", json!([format!("{ORIGIN}/oauth/token")])),
        ("aud", json!("https://other.example/oauth/token")),
        ("aud", json!(format!("{ORIGIN}/oauth/token/"))),
        ("aud", Value::Null),
        ("exp", json!(now)),
        ("exp", json!(now - 10)),
        ("exp", json!(now + 331)),
        ("exp", json!(9e18)),
        ("exp", json!("soon")),
        ("nbf", json!(now + 120)),
        ("iat", json!(now + 120)),
        ("jti", json!("")),
        ("jti", Value::Null),
    ] {
        let token = world.key.sign(&es384(), &changed(&claims, name, value.clone()));
        assert_eq!(prove(&world, &token).await.error(), refused, "{name} {value}");
    }
    assert_eq!(prove(&world, &world.key.sign(&es384(), &claims)).await.status, 200);
    assert_eq!(prove(&world, &world.key.sign(&es384(), &claims)).await.error(), refused, "the same jti again");
    let issuer = changed(&world.claims("importer"), "aud", json!(BASE));
    assert_eq!(prove(&world, &world.key.sign(&es384(), &issuer)).await.status, 200, "aud may be the issuer");
}

#[tokio::test]
async fn headers_that_bring_their_own_key_or_none() {
    let world = World::new().await;
    let refused = (400, "invalid_client".to_owned());
    let good = world.assertion("importer");
    let mut parts = good.split('.');
    let (header, payload, signature) =
        (parts.next().expect("a header"), parts.next().expect("a payload"), parts.next().expect("a signature"));
    let raw = |text: &str| format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode(text));
    let mut hs = Header::new(Algorithm::HS256);
    hs.kid = Some("k1".to_owned());
    let by_public_key = encode(&hs, &world.claims("importer"), &EncodingKey::from_secret(world.key.set.as_bytes()));
    let other = Key::new("k1");
    for (name, token) in [
        ("alg none", format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"k1"}"#))),
        ("HS256 keyed by the public key", by_public_key.expect("signed")),
        ("RS384 claimed", raw(r#"{"alg":"RS384","kid":"k1"}"#)),
        ("ES256 claimed", raw(r#"{"alg":"ES256","kid":"k1"}"#)),
        ("embedded key", raw(r#"{"alg":"ES384","kid":"k1","jwk":{"kty":"EC"}}"#)),
        ("x5u", raw(r#"{"alg":"ES384","kid":"k1","x5u":"https://evil.example"}"#)),
        ("jku", raw(r#"{"alg":"ES384","kid":"k1","jku":"https://evil.example"}"#)),
        ("crit", raw(r#"{"alg":"ES384","kid":"k1","crit":["x"],"x":1}"#)),
        ("typ of another kind", raw(r#"{"alg":"ES384","kid":"k1","typ":"at+jwt"}"#)),
        ("no kid", raw(r#"{"alg":"ES384"}"#)),
        ("kid as a path", raw(r#"{"alg":"ES384","kid":"../../etc/passwd"}"#)),
        ("another's signature", other.sign(&es384(), &world.claims("importer"))),
        ("no signature", format!("{header}.{payload}.")),
        ("not a JWT", "x".to_owned()),
        ("very long", "x".repeat(50_000)),
    ] {
        assert_eq!(prove(&world, &token).await.error(), refused, "{name}");
    }
    assert!(world.fetched.asked.lock().expect("unpoisoned").is_empty(), "nothing was fetched");
    let form = [("grant_type", "client_credentials"), ("client_assertion_type", "x"), ("client_assertion", &good)];
    assert_eq!(world.call("/oauth/token", None, &form).await.error(), refused, "another assertion type");
    assert_eq!(prove(&world, &good).await.status, 200, "and the good one is still good");
}

#[tokio::test]
async fn keys_at_an_address_are_fetched_again_once_for_an_unknown_kid() {
    let world = World::new().await;
    let claims = |world: &World| world.claims("remote");
    *world.fetched.set.lock().expect("unpoisoned") = Some(world.key.set.clone());
    assert_eq!(prove(&world, &world.key.sign(&es384(), &claims(&world))).await.status, 200);
    let mut header = es384();
    header.jku = Some("https://keys.example/jwks".to_owned());
    assert_eq!(prove(&world, &world.key.sign(&header, &claims(&world))).await.status, 200);
    header.jku = Some("https://keys.example/other".to_owned());
    assert_eq!(prove(&world, &world.key.sign(&header, &claims(&world))).await.status, 400);
    assert_eq!(*world.fetched.asked.lock().expect("unpoisoned"), [false, false]);
    let mut header = es384();
    header.kid = Some("k2".to_owned());
    assert_eq!(prove(&world, &world.key.sign(&header, &claims(&world))).await.status, 400);
    assert_eq!(*world.fetched.asked.lock().expect("unpoisoned"), [false, false, false, true]);
}

#[tokio::test]
async fn requests_that_cannot_be_answered_by_redirect() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    for changes in [
        [("client_id", Some("nobody"))],
        [("client_id", Some("importer"))],
        [("client_id", None)],
        [("redirect_uri", None)],
        [("redirect_uri", Some("http://127.0.0.1:9871/cb/"))],
        [("redirect_uri", Some("http://localhost:9871/cb"))],
        [("redirect_uri", Some("https://evil.example/cb"))],
        [("redirect_uri", Some("http://127.0.0.1:9871@evil.example/cb"))],
    ] {
        let query = request("app-public", "patient/*.read", &changes);
        let reply = browser.get(&format!("/oauth/authorize?{query}")).await;
        assert_eq!(reply.status, 400, "{changes:?}");
        assert_eq!(reply.header(header::LOCATION), None, "{changes:?}");
    }
    let twice = format!("{}&client_id=app-public", request("app-public", "patient/*.read", &[]));
    assert_eq!(browser.get(&format!("/oauth/authorize?{twice}")).await.status, 400);
}

#[tokio::test]
async fn requests_that_are_refused_to_the_application() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let state = "s".repeat(2000);
    for (name, value, expected) in [
        ("response_type", Some("token"), "unsupported_response_type"),
        ("response_type", None, "invalid_request"),
        ("aud", None, "invalid_request"),
        ("aud", Some("https://other.example/fhir"), "invalid_request"),
        ("aud", Some("https://phr.example/fhir//"), "invalid_request"),
        ("code_challenge", None, "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("launch", Some("foreign"), "invalid_request"),
        ("request", Some("x"), "request_not_supported"),
        ("scope", Some("profile system/*.read patient/Nope.read patient/*.dus"), "invalid_scope"),
        ("scope", None, "invalid_scope"),
        ("prompt", Some("none"), "consent_required"),
    ] {
        let query = request("app-public", "patient/*.read", &[("state", Some(&state)), (name, value)]);
        for reply in [
            browser.get(&format!("/oauth/authorize?{query}")).await,
            browser.post("/oauth/authorize", &pairs(&query)).await,
        ] {
            assert_eq!(reply.status, 303, "{name} {value:?} {}", reply.body);
            let (address, answer) = reply.location();
            assert_eq!(address, "http://127.0.0.1:9871/cb");
            assert_eq!(answer.one("error"), Ok(Some(expected)), "{name} {value:?}");
            assert_eq!(answer.one("state"), Ok(Some(state.as_str())));
            assert_eq!(answer.one("iss"), Ok(Some(BASE)));
            assert_eq!(answer.one("code"), Ok(None));
        }
    }
    let query = request("app-public", "patient/*.read", &[("prompt", Some("none"))]);
    let (_, answer) = Browser::new(&world).get(&format!("/oauth/authorize?{query}")).await.location();
    assert_eq!(answer.one("error"), Ok(Some("login_required")));
    let slash = format!("{BASE}/");
    let query = request("app-public", "patient/*.read", &[("aud", Some(&slash))]);
    assert_eq!(browser.get(&format!("/oauth/authorize?{query}")).await.status, 200, "one slash is forgiven");
}

fn pairs(query: &str) -> Vec<(&'static str, &'static str)> {
    oauth2::url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (&*name.into_owned().leak(), &*value.into_owned().leak()))
        .collect()
}

#[tokio::test]
async fn the_wrong_password_and_too_many_of_them() {
    let world = World::new().await;
    let mut owner = Browser::of(&world, "hanako").await;
    let mut thief = Browser::new(&world);
    for _ in 0..10 {
        assert_eq!(thief.sign_in("hanako", "guess").await.status, 403);
        assert_eq!(thief.sign_in("nobody", "guess").await.status, 403);
    }
    assert_eq!(thief.sign_in("hanako", PASSWORD).await.status, 429);
    assert_eq!(thief.sign_in("nobody", PASSWORD).await.status, 429, "unknown names are treated alike");
    let page = owner.get(&format!("/oauth/authorize?{}", request("app-public", "patient/*.read", &[]))).await;
    assert!(page.body.contains("name=\"decision\""), "the owner's session goes on");
    assert_eq!(owner.sign_in("hanako", PASSWORD).await.status, 303, "and she can sign in where she is known");
    world.wait(15 * 60 + 1);
    assert_eq!(thief.sign_in("hanako", PASSWORD).await.status, 303);
}

#[tokio::test]
async fn of_many_guesses_at_once_ten_are_judged() {
    let world = World::new().await;
    let guesses = (0..24).map(|_| async { Browser::new(&world).sign_in("stranger", "guess").await.status });
    let answers = futures_util::future::join_all(guesses).await;
    assert_eq!(answers.iter().filter(|status| **status == 403).count(), 10);
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 14);
}

#[tokio::test]
async fn forms_from_elsewhere() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let query = request("app-public", "patient/*.read", &[]);
    let answer = [("request", query.as_str()), ("decision", "allow"), ("all", "all"), ("patient", "pt-mei")];
    assert_eq!(browser.post("/oauth/approve", &answer).await.status, 403, "no token");
    let other = Browser::of(&world, "stranger").await.get(&format!("/oauth/authorize?{query}")).await;
    let csrf = field(&other.body, "csrf");
    let form = [&answer[..], &[("csrf", csrf.as_str())]].concat();
    assert_eq!(browser.post("/oauth/approve", &form).await.status, 403, "another session's token");

    let mut fresh = Browser::new(&world);
    let form = [("csrf", CHALLENGE), ("username", "hanako"), ("password", PASSWORD)];
    assert_eq!(fresh.post("/oauth/signin", &form).await.status, 403, "login CSRF");

    let before = browser.cookies["__Host-techo-session"].clone();
    browser.sign_in("hanako", PASSWORD).await;
    let after = browser.cookies.insert("__Host-techo-session".to_owned(), before).expect("a session");
    let page = browser.get(&format!("/oauth/authorize?{query}")).await;
    assert!(page.body.contains("name=\"password\""), "the session before is dead");
    browser.cookies.insert("__Host-techo-session".to_owned(), after);

    for next in ["//evil.example", "https://evil.example", "/\\evil.example", "\\evil", "/a\nb"] {
        let page = browser.get("/oauth/signin").await;
        let csrf = field(&page.body, "csrf");
        let form = [("csrf", csrf.as_str()), ("username", "hanako"), ("password", PASSWORD), ("next", next)];
        assert_eq!(browser.post("/oauth/signin", &form).await.location().0, "/", "{next}");
    }
}

#[tokio::test]
async fn nobody_approves_for_someone_elses_patient() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let query = request("app-public", "patient/*.read", &[]);
    let ticks = [("all", "all"), ("patient", "pt-stranger"), ("decision", "allow")];
    let reply = browser.approve(&query, &ticks).await;
    assert_eq!(reply.status, 200, "the page again");
    let ticks = [("scope", "patient/*.cruds"), ("patient", "pt-mei"), ("decision", "allow")];
    assert_eq!(browser.approve(&query, &ticks).await.status, 200, "a scope that was not asked for");
    assert!(world.files.filed.lock().expect("unpoisoned").is_empty());
}
