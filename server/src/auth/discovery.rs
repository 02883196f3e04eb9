//! What the authorization server says of itself. Only what is built stands here.
//!
//! Source: SMART App Launch 2.2 §Conformance; OpenID Connect Discovery 1.0; RFC 8414

use serde_json::{Value, json};

use super::assertion::ALGORITHMS;
use super::grant::GRANTS;
use super::server::AuthorizationServer;

/// Path below the origin of each endpoint.
pub const ENDPOINTS: [&str; 5] = ["authorize", "token", "introspect", "revoke", "jwks"];

const CAPABILITIES: &[&str] = &[
    "launch-standalone",
    "authorize-post",
    "client-public",
    "client-confidential-symmetric",
    "client-confidential-asymmetric",
    "sso-openid-connect",
    "context-standalone-patient",
    "permission-offline",
    "permission-online",
    "permission-patient",
    "permission-user",
    "permission-v1",
    "permission-v2",
];

const SCOPES: &[&str] = &[
    "openid",
    "fhirUser",
    "launch/patient",
    "offline_access",
    "online_access",
    "patient/*.cruds",
    "patient/*.rs",
    "patient/*.read",
    "patient/*.write",
    "patient/*.*",
    "user/*.cruds",
    "user/*.rs",
    "user/*.read",
    "user/*.write",
    "user/*.*",
    "system/*.cruds",
    "system/*.rs",
    "system/*.read",
    "system/*.write",
    "system/*.*",
];

/// How clients prove themselves.
const METHODS: [&str; 3] = ["none", "client_secret_basic", "private_key_jwt"];

/// `BASE/.well-known/smart-configuration`
pub fn smart(server: &AuthorizationServer) -> Value {
    let mut document = common(server);
    document["capabilities"] = json!(CAPABILITIES);
    document
}

/// `BASE/.well-known/openid-configuration`
pub fn openid(server: &AuthorizationServer) -> Value {
    let mut document = common(server);
    document["subject_types_supported"] = json!(["public"]);
    document["id_token_signing_alg_values_supported"] = json!(["RS256"]);
    document["claims_supported"] = json!(["iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "fhirUser"]);
    document["claims_parameter_supported"] = json!(false);
    document["request_parameter_supported"] = json!(false);
    document["request_uri_parameter_supported"] = json!(false);
    document["ui_locales_supported"] = json!(["ja", "en"]);
    document
}

/// The JWK set of the issuer.
pub fn jwks(server: &AuthorizationServer) -> Value {
    json!({ "keys": server.keys.public() })
}

fn common(server: &AuthorizationServer) -> Value {
    let config = &server.config;
    let grants: Vec<&str> = GRANTS.iter().map(|grant| grant.name).collect();
    let algorithms: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
    json!({
        "issuer": config.base(),
        "jwks_uri": config.endpoint("jwks"),
        "authorization_endpoint": config.endpoint("authorize"),
        "token_endpoint": config.endpoint("token"),
        "introspection_endpoint": config.endpoint("introspect"),
        "revocation_endpoint": config.endpoint("revoke"),
        "management_endpoint": format!("{}{}", config.origin, config.management),
        "grant_types_supported": grants,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": SCOPES,
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "authorization_response_iss_parameter_supported": true,
    })
}
