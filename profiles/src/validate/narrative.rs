//! Whether a narrative's `div` is the harmless XHTML that FHIR allows.
//!
//! A narrative is shown to people by many programs, so what could run, load or
//! send something is refused: only elements and attributes from FHIR's list pass.
//!
//! Source: FHIR R4 narrative.html, txt-1 and txt-2

use crate::xml::is_character;

/// What is wrong with a narrative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NarrativeError {
    /// It does not begin with `<div xmlns="http://www.w3.org/1999/xhtml">`.
    Root,
    /// Tags that do not match, or an unknown entity.
    Shape,
    /// An element that FHIR does not allow, such as `script`.
    Element,
    /// An attribute that FHIR does not allow, such as `onclick`.
    Attribute,
    /// Nothing to read in it.
    Empty,
}

/// Checks the text of a `div`.
pub(super) fn check(text: &str) -> Result<(), NarrativeError> {
    if !text.chars().all(is_character) {
        return Err(NarrativeError::Shape);
    }
    let mut reader = Reader { rest: text.trim(), open: Vec::new(), has_content: false };
    reader.root()?;
    while !reader.open.is_empty() {
        reader.step()?;
    }
    if !reader.rest.is_empty() {
        return Err(NarrativeError::Shape);
    }
    if reader.has_content { Ok(()) } else { Err(NarrativeError::Empty) }
}

/// A name, attributes with their values, and whether it closes itself.
type Tag<'a> = (&'a str, Vec<(&'a str, &'a str)>, bool);

struct Reader<'a> {
    rest: &'a str,
    open: Vec<&'a str>,
    has_content: bool,
}

impl<'a> Reader<'a> {
    fn root(&mut self) -> Result<(), NarrativeError> {
        self.rest = self.rest.strip_prefix('<').ok_or(NarrativeError::Root)?;
        let (name, attributes, is_closed) = self.tag()?;
        let namespace = attributes.iter().any(|&(name, value)| name == "xmlns" && value == XHTML);
        if name != "div" || !namespace {
            return Err(NarrativeError::Root);
        }
        if is_closed {
            return Err(NarrativeError::Empty);
        }
        allow(name, &attributes)
    }

    /// Reads text up to the next tag, and the tag.
    fn step(&mut self) -> Result<(), NarrativeError> {
        let (text, rest) = self.rest.split_once('<').ok_or(NarrativeError::Shape)?;
        self.has_content |= !text.trim().is_empty();
        references(text)?;
        if text.contains("]]>") {
            return Err(NarrativeError::Shape);
        }
        self.rest = rest;
        if let Some(rest) = rest.strip_prefix("!--") {
            // XML lets no other two hyphens into a comment than those that end it.
            let after = rest.split_once("--").and_then(|(_, after)| after.strip_prefix('>'));
            self.rest = after.ok_or(NarrativeError::Shape)?;
            return Ok(());
        }
        if let Some(rest) = rest.strip_prefix('/') {
            let (name, rest) = rest.split_once('>').ok_or(NarrativeError::Shape)?;
            self.rest = rest;
            return if self.open.pop() == Some(name.trim_end()) { Ok(()) } else { Err(NarrativeError::Shape) };
        }
        let (name, attributes, _) = self.tag()?;
        self.has_content |= name == "img";
        allow(name, &attributes)
    }

