//! The sample world in a browser: what the mother sees, allows and withdraws.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use techo_profiles::json;
use techo_profiles::json::Json;
use tower::ServiceExt;

use super::prepare;
use crate::auth::form::Form;
use crate::clock::Clock;
use crate::config::Config;
use crate::http;
use crate::random::Random;
use crate::server::Server;

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CALLBACK: &str = "http://127.0.0.1:9871/cb";

struct World {
    router: Router,
    base: String,
    secrets: Json,
    folder: PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl World {
    async fn new() -> Self {
        let random = Random::system();
        let folder = std::env::temp_dir().join(format!("techo-demo-{}", random.id()));
        let mut config = Config::new(&folder, SocketAddr::from(([127, 0, 0, 1], 80)));
        config.operator = "Organization/org-city".to_owned();
        let server = Server::start(config, Clock::system(), random).await.expect("a server");
        let secrets = prepare(&server).await.unwrap_or_else(|failure| panic!("{}", failure.0));
        let secrets = Json::parse(secrets.json(&server.app.config).as_bytes()).expect("JSON");
        Self { router: http::router(&server), base: server.app.config.fhir_base(), secrets, folder }
    }

    async fn send(&self, request: Request<Body>) -> Reply {
        let (parts, body) = self.router.clone().oneshot(request).await.expect("infallible").into_parts();
        let body = to_bytes(body, 1 << 22).await.expect("a body");
        Reply { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).expect("text") }
    }

    /// The token endpoint's answer.
    async fn token(&self, form: &[(&str, &str)]) -> (StatusCode, Json) {
        let form: Form = form.iter().copied().chain([("client_id", "app-public")]).collect();
        let request = Request::post("/oauth/token")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.query()))
            .expect("a request");
        let reply = self.send(request).await;
        (reply.status, Json::parse(reply.body.as_bytes()).expect("JSON"))
    }

    async fn fhir(&self, token: &str, path: &str) -> (StatusCode, Json) {
        let request = Request::get(format!("/fhir/{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::empty())
            .expect("a request");
        let reply = self.send(request).await;
        (reply.status, Json::parse(reply.body.as_bytes()).expect("JSON"))
    }
}

/// Keeps cookies, reads forms, follows nothing by itself.
struct Browser<'a> {
    world: &'a World,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    async fn of(world: &'a World, user: &str) -> Self {
        let mut browser = Self { world, cookies: BTreeMap::new() };
        let page = browser.get("/").await;
        assert_eq!(page.status, 200);
        let password = world.secrets.at(&["users", user, "password"]).and_then(Json::as_str).expect("a password");
        let csrf = field(&page.body, "csrf");
        let form = [("csrf", csrf.as_str()), ("username", user), ("password", password), ("next", "/")];
        let reply = browser.post("/oauth/signin", &form).await;
        assert_eq!((reply.status.as_u16(), location(&reply)), (303, "/"), "{}", reply.body);
        browser
    }

    async fn get(&mut self, path: &str) -> Reply {
        self.send(Request::get(path).header(header::ACCEPT_LANGUAGE, "en"), Body::empty()).await
    }

    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Reply {
        let form: Form = form.iter().copied().collect();
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Body::from(form.query())).await
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: Body) -> Reply {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(header::COOKIE, cookies.join("; ")).body(body).expect("a request");
        let reply = self.world.send(request).await;
        for cookie in reply.headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().expect("text").split(';').next().expect("a pair");
            let (name, value) = pair.split_once('=').expect("a pair");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        reply
    }

    /// Allows the public app what it asks for; access and refresh token.
    async fn connect(&mut self, scope: &str, patient: &str) -> (String, String) {
        let query: Form = [
            ("response_type", "code"),
            ("client_id", "app-public"),
            ("redirect_uri", CALLBACK),
            ("scope", scope),
            ("state", "state-0123456789"),
            ("aud", self.world.base.as_str()),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]
        .into_iter()
        .collect();
        let page = self.get(&format!("/oauth/authorize?{}", query.query())).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let (csrf, request) = (field(&page.body, "csrf"), field(&page.body, "request"));
        let form =
            [("csrf", &*csrf), ("request", &*request), ("all", "all"), ("patient", patient), ("decision", "allow")];
        let reply = self.post("/oauth/approve", &form).await;
        assert_eq!(reply.status, 303, "{}", reply.body);
        let answer = Form::parse(location(&reply).split_once('?').expect("a query").1.as_bytes());
        let code = answer.one("code").expect("once").expect("a code");
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        let (status, answer) = self.world.token(&form).await;
        assert_eq!(status, 200, "{answer}");
        let text = |name| answer.str(name).expect("a token").to_owned();
        (text("access_token"), text("refresh_token"))
    }
}

