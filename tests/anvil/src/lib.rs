//! What the system tests are made of: a chain with the contracts on it ([`World`]), random
//! histories ([`History`]), the indexer in front of it, the ledger's tables as text ([`tables`]),
//! and somebody who deploys and administers the contract with `luxxon` ([`Operator`]).

mod api;
mod history;
pub mod http;
pub mod keystore;
mod operator;
mod programs;
pub mod tables;
mod world;

pub use api::ApiClient;
pub use history::History;
pub use operator::{Done, Operator, Running, finish};
pub use programs::programs;
pub use world::{World, to_head};
