//! The whole system on a real chain: anvil, the contracts, the daemon and its API.

mod balances;
mod crash;
mod devnet;
mod docs;
mod reorg;
mod startup;
mod toolchain;
