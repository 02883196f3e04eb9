//! Redirect URIs: compared character by character, loopback ports aside.
//!
//! An application on the user's own machine listens where it finds a free port,
//! so for `http://127.0.0.1` and `http://[::1]`, and for nothing else, the port
//! may differ from the registered one.
//!
//! Source: RFC 6749 §3.1.2; RFC 8252 §7.3; RFC 9700 §4.1.3

use oauth2::url::{Host, Url, form_urlencoded};

const LOOPBACKS: [&str; 2] = ["http://127.0.0.1", "http://[::1]"];

/// Whether `asked` is the `registered` URI.
pub fn fits(registered: &str, asked: &str) -> bool {
    if registered == asked {
        return true;
    }
    match (loopback(registered), loopback(asked)) {
        (Some(registered), Some(asked)) => registered == asked,
        _ => false,
    }
}

/// Host and path of a loopback URI, without its port.
fn loopback(uri: &str) -> Option<(&'static str, &str)> {
    let host = LOOPBACKS.into_iter().find(|host| uri.starts_with(host))?;
    let rest = &uri[host.len()..];
    let rest = match rest.strip_prefix(':') {
        None => rest,
        Some(rest) => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let port = &rest[..digits];
            if port.starts_with('0') || port.parse::<u16>().is_err() {
                return None;
            }
            &rest[digits..]
        }
    };
    rest.starts_with('/').then_some((host, rest))
}

/// Why a URI cannot be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// Not an absolute URI.
    #[error("the redirect URI is not an absolute URI")]
    Shape,
    /// A fragment, user name, wildcard or space.
    #[error("the redirect URI may hold no fragment, user name, wildcard or white space")]
    Part,
    /// Plain http to another machine.
    #[error(
        "the redirect URI must be https, a loopback address, or an application's own scheme such as jp.example.app:/cb"
    )]
    Scheme,
}

/// Checks a URI at registration. `https`, loopback `http`, and private-use
/// schemes with a dot in their name (RFC 8252 §7.1) are taken.
pub fn registrable(uri: &str) -> Result<(), RedirectError> {
    let url = Url::parse(uri).map_err(|_| RedirectError::Shape)?;
    let plain = url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    if !plain || uri.contains(['*', ' ', '#', '\\', '"', '\'', ';', ',']) || !uri.is_ascii() {
        return Err(RedirectError::Part);
    }
    match url.scheme() {
        "https" if url.has_host() => Ok(()),
        "http" if is_loopback(&url) => Ok(()),
        scheme if scheme.contains('.') => Ok(()),
        _ => Err(RedirectError::Scheme),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The web origin under which browsers call on behalf of this URI, as it is
/// stored: without the port for loopback addresses. `None` for an app's own scheme.
pub fn origin(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| origin_key(&url.origin().ascii_serialization()))
}

/// An `Origin` header's value as it is stored and looked up.
pub fn origin_key(origin: &str) -> String {
    for host in LOOPBACKS {
        if let Some(port) = origin.strip_prefix(host)
            && (port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()))
        {
            return host.to_owned();
        }
    }
    origin.to_owned()
}

/// What a `form-action` policy must allow so that a form's answer may redirect to `uri`.
pub fn policy_source(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    Some(match (url.scheme(), url.host()) {
        // The grammar of a policy has no IPv6 addresses: the scheme is the narrowest that it can say.
        ("http", Some(Host::Ipv6(_))) => "http:".to_owned(),
        ("http" | "https", _) => url.origin().ascii_serialization(),
        (scheme, _) => format!("{scheme}:"),
    })
}

/// `uri` with `pairs` added to its query. Spaces become `%20`, which every
/// client reads back rightly, unlike `+`.
pub fn with_query(uri: &str, pairs: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().replace('+', "%20");
    let joint = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{joint}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_loopback_port_may_differ() {
        let registered = "http://127.0.0.1:9871/cb";
        for (asked, expected) in [
            ("http://127.0.0.1:9871/cb", true),
            ("http://127.0.0.1:1/cb", true),
            ("http://127.0.0.1/cb", true),
            ("http://127.0.0.1:65536/cb", false),
            ("http://127.0.0.1:080/cb", false),
            ("http://127.0.0.1:/cb", false),
            ("http://127.0.0.1:9871/CB", false),
            ("http://127.0.0.1:9871/cb/", false),
            ("http://127.0.0.1:9871/cb?x=1", false),
            ("http://127.0.0.1:9871/cb#", false),
            ("http://127.0.0.1:9871//cb", false),
            ("http://127.0.0.1:9871/./cb", false),
            ("http://127.0.0.1:9871/x/../cb", false),
            ("http://127.0.0.1:9871/%63b", false),
            ("HTTP://127.0.0.1:9871/cb", false),
            ("https://127.0.0.1:9871/cb", false),
            ("http://localhost:9871/cb", false),
            ("http://[::1]:9871/cb", false),
            ("http://127.0.0.1@evil.example/cb", false),
            ("http://127.0.0.1:9871@evil.example/cb", false),
            ("http://127.0.0.1.evil.example/cb", false),
            ("http://127.1:9871/cb", false),
            (" http://127.0.0.1:9871/cb", false),
            ("", false),
        ] {
            assert_eq!(fits(registered, asked), expected, "{asked}");
        }
        assert!(!fits("https://app.example/cb", "https://app.example:444/cb"));
        assert!(!fits("http://localhost:1/cb", "http://localhost:2/cb"));
        assert!(fits("http://[::1]/cb", "http://[::1]:8000/cb"));
    }

    #[test]
    fn registration() {
        for (uri, expected) in [
            ("https://app.example/cb", Ok(())),
            ("https://app.example/cb?tenant=1", Ok(())),
            ("http://127.0.0.1:9871/app/index.html", Ok(())),
            ("http://localhost/cb", Ok(())),
            ("jp.example.app:/cb", Ok(())),
            ("http://app.example/cb", Err(RedirectError::Scheme)),
            ("javascript:alert(1)", Err(RedirectError::Scheme)),
            ("app:/cb", Err(RedirectError::Scheme)),
            ("https://app.example/cb#x", Err(RedirectError::Part)),
            ("https://me@app.example/cb", Err(RedirectError::Part)),
            ("https://*.app.example/cb", Err(RedirectError::Part)),
            ("https://app.example/cb;x", Err(RedirectError::Part)),
            ("/cb", Err(RedirectError::Shape)),
        ] {
            assert_eq!(registrable(uri), expected, "{uri}");
        }
    }

    #[test]
    fn origins() {
        assert_eq!(origin("http://127.0.0.1:9871/cb").as_deref(), Some("http://127.0.0.1"));
        assert_eq!(origin("https://app.example/cb").as_deref(), Some("https://app.example"));
        assert_eq!(origin("jp.example.app:/cb"), None);
        assert_eq!(origin_key("http://127.0.0.1:4000"), "http://127.0.0.1");
        assert_eq!(origin_key("http://127.0.0.1.evil.example"), "http://127.0.0.1.evil.example");
        assert_eq!(policy_source("http://127.0.0.1:9871/cb").as_deref(), Some("http://127.0.0.1:9871"));
        assert_eq!(policy_source("http://[::1]:1/cb").as_deref(), Some("http:"));
        assert_eq!(policy_source("jp.example.app:/cb").as_deref(), Some("jp.example.app:"));
    }

    #[test]
    fn answers_keep_what_was_there() {
        assert_eq!(with_query("https://a/cb?x=1", &[("state", "a b&+")]), "https://a/cb?x=1&state=a%20b%26%2B");
    }
}
