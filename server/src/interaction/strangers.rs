//! Refusals of callers whom nobody knows, in bounded space.
//!
//! Each refusal is evidence, but anybody can cause a million of them, and each
//! would be a record for ever. So a minute holds [`KEPT`] of them one by one; what
//! comes above is counted, and the next minute's first record says how many (a
//! count that waits is lost with the process). Whoever sends a token that was good
//! until lately is no stranger: those refusals are all on record, for as long as
//! the server keeps the token's row, a day beyond its end.

use std::sync::{Mutex, PoisonError};

/// Refusals a minute that are recorded one by one.
const KEPT: u32 = 60;
const MINUTE: i64 = 60_000_000;

/// What this process refused of late.
#[derive(Debug, Default)]
pub struct Strangers(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    from: i64,
    kept: u32,
    left_out: u64,
}

impl Strangers {
    /// Counts a refusal at `now`; `None` if it is only counted, else how many were
    /// only counted before it.
    pub fn refused(&self, now: i64) -> Option<u64> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !(minute.from..minute.from + MINUTE).contains(&now) {
            (minute.from, minute.kept) = (now, 0);
        }
        if minute.kept == KEPT {
            minute.left_out += 1;
            return None;
        }
        minute.kept += 1;
        Some(std::mem::take(&mut minute.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_strangers_fills_no_disk_and_is_told_of() {
        let strangers = Strangers::default();
        let recorded = |from: i64| (0..1000).filter_map(|n| strangers.refused(from + n)).collect::<Vec<_>>();
        assert_eq!(recorded(MINUTE), [0; 60]);
        assert_eq!(recorded(2 * MINUTE)[..2], [940, 0]);
        assert_eq!(strangers.refused(5), Some(940), "a clock that went back loses nothing");
    }
}
