//! What `_text` and `_content` may ask.
//!
//! ```text
//! any  = all { "OR" all }
//! all  = one { [ "AND" ] one }
//! one  = word | "\"" words "\"" | "(" any ")" | "NOT" one
//! ```
//!
//! `AND`, `OR` and `NOT` in any case, as R4's own example mixes them; `NOT` binds
//! closest, then `AND`: `a NOT b` has a and not b. Words in quotes stand next to each
//! other, in one text. What other engines of search know besides (`NEAR`, `*`,
//! `-word`) is refused: to take it for a word would find something else than was meant,
//! and how far apart two words are neither database can tell of Japanese, which has no
//! blanks to count. Between commas stand alternatives, as with every parameter.
//!
//! Source: FHIR R4 search.html#text, which leaves the grammar to the server.

use super::words;
use crate::search::escape::{split, unescape};
use crate::search::parse::Reader;
use crate::search::plan::{Filter, Sought};
use crate::search::reason::Reason;

/// The condition of one value.
///
/// * `everything`: of the whole content; else of the narrative alone.
pub(in crate::search) fn filter(reader: &Reader<'_>, everything: bool, value: &str) -> Result<Filter, Reason> {
    let mut any = Vec::new();
    for part in split(value, ',') {
        let text = unescape(part)?;
        let mut source = Source { reader, text: &text, at: 0, depth: 0 };
        any.push(source.any()?);
        if source.at < text.len() {
            return Err(source.wrong(|at| Reason::TextOpening { at }));
        }
    }
    Ok(Filter::Words { everything, sought: one_of(any) })
}

fn one_of(mut any: Vec<Sought>) -> Sought {
    if any.len() == 1 { any.remove(0) } else { Sought::Any(any) }
}

struct Source<'t> {
    reader: &'t Reader<'t>,
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Source<'t> {
    fn any(&mut self) -> Result<Sought, Reason> {
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return Err(Reason::TextDepth { most: MOST_DEPTH });
        }
        let mut any = vec![self.all()?];
        while self.keyword("or") {
            any.push(self.all()?);
        }
        self.depth -= 1;
        Ok(one_of(any))
    }

    fn all(&mut self) -> Result<Sought, Reason> {
        let mut all = vec![self.one()?];
        loop {
            let joined = self.keyword("and");
            let rest = self.rest();
            if !joined && (rest.is_empty() || rest.starts_with(')') || word(rest).eq_ignore_ascii_case("or")) {
                return Ok(if all.len() == 1 { all.remove(0) } else { Sought::All(all) });
            }
            all.push(self.one()?);
        }
    }

    fn one(&mut self) -> Result<Sought, Reason> {
        let rest = self.rest();
        if rest.starts_with('(') {
            self.at += 1;
            let inner = self.any()?;
            if !self.rest().starts_with(')') {
                return Err(self.wrong(|at| Reason::FilterParenthesis { at }));
            }
            self.at += 1;
            return Ok(inner);
        }
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').ok_or_else(|| self.wrong(|at| Reason::FilterQuote { at }))?;
            let found = self.wanted(&quoted[..end])?;
            self.at += end + 2;
            return Ok(found);
        }
        if self.keyword("not") {
            self.depth += 1;
            if self.depth > MOST_DEPTH {
                return Err(Reason::TextDepth { most: MOST_DEPTH });
            }
            let inner = self.one()?;
            self.depth -= 1;
            return Ok(Sought::Not(Box::new(inner)));
        }
        let word = word(rest);
        if word.is_empty() || ["and", "or"].iter().any(|known| word.eq_ignore_ascii_case(known)) {
            return Err(self.wrong(|at| Reason::TextWord { at }));
        }
        if word.eq_ignore_ascii_case("near") || word.starts_with(['-', '+', '!']) || word.contains(['*', '?', '~', '^'])
        {
            return Err(self.wrong(|at| Reason::TextSign { at }));
        }
        let found = self.wanted(word)?;
        self.at += word.len();
        Ok(found)
    }

    /// What finds a word, or several that stand together.
    fn wanted(&self, text: &str) -> Result<Sought, Reason> {
        self.reader.spend(1)?;
        let words = words(text);
        // A word of Japanese is found within others, any other by its beginning.
        let first = words.chars().nth(1).ok_or_else(|| self.wrong(|at| Reason::TextLetter { at }))?;
        let sought = if super::is_japanese(first) { &words[1..] } else { &words[..] };
        if sought.chars().count() > MOST_CHARACTERS {
            return Err(Reason::LongWord { most: MOST_CHARACTERS });
        }
        Ok(Sought::Part(sought.into()))
    }

    /// Takes a keyword, if it stands here.
    fn keyword(&mut self, keyword: &str) -> bool {
        let is = word(self.rest()).eq_ignore_ascii_case(keyword);
        if is {
            self.at += keyword.len();
        }
        is
    }

    /// What is left, without the white space before it.
    fn rest(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    /// What is wrong, and where.
    fn wrong(&self, what: impl Fn(usize) -> Reason) -> Reason {
        what(self.text[..self.at].chars().count() + 1)
    }
}

/// What stands here up to white space, a parenthesis or a quotation mark.
fn word(text: &str) -> &str {
    let end = |sign: char| sign.is_whitespace() || matches!(sign, '(' | ')' | '"');
    &text[..text.find(end).unwrap_or(text.len())]
}

const MOST_DEPTH: usize = 16;
const MOST_CHARACTERS: usize = 200;
