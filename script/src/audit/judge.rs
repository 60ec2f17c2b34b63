//! What settlements, skips and rescues may not be, by all that is known before each.

use super::{At, Check, History, Violation, history::Account};
use alloy::primitives::Address;
use luxxon_bindings::{MicroUsdc, SessionId, settlement::LuxxonSettlement::Rescued};
use luxxon_indexer::ledger::{Deployment, Settlement, error_name, meter};

const BPS: u128 = 10_000;

impl History {
    pub(super) fn take_settlement(
        &mut self,
        at: At,
        time: u64,
        s: &Settlement,
    ) -> Result<(), Violation> {
        self.counts.add(Check::Replay);
        if let Some(before) = self.sessions.insert(s.session, at) {
            let found = format!("session {} settled again", s.session.0);
            let expected =
                format!("once, as {} did in block {}", before.tx_hash, before.position.block);
            return Err(Violation::at(at, Check::Replay, found, expected));
        }
        self.payee(at, "the payee", s.to)?;
        self.counts.add(Check::Meter);
        let (found, expected) = meter_of(s);
        if let Some(expected) = expected {
            return Err(Violation::at(at, Check::Meter, found, expected));
        }
        self.counts.add(Check::Relayer);
        if self.roles.relayer.is_zero() {
            let found = format!("session {} settled without a relayer", s.session.0);
            return Err(Violation::at(at, Check::Relayer, found, "a relayer"));
        }
        self.not_paused(at, "a settlement")?;
        self.counts.add(Check::Limits);
        let account = self.accounts.entry(s.from).or_insert(Account::new(at));
        account
            .spending
            .settle(time, s)
            .map_err(|(found, expected)| Violation::at(at, Check::Limits, found, expected))
    }

    /// The contract asks first whether the session is settled, so that is the reason exactly where
    /// it is.
    pub(super) fn take_skip(
        &mut self,
        at: At,
        session: SessionId,
        reason: [u8; 4],
    ) -> Result<(), Violation> {
        self.counts.add(Check::Skips);
        let name = error_name(reason.into());
        let settled = self.sessions.contains_key(&session);
        let found =
            format!("session {} skipped for {}", session.0, name.unwrap_or("no error of it"));
        if name.is_none() {
            return Err(Violation::at(at, Check::Skips, found, "an error of the contract"));
        }
        if settled != (name == Some("SessionAlreadySettled")) {
            let was = if settled { "settled" } else { "not settled" };
            let expected = format!("a reason that fits a session that was {was} before");
            return Err(Violation::at(at, Check::Skips, found, expected));
        }
        Ok(())
    }

    pub(super) fn take_rescue(&mut self, at: At, rescued: &Rescued) -> Result<(), Violation> {
        *self.events.entry("rescues").or_default() += 1;
        self.payee(at, "the rescued USDC's payee", rescued.to)?;
        if let Some(open) = self.open.as_mut() {
            open.due(rescued.to, rescued.amount);
        }
        // Before a node could say what it held, its surplus is not known.
        let Some(held) = self.holdings.now() else { return Ok(()) };
        self.counts.add(Check::Rescues);
        let surplus = held.saturating_sub(self.pools.owed().into());
        if rescued.amount > surplus || rescued.amount.is_zero() {
            let found = format!("{} µUSDC rescued", rescued.amount);
            let expected = format!("1 to {surplus}, which belong to no pool and no claim");
            return Err(Violation::at(at, Check::Rescues, found, expected));
        }
        Ok(())
    }

    pub(super) fn payee(&mut self, at: At, what: &str, account: Address) -> Result<(), Violation> {
        self.counts.add(Check::Payees);
        let Deployment { settlement, usdc, .. } = self.deployment;
        if account.is_zero() || account == settlement || account == usdc {
            let expected = "neither zero nor the contract nor USDC";
            return Err(Violation::at(at, Check::Payees, format!("{what} is {account}"), expected));
        }
        Ok(())
    }

    pub(super) fn positive(at: At, amount: MicroUsdc) -> Result<(), Violation> {
        if amount > MicroUsdc::ZERO {
            return Ok(());
        }
        Err(Violation::at(at, Check::Logs, "an amount of 0", "1 µUSDC at least"))
    }

    pub(super) fn not_paused(&self, at: At, what: &str) -> Result<(), Violation> {
        if !self.roles.paused {
            return Ok(());
        }
        Err(Violation::at(
            at,
            Check::Relayer,
            format!("{what} while paused"),
            "none until unpaused",
        ))
    }
}

/// What a settlement took, and what it should have, where that is something else.
fn meter_of(s: &Settlement) -> (String, Option<String>) {
    let [gross, fee, rate] =
        [s.gross, s.fee_amount, s.rate_per_second].map(|amount| u128::from(amount.get()));
    let metered = rate * u128::from(s.chargeable_seconds);
    let found = format!("a gross of {gross} µUSDC with a fee of {fee}");
    let expected = if gross == 0 {
        Some("1 µUSDC at least".to_owned())
    } else if gross > metered {
        Some(format!("a gross of at most {metered}, which is {rate} * {}", s.chargeable_seconds))
    } else if fee * BPS > gross * u128::from(meter::MAX_FEE_BPS) {
        Some(format!("a fee of at most {} bps of the gross", meter::MAX_FEE_BPS))
    } else {
        None
    };
    (found, expected)
}
