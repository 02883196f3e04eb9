//! A browser: keeps cookies, reads forms, follows nothing by itself.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Request, header};

use super::world::{BASE, CALLBACK, CHALLENGE, PASSWORD, Reply, VERIFIER, World};
use crate::auth::form::Form;

pub(super) struct Browser<'a> {
    world: &'a World,
    pub(super) cookies: BTreeMap<String, String>,
}

/// An authorization request with `changes`: another value, or `None` to leave it out.
pub(super) fn request(client: &str, scope: &str, changes: &[(&str, Option<&str>)]) -> String {
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("scope", scope),
        ("state", "state-0123456789"),
        ("aud", BASE),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        pairs.retain(|(own, _)| own != name);
        pairs.extend(value.map(|value| (*name, value)));
    }
    pairs.into_iter().collect::<Form>().query()
}

/// The value of a hidden or ticked field.
pub(super) fn field(page: &str, name: &str) -> String {
    let at = page.find(&format!(r#"name="{name}" value=""#)).unwrap_or_else(|| panic!("no {name} in {page}"));
    let rest = &page[at..];
    let from = rest.find("value=\"").expect("a value") + 7;
    unescape(&rest[from..from + rest[from..].find('"').expect("its end")])
}

fn unescape(text: &str) -> String {
    [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
        .into_iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

impl<'a> Browser<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        Self { world, cookies: BTreeMap::new() }
    }

    /// A browser in which `user` is signed in.
    pub(super) async fn of(world: &'a World, user: &str) -> Self {
        let mut browser = Self::new(world);
        let reply = browser.sign_in(user, PASSWORD).await;
        assert_eq!(reply.status, 303, "{}", reply.body);
        browser
    }

    pub(super) async fn sign_in(&mut self, user: &str, password: &str) -> Reply {
        let page = self.get("/oauth/signin").await;
        let csrf = field(&page.body, "csrf");
        let form = [("csrf", csrf.as_str()), ("username", user), ("password", password), ("next", "/")];
        self.post("/oauth/signin", &form).await
    }

    pub(super) async fn get(&mut self, path: &str) -> Reply {
        self.send(Request::get(path), Body::empty()).await
    }

    pub(super) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Reply {
        let form: Form = form.iter().copied().collect();
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Body::from(form.query())).await
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: Body) -> Reply {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(header::COOKIE, cookies.join("; ")).body(body).expect("a request");
        let reply = self.world.send(request).await;
        for cookie in reply.headers.get_all(header::SET_COOKIE) {
            let text = cookie.to_str().expect("text");
            let (name, value) = text.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        reply
    }

    /// Opens the approval page and answers it.
    pub(super) async fn approve(&mut self, query: &str, ticks: &[(&str, &str)]) -> Reply {
        let page = self.get(&format!("/oauth/authorize?{query}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let (csrf, request) = (field(&page.body, "csrf"), field(&page.body, "request"));
        let mut form = vec![("csrf", csrf.as_str()), ("request", request.as_str())];
        form.extend_from_slice(ticks);
        self.post("/oauth/approve", &form).await
    }

    /// The code that an approval sends to the application.
    pub(super) async fn code(&mut self, query: &str, ticks: &[(&str, &str)]) -> String {
        let mut ticks = ticks.to_vec();
        ticks.push(("decision", "allow"));
        let reply = self.approve(query, &ticks).await;
        assert_eq!(reply.status, 303, "{}", reply.body);
        let (_, answer) = reply.location();
        answer.one("code").expect("once").expect("a code").to_owned()
    }

    /// Tokens of the public client for the daughter, everything asked for granted.
    pub(super) async fn tokens(&mut self, scope: &str) -> serde_json::Value {
        let ticks = [("all", "all"), ("patient", "pt-mei")];
        let code = self.code(&request("app-public", scope, &[]), &ticks).await;
        let form = exchange(&code);
        let reply = self.world.call("/oauth/token", None, &[&form[..], &[("client_id", "app-public")]].concat()).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    }
}

/// The form that exchanges a code.
pub(super) fn exchange(code: &str) -> [(&str, &str); 4] {
    [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)]
}
