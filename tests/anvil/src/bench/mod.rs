//! What the benchmarks are made of: a chain with as many events as one likes ([`BenchChain`]), the
//! daemon's backfill of it under a stopwatch ([`Backfill`]), the least that any indexer would have
//! to do for the same rows ([`Floor`]), databases that no chain was needed for ([`Synthetic`]), many
//! clients of an API at once ([`load`]), and figures ([`figures`]).

mod backfill;
pub mod chain;
mod fetch;
pub mod figures;
mod floor;
pub mod load;
mod rows;
mod synthetic;

pub use backfill::Backfill;
pub use chain::BenchChain;
pub use floor::Floor;
pub use synthetic::Synthetic;
