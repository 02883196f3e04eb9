//! A person's browser: cookies, redirects within the portal, forms.

use std::cell::RefCell;

use crate::http::{Request, Response, query};
use crate::page::{Form, forms};

/// Cookies, and where we are.
#[derive(Debug, Default)]
pub struct Browser {
    cookies: RefCell<Vec<(String, String)>>,
    language: Option<String>,
}

/// A page as it was shown, or the redirect out of the portal that ended the walk.
#[derive(Clone, Debug)]
pub struct Page {
    /// Where it came from.
    pub url: String,
    /// The whole answer.
    pub answer: Response,
}

impl Browser {
    /// A browser without cookies, in English.
    pub fn new() -> Self {
        Self { cookies: RefCell::default(), language: Some("en".to_owned()) }
    }

    /// A browser set to Japanese.
    pub fn japanese() -> Self {
        Self { cookies: RefCell::default(), language: Some("ja".to_owned()) }
    }

    /// The cookies it holds.
    pub fn cookies(&self) -> Vec<(String, String)> {
        self.cookies.borrow().clone()
    }

    /// Opens a page, following redirects within its origin.
    pub fn open(&self, url: &str) -> Page {
        self.walk(Request::get(url), url)
    }

    /// Sends the form `form` of `page` with these fields added to its hidden ones.
    pub fn submit(&self, page: &Page, form: &Form, fields: &[(&str, &str)]) -> Page {
        let hidden = form.hidden();
        let mut all: Vec<(&str, &str)> = hidden.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        all.extend_from_slice(fields);
        let url = page.resolve(&form.action);
        if form.method == "get" {
            return self.open(&format!("{}?{}", url.split('?').next().unwrap_or(&url), query(&all)));
        }
        let origin = origin(&url);
        self.walk(Request::post(&url).header("Origin", &origin).form(&all), &url)
    }

    /// One request with our cookies, no redirect followed.
    pub fn send(&self, request: Request) -> Response {
        let mut request = request.header("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        if let Some(language) = &self.language {
            request = request.header("Accept-Language", language);
        }
        let cookies: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("Cookie", &cookies.join("; "));
        }
        let answer = request.send();
        for line in answer.all("Set-Cookie") {
            self.keep(line);
        }
        answer
    }

    fn keep(&self, line: &str) {
        let Some((name, value)) = line.split(';').next().and_then(|pair| pair.split_once('=')) else { return };
        let mut cookies = self.cookies.borrow_mut();
        cookies.retain(|(known, _)| known != name);
        let gone = value.is_empty() || line.to_lowercase().contains("max-age=0");
        if !gone {
            cookies.push((name.to_owned(), value.to_owned()));
        }
    }

    fn walk(&self, request: Request, url: &str) -> Page {
        let mut page = Page { url: url.to_owned(), answer: self.send(request) };
        for _ in 0..10 {
            let Some(next) = page.answer.header("Location").filter(|_| (301..=308).contains(&page.answer.status))
            else {
                return page;
            };
            let next = page.resolve(next);
            if origin(&next) != origin(&page.url) {
                return page;
            }
            page = Page { answer: self.send(Request::get(&next)), url: next };
        }
        panic!("more than ten redirects from {url}");
    }
}

impl Page {
    /// Its first form with a control of that name.
    pub fn form(&self, control: &str) -> Option<Form> {
        forms(&self.answer.text()).into_iter().find(|form| form.has(control))
    }

    /// Where the walk left the portal.
    pub fn redirect(&self) -> Option<&str> {
        self.answer.header("Location").filter(|_| (301..=308).contains(&self.answer.status))
    }

    /// An absolute URL for a link of this page.
    pub fn resolve(&self, link: &str) -> String {
        if link.starts_with("http://") || link.starts_with("https://") {
            return link.to_owned();
        }
        if link.starts_with('/') {
            return format!("{}{link}", origin(&self.url));
        }
        let here = self.url.split(['?', '#']).next().unwrap_or_default();
        if link.is_empty() || link.starts_with('?') {
            return format!("{here}{link}");
        }
        let folder = here.rsplit_once('/').map_or(here, |(folder, _)| folder);
        format!("{folder}/{link}")
    }
}

/// Scheme, host and port of a URL.
pub fn origin(url: &str) -> String {
    let end = url.find("://").map_or(0, |at| at + 3);
    let rest = &url[end..];
    let host = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    url[..end + host].to_owned()
}