    /// Reads `name a="b" … >` or `… />`, and notes what is now open.
    fn tag(&mut self) -> Result<Tag<'a>, NarrativeError> {
        let end = |letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '-' | ':' | '_'));
        let name = self.until(end);
        if name.is_empty() || self.open.len() > MAX_OPEN {
            return Err(NarrativeError::Shape);
        }
        let mut attributes = Vec::new();
        loop {
            let before = self.rest.len();
            self.rest = self.rest.trim_start();
            if let Some(rest) = self.rest.strip_prefix("/>") {
                self.rest = rest;
                return Ok((name, attributes, true));
            }
            if let Some(rest) = self.rest.strip_prefix('>') {
                self.rest = rest;
                self.open.push(name);
                return Ok((name, attributes, false));
            }
            let key = self.until(end);
            if key.is_empty() || before == self.rest.len() + key.len() {
                return Err(NarrativeError::Shape);
            }
            if attributes.iter().any(|&(other, _)| other == key) {
                return Err(NarrativeError::Shape);
            }
            // No element has as many of those that FHIR allows.
            if attributes.len() >= MAX_ATTRIBUTES {
                return Err(NarrativeError::Attribute);
            }
            attributes.push((key, self.attribute_value()?));
        }
    }

    fn until(&mut self, end: impl Fn(char) -> bool) -> &'a str {
        let (found, rest) = self.rest.split_at(self.rest.find(end).unwrap_or(self.rest.len()));
        self.rest = rest;
        found
    }

    fn attribute_value(&mut self) -> Result<&'a str, NarrativeError> {
        let rest = self.rest.trim_start().strip_prefix('=').ok_or(NarrativeError::Shape)?.trim_start();
        let quote = rest.chars().next().filter(|letter| matches!(letter, '"' | '\'')).ok_or(NarrativeError::Shape)?;
        let (value, rest) = rest[1..].split_once(quote).ok_or(NarrativeError::Shape)?;
        if value.contains('<') {
            return Err(NarrativeError::Shape);
        }
        references(value)?;
        self.rest = rest;
        Ok(value)
    }
}

fn allow(name: &str, attributes: &[(&str, &str)]) -> Result<(), NarrativeError> {
    if ELEMENTS.binary_search(&name).is_err() {
        return Err(NarrativeError::Element);
    }
    let is_allowed = |&(key, value): &(&str, &str)| match key {
        "href" => name == "a" && is_safe(value),
        "src" => name == "img" && is_safe(value),
        "name" => name == "a",
        "style" => is_still(value),
        "xmlns" => value == XHTML,
        _ => ATTRIBUTES.binary_search(&key).is_ok(),
    };
    if attributes.iter().all(is_allowed) { Ok(()) } else { Err(NarrativeError::Attribute) }
}

/// An address that shows or loads, but does not run. Letters written as
/// references could hide a scheme, so no address with one before its colon passes.
fn is_safe(address: &str) -> bool {
    match address.split_once(':') {
        None => true,
        Some((before, _)) if before.contains(['/', '#', '?']) && !before.contains('&') => true,
        Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" | "ftp" | "mailto" | "tel" | "urn" | "cid" => true,
            // The definitions of R4 themselves have a space there.
            "data" => rest.trim_start().strip_prefix("image/").is_some_and(|kind| !kind.starts_with("svg")),
            _ => false,
        },
    }
}

/// A style that only styles. One that loads from elsewhere tells that it was read, and
/// there are several functions by which to load: of functions only colours pass, and
/// pictures that are there themselves. Letters written as references or escapes could
/// hide one.
fn is_still(style: &str) -> bool {
    // Many may be open, and each wants to know whether it ends: it is asked once.
    let last = style.rfind(')').unwrap_or(0);
    let is_fine = |(at, _): (usize, &str)| {
        let name = style[..at].rsplit(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').next();
        let named = |known: &str| name.is_some_and(|name| name.eq_ignore_ascii_case(known));
        COLOURS.iter().any(|colour| named(colour)) || named("url") && at < last && is_picture(&style[at + 1..])
    };
    !style.contains(['&', '\\', '@']) && style.match_indices('(').all(is_fine)
}

/// `data:image/png;base64,AA==)`, the rest of a `url(` that ends. The definitions of R4
/// themselves have a space behind the colon.
fn is_picture(rest: &str) -> bool {
    let address = rest.trim_start().trim_start_matches(['\'', '"']);
    let media = address.split_at_checked("data:".len()).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("data:"));
    let media = media.map(|(_, rest)| rest.trim_start());
    media.is_some_and(|media| ["image/png", "image/gif", "image/jpeg"].iter().any(|known| media.starts_with(known)))
}

