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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{CONSUMER, DEPLOY_BLOCK, cursor, deposit, event, first, settle};
    use uuid::Uuid;

    /// What is wrong with what the contract owes after two deposits of 10, where 5 was owed before.
    fn missing(owed: Option<u64>) -> Option<String> {
        let events = [0, 1].map(|index| event(DEPLOY_BLOCK, index, deposit(CONSUMER, 10)));
        let owed = owed.map(U256::from);
        let outcome = add_up(&cursor(first(), 99, 5), &events, owed, 102);
        outcome.err().map(|error| error.to_string())
    }

    #[test]
    fn logs_that_add_up_and_a_node_that_cannot_say_are_taken() {
        assert_eq!([missing(Some(25)), missing(None)], [None, None]);
    }

    #[test]
    fn logs_that_do_not_add_up_are_missing_some_and_the_blocks_are_named() {
        for owed in [24, 26, 0] {
            let why = missing(Some(owed)).unwrap();
            let said =
                format!("the contract owes {owed} µUSDC after block 102, but the logs of blocks ");
            assert!(why.contains(&(said + "100 to 102 make it 25 µUSDC")), "{why}");
        }
    }

    #[test]
    fn logs_that_cannot_be_are_missing_some_whatever_the_contract_owes() {
        let paid = event(DEPLOY_BLOCK, 0, settle(Uuid::nil(), CONSUMER, CONSUMER, 6, 0));
        let error = add_up(&cursor(first(), 99, 5), &[paid], Some(U256::ZERO), 100).unwrap_err();
        assert!(error.to_string().contains("cannot pay 6 µUSDC"), "{error}");
    }
}
