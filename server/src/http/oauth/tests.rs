//! The whole of the authorization server over its router, with a browser, a
//! clock that moves and a database of its own in each test.

mod attack;
mod browser;
mod code;
mod page;
mod program;
mod world;
