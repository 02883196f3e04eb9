//! Search, one table for each kind of parameter and each shape of a question.

pub mod canonical;
pub mod chain;
pub mod composite;
pub mod contained;
pub mod date;
pub mod everywhere;
pub mod filter;
pub mod fulltext;
pub mod hierarchy;
pub mod include;
pub mod japanese;
pub mod modifier;
pub mod number;
pub mod paging;
pub mod quantity;
pub mod reference;
pub mod shape;
pub mod sort;
pub mod string;
pub mod token;
pub mod uri;
