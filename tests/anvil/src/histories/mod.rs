//! Random histories of the whole system, each of whose steps is compared with the
//! [`model`](crate::model): the contract, the indexer's store at every level, and its API.

mod base;
mod campaign;
mod cast;
mod chain;
mod client;
mod compare_api;
mod compare_store;
mod end;
mod expected;
mod faults;
mod generate;
mod indexer;
mod met;
mod node;
mod process;
mod question;
mod resolve;
mod run;
pub mod script;
mod sessions;
mod shorten;
mod state;
mod step;
mod transaction;
mod view;

pub use base::Base;
pub use campaign::{Campaign, Found};
pub use met::Met;
pub use process::play_with_daemon;
pub use run::{Played, play, play_below_finality};
pub use shorten::drawn;
pub use step::{Does, Fate, Move, Pay, Step, Trouble, Twist, Wait};