const COLOURS: [&str; 4] = ["rgb", "rgba", "hsl", "hsla"];

/// XML knows five named references; HTML's others are not declared in FHIR.
fn references(text: &str) -> Result<(), NarrativeError> {
    for after in text.split('&').skip(1) {
        let (name, _) = after.split_once(';').ok_or(NarrativeError::Shape)?;
        let number = name.strip_prefix('#').and_then(|digits| match digits.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => digits.parse().ok(),
        });
        let is_number = !name.contains('+') && number.and_then(char::from_u32).is_some_and(is_character);
        if !is_number && !matches!(name, "lt" | "gt" | "amp" | "quot" | "apos") {
            return Err(NarrativeError::Shape);
        }
    }
    Ok(())
}

const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// Deeper markup is no narrative.
const MAX_OPEN: usize = 200;

/// Each is compared with those before it.
const MAX_ATTRIBUTES: usize = 64;

/// Sorted.
const ELEMENTS: [&str; 58] = [
    "a",
    "abbr",
    "acronym",
    "address",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "del",
    "dfn",
    "dir",
    "div",
    "dl",
    "dt",
    "em",
    "font",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "ins",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
];

/// Sorted; those with conditions of their own are in [`allow`].
const ATTRIBUTES: [&str; 53] = [
    "abbr",
    "accesskey",
    "align",
    "alt",
    "axis",
    "bgcolor",
    "border",
    "cellhalign",
    "cellpadding",
    "cellspacing",
    "cellvalign",
    "char",
    "charoff",
    "charset",
    "cite",
    "class",
    "clear",
    "color",
    "cols",
    "colspan",
    "compact",
    "coords",
    "datetime",
    "dir",
    "face",
    "frame",
    "headers",
    "height",
    "hreflang",
    "hspace",
    "id",
    "ismap",
    "lang",
    "longdesc",
    "noshade",
    "nowrap",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "size",
    "span",
    "start",
    "summary",
    "tabindex",
    "title",
    "type",
    "valign",
    "vspace",
    "width",
    "xml:lang",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        assert!(ELEMENTS.is_sorted() && ATTRIBUTES.is_sorted());
    }

    #[test]
    fn what_only_shows_passes() {
        for inner in [
            "text",
            "<p>a<br/>b</p>",
            "<table border=\"1\"><tr><td colspan='2'>身長</td></tr></table>",
            "<a href=\"https://a.jp/x?a=b:c\">a</a>",
            "<a href=\"#top\">a</a>",
            "<img src=\"data:image/png;base64,AA==\" alt=\"\"/>",
            "<img src=\"data: image/png;base64,AA==\"/>",
            "1 &lt; 2 &amp; &#x3042; &#12354;",
            "<!-- > note --><b>x</b>",
            "<span style=\"color: red\">x</span>",
            "<span style=\"color: RGB(1, 2, 3); border: 1px solid hsl(1 2% 3%)\">x</span>",
            "<td style=\"background-image: url(data:image/png;base64,iVBORw0KGgo=)\">x</td>",
            "<td style=\"background-image: url( 'data: image/png;base64,iVBORw0KGgo=' )\">x</td>",
            "<a href=\"ftp://a.jp/x\">x</a>",
            "<p xmlns=\"http://www.w3.org/1999/xhtml\">x</p>",
        ] {
            let text = format!("<div xmlns=\"{XHTML}\">{inner}</div>");
            assert_eq!(check(&text), Ok(()), "{inner}");
        }
    }

    #[test]
    fn what_could_run_or_does_not_close_is_refused() {
        use NarrativeError::{Attribute, Element, Empty, Shape};
        for (inner, error) in [
            ("", Empty),
            ("<p> </p>", Empty),
            ("<script>x</script>", Element),
            ("<SCRIPT>x</SCRIPT>", Element),
            ("<svg/>", Element),
            ("<style>x</style>", Element),
            ("<iframe src=\"a\"/>", Element),
            ("<form>x</form>", Element),
            ("<p onclick=\"x()\">x</p>", Attribute),
            ("<a href=\"javascript:x()\">x</a>", Attribute),
            ("<a href=\" JavaScript:x()\">x</a>", Attribute),
            ("<a href=\"java&#115;cript:x()\">x</a>", Attribute),
            ("<a href=\"&#x2f;javascript:x()\">x</a>", Attribute),
            ("<a href=\"data:text/html,x\">x</a>", Attribute),
            ("<img src=\"data:image/svg+xml,x\"/>", Attribute),
            ("<img src=\"data: image/svg+xml,x\"/>", Attribute),
            ("<p style=\"background: URL(http://a)\">x</p>", Attribute),
            ("<p style=\"background: url(data:text/html,x)\">x</p>", Attribute),
            ("<p style=\"background: url(data:image/svg+xml,x)\">x</p>", Attribute),
            ("<p style=\"background: url(data:image/png;base64,AA==), url(http://a)\">x</p>", Attribute),
            ("<p style=\"background: url(data:image/png\">x</p>", Attribute),
            ("<p style=\"background: &#117;rl(http://a)\">x</p>", Attribute),
            ("<p style=\"background: image-set('http://a' 1x)\">x</p>", Attribute),
            ("<p style=\"background: -x-rgb(http://a)\">x</p>", Attribute),
            ("<p xmlns=\"http://www.w3.org/2000/svg\">x</p>", Attribute),
            ("<p class=\"a\" class=\"b\">x</p>", Shape),
            ("<p>\u{1}x</p>", Shape),
            ("&#0;", Shape),
            ("&#xD800;", Shape),
            ("&#+65;", Shape),
            ("&#x110000;", Shape),
            ("<p>x", Shape),
            ("<p>x</b></p>", Shape),
            ("x<br>y", Shape),
            ("&nbsp;", Shape),
            ("a & b", Shape),
            ("<p a=b>x</p>", Shape),
            ("<p a=\"1\"b=\"2\">x</p>", Shape),
            ("<![CDATA[x]]>", Shape),
            ("<!-- x", Shape),
            ("<!-- a -- b -->x", Shape),
            ("<!-- a --->x", Shape),
            ("x ]]> y", Shape),
            ("x</div><p>y</p><div>", Shape),
        ] {
            let text = format!("<div xmlns=\"{XHTML}\">{inner}</div>");
            assert_eq!(check(&text), Err(error), "{inner}");
        }
        for text in ["", "x", "<p>x</p>", "<div>x</div>", "<div xmlns=\"http://a\">x</div>"] {
            assert_eq!(check(text), Err(NarrativeError::Root), "{text}");
        }
    }

    /// Each attribute was compared with each, and each picture looked for its end to the end
    /// of the text: either would take minutes.
    #[test]
    fn a_crowd_of_attributes_or_pictures_costs_no_more_than_its_length() {
        let div = |inner: &str| check(&format!("<div xmlns=\"{XHTML}\">{inner}</div>"));
        let attributes: String = (0..400_000).map(|at| format!(" a{at}=\"x\"")).collect();
        assert_eq!(div(&format!("<p{attributes}>x</p>")), Err(NarrativeError::Attribute));
        let pictures = "url(data:image/png;".repeat(600_000);
        assert_eq!(div(&format!("<p style=\"{pictures})\">x</p>")), Ok(()));
        assert_eq!(div(&format!("<p style=\"{pictures}\">x</p>")), Err(NarrativeError::Attribute));
        assert_eq!(div("<p style=\"background: url(data:) image/png\">x</p>"), Err(NarrativeError::Attribute));
    }
}
