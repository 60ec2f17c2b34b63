//! A small continuous traffic: a consumer that tops up, sessions that are settled, change taken
//! home.

use super::{Cast, Contracts};
use alloy::{
    network::Ethereum,
    primitives::{B256, U256},
    providers::{PendingTransactionBuilder, Provider, RootProvider},
};
use eyre::{Result, WrapErr, eyre};
use luxxon_bindings::{MicroUsdc, SessionId};
use luxxon_indexer::{
    ledger::meter::Reading,
    store::{NewSession, SqliteStore, Store},
};
use std::{
    collections::VecDeque,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use uuid::Uuid;

/// The platform's usual fee: 15 %.
const PLATFORM_FEE_BPS: u16 = 1_500;

/// What the consumer, or the relayer on its behalf, does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// The consumer adds to its pool.
    Deposit(MicroUsdc),
    /// The consumer takes from its pool.
    Withdraw(MicroUsdc),
    /// The relayer settles a session.
    Settle {
        /// µUSDC per second.
        rate_per_second: MicroUsdc,
        /// Seconds.
        chargeable_seconds: u32,
    },
}

/// The `step`th action with `pool` in the consumer's pool. Of every eight, one is a deposit of
/// about 2 USDC, one a withdrawal, and six are sessions; whatever the pool cannot pay becomes a
/// deposit.
pub(super) fn plan(step: u64, pool: MicroUsdc) -> Action {
    let deposit = Action::Deposit(MicroUsdc::new(2_000_000 + step % 10 * 12_345));
    let (action, cost) = match step % 8 {
        0 => return deposit,
        5 => {
            let amount = MicroUsdc::new(100_000 + step % 7 * 1_111);
            (Action::Withdraw(amount), amount.get())
        }
        _ => {
            let rate_per_second = MicroUsdc::new(1_000 + step % 5 * 111);
            let chargeable_seconds = 30 + u32::try_from(step % 90).unwrap_or_default();
            let cost = rate_per_second.get() * u64::from(chargeable_seconds);
            (Action::Settle { rate_per_second, chargeable_seconds }, cost)
        }
    };
    if cost <= pool.get() { action } else { deposit }
}

/// The traffic of one consumer workspace and one operator workspace.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) contracts: Contracts,
    pub(super) cast: Cast,
    pub(super) store: SqliteStore,
    pub(super) consumer_workspace: Uuid,
    pub(super) operator_workspace: Uuid,
}

/// What was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) tx_hash: B256,
    /// The session, where it was a settlement.
    pub(super) session: Option<NewSession>,
}

impl Traffic {
    /// Allows the contract to take whatever is deposited later.
    pub(super) async fn approve(&self) -> Result<Sent> {
        let spender = *self.contracts.settlement.address();
        let call = self.contracts.usdc.approve(spender, U256::MAX).from(self.cast.consumer);
        Ok(sent(&call.send().await?, None))
    }

    /// Sends the `step`th action.
    pub(super) async fn act(&self, step: u64) -> Result<Sent> {
        let settlement = &self.contracts.settlement;
        let consumer = self.cast.consumer;
        let pool = MicroUsdc::try_from(settlement.deposits(consumer).call().await?)?;
        match plan(step, pool) {
            Action::Deposit(amount) => {
                let call = settlement.deposit(amount.into()).from(consumer);
                Ok(sent(&call.send().await.wrap_err("deposit")?, None))
            }
            Action::Withdraw(amount) => {
                let call = settlement.withdraw(amount.into()).from(consumer);
                Ok(sent(&call.send().await.wrap_err("withdraw")?, None))
            }
            Action::Settle { rate_per_second, chargeable_seconds } => {
                self.settle(rate_per_second, chargeable_seconds).await
            }
        }
    }

    /// Registers a session that has just ended, and settles it.
    async fn settle(&self, rate: MicroUsdc, seconds: u32) -> Result<Sent> {
        let ended_at = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let started_at = ended_at - u64::from(seconds) * 1_000;
        let session = NewSession {
            id: Uuid::new_v4(),
            consumer_workspace: self.consumer_workspace,
            operator_workspace: self.operator_workspace,
            rate_per_second: rate,
            platform_fee_bps: PLATFORM_FEE_BPS,
            max_duration_seconds: seconds,
            reading: Some(Reading { started_at, ended_at, disconnects: Vec::new() }),
        };
        self.store.register_session(session.clone()).await?;
        self.settle_registered(session).await
    }

