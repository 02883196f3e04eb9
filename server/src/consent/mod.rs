//! What the caller may see and do: the one place that builds a [`View`].

pub mod predicate;
pub mod view;

pub use view::View;
