//! Values that must not be printed, and the one-way form in which they are kept.

use std::fmt::{self, Debug, Formatter};

use aws_lc_rs::{constant_time, digest};

/// A text that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Every call is a place to look at in a review.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Debug for Secret {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("[redacted]")
    }
}

/// SHA-256 of `text`: how 256-bit random tokens are stored and looked up.
pub fn hash(text: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, text).as_ref());
    out
}

/// Equality whose time does not tell where the difference is.
pub fn same(left: &[u8], right: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(left, right).is_ok()
}
