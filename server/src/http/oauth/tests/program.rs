//! Discovery, backends, introspection, revocation and calls from web pages.

use axum::body::Body;
use axum::http::{Request, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::browser::Browser;
use super::world::{BASE, ORIGIN, Reply, World};
use crate::auth::assertion::TYPE;
use crate::auth::client::{ClientKind, Purposes};
use crate::auth::register::{NewClient, NewKeys, OperatorToken, RegisterError};
use crate::auth::scope::Scope;
use crate::auth::{AuthError, authenticate};

const SCOPE: &str = "launch/patient openid fhirUser offline_access patient/*.read";

#[tokio::test]
async fn discovery_says_what_is_there() {
    let world = World::new().await;
    let at = |name: &str| format!("/fhir/.well-known/{name}");
    for accept in ["text/html", "application/fhir+json", ""] {
        let headers = [("accept", accept), ("origin", "https://anyone.example")];
        let reply = world.get(&at("smart-configuration"), &headers).await;
        assert_eq!(reply.header(header::CONTENT_TYPE), Some("application/json"), "{accept}");
        assert_eq!(reply.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), Some("*"));
    }
    let smart = world.get(&at("smart-configuration"), &[]).await.json();
    let openid = world.get(&at("openid-configuration"), &[]).await.json();
    for name in ["issuer", "jwks_uri", "authorization_endpoint", "token_endpoint"] {
        assert_eq!(smart[name], openid[name], "{name}");
    }
    assert_eq!(smart["issuer"], BASE);
    assert_eq!(smart["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    for scope in smart["scopes_supported"].as_array().expect("a list") {
        assert!(Scope::parse(scope.as_str().expect("text")).is_ok(), "{scope}");
    }
    for name in crate::auth::discovery::ENDPOINTS {
        let found =
            smart.as_object().expect("an object").values().any(|value| *value == format!("{ORIGIN}/oauth/{name}"));
        assert!(found, "{name}");
    }
    let jwks = world.get("/oauth/jwks", &[]).await.json();
    assert!(jwks["keys"][0]["kid"].is_string() && jwks["keys"][0].get("d").is_none());
}

async fn backend(world: &World, client: &str, scope: &str) -> Reply {
    let assertion = world.assertion(client);
    let form = [
        ("grant_type", "client_credentials"),
        ("scope", scope),
        ("client_assertion_type", TYPE),
        ("client_assertion", &assertion),
    ];
    world.call("/oauth/token", None, &form).await
}

#[tokio::test]
async fn backends_get_what_is_registered() {
    let world = World::new().await;
    let reply = backend(&world, "importer", "system/Patient.read system/Nope.read patient/Patient.read openid").await;
    let tokens = reply.json();
    assert_eq!(tokens["scope"], "system/Patient.read");
    assert_eq!(tokens["expires_in"], 300);
    assert!(tokens.get("refresh_token").is_none() && tokens.get("patient").is_none());
    let nothing = backend(&world, "importer", "patient/*.read").await;
    assert_eq!(nothing.error(), (400, "invalid_scope".to_owned()));
    assert_eq!(backend(&world, "nobody", "system/*.read").await.error(), (400, "invalid_client".to_owned()));
    assert_eq!(backend(&world, "app-keys", "system/*.read").await.error(), (400, "unauthorized_client".to_owned()));
    let form = [("grant_type", "client_credentials"), ("client_id", "importer"), ("scope", "system/*.read")];
    assert_eq!(world.call("/oauth/token", None, &form).await.error(), (401, "invalid_client".to_owned()));
    let form = [("grant_type", "password"), ("client_id", "app-public")];
    assert_eq!(world.call("/oauth/token", None, &form).await.error(), (400, "unsupported_grant_type".to_owned()));

    let token = tokens["access_token"].as_str().expect("a token");
    world.server.disable_client("importer", true).await.expect("done");
    let dead = authenticate(&world.server.accounts, token, world.server.clock.micros()).await;
    assert!(matches!(dead, Err(AuthError::Invalid)));
}

#[tokio::test]
async fn introspection() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let tokens = browser.tokens(SCOPE).await;
    let token = tokens["access_token"].as_str().expect("a token");
    let asker = backend(&world, "importer", "introspect").await.json();
    let bearer = format!("Bearer {}", asker["access_token"].as_str().expect("a token"));
    let told = world.call("/oauth/introspect", Some(&bearer), &[("token", token)]).await.json();
    assert_eq!(told["active"], true);
    assert_eq!(told["scope"], tokens["scope"]);
    assert_eq!(told["client_id"], "app-public");
    assert_eq!(told["patient"], "pt-mei");
    assert_eq!(told["exp"], world.seconds() + 3600);
    assert_eq!(told["iss"], BASE);
    assert_eq!(told["fhirUser"], format!("{BASE}/Person/hanako"));
    assert!(told["sub"].is_string());

    let inactive = r#"{"active":false}"#;
    let basic = format!("Basic {}", STANDARD.encode(format!("app-secret:{}", world.secret.reveal())));
    for (who, asked) in [(&bearer, "random"), (&basic, token)] {
        assert_eq!(world.call("/oauth/introspect", Some(who), &[("token", asked)]).await.body, inactive);
    }
    let plain = backend(&world, "importer", "system/*.read").await.json();
    let plain = format!("Bearer {}", plain["access_token"].as_str().expect("a token"));
    let anonymous = [("token", token), ("client_id", "app-public")];
    for (who, form) in [(None, &anonymous[..1]), (None, &anonymous[..]), (Some(plain.as_str()), &anonymous[..1])] {
        assert_eq!(world.call("/oauth/introspect", who, form).await.status, 401, "{who:?}");
    }
    world.wait(3600);
    let asker = backend(&world, "importer", "introspect").await.json();
    let bearer = format!("Bearer {}", asker["access_token"].as_str().expect("a token"));
    assert_eq!(world.call("/oauth/introspect", Some(&bearer), &[("token", token)]).await.body, inactive);
}

