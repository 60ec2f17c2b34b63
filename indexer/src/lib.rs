//! Follows `LuxxonSettlement`'s logs into SQLite and serves balances and settlements over HTTP.
//!
//! Data flows one way: [`chain`] asks a node, [`sync`] decides what to ask for and moves the
//! answers, [`ledger`] holds the rules, [`store`] the tables, and [`api`] reads them. The chain is
//! the authority; what is stored is a cache of it that can be made again.

pub mod api;
pub mod app;
pub mod audit;
pub mod chain;
pub mod config;
pub mod health;
pub mod key;
pub mod ledger;
pub mod metrics;
pub mod store;
pub mod sync;

#[cfg(test)]
mod fuzzing;
#[cfg(test)]
mod testing;
