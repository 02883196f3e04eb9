//! Strings. Places are counted in characters, not bytes.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use super::super::error::PathError;
use super::super::eval::Engine;
use super::super::item::{Item, Items};
use super::super::value::Value;
use super::{Form, Function, Invocation};

type Found<'a> = Result<Items<'a>, PathError>;

/// What a compiled regular expression may take in bytes, and by how much a search
/// with one so large may be slower than with the smallest.
const SIZES: &[(usize, usize)] = &[(16 << 10, 8), (128 << 10, 64), (1 << 20, 512)];

/// The steps that compiling costs.
const COMPILING: usize = 2000;

/// A compiled regular expression.
#[derive(Clone, Debug)]
pub(in super::super) struct Pattern {
    regex: Regex,
    /// What a byte searched through costs, in 64ths of a step.
    weight: usize,
}

/// Compiles a regular expression as `matches()` and its like mean it: `.` also
/// matches a line break.
pub(in super::super) fn pattern(text: &str, function: &Function) -> Result<Pattern, String> {
    let whole = (function.form == Form::Whole).then(|| format!(r"\A(?:{text})\z"));
    let mut builder = RegexBuilder::new(whole.as_deref().unwrap_or(text));
    builder.dot_matches_new_line(true);
    let compiled = SIZES.iter().find_map(|(size, weight)| {
        let regex = builder.size_limit(*size).build().ok()?;
        Some(Pattern { regex, weight: *weight })
    });
    compiled.ok_or_else(|| format!("{}(): the regular expression cannot be used", function.name))
}

/// A function of the input and one string; nothing if either is nothing.
fn with_text<'a>(
    engine: &mut Engine<'_, 'a>,
    mut it: Invocation<'_, 'a>,
    apply: impl FnOnce(&str, &str) -> Value<'a>,
) -> Found<'a> {
    let argument = it.text(engine, 0)?;
    let (Some(text), Some(argument)) = (it.one_text()?, argument) else { return Ok(Items::Empty) };
    engine.spend_text(text.len())?;
    Ok(Items::value(apply(&text, &argument)))
}

/// A function of the input alone.
fn alone<'a>(
    engine: &mut Engine<'_, 'a>,
    mut it: Invocation<'_, 'a>,
    apply: impl FnOnce(&str) -> Value<'a>,
) -> Found<'a> {
    let Some(text) = it.one_text()? else { return Ok(Items::Empty) };
    engine.spend_text(text.len())?;
    Ok(Items::value(apply(&text)))
}

fn place(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The place, in characters, of a byte offset; -1 for none.
fn characters(text: &str, found: Option<usize>) -> Value<'static> {
    Value::Integer(found.map_or(-1, |at| place(text[..at].chars().count())))
}

pub(super) fn index_of<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    with_text(engine, it, |text, part| characters(text, text.find(part)))
}

pub(super) fn last_index_of<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    with_text(engine, it, |text, part| characters(text, text.rfind(part)))
}

pub(super) fn starts_with<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    with_text(engine, it, |text, part| Value::Boolean(text.starts_with(part)))
}

pub(super) fn ends_with<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    with_text(engine, it, |text, part| Value::Boolean(text.ends_with(part)))
}

pub(super) fn contains<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    with_text(engine, it, |text, part| Value::Boolean(text.contains(part)))
}

pub(super) fn upper<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    alone(engine, it, |text| Value::String(text.to_uppercase().into()))
}

pub(super) fn lower<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    alone(engine, it, |text| Value::String(text.to_lowercase().into()))
}

pub(super) fn trim<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    alone(engine, it, |text| Value::String(text.trim().to_owned().into()))
}

pub(super) fn length<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    alone(engine, it, |text| Value::Integer(place(text.chars().count())))
}

pub(super) fn substring<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let start = it.integer(engine, 0)?;
    let length = it.integer(engine, 1)?;
    let (Some(text), Some(start)) = (it.one_text()?, start) else { return Ok(Items::Empty) };
    engine.spend_text(text.len())?;
    let Ok(start) = usize::try_from(start) else { return Ok(Items::Empty) };
    let Some((from, _)) = text.char_indices().nth(start) else { return Ok(Items::Empty) };
    let length = length.map_or(usize::MAX, |length| usize::try_from(length).unwrap_or(0));
    let to = text[from..].char_indices().nth(length).map_or(text.len(), |(end, _)| from + end);
    Ok(Items::string(match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[from..to]),
        Cow::Owned(text) => Cow::Owned(text[from..to].to_owned()),
    }))
}

pub(super) fn replace<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let (part, by) = (it.text(engine, 0)?, it.text(engine, 1)?);
    let (Some(text), Some(part), Some(by)) = (it.one_text()?, part, by) else { return Ok(Items::Empty) };
    engine.spend_text(text.len())?;
    let places = text.matches(&*part).count();
    engine.spend_text(text.len().saturating_add(places.saturating_mul(by.len())))?;
    Ok(Items::string(text.replace(&*part, &by)))
}

/// `matches(regex)` and `matchesFull(regex)`
pub(super) fn matches<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let Some(pattern) = compiled(engine, &it)? else { return Ok(Items::Empty) };
    let Some(text) = it.one_text()? else { return Ok(Items::Empty) };
    engine.spend_text(text.len().saturating_mul(pattern.weight))?;
    Ok(Items::boolean(pattern.regex.is_match(&text)))
}

