//! People instead of tokens: who of the sample world calls, and how they got in.
//!
//! A person's token comes from the whole way a person goes: the app's redirect,
//! the sign-in page, the approval page, the code, the token. A program's comes
//! from a signed assertion. To add somebody: one method of [`World`].

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::browser::{Browser, Page};
use crate::clock::now;
use crate::http::{Request, Response, encode, query};
use crate::jose::{Key, challenge, fresh};
use crate::server::Server;

/// Where the sample apps live.
pub const CALLBACK: &str = "http://127.0.0.1:9871/cb";

/// Every record of one patient, and lasting access.
pub const ALL: &str = "launch/patient openid fhirUser offline_access patient/*.rs";

/// A running sample world.
#[derive(Debug)]
pub struct World {
    /// The program.
    pub server: Server,
    /// FHIR base, without a slash at its end.
    pub base: String,
    /// Address of the citizen's pages.
    pub portal: String,
}

/// Somebody with a token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// FHIR base.
    pub base: String,
    /// Access token; empty for nobody.
    pub token: String,
    /// The token endpoint's whole answer.
    pub grant: Value,
}

/// What an app asks for, and what the person does with it.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Client id.
    pub client: String,
    /// Sign-in name.
    pub user: String,
    /// Scopes asked.
    pub scope: String,
    /// Whose records she picks where she may pick.
    pub patient: Option<String>,
    /// Scopes she leaves unticked.
    pub untick: Vec<String>,
    /// Redirect URI.
    pub redirect: String,
    /// Further parameters of the authorization request.
    pub more: Vec<(String, String)>,
}

/// A code on its way to the token endpoint.
#[derive(Clone, Debug)]
pub struct Coded {
    /// The code.
    pub code: String,
    /// The secret half of the challenge.
    pub verifier: String,
    /// Where it was sent.
    pub redirect: String,
    /// The client that asked.
    pub client: String,
}

impl Ask {
    /// `client` asks `user` for `scope`; everything is ticked.
    pub fn new(client: &str, user: &str, scope: &str) -> Self {
        Self {
            client: client.to_owned(),
            user: user.to_owned(),
            scope: scope.to_owned(),
            patient: None,
            untick: Vec::new(),
            redirect: CALLBACK.to_owned(),
            more: Vec::new(),
        }
    }

    /// For the records of this patient.
    #[must_use]
    pub fn of(mut self, patient: &str) -> Self {
        self.patient = Some(patient.to_owned());
        self
    }

    /// Leaves one scope unticked.
    #[must_use]
    pub fn without(mut self, scope: &str) -> Self {
        self.untick.push(scope.to_owned());
        self
    }

    /// One more parameter of the authorization request.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.more.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// A world of its own for one test.
    pub fn new() -> Self {
        Self::over(Server::demo())
    }

    /// The world that this server serves.
    pub fn over(server: Server) -> Self {
        let text = |name: &str| server.info[name].as_str().unwrap_or_default().to_owned();
        let (base, portal) = (text("base"), text("portal"));
        assert!(base.ends_with("/fhir"), "base of {}", server.info);
        Self { server, base, portal }
    }

    /// `kill -9` and a new start on the same data.
    #[must_use]
    pub fn killed_and_restarted(self) -> Self {
        Self::over(self.server.killed_and_restarted())
    }

    /// What the demo says of a client.
    pub fn client(&self, name: &str) -> &Value {
        let client = &self.server.info["clients"][name];
        assert!(client.is_object(), "the demo has no client {name}");
        client
    }

    /// What the demo says of a user.
    pub fn user(&self, name: &str) -> &Value {
        let user = &self.server.info["users"][name];
        assert!(user.is_object(), "the demo has no user {name}");
        user
    }

