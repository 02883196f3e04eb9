//! A small blocking HTTP/1.1 client.
//!
//! A test must be able to send what no polite library sends (a body that is no
//! JSON, a doubled header, a method nobody knows) and to see every byte of the
//! answer. So there are no redirects, no decompression and no retries here: one
//! request, one connection, one answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// Longest wait for one answer; a debug build on a busy machine is slow.
const PATIENCE: Duration = Duration::from_mins(1);

/// A request being put together.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Headers in the order received, names as sent.
    pub headers: Vec<(String, String)>,
    /// Body, without transfer coding.
    pub body: Vec<u8>,
}

impl Request {
    /// `method` on an absolute `http://` URL.
    pub fn new(method: &str, url: &str) -> Self {
        Self { method: method.to_owned(), url: url.to_owned(), headers: Vec::new(), body: None }
    }

    /// `GET url`
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// `POST url`
    pub fn post(url: &str) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header; a second one of the same name is sent as a second line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// `Authorization: Bearer token`
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// Body with its media type.
    #[must_use]
    pub fn body(mut self, media: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Some(bytes.into());
        self.header("Content-Type", media)
    }

    /// A FHIR resource as body.
    #[must_use]
    pub fn fhir(self, resource: &Value) -> Self {
        self.body("application/fhir+json", resource.to_string())
    }

    /// A form as body.
    #[must_use]
    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        let text = query(fields);
        self.body("application/x-www-form-urlencoded", text)
    }

    /// Sends; a connection that fails fails the test.
    pub fn send(&self) -> Response {
        self.try_send().unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.url))
    }

    /// Sends; tells how the connection failed, for tests that kill the server.
    pub fn try_send(&self) -> io::Result<Response> {
        let (authority, target) = split(&self.url)?;
        let stream = TcpStream::connect(authority)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        (&stream).write_all(&self.bytes(authority, target))?;
        receive(&stream, self.method == "HEAD")
    }

    fn bytes(&self, authority: &str, target: &str) -> Vec<u8> {
        let mut head = format!("{} {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n", self.method);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(body) = &self.body {
            head += &format!("Content-Length: {}\r\n", body.len());
        } else if ["POST", "PUT", "PATCH"].contains(&self.method.as_str()) {
            head += "Content-Length: 0\r\n";
        }
        head += "\r\n";
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }
}

impl Response {
    /// First header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All headers of that name.
    pub fn all<'r>(&'r self, name: &'r str) -> impl Iterator<Item = &'r str> {
        self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Body as JSON; anything else fails the test and shows what it was.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}), status {}: {}", self.status, self.text()))
    }

    /// Fails the test unless the status is `status`; the answer otherwise.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "body: {}", self.text());
        self
    }

    /// Fails the test unless this is an `OperationOutcome` of that status.
    #[track_caller]
    pub fn refused(self, status: u16) -> Self {
        assert_eq!(self.status, status, "body: {}", self.text());
        let outcome = self.json();
        assert_eq!(outcome["resourceType"], "OperationOutcome", "{outcome}");
        let issue = &outcome["issue"][0];
        assert!(issue["severity"].is_string() && issue["code"].is_string(), "{outcome}");
        self
    }

    /// The parameter `name` of the URL in `Location`.
    pub fn location_parameter(&self, name: &str) -> Option<String> {
        let location = self.header("Location")?;
        parameters(location).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// `a=b&c=d`, percent-encoded.
pub fn query(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = fields.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value))).collect();
    pairs.join("&")
}

/// Percent-encodes all but RFC 3986's unreserved characters.
pub fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

/// The query parameters of a URL, decoded.
pub fn parameters(url: &str) -> Vec<(String, String)> {
    let text = url.split_once('?').map_or("", |(_, rest)| rest);
    let text = text.split('#').next().unwrap_or_default();
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn split(url: &str) -> io::Result<(&str, &str)> {
    let rest = url.strip_prefix("http://").ok_or_else(|| broken("only http:// is spoken here"))?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let target = if end == rest.len() { "/" } else { &rest[end..] };
    Ok((&rest[..end], target.split('#').next().unwrap_or(target)))
}

fn receive(stream: &TcpStream, head: bool) -> io::Result<Response> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| broken("no status line"))?;
    let headers = headers(&mut reader)?;
    let mut response = Response { status, headers, body: Vec::new() };
    if head || status == 204 || status == 304 {
        return Ok(response);
    }
    let length = response.header("Content-Length").and_then(|text| text.parse::<usize>().ok());
    let chunked = response.header("Transfer-Encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    response.body = match length {
        _ if chunked => chunks(&mut reader)?,
        Some(length) => exactly(&mut reader, length)?,
        None => {
            let mut body = Vec::new();
            reader.read_to_end(&mut body)?;
            body
        }
    };
    Ok(response)
}

fn headers(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(broken("the answer ended in its headers"));
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken("a header without a colon"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(|_| broken("a chunk without its size"))?;
        let chunk = exactly(reader, size + 2)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

fn exactly(reader: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn broken(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}
