//! The texts of a narrative: what stands between the tags of its `div`.
//!
//! An element within a line (`b`, `span`, …) does not cut a word in two; any other
//! begins a new text. The markup was validated; what is not markup after all is
//! read as text.

use techo_profiles::xml::referred;

/// The texts of a `div`, in order.
pub(super) fn texts(div: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut text = String::new();
    let mut rest = div;
    while let Some((before, after)) = rest.split_once('<') {
        plain(before, &mut text);
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            continue;
        }
        let end = |sign: char| !(sign.is_ascii_alphanumeric());
        let name = after.strip_prefix('/').unwrap_or(after);
        let name = &name[..name.find(end).unwrap_or(name.len())];
        if !INLINE.contains(&name) {
            texts.push(std::mem::take(&mut text));
        }
        rest = behind(after);
    }
    plain(rest, &mut text);
    texts.push(text);
    texts.retain(|text| !text.trim().is_empty());
    texts
}

/// What follows the tag; a `>` in an attribute's quotes does not end it.
fn behind(tag: &str) -> &str {
    let mut quote = None;
    for (at, sign) in tag.char_indices() {
        match (quote, sign) {
            (None, '>') => return &tag[at + 1..],
            (None, '"' | '\'') => quote = Some(sign),
            (Some(open), sign) if sign == open => quote = None,
            _ => {}
        }
    }
    ""
}

/// Adds text with the characters that its references stand for.
fn plain(raw: &str, text: &mut String) {
    let mut parts = raw.split('&');
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        match part.split_once(';').and_then(|(name, rest)| Some((referred(name)?, rest))) {
            Some((sign, rest)) => {
                text.push(sign);
                text.push_str(rest);
            }
            None => {
                text.push('&');
                text.push_str(part);
            }
        }
    }
}

/// Elements of a line.
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "b", "big", "cite", "code", "dfn", "em", "i", "img", "kbd", "q", "samp", "small", "span",
    "strong", "sub", "sup", "tt", "var",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_end_where_lines_do() {
        for (div, expected) in [
            ("<div>花<b>粉</b>症</div>", vec!["花粉症"]),
            ("<div><p>one</p><p>two<br/>three</p></div>", vec!["one", "two", "three"]),
            ("<div title=\"a>b\">x</div>", vec!["x"]),
            ("<div>a &lt;b&gt; &#x82b1;&#31881; &amp;amp;</div>", vec!["a <b> 花粉 &amp;"]),
            ("<div><!-- <p>hidden</p> -->seen</div>", vec!["seen"]),
            ("<div> <br/> </div>", vec![]),
            ("a & b; &none; c", vec!["a & b; &none; c"]),
            ("<div", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(texts(div), expected, "{div}");
        }
    }
}
