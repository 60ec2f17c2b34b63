//! What the operator's command line `luxxon` is made of.
//!
//! `audit`, `compile`, `deploy` and `devnet` are cargo features, because each needs crates the others
//! do not; `kms` adds AWS KMS to the keys that `deploy` signs with. The feature `deploy` has the
//! commands `deploy`, `verify` and `roles`, which share [`chain`] and [`contract`].

#[cfg(feature = "audit")]
pub mod audit;
#[cfg(feature = "deploy")]
pub mod chain;
#[cfg(feature = "compile")]
pub mod compile;
#[cfg(feature = "deploy")]
pub mod contract;
#[cfg(feature = "deploy")]
pub mod deploy;
#[cfg(feature = "devnet")]
pub mod devnet;
#[cfg(any(feature = "deploy", feature = "devnet"))]
mod process;
pub mod project;
#[cfg(feature = "deploy")]
pub mod roles;
#[cfg(feature = "deploy")]
pub mod verify;
