//! This server's own base URL in what others write.

use unicode_normalization::UnicodeNormalization;

/// What of a reference comes after this server's own base, however that is spelled: the
/// case of scheme and host does not count, nor a slash too many (RFC 3986 §6.2.2.1). A
/// relative reference is itself; `None` for one that leads elsewhere.
pub fn below<'a>(reference: &'a str, base: &str) -> Option<&'a str> {
    if !reference.contains(':') {
        return Some(reference);
    }
    let host = base.find("://").map_or(0, |at| at + 3);
    let path = base[host..].find('/').map_or(base.len(), |at| host + at);
    let (own, rest) = reference.split_at_checked(path)?;
    if !own.eq_ignore_ascii_case(&base[..path]) {
        return None;
    }
    let mut rest = rest;
    for name in base[path..].split('/').filter(|name| !name.is_empty()) {
        rest = rest.trim_start_matches('/').strip_prefix(name)?;
    }
    rest.starts_with('/').then(|| rest.trim_start_matches('/'))
}

/// Whether a reference that leads to no resource here leads nowhere at all: it was meant for
/// this server ([`astray`]), or is one within a Bundle (`urn:uuid:…`). Outside of that it may
/// be meant for the record here that has this id; whether there is one is not asked, or who
/// writes such a reference would learn it.
pub fn leads_nowhere(reference: &str, base: &str) -> bool {
    plain(reference).starts_with("urn:uuid:") || astray(reference, base)
}

/// Whether a reference that leads to no resource was meant for this server: it is
/// relative, or below the base by either of HTTP's schemes, in whatever spelling a browser
/// or a proxy takes for it. One to a part of the same resource (`#a`) leads there.
pub fn astray(reference: &str, base: &str) -> bool {
    let reference = &reference.replace(BREAKS, "");
    let is_scheme = |text: &str| text.bytes().all(|sign| sign.is_ascii_alphanumeric() || b"+-.".contains(&sign));
    if reference.split_once(':').is_none_or(|(scheme, _)| !is_scheme(scheme)) {
        return !reference.starts_with('#');
    }
    let (Some(at), Some(own)) = (Address::of(reference), Address::of(base)) else { return false };
    at.host == own.host
        && (at.port == own.port || at.is_default() && own.is_default())
        && at.path.starts_with(&own.path)
}

/// Where a web address leads, however it is spelled: without user, in lower case, with
/// nothing escaped, and without empty and dotted parts of the path.
struct Address {
    host: String,
    port: Option<u16>,
    path: Vec<String>,
}

impl Address {
    /// `None` for what is no web address.
    fn of(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let usual = if scheme.eq_ignore_ascii_case("https") {
            HTTPS
        } else if scheme.eq_ignore_ascii_case("http") {
            HTTP
        } else {
            return None;
        };
        let rest = rest.trim_start_matches(SLASHES);
        let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let (host, port) = with_port(authority.rsplit('@').next()?);
        let mut path: Vec<String> = Vec::new();
        for part in plain(rest.split(['?', '#']).next()?).split(SLASHES) {
            match part {
                "" | "." => {}
                ".." => drop(path.pop()),
                part => path.push(part.to_owned()),
            }
        }
        let host = folded(&plain(host));
        let port = if port.is_empty() { Some(usual) } else { port.parse().ok() };
        Some(Self { host: host.strip_suffix('.').unwrap_or(&host).to_owned(), port, path })
    }

    /// Who spells one scheme for the other spells no port for the other's.
    fn is_default(&self) -> bool {
        matches!(self.port, Some(HTTP | HTTPS))
    }
}

/// Host and port; of `[::1]` the colons are its own.
fn with_port(authority: &str) -> (&str, &str) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, ""),
    }
}

/// In lower case, and with what is escaped (`%66`) as what it stands for.
fn plain(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut found, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let escaped = bytes.get(at + 1..at + 3).filter(|_| byte == b'%');
        let escaped = escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        found.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&found).replace(BREAKS, "").to_lowercase()
}

/// A host as the network is asked for it: letters of full width are those of half, other full
/// stops are one, and what is not seen is not there.
fn folded(host: &str) -> String {
    let unseen = ['\u{ad}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}'];
    host.replace(['。', '｡'], ".").replace(unseen, "").nfkc().collect::<String>().to_lowercase()
}

