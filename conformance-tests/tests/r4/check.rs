//! The language of the tables: a row is a name, a request and what R4 expects.
//!
//! ```text
//! row("a read names its version", get("Patient/a"), ok().header("ETag", "W/\"1\"")),
//! row("a word nobody knows", get("Patient?zip=1"), refused(400, "not-supported")),
//! row("a code of any system", get("Observation?code=8302-2"), finds(&["o1", "o2"])),
//! ```
//!
//! Rows run in order on one server. What a row keeps (`keep("made")`: the id in
//! `Location`; `keep_link("next")`: a link of the Bundle) later rows name in
//! braces. To add a check: one row in the table of its subject. To add a subject:
//! a file with `seed` and `checks`, and its name in `main.rs`.

use std::collections::HashMap;

use serde_json::Value;
use techo_conformance_tests::http::Request;

/// One check.
pub struct Check {
    pub name: String,
    pub ask: Ask,
    pub expect: Expect,
}

/// A request, its path below the FHIR base.
#[derive(Clone)]
pub struct Ask {
    pub who: Who,
    pub method: &'static str,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<(String, Vec<u8>)>,
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// The custodian who wrote what there is.
    Tester,
    /// No token.
    Nobody,
    /// A token that was never given.
    Forger,
    /// The mother, by an app, for her own record.
    Mother,
}

/// What the answer must be.
pub struct Expect {
    pub status: Vec<u16>,
    pub facts: Vec<Fact>,
}

