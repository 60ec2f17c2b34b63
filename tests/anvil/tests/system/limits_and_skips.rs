//! What an account sets limits to, and what batches leave out: from the contract's calls to what the
//! store answers.

use alloy::{
    primitives::{Address, B256, U256, Uint},
    providers::Provider,
};
use eyre::{Result, eyre};
use luxxon_bindings::{MicroUsdc, SessionId, settlement::ILuxxonSettlement::BatchEntry};
use luxxon_indexer::{
    ledger::{Block, Change, Limits, error_name},
    store::{Level, PageRequest, SqliteStore, Store},
    sync::Syncer,
};
use luxxon_tests::{World, tables, to_head};
use std::path::PathBuf;

fn session(number: u8) -> SessionId {
    SessionId(B256::repeat_byte(number))
}

/// A chain, and a ledger that follows it step by step.
struct Followed {
    world: World,
    db: PathBuf,
    syncer: Syncer<SqliteStore>,
    store: SqliteStore,
}

impl Followed {
    /// A chain whose consumer has deposited 20,000 µUSDC.
    async fn start() -> Result<Self> {
        let world = World::start().await?;
        let db = world.path("ledger.db");
        let (syncer, store) = world.syncer(&db).await?;
        let deposit = world.contracts.settlement.deposit(U256::from(20_000));
        world.execute(world.cast.consumer, deposit.into_transaction_request()).await?;
        Ok(Self { world, db, syncer, store })
    }

    /// Takes in all there is: the rows must be those of a clean run.
    async fn follow(&mut self) -> Result<()> {
        to_head(&mut self.syncer).await?;
        tables::assert_same(&tables::dump(&self.db).await?, &self.world.clean_run().await?);
        Ok(())
    }

    /// The consumer sets its limits.
    async fn limit(&self, rate: u32, per_session: u64, per_day: u64) -> Result<()> {
        let [per_session, per_day] = [per_session, per_day].map(Uint::from);
        let call = self.world.contracts.settlement.setLimits(rate, per_session, per_day);
        self.world.execute(self.world.cast.consumer, call.into_transaction_request()).await?;
        Ok(())
    }

    /// The relayer settles sessions of the consumer in a batch, each for so much; returns the
    /// transaction, and its block.
    async fn settle(&self, sessions: &[(SessionId, u64)]) -> Result<(B256, Block)> {
        let entry = |&(session, amount): &(SessionId, u64)| BatchEntry {
            sessionId: session.0,
            from: self.world.cast.consumer,
            to: self.world.cast.operator,
            ratePerSecond: U256::from(1_000),
            chargeableSeconds: U256::from(60),
            toAmount: U256::from(amount),
            feeAmount: U256::ZERO,
        };
        let entries = sessions.iter().map(entry).collect();
        let call = self.world.contracts.settlement.settleBatch(entries);
        let hash =
            self.world.execute(self.world.cast.relayer, call.into_transaction_request()).await?;
        let block = self.world.provider.get_block(self.world.head().await?.into()).await?;
        let header = block.ok_or_else(|| eyre!("no head"))?.header;
        let (number, timestamp) = (header.number, header.timestamp);
        Ok((hash, Block { number, hash: header.hash, timestamp }))
    }

    /// The last skip of a session: entry, reason, transaction and block.
    async fn last_skip(&self, of: SessionId) -> Result<Option<(u8, &'static str, B256, Block)>> {
        let Some((event, block)) = self.store.session(of).await?.last_skip else {
            return Ok(None);
        };
        let Change::EntrySkipped { session, from, index, reason } = event.change else {
            return Err(eyre!("{event:?} is no skip"));
        };
        assert_eq!((session, from), (of, self.world.cast.consumer));
        assert_eq!(event.position.block, block.number);
        let reason = error_name(reason).ok_or_else(|| eyre!("{reason} is no error"))?;
        Ok(Some((index, reason, event.tx_hash, block)))
    }

    async fn is_settled(&self, session: SessionId) -> Result<bool> {
        Ok(self.store.session(session).await?.settled.is_some())
    }

    /// The consumer's limits at `level`.
    async fn limits(&self, level: Level) -> Result<Limits> {
        let consumer: Address = self.world.cast.consumer;
        let wallet = self.store.wallet_at(consumer, level).await?;
        assert_eq!(wallet.limits, self.world.limits_at(consumer, wallet.at.number).await?);
        Ok(wallet.limits)
    }
}

