use crate::chain::say;
use std::time::{Duration, Instant};

/// What takes less needs no word.
const FIRST: Duration = Duration::from_secs(2);
/// Between two words.
const NEXT: Duration = Duration::from_secs(10);

/// How far a long audit is, on standard error.
#[derive(Debug)]
pub(super) struct Progress {
    next: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { next: Instant::now() + FIRST }
    }

    /// Says `what`, where it is time.
    pub(super) fn at(&mut self, what: impl FnOnce() -> String) {
        let now = Instant::now();
        if now >= self.next {
            self.next = now + NEXT;
            say(what());
        }
    }
}
