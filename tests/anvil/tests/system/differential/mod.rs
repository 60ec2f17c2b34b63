//! The same entries in a batch and one by one, on two chains that part just before: the contract's books
//! and the indexer's have to end alike. And what the meter makes, as the contract sees it.

mod entries;
mod trial;

use alloy::{
    primitives::{Address, B256, U256},
    sol_types::SolError,
};
use entries::entries;
use eyre::Result;
use fastrand::Rng;
use luxxon_bindings::{
    MicroUsdc,
    settlement::{
        ILuxxonSettlement::BatchEntry,
        LuxxonSettlement::{InsufficientPool, ZeroAmount},
    },
};
use luxxon_indexer::ledger::{error_name, meter};
use luxxon_tests::World;
use std::collections::BTreeMap;
use trial::{Outcome, Tables, Trial};

/// Lists of entries that are tried. Every eighth has as many as a batch can have.
const LISTS: u64 = 16;

impl Trial {
    /// Settles list `number` in both ways, and leaves the chain as it was.
    async fn compare(&mut self, number: u64) -> Result<()> {
        let start = self.snapshot().await?;
        let mut rng = Rng::with_seed(number);
        let size = if number % 8 == 7 { 100 } else { rng.usize(1..=16) };
        self.number = number;
        self.entries = entries(&self.parties, &mut rng, size);
        self.arrange(&mut rng).await?;
        let parting = self.snapshot().await?;

        let said = self.as_batch().await?;
        let held = self.tables("held").await?;
        self.claim_all().await?;
        let as_batch = (self.books().await?, self.tables("batch").await?);
        self.revert(parting).await?;
        let outcomes = self.one_by_one().await?;
        let one_by_one = (self.books().await?, self.tables("alone").await?);

        assert_eq!(said, outcomes, "list {number}: what the batch said of each entry");
        assert_eq!(as_batch.0, one_by_one.0, "list {number}: the contract's books");
        assert_eq!(as_batch.1.balances, one_by_one.1.balances, "list {number}: the ledger's");
        assert_eq!(as_batch.1.settled, one_by_one.1.settled, "list {number}: settled sessions");
        self.check_held(&held, &outcomes);
        self.check_skips(&as_batch.1, &outcomes);
        self.count(&outcomes);
        self.revert(start).await
    }

    /// What could not be pushed, and that alone, is held, to the last unit.
    fn check_held(&self, tables: &Tables, outcomes: &[Outcome]) {
        let mut held: BTreeMap<Address, U256> = BTreeMap::new();
        for (entry, _) in self.entries.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_ok()) {
            let platform = self.parties.platform;
            for (account, amount) in [(entry.to, entry.toAmount), (platform, entry.feeAmount)] {
                if self.is_refused(account) {
                    *held.entry(account).or_default() += amount;
                }
            }
        }
        for (account, [_, claimable]) in &tables.balances {
            let expected = held.get(account).copied().unwrap_or_default();
            assert_eq!(U256::from(claimable.get()), expected, "list {}: {account}", self.number);
        }
    }

    /// The ledger knows of each session when it was left out last, and why.
    fn check_skips(&self, tables: &Tables, outcomes: &[Outcome]) {
        let mut last = BTreeMap::new();
        for (index, (entry, outcome)) in self.entries.iter().zip(outcomes).enumerate() {
            if let Err(reason) = outcome {
                last.insert(entry.sessionId, (index, *reason));
            }
        }
        assert_eq!(tables.skips, last, "list {}", self.number);
    }

    fn count(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            let name = outcome.map_or_else(|reason| error_name(reason).unwrap_or("?"), |()| "paid");
            *self.seen.entry(name).or_default() += 1;
        }
        *self.seen.entry("refused by USDC").or_default() += u32::from(!self.blacklisted.is_empty());
    }
}

#[tokio::test]
async fn a_batch_leaves_the_books_that_its_entries_leave_one_by_one_on_chain_and_in_the_ledger()
-> Result<()> {
    let mut trial = Trial::start().await?;
    for number in 0..LISTS {
        trial.compare(number).await?;
    }
    // The lists met whatever can happen to an entry.
    for name in [
        "paid",
        "refused by USDC",
        "SessionAlreadySettled",
        "InvalidPayee",
        "ValueTooLarge",
        "ZeroAmount",
        "MeterExceeded",
        "FeeExceeded",
        "RateLimitExceeded",
        "SessionLimitExceeded",
        "DayLimitExceeded",
        "InsufficientPool",
    ] {
        assert!(trial.seen.contains_key(name), "{name}: {:?}", trial.seen);
    }
    Ok(())
}

/// Rates, seconds and fees of every size; of small ones many, where rounding matters most.
fn prices(rng: &mut Rng) -> (u64, u32, u16) {
    let seconds = if rng.bool() { rng.u32(0..20) } else { rng.u32(..) };
    let rate = rng.u64(..) >> rng.u32(0..64);
    let rate = if rng.bool() { rate % 20 } else { rate };
    let fee_bps = if rng.bool() { meter::MAX_FEE_BPS } else { rng.u16(0..=meter::MAX_FEE_BPS) };
    (rate, seconds, fee_bps)
}

/// The contract asks for the pool after meter and fee: an account without one is told that it lacks the
/// money, and nothing else.
#[tokio::test]
async fn the_contract_finds_no_fault_in_what_the_meter_makes_but_that_nothing_is_no_payment()
-> Result<()> {
    let world = World::start().await?;
    let settlement = &world.contracts.settlement;
    let mut rng = Rng::with_seed(1);
    let (mut owed, mut nothing) = (0, 0);
    while owed < 400 {
        let (rate, seconds, fee_bps) = prices(&mut rng);
        let Some(shares) = meter::shares(MicroUsdc::new(rate), seconds, fee_bps) else { continue };
        let entry = BatchEntry {
            sessionId: B256::ZERO,
            from: world.cast.pauser,
            to: world.cast.operator,
            ratePerSecond: U256::from(rate),
            chargeableSeconds: U256::from(seconds),
            toAmount: shares.to_amount.into(),
            feeAmount: shares.fee_amount.into(),
        };
        let reason = settlement.previewEntry(entry).call().await?;
        let price = u128::from(rate) * u128::from(seconds);
        let free = price == 0 || (price == 1 && fee_bps > 0);
        let expected = if free { ZeroAmount::SELECTOR } else { InsufficientPool::SELECTOR };
        assert_eq!(reason, expected, "{rate} µUSDC for {seconds} s at {fee_bps}");
        if free { nothing += 1 } else { owed += 1 }
    }
    assert!(nothing > 10, "{nothing}");
    Ok(())
}
