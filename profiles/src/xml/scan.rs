//! XML text → [`Event`]s: well-formed and with namespaces, or refused.
//!
//! What FHIR has no use for is passed over here (comments, processing
//! instructions) or refused (document type declarations, and with them all
//! entities but XML's five).

use std::borrow::Cow;
use std::ops::Range;

use super::text::{is_character, is_name, is_name_start, is_space, unescape};
use super::{Fault, XmlError};

/// A start tag, an end tag, or text.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// `<name a="b">` or `<name a="b"/>`; a [`Event::Close`] follows either.
    Open(Tag<'a>),
    /// `</name>`, from its first byte to after its last.
    Close(Range<usize>),
    /// Text as it is written, or the content of a CDATA section.
    Text { raw: &'a str, at: usize, is_section: bool },
    /// The end of the document.
    End,
}

/// A start tag.
#[derive(Debug)]
pub(super) struct Tag<'a> {
    /// The name without its prefix.
    pub(super) name: &'a str,
    pub(super) prefix: &'a str,
    /// The namespace; empty for none.
    pub(super) space: Cow<'a, str>,
    /// Without declarations of namespaces.
    pub(super) attributes: Vec<Attribute<'a>>,
    /// Prefixes declared, empty for the default namespace.
    pub(super) declares: Vec<&'a str>,
    /// From `<` to after `>`.
    pub(super) span: Range<usize>,
    /// `<name/>`
    pub(super) is_closed: bool,
}

/// One attribute.
#[derive(Debug)]
pub(super) struct Attribute<'a> {
    /// As written, with its prefix.
    pub(super) full_name: &'a str,
    pub(super) name: &'a str,
    /// The namespace; empty for none.
    pub(super) space: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
    /// Where the name begins.
    pub(super) at: usize,
}

impl Attribute<'_> {
    /// Whether it is `xml:lang` or its like.
    pub(super) fn is_xml(&self) -> bool {
        self.space == XML
    }
}

/// Reads a document event by event.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Names of open elements as written, each with the number of bindings outside of it.
    open: Vec<(&'a str, usize)>,
    /// Prefixes and namespaces, the innermost last.
    bindings: Vec<(&'a str, Cow<'a, str>)>,
    /// A `<name/>` was given and its end was not yet.
    pending: Option<Range<usize>>,
    had_root: bool,
    /// Processing instructions passed over so far.
    pub(super) instructions: usize,
}

type Scanned<T> = Result<T, XmlError>;

impl<'a> Scanner<'a> {
    /// Begins to read; the whole text is looked at for what no XML may have.
    pub(super) fn new(bytes: &'a [u8]) -> Scanned<Self> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(XmlError::new(Fault::TooLarge, 0));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| XmlError::new(Fault::Encoding, error.valid_up_to()))?;
        let at = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
        if let Some(bad) = text.find(|letter| !is_character(letter)) {
            return Err(XmlError::new(Fault::Character, bad));
        }
        let mut scanner =
            Self { text, at, open: Vec::new(), bindings: Vec::new(), pending: None, had_root: false, instructions: 0 };
        scanner.declaration()?;
        Ok(scanner)
    }

    /// The text that is read.
    pub(super) fn source(&self) -> &'a str {
        self.text
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn fail<T>(&self, fault: Fault) -> Scanned<T> {
        let fault = if self.at >= self.text.len() { Fault::Truncated } else { fault };
        Err(XmlError::new(fault, self.at))
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn space(&mut self) -> bool {
        let after = self.rest().trim_start_matches(is_space);
        let skipped = self.rest().len() - after.len();
        self.at += skipped;
        skipped > 0
    }

    /// What stands before `end`, which is passed.
    fn until(&mut self, end: &str) -> Scanned<&'a str> {
        let Some((found, _)) = self.rest().split_once(end) else {
            return Err(XmlError::new(Fault::Truncated, self.text.len()));
        };
        self.at += found.len() + end.len();
        Ok(found)
    }

    /// `<?xml version="1.0" encoding="UTF-8"?>`
    fn declaration(&mut self) -> Scanned<()> {
        let begins = self.rest().strip_prefix("<?xml").is_some_and(|after| after.starts_with(is_space));
        if !begins {
            return Ok(());
        }
        self.at += "<?xml".len();
        let mut given = Vec::new();
        while self.space() && !self.rest().starts_with("?>") {
            let at = self.at;
            let name = self.name()?;
            given.push((name, self.attribute_value()?, at));
        }
        if !self.take("?>") {
            return self.fail(Fault::Syntax("?> at the end of the declaration", "宣言の終わりの ?>"));
        }
        let mut rest = &given[..];
        for (wanted, is_needed) in [("version", true), ("encoding", false), ("standalone", false)] {
            let Some(((name, value, at), after)) = rest.split_first().filter(|(first, _)| first.0 == wanted) else {
                if is_needed {
                    return Err(XmlError::new(Fault::Syntax("version=\"1.0\"", "version=\"1.0\""), 0));
                }
                continue;
            };
            rest = after;
            let fits = match *name {
                "version" => *value == "1.0",
                "encoding" => value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("us-ascii"),
                _ => matches!(*value, "yes" | "no"),
            };
            if !fits {
                let fault = if *name == "encoding" { Fault::Encoding } else { declared_wrongly() };
                return Err(XmlError::new(fault, *at));
            }
        }
        match rest.first() {
            Some((_, _, at)) => Err(XmlError::new(declared_wrongly(), *at)),
            None => Ok(()),
        }
    }

