use super::{
    DAY, Entry, Event, Model, Outcome, Refusal,
    refusal::{Word, refuse_if},
};
use alloy::primitives::Address;

/// What was spent in a day is counted up to one below 2^48.
const MOST_SPENT: u128 = (1 << 48) - 1;
/// The most entries of a batch.
const MOST_ENTRIES: u128 = 100;

impl Model {
    fn check_relayer(&self, caller: Address) -> Result<(), Refusal> {
        refuse_if(caller != self.relayer, "NotRelayer(address)", &[caller.into()])?;
        refuse_if(self.paused, "ContractPaused()", &[])
    }

    /// Takes a settlement out of its pool, if no rule is against it.
    fn book(&mut self, entry: &Entry, now: u64) -> Result<Event, Refusal> {
        self.check(entry, now)?;
        self.settled.insert(entry.session);
        let spent = self.spent_today(entry.from, now) + entry.gross();
        let account = self.accounts.entry(entry.from).or_default();
        account.pool -= entry.gross();
        (account.spent, account.spent_on) = (spent.min(MOST_SPENT), now / DAY);
        Ok(Event::Settled(*entry))
    }

    /// Both are paid, or nothing happens.
    pub(super) fn settle_from_pool(&mut self, caller: Address, entry: &Entry, now: u64) -> Outcome {
        self.check_relayer(caller)?;
        let mut events = vec![self.book(entry, now)?];
        events.push(self.token.transfer(self.settlement, entry.to, entry.to_amount)?);
        if entry.fee_amount != 0 {
            let platform = self.platform;
            events.push(self.token.transfer(self.settlement, platform, entry.fee_amount)?);
        }
        Ok(events)
    }

    /// Entries are booked or skipped one by one; then payees are paid, neighbouring entries of one
    /// payee at once, and last the fees.
    pub(super) fn settle_batch(&mut self, caller: Address, entries: &[Entry], now: u64) -> Outcome {
        self.check_relayer(caller)?;
        let size: u128 = (0u128..).zip(entries).map(|(index, _)| index + 1).last().unwrap_or(0);
        let words = [Word::from(size), MOST_ENTRIES.into()];
        let unfit = !(1..=MOST_ENTRIES).contains(&size);
        refuse_if(unfit, "BatchSizeOutOfRange(uint256,uint256)", &words)?;

        let (mut events, mut fees) = (Vec::new(), 0);
        let mut payouts: Vec<(Address, u128)> = Vec::new();
        for (index, entry) in (0..).zip(entries) {
            match self.book(entry, now) {
                Ok(settled) => {
                    events.push(settled);
                    fees += entry.fee_amount;
                    match payouts.last_mut() {
                        Some((to, amount)) if *to == entry.to => *amount += entry.to_amount,
                        _ => payouts.push((entry.to, entry.to_amount)),
                    }
                }
                Err(refusal) => events.push(skipped(entry, index, &refusal)),
            }
        }
        payouts.extend((fees != 0).then_some((self.platform, fees)));
        for (to, amount) in payouts {
            events.push(self.pay_or_hold(to, amount)?);
        }
        Ok(events)
    }

    /// Only the blacklist holds a payout. Whatever else fails reverts the batch.
    fn pay_or_hold(&mut self, to: Address, amount: u128) -> Result<Event, Refusal> {
        match self.token.transfer(self.settlement, to, amount) {
            Err(_) if self.token.blacklisted.contains(&to) => {
                *self.claimable.entry(to).or_default() += amount;
                Ok(Event::PayoutHeld { to, amount })
            }
            other => other,
        }
    }
}

fn skipped(entry: &Entry, index: u64, refusal: &Refusal) -> Event {
    let (name, reason) = (refusal.name(), refusal.selector());
    Event::EntrySkipped { session: entry.session, from: entry.from, index, name, reason }
}
