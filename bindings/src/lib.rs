//! Rust bindings of `LuxxonSettlement`.
//!
//! The contract types are generated from the ABI and bytecode committed under `artifacts/`, so a
//! user of this crate needs neither node nor solc. `luxxon compile` writes those files; a test
//! fails when they differ from the sources.
//!
//! Beside them stand the two values every part of the system shares: [`SessionId`], the on-chain
//! form of a session's UUID, and [`MicroUsdc`], the integer unit of all money. [`build`] says how
//! the contract's code was built, for whoever compares a deployment with it.

pub mod build;
mod micro_usdc;
mod session_id;

pub use micro_usdc::{MicroUsdc, TooLarge};
pub use session_id::SessionId;

/// `LuxxonSettlement`: its calls, events, errors and deployment. `contracts/ILuxxonSettlement.sol`
/// says what each of them means.
#[expect(clippy::too_many_arguments, reason = "generated from the contract's signatures")]
pub mod settlement {
    alloy::sol!(
        #[derive(Debug, PartialEq, Eq)]
        #[sol(abi, rpc)]
        LuxxonSettlement,
        "artifacts/LuxxonSettlement.json"
    );
}

/// `UsdcStandIn`: the USDC of tests and devnets. Its ERC-20 and ERC-3009 parts are those of the
/// real USDC, so reading and approving through it works on Base too; `mint` does not.
#[expect(clippy::too_many_arguments, reason = "generated from the contract's signatures")]
pub mod usdc {
    alloy::sol!(
        #[derive(Debug, PartialEq, Eq)]
        #[sol(rpc)]
        UsdcStandIn,
        "artifacts/UsdcStandIn.json"
    );
}
