use super::{Progress, SyncError};
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// Says that the node is behind us: when it begins, once a minute while it lasts, and when it is
/// over. A node that was reset to a shorter chain looks like one that is catching up, and nobody
/// should have to guess.
#[derive(Debug, Default)]
pub(super) struct WaitingForNode {
    since: Option<Instant>,
    said: Option<Instant>,
}

impl WaitingForNode {
    pub(super) fn note(&mut self, step: &Result<Progress, SyncError>) {
        const EVERY: Duration = Duration::from_mins(1);
        match step {
            Ok(Progress::NodeBehind) => {
                let since = *self.since.get_or_insert_with(Instant::now);
                if self.said.is_none_or(|said| said.elapsed() >= EVERY) {
                    self.said = Some(Instant::now());
                    let waited = since.elapsed().as_secs();
                    warn!(waited, "the node is behind the ledger: waiting for it");
                }
            }
            Ok(_) => {
                if self.since.take().is_some() {
                    self.said = None;
                    info!("the node has caught up");
                }
            }
            Err(_) => {}
        }
    }
}
