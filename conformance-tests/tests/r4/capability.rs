//! The CapabilityStatement, and what is asked without a token.
//!
//! Source: FHIR R4 http.html#capabilities, capabilitystatement.html

use serde_json::Value;

use crate::check::{Check, Who, ask, get, ok, post, refused, row};

pub fn seed() -> Vec<Value> {
    Vec::new()
}

pub fn checks() -> Vec<Check> {
    let open = || get("metadata").by(Who::Nobody);
    vec![
        row(
            "it is open",
            open(),
            ok().at("/resourceType", "CapabilityStatement").header_holds("Content-Type", "application/fhir+json"),
        ),
        row(
            "what it must say",
            open(),
            ok().at("/fhirVersion", "4.0.1")
                .at("/kind", "instance")
                .at("/status", "active")
                .present("/date")
                .present("/format/0"),
        ),
        row(
            "what it is",
            open(),
            ok().present("/software/name").present("/software/version").at("/implementation/url", "{base}"),
        ),
        row("it is a server's", open(), ok().at("/rest/0/mode", "server").present("/rest/0/resource/0/type")),
        row("146 types", open(), ok().length("/rest/0/resource", 146)),
        row(
            "how to sign in",
            open(),
            ok().at("/rest/0/security/service/0/coding/0/code", "SMART-on-FHIR").at("/rest/0/security/cors", true),
        ),
        row("with a token it is the same", get("metadata"), ok().at("/resourceType", "CapabilityStatement")),
        row("a forged token is no matter", get("metadata").by(Who::Forger), ok()),
        row(
            "HEAD",
            ask("HEAD", "metadata").by(Who::Nobody),
            ok().empty().header_holds("Content-Type", "application/fhir+json"),
        ),
        row("_format=json", get("metadata?_format=json").by(Who::Nobody), ok()),
        row("Accept: */*", open().with("Accept", "*/*"), ok()),
        row("Accept: application/json", open().with("Accept", "application/json"), ok()),
        row("Accept: an image", open().with("Accept", "image/png"), refused(406, "not-supported")),
        row("_format of an image", get("metadata?_format=image/png").by(Who::Nobody), refused(406, "not-supported")),
        row(
            "a write to it",
            post("metadata", &serde_json::json!({})),
            refused(405, "not-supported").header_holds("Allow", "GET"),
        ),
        row("a deletion of it", ask("DELETE", "metadata"), refused(405, "not-supported")),
        row(
            "OPTIONS",
            ask("OPTIONS", "metadata").by(Who::Nobody),
            crate::check::any(&[200, 204]).header_holds("Allow", "GET"),
        ),
        row(
            "SMART's own document",
            get(".well-known/smart-configuration").by(Who::Nobody),
            ok().present("/token_endpoint").present("/authorization_endpoint"),
        ),
        row(
            "from a page of another origin",
            open().with("Origin", "https://app.example"),
            ok().header("Access-Control-Allow-Origin", "*"),
        ),
    ]
}
