//! From the authorization request to tokens, and from tokens to the next ones.

use axum::http::header;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::browser::{Browser, exchange, request};
use super::world::{BASE, CALLBACK, CHALLENGE, World};
use crate::auth::scope::{Action, Context, Grant};
use crate::auth::{AuthError, authenticate};
use crate::store::account::Accounts;

const SCOPE: &str = "launch/patient openid fhirUser offline_access patient/Observation.rs patient/*.read profile";

async fn alive(world: &World, tokens: &Value) -> bool {
    let token = tokens["access_token"].as_str().expect("a token");
    match authenticate(&world.server.accounts, token, world.server.clock.micros()).await {
        Ok(_) => true,
        Err(AuthError::Invalid) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_public_client_gets_what_was_ticked() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let query = request("app-public", SCOPE, &[("nonce", Some("n?~>"))]);
    let ticks = [("scope", "patient/Observation.rs"), ("scope", "offline_access"), ("patient", "pt-mei")];
    let code = browser.code(&query, &ticks).await;
    let form = [&exchange(&code)[..], &[("client_id", "app-public"), ("state", "ignored")]].concat();
    let reply = world.call("/oauth/token", None, &form).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.header(header::CACHE_CONTROL), Some("no-store"));
    assert_eq!(reply.header(header::PRAGMA), Some("no-cache"));
    let tokens = reply.json();
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["scope"], "launch/patient openid fhirUser offline_access patient/Observation.rs");
    assert_eq!(tokens["patient"], "pt-mei");

    let payload = tokens["id_token"].as_str().and_then(|token| token.split('.').nth(1)).expect("an ID token");
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("JSON");
    assert_eq!(claims["iss"], BASE);
    assert_eq!(claims["aud"], "app-public");
    assert_eq!(claims["nonce"], "n?~>");
    assert_eq!(claims["fhirUser"], format!("{BASE}/Person/hanako"));
    assert_eq!(claims["auth_time"], world.seconds());

    let token = tokens["access_token"].as_str().expect("a token");
    let bearer = authenticate(&world.server.accounts, token, world.server.clock.micros()).await.expect("alive");
    assert_eq!(bearer.patient.as_deref(), Some("pt-mei"));
    assert_eq!(bearer.purpose, "FAMRQT");
    assert_eq!(bearer.scopes.allows(Context::Patient, "Observation", Action::Read), Grant::All);
    assert_eq!(bearer.scopes.allows(Context::Patient, "Patient", Action::Read), Grant::No);
    assert_eq!(bearer.user.expect("a user").name, "hanako");

    let filed = world.files.filed.lock().expect("unpoisoned");
    assert_eq!(filed.len(), 1);
    assert_eq!(filed[0].patients[0].patient, "pt-mei");
    assert_eq!(filed[0].patients[0].related_person.as_deref(), Some("rp-hanako-pt-mei"));
    assert_eq!(filed[0].scopes.to_string(), tokens["scope"].as_str().expect("text"));
    assert!(filed[0].shown.contains("[x] 測定・検査の値"), "{}", filed[0].shown);
    assert!(filed[0].shown.contains("[ ] すべての種類の記録"), "{}", filed[0].shown);
}

#[tokio::test]
async fn confidential_clients_prove_themselves() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let ticks = [("all", "all"), ("patient", "pt-taro")];
    let right = format!("Basic {}", STANDARD.encode(format!("app-secret:{}", world.secret.reveal())));
    let wrong = format!("Basic {}", STANDARD.encode("app-secret:guess"));

    let code = browser.code(&request("app-secret", SCOPE, &[]), &ticks).await;
    for (authorization, form) in [
        (Some(wrong.as_str()), [&exchange(&code)[..], &[("client_id", "app-secret")]].concat()),
        (None, [&exchange(&code)[..], &[("client_id", "app-secret")]].concat()),
        (None, exchange(&code).to_vec()),
        (Some(right.as_str()), [&exchange(&code)[..], &[("client_id", "app-public")]].concat()),
    ] {
        let reply = world.call("/oauth/token", authorization, &form).await;
        assert_eq!(reply.error(), (401, "invalid_client".to_owned()));
        assert_eq!(reply.header(header::WWW_AUTHENTICATE), Some(r#"Basic realm="techo""#));
    }
    let form = [&exchange(&code)[..], &[("client_id", "app-secret")]].concat();
    let reply = world.call("/oauth/token", Some(&right), &form).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let refresh = reply.json()["refresh_token"].as_str().expect("a refresh token").to_owned();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    assert_eq!(world.call("/oauth/token", None, &form).await.error(), (401, "invalid_client".to_owned()));
    assert_eq!(world.call("/oauth/token", Some(&right), &form).await.status, 200);

    let code = browser.code(&request("app-keys", SCOPE, &[]), &ticks).await;
    let assertion = world.assertion("app-keys");
    let proof = [("client_assertion_type", crate::auth::assertion::TYPE), ("client_assertion", assertion.as_str())];
    let reply = world.call("/oauth/token", None, &[&exchange(&code)[..], &proof].concat()).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.json()["patient"], "pt-taro");
}

