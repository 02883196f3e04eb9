//! Expressions read once and shared: by indexing, patches, and whoever evaluates
//! one from outside again and again.
//!
//! Bounded in two halves: what was asked for lately is in the young one; when
//! that is full it becomes the old one, and what nobody asked for since is gone.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use super::{Expression, PathError};

impl Expression {
    /// [`Expression::parse`], kept and shared. What cannot be read is not kept, nor
    /// what is so long that it is not asked again.
    ///
    /// # Errors
    /// As [`Expression::parse`].
    pub fn shared(text: &str) -> Result<Arc<Self>, PathError> {
        if text.len() > LONGEST {
            return Self::parse(text).map(Arc::new);
        }
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.find(text) {
            return Ok(known);
        }
        drop(kept);
        // Read outside the lock: two may do it at once, which does no harm.
        let read = Arc::new(Self::parse(text)?);
        kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.keep(Arc::clone(&read));
        Ok(read)
    }
}

#[derive(Default)]
struct Halves {
    young: HashMap<Box<str>, Arc<Expression>>,
    old: HashMap<Box<str>, Arc<Expression>>,
}

impl Halves {
    fn find(&mut self, text: &str) -> Option<Arc<Expression>> {
        if let Some(known) = self.young.get(text) {
            return Some(Arc::clone(known));
        }
        let (_, known) = self.old.remove_entry(text)?;
        self.keep(Arc::clone(&known));
        Some(known)
    }

    fn keep(&mut self, expression: Arc<Expression>) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(expression.text().into(), expression);
    }
}

static KEPT: LazyLock<Mutex<Halves>> = LazyLock::new(Mutex::default);

/// Expressions in each half.
const HALF: usize = 1024;
/// Longer texts are not kept: the cache takes some megabytes at most.
const LONGEST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_again_is_shared_and_what_is_not_goes() {
        let mut halves = Halves::default();
        let read = |text: &str| Arc::new(Expression::parse(text).expect("an expression"));
        let kept = read("name");
        halves.keep(Arc::clone(&kept));
        for number in 0..5 * HALF {
            halves.keep(read(&format!("name[{number}]")));
            // Asked for now and then, it stays whatever comes and goes.
            if number % (HALF / 2) == 0 {
                assert!(halves.find("name").is_some_and(|found| Arc::ptr_eq(&found, &kept)), "{number}");
            }
        }
        assert!(halves.find("name[0]").is_none(), "nobody asked for it");
        assert!(halves.young.len() <= HALF && halves.old.len() <= HALF);
    }

    #[test]
    fn one_expression_is_read_once() {
        let text = "Patient.name.where(use = 'cached').given";
        let (one, other) = (Expression::shared(text), Expression::shared(text));
        assert!(Arc::ptr_eq(&one.expect("an expression"), &other.expect("an expression")));
        assert_eq!(Expression::shared("name.where(").map(|_| ()), Expression::parse("name.where(").map(|_| ()));
    }
}