#[tokio::test]
async fn revocation() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let tokens = browser.tokens(SCOPE).await;
    let token = |name: &str| tokens[name].as_str().expect("a token").to_owned();
    let (access, refresh) = (token("access_token"), token("refresh_token"));
    let alive = async || authenticate(&world.server.accounts, &access, world.server.clock.micros()).await.is_ok();
    let basic = format!("Basic {}", STANDARD.encode(format!("app-secret:{}", world.secret.reveal())));
    for asked in ["random", &access, &refresh] {
        assert_eq!(world.call("/oauth/revoke", Some(&basic), &[("token", asked)]).await.status, 200);
        assert!(alive().await, "only the owner may revoke");
    }
    let hint = ("token_type_hint", "access_token");
    let form = [("token", refresh.as_str()), ("client_id", "app-public"), hint];
    assert_eq!(world.call("/oauth/revoke", None, &form).await.status, 200);
    assert!(!alive().await, "a refresh token takes its access tokens along");
    assert_eq!(*world.files.ended.lock().expect("unpoisoned"), ["c1-pt-mei"]);
    assert_eq!(world.call("/oauth/revoke", None, &[("token", "x")]).await.status, 401);

    let tokens = browser.tokens(SCOPE).await;
    let access = tokens["access_token"].as_str().expect("a token");
    world.call("/oauth/revoke", None, &[("token", access), ("client_id", "app-public")]).await;
    let dead = authenticate(&world.server.accounts, access, world.server.clock.micros()).await;
    assert!(matches!(dead, Err(AuthError::Invalid)));
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().expect("a token"))];
    assert_eq!(world.call("/oauth/token", None, &form).await.status, 200, "the grant goes on");
}

#[tokio::test]
async fn web_pages_of_registered_applications_may_call() {
    let world = World::new().await;
    let preflight = |origin: &str| {
        Request::options("/oauth/token")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .body(Body::empty())
            .expect("a request")
    };
    let known = world.send(preflight("http://127.0.0.1:9871")).await;
    assert_eq!(known.status, 204);
    assert_eq!(known.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), Some("http://127.0.0.1:9871"));
    let allowed = known.header(header::ACCESS_CONTROL_ALLOW_HEADERS).expect("headers");
    for name in ["authorization", "content-type", "prefer", "if-match", "if-none-match"] {
        assert!(allowed.contains(name), "{name}");
    }
    let unknown = world.send(preflight("https://evil.example")).await;
    assert_eq!(unknown.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), None);
    let error = Request::post("/oauth/token").header(header::ORIGIN, "http://127.0.0.1:1").body(Body::empty());
    let error = world.send(error.expect("a request")).await;
    assert_eq!(error.error(), (400, "invalid_request".to_owned()));
    assert_eq!(error.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), Some("http://127.0.0.1:1"), "errors can be read");
    let page = world.get("/oauth/signin", &[("origin", "http://127.0.0.1:9871")]).await;
    assert_eq!(page.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), None, "pages for people cannot");
    assert_eq!(world.get("/oauth/token", &[]).await.status, 405);
}

