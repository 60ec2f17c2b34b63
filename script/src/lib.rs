//! What the operator's command line `luxxon` is made of.
//!
//! `compile` and `devnet` are cargo features, because each needs crates the other does not.

#[cfg(feature = "compile")]
pub mod compile;
#[cfg(feature = "devnet")]
pub mod devnet;
#[cfg(feature = "devnet")]
mod process;
pub mod project;
