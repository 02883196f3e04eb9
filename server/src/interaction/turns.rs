//! Writers who get into each other's way, one after another.
//!
//! Nobody waits at first: a write is planned and handed on, and mostly it is the
//! only one. Who finds that another came between takes a turn, so that of many
//! writers of one thing each plans anew once, not as often as there are others.
//! Turns are this process's own; between servers the database decides.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::{Mutex, MutexGuard};

use crate::app::App;

/// Times a write is planned before the server calls itself busy.
const TRIES: usize = 8;
/// Things that are told apart; more share a turn, and wait a little longer.
const STRIPES: usize = 64;

/// The turns of this process.
#[derive(Debug)]
pub struct Turns([Mutex<()>; STRIPES]);

impl Default for Turns {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

/// The tries of one write.
pub(super) struct Tries<'a> {
    app: &'a App,
    stripe: usize,
    made: usize,
    turn: Option<MutexGuard<'a, ()>>,
}

impl<'a> Tries<'a> {
    /// * `what`: what is written, the same text for all who write it.
    pub(super) fn of(app: &'a App, what: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        // Less than STRIPES, hence a usize.
        let stripe = usize::try_from(hasher.finish() % STRIPES as u64).unwrap_or(0);
        Self { app, stripe, made: 0, turn: None }
    }

    /// Whether to try, or try again; from the second time on in turn.
    pub(super) async fn again(&mut self) -> bool {
        if self.made == 1 {
            self.turn = Some(self.app.turns.0[self.stripe].lock().await);
        }
        self.made += 1;
        self.made <= TRIES
    }
}
