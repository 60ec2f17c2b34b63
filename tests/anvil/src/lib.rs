//! What the system tests are made of: a chain with the contracts on it ([`World`]), random
//! histories ([`History`]), the indexer in front of it, and the ledger's tables as text
//! ([`tables`]).

mod api;
mod history;
mod programs;
pub mod tables;
mod world;

pub use api::ApiClient;
pub use history::History;
pub use programs::programs;
pub use world::{World, to_head};
