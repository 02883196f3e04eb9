//! The functions: one table, one file a family.
//!
//! To add a function: write it in its family's file and give it a row in
//! [`FUNCTIONS`]. The parser refuses names that have no row.
//!
//! Source: `FHIRPath` 2.0 and its 2.1 draft; FHIR R4 fhirpath.html, functions

#![expect(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "every function of the table has the shape of `Run`, used in full or not"
)]

mod boundary;
mod coded;
mod convert;
mod encode;
mod existence;
mod fhir;
mod filter;
mod maths;
mod subset;
mod text;
mod utility;

use std::borrow::Cow;
use std::ops::RangeInclusive;

pub(super) use text::{Pattern, pattern};

use super::error::PathError;
use super::eval::{Engine, Scope, single, wrong_type};
use super::item::{Item, Items};
use super::syntax::Call;

/// One function.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// How many arguments it takes.
    pub(super) arguments: RangeInclusive<usize>,
    pub(super) form: Form,
    pub(super) run: Run,
}

/// What is special about a function's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    /// The argument is the name of a type.
    Type,
    /// The first argument is a regular expression.
    Pattern,
    /// As [`Form::Pattern`], and it must match the whole text.
    Whole,
}

type Run = for<'c, 's, 'a> fn(&mut Engine<'c, 'a>, Invocation<'s, 'a>) -> Result<Items<'a>, PathError>;

/// A call under way.
pub(super) struct Invocation<'s, 'a> {
    pub(super) call: &'a Call,
    /// What the function is called on.
    pub(super) input: Items<'a>,
    /// What the arguments see, unless the function gives them another focus.
    pub(super) scope: Scope<'s, 'a>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name)
    }
}

/// The function called `name`.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

impl<'a> Invocation<'_, 'a> {
    /// The argument at `place`, evaluated; empty if it was not given.
    fn argument(&self, engine: &mut Engine<'_, 'a>, place: usize) -> Result<Items<'a>, PathError> {
        match self.call.arguments.get(place) {
            Some(argument) => engine.eval(argument, self.scope),
            None => Ok(Items::Empty),
        }
    }

    /// An argument that is one string, or nothing.
    fn text(&self, engine: &mut Engine<'_, 'a>, place: usize) -> Result<Option<Cow<'a, str>>, PathError> {
        let items = self.argument(engine, place)?;
        self.string_of(single(items, self.call.at)?)
    }

    /// An argument that is one integer, or nothing.
    fn integer(&self, engine: &mut Engine<'_, 'a>, place: usize) -> Result<Option<i32>, PathError> {
        match self.call.arguments.get(place) {
            Some(argument) => engine.integer(argument, self.scope),
            None => Ok(None),
        }
    }

    /// The input, which must be one item or none.
    fn one(&mut self) -> Result<Option<Item<'a>>, PathError> {
        single(std::mem::take(&mut self.input), self.call.at)
    }

    /// The input, which must be one string or nothing.
    fn one_text(&mut self) -> Result<Option<Cow<'a, str>>, PathError> {
        let item = self.one()?;
        self.string_of(item)
    }

    fn string_of(&self, item: Option<Item<'a>>) -> Result<Option<Cow<'a, str>>, PathError> {
        match item {
            None => Ok(None),
            // An element that has only extensions is there, but has no text.
            Some(Item::Node(node)) if node.json().is_none() => Ok(None),
            Some(item) => match item.into_text() {
                Some(text) => Ok(Some(text)),
                None => Err(self.fault("a string")),
            },
        }
    }

    fn fault(&self, wanted: &str) -> PathError {
        wrong_type(self.call.at, &format!("{}(): {wanted}", self.call.function.name))
    }
}

const fn plain(name: &'static str, least: usize, most: usize, run: Run) -> Function {
    Function { name, arguments: least..=most, form: Form::Plain, run }
}

const fn formed(name: &'static str, least: usize, most: usize, form: Form, run: Run) -> Function {
    Function { name, arguments: least..=most, form, run }
}

