//! What the rest of the house asks about codes.
//!
//! `profiles` knows which value set an element is bound to, not what is in it.
//! The `terminology` crate answers; [`NoCodes`] is for those who have none.

/// Answers about codes.
pub trait Codes: Send + Sync {
    /// Whether `code` is in the value set. `system` is none where the element is
    /// of type `code`, whose system only the value set knows. A `|version` at the
    /// end of `value_set` is let pass.
    fn member(&self, value_set: &str, system: Option<&str>, code: &str) -> Membership;

    /// Whether `ancestor` is `code` or lies above it; none if either is unknown or
    /// the system has no hierarchy that means this.
    fn subsumes(&self, system: &str, ancestor: &str, code: &str) -> Option<bool>;

    /// The text shown for a code.
    fn display(&self, system: &str, code: &str) -> Option<&str>;
}

/// Whether a code is in a value set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// It cannot be told: the set, or a system that it draws on, is not here.
    Unknown,
}

/// Knows no code.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCodes;

impl Codes for NoCodes {
    fn member(&self, _: &str, _: Option<&str>, _: &str) -> Membership {
        Membership::Unknown
    }

    fn subsumes(&self, _: &str, _: &str, _: &str) -> Option<bool> {
        None
    }

    fn display(&self, _: &str, _: &str) -> Option<&str> {
        None
    }
}
