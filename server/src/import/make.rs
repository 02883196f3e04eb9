//! The resources that every import makes beside its drafts: the Patient of a
//! resident key that nobody is bound to, the original file, the Provenance.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use techo_profiles::json;
use techo_profiles::json::Json;

use super::draft::{LOCAL_BASE, Person, SUBJECT, reference_to};
use super::{Part, person};

/// The identifier system of a town's resident keys.
///
/// * `municipality`: 5 digits.
pub fn resident_system(municipality: &str) -> String {
    format!("{LOCAL_BASE}/Id/municipality/{municipality}/resident")
}

/// A Patient of a town, from what its file says of her.
pub fn patient(source: &Person, system: &str, number: &str) -> Json {
    let mut names = Vec::new();
    if let Some(text) = &source.name {
        names.push(name(text, "IDE"));
    }
    if let Some(text) = &source.kana {
        names.push(name(text, "SYL"));
    }
    let mut patient = json!({
        "resourceType": "Patient",
        "identifier": [{"system": system, "value": number}],
        "active": true
    });
    if !names.is_empty() {
        patient.set("name", Json::from(names));
    }
    patient
        .with_some("gender", source.sex.map(super::draft::Sex::code))
        .with_some("birthDate", source.birth_date.as_deref())
}

/// A name in one script (`identifiers.md` §4).
///
/// * `script`: `IDE` kanji, `SYL` kana.
pub fn name(text: &str, script: &str) -> Json {
    let (family, given, whole) = person::split_name(text);
    json!({
        "extension": [{
            "url": "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation",
            "valueCode": script
        }],
        "use": "official",
        "text": whole
    })
    .with_some("family", family)
    .with_some("given", given.map(|given| Json::array([Json::from(given)])))
}

/// The original file of one citizen.
pub fn binary(bytes: &[u8]) -> Json {
    json!({
        "resourceType": "Binary",
        "contentType": "application/octet-stream",
        "securityContext": {"reference": SUBJECT},
        "data": (STANDARD.encode(bytes))
    })
}

/// Says what that file is, and where.
///
/// * `hash`: SHA-256, hexadecimal; `binary`: the draft key of the Binary.
pub fn document(format: &str, part: &Part<'_>, hash: &str, binary: &str) -> Json {
    let attachment = json!({
        "contentType": "application/octet-stream",
        "url": (reference_to(binary)),
        "size": (part.bytes.len())
    })
    .with_some("title", part.name);
    json!({
        "resourceType": "DocumentReference",
        "identifier": [{"system": (format!("{LOCAL_BASE}/Id/import-file")), "value": hash}],
        "status": "current",
        "type": {"coding": [{"system": (format!("{LOCAL_BASE}/CodeSystem/import-format")), "code": format}]},
        "subject": {"reference": SUBJECT},
        "content": [{"attachment": (attachment)}]
    })
}

/// Who brought what, from which file.
///
/// * `targets`: `[type]/[id]` of all that changed; `hashes`: of the files.
pub fn provenance(
    targets: &[String],
    at: Timestamp,
    organization: &str,
    device: &str,
    format: &str,
    hashes: &[String],
) -> Json {
    let reference = |text: &String| json!({"reference": (text.as_str())});
    let entity = |hash: &String| {
        json!({
            "role": "source",
            "what": {
                "identifier": {"system": (format!("{LOCAL_BASE}/Id/import-file")), "value": (hash.as_str())},
                "display": format
            }
        })
    };
    json!({
        "resourceType": "Provenance",
        "target": (Json::array(targets.iter().map(reference))),
        "recorded": (format!("{at:.3}")),
        "activity": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-DataOperation", "code": "CREATE"}]
        },
        "agent": [
            {
                "type": {"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                    "code": "author"
                }]},
                "who": {"reference": organization}
            },
            {
                "type": {"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/provenance-participant-type",
                    "code": "transmitter"
                }]},
                "who": {"identifier": {"system": (format!("{LOCAL_BASE}/Id/client")), "value": device}}
            }
        ],
        "entity": (Json::array(hashes.iter().map(entity)))
    })
}
