//! Black-box tests over HTTP: a real server per test, people instead of tokens.
//!
//! Nothing here knows how Techo is made. [`server`] starts the program on a data
//! directory of its own, [`world`] signs the sample people in as people sign in,
//! and each file of `tests/` is one suite. To add a test: a function in the
//! suite of its subject that begins with [`world::World::new`].
//!
//! The same suites run on both databases: `TECHO_TEST_DATABASE=postgres`.

#![expect(clippy::missing_panics_doc, reason = "a test's harness fails the test by panicking, everywhere")]

pub mod browser;
pub mod clock;
pub mod compare;
pub mod http;
pub mod imports;
pub mod jose;
pub mod page;
pub mod postgres;
pub mod sample;
pub mod server;
pub mod stock;
pub mod world;
pub mod xml;