    /// The private keys of a client.
    pub fn keys(&self, client: &str) -> Vec<Key> {
        let path = self.client(client)["jwks_file"].as_str().expect("a client with keys has a jwks_file");
        let text = fs::read_to_string(path).expect("the key file can be read");
        let keys = Key::all(&serde_json::from_str(&text).expect("the key file is JSON"));
        assert!(!keys.is_empty(), "{path} holds no private key");
        keys
    }

    /// `BASE/.well-known/smart-configuration`
    pub fn discovery(&self) -> Value {
        Request::get(&format!("{}/.well-known/smart-configuration", self.base)).send().expect(200).json()
    }

    /// An endpoint as discovered.
    pub fn endpoint(&self, name: &str) -> String {
        self.discovery()[name].as_str().unwrap_or_else(|| panic!("discovery names no {name}")).to_owned()
    }

    /// Nobody: no token at all.
    pub fn anon(&self) -> Caller {
        self.holder(String::new())
    }

    /// Whoever holds this token.
    pub fn holder(&self, token: String) -> Caller {
        Caller { base: self.base.clone(), token, grant: Value::Null }
    }

    /// The mother, by an app for her own records.
    pub fn mother(&self) -> Caller {
        self.approve(&Ask::new("app-public", "hanako", ALL).of("pt-hanako"))
    }

    /// The mother, by an app for her daughter's records.
    pub fn mother_for_daughter(&self) -> Caller {
        self.approve(&Ask::new("app-public", "hanako", ALL).of("pt-mei"))
    }

    /// Another family's mother, by the same app.
    pub fn stranger(&self) -> Caller {
        self.approve(&Ask::new("app-public", "stranger", ALL).of("pt-stranger"))
    }

    /// The test suites' own custodian.
    pub fn tester(&self) -> Caller {
        self.backend("tester", "system/*.cruds")
    }

    /// The municipal importer.
    pub fn importer(&self) -> Caller {
        self.backend("importer", "system/*.cruds")
    }

    /// The clinic's system.
    pub fn clinic(&self) -> Caller {
        self.backend("ehr-sakura", "system/launch.c")
    }

    /// A program that proves itself with its key.
    pub fn backend(&self, client: &str, scope: &str) -> Caller {
        let answer = self.backend_answer(client, scope).expect(200);
        self.caller(answer.json())
    }

    /// The token endpoint's answer to a program.
    pub fn backend_answer(&self, client: &str, scope: &str) -> Response {
        let assertion = self.assertion(client);
        Request::post(&self.endpoint("token_endpoint"))
            .form(&[
                ("grant_type", "client_credentials"),
                ("scope", scope),
                ("client_assertion_type", ASSERTION),
                ("client_assertion", &assertion),
            ])
            .send()
    }

    /// A good assertion of a client.
    pub fn assertion(&self, client: &str) -> String {
        self.keys(client)[0].sign(&self.assertion_claims(client))
    }

    /// The claims of a good assertion.
    pub fn assertion_claims(&self, client: &str) -> Value {
        let aud = self.endpoint("token_endpoint");
        json!({"iss": client, "sub": client, "aud": aud, "exp": now() + 240, "iat": now(), "jti": fresh()})
    }

    /// The whole way: sign in, approve, exchange the code.
    pub fn approve(&self, ask: &Ask) -> Caller {
        let coded = self.code(ask);
        let answer = self.exchange(&coded).expect(200);
        self.caller(answer.json())
    }

    /// Sign in and approve; the code.
    pub fn code(&self, ask: &Ask) -> Coded {
        let browser = Browser::new();
        let (url, verifier, state) = self.authorize_url(ask);
        let page = self.sign_in(&browser, browser.open(&url), &ask.user);
        let page = self.decide(&browser, &page, ask, "allow");
        let target = page.redirect().unwrap_or_else(|| panic!("no way back to the app: {}", page.answer.text()));
        assert!(target.starts_with(&ask.redirect), "sent back to {target}");
        let returned = page.answer.location_parameter("state");
        assert_eq!(returned.as_deref(), Some(state.as_str()), "the state comes back as sent");
        let code = page.answer.location_parameter("code").unwrap_or_else(|| panic!("no code in {target}"));
        Coded { code, verifier, redirect: ask.redirect.clone(), client: ask.client.clone() }
    }

