//! Who holds what, for people.

use super::action::or_nobody;
use crate::{
    chain::{json, seconds_as_text, timestamp},
    contract::State,
};
use alloy::primitives::Address;
use luxxon_bindings::MicroUsdc;
use serde::Serialize;
use std::fmt;

/// The roles of one contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Roles {
    /// The chain.
    pub chain_id: u64,
    /// The contract.
    #[serde(serialize_with = "json::address")]
    pub address: Address,
    /// The rest of it.
    #[serde(flatten)]
    pub state: State,
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain_id, address, state } = self;
        writeln!(f, "LuxxonSettlement at {address} on chain {chain_id}")?;
        writeln!(f, "  owner            {}", state.owner)?;
        writeln!(f, "  pending owner    {}", or_nobody(state.pending_owner))?;
        writeln!(f, "  relayer          {}", or_nobody(state.relayer))?;
        match state.pending_relayer {
            None => writeln!(f, "  pending relayer  nobody")?,
            Some(pending) => writeln!(
                f,
                "  pending relayer  {}, can accept from {} on",
                pending.candidate,
                timestamp(pending.acceptable_at)
            )?,
        }
        writeln!(f, "  pauser           {}", or_nobody(state.pauser))?;
        writeln!(f, "  platform wallet  {}", state.platform_wallet)?;
        writeln!(f, "  relayer delay    {}", seconds_as_text(state.relayer_delay))?;
        writeln!(f, "  paused           {}", if state.paused { "yes" } else { "no" })?;
        writeln!(f, "  USDC             {}", state.usdc)?;
        match MicroUsdc::try_from(state.total_owed) {
            Ok(owed) => write!(f, "  owes             {owed} µUSDC"),
            Err(_) => write!(f, "  owes             {} µUSDC", state.total_owed),
        }
    }
}
