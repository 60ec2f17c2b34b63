//! What the system tests are made of: a chain with the contracts on it ([`World`]), random
//! traffic ([`History`]), the indexer in front of it ([`Daemon`]), a proxy between the two that
//! does to answers what bad nodes do ([`FaultProxy`]), the ledger's tables as text ([`tables`]),
//! somebody who deploys and administers the contract with `luxxon` ([`Operator`]), and somebody who
//! looks at the status page ([`Visitor`]). And of what the
//! benchmarks are made of ([`mod@bench`]).

mod api;
pub mod bench;
pub mod command;
mod daemon;
pub mod histories;
mod history;
pub mod http;
pub mod keystore;
pub mod model;
mod operator;
mod process;
mod programs;
mod proxy;
pub mod tables;
mod visitor;
mod world;

pub use api::ApiClient;
pub use daemon::Daemon;
pub use history::History;
pub use operator::{Done, Operator, Running, finish};
pub use programs::programs;
pub use proxy::{
    AnswerFault, Asked, BatchFault, Call, Calls, ExchangeFault, Fault, FaultProxy, Injected,
    PushFault, RANGE_WORDINGS, Random, RangeWording, Rule, Suggestion, visible_faults,
};
pub use visitor::{Observed, Visitor};
pub use world::{World, to_head};
