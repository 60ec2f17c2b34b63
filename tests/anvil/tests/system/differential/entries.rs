//! Entries made up from a seed: few accounts, sessions and amounts, so that they get into each other's
//! way.

use alloy::primitives::{Address, B256, U256, keccak256};
use fastrand::Rng;
use luxxon_bindings::settlement::ILuxxonSettlement::BatchEntry;
use luxxon_tests::World;

/// What each consumer's pool holds at first: a few entries empty it.
pub(super) const POOL: u64 = 4_000;

/// Who can be named in an entry.
pub(super) struct Parties {
    /// They have pools.
    pub(super) consumers: Vec<Address>,
    /// They are paid. Consumers can be, too, and so can the platform wallet.
    pub(super) operators: Vec<Address>,
    pub(super) platform: Address,
    /// Nobody can be paid there.
    impossible: [Address; 3],
    /// Has no pool.
    stranger: Address,
}

impl Parties {
    pub(super) fn of(world: &World) -> Self {
        let (settlement, usdc) = (&world.contracts.settlement, &world.contracts.usdc);
        Self {
            consumers: world.consumers[..3].to_vec(),
            operators: world.operators.clone(),
            platform: world.cast.platform,
            impossible: [Address::ZERO, *settlement.address(), *usdc.address()],
            stranger: world.cast.pauser,
        }
    }

    /// Everybody whose money can move.
    pub(super) fn all(&self) -> Vec<Address> {
        let mut all = [self.consumers.clone(), self.operators.clone()].concat();
        all.extend([self.platform, self.stranger]);
        all
    }

    /// Operators mostly, and of these mostly two, so that payments to one stand side by side.
    pub(super) fn payee(&self, rng: &mut Rng) -> Address {
        match rng.u32(0..8) {
            0 => self.consumers[rng.usize(..self.consumers.len())],
            1 => self.platform,
            2..5 => self.operators[rng.usize(..self.operators.len())],
            _ => self.operators[rng.usize(..2)],
        }
    }
}

/// `size` entries, one in three with a fault.
pub(super) fn entries(parties: &Parties, rng: &mut Rng, size: usize) -> Vec<BatchEntry> {
    (0..size).map(|_| entry(parties, rng, size)).collect()
}

fn entry(parties: &Parties, rng: &mut Rng, size: usize) -> BatchEntry {
    let (rate, seconds) = (rng.u64(1..300), rng.u64(1..10));
    let gross = rate * seconds;
    let fee = gross * rng.u64(0..=2_000) / 10_000;
    let mut entry = BatchEntry {
        // Some of them twice.
        sessionId: session(rng.usize(..2 * size)),
        from: parties.consumers[rng.usize(..parties.consumers.len())],
        to: parties.payee(rng),
        ratePerSecond: U256::from(rate),
        chargeableSeconds: U256::from(seconds),
        toAmount: U256::from(gross - fee),
        feeAmount: U256::from(fee),
    };
    spoil(&mut entry, parties, rng);
    entry
}

/// Breaks one of the contract's rules, or none.
fn spoil(entry: &mut BatchEntry, parties: &Parties, rng: &mut Rng) {
    let past_64_bits = U256::ONE << 64;
    match rng.u32(0..30) {
        0 => entry.toAmount += U256::ONE,
        1 => std::mem::swap(&mut entry.toAmount, &mut entry.feeAmount),
        2 => (entry.toAmount, entry.feeAmount) = (U256::ZERO, U256::ZERO),
        3 => entry.to = parties.impossible[rng.usize(..3)],
        4 => entry.ratePerSecond = past_64_bits,
        5 => entry.chargeableSeconds = U256::ONE << 32,
        6 => entry.toAmount = past_64_bits,
        7 => entry.feeAmount = U256::MAX,
        8 => (entry.toAmount, entry.feeAmount) = (past_64_bits - U256::ONE, U256::ONE),
        9 => entry.from = parties.stranger,
        _ => {}
    }
}

pub(super) fn session(number: usize) -> B256 {
    keccak256(number.to_string())
}
