//! Time as a parameter: whoever needs the hour is handed a [`Clock`].

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use jiff::Timestamp;

/// Tells the time; cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub fn system() -> Self {
        Self(Arc::new(Timestamp::now))
    }

    /// A clock that stands still, for tests.
    pub fn fixed(at: Timestamp) -> Self {
        Self(Arc::new(move || at))
    }

    /// A clock that a test moves.
    pub fn of(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// The present instant.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }

    /// Microseconds since 1970-01-01T00:00Z: how instants are stored.
    pub fn micros(&self) -> i64 {
        self.now().as_microsecond()
    }
}

impl Debug for Clock {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("Clock")
    }
}
