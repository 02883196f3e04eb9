//! The CapabilityStatement, made from the tables: it claims what is routed, the
//! search parameters whose kinds are built, and nothing else.
//!
//! Source: FHIR R4 capabilitystatement.html

use techo_profiles::definitions::ParameterKind;
use techo_profiles::json;
use techo_profiles::{Definitions, json::Json};

use crate::config::Config;

/// The interactions of a resource type, as R4 names them.
pub const INTERACTIONS: &[&str] = &["read", "vread", "update", "delete", "history-instance", "create", "search-type"];

/// Types that are answered in part: `AuditEvent`s are rendered from the log.
pub const READ_ONLY: &[&str] = &["AuditEvent"];

/// The search parameters of AuditEvent.
const AUDIT_PARAMETERS: &[(&str, &str)] = &[("date", "date"), ("patient", "reference")];

/// What this server does.
pub fn statement(config: &Config, definitions: &Definitions) -> Json {
    let types = definitions.resource_types().iter().map(|kind| resource(definitions, kind));
    let base = &config.base_url;
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-22",
        "kind": "instance",
        "software": {"name": "Techo", "version": (env!("CARGO_PKG_VERSION"))},
        "implementation": {"description": "Techo", "url": (config.fhir_base())},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [{
            "mode": "server",
            "security": {
                "cors": true,
                "service": [{"coding": [{
                    "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
                    "code": "SMART-on-FHIR"
                }]}],
                "extension": [{
                    "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
                    "extension": [
                        {"url": "authorize", "valueUri": (format!("{base}/oauth/authorize"))},
                        {"url": "token", "valueUri": (format!("{base}/oauth/token"))},
                        {"url": "revoke", "valueUri": (format!("{base}/oauth/revoke"))},
                        {"url": "introspect", "valueUri": (format!("{base}/oauth/introspect"))}
                    ]
                }]
            },
            "resource": (Json::array(types)),
            "interaction": [{"code": "transaction"}, {"code": "batch"}],
            "operation": [{"name": "import", "definition": (format!("{base}/fhir/OperationDefinition/import"))}]
        }]
    })
}

fn resource(definitions: &Definitions, kind: &str) -> Json {
    let read_only = READ_ONLY.contains(&kind);
    let interactions = INTERACTIONS
        .iter()
        .filter(|code| !read_only || matches!(**code, "read" | "search-type"))
        .map(|code| json!({"code": (*code)}));
    let parameters: Vec<Json> = if read_only {
        AUDIT_PARAMETERS.iter().map(|(name, kind)| json!({"name": (*name), "type": (*kind)})).collect()
    } else {
        definitions
            .parameters(kind)
            .iter()
            .filter(|parameter| built(parameter.kind))
            .map(|parameter| {
                json!({
                    "name": (parameter.code.as_str()),
                    "definition": (parameter.url.as_str()),
                    "type": (parameter.kind.name())
                })
            })
            .collect()
    };
    let mut resource = json!({
        "type": kind,
        "interaction": (Json::array(interactions)),
        "versioning": "versioned",
        "readHistory": true,
        "updateCreate": (!read_only),
        "conditionalCreate": (!read_only),
        "conditionalRead": "not-match",
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "local"]
    });
    let includes: Vec<Json> = if read_only {
        Vec::new()
    } else {
        definitions
            .parameters(kind)
            .iter()
            .filter(|parameter| parameter.kind == ParameterKind::Reference)
            .map(|parameter| Json::from(format!("{kind}:{}", parameter.code)))
            .collect()
    };
    if !includes.is_empty() {
        resource.set("searchInclude", Json::from(includes));
    }
    if !parameters.is_empty() {
        resource.set("searchParam", Json::from(parameters));
    }
    resource
}

fn built(kind: ParameterKind) -> bool {
    !matches!(kind, ParameterKind::Composite | ParameterKind::Special)
}
