//! The two ways to settle a list of entries, and what each leaves behind.

use super::entries::{POOL, Parties};
use alloy::{
    primitives::{Address, B256, Selector, U256, Uint},
    providers::Provider,
    rpc::types::TransactionRequest,
    sol_types::{Revert, SolError},
};
use eyre::{Result, ensure, eyre};
use fastrand::Rng;
use luxxon_bindings::{MicroUsdc, SessionId, settlement::ILuxxonSettlement::BatchEntry};
use luxxon_indexer::{
    ledger::{Change, Settlement},
    store::Store,
};
use luxxon_tests::{World, to_head};
use std::collections::BTreeMap;

/// For a whole batch.
const GAS: u64 = 16_000_000;

/// What a way of settling left behind, by the contract.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Books {
    /// Of each account: pool, what of its USDC is in its wallet, and what is held for it.
    accounts: BTreeMap<Address, [U256; 3]>,
    /// Of each account: its three limits, and what was spent today.
    limits: BTreeMap<Address, [u64; 4]>,
    settled: BTreeMap<B256, bool>,
    total_owed: U256,
    /// What the contract's own USDC is.
    held: U256,
}

/// What the indexer made of the same chain.
pub(super) struct Tables {
    /// Of each account: pool, and what is held for it.
    pub(super) balances: BTreeMap<Address, [MicroUsdc; 2]>,
    pub(super) settled: BTreeMap<B256, Settlement>,
    /// Of each session that a batch left out: the entry, and the reason.
    pub(super) skips: BTreeMap<B256, (usize, Selector)>,
}

/// What became of an entry: paid, or left out for this reason.
pub(super) type Outcome = std::result::Result<(), Selector>;

/// A list of entries, and the chain they are tried on.
pub(super) struct Trial {
    world: World,
    pub(super) parties: Parties,
    pub(super) number: u64,
    pub(super) entries: Vec<BatchEntry>,
    /// Whom USDC refuses.
    pub(super) blacklisted: Vec<Address>,
    /// Entries that were paid and left out, by reason, in all lists so far.
    pub(super) seen: BTreeMap<&'static str, u32>,
}

impl Trial {
    pub(super) async fn start() -> Result<Self> {
        // Its day has hours to go: none ends meanwhile, wherever the tests run.
        let world = World::elsewhere().await?;
        let parties = Parties::of(&world);
        let (entries, blacklisted, seen) = (Vec::new(), Vec::new(), BTreeMap::new());
        Ok(Self { world, parties, number: 0, entries, blacklisted, seen })
    }

    pub(super) async fn snapshot(&self) -> Result<U256> {
        Ok(self.world.provider.raw_request("evm_snapshot".into(), ()).await?)
    }

    pub(super) async fn revert(&self, to: U256) -> Result<()> {
        let reverted: bool = self.world.provider.raw_request("evm_revert".into(), (to,)).await?;
        ensure!(reverted, "the chain does not go back");
        Ok(())
    }

    async fn send(&self, from: Address, call: TransactionRequest) -> Result<bool> {
        let call = call.from(from).gas_limit(GAS);
        let hash = *self.world.provider.send_transaction(call).await?.tx_hash();
        self.world.mine(1).await?;
        let receipt = self.world.provider.get_transaction_receipt(hash).await?;
        Ok(receipt.ok_or_else(|| eyre!("{hash} was not mined"))?.status())
    }

    async fn done(&self, from: Address, call: TransactionRequest) -> Result<()> {
        ensure!(self.send(from, call).await?, "a transaction of {from} reverted");
        Ok(())
    }

    /// Pools, limits and who USDC refuses, made up from `rng`.
    pub(super) async fn arrange(&mut self, rng: &mut Rng) -> Result<()> {
        let settlement = &self.world.contracts.settlement;
        for &consumer in &self.parties.consumers {
            let deposit = settlement.deposit(U256::from(POOL));
            self.done(consumer, deposit.into_transaction_request()).await?;
            let mut limit = |step| rng.u64(0..3) * step;
            let limits = (u32::try_from(limit(150))?, limit(700), limit(1_500));
            let limits = settlement.setLimits(limits.0, Uint::from(limits.1), Uint::from(limits.2));
            self.done(consumer, limits.into_transaction_request()).await?;
        }
        self.blacklisted = match rng.u32(0..4) {
            0 => vec![self.parties.platform],
            1 => vec![self.parties.operators[0], self.parties.consumers[1]],
            _ => Vec::new(),
        };
        self.blacklist(true).await
    }

    async fn blacklist(&self, refused: bool) -> Result<()> {
        let usdc = &self.world.contracts.usdc;
        for &account in &self.blacklisted {
            let call = if refused {
                usdc.blacklist(account).into_transaction_request()
            } else {
                usdc.unBlacklist(account).into_transaction_request()
            };
            self.done(self.world.cast.owner, call).await?;
        }
        Ok(())
    }

    /// Settles all entries at once. What is told of each is what its logs say.
    pub(super) async fn as_batch(&self) -> Result<Vec<Outcome>> {
        let settlement = &self.world.contracts.settlement;
        let first = self.world.head().await? + 1;
        let batch = settlement.settleBatch(self.entries.clone());
        self.done(self.world.cast.relayer, batch.into_transaction_request()).await?;
        let mut outcomes = vec![Ok(()); self.entries.len()];
        let skipped = settlement.EntrySkipped_filter().from_block(first).query().await?;
        for (skip, _) in &skipped {
            let index = usize::try_from(skip.index)?;
            assert_eq!((skip.sessionId, skip.from), {
                let entry = &self.entries[index];
                (entry.sessionId, entry.from)
            });
            outcomes[index] = Err(skip.reason);
        }
        let settled = settlement.Settled_filter().from_block(first).query().await?;
        assert_eq!(settled.len() + skipped.len(), outcomes.len(), "an event for each entry");
        Ok(outcomes)
    }

