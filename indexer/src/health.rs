//! Whether the daemon does its work: what `/ready` says, and the status page.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How long ago the chain may have been looked at last. A node that is slow, or asks to be left
/// alone for a while, is no reason to take traffic away; one that cannot be reached is.
const LONGEST_SILENCE: Duration = Duration::from_mins(2);

/// So many failures in a row are said to be the node's: one alone is made good within a second.
const FAILURES_THAT_COUNT: u32 = 2;

/// What the parts of the daemon tell of themselves.
#[derive(Debug, Default)]
pub struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the ledger last was as far as the node, or came nearer to it.
    moved: Option<Instant>,
    /// How often in a row the node gave no answer that was any good.
    failures: u32,
    /// When the first of these was: Unix seconds.
    failing_since: u64,
    /// What the last comparison with the contract found.
    compared: Option<Comparison>,
}

/// What a comparison with the contract found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// When it was: Unix seconds.
    pub(crate) at: u64,
    /// The block that was compared; none where the tables contradict themselves.
    pub(crate) block: Option<u64>,
    /// How many differences there are.
    pub(crate) differences: usize,
    /// Some of them.
    shown: Vec<String>,
}

/// All that is told, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Why the daemon is not ready; nothing where it is.
    pub(crate) complaints: Vec<String>,
    /// Since when the node gives no answer that is any good, in Unix seconds; `None` where it does.
    pub(crate) node_fails_since: Option<u64>,
    /// The last comparison that came to an end.
    pub(crate) compared: Option<Comparison>,
}

impl Health {
    /// The ledger came nearer to the chain's head, or is there.
    pub(crate) fn moved(&self) {
        self.state(|state| state.moved = Some(Instant::now()));
    }

    /// The node answered.
    pub(crate) fn node_answered(&self) {
        self.state(|state| state.failures = 0);
    }

    /// The node gave no answer that is any good.
    pub(crate) fn node_failed(&self) {
        self.state(|state| {
            if state.failures == 0 {
                state.failing_since = unix_now();
            }
            state.failures = state.failures.saturating_add(1);
        });
    }

    /// A comparison with the contract, at a block, found so many differences, or none; `shown` are
    /// the first of them.
    pub(crate) fn compared(&self, block: Option<u64>, differences: usize, shown: Vec<String>) {
        let comparison = Comparison { at: unix_now(), block, differences, shown };
        self.state(|state| state.compared = Some(comparison));
    }

    /// Why the daemon is not ready; nothing where it is.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.state(|state| state.complaints(Instant::now()))
    }

    /// All of it.
    pub(crate) fn report(&self) -> Report {
        self.state(|state| Report {
            complaints: state.complaints(Instant::now()),
            node_fails_since: (state.failures >= FAILURES_THAT_COUNT)
                .then_some(state.failing_since),
            compared: state.compared.clone(),
        })
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
        let differences = self.compared.iter().flat_map(|compared| &compared.shown);
        stuck.into_iter().chain(differences.cloned()).collect()
    }
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
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
        let difference = "totalOwed() is 1 on chain, and 2 in the tables".to_owned();
        health.compared(Some(7), 1, vec![difference]);
        assert_eq!(health.complaints().len(), 1);
        health.compared(Some(8), 0, Vec::new());
        assert!(health.complaints().is_empty());
        let compared = health.report().compared.unwrap();
        assert_eq!((compared.block, compared.differences), (Some(8), 0));
    }

    #[test]
    fn a_node_fails_from_the_first_of_several_failures_until_it_answers() {
        let health = Health::default();
        let began = unix_now();
        health.node_failed();
        assert_eq!(health.report().node_fails_since, None, "once is soon made good");
        health.node_failed();
        let since = health.report().node_fails_since.unwrap();
        assert!((began..=unix_now()).contains(&since));
        health.node_failed();
        assert_eq!(health.report().node_fails_since, Some(since));
        health.node_answered();
        assert_eq!(health.report().node_fails_since, None);
        health.node_failed();
        assert_eq!(health.report().node_fails_since, None);
    }

    #[test]
    fn a_ledger_that_stands_still_for_too_long_is_not_ready() {
        let now = Instant::now();
        let state = State { moved: Some(now), ..State::default() };
        assert!(state.complaints(now + LONGEST_SILENCE).is_empty());
        let later = now + LONGEST_SILENCE + Duration::from_secs(1);
        assert_eq!(state.complaints(later), ["the ledger has not moved for 121 s"]);
    }
}
