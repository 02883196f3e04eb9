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

#[cfg(test)]
mod tests {
    use super::below;

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
