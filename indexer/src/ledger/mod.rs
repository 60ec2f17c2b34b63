//! The rules of the money, as functions of values: no I/O, no clock.
//!
//! What a log says ([`decode`]), what an event does to a balance ([`Balances`]), what a session costs
//! ([`meter`]), and how an event is named for ever ([`EventId`]). Everything here can be computed
//! again from the chain with the same result.

mod balances;
mod decode;
mod event;
mod event_id;
#[cfg(test)]
mod fuzz;
pub mod meter;

pub use balances::{BalanceChange, BalanceError, Balances, Holding, owed_after};
pub use decode::{DecodeError, Deployment, RawLog, decode, error_name};
pub use event::{Block, Change, Event, Limits, MAX_BATCH_SIZE, Position, Settlement};
pub use event_id::{EventId, Side};
