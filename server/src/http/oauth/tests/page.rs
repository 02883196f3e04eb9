//! What people see.

use axum::http::header;

use super::browser::{Browser, request};
use super::world::World;

#[tokio::test]
async fn signing_in_leads_to_the_approval_page_and_back_to_the_application() {
    let world = World::new().await;
    let mut browser = Browser::new(&world);
    let query = request("app-public", "openid patient/*.read", &[("prompt", Some("login")), ("max_age", Some("0"))]);
    let page = browser.get(&format!("/oauth/authorize?{query}")).await;
    assert_eq!(page.status, 200);
    let (csrf, next) = (super::browser::field(&page.body, "csrf"), super::browser::field(&page.body, "next"));
    let form = [
        ("csrf", csrf.as_str()),
        ("next", &next),
        ("lang", "en"),
        ("username", "stranger"),
        ("password", super::world::PASSWORD),
    ];
    let reply = browser.post("/oauth/signin", &form).await;
    let cookies: Vec<&str> =
        reply.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().expect("text")).collect();
    assert!(cookies.iter().all(|cookie| cookie.starts_with("__Host-")
        && ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"].iter().all(|part| cookie.contains(part))));
    let page = browser.get(reply.header(header::LOCATION).expect("a redirect")).await;
    assert!(page.body.contains("name=\"decision\""), "the password is not asked for twice: {}", page.body);
    assert!(page.body.contains("<html lang=\"en\">"), "and the language stays");
    let again = browser.get(&format!("/oauth/authorize?{query}")).await;
    assert!(again.body.contains("name=\"password\""), "but a new request asks again");
}

#[tokio::test]
async fn the_approval_page() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let scope = "openid fhirUser launch/patient offline_access patient/Observation.rs patient/*.read";
    let page = browser.get(&format!("/oauth/authorize?{}", request("app-public", scope, &[]))).await;
    assert!(!page.body.contains(" checked"), "nothing is ticked for her");
    assert!(!page.body.contains("<script"));
    for tick in ["patient/Observation.rs", "patient/*.read", "offline_access"] {
        assert!(page.body.contains(&format!("type=\"checkbox\" name=\"scope\" value=\"{tick}\"")), "{tick}");
    }
    for free in ["openid", "fhirUser", "launch/patient"] {
        assert!(!page.body.contains(&format!("value=\"{free}\"")), "{free}");
    }
    for patient in ["pt-hanako", "pt-taro", "pt-mei"] {
        assert!(page.body.contains(&format!("type=\"radio\" name=\"patient\" value=\"{patient}\"")), "{patient}");
    }
    assert!(page.body.contains("山田 芽衣") && page.body.contains("これから加わる記録"));
    let policy = page.header(header::CONTENT_SECURITY_POLICY).expect("a policy");
    assert!(policy.contains("form-action 'self' http://127.0.0.1:9871;"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
    assert_eq!(page.header(header::CACHE_CONTROL), Some("no-store"));
    assert!(page.header(header::STRICT_TRANSPORT_SECURITY).is_some());

    let english = browser.get(&format!("/oauth/authorize?{}&lang=en", request("app-public", scope, &[]))).await;
    assert!(english.body.contains("added later") && english.body.contains("Allow “App app-public”?"));
    assert!(english.body.contains("Lasting access"));
    let alone = Browser::of(&world, "stranger")
        .await
        .get(&format!("/oauth/authorize?{}", request("app-public", scope, &[])))
        .await;
    assert!(!alone.body.contains("type=\"radio\""), "one person needs no choice");
}

#[tokio::test]
async fn answers_to_the_approval_page() {
    let world = World::new().await;
    let mut browser = Browser::of(&world, "hanako").await;
    let query = request("app-public", "openid patient/Observation.rs patient/Condition.rs offline_access", &[]);
    let allow = ("decision", "allow");
    for (ticks, what) in [
        (vec![allow, ("patient", "pt-mei")], "nothing ticked"),
        (vec![allow, ("patient", "pt-mei"), ("scope", "offline_access")], "no kind of record"),
        (vec![allow, ("scope", "patient/Observation.rs")], "no patient"),
        (vec![("scope", "patient/Observation.rs"), ("patient", "pt-mei")], "no decision"),
    ] {
        let reply = browser.approve(&query, &ticks).await;
        assert_eq!(reply.status, 200, "{what}");
        assert!(reply.body.contains("name=\"decision\""), "{what}");
    }
    let again = browser.approve(&query, &[allow, ("scope", "patient/Observation.rs")]).await;
    assert!(again.body.contains("value=\"patient/Observation.rs\" checked"), "her ticks are kept");
    assert!(again.body.contains("role=\"alert\""));
    let (address, answer) = browser.approve(&query, &[("decision", "deny")]).await.location();
    assert_eq!(address, "http://127.0.0.1:9871/cb");
    assert_eq!(answer.one("error"), Ok(Some("access_denied")));
    assert_eq!(answer.one("state"), Ok(Some("state-0123456789")));
    assert!(world.files.filed.lock().expect("unpoisoned").is_empty());
}

#[tokio::test]
async fn who_has_no_patient_grants_no_patient_scope() {
    let world = World::new().await;
    let scope = "openid fhirUser launch/patient patient/*.read user/Observation.rs";
    let query = request("app-public", scope, &[]);
    let code = Browser::of(&world, "dr-sato").await.code(&query, &[("all", "all")]).await;
    let form = [&super::browser::exchange(&code)[..], &[("client_id", "app-public")]].concat();
    let tokens = world.call("/oauth/token", None, &form).await.json();
    assert_eq!(tokens["scope"], "openid fhirUser user/Observation.rs");
    assert!(tokens.get("patient").is_none());
    assert!(world.files.filed.lock().expect("unpoisoned").is_empty(), "a professional files no Consent");

    let mut admin = Browser::of(&world, "admin").await;
    let code = admin.code(&query, &[]).await;
    let form = [&super::browser::exchange(&code)[..], &[("client_id", "app-public")]].concat();
    assert_eq!(world.call("/oauth/token", None, &form).await.json()["scope"], "openid");
    let query = request("app-public", "patient/*.read user/*.read", &[]);
    let (_, answer) = admin.get(&format!("/oauth/authorize?{query}")).await.location();
    assert_eq!(answer.one("error"), Ok(Some("invalid_scope")));
}

#[tokio::test]
async fn the_style_sheet_has_an_address_of_its_content() {
    let world = World::new().await;
    let page = world.get("/oauth/signin", &[("accept-language", "en")]).await;
    assert!(page.body.contains("Password"));
    assert!(page.body.contains(crate::http::oauth::style_address()));
    let style = world.get(crate::http::oauth::style_address(), &[]).await;
    assert_eq!(style.header(header::CONTENT_TYPE), Some("text/css; charset=utf-8"));
    assert!(style.header(header::CACHE_CONTROL).expect("cached").contains("immutable"));
}
