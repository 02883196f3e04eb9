//! Where something was done, and by which institution.
//!
//! A feed gives a name, at times an institution number. Every place becomes a
//! Location; one that is an institution becomes an Organization as well. Both
//! are found again by town, number and name: two names under one number are two
//! places, for a town's own hall is often filed under its clinic's number.
//!
//! Source: infant-checkups.md §5, immunizations.md §6, identifiers.md §2

use techo_profiles::json;
use techo_profiles::json::Json;
use unicode_normalization::UnicodeNormalization;

use super::draft::{Draft, LOCAL_BASE, Line, key, reference_to, source};

/// A place, ready to be referred to.
#[derive(Clone, Debug)]
pub struct Venue {
    /// Its name as received.
    pub name: String,
    location: Option<String>,
    organization: Option<String>,
}

/// An institution's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Number {
    /// Prefecture, fee table and code: ten digits.
    Ten(String),
    /// The code alone: seven digits.
    Seven(String),
}

impl Number {
    /// Reads seven or ten digits; nothing is padded.
    pub fn read(text: &str) -> Option<Self> {
        let plain: String = text.nfkc().filter(|letter| !letter.is_whitespace() && *letter != '-').collect();
        if !plain.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        match plain.len() {
            7 => Some(Self::Seven(plain)),
            10 if matches!(plain[..2].parse(), Ok(1..=47)) && matches!(&plain[2..3], "1" | "3" | "4" | "6") => {
                Some(Self::Ten(plain))
            }
            _ => None,
        }
    }

    fn digits(&self) -> &str {
        match self {
            Self::Ten(digits) | Self::Seven(digits) => digits,
        }
    }
}

impl Venue {
    /// A place of this name, and the drafts that make it. Nothing is made of
    /// what is not known.
    pub fn of(
        feed: &'static str,
        municipality: &str,
        name: Option<&str>,
        number: Option<&Number>,
        at: Line,
    ) -> (Self, Vec<Draft>) {
        let named = name.unwrap_or_default();
        let digits = number.map_or("", Number::digits);
        let value = key(&[municipality, digits, named]);
        let identity = |part: &str| {
            let value = key(&[municipality, digits, named, part]);
            json!([{"system": (format!("{LOCAL_BASE}/Id/municipal-place")), "value": value}])
        };
        let meta = json!({"source": (source(feed))});
        let mut drafts = Vec::new();
        let institution = number.is_some() || is_institution(named);
        let organization = institution.then(|| {
            let organization_key = key(&["municipal-organization", &value]);
            let resource = organization(meta.clone(), identity("organization"), name, number);
            drafts.push(Draft::put(organization_key.clone(), resource, at));
            organization_key
        });
        let location = name.map(|name| {
            let location_key = key(&["municipal-location", &value]);
            let resource = Json::object([
                ("resourceType", Json::from("Location")),
                ("meta", meta.clone()),
                ("identifier", identity("location")),
                ("name", Json::from(name)),
                ("mode", Json::from("instance")),
            ])
            .with_some("managingOrganization", organization.as_deref().map(refer));
            drafts.push(Draft::put(location_key.clone(), resource, at));
            location_key
        });
        (Self { name: named.to_owned(), location, organization }, drafts)
    }

    /// A reference to the place.
    pub fn location(&self) -> Option<Json> {
        self.location.as_deref().map(refer)
    }

    /// A reference to the institution.
    pub fn organization(&self) -> Option<Json> {
        self.organization.as_deref().map(refer)
    }
}

fn refer(key: &str) -> Json {
    Json::object([("reference", Json::from(reference_to(key)))])
}

fn organization(meta: Json, identifier: Json, name: Option<&str>, number: Option<&Number>) -> Json {
    let mut identifier = identifier;
    let mut extension = None;
    match number {
        Some(Number::Ten(digits)) => {
            identifier.push(json!({
                "system": "http://jpfhir.jp/fhir/core/IdSystem/insurance-medical-institution-no",
                "value": (digits.as_str())
            }));
        }
        Some(Number::Seven(digits)) => {
            extension = Some(json!([{
                "url": "http://jpfhir.jp/fhir/core/Extension/StructureDefinition/JP_Organization_InsuranceOrganizationNo",
                "valueIdentifier": {
                    "system": "http://jpfhir.jp/fhir/core/mhlw/IdSystem/MedicalOrganizationID",
                    "value": (digits.as_str())
                }
            }]));
        }
        None => {}
    }
    Json::object([("resourceType", Json::from("Organization")), ("meta", meta)])
        .with_some("extension", extension)
        .with("identifier", identifier)
        .with_some("name", name)
}

/// Whether a name is that of a medical institution. Halls and health centres are
/// places where a town sees children, not institutions of their own.
pub fn is_institution(name: &str) -> bool {
    const SIGNS: [&str; 9] =
        ["医院", "病院", "クリニック", "診療所", "医療センター", "小児科", "歯科", "産院", "助産所"];
    let plain: String = name.nfkc().collect();
    SIGNS.iter().any(|sign| plain.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn institutions_are_told_from_halls() {
        for (name, expected) in [
            ("見本小児科医院", true),
            ("見本整形外科医院", true),
            ("みほんｸﾘﾆｯｸ", true),
            ("架空市保健センター", false),
            ("架空市民会館", false),
        ] {
            assert_eq!(is_institution(name), expected, "{name}");
        }
    }

    #[test]
    fn institution_numbers_are_never_padded() {
        for (text, expected) in [
            ("1319999998", Some(Number::Ten("1319999998".into()))),
            ("１３１９９９９９９８", Some(Number::Ten("1319999998".into()))),
            ("9999998", Some(Number::Seven("9999998".into()))),
            ("4819999998", None),
            ("1359999998", None),
            ("131999999", None),
            ("abc", None),
        ] {
            assert_eq!(Number::read(text), expected, "{text}");
        }
    }

    #[test]
    fn one_number_two_names_are_two_places() {
        let number = Number::read("1319999998");
        let key = |name| {
            let (_, drafts) = Venue::of("feed", "13101", Some(name), number.as_ref(), Line::of(2));
            drafts.into_iter().map(|draft| draft.key).collect::<Vec<_>>()
        };
        assert_eq!(key("見本小児科医院").len(), 2);
        assert_ne!(key("見本小児科医院"), key("架空市保健センター"));
        assert_eq!(key("見本小児科医院"), key("見本小児科医院"));
    }
}