    /// The next event.
    pub(super) fn next(&mut self) -> Scanned<Event<'a>> {
        if let Some(span) = self.pending.take() {
            self.close();
            return Ok(Event::Close(span));
        }
        loop {
            let rest = self.rest();
            if rest.is_empty() {
                return if self.open.is_empty() && self.had_root {
                    Ok(Event::End)
                } else {
                    self.fail(Fault::Truncated)
                };
            }
            if !rest.starts_with('<') {
                match self.text()? {
                    Some(event) => return Ok(event),
                    None => continue,
                }
            }
            if rest.starts_with("<!--") {
                self.comment()?;
            } else if rest.starts_with("<?") {
                self.instruction()?;
            } else if rest.starts_with("<![CDATA[") && !self.open.is_empty() {
                self.at += "<![CDATA[".len();
                let at = self.at;
                let raw = self.until("]]>")?;
                return Ok(Event::Text { raw, at, is_section: true });
            } else if rest.starts_with("<!") {
                return self.fail(Fault::Doctype);
            } else if rest.starts_with("</") {
                return self.end_tag();
            } else if self.had_root && self.open.is_empty() {
                return self.fail(Fault::Syntax("nothing after the root element", "ルート要素の後は空"));
            } else {
                return Ok(Event::Open(self.start_tag()?));
            }
        }
    }

    /// Text up to the next tag; `None` for white space outside the root.
    fn text(&mut self) -> Scanned<Option<Event<'a>>> {
        let at = self.at;
        let raw = &self.rest()[..self.rest().find('<').unwrap_or(self.rest().len())];
        self.at += raw.len();
        if self.open.is_empty() {
            let Some(stray) = raw.find(|letter| !is_space(letter)) else { return Ok(None) };
            return Err(XmlError::new(Fault::Text, at + stray));
        }
        if let Some(bad) = raw.find("]]>") {
            return Err(XmlError::new(Fault::Syntax("no ]]> in text", "文字列中に ]]> がないこと"), at + bad));
        }
        Ok(Some(Event::Text { raw, at, is_section: false }))
    }

    fn comment(&mut self) -> Scanned<()> {
        self.at += "<!--".len();
        self.until("--")?;
        if self.take(">") {
            Ok(())
        } else {
            self.fail(Fault::Syntax("no -- inside a comment", "コメント中に -- がないこと"))
        }
    }

    fn instruction(&mut self) -> Scanned<()> {
        let begin = self.at;
        self.at += "<?".len();
        let name = self.name()?;
        if name.eq_ignore_ascii_case("xml") {
            let fault = Fault::Syntax("the declaration at the very beginning", "宣言は先頭に1つだけ");
            return Err(XmlError::new(fault, begin));
        }
        if !self.rest().starts_with("?>") && !self.space() {
            return self.fail(Fault::Syntax("white space", "空白"));
        }
        self.until("?>")?;
        self.instructions += 1;
        Ok(())
    }

    fn end_tag(&mut self) -> Scanned<Event<'a>> {
        let begin = self.at;
        self.at += "</".len();
        let name = self.qualified()?;
        self.space();
        if !self.take(">") {
            return self.fail(Fault::Syntax("> at the end of the tag", "タグの終わりの >"));
        }
        match self.open.last() {
            Some((open, _)) if *open == name => {
                self.close();
                Ok(Event::Close(begin..self.at))
            }
            open => {
                let open = open.map_or("", |(open, _)| *open).into();
                Err(XmlError::new(Fault::EndTag { open }, begin))
            }
        }
    }

    fn close(&mut self) {
        if let Some((_, bindings)) = self.open.pop() {
            self.bindings.truncate(bindings);
        }
    }

    fn start_tag(&mut self) -> Scanned<Tag<'a>> {
        let begin = self.at;
        self.at += 1;
        let full_name = self.qualified()?;
        if self.open.len() >= MAX_OPEN {
            return Err(XmlError::new(Fault::TooDeep, begin));
        }
        self.open.push((full_name, self.bindings.len()));
        let (raw, is_closed) = self.attributes()?;
        self.had_root = true;
        let span = begin..self.at;
        if is_closed {
            self.pending = Some(span.clone());
        }
        let declares = self.declare(&raw)?;
        let (prefix, name) = split(full_name);
        let space = self.resolve(prefix, begin)?;
        let attributes = self.resolved(raw)?;
        Ok(Tag { name, prefix, space, attributes, declares, span, is_closed })
    }

    /// Names as written, values, places; and whether the tag closes itself.
    fn attributes(&mut self) -> Scanned<(Vec<Raw<'a>>, bool)> {
        let mut found: Vec<Raw<'a>> = Vec::new();
        loop {
            let spaced = self.space();
            if self.take(">") {
                return Ok((found, false));
            }
            if self.take("/>") {
                return Ok((found, true));
            }
            if !spaced {
                return self.fail(Fault::Syntax("white space, / or >", "空白、/ または >"));
            }
            let at = self.at;
            let name = self.qualified()?;
            if found.iter().any(|other| other.0 == name) {
                return Err(XmlError::new(Fault::AttributeTwice, at));
            }
            if found.len() >= MAX_ATTRIBUTES {
                return Err(XmlError::new(Fault::TooManyAttributes, at));
            }
            self.space();
            let (value_at, raw) = (self.at, self.attribute_value()?);
            let quote = self.text[value_at..].find(['"', '\'']).unwrap_or(0) + 1;
            let reference = |bad: usize| XmlError::new(Fault::Reference, value_at + quote + bad);
            found.push((name, unescape(raw, true).map_err(reference)?, at));
        }
    }

    /// `= "value"`, as written between the quotes.
    fn attribute_value(&mut self) -> Scanned<&'a str> {
        self.space();
        if !self.take("=") {
            return self.fail(Fault::Syntax("= after the attribute's name", "属性名の後の ="));
        }
        self.space();
        let quote = if self.take("\"") {
            "\""
        } else if self.take("'") {
            "'"
        } else {
            return self.fail(Fault::Syntax("the attribute's value in quotes", "引用符で囲んだ属性値"));
        };
        let begin = self.at;
        let value = self.until(quote)?;
        match value.find('<') {
            Some(bad) => Err(XmlError::new(Fault::Syntax("&lt; in a value", "値の中では &lt;"), begin + bad)),
            None => Ok(value),
        }
    }

    /// Takes up `xmlns` and `xmlns:…`; gives the prefixes.
    fn declare(&mut self, raw: &[Raw<'a>]) -> Scanned<Vec<&'a str>> {
        let mut declares = Vec::new();
        for (name, value, at) in raw {
            let prefix = match split(name) {
                ("xmlns", prefix) => prefix,
                ("", "xmlns") => "",
                _ => continue,
            };
            let is_reserved = prefix == "xmlns" || (prefix == "xml") != (value == XML) || value == XMLNS;
            if is_reserved || (value.is_empty() && !prefix.is_empty()) {
                return Err(XmlError::new(Fault::Prefix, *at));
            }
            // Every name behind them is looked up among all that are in force.
            if self.bindings.len() >= MAX_BINDINGS {
                return Err(XmlError::new(Fault::TooManyAttributes, *at));
            }
            declares.push(prefix);
            self.bindings.push((prefix, value.clone()));
        }
        Ok(declares)
    }

    fn resolve(&self, prefix: &str, at: usize) -> Scanned<Cow<'a, str>> {
        if prefix == "xml" {
            return Ok(Cow::Borrowed(XML));
        }
        match self.bindings.iter().rev().find(|(known, _)| *known == prefix) {
            Some((_, space)) => Ok(space.clone()),
            None if prefix.is_empty() => Ok(Cow::Borrowed("")),
            None => Err(XmlError::new(Fault::Prefix, at)),
        }
    }

    fn resolved(&self, raw: Vec<Raw<'a>>) -> Scanned<Vec<Attribute<'a>>> {
        let mut attributes: Vec<Attribute<'a>> = Vec::with_capacity(raw.len());
        for (full_name, value, at) in raw {
            let (prefix, name) = split(full_name);
            if prefix == "xmlns" || full_name == "xmlns" {
                continue;
            }
            let space = if prefix.is_empty() { Cow::Borrowed("") } else { self.resolve(prefix, at)? };
            if attributes.iter().any(|other| other.name == name && other.space == space) {
                return Err(XmlError::new(Fault::AttributeTwice, at));
            }
            attributes.push(Attribute { full_name, name, space, value, at });
        }
        Ok(attributes)
    }

    /// A name without a colon.
    fn name(&mut self) -> Scanned<&'a str> {
        let rest = self.rest();
        if !rest.starts_with(is_name_start) {
            return self.fail(Fault::Syntax("a name", "名前"));
        }
        let end = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
        self.at += end;
        Ok(&rest[..end])
    }

    /// A name, with a prefix or without.
    fn qualified(&mut self) -> Scanned<&'a str> {
        let begin = self.at;
        self.name()?;
        if self.take(":") {
            self.name()?;
        }
        Ok(&self.text[begin..self.at])
    }
}

/// An attribute's name as written, its value, and where it begins.
type Raw<'a> = (&'a str, Cow<'a, str>, usize);

fn split(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

fn declared_wrongly() -> Fault {
    Fault::Syntax(
        "a declaration with version=\"1.0\" and encoding=\"UTF-8\"",
        "version=\"1.0\" encoding=\"UTF-8\" の宣言",
    )
}

const XML: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// A resource as deep as JSON may be, and in it a narrative as deep as one may be.
const MAX_OPEN: usize = 300;
/// FHIR needs three, narratives some more.
const MAX_ATTRIBUTES: usize = 64;
/// Each open element may declare its namespace anew, and one of them some more.
const MAX_BINDINGS: usize = MAX_OPEN + MAX_ATTRIBUTES;