    /// The app's link to the authorization endpoint, its verifier and its state.
    pub fn authorize_url(&self, ask: &Ask) -> (String, String, String) {
        let (verifier, state) = (fresh(), fresh());
        let digest = challenge(&verifier);
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", &ask.client),
            ("redirect_uri", &ask.redirect),
            ("scope", &ask.scope),
            ("state", &state),
            ("aud", &self.base),
            ("code_challenge", &digest),
            ("code_challenge_method", "S256"),
        ];
        fields.extend(ask.more.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        (format!("{}?{}", self.endpoint("authorization_endpoint"), query(&fields)), verifier, state)
    }

    /// Signs in where the page asks for it; the page after it.
    pub fn sign_in(&self, browser: &Browser, page: Page, user: &str) -> Page {
        let Some(form) = page.form("username") else { return page };
        let known = self.user(user);
        let text = |name: &str| known[name].as_str().unwrap_or_default().to_owned();
        browser.submit(&page, &form, &[("username", &text("username")), ("password", &text("password"))])
    }

    /// Fills in the approval page and presses a button.
    pub fn decide(&self, browser: &Browser, page: &Page, ask: &Ask, decision: &str) -> Page {
        let form = page.form("decision").unwrap_or_else(|| panic!("no approval page: {}", page.answer.text()));
        let offered = form.values("scope");
        let mut fields: Vec<(&str, &str)> = offered
            .into_iter()
            .filter(|scope| !ask.untick.iter().any(|left| left == scope))
            .map(|scope| ("scope", scope))
            .collect();
        if form.has("patient") {
            let patient =
                ask.patient.as_deref().unwrap_or_else(|| panic!("whose records? {:?}", form.values("patient")));
            assert!(form.values("patient").contains(&patient), "{patient} is not offered");
            fields.push(("patient", patient));
        }
        fields.push(("decision", decision));
        browser.submit(page, &form, &fields)
    }

    /// The token endpoint's answer to a code, the client proved as registered.
    pub fn exchange(&self, coded: &Coded) -> Response {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", coded.code.as_str()),
            ("redirect_uri", coded.redirect.as_str()),
            ("code_verifier", coded.verifier.as_str()),
        ];
        self.token(&coded.client, &fields)
    }

    /// The token endpoint's answer to a refresh token.
    pub fn refresh(&self, client: &str, refresh: &str, scope: Option<&str>) -> Response {
        let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", refresh)];
        fields.extend(scope.map(|scope| ("scope", scope)));
        self.token(client, &fields)
    }

    /// A request to the token endpoint by a client that proves itself.
    pub fn token(&self, client: &str, fields: &[(&str, &str)]) -> Response {
        self.proved(&self.endpoint("token_endpoint"), client, fields)
    }

    /// A form to an endpoint by a client that proves itself as registered.
    pub fn proved(&self, url: &str, client: &str, fields: &[(&str, &str)]) -> Response {
        let known = self.client(client);
        let mut all = fields.to_vec();
        if let Some(secret) = known["client_secret"].as_str() {
            let pair = format!("{}:{}", encode(client), encode(secret));
            return Request::post(url)
                .header("Authorization", &format!("Basic {}", STANDARD.encode(pair)))
                .form(&all)
                .send();
        }
        if known["jwks_file"].is_string() {
            let assertion = self.assertion(client);
            all.extend([("client_assertion_type", ASSERTION), ("client_assertion", assertion.as_str())]);
            return Request::post(url).form(&all).send();
        }
        all.push(("client_id", client));
        Request::post(url).form(&all).send()
    }

    /// A browser in which `user` is signed in to the portal, and its first page.
    pub fn portal_of(&self, user: &str) -> (Browser, Page) {
        let browser = Browser::new();
        let mut page = browser.open(&format!("{}/", self.portal.trim_end_matches('/')));
        if page.form("username").is_none() {
            let link = crate::page::links(&page.answer.text()).into_iter().find(|link| link.contains("sign"));
            let link = link.unwrap_or_else(|| panic!("no way to sign in: {}", page.answer.text()));
            page = browser.open(&page.resolve(&link));
        }
        let page = self.sign_in(&browser, page, user);
        assert_eq!(page.answer.status, 200, "{}", page.answer.text());
        (browser, page)
    }

    fn caller(&self, grant: Value) -> Caller {
        let token = grant["access_token"].as_str().unwrap_or_else(|| panic!("no access_token in {grant}")).to_owned();
        Caller { base: self.base.clone(), token, grant }
    }
}