/// One thing that must hold of an answer.
pub enum Fact {
    /// A header with this value.
    Header(&'static str, String),
    /// A header whose value holds this.
    HeaderHolds(&'static str, String),
    /// No such header.
    NoHeader(&'static str),
    /// The value at a JSON pointer.
    At(String, Value),
    /// Nothing at a JSON pointer.
    Absent(String),
    /// Something at a JSON pointer.
    Present(String),
    /// How many items the array at a JSON pointer has.
    Length(String, usize),
    /// The matches of a search, in any order.
    Finds(Vec<String>),
    /// The matches of a search, in this order.
    InOrder(Vec<String>),
    /// What a search brought beside its matches, in any order.
    Brings(Vec<String>),
    /// `Type/id` of every entry, in any order.
    Entries(Vec<String>),
    /// No body.
    Empty,
    /// The body holds this text.
    Holds(String),
    /// The body does not hold this text.
    Lacks(String),
    /// The Bundle has this link, and its URL holds the text.
    Link(&'static str, String),
    /// The Bundle has no such link.
    NoLink(&'static str),
    /// The `expression`s of an `OperationOutcome` hold one that begins so.
    Expression(String),
    /// The texts of all issues are in Japanese, or in English.
    Japanese(bool),
    /// Keeps the id in `Location`.
    Keep(&'static str),
    /// Keeps the URL of a link under the relation's name.
    KeepLink(&'static str),
    /// Keeps the value of a header.
    KeepHeader(&'static str, &'static str),
}

/// A row of a table.
pub fn row(name: &str, ask: Ask, expect: Expect) -> Check {
    Check { name: name.to_owned(), ask, expect }
}

/// A request of the tester's without a body.
pub fn ask(method: &'static str, path: &str) -> Ask {
    Ask { who: Who::Tester, method, path: path.to_owned(), headers: Vec::new(), body: None }
}

/// `GET path`
pub fn get(path: &str) -> Ask {
    ask("GET", path)
}

/// `DELETE path`
pub fn delete(path: &str) -> Ask {
    ask("DELETE", path)
}

/// `POST path` with a resource.
pub fn post(path: &str, resource: &Value) -> Ask {
    ask("POST", path).fhir(resource)
}

/// `PUT path` with a resource.
pub fn put(path: &str, resource: &Value) -> Ask {
    ask("PUT", path).fhir(resource)
}

impl Ask {
    /// By somebody else.
    pub fn by(mut self, who: Who) -> Self {
        self.who = who;
        self
    }

    /// With a header.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// With a body.
    pub fn body(mut self, media: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Some((media.to_owned(), bytes.into()));
        self
    }

    /// With a resource.
    pub fn fhir(self, resource: &Value) -> Self {
        self.body("application/fhir+json", resource.to_string())
    }

    /// With a form.
    pub fn form(self, text: &str) -> Self {
        self.body("application/x-www-form-urlencoded", target(text))
    }

    /// Whether it may be asked again without a change of what is stored.
    pub fn is_safe(&self) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        self.method == "GET" || path.ends_with("_search") || path.ends_with("$validate") || path.ends_with("$fhirpath")
    }

    /// The request, with what earlier rows kept in place of its braces.
    pub fn request(&self, base: &str, token: &str, kept: &HashMap<String, String>) -> Request {
        let path = filled(&self.path, kept);
        let url = match path.as_str() {
            "" => base.to_owned(),
            whole if whole.starts_with("http") => whole.to_owned(),
            _ => format!("{base}/{path}"),
        };
        let mut request = Request::new(self.method, &target(&url));
        if !token.is_empty() {
            request = request.bearer(token);
        }
        for (name, value) in &self.headers {
            request = request.header(name, &filled(value, kept));
        }
        match &self.body {
            Some((media, bytes)) => match std::str::from_utf8(bytes) {
                Ok(text) => request.body(media, filled(text, kept)),
                Err(_) => request.body(media, bytes.clone()),
            },
            None => request,
        }
    }
}

/// `{name}` → what was kept under it.
pub fn filled(text: &str, kept: &HashMap<String, String>) -> String {
    kept.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// Percent-encodes what no URL may hold, and nothing else: a row may write
/// `%2B` and `+` and mean them.
fn target(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

/// One of these statuses.
pub fn any(status: &[u16]) -> Expect {
    Expect { status: status.to_vec(), facts: Vec::new() }
}

/// This status.
pub fn status(status: u16) -> Expect {
    any(&[status])
}

/// 200
pub fn ok() -> Expect {
    status(200)
}

/// A refusal: an `OperationOutcome` whose first issue is an error of this code,
/// with a text.
pub fn refused(code: u16, issue: &str) -> Expect {
    status(code)
        .at("/resourceType", "OperationOutcome")
        .at("/issue/0/severity", "error")
        .at("/issue/0/code", issue)
        .present("/issue/0/details/text")
}

/// A searchset with these matches, in any order, and no others.
pub fn finds(ids: &[&str]) -> Expect {
    ok().at("/resourceType", "Bundle").at("/type", "searchset").fact(Fact::Finds(owned(ids)))
}

/// A searchset with these matches, in this order.
pub fn in_order(ids: &[&str]) -> Expect {
    ok().at("/type", "searchset").fact(Fact::InOrder(owned(ids)))
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

impl Expect {
    fn fact(mut self, fact: Fact) -> Self {
        self.facts.push(fact);
        self
    }

    pub fn header(self, name: &'static str, value: &str) -> Self {
        self.fact(Fact::Header(name, value.to_owned()))
    }

    pub fn header_holds(self, name: &'static str, value: &str) -> Self {
        self.fact(Fact::HeaderHolds(name, value.to_owned()))
    }

    pub fn no_header(self, name: &'static str) -> Self {
        self.fact(Fact::NoHeader(name))
    }

    pub fn at(self, pointer: &str, value: impl Into<Value>) -> Self {
        self.fact(Fact::At(pointer.to_owned(), value.into()))
    }

    pub fn absent(self, pointer: &str) -> Self {
        self.fact(Fact::Absent(pointer.to_owned()))
    }

    pub fn present(self, pointer: &str) -> Self {
        self.fact(Fact::Present(pointer.to_owned()))
    }

    pub fn length(self, pointer: &str, length: usize) -> Self {
        self.fact(Fact::Length(pointer.to_owned(), length))
    }

    pub fn total(self, total: u64) -> Self {
        self.at("/total", total)
    }

    pub fn brings(self, ids: &[&str]) -> Self {
        self.fact(Fact::Brings(owned(ids)))
    }

    pub fn entries(self, references: &[&str]) -> Self {
        self.fact(Fact::Entries(owned(references)))
    }

    pub fn empty(self) -> Self {
        self.fact(Fact::Empty)
    }

    pub fn holds(self, text: &str) -> Self {
        self.fact(Fact::Holds(text.to_owned()))
    }

    pub fn lacks(self, text: &str) -> Self {
        self.fact(Fact::Lacks(text.to_owned()))
    }

    pub fn link(self, relation: &'static str, text: &str) -> Self {
        self.fact(Fact::Link(relation, text.to_owned()))
    }

    pub fn no_link(self, relation: &'static str) -> Self {
        self.fact(Fact::NoLink(relation))
    }

    pub fn expression(self, place: &str) -> Self {
        self.fact(Fact::Expression(place.to_owned()))
    }

    pub fn japanese(self) -> Self {
        self.fact(Fact::Japanese(true))
    }

    pub fn english(self) -> Self {
        self.fact(Fact::Japanese(false))
    }

    pub fn keep(self, name: &'static str) -> Self {
        self.fact(Fact::Keep(name))
    }

    pub fn keep_link(self, relation: &'static str) -> Self {
        self.fact(Fact::KeepLink(relation))
    }

    pub fn keep_header(self, header: &'static str, name: &'static str) -> Self {
        self.fact(Fact::KeepHeader(header, name))
    }
}
