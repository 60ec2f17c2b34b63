//! Whether the daemon does its work: what `/ready` says.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long ago the chain may have been looked at last. A node that is slow, or asks to be left
/// alone for a while, is no reason to take traffic away; one that cannot be reached is.
const LONGEST_SILENCE: Duration = Duration::from_mins(2);

/// What the parts of the daemon tell of themselves.
#[derive(Debug, Default)]
pub struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the ledger last was as far as the node, or came nearer to it.
    moved: Option<Instant>,
    /// What the last comparison with the contract found.
    differences: Vec<String>,
}

impl Health {
    /// The ledger came nearer to the chain's head, or is there.
    pub(crate) fn moved(&self) {
        self.state(|state| state.moved = Some(Instant::now()));
    }

    /// A comparison with the contract found these differences, or none.
    pub(crate) fn compared(&self, differences: Vec<String>) {
        self.state(|state| state.differences = differences);
    }

    /// Why the daemon is not ready; nothing where it is.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.state(|state| state.complaints(Instant::now()))
    }

    fn state<T>(&self, of: impl FnOnce(&mut State) -> T) -> T {
        // Whole at every moment.
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn complaints(&self, now: Instant) -> Vec<String> {
        let silence = self.moved.map(|moved| now.saturating_duration_since(moved));
        let stuck = match silence {
            None => Some("the chain was not looked at yet".to_owned()),
            Some(silence) if silence > LONGEST_SILENCE => {
                Some(format!("the ledger has not moved for {} s", silence.as_secs()))
            }
            Some(_) => None,
        };
        stuck.into_iter().chain(self.differences.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_while_the_ledger_moves_and_the_last_comparison_was_clean() {
        let health = Health::default();
        assert_eq!(health.complaints(), ["the chain was not looked at yet"]);
        health.moved();
        assert!(health.complaints().is_empty());
        health.compared(vec!["totalOwed() is 1 on chain, and 2 in the tables".to_owned()]);
        assert_eq!(health.complaints().len(), 1);
        health.compared(Vec::new());
        assert!(health.complaints().is_empty());
    }

    #[test]
    fn a_ledger_that_stands_still_for_too_long_is_not_ready() {
        let now = Instant::now();
        let state = State { moved: Some(now), differences: Vec::new() };
        assert!(state.complaints(now + LONGEST_SILENCE).is_empty());
        let later = now + LONGEST_SILENCE + Duration::from_secs(1);
        assert_eq!(state.complaints(later), ["the ledger has not moved for 121 s"]);
    }
}
