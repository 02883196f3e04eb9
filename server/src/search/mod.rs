//! Query text → plan, and resource → index rows.
//!
//! Both sides of search meet in the index tables: [`index`] fills them at every
//! write, [`parse`] asks of them. What a value means lives once, in the
//! [`kinds`]: one file each for token, string, date and so on. No SQL here; the
//! store reads [`plan`] and [`row`].

pub mod address;
pub mod bounds;
pub mod catalog;
mod chain;
pub mod clinical;
pub mod contained;
pub mod decimal;
pub mod derived;
pub mod error;
pub mod escape;
mod facts;
mod filter;
pub mod fold;
mod hierarchy;
pub mod index;
pub mod kinds;
pub mod modifier;
pub mod named;
pub mod names;
pub mod own;
pub mod page;
pub mod parse;
pub mod plan;
pub mod reach;
pub mod reason;
mod result;
pub mod row;
pub mod shape;
pub mod terms;
pub mod time;
pub mod trail;
pub mod unit;
pub mod words;

pub use error::SearchError;
pub use plan::Plan;
pub use reason::Reason;
pub use row::{Extracted, Row};
