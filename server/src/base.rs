//! This server's own base URL in what others write.

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

/// Whether a reference that leads to no resource was meant for this server: it is
/// relative, or below the base by either of HTTP's schemes. One to a part of the same
/// resource (`#a`) leads there.
pub fn astray(reference: &str, base: &str) -> bool {
    let is_scheme = |text: &str| text.bytes().all(|sign| sign.is_ascii_alphanumeric() || b"+-.".contains(&sign));
    let Some((scheme, rest)) = reference.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return !reference.starts_with('#');
    };
    let Some((own, _)) = base.split_once(':') else { return false };
    let web = ["http", "https"].iter().any(|one| scheme.eq_ignore_ascii_case(one));
    web && below(&format!("{own}:{rest}"), base).is_some()
}

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
            ("#p", false),
            ("urn:uuid:1", false),
            ("https://other.example/fhir/Patient/a/", false),
            ("ftp://own.example/fhir/Patient/a", false),
        ] {
            assert_eq!(astray(reference, "https://own.example/fhir"), expected, "{reference}");
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
