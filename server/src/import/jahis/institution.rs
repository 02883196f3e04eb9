//! Records 11 and 51 → `Organization`, contained in what they dispensed or prescribed.
//!
//! They are contained, not shared: a pharmacy's entry in the directory is the
//! pharmacy's to write, and one made from a citizen's notebook would tell
//! others where she goes.

use techo_profiles::json;
use techo_profiles::json::Json;

use super::account::{Account, fault};
use super::code::institution_checks;
use super::concept::with_list;
use super::record::Record;

/// What an institution is called by, for keys: its ten digits, or its name.
pub(super) fn key(record: &Record) -> String {
    let number = Number::of(record);
    number.ten().or_else(|| record.get("name").map(str::to_owned)).unwrap_or_default()
}

/// The organization under this contained id.
pub(super) fn organization(record: &Record, id: &str, account: &mut Account) -> Option<Json> {
    let number = Number::of(record);
    if number.doubtful(record) {
        account.tell(&fault::INSTITUTION_NUMBER, record.at);
    }
    let name = record.get("name");
    // org-1: a name or an identifier.
    if name.is_none() && number.ten().is_none() {
        return None;
    }
    let organization = json!({"resourceType": "Organization", "id": id});
    let organization = with_list(organization, "extension", number.extensions());
    let identifier = number.ten().map(|ten| vec![json!({"system": INSTITUTION, "value": ten})]);
    let organization = organization.with_some("identifier", identifier).with_some("name", name);
    if record.number() != 11 {
        return Some(organization);
    }
    let telephone = record.get("telephone").map(|text| vec![json!({"system": "phone", "value": text})]);
    let address = record.get("address").map(|text| json!({"text": text}));
    let address = match record.get("zip").and_then(postal_code) {
        Some(code) => Some(address.unwrap_or_else(|| json!({})).with("postalCode", code)),
        None => address,
    };
    let address = address.map(|address| vec![address.with("country", "JP")]);
    Some(organization.with_some("telecom", telephone).with_some("address", address))
}

/// `NNN-NNNN` of seven digits with or without a hyphen.
fn postal_code(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|letter| *letter != '-').collect();
    let fits = digits.len() == 7 && digits.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| format!("{}-{}", &digits[..3], &digits[3..]))
}

/// Prefecture, fee table and code, each only if it can be one.
struct Number<'a> {
    prefecture: Option<&'a str>,
    table: Option<&'a str>,
    code: Option<&'a str>,
}

impl<'a> Number<'a> {
    fn of(record: &'a Record) -> Self {
        let digits = |key, length| {
            record.get(key).filter(|text| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let prefecture = digits("prefecture", 2).filter(|text| ("01"..="47").contains(text));
        Self { prefecture, table: digits("table", 1), code: digits("code", 7) }
    }

    /// The ten digits, where all three parts are there: nothing is padded.
    fn ten(&self) -> Option<String> {
        Some(format!("{}{}{}", self.prefecture?, self.table?, self.code?))
    }

    fn doubtful(&self, record: &Record) -> bool {
        let lost = (record.get("prefecture").is_some() && self.prefecture.is_none())
            || (record.get("code").is_some() && self.code.is_none());
        lost || self.code.is_some_and(|code| !institution_checks(code)) || (self.code.is_some() && self.ten().is_none())
    }

    /// JP Core's extensions, one for each part.
    fn extensions(&self) -> Vec<Json> {
        let coded = |name: &str, system: &str, code: &str| json!({"url": (format!("{EXTENSION}/{name}")), "valueCoding": {"system": system, "code": code}});
        let numbered = |value: &str| {
            let url = format!("{EXTENSION}/JP_Organization_InsuranceOrganizationNo");
            json!({"url": url, "valueIdentifier": {"system": ORGANIZATION_NUMBER, "value": value}})
        };
        [
            self.prefecture.map(|code| coded("JP_Organization_PrefectureNo", PREFECTURE, code)),
            self.table.map(|code| coded("JP_Organization_InsuranceOrganizationCategory", FEE_TABLE, code)),
            self.code.map(numbered),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

const EXTENSION: &str = "http://jpfhir.jp/fhir/core/Extension/StructureDefinition";
const INSTITUTION: &str = "http://jpfhir.jp/fhir/core/IdSystem/insurance-medical-institution-no";
const ORGANIZATION_NUMBER: &str = "http://jpfhir.jp/fhir/core/mhlw/IdSystem/MedicalOrganizationID";
const PREFECTURE: &str = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/PrefectureNo-2digits";
const FEE_TABLE: &str = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/MedicationFeeScoreType";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postal_codes() {
        for (text, expected) in
            [("100-0000", Some("100-0000")), ("1000000", Some("100-0000")), ("100000", None), ("〒1000000", None)]
        {
            assert_eq!(postal_code(text).as_deref(), expected, "{text}");
        }
    }
}
