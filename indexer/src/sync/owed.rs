//! What the contract owes against what its logs add up to.

use super::SyncError;
use crate::{
    chain::{ChainError, Providers},
    ledger::{Block, Deployment, Event, owed_after},
    store::Cursor,
};
use alloy::{primitives::U256, sol_types::SolCall};
use luxxon_bindings::{MicroUsdc, settlement::LuxxonSettlement::totalOwedCall};
use tracing::debug;

/// Compares what the contract owes after block `to`, where the node can say, with what the events up
/// to there make of what it owed before. When they differ, logs are missing: of these blocks, or of
/// some before, which [`check_owed`] tells apart.
pub(super) fn add_up(
    cursor: &Cursor,
    events: &[Event],
    owed: Option<U256>,
    to: u64,
) -> Result<(), ChainError> {
    let Some(owed) = owed else { return Ok(()) };
    let logged = owed_after(cursor.owed, events);
    if logged.as_ref().is_ok_and(|logged| owed == U256::from(logged.get())) {
        return Ok(());
    }
    let logged = logged.map_or_else(|error| error.to_string(), |logged| format!("{logged} µUSDC"));
    Err(ChainError::Inconsistent(format!(
        "the contract owes {owed} µUSDC after block {to}, but the logs of blocks {} to {to} make it \
         {logged}",
        cursor.block.number + 1
    )))
}

/// Compares `tables`, the sum of all balances after block `at`, with what the contract says it owes
/// there. A node that no longer has that state, or does not answer calls by block hash, cannot say;
/// and before it is deployed, the contract cannot.
pub(super) async fn check_owed(
    providers: &Providers,
    deployment: Deployment,
    at: Block,
    tables: MicroUsdc,
) -> Result<(), SyncError> {
    if at.number < deployment.deploy_block {
        return Ok(());
    }
    let call = (deployment.settlement, totalOwedCall {}.abi_encode().into());
    let answer = match providers.calls_at(at.hash, &[call]).await {
        Ok(answer) => answer,
        Err(error @ (ChainError::StateUnavailable { .. } | ChainError::Refused { .. })) => {
            debug!(%error, block = at.number, "what the contract owes cannot be compared");
            return Ok(());
        }
        Err(other) => return Err(other.into()),
    };
    let chain = answer.first().and_then(|output| totalOwedCall::abi_decode_returns(output).ok());
    let chain = chain.ok_or_else(|| {
        ChainError::Inconsistent("totalOwed() answered something else".to_owned())
    })?;
    if chain == U256::from(tables.get()) {
        return Ok(());
    }
    Err(SyncError::OwedDiffers { block: at.number, chain, tables })
}