#[tokio::test]
async fn pkce_binds_the_code() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let query = request("app-public", SCOPE, &[]);
    for verifier in [None, Some(""), Some(CHALLENGE), Some("x"), Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK")] {
        let code = browser.code(&query, &[("all", "all"), ("patient", "pt-mei")]).await;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", CALLBACK),
            ("client_id", "app-public"),
        ];
        form.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        let reply = world.call("/oauth/token", None, &form).await;
        assert_eq!(reply.error(), (400, "invalid_grant".to_owned()), "{verifier:?}");
        // The code is dead now, for the right verifier too.
        let form = [&exchange(&code)[..], &[("client_id", "app-public")]].concat();
        assert_eq!(world.call("/oauth/token", None, &form).await.error(), (400, "invalid_grant".to_owned()));
    }
}

#[tokio::test]
async fn a_code_works_once_for_a_minute_for_its_client_and_address() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let query = request("app-public", SCOPE, &[]);
    let ticks = [("all", "all"), ("patient", "pt-mei")];
    let refused = (400, "invalid_grant".to_owned());
    let mine = [("client_id", "app-public")];

    let code = browser.code(&query, &ticks).await;
    let right = format!("Basic {}", STANDARD.encode(format!("app-secret:{}", world.secret.reveal())));
    assert_eq!(world.call("/oauth/token", Some(&right), &exchange(&code)).await.error(), refused, "another client");
    let form = [&exchange(&code)[..], &mine].concat();
    let tokens = world.call("/oauth/token", None, &form).await.json();
    assert!(alive(&world, &tokens).await, "another client's try leaves the code alone");
    assert_eq!(world.call("/oauth/token", None, &form).await.error(), refused, "replay");
    assert!(!alive(&world, &tokens).await, "a replay ends what the code gave");
    assert_eq!(*world.files.ended.lock().expect("unpoisoned"), ["c1-pt-mei"]);

    let code = browser.code(&query, &ticks).await;
    world.wait(61);
    let form = [&exchange(&code)[..], &mine].concat();
    assert_eq!(world.call("/oauth/token", None, &form).await.error(), refused, "too late");

    let code = browser.code(&query, &ticks).await;
    let mut form = [&exchange(&code)[..], &mine].concat();
    form[2].1 = "http://127.0.0.1:9872/cb";
    assert_eq!(world.call("/oauth/token", None, &form).await.error(), refused, "another address");
}

#[tokio::test]
async fn an_approval_that_leads_nowhere_is_taken_back() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let query = request("app-public", SCOPE, &[]);
    browser.code(&query, &[("all", "all"), ("patient", "pt-mei")]).await;
    let code = browser.code(&query, &[("all", "all"), ("patient", "pt-taro")]).await;
    let form = [&exchange(&code)[..], &[("client_id", "app-public")]].concat();
    let tokens = world.call("/oauth/token", None, &form).await.json();
    world.wait(61);
    world.server.sweep().await.expect("swept");
    assert_eq!(*world.files.ended.lock().expect("unpoisoned"), ["c1-pt-mei"]);
    assert!(alive(&world, &tokens).await);
    let user = world.server.accounts.account_named("hanako").await.expect("read").expect("there");
    world.server.withdraw(&user.id, "app-public").await.expect("withdrawn");
    assert!(!alive(&world, &tokens).await);
    assert_eq!(*world.files.ended.lock().expect("unpoisoned"), ["c1-pt-mei", "c2-pt-taro"]);
}

#[tokio::test]
async fn of_many_exchanges_at_once_one_succeeds() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let code = browser.code(&request("app-public", SCOPE, &[]), &[("all", "all"), ("patient", "pt-mei")]).await;
    let form = [&exchange(&code)[..], &[("client_id", "app-public")]].concat();
    let replies = futures_util::future::join_all((0..40).map(|_| world.call("/oauth/token", None, &form))).await;
    let good: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(good.len(), 1);
    assert!(!alive(&world, &good[0].json()).await);
}