pub(super) fn replace_matches<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let by = it.text(engine, 1)?;
    let (Some(pattern), Some(by)) = (compiled(engine, &it)?, by) else { return Ok(Items::Empty) };
    let Some(text) = it.one_text()? else { return Ok(Items::Empty) };
    if pattern.regex.as_str().is_empty() {
        return Ok(Items::string(text));
    }
    engine.spend_text(text.len().saturating_mul(pattern.weight))?;
    let parts = parts(&by, &pattern.regex);
    let groups = by.matches('$').count();
    let mut result = String::new();
    let mut from = 0;
    for captures in pattern.regex.captures_iter(&text) {
        let found = captures.get_match();
        engine.spend_text(by.len().saturating_add(groups.saturating_mul(found.len())))?;
        result.push_str(&text[from..found.start()]);
        for part in &parts {
            result.push_str(match part {
                Part::Text(text) => text,
                Part::Group(number) => captures.get(*number).map_or("", |group| group.as_str()),
            });
        }
        from = found.end();
    }
    result.push_str(&text[from..]);
    Ok(Items::string(result))
}

/// A part of what a match is replaced by.
enum Part<'b> {
    Text(&'b str),
    Group(usize),
}

/// Reads what matches are replaced by, as Java and .NET do: `$1`, `${1}` and `${name}` are
/// groups, `$0` is the match, `\$` and `$$` are a dollar, `\\` is a backslash. What names no
/// group of the expression stands for itself.
fn parts<'b>(by: &'b str, regex: &Regex) -> Vec<Part<'b>> {
    let mut parts = Vec::new();
    let mut rest = by;
    while let Some(at) = rest.find(['$', '\\']) {
        parts.push(Part::Text(&rest[..at]));
        rest = &rest[at..];
        let (part, length) = match rest.as_bytes() {
            [b'\\', b'$' | b'\\', ..] | [b'$', b'$', ..] => (Part::Text(&rest[1..2]), 2),
            [b'$', ..] => {
                let group = group(&rest[1..], regex);
                group.map_or((Part::Text(&rest[..1]), 1), |(number, length)| (Part::Group(number), 1 + length))
            }
            _ => (Part::Text(&rest[..1]), 1),
        };
        parts.push(part);
        rest = &rest[length..];
    }
    parts.push(Part::Text(rest));
    parts
}

/// The group that stands behind a `$`, and how long its name is: of `$10` it is the tenth if
/// there are so many, or else the first.
fn group(text: &str, regex: &Regex) -> Option<(usize, usize)> {
    let numbered = |text: &str| text.parse::<usize>().ok().filter(|number| *number < regex.captures_len());
    if let Some(inner) = text.strip_prefix('{') {
        let (name, _) = inner.split_once('}')?;
        let named = regex.capture_names().position(|one| one == Some(name));
        return Some((named.or_else(|| numbered(name))?, name.len() + 2));
    }
    let digits = text.bytes().take(MOST_DIGITS).take_while(u8::is_ascii_digit).count();
    (1..=digits).rev().find_map(|length| Some((numbered(&text[..length])?, length)))
}

/// No expression that is taken has as many groups as need more.
const MOST_DIGITS: usize = 6;

/// The call's regular expression: compiled when it was read, or now.
fn compiled<'a>(engine: &mut Engine<'_, 'a>, it: &Invocation<'_, 'a>) -> Result<Option<Cow<'a, Pattern>>, PathError> {
    if let Some(pattern) = &it.call.pattern {
        return Ok(Some(Cow::Borrowed(pattern)));
    }
    let Some(text) = it.text(engine, 0)? else { return Ok(None) };
    engine.spend(COMPILING)?;
    match pattern(&text, it.call.function) {
        Ok(pattern) => Ok(Some(Cow::Owned(pattern))),
        Err(text) => Err(PathError::syntax(it.call.at, text)),
    }
}

pub(super) fn to_chars<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let Some(text) = it.one_text()? else { return Ok(Items::Empty) };
    engine.spend(text.len())?;
    Ok(text.chars().map(|one| Item::Value(Value::String(one.to_string().into()))).collect())
}

pub(super) fn split<'a>(engine: &mut Engine<'_, 'a>, mut it: Invocation<'_, 'a>) -> Found<'a> {
    let separator = it.text(engine, 0)?;
    let (Some(text), Some(separator)) = (it.one_text()?, separator) else { return Ok(Items::Empty) };
    engine.spend(1 + text.len())?;
    if separator.is_empty() {
        return Ok(text.chars().map(|one| Item::Value(Value::String(one.to_string().into()))).collect());
    }
    Ok(text.split(&*separator).map(|part| Item::Value(Value::String(part.to_owned().into()))).collect())
}

pub(super) fn join<'a>(engine: &mut Engine<'_, 'a>, it: Invocation<'_, 'a>) -> Found<'a> {
    let separator = it.text(engine, 0)?.unwrap_or_default();
    let mut joined = String::new();
    for (place, item) in it.input.iter().enumerate() {
        let text = item.as_str().ok_or_else(|| it.fault("strings"))?;
        engine.spend_text(text.len() + separator.len())?;
        if place > 0 {
            joined.push_str(&separator);
        }
        joined.push_str(text);
    }
    if it.input.is_empty() { Ok(Items::Empty) } else { Ok(Items::string(joined)) }
}
