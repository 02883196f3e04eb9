//! Two answers, byte for byte, but for what may differ between any two.

use crate::http::Response;

/// Headers that tell one answer of the same server from the next.
const VOLATILE: [&str; 3] = ["date", "x-request-id", "x-correlation-id"];

/// Status, headers and body as one text; `name` stands for itself no longer, so
/// that answers about different ids can be compared, and sealed page links,
/// which carry a random nonce, lose their seal.
pub fn fingerprint(answer: &Response, name: &str) -> String {
    let mut text = format!("{}\n", answer.status);
    for (key, value) in &answer.headers {
        if !VOLATILE.contains(&key.to_lowercase().as_str()) && !key.eq_ignore_ascii_case("content-length") {
            text += &format!("{}: {value}\n", key.to_lowercase());
        }
    }
    text = text + "\n" + &unseal(&answer.text());
    if name.is_empty() { text } else { text.replace(name, "THE-ID") }
}

/// A searchset's own id and time are chosen anew for each answer, and so is the
/// seal of its links to pages.
fn unseal(body: &str) -> String {
    let Ok(mut json) = serde_json::from_str::<serde_json::Value>(body) else { return body.to_owned() };
    if json["resourceType"] != "Bundle" {
        return body.to_owned();
    }
    for name in ["id", "meta", "timestamp"] {
        json.as_object_mut().map(|bundle| bundle.remove(name));
    }
    for link in json["link"].as_array_mut().into_iter().flatten() {
        let sealed = link["url"].as_str().is_some_and(|url| url.contains("_page="));
        if link["relation"] != "self" || sealed {
            link["url"] = serde_json::json!("sealed");
        }
    }
    json.to_string()
}
