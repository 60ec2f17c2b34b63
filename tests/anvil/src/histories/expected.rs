//! What the events of a view add up to for wallets and sessions, by the model alone.

use super::{
    chain::{Block, Mined},
    view::View,
};
use crate::model::{Act, Call, Entry, Event};
use alloy::primitives::{Address, B256};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use uuid::Uuid;

/// An event in the history of a wallet.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    pub(super) block: Arc<Block>,
    pub(super) log_index: u32,
    /// The wallet is the operator of a settlement.
    pub(super) as_payee: bool,
    pub(super) tx_hash: B256,
    pub(super) kind: &'static str,
    pub(super) amount: String,
    pub(super) session: Option<B256>,
}

/// A session that was settled, or left out.
#[derive(Clone, Debug)]
pub(super) struct Seen<T> {
    pub(super) block: Arc<Block>,
    pub(super) log_index: u32,
    pub(super) tx_hash: B256,
    pub(super) what: T,
}

/// Everything that the indexer should show.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// The history of each wallet, the newest first.
    pub(super) histories: BTreeMap<Address, Vec<Shown>>,
    pub(super) settled: BTreeMap<B256, Seen<Entry>>,
    /// The last skip: which entry, and why.
    pub(super) skipped: BTreeMap<B256, Seen<(u64, &'static str)>>,
    /// Sessions of blocks from some height on.
    pub(super) recent: BTreeSet<B256>,
}

impl Expected {
    /// What `view` adds up to. Sessions are recent in block `recent` and above.
    pub(super) fn of(view: &View, recent: u64) -> Self {
        let mut expected = Self::default();
        for block in &view.blocks {
            for mined in &block.mined {
                if block.number >= recent {
                    expected.recent.extend(sessions_of(&mined.call));
                }
                let events = mined.outcome.as_ref().map_or(&[][..], Vec::as_slice);
                for (log_index, event) in (mined.first_log..).zip(events) {
                    expected.add(block, mined, log_index, event);
                }
            }
        }
        for history in expected.histories.values_mut() {
            history.reverse();
        }
        expected
    }

    fn add(&mut self, block: &Arc<Block>, mined: &Mined, log_index: u32, event: &Event) {
        let (block, tx_hash) = (Arc::clone(block), mined.hash);
        let mut show = |wallet: Address, kind, amount: String, session, as_payee| {
            let block = Arc::clone(&block);
            let shown = Shown { block, log_index, as_payee, tx_hash, kind, amount, session };
            self.histories.entry(wallet).or_default().push(shown);
        };
        match event {
            Event::Deposited { account, amount, .. } => {
                show(*account, "DEPOSIT", amount.to_string(), None, false);
            }
            Event::Withdrawn { account, amount } => {
                show(*account, "WITHDRAWAL", amount.to_string(), None, false);
            }
            Event::Approval { owner, allowance } => {
                show(*owner, "APPROVAL", allowance.to_string(), None, false);
            }
            Event::Settled(entry) => {
                let session = Some(entry.session);
                show(entry.from, "SETTLE", entry.gross().to_string(), session, false);
                show(entry.to, "SETTLE", entry.to_amount.to_string(), session, true);
                let seen = Seen { block, log_index, tx_hash, what: *entry };
                self.settled.insert(entry.session, seen);
            }
            Event::EntrySkipped { session, index, name, .. } => {
                let seen = Seen { block, log_index, tx_hash, what: (*index, *name) };
                self.skipped.insert(*session, seen);
            }
            _ => {}
        }
    }

    /// The history of a wallet, the newest first.
    pub(super) fn history(&self, wallet: Address) -> &[Shown] {
        self.histories.get(&wallet).map_or(&[], Vec::as_slice)
    }
}

fn sessions_of(call: &Call) -> Vec<B256> {
    match &call.act {
        Act::SettleFromPool(entry) => vec![entry.session],
        Act::SettleBatch(entries) => entries.iter().map(|entry| entry.session).collect(),
        _ => Vec::new(),
    }
}

impl Shown {
    /// The event's id: block number 40 bits, log index 23, side 1, the first 58 of the block's hash,
    /// around the version and the variant of a UUID.
    pub(super) fn id(&self) -> Uuid {
        let mut hash = [0; 8];
        hash.copy_from_slice(&self.block.hash[..8]);
        let hash = u64::from_be_bytes(hash) >> 6;
        let bits = u128::from(self.block.number) << 82
            | u128::from(self.log_index) << 59
            | u128::from(self.as_payee) << 58
            | u128::from(hash);
        let (high, middle, low) = (bits >> 74, bits >> 62 & 0xfff, bits & ((1 << 62) - 1));
        Uuid::from_u128(high << 80 | 8 << 76 | middle << 64 | 2 << 62 | low)
    }
}