    /// Settles a registered session. The contract's replay lock makes it harmless to send one
    /// again.
    async fn settle_registered(&self, session: NewSession) -> Result<Sent> {
        let (seconds, shares) =
            session.price().ok_or_else(|| eyre!("a session that costs more than 64 bits hold"))?;
        let call = self
            .contracts
            .settlement
            .settleFromPool(
                SessionId::of(session.id).0,
                self.cast.consumer,
                self.cast.operator,
                session.rate_per_second.into(),
                U256::from(seconds),
                shares.to_amount.into(),
                shares.fee_amount.into(),
            )
            .from(self.cast.relayer);
        Ok(sent(&call.send().await.wrap_err("settleFromPool")?, Some(session)))
    }

    /// Goes on from `step`, an action a block, for ever. What fails is said and left behind: the
    /// chain may be reorganised, paused or emptied under this traffic by whoever uses the
    /// devnet. Only a settlement that the chain has lost is sent again, as a relayer would.
    pub(super) async fn flow(self, mut step: u64, block_time: Duration) {
        let mut unsettled = VecDeque::new();
        let mut last = None;
        loop {
            match self.act(step).await {
                Ok(Sent { session, tx_hash }) => {
                    unsettled.extend(session.map(|session| (step, session)));
                    last = Some(tx_hash);
                }
                Err(error) => eprintln!("traffic: {error:#}"),
            }
            if let Err(error) = self.look_after(&mut unsettled, step).await {
                eprintln!("traffic: {error:#}");
            }
            step += 1;
            tokio::time::sleep(block_time).await;
            if let Some(tx_hash) = last.take()
                && let Ok(Some(receipt)) = self.provider().get_transaction_receipt(tx_hash).await
                && !receipt.status()
            {
                eprintln!("traffic: {tx_hash} reverted; is the contract paused, or not allowed?");
            }
        }
    }

    fn provider(&self) -> &RootProvider {
        self.contracts.settlement.provider()
    }

    /// Looks whether the oldest session that was sent a while ago is settled, and sends it again
    /// where it is not.
    async fn look_after(
        &self,
        unsettled: &mut VecDeque<(u64, NewSession)>,
        step: u64,
    ) -> Result<()> {
        /// Blocks until a settlement is looked for: deeper than the reorgs people try out.
        const PATIENCE: u64 = 8;
        let Some((sent, session)) = unsettled.front().cloned() else { return Ok(()) };
        if step < sent + PATIENCE {
            return Ok(());
        }
        unsettled.pop_front();
        let hash = SessionId::of(session.id).0;
        if !self.contracts.settlement.settled(hash).call().await? {
            unsettled.push_back((step, session.clone()));
            self.settle_registered(session).await?;
        }
        Ok(())
    }
}

fn sent(pending: &PendingTransactionBuilder<Ethereum>, session: Option<NewSession>) -> Sent {
    Sent { tx_hash: *pending.tx_hash(), session }
}

#[cfg(test)]
mod tests {
    use super::*;
    use luxxon_indexer::ledger::meter;

    #[test]
    fn the_pool_is_never_overdrawn_and_every_action_occurs() {
        let (mut pool, mut deposits, mut withdrawals, mut settlements) = (0, 0, 0, 0);
        for step in 0..10_000 {
            match plan(step, MicroUsdc::new(pool)) {
                Action::Deposit(amount) => {
                    pool += amount.get();
                    deposits += 1;
                }
                Action::Withdraw(amount) => {
                    pool = pool.checked_sub(amount.get()).unwrap();
                    withdrawals += 1;
                }
                Action::Settle { rate_per_second, chargeable_seconds } => {
                    let shares =
                        meter::shares(rate_per_second, chargeable_seconds, PLATFORM_FEE_BPS);
                    let shares = shares.unwrap();
                    pool =
                        pool.checked_sub(shares.to_amount.get() + shares.fee_amount.get()).unwrap();
                    settlements += 1;
                }
            }
        }
        assert!(deposits >= 1_250, "{deposits}");
        assert!(withdrawals > 1_000, "{withdrawals}");
        assert!(settlements > 7_000, "{settlements}");
        assert!(pool < 10_000_000_000, "{pool}");
    }

    #[test]
    fn an_empty_pool_is_filled_first() {
        for step in 0..8 {
            assert!(matches!(plan(step, MicroUsdc::ZERO), Action::Deposit(_)));
        }
    }
}
