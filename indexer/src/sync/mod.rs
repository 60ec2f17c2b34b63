//! Moves data from the chain into the store, one step at a time.
//!
//! What to do next is decided by `decide`, a function of values; [`Syncer`] carries it out. Every
//! step ends in one transaction that moves the cursor together with the rows, so it can be cut off
//! anywhere and taken up again.

mod decide;
mod error;
mod pace;
mod syncer;

pub use error::SyncError;
pub use syncer::{Progress, Syncer};