fn location(reply: &Reply) -> &str {
    reply.headers.get(header::LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The value of a hidden field, the first of its name.
fn field(page: &str, name: &str) -> String {
    let start = format!(r#"name="{name}" value=""#);
    let from = page.find(&start).unwrap_or_else(|| panic!("no {name} in {page}")) + start.len();
    let text = &page[from..from + page[from..].find('"').expect("its end")];
    [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
        .into_iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

const SCOPE: &str = "launch/patient openid fhirUser offline_access patient/Observation.rs patient/Immunization.rs";

#[tokio::test(flavor = "multi_thread")]
async fn the_mother_sees_allows_and_withdraws() {
    let world = World::new().await;
    let mut mother = Browser::of(&world, "hanako").await;
    let home = mother.get("/").await.body;
    for name in ["山田 花子", "山田 太郎", "山田 芽衣"] {
        assert!(home.contains(name), "{name}");
    }
    let records = mother.get("/records/pt-mei").await.body;
    for text in ["Vaccinations", "Check-ups", "Body weight", "Medication notebook", "Town&#39;s check-up file", "GV783"]
    {
        assert!(records.contains(text), "{text}");
    }
    assert!(!records.contains("<script") && !records.contains("style="), "no script, no inline style");

    let (access, refresh) = mother.connect(SCOPE, "pt-mei").await;
    let (status, bundle) = world.fhir(&access, "Observation?patient=pt-mei").await;
    assert!(status == 200 && !bundle.list("entry").is_empty(), "{status} {bundle}");
    let apps = mother.get("/apps").await.body;
    for text in
        ["Sample app", "山田 芽衣", "Vaccinations", "Measurements and test values", "Lasting access", "Last used"]
    {
        assert!(apps.contains(text), "{text}");
    }
    assert!(!apps.contains("Not used lately"));
    let others = mother.get("/access?others=1").await.body;
    assert!(others.contains("Sample app") && !others.contains("These pages"), "an app is a recipient like any other");
    let looked = mother.get("/access").await.body;
    for text in ["Sample app", "allowed access to", "Permission for “Sample app”", "At the family&#39;s request"] {
        assert!(looked.contains(text), "{text}");
    }

    let consent = field(&apps, "consent");
    let csrf = field(&apps, "csrf");
    let refused = mother.post("/apps/withdraw", &[("csrf", "x"), ("consent", &consent)]).await;
    assert_eq!(refused.status, 403, "a forged form");
    assert_eq!(world.fhir(&access, "Observation?patient=pt-mei").await.0, 200);
    let done = mother.post("/apps/withdraw", &[("csrf", &csrf), ("consent", &consent)]).await;
    assert_eq!((done.status.as_u16(), location(&done)), (303, "/apps?done=1"), "{}", done.body);
    assert_eq!(world.fhir(&access, "Observation?patient=pt-mei").await.0, 401);
    let (status, answer) = world.token(&[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await;
    assert_eq!((status.as_u16(), answer.str("error")), (400, Some("invalid_grant")));
    let after = mother.get("/apps?done=1").await.body;
    assert!(after.contains("Withdrawn") && !after.contains("Sample app"), "{after}");
    assert!(mother.get("/access").await.body.contains("withdrew access to"));
    let again = mother.post("/apps/withdraw", &[("csrf", &csrf), ("consent", &consent)]).await;
    assert_eq!(again.status, 303, "twice is as good as once");
}

#[tokio::test(flavor = "multi_thread")]
async fn approving_again_supersedes_and_a_new_approval_narrows_the_old_token() {
    let world = World::new().await;
    let mut mother = Browser::of(&world, "hanako").await;
    let (first, _) = mother.connect(SCOPE, "pt-mei").await;
    let (second, _) = mother.connect("launch/patient offline_access patient/Immunization.rs", "pt-mei").await;
    let apps = mother.get("/apps").await.body;
    assert_eq!(apps.matches("name=\"consent\"").count(), 1, "one Consent for the triple");
    let entries = |bundle: &Json| bundle.list("entry").len();
    assert_eq!(entries(&world.fhir(&first, "Observation?patient=pt-mei").await.1), 0);
    assert!(entries(&world.fhir(&first, "Immunization?patient=pt-mei").await.1) > 0);
    assert!(entries(&world.fhir(&second, "Immunization?patient=pt-mei").await.1) > 0);
    let csrf = field(&apps, "csrf");
    let consent = field(&apps, "consent");
    mother.post("/apps/withdraw", &[("csrf", &csrf), ("consent", &consent)]).await;
    for token in [first, second] {
        assert_eq!(world.fhir(&token, "Immunization?patient=pt-mei").await.0, 401, "both hung on it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_sees_or_withdraws_anything() {
    let world = World::new().await;
    let mut mother = Browser::of(&world, "hanako").await;
    let (access, _) = mother.connect(SCOPE, "pt-mei").await;
    let consent = field(&mother.get("/apps").await.body, "consent");
    for user in ["stranger", "dr-sato", "admin", "kazuko"] {
        let mut other = Browser::of(&world, user).await;
        let page = other.get("/").await;
        assert_eq!(page.status, 200, "{user}");
        assert!(!page.body.contains("山田"), "{user}");
        let (hidden, never) = (other.get("/records/pt-mei").await, other.get("/records/pt-never").await);
        assert_eq!((hidden.status.as_u16(), never.status.as_u16()), (404, 404), "{user}");
        assert_eq!(hidden.body, never.body, "{user}");
        let apps = other.get("/apps").await.body;
        assert!(!apps.contains("Sample app") && !apps.contains("山田"), "{user}");
        assert!(!other.get("/access").await.body.contains("山田"), "{user}");
        let csrf = field(&apps, "csrf");
        let taken = other.post("/apps/withdraw", &[("csrf", &csrf), ("consent", &consent)]).await;
        let nothing = other.post("/apps/withdraw", &[("csrf", &csrf), ("consent", "never")]).await;
        assert_eq!((taken.status.as_u16(), taken.body), (404, nothing.body), "{user}");
    }
    assert_eq!(world.fhir(&access, "Observation?patient=pt-mei").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grandmother_sees_what_is_shared_with_her_until_it_is_withdrawn() {
    let world = World::new().await;
    let mut mother = Browser::of(&world, "hanako").await;
    let (access, _) = mother.connect("launch/patient offline_access patient/*.cruds", "pt-mei").await;
    let coding = |system: &str, code: &str| json!({"coding": [{"system": system, "code": code}]});
    let class = |code: &str| json!({"system": "http://hl7.org/fhir/resource-types", "code": code});
    let consent = json!({
        "resourceType": "Consent", "status": "active",
        "scope": (coding("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")),
        "category": [(coding("http://loinc.org", "59284-0"))],
        "patient": {"reference": "Patient/pt-mei"}, "dateTime": "2026-11-01",
        "performer": [{"reference": "RelatedPerson/rp-hanako-mei"}],
        "organization": [{"reference": "Organization/org-city"}],
        "sourceAttachment": {"title": "t"},
        "policyRule": (coding("http://terminology.hl7.org/CodeSystem/v3-ActCode", "OPTIN")),
        "provision": {
            "actor": [{
                "role": (coding("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")),
                "reference": {"reference": "RelatedPerson/rp-kazuko-mei", "display": "佐藤 和子"}
            }],
            "action": [(coding("http://terminology.hl7.org/CodeSystem/consentaction", "access"))],
            "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "SUPNWK"}],
            "class": [(class("Patient")), (class("Observation"))]
        }
    });
    let request = Request::post("/fhir/Consent")
        .header(header::AUTHORIZATION, format!("Bearer {access}"))
        .header(header::CONTENT_TYPE, "application/fhir+json")
        .body(Body::from(consent.to_string()))
        .expect("a request");
    let made = world.send(request).await;
    assert_eq!(made.status, 201, "{}", made.body);

    let mut grandmother = Browser::of(&world, "kazuko").await;
    let home = grandmother.get("/").await.body;
    assert!(home.contains("山田 芽衣") && home.contains("Shared with you") && !home.contains("山田 太郎"), "{home}");
    let records = grandmother.get("/records/pt-mei").await.body;
    assert!(records.contains("Body weight") && !records.contains("GV783"), "weights, no vaccinations");
    assert_eq!(grandmother.get("/records/pt-taro").await.status, 404);
    assert!(!grandmother.get("/access").await.body.contains("山田"), "the trail is the citizen's side's alone");

    let apps = mother.get("/apps").await.body;
    let share = apps.find("佐藤 和子").map(|at| &apps[at..]).expect("the share is listed");
    assert!(share.contains("Measurements and test values") && share.contains("Support by people close"), "{share}");
    let looked = mother.get("/access?others=1").await.body;
    assert!(looked.contains("Your permission") && looked.contains("Support by people close"), "{looked}");
    let (csrf, consent) = (field(&apps, "csrf"), field(share, "consent"));
    mother.post("/apps/withdraw", &[("csrf", &csrf), ("consent", &consent)]).await;
    assert_eq!(grandmother.get("/records/pt-mei").await.status, 404);
    assert_eq!(world.fhir(&access, "Observation?patient=pt-mei").await.0, 200, "the app's own stands");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_ask_to_sign_in_and_lead_back() {
    let world = World::new().await;
    let mut nobody = Browser { world: &world, cookies: BTreeMap::new() };
    for path in ["/", "/apps", "/access", "/records/pt-mei"] {
        let page = nobody.get(path).await;
        assert!(page.body.contains("name=\"password\"") && field(&page.body, "next") == path, "{path}");
        let policy = page.headers.get("content-security-policy").and_then(|value| value.to_str().ok());
        assert!(policy.is_some_and(|policy| policy.starts_with("default-src 'none'")), "{path}");
    }
    let mut mother = Browser::of(&world, "hanako").await;
    let page = mother.get("/?lang=ja").await.body;
    assert!(page.contains("lang=\"ja\"") && page.contains("/records/pt-mei?lang=ja"), "{page}");
    let csrf = field(&page, "csrf");
    assert_eq!(mother.post("/oauth/signout", &[("csrf", &csrf)]).await.status, 303);
    assert!(mother.get("/").await.body.contains("name=\"password\""));
}