    /// Whoever was refused is refused no more, and gets what is held.
    pub(super) async fn claim_all(&self) -> Result<()> {
        self.blacklist(false).await?;
        let settlement = &self.world.contracts.settlement;
        for &account in &self.blacklisted {
            if settlement.claimable(account).call().await? > U256::ZERO {
                let claim = settlement.claim(account).into_transaction_request();
                self.done(self.parties.platform, claim).await?;
            }
        }
        Ok(())
    }

    /// Settles the entries alone and in their order. Those whose payment USDC refuses revert, and are
    /// settled once it does not.
    pub(super) async fn one_by_one(&self) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for entry in &self.entries {
            outcomes.push(self.alone(entry).await?);
        }
        self.blacklist(false).await?;
        Ok(outcomes)
    }

    async fn alone(&self, entry: &BatchEntry) -> Result<Outcome> {
        let settlement = &self.world.contracts.settlement;
        let preview = settlement.previewEntry(entry.clone()).call().await?;
        let call = settlement.settleFromPool(
            entry.sessionId,
            entry.from,
            entry.to,
            entry.ratePerSecond,
            entry.chargeableSeconds,
            entry.toAmount,
            entry.feeAmount,
        );
        let relayer = self.world.cast.relayer;
        let tried = call.clone().from(relayer).call().await;
        let reason = match tried {
            Ok(_) => None,
            Err(error) => Some(error.as_revert_data().ok_or_else(|| eyre!("no reason: {error}"))?),
        };
        let request = call.into_transaction_request();
        assert_eq!(self.send(relayer, request.clone()).await?, reason.is_none());
        // What is refused for its payee alone is not seen by the preview, and is paid later.
        if preview == Selector::ZERO {
            let fee_refused = !entry.feeAmount.is_zero() && self.is_refused(self.parties.platform);
            let refused = fee_refused || (!entry.toAmount.is_zero() && self.is_refused(entry.to));
            assert_eq!(reason.is_some(), refused, "{entry:?}");
            if let Some(reason) = reason {
                let Revert { reason } = Revert::abi_decode(&reason)?;
                assert!(reason.contains("blacklisted"), "{reason}");
                self.blacklist(false).await?;
                self.done(relayer, request).await?;
                self.blacklist(true).await?;
            }
            return Ok(Ok(()));
        }
        let reason = reason.ok_or_else(|| eyre!("it was settled in spite of {preview}"))?;
        assert_eq!(reason[..4], preview[..], "{entry:?}");
        Ok(Err(preview))
    }

    pub(super) fn is_refused(&self, account: Address) -> bool {
        self.blacklisted.contains(&account)
    }

    pub(super) async fn books(&self) -> Result<Books> {
        let (settlement, usdc) = (&self.world.contracts.settlement, &self.world.contracts.usdc);
        let (mut accounts, mut limits) = (BTreeMap::new(), BTreeMap::new());
        for account in self.parties.all() {
            let pool = settlement.deposits(account).call().await?;
            let wallet = usdc.balanceOf(account).call().await?;
            let held = settlement.claimable(account).call().await?;
            accounts.insert(account, [pool, wallet, held]);
            let of = settlement.limitsOf(account).call().await?;
            let amounts = [of.maxPerSession, of.maxPerDay, of.spentToday].map(|it| it.to::<u64>());
            let [session, day, spent] = amounts;
            limits.insert(account, [of.maxRatePerSecond.into(), session, day, spent]);
        }
        let mut settled = BTreeMap::new();
        for BatchEntry { sessionId, .. } in &self.entries {
            settled.insert(*sessionId, settlement.settled(*sessionId).call().await?);
        }
        let total_owed = settlement.totalOwed().call().await?;
        let held = usdc.balanceOf(*settlement.address()).call().await?;
        Ok(Books { accounts, limits, settled, total_owed, held })
    }

    /// Follows the chain with a new database named `name`: its balances are the contract's.
    pub(super) async fn tables(&self, name: &str) -> Result<Tables> {
        let head = self.world.head().await?;
        let db = self.world.path(&format!("{name}-{}.db", self.number));
        let (mut syncer, store) = self.world.syncer(&db).await?;
        to_head(&mut syncer).await?;
        let mut balances = BTreeMap::new();
        for account in self.parties.all() {
            let wallet = store.wallet(account).await?;
            assert_eq!(wallet.at.number, head);
            assert_eq!(wallet.balance, self.world.pool_at(account, head).await?, "{account}");
            assert_eq!(wallet.limits, self.world.limits_at(account, head).await?, "{account}");
            let claimable = self.world.contracts.settlement.claimable(account).call().await?;
            assert_eq!(U256::from(wallet.claimable.get()), claimable, "{account}");
            balances.insert(account, [wallet.balance, wallet.claimable]);
        }
        let (mut settled, mut skips) = (BTreeMap::new(), BTreeMap::new());
        for BatchEntry { sessionId, .. } in &self.entries {
            let record = store.session(SessionId(*sessionId)).await?;
            if let Some(Change::Settle(terms)) = record.settled.map(|(event, _)| event.change) {
                settled.insert(*sessionId, terms);
            }
            let skip = record.last_skip.map(|(event, _)| event.change);
            if let Some(Change::EntrySkipped { index, reason, .. }) = skip {
                skips.insert(*sessionId, (index.into(), reason));
            }
        }
        store.close().await;
        Ok(Tables { balances, settled, skips })
    }
}
