//! Operations, one file each. To add one: a file, and a line in [`OPERATIONS`].

pub mod fhirpath;
pub mod import;

use std::pin::Pin;

use crate::app::App;
use crate::interaction::Error;

/// Every operation that this server has.
pub const OPERATIONS: &[Operation] = &[fhirpath::OPERATION, import::OPERATION];

/// An operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Its name without `$`.
    pub name: &'static str,
    /// How it asks who calls; there is no operation without.
    pub gate: Gate,
    /// What its body may be.
    pub media: Media,
    /// Does it.
    pub run: for<'a> fn(&'a App, &'a str, &'a Input<'a>) -> Running<'a>,
}

/// An operation at work.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<Output, Error>> + Send + 'a>>;

/// How an operation asks who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// A custodial backend, with scopes for every type that it makes.
    Custodial,
    /// Whoever holds a good token: nothing that is stored is read or written.
    Token,
}

/// What the body of an operation may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// FHIR JSON; all else is 415.
    Fhir,
    /// A file of any format.
    File,
}

/// What an operation is given.
#[derive(Debug)]
pub struct Input<'a> {
    /// The body as received.
    pub body: &'a [u8],
    /// `Content-Type`
    pub media: &'a str,
    /// The file's name, by `Content-Disposition`.
    pub file_name: Option<String>,
    /// Parameters of the URL.
    pub query: &'a [(String, String)],
    /// Texts in Japanese.
    pub japanese: bool,
}

/// What an operation answers.
#[derive(Debug)]
pub struct Output {
    /// FHIR JSON.
    pub body: Vec<u8>,
    /// 422 instead of 200.
    pub refused: bool,
}
