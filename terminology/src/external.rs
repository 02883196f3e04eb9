//! Code systems that are a grammar, or small enough to be written down here.
//!
//! Source: RFC 6838 §4.2 (BCP 13); RFC 5646 §2.1 (BCP 47); ISO 4217

use techo_profiles::codes::Membership;

/// Whether `code` is one of a system that no definition lists.
pub(crate) fn decide(system: &str, code: &str) -> Membership {
    match system {
        // CapabilityStatement.format has these beside media types, with the same value set.
        "urn:ietf:bcp:13" if matches!(code, "json" | "xml" | "ttl") => Membership::Unknown,
        "urn:ietf:bcp:13" => told(is_media_type(code)),
        "urn:ietf:bcp:47" => denied_unless(is_language(code)),
        "urn:iso:std:iso:4217" => told(CURRENCIES.split_whitespace().any(|known| known == code)),
        "http://unitsofmeasure.org" => denied_unless(code.bytes().all(|byte| byte.is_ascii_graphic())),
        _ => Membership::Unknown,
    }
}

fn told(is_one: bool) -> Membership {
    if is_one { Membership::Yes } else { Membership::No }
}

/// The grammar can deny; whether the code is registered it cannot tell.
fn denied_unless(is_shaped: bool) -> Membership {
    if is_shaped { Membership::Unknown } else { Membership::No }
}

/// `text/plain; charset=utf-8`: what stands before the parameters decides.
fn is_media_type(code: &str) -> bool {
    let bare = code.split(';').next().unwrap_or_default().trim_end();
    let is_name = |name: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        name.len() <= 127 && name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.bytes().all(letter)
    };
    // Systems write `application/*` for "any of these", which is no type.
    bare.split_once('/').is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}

fn is_language(code: &str) -> bool {
    let mut parts = code.split('-');
    let first = parts.next().is_some_and(|part| matches!(part.len(), 2..=8) && letters(part));
    let is_grandfathered = code.starts_with("i-") || code.starts_with("x-");
    let rest = |part: &str| matches!(part.len(), 1..=8) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (first || is_grandfathered) && parts.all(rest)
}

fn letters(part: &str) -> bool {
    part.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// ISO 4217 lists A.1 as of 2026, and codes withdrawn since R4 listed them.
const CURRENCIES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD \
    BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD \
    FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW \
    KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO \
    NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP \
    STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAF XAG \
    XAU XBA XBB XBC XBD XCD XCG XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG ZWL";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grammars_decide_what_they_can() {
        use Membership::{No, Unknown, Yes};
        for (system, code, expected) in [
            ("urn:ietf:bcp:13", "application/fhir+json", Yes),
            ("urn:ietf:bcp:13", "text/plain; charset=utf-8", Yes),
            ("urn:ietf:bcp:13", "text", No),
            ("urn:ietf:bcp:13", "json", Unknown),
            ("urn:ietf:bcp:13", "image/*", No),
            ("urn:ietf:bcp:13", "a b/c", No),
            ("urn:ietf:bcp:13", "a/b/c", No),
            ("urn:iso:std:iso:4217", "JPY", Yes),
            ("urn:iso:std:iso:4217", "YEN", No),
            ("urn:iso:std:iso:4217", "jpy", No),
            ("urn:iso:std:iso:4217", "円", No),
            ("urn:ietf:bcp:47", "ja-JP", Unknown),
            ("urn:ietf:bcp:47", "日本語", No),
            ("http://unitsofmeasure.org", "mm[Hg]", Unknown),
            ("http://unitsofmeasure.org", "mm Hg", No),
            ("http://snomed.info/sct", "1", Unknown),
        ] {
            assert_eq!(decide(system, code), expected, "{system} {code}");
        }
    }
}