/// Every function: its name, the least and the most arguments, itself.
const FUNCTIONS: &[Function] = &[
    // Existence
    plain("empty", 0, 0, existence::empty),
    plain("exists", 0, 1, existence::exists),
    plain("all", 1, 1, existence::all),
    plain("allTrue", 0, 0, existence::all_true),
    plain("anyTrue", 0, 0, existence::any_true),
    plain("allFalse", 0, 0, existence::all_false),
    plain("anyFalse", 0, 0, existence::any_false),
    plain("subsetOf", 1, 1, existence::subset_of),
    plain("supersetOf", 1, 1, existence::superset_of),
    plain("count", 0, 0, existence::count),
    plain("distinct", 0, 0, existence::distinct),
    plain("isDistinct", 0, 0, existence::is_distinct),
    plain("not", 0, 0, existence::not),
    // Filtering, projection and types
    plain("where", 1, 1, filter::keep),
    plain("select", 1, 1, filter::select),
    plain("repeat", 1, 1, filter::repeat),
    formed("ofType", 1, 1, Form::Type, filter::of_type),
    formed("is", 1, 1, Form::Type, filter::is),
    formed("as", 1, 1, Form::Type, filter::cast),
    plain("type", 0, 0, filter::type_of),
    plain("aggregate", 1, 2, filter::aggregate),
    plain("sort", 0, usize::MAX, filter::sort),
    // Subsetting and combining
    plain("single", 0, 0, subset::only),
    plain("first", 0, 0, subset::first),
    plain("last", 0, 0, subset::last),
    plain("tail", 0, 0, subset::tail),
    plain("skip", 1, 1, subset::skip),
    plain("take", 1, 1, subset::take),
    plain("intersect", 1, 1, subset::intersect),
    plain("exclude", 1, 1, subset::exclude),
    plain("union", 1, 1, subset::union),
    plain("combine", 1, 1, subset::combine),
    // Conversion
    plain("iif", 2, 3, utility::iif),
    plain("toBoolean", 0, 0, convert::to_boolean),
    plain("convertsToBoolean", 0, 0, convert::converts_to_boolean),
    plain("toInteger", 0, 0, convert::to_integer),
    plain("convertsToInteger", 0, 0, convert::converts_to_integer),
    plain("toDecimal", 0, 0, convert::to_decimal),
    plain("convertsToDecimal", 0, 0, convert::converts_to_decimal),
    plain("toString", 0, 0, convert::to_string),
    plain("convertsToString", 0, 0, convert::converts_to_string),
    plain("toDate", 0, 0, convert::to_date),
    plain("convertsToDate", 0, 0, convert::converts_to_date),
    plain("toDateTime", 0, 0, convert::to_date_time),
    plain("convertsToDateTime", 0, 0, convert::converts_to_date_time),
    plain("toTime", 0, 0, convert::to_time),
    plain("convertsToTime", 0, 0, convert::converts_to_time),
    plain("toQuantity", 0, 1, convert::to_quantity),
    plain("convertsToQuantity", 0, 1, convert::converts_to_quantity),
    // Strings
    plain("indexOf", 1, 1, text::index_of),
    plain("lastIndexOf", 1, 1, text::last_index_of),
    plain("substring", 1, 2, text::substring),
    plain("startsWith", 1, 1, text::starts_with),
    plain("endsWith", 1, 1, text::ends_with),
    plain("contains", 1, 1, text::contains),
    plain("upper", 0, 0, text::upper),
    plain("lower", 0, 0, text::lower),
    plain("replace", 2, 2, text::replace),
    formed("matches", 1, 1, Form::Pattern, text::matches),
    formed("matchesFull", 1, 1, Form::Whole, text::matches),
    formed("replaceMatches", 2, 2, Form::Pattern, text::replace_matches),
    plain("length", 0, 0, text::length),
    plain("toChars", 0, 0, text::to_chars),
    plain("trim", 0, 0, text::trim),
    plain("split", 1, 1, text::split),
    plain("join", 0, 1, text::join),
    plain("encode", 1, 1, encode::encode),
    plain("decode", 1, 1, encode::decode),
    plain("escape", 1, 1, encode::escape),
    plain("unescape", 1, 1, encode::unescape),
    // Maths
    plain("abs", 0, 0, maths::abs),
    plain("ceiling", 0, 0, maths::ceiling),
    plain("exp", 0, 0, maths::exp),
    plain("floor", 0, 0, maths::floor),
    plain("ln", 0, 0, maths::ln),
    plain("log", 1, 1, maths::log),
    plain("power", 1, 1, maths::power),
    plain("round", 0, 1, maths::round),
    plain("sqrt", 0, 0, maths::sqrt),
    plain("truncate", 0, 0, maths::truncate),
    plain("lowBoundary", 0, 1, boundary::low),
    plain("highBoundary", 0, 1, boundary::high),
    plain("precision", 0, 0, boundary::precision),
    plain("comparable", 1, 1, boundary::comparable),
    // Tree and utility
    plain("children", 0, 0, utility::children),
    plain("descendants", 0, 0, utility::descendants),
    plain("trace", 1, 2, utility::trace),
    plain("now", 0, 0, utility::now),
    plain("today", 0, 0, utility::today),
    plain("timeOfDay", 0, 0, utility::time_of_day),
    // FHIR
    plain("extension", 1, 1, fhir::extension),
    plain("hasExtension", 1, 1, fhir::has_extension),
    plain("hasValue", 0, 0, fhir::has_value),
    plain("getValue", 0, 0, fhir::value),
    plain("resolve", 0, 0, fhir::resolve),
    plain("memberOf", 1, 1, coded::member_of),
    plain("conformsTo", 1, 1, fhir::conforms_to),
    plain("subsumes", 1, 1, coded::subsumes),
    plain("subsumedBy", 1, 1, coded::subsumed_by),
    plain("htmlChecks", 0, 0, fhir::html_checks),
    plain("checkModifiers", 0, usize::MAX, fhir::check_modifiers),
    plain("elementDefinition", 0, 0, fhir::not_here),
    plain("slice", 2, 2, fhir::not_here),
];

#[cfg(test)]
mod tests {
    use super::FUNCTIONS;

    #[test]
    fn every_function_has_one_row() {
        for (place, function) in FUNCTIONS.iter().enumerate() {
            assert!(FUNCTIONS[..place].iter().all(|other| other.name != function.name), "{}", function.name);
        }
    }
}
