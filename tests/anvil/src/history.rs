use crate::World;
use alloy::{
    primitives::{Address, B256, U256, Uint, keccak256},
    rpc::types::TransactionRequest,
};
use eyre::Result;
use fastrand::Rng;
use luxxon_bindings::{MicroUsdc, settlement::ILuxxonSettlement::BatchEntry};
use luxxon_indexer::ledger::meter;

/// A random but repeatable traffic of all that changes pools, and of what only looks like it: limits,
/// entries that a batch skips, payouts that are held for a blacklisted operator and claimed. Some of
/// it is meant to revert: withdrawals of more than there is, sessions settled twice.
#[derive(Debug)]
pub struct History {
    rng: Rng,
    sessions: u64,
}

impl History {
    /// The history that `seed` stands for.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), sessions: 0 }
    }

    /// Makes `blocks` blocks with up to four transactions each.
    pub async fn play(&mut self, world: &World, blocks: u64) -> Result<()> {
        for _ in 0..blocks {
            for _ in 0..self.rng.u32(0..=4) {
                let (from, call) = self.action(world);
                world.send(from, call).await?;
            }
            world.mine(1).await?;
        }
        Ok(())
    }

    fn action(&mut self, world: &World) -> (Address, TransactionRequest) {
        let settlement = &world.contracts.settlement;
        let consumer = self.pick(&world.consumers);
        match self.rng.u32(0..12) {
            0..2 => {
                let amount = U256::from(self.rng.u64(1..5_000_000));
                (consumer, settlement.deposit(amount).into_transaction_request())
            }
            2 => {
                let (amount, account) =
                    (U256::from(self.rng.u64(1..5_000_000)), self.pick(&world.consumers));
                (consumer, settlement.depositFor(account, amount).into_transaction_request())
            }
            3..5 => {
                let amount = U256::from(self.rng.u64(1..3_000_000));
                (consumer, settlement.withdraw(amount).into_transaction_request())
            }
            5 => {
                let (spender, amount) = (*settlement.address(), self.rng.u64(..));
                // Large enough for every deposit to come, or without a limit.
                let allowance = if amount % 2 == 0 { U256::MAX } else { U256::from(amount) << 64 };
                let call = world.contracts.usdc.approve(spender, allowance);
                (consumer, call.into_transaction_request())
            }
            6..9 => {
                let entry = self.entry(world, consumer);
                let call = settlement.settleFromPool(
                    entry.sessionId,
                    entry.from,
                    entry.to,
                    entry.ratePerSecond,
                    entry.chargeableSeconds,
                    entry.toAmount,
                    entry.feeAmount,
                );
                (world.cast.relayer, call.into_transaction_request())
            }
            9..11 => {
                let entries = (0..self.rng.usize(1..=4))
                    .map(|_| {
                        let from = self.pick(&world.consumers);
                        self.entry(world, from)
                    })
                    .collect();
                (world.cast.relayer, settlement.settleBatch(entries).into_transaction_request())
            }
            _ => self.circumstance(world, consumer),
        }
    }

    /// Something that changes no pool, but what settlements do next.
    fn circumstance(&mut self, world: &World, consumer: Address) -> (Address, TransactionRequest) {
        let (settlement, usdc) = (&world.contracts.settlement, &world.contracts.usdc);
        let operator = self.pick(&world.operators);
        match self.rng.u32(0..6) {
            0 => {
                let most = self.rng.u64(0..1_000_000);
                // Now and then one that many sessions exceed, and one that a day does.
                let rate = if most.is_multiple_of(4) { 1_500 } else { 0 };
                let per_day = if most.is_multiple_of(3) { 10 * most } else { 0 };
                let call = settlement.setLimits(rate, Uint::from(most), Uint::from(per_day));
                (consumer, call.into_transaction_request())
            }
            1 => (world.cast.owner, usdc.blacklist(operator).into_transaction_request()),
            2 => (world.cast.owner, usdc.unBlacklist(operator).into_transaction_request()),
            _ => (consumer, settlement.claim(operator).into_transaction_request()),
        }
    }

    fn entry(&mut self, world: &World, from: Address) -> BatchEntry {
        // One in ten repeats a session, which the contract refuses.
        if self.rng.u32(0..10) > 0 {
            self.sessions += 1;
        }
        let to = if self.rng.u32(0..8) == 0 { from } else { self.pick(&world.operators) };
        let (rate, seconds) = (MicroUsdc::new(self.rng.u64(1..2_000)), self.rng.u32(1..600));
        let fee_bps = self.rng.u16(0..=meter::MAX_FEE_BPS);
        let shares = meter::shares(rate, seconds, fee_bps).expect("a small price");
        BatchEntry {
            sessionId: self.session(),
            from,
            to,
            ratePerSecond: rate.into(),
            chargeableSeconds: U256::from(seconds),
            toAmount: shares.to_amount.into(),
            feeAmount: shares.fee_amount.into(),
        }
    }

    fn session(&self) -> B256 {
        keccak256(self.sessions.to_be_bytes())
    }

    fn pick(&mut self, among: &[Address]) -> Address {
        among[self.rng.usize(..among.len())]
    }
}
