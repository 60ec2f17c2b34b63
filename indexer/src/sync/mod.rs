//! Moves data from the chain into the store, one step at a time.
//!
//! What to do next is decided by `decide`, a function of values; [`Syncer`] carries it out. Every
//! step ends in one transaction that moves the cursor together with the rows, so it can be cut off
//! anywhere and taken up again.

mod backfill;
mod decide;
mod error;
mod gathered;
mod owed;
mod range_size;
mod replay;
mod syncer;
mod waiting;

pub use error::SyncError;
pub use replay::Replay;
pub use syncer::{Progress, Syncer};

use crate::ledger::{Deployment, Event, RawLog, decode};
use range_size::RangeSize;

/// The events among `logs`.
fn decode_all(deployment: &Deployment, logs: &[RawLog]) -> Result<Vec<Event>, SyncError> {
    let event = |raw: &RawLog| {
        decode(deployment, raw).transpose().map(|outcome| {
            outcome.map_err(|error| SyncError::Decode {
                block: raw.position.block,
                log_index: raw.position.log_index,
                error,
            })
        })
    };
    logs.iter().filter_map(event).collect()
}
