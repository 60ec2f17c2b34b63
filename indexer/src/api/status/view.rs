//! The status as a function of what is known.

use super::About;
use crate::{
    api::{
        envelope::eip55,
        error::{ApiError, Code},
        time,
    },
    health::Report,
    ledger::{Block, Change, Event, EventId, Limits, Settlement, Side, error_name},
    store::{Cursor, Newest},
};
use alloy::primitives::{Address, B256};
use luxxon_bindings::MicroUsdc;
use serde::Serialize;
use uuid::Uuid;

/// All that the page shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusDto {
    build: BuildDto,
    chain: ChainDto,
    sync: SyncDto,
    audit: AuditDto,
    /// The sum of all pools and of all that is held.
    total_owed: MicroUsdc,
    /// The newest first.
    events: Vec<EventDto>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct BuildDto {
    version: &'static str,
    sha: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ChainDto {
    id: u64,
    name: String,
    #[serde(serialize_with = "eip55")]
    settlement_address: Address,
    #[serde(serialize_with = "eip55")]
    usdc_address: Address,
    /// Empty where there is none.
    explorer_url: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct SyncDto {
    ready: bool,
    complaints: Vec<String>,
    /// The node's last block; none before it was asked.
    head_block: Option<String>,
    /// Since when it gives no answer that is any good; none where it does.
    node_fails_since: Option<String>,
    /// The last block that is in.
    indexed: BlockDto,
    safe_block: String,
    finalized_block: String,
    /// Blocks of the node that are not in; none before it was asked.
    lag_blocks: Option<u64>,
    /// The age of the last block that is in, when this is sent.
    lag_seconds: u64,
    /// The time of that block, in Unix seconds.
    #[serde(skip)]
    timestamp: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct BlockDto {
    block_number: String,
    block_hash: B256,
    confirmed_at: String,
}

/// What the last comparison with the contract came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum AuditResult {
    /// There is none, and none is to come.
    Off,
    /// There is none yet.
    NotYet,
    /// No difference.
    Clean,
    /// Some.
    Differs,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct AuditDto {
    result: AuditResult,
    compared_at: Option<String>,
    /// The block that was compared; none where the tables contradict themselves.
    block_number: Option<String>,
    differences: usize,
}

/// An event as everyone sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventDto {
    id: Uuid,
    #[serde(flatten)]
    change: ChangeDto,
    tx_hash: B256,
    block_number: String,
    confirmed_at: String,
    finality: &'static str,
}

/// What happened, under the names of the published history and of exports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
enum ChangeDto {
    Deposit {
        #[serde(serialize_with = "eip55")]
        account: Address,
        #[serde(serialize_with = "eip55")]
        payer: Address,
        amount: MicroUsdc,
    },
    Withdrawal {
        #[serde(serialize_with = "eip55")]
        account: Address,
        amount: MicroUsdc,
    },
    Settle {
        session_id_hash: B256,
        #[serde(serialize_with = "eip55")]
        from: Address,
        #[serde(serialize_with = "eip55")]
        to: Address,
        /// What left the pool.
        amount: MicroUsdc,
        to_amount: MicroUsdc,
        fee_amount: MicroUsdc,
        rate_per_second: MicroUsdc,
        chargeable_seconds: u32,
    },
    PayoutHeld {
        #[serde(serialize_with = "eip55")]
        account: Address,
        amount: MicroUsdc,
    },
    Claimed {
        #[serde(serialize_with = "eip55")]
        account: Address,
        amount: MicroUsdc,
    },
    Approval {
        #[serde(serialize_with = "eip55")]
        account: Address,
        /// Any 256-bit value.
        allowance: String,
    },
    LimitsSet {
        #[serde(serialize_with = "eip55")]
        account: Address,
        max_rate_per_second: MicroUsdc,
        max_per_session: MicroUsdc,
        max_per_day: MicroUsdc,
    },
    EntrySkipped {
        session_id_hash: B256,
        #[serde(serialize_with = "eip55")]
        account: Address,
        /// The name of the contract's error, or its selector where that is not known.
        reason: String,
    },
}

impl StatusDto {
    /// The status without its age, which passes with time alone: two that are equal say the same.
    pub(super) fn of(about: &About, report: Report, newest: &Newest) -> Result<Self, ApiError> {
        let About { config, build_sha, audits, metrics, .. } = about;
        let Newest { events, cursor } = newest;
        let (version, sha) = (env!("CARGO_PKG_VERSION"), build_sha.clone());
        // No deployment is in block 0: the node was not asked yet.
        let head = Some(metrics.counts().head).filter(|head| *head > 0);
        let events = events.iter().map(|(event, block)| EventDto::of(event, *block, cursor));
        Ok(Self {
            build: BuildDto { version, sha },
            chain: ChainDto {
                id: config.chain_id,
                name: config.chain_name.clone(),
                settlement_address: config.settlement,
                usdc_address: config.usdc,
                explorer_url: config.explorer_url.clone(),
            },
            audit: AuditDto::of(&report, *audits)?,
            sync: SyncDto::of(report, cursor, head)?,
            total_owed: cursor.owed,
            events: events.collect::<Result<_, _>>()?,
        })
    }

    /// The same at `now`, in Unix seconds.
    pub(super) fn at(&self, now: u64) -> Self {
        let mut status = self.clone();
        status.sync.lag_seconds = now.saturating_sub(self.sync.timestamp);
        status
    }
}

impl SyncDto {
    fn of(report: Report, cursor: &Cursor, head: Option<u64>) -> Result<Self, ApiError> {
        let Report { complaints, node_fails_since, .. } = report;
        let Block { number, hash, timestamp } = cursor.block;
        Ok(Self {
            ready: complaints.is_empty(),
            complaints,
            head_block: head.map(|head| head.to_string()),
            node_fails_since: node_fails_since.map(time::of_unix).transpose()?,
            indexed: BlockDto {
                block_number: number.to_string(),
                block_hash: hash,
                confirmed_at: time::of_unix(timestamp)?,
            },
            safe_block: cursor.safe_block.to_string(),
            finalized_block: cursor.final_block.to_string(),
            lag_blocks: head.map(|head| head.saturating_sub(number)),
            lag_seconds: 0,
            timestamp,
        })
    }
}

impl AuditDto {
    fn of(report: &Report, audits: bool) -> Result<Self, ApiError> {
        let compared = report.compared.as_ref();
        let differences = compared.map_or(0, |compared| compared.differences);
        Ok(Self {
            result: match compared {
                None if audits => AuditResult::NotYet,
                None => AuditResult::Off,
                Some(_) if differences == 0 => AuditResult::Clean,
                Some(_) => AuditResult::Differs,
            },
            compared_at: compared.map(|compared| time::of_unix(compared.at)).transpose()?,
            block_number: compared.and_then(|compared| compared.block).map(|n| n.to_string()),
            differences,
        })
    }
}

impl EventDto {
    /// An event of `block`, in a ledger that stands at `cursor`.
    pub(super) fn of(event: &Event, block: Block, cursor: &Cursor) -> Result<Self, ApiError> {
        let id = EventId::new(event.position, Side::Account, block.hash)
            .ok_or_else(|| ApiError::new(Code::InternalServerError).detail("id:outOfRange"))?;
        Ok(Self {
            id: id.to_uuid(),
            change: ChangeDto::from(&event.change),
            tx_hash: event.tx_hash,
            block_number: block.number.to_string(),
            confirmed_at: time::of_unix(block.timestamp)?,
            finality: cursor.level_of(block.number).as_str(),
        })
    }
}

impl From<&Change> for ChangeDto {
    fn from(change: &Change) -> Self {
        match *change {
            Change::Deposit { account, payer, amount } => Self::Deposit { account, payer, amount },
            Change::Withdrawal { account, amount } => Self::Withdrawal { account, amount },
            Change::Settle(settlement) => {
                let Settlement { session, from, to, gross, to_amount, fee_amount, .. } = settlement;
                Self::Settle {
                    session_id_hash: session.0,
                    from,
                    to,
                    amount: gross,
                    to_amount,
                    fee_amount,
                    rate_per_second: settlement.rate_per_second,
                    chargeable_seconds: settlement.chargeable_seconds,
                }
            }
            Change::PayoutHeld { account, amount } => Self::PayoutHeld { account, amount },
            Change::Claimed { account, amount } => Self::Claimed { account, amount },
            Change::Approval { owner, allowance } => {
                Self::Approval { account: owner, allowance: allowance.to_string() }
            }
            Change::LimitsSet { account, limits } => {
                let Limits { max_rate_per_second, max_per_session, max_per_day } = limits;
                Self::LimitsSet { account, max_rate_per_second, max_per_session, max_per_day }
            }
            Change::EntrySkipped { session, from, reason, .. } => Self::EntrySkipped {
                session_id_hash: session.0,
                account: from,
                reason: error_name(reason).map_or_else(|| reason.to_string(), str::to_owned),
            },
        }
    }
}
