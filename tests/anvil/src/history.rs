use crate::World;
use alloy::{
    primitives::{Address, B256, U256, keccak256},
    rpc::types::TransactionRequest,
};
use eyre::Result;
use fastrand::Rng;
use luxxon_bindings::MicroUsdc;
use luxxon_indexer::ledger::meter;

/// A random but repeatable traffic of deposits, withdrawals, settlements and approvals. Some of it
/// is meant to revert: withdrawals of more than there is, sessions settled twice.
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
        match self.rng.u32(0..10) {
            0..3 => {
                let amount = U256::from(self.rng.u64(1..5_000_000));
                (consumer, settlement.deposit(amount).into_transaction_request())
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
            _ => (world.cast.relayer, self.settle(world, consumer)),
        }
    }

    fn settle(&mut self, world: &World, from: Address) -> TransactionRequest {
        // One in ten repeats a session, which the contract refuses.
        if self.rng.u32(0..10) > 0 {
            self.sessions += 1;
        }
        let to = if self.rng.u32(0..8) == 0 { from } else { self.pick(&world.operators) };
        let (rate, seconds) = (MicroUsdc::new(self.rng.u64(1..2_000)), self.rng.u32(1..600));
        let fee_bps = self.rng.u16(0..=meter::MAX_FEE_BPS);
        let shares = meter::shares(rate, seconds, fee_bps).expect("a small price");
        world
            .contracts
            .settlement
            .settleFromPool(
                self.session(),
                from,
                to,
                rate.into(),
                U256::from(seconds),
                shares.to_amount.into(),
                shares.fee_amount.into(),
            )
            .into_transaction_request()
    }

    fn session(&self) -> B256 {
        keccak256(self.sessions.to_be_bytes())
    }

    fn pick(&mut self, among: &[Address]) -> Address {
        among[self.rng.usize(..among.len())]
    }
}
