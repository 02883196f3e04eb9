//! Canonical URLs: how an index keeps them, and where their targets are found.
//!
//! `http://x/Q|2.0#part` names the resource whose `url` is `http://x/Q` and whose
//! `version` is `2.0`; without a version, whatever version is there. The part is the
//! reader's matter: it leads to the same resource. So an index has a row for what is
//! written, one without the part, and one without the version.
//!
//! A reference parameter leads on in several [`Ways`]; its definition says which.
//!
//! Source: FHIR R4 references.html#canonical

use super::catalog::{Catalog, Parameter};
use super::fold::bounded;
use super::row::ParamKey;

/// In which ways a reference index leads to resources of one type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// By type and id.
    pub place: bool,
    /// By canonical URLs.
    pub address: Option<Address>,
    /// By `#id`, to what the same record contains.
    pub within: bool,
}

/// Where the canonical URLs of a type and their versions are indexed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The index of `url`.
    pub url: ParamKey,
    /// The index of the versions as they are written, where R4 has a `version`.
    pub version: Option<ParamKey>,
}

impl Ways {
    /// The ways by which a parameter leads to this type.
    pub(super) fn of(catalog: &Catalog, parameter: &Parameter, kind: u16) -> Self {
        let place = parameter.leads_to(kind);
        let address = if parameter.addresses(kind) { Address::of(catalog, kind) } else { None };
        Self { place, address, within: true }
    }
}

impl Address {
    fn of(catalog: &Catalog, kind: u16) -> Option<Self> {
        let index = catalog.of_type(catalog.definitions().type_name(kind)?)?;
        let key = |code| index.parameter(code).map(|parameter| parameter.key.clone());
        Some(Self { url: key("url")?, version: key("version").map(|key| as_written(&key)) })
    }
}

/// The index of a `version` as it is written, beside that by which one is searched in
/// whatever case: a canonical URL means just that one.
pub(super) fn as_written(version: &ParamKey) -> ParamKey {
    format!("{version}:as-written").into()
}

/// A reference as an index keeps it: of a long URL and a long version each its beginning
/// and a hash, so that both can still be told apart, and be put together from the
/// target's own rows.
pub fn key(text: &str) -> Box<str> {
    match text.split_once('|') {
        Some((url, version)) => format!("{}|{}", bounded(url), bounded(version)).into(),
        None => bounded(text),
    }
}

/// A canonical URL taken apart: the URL, and the version if there is one.
pub fn taken_apart(address: &str) -> (&str, Option<&str>) {
    let whole = whole(address);
    whole.split_once('|').map_or((whole, None), |(url, version)| (url, Some(version)))
}

/// It without the part of the resource that it names. `#q` is a resource of its own.
pub(super) fn whole(address: &str) -> &str {
    match address.split_once('#') {
        Some((whole, _)) if !whole.is_empty() => whole,
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canonical_url_comes_apart() {
        for (address, parts) in [
            ("http://x/Q", ("http://x/Q", None)),
            ("http://x/Q|2.0", ("http://x/Q", Some("2.0"))),
            ("http://x/Q|2.0#part", ("http://x/Q", Some("2.0"))),
            ("http://x/Q#part", ("http://x/Q", None)),
            ("#q", ("#q", None)),
        ] {
            assert_eq!(taken_apart(address), parts, "{address}");
        }
    }

    #[test]
    fn a_long_one_is_put_together_from_its_parts() {
        let url = format!("http://x/{}", "a".repeat(600));
        assert_eq!(*key(&format!("{url}|2")), *format!("{}|2", bounded(&url)));
        assert_ne!(key(&format!("{url}|2")), key(&format!("{url}|3")));
        assert_eq!(&*key("http://x/Q|2"), "http://x/Q|2");
    }
}