/// What browsers take out of an address.
const BREAKS: [char; 3] = ['\t', '\n', '\r'];

const SLASHES: [char; 2] = ['/', '\\'];
const HTTP: u16 = 80;
const HTTPS: u16 = 443;

#[cfg(test)]
mod tests {
    use super::{astray, below};

    #[test]
    fn a_reference_that_leads_nowhere_here_is_told_from_one_that_leads_elsewhere() {
        for (reference, expected) in [
            ("Patient/a/", true),
            ("patient/a", true),
            ("Patient?identifier=urn:x|1", true),
            ("//own.example/fhir/Patient/a", true),
            ("http://own.example/fhir/Patient/a", true),
            ("HTTPS://own.example/fhir/Patient/a|1", true),
            ("https://own.example/fhir/Patient/a?x=y", true),
            ("https://x@own.example/fhir/Patient/a", true),
            ("https://x:y@z@own.example/fhir/Patient/a", true),
            ("https://own.example:443/fhir/Patient/a", true),
            ("https://own.example:0443/fhir/Patient/a", true),
            ("https://own.example:/fhir/Patient/a", true),
            ("http://own.example:80/fhir/Patient/a", true),
            ("http://own.example:443/fhir/Patient/a", true),
            ("https://own.example/FHIR/Patient/a", true),
            ("https://own.example/%66hir/Patient/a", true),
            ("https://own.example/fhir%2FPatient/a", true),
            ("https://o%57n.example./fhir/Patient/a", true),
            ("https://own.example/x/.././fhir/Patient/a", true),
            ("https:own.example/fhir/Patient/a", true),
            ("https:///own.example/fhir/Patient/a", true),
            ("https:\\\\own.example\\fhir\\Patient\\a", true),
            ("https://own.exa\tmple/fh\nir/Patient/a", true),
            ("ht\ttps://own.example/fhir/Patient/a", true),
            ("https://ｏwn。exam\u{ad}ple/fhir/Patient/a", true),
            ("#p", false),
            ("urn:uuid:1", false),
            ("https://other.example/fhir/Patient/a/", false),
            ("ftp://own.example/fhir/Patient/a", false),
            ("https://own.example:8443/fhir/Patient/a", false),
            ("https://own.example:99999/fhir/Patient/a", false),
            ("https://own.example/other/Patient/a", false),
            ("https://own.example/fhir/../other/Patient/a", false),
            ("https://own.example@other.example/fhir/Patient/a", false),
            ("https://other.example/?x=https://own.example/fhir/Patient/a", false),
            ("https://own.example/%", false),
            ("https:", false),
        ] {
            assert_eq!(astray(reference, "https://own.example/fhir"), expected, "{reference}");
        }
        for (reference, expected) in [
            ("http://x@[::1]:8080/fhir/Patient/a", true),
            ("https://[::1]:8080/fhir/Patient/a", true),
            ("http://[::1]/fhir/Patient/a", false),
            ("http://[::2]:8080/fhir/Patient/a", false),
        ] {
            assert_eq!(astray(reference, "http://[::1]:8080/fhir"), expected, "{reference}");
        }
    }

    #[test]
    fn a_reference_is_ours_however_its_base_is_spelled() {
        for (reference, expected) in [
            ("Patient/a", Some("Patient/a")),
            ("https://own.example/fhir/Patient/a", Some("Patient/a")),
            ("HTTPS://Own.EXAMPLE/fhir/Patient/a#x", Some("Patient/a#x")),
            ("https://own.example//fhir///Patient/a", Some("Patient/a")),
            ("https://own.example/fhir/", Some("")),
            ("https://own.example/fhir", None),
            ("https://own.example/fhirPatient/a", None),
            ("https://own.example/FHIR/Patient/a", None),
            ("http://own.example/fhir/Patient/a", None),
            ("https://own.example.org/fhir/Patient/a", None),
            ("https://own.exampl山", None),
            ("urn:uuid:1", None),
            ("Patient?identifier=urn:x|1", None),
        ] {
            assert_eq!(below(reference, "https://own.example/fhir"), expected, "{reference}");
        }
        assert_eq!(below("http://own.example/Patient/a", "http://own.example"), Some("Patient/a"));
    }
}
