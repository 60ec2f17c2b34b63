//! What a log says.

use alloy::{
    primitives::{Address, B256, U256},
    sol_types::{SolEvent, SolEventInterface, abi::AbiDecoderConfig},
};
use luxxon_bindings::{
    settlement::LuxxonSettlement::{LuxxonSettlementEvents as Logged, OwnershipTransferred},
    usdc::UsdcStandIn::Transfer,
};
use luxxon_indexer::ledger::{Deployment, Event, RawLog, decode};

/// What a log says to an auditor.
#[derive(Debug)]
pub(super) enum Fact {
    /// What the ledger is made of, as the indexer decodes it.
    Ledger(Event),
    /// A role, a pause or a rescue.
    Role(Logged),
    /// USDC came or went.
    Moved {
        /// Out of whose wallet.
        from: Address,
        /// Into whose.
        to: Address,
        /// µUSDC.
        amount: U256,
    },
    /// An allowance from before the deployment.
    Nothing,
}

/// As strict as the indexer's.
const EXACT: AbiDecoderConfig = AbiDecoderConfig::new().strict(true);

impl Fact {
    /// What `raw` says; in words, why it says nothing that the contract or USDC can say.
    pub(super) fn of(deployment: &Deployment, raw: &RawLog) -> Result<Self, String> {
        let topic = raw.log.topics().first();
        if raw.log.address == deployment.usdc && topic == Some(&Transfer::SIGNATURE_HASH) {
            let moved = Transfer::decode_log_with_config(&raw.log, EXACT);
            let moved = moved.map_err(|error| format!("a Transfer of USDC's: {error}"))?.data;
            return Ok(Self::Moved { from: moved.from, to: moved.to, amount: moved.value });
        }
        match decode(deployment, raw) {
            Ok(Some(event)) => Ok(Self::Ledger(event)),
            Ok(None) if raw.log.address == deployment.settlement => {
                let logged = Logged::decode_log_with_config(&raw.log, EXACT);
                logged.map(|logged| Self::Role(logged.data)).map_err(|error| error.to_string())
            }
            Ok(None) => Ok(Self::Nothing),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Whether `raw` is the first log that the contract's constructor writes.
pub(super) fn is_first(raw: &RawLog) -> bool {
    let topics = raw.log.topics();
    topics.first() == Some(&OwnershipTransferred::SIGNATURE_HASH)
        && topics.get(1) == Some(&B256::ZERO)
}