impl Caller {
    /// A request below the FHIR base with the caller's token.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}/{path}", self.base) };
        let request = Request::new(method, &url);
        if self.token.is_empty() { request } else { request.bearer(&self.token) }
    }

    /// `GET BASE/path`
    pub fn get(&self, path: &str) -> Response {
        self.request("GET", path).send()
    }

    /// `POST BASE/path` with a resource.
    pub fn post(&self, path: &str, resource: &Value) -> Response {
        self.request("POST", path).fhir(resource).send()
    }

    /// `PUT BASE/path` with a resource.
    pub fn put(&self, path: &str, resource: &Value) -> Response {
        self.request("PUT", path).fhir(resource).send()
    }

    /// `DELETE BASE/path`
    pub fn delete(&self, path: &str) -> Response {
        self.request("DELETE", path).send()
    }

    /// Creates a resource; its id.
    #[track_caller]
    pub fn create(&self, resource: &Value) -> String {
        let kind = resource["resourceType"].as_str().unwrap_or_default();
        let answer = self.post(kind, resource).expect(201);
        let location = answer.header("Location").unwrap_or_else(|| panic!("201 without Location"));
        let path = location.rsplit_once(&format!("/{kind}/")).map_or("", |(_, rest)| rest);
        path.split('/').next().unwrap_or_default().to_owned()
    }

    /// The Bundle of a search; anything but 200 fails the test.
    #[track_caller]
    pub fn search(&self, query: &str) -> Value {
        self.get(query).expect(200).json()
    }

    /// The ids of a search's matches, in order.
    #[track_caller]
    pub fn ids(&self, query: &str) -> Vec<String> {
        ids(&self.search(query), "match")
    }

    /// The ids of the matches of page after page, by the links of one relation.
    #[track_caller]
    pub fn walk(&self, start: &str, relation: &str) -> Vec<Vec<String>> {
        let mut url = start.to_owned();
        let mut pages = Vec::new();
        loop {
            let page = self.search(&url);
            pages.push(ids(&page, "match"));
            match link(&page, relation) {
                Some(next) => next.clone_into(&mut url),
                None => return pages,
            }
        }
    }

    /// A string of the token endpoint's answer.
    pub fn granted(&self, name: &str) -> &str {
        self.grant[name].as_str().unwrap_or_default()
    }
}

/// The ids of a Bundle's entries of one search mode, in order.
pub fn ids(bundle: &Value, mode: &str) -> Vec<String> {
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    let chosen = entries.iter().filter(|entry| entry["search"]["mode"] == mode);
    chosen.filter_map(|entry| entry["resource"]["id"].as_str().map(str::to_owned)).collect()
}

/// The URL of a Bundle's link.
pub fn link<'b>(bundle: &'b Value, relation: &str) -> Option<&'b str> {
    let links = bundle["link"].as_array()?;
    links.iter().find(|link| link["relation"] == relation)?["url"].as_str()
}

/// RFC 7523's name of a signed assertion.
pub const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
