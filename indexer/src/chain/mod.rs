//! The only code that talks to a node.
//!
//! A node's answers are not taken on trust: every set of logs comes in one batch with the header
//! that shows the node knows the block, and is checked for being what was asked (`logs`).

mod calls;
mod error;
mod identity;
mod limits;
mod logs;
mod node;
mod providers;
mod range_refusal;
mod rpc;
mod wire;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use error::{AskLess, ChainError};
pub use identity::{Identity, identify};
pub use limits::Limits;
pub use node::{BlockLogs, DEFAULT_TIMEOUT, Header, Heads, Node, RangeLogs, Wanted, is_loopback};
pub(crate) use providers::backoff;
pub use providers::{Providers, Quorum, Source};
pub use range_refusal::TooLargeIn;