#[tokio::test]
async fn what_a_batch_leaves_out_is_told_with_its_reason_until_a_reorg_takes_it_back() -> Result<()>
{
    let mut ledger = Followed::start().await?;
    ledger.limit(0, 5_000, 0).await?;
    let [paid, too_dear] = [session(1), session(2)];
    let entries = [(paid, 5_000), (too_dear, 5_001), (paid, 5_000)];
    let (batch, block) = ledger.settle(&entries).await?;
    ledger.follow().await?;
    assert!(ledger.is_settled(paid).await? && !ledger.is_settled(too_dear).await?);
    let repeated = (2, "SessionAlreadySettled", batch, block);
    assert_eq!(ledger.last_skip(paid).await?, Some(repeated));
    let refused = (1, "SessionLimitExceeded", batch, block);
    assert_eq!(ledger.last_skip(too_dear).await?, Some(refused));

    // Once more, for another reason; and at last it is paid.
    ledger.limit(0, 0, 10_000).await?;
    let (again, later) = ledger.settle(&[(too_dear, 5_001)]).await?;
    ledger.follow().await?;
    let refused_again = (0, "DayLimitExceeded", again, later);
    assert_eq!(ledger.last_skip(too_dear).await?, Some(refused_again));
    ledger.limit(0, 0, 0).await?;
    ledger.settle(&[(too_dear, 5_001)]).await?;
    ledger.follow().await?;
    assert!(ledger.is_settled(too_dear).await?);
    assert_eq!(ledger.last_skip(too_dear).await?, Some(refused_again));

    // A wallet's history has the deposit, the payments and the allowance, and none of this.
    let consumer = ledger.world.cast.consumer;
    let history = ledger.store.wallet_events(consumer, PageRequest::newest(100)).await?.events;
    assert_eq!(history.len(), 4, "{history:?}");

    // The last payment and the limits before it go; then all but the first batch; then that too.
    ledger.world.reorg(2).await?;
    ledger.follow().await?;
    assert!(!ledger.is_settled(too_dear).await?);
    assert_eq!(ledger.last_skip(too_dear).await?, Some(refused_again));
    ledger.world.reorg(4).await?;
    ledger.follow().await?;
    assert_eq!(ledger.last_skip(too_dear).await?, Some(refused));
    ledger.world.reorg(5).await?;
    ledger.follow().await?;
    assert_eq!(ledger.last_skip(paid).await?, None);
    assert_eq!(ledger.last_skip(too_dear).await?, None);
    assert!(!ledger.is_settled(paid).await?);
    ledger.store.close().await;
    Ok(())
}

#[tokio::test]
async fn limits_are_the_contracts_at_each_level_and_after_a_reorg() -> Result<()> {
    let mut ledger = Followed::start().await?;
    let limits = |rate, per_session, per_day| Limits {
        max_rate_per_second: MicroUsdc::new(rate),
        max_per_session: MicroUsdc::new(per_session),
        max_per_day: MicroUsdc::new(per_day),
    };
    let (none, low) = (Limits::default(), limits(1, 2, 3));
    let most = (1 << 48) - 1;
    let high = limits(u32::MAX.into(), most - 1, most);
    // Anvil's blocks are safe 32 blocks later, and final 64: now the contract is.
    ledger.world.mine(64).await?;
    ledger.limit(1, 2, 3).await?;
    ledger.world.mine(31).await?;
    ledger.limit(u32::MAX, most - 1, most).await?;
    ledger.follow().await?;
    assert_eq!(ledger.limits(Level::Latest).await?, high);
    assert_eq!(ledger.limits(Level::Safe).await?, low);
    assert_eq!(ledger.limits(Level::Finalized).await?, none);
    ledger.world.mine(32).await?;
    ledger.follow().await?;
    assert_eq!(ledger.limits(Level::Safe).await?, high);
    assert_eq!(ledger.limits(Level::Finalized).await?, low);

    ledger.limit(0, 0, 0).await?;
    ledger.follow().await?;
    assert_eq!(ledger.limits(Level::Latest).await?, none);
    ledger.world.reorg(1).await?;
    ledger.follow().await?;
    assert_eq!(ledger.limits(Level::Latest).await?, high);
    ledger.world.reorg(34).await?;
    ledger.follow().await?;
    assert_eq!(ledger.limits(Level::Latest).await?, low);
    ledger.store.close().await;
    Ok(())
}