#[tokio::test]
async fn the_operators_token() {
    let world = World::new().await;
    let order = |scopes: &str, minutes| OperatorToken {
        client: "importer".to_owned(),
        scopes: scopes.to_owned(),
        patient: None,
        purpose: None,
        minutes,
    };
    let (token, _) = world.server.operator_token(order("system/*.cruds", 60)).await.expect("a token");
    let now = world.server.clock.micros();
    let bearer = authenticate(&world.server.accounts, token.reveal(), now).await.expect("alive");
    assert!(bearer.custodial && bearer.user.is_none());
    assert!(matches!(world.server.operator_token(order("system/*.rs", 61)).await, Err(RegisterError::Minutes)));
    assert!(matches!(world.server.operator_token(order("patient/*.rs", 1)).await, Err(RegisterError::Beyond)));
    assert!(matches!(world.server.operator_token(order("system/x.rs", 1)).await, Err(RegisterError::Scope(_, _))));
    world.server.remove_client("importer").await.expect("removed");
    let dead = authenticate(&world.server.accounts, token.reveal(), now).await;
    assert!(matches!(dead, Err(AuthError::Invalid)));
    assert_eq!(world.server.accounts.sweep(now + 3 * 86_400_000_000, 86_400_000_000).await.expect("swept"), 0);
}

#[tokio::test]
async fn registrations_that_make_no_sense() {
    let world = World::new().await;
    let private = world.key.set.replace("\"x\":", "\"d\":\"AAAA\",\"x\":");
    let set = |text: &str| Some(NewKeys::Set(text.to_owned()));
    let url = |text: &str| Some(NewKeys::Url(text.to_owned()));
    let https = "https://app.example/cb";
    for (what, id, kind, redirect, keys, scopes) in [
        ("taken", "app-public", ClientKind::Public, https, None, "openid"),
        ("id", "a b", ClientKind::Public, https, None, "openid"),
        ("no redirect", "new", ClientKind::Public, "", None, "openid"),
        ("plain http", "new", ClientKind::Public, "http://app.example/cb", None, "openid"),
        ("public with keys", "new", ClientKind::Public, https, set(&world.key.set), "openid"),
        ("keys without keys", "new", ClientKind::Keys, https, None, "openid"),
        ("private keys", "new", ClientKind::Keys, https, set(&private), "openid"),
        ("no key", "new", ClientKind::Backend, "", set(r#"{"keys":[]}"#), "system/*.rs"),
        ("not a set", "new", ClientKind::Backend, "", set("x"), "system/*.rs"),
        ("keys by http", "new", ClientKind::Backend, "", url("http://app.example/jwks"), "system/*.rs"),
        ("scope", "new", ClientKind::Public, https, None, "openid patient/*.sr"),
        ("public that introspects", "new", ClientKind::Public, https, None, "introspect"),
    ] {
        let new = NewClient {
            id: id.to_owned(),
            kind,
            name_ja: String::new(),
            name_en: String::new(),
            redirects: Some(redirect).filter(|uri| !uri.is_empty()).map(str::to_owned).into_iter().collect(),
            keys,
            scopes: scopes.to_owned(),
            organization: None,
            purposes: Purposes::default(),
            launch_url: None,
            custodial: false,
            municipalities: Vec::new(),
        };
        assert!(world.server.add_client(new).await.is_err(), "{what}");
    }
    assert_eq!(world.server.all_clients().await.expect("read").len(), 5);
}

#[tokio::test]
async fn a_rotated_secret_replaces_the_old_one() {
    let world = World::new().await;
    let fresh = world.server.rotate_client("app-secret", None).await.expect("rotated").expect("a secret");
    for (secret, status) in [(&world.secret, 401), (&fresh, 200)] {
        let basic = format!("Basic {}", STANDARD.encode(format!("app-secret:{}", secret.reveal())));
        assert_eq!(world.call("/oauth/revoke", Some(&basic), &[("token", "x")]).await.status, status);
    }
    assert!(matches!(world.server.rotate_client("app-public", None).await, Err(RegisterError::Keys(_, _))));
    assert!(matches!(world.server.rotate_client("nobody", None).await, Err(RegisterError::Unknown(_))));
}
