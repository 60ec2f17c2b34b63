//! The whole system on a real chain: anvil, the contracts, the daemon and its API.

mod audit;
mod bad_requests;
mod balances;
mod commands;
mod consistency;
mod crash;
mod deploy;
mod deploy_refusals;
mod devnet;
mod differential;
mod docs;
mod faults;
mod histories;
mod limits_and_skips;
mod operations;
mod providers;
mod proxy;
mod reorg;
mod roles;
mod startup;
mod status_page;
#[cfg(target_os = "linux")]
mod terminal;
mod toolchain;
mod verify;