#[tokio::test]
async fn refresh_tokens_rotate_and_reuse_ends_the_grant() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let first = browser.tokens(SCOPE).await;
    let refresh = |tokens: &Value| tokens["refresh_token"].as_str().expect("a refresh token").to_owned();
    let old = refresh(&first);
    let form = |token: &str, scope: Option<&str>| {
        let mut form = vec![("grant_type".to_owned(), "refresh_token".to_owned())];
        form.push(("refresh_token".to_owned(), token.to_owned()));
        form.extend(scope.map(|scope| ("scope".to_owned(), scope.to_owned())));
        form
    };
    let call = async |form: Vec<(String, String)>| {
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        world.call("/oauth/token", None, &form).await
    };
    let wider = call(form(&old, Some("patient/*.cruds"))).await;
    assert_eq!(wider.error(), (400, "invalid_scope".to_owned()));
    world.wait(7200);
    assert!(!alive(&world, &first).await, "an hour has passed");

    let narrow = call(form(&old, Some("patient/Observation.r openid"))).await.json();
    assert_eq!(narrow["scope"], "patient/Observation.r openid");
    assert_eq!(narrow["patient"], "pt-mei");
    let next = call(form(&refresh(&narrow), None)).await.json();
    assert_eq!(next["scope"], first["scope"], "the refresh token keeps all that was granted");
    assert!(alive(&world, &next).await);

    assert_eq!(call(form(&old, None)).await.error(), (400, "invalid_grant".to_owned()));
    assert!(!alive(&world, &next).await, "reuse ends the family");
    assert_eq!(call(form(&refresh(&next), None)).await.error(), (400, "invalid_grant".to_owned()));
    assert_eq!(call(form("random", None)).await.error(), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn of_many_refreshes_at_once_one_succeeds() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let tokens = browser.tokens(SCOPE).await;
    let token = tokens["refresh_token"].as_str().expect("a refresh token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let replies = futures_util::future::join_all((0..50).map(|_| world.call("/oauth/token", None, &form))).await;
    let good: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(good.len(), 1);
    assert!(!alive(&world, &good[0].json()).await, "the others ended the family");
}

#[tokio::test]
async fn lasting_access_lasts_and_renews() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let mut tokens = browser.tokens(SCOPE).await;
    for _ in 0..3 {
        world.wait(100 * 24 * 3600);
        let token = tokens["refresh_token"].as_str().expect("a refresh token").to_owned();
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("client_id", "app-public")];
        let reply = world.call("/oauth/token", None, &form).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        tokens = reply.json();
    }
    let mut browser = Browser::of(&world, "hanako").await;
    assert!(browser.tokens("patient/*.read").await.get("refresh_token").is_none());
}

#[tokio::test]
async fn online_access_ends_with_the_session() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let tokens = browser.tokens("online_access patient/*.read").await;
    let token = tokens["refresh_token"].as_str().expect("a refresh token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let next = world.call("/oauth/token", None, &form).await.json();
    let page = browser.get(&format!("/oauth/authorize?{}", request("app-public", SCOPE, &[]))).await;
    let csrf = super::browser::field(&page.body, "csrf");
    assert_eq!(browser.post("/oauth/signout", &[("csrf", "guess")]).await.status, 403);
    assert_eq!(browser.post("/oauth/signout", &[("csrf", &csrf)]).await.status, 303);
    let token = next["refresh_token"].as_str().expect("a refresh token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    assert_eq!(world.call("/oauth/token", None, &form).await.error(), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn access_ends_with_authority_client_account_and_consent() {
    let world = World::new().await;
    let accounts = &world.server.accounts;
    let mut browser = Browser::of(&world, "hanako").await;

    let tokens = browser.tokens(SCOPE).await;
    let first = world.files.filed.lock().expect("unpoisoned").len();
    let again = browser.tokens(SCOPE).await;
    let now = world.server.clock.micros();
    let end = async |consent: String| {
        Accounts::end_grants_of_consent(&*accounts.db().write().await, &consent, now).await.expect("ended")
    };
    assert_eq!(end(format!("c{first}-pt-mei")).await, 0, "the second approval's Consent has replaced the first");
    assert_eq!(end(format!("c{}-pt-mei", first + 1)).await, 2);
    assert!(!alive(&world, &tokens).await && !alive(&world, &again).await);

    let tokens = browser.tokens(SCOPE).await;
    world.server.disable_client("app-public", true).await.expect("done");
    assert!(!alive(&world, &tokens).await);
    world.server.disable_client("app-public", false).await.expect("done");
    assert!(alive(&world, &tokens).await);
    world.server.lock_account("hanako", true).await.expect("done");
    assert!(!alive(&world, &tokens).await);
    world.server.lock_account("hanako", false).await.expect("done");

    let user = accounts.account_named("hanako").await.expect("read").expect("there");
    let held = accounts.authorities(&user.id, now).await.expect("read");
    let over_mei = held.iter().find(|authority| authority.patient == "pt-mei").expect("held");
    assert!(accounts.end_authority(&over_mei.id, now).await.expect("ended"));
    assert!(!alive(&world, &tokens).await);
    let token = tokens["refresh_token"].as_str().expect("a refresh token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    assert_eq!(world.call("/oauth/token", None, &form).await.error(), (400, "invalid_grant".to_owned()));
}
