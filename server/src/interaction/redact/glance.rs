//! Whether anything could be taken out of a resource, told from its text in one pass:
//! nearly every resource is served as it is stored, and none of them is taken apart for this.

use memchr::memchr2;

use super::{BESIDE, BESIDE_NAMES, CLAIM, NAMES};

/// Whether a reference says who it leads to, or a narrative stands beside a reference.
/// Never `false` where that is so, however it is spelled.
pub(super) fn may_lose(json: &[u8]) -> bool {
    // One for each object and array around the place.
    let mut open: Vec<Has> = Vec::with_capacity(16);
    let (mut narrative, mut refers) = (false, false);
    let mut at = 0;
    while let Some(&sign) = json.get(at) {
        at += 1;
        match sign {
            b'{' | b'[' => open.push(Has::default()),
            b'}' | b']' if open.pop().is_some_and(|has| has.reference && has.name) => return true,
            b'"' => {
                let Some(text) = text(&json[at..]) else { return true };
                at += text.bytes.len() + 1;
                if !is_key(&json[at..]) {
                    continue;
                }
                if text.escaped {
                    return true;
                }
                let Some(has) = open.last_mut() else { return true };
                match text.bytes {
                    b"div" => narrative = true,
                    b"reference" => {
                        refers = true;
                        has.reference = true;
                    }
                    name if name == BESIDE.as_bytes() => has.reference = true,
                    name if name == CLAIM.as_bytes() => has.name = true,
                    name if NAMES.iter().chain(BESIDE_NAMES).any(|one| one.as_bytes() == name) => has.name = true,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    narrative && refers
}

/// What stands in one object.
#[derive(Default)]
struct Has {
    /// Where it leads, or a reference with names beside it.
    reference: bool,
    name: bool,
}

struct Text<'j> {
    bytes: &'j [u8],
    /// It is spelled with a backslash.
    escaped: bool,
}

/// A string from after its opening quote; `None` if it does not end.
fn text(json: &[u8]) -> Option<Text<'_>> {
    let (mut at, mut escaped) = (0, false);
    loop {
        at += memchr2(b'"', b'\\', json.get(at..)?)?;
        if json[at] == b'"' {
            return Some(Text { bytes: &json[..at], escaped });
        }
        escaped = true;
        at += 2;
    }
}

fn is_key(after: &[u8]) -> bool {
    after.iter().find(|sign| !sign.is_ascii_whitespace()) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::may_lose;

    #[test]
    fn what_may_lose_something_is_seen_in_the_text() {
        for (text, may) in [
            (r#"{"subject":{"reference":"Patient/a"},"code":{"coding":[{"display":"x"}]}}"#, false),
            (r#"{"subject":{"reference":"Patient/a","display":"x"}}"#, true),
            (r#"{"subject":{"display":"x","type":"Patient","reference":"Patient/a"}}"#, true),
            (r#"{"subject":{"reference":"Patient/a","_display":{"extension":[]}}}"#, true),
            ("{\"subject\":{\"identifier\" \n:\t{\"value\":\"1\"},\"reference\" : \"Patient/a\"}}", true),
            (r#"{"identifier":[{"value":"1"}],"subject":{"reference":"Patient/a"}}"#, false),
            (r#"{"identifier":[{"value":"1"}],"subject":{"display":"x"}}"#, false),
            (r#"{"subject":{"identifier":{"assigner":{"reference":"Organization/a"}}}}"#, false),
            (r#"{"performer":[{"reference":"Patient/a"},{"display":"x"}]}"#, false),
            (r#"{"a":{"reference":{"b":[{"c":1}]},"display":"x"}}"#, true),
            (r#"{"text":{"div":"<div>x</div>"},"subject":{"reference":"Patient/a"}}"#, true),
            (r#"{"text":{"div":"<div a=\"\\\">x</div>"},"note":"reference"}"#, false),
            (r#"{"note":"say \"reference\": \"x\", \"display\": {","id":"a\\"}"#, false),
            (r#"{"subject":{"reference":"Patient/a","d\u0069splay":"x"}}"#, true),
            (r#"{"subject":{"reference":"Patient/\u0061","type":"Patient"}}"#, false),
            (r#"{"note":"display","other":"reference"}"#, false),
            (r#"{"related":[{"identifier":{"value":"1"},"ref":{"reference":"Patient/a"}}]}"#, true),
            (r#"{"related":[{"ref" : {"reference":"Patient/a"},"identifier":{"value":"1"}}]}"#, true),
            (r#"{"related":[{"ref":{"reference":"Patient/a"}},{"identifier":{"value":"1"}}]}"#, false),
            (r#"{"related":[{"claim":{"reference":"Claim/a"},"reference":{"value":"1"}}]}"#, true),
            (r#"{"related":[{"claim":{"reference":"Claim/a"}}]}"#, false),
            (r#"{"resource":[{"reference":{"reference":"Patient/a"},"name":"x"}]}"#, true),
            (r#"{"name":"x","resource":[{"reference":{"reference":"Patient/a"}}]}"#, false),
            (r##"{"subject":{"reference":"#a","display":"x"}}"##, true),
            (r#"{"broken"#, true),
        ] {
            assert_eq!(may_lose(text.as_bytes()), may, "{text}");
        }
    }
}
