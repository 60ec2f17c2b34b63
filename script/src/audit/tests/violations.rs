//! Each way in which money can have moved otherwise than it may.

use super::*;
use luxxon_bindings::settlement::LuxxonSettlement::{InsufficientPool, Paused};

/// What the check says of a funded pool after `logs`.
fn of(logs: impl IntoIterator<Item = Log>) -> (Check, String) {
    Chain::funded().transaction(logs).violates()
}

#[test]
fn a_session_that_settles_twice_is_named_with_both_transactions() {
    let mut chain = Chain::funded();
    chain.transaction(settlement(1, 800, 200)).transaction(settlement(1, 800, 200));
    assert_eq!(chain.violates().0, Check::Replay);
    let first = B256::from(usd(9)).to_string();
    assert!(chain.play().unwrap_err().expected.contains(&first));
    // In one transaction too.
    let both = [ours(&settled(1, 1, 0)), ours(&settled(1, 1, 0)), paid(OPERATOR, 2)];
    assert_eq!(of(both).0, Check::Replay);
}

#[test]
fn gross_and_fee_are_within_the_meter_to_the_last_unit() {
    let pays = |amount: u64, fee: u64, rate: u64, seconds: u64| {
        let mut event = settled(1, amount, fee);
        (event.ratePerSecond, event.chargeableSeconds) = (usd(rate), usd(seconds));
        let mut chain = Chain::funded();
        let transfers = [paid(OPERATOR, amount), paid(PLATFORM, fee)];
        chain.transaction([vec![ours(&event)], transfers.to_vec()].concat());
        chain.play().map(drop).map_err(|violation| violation.check)
    };
    assert_eq!(pays(800, 200, 100, 10), Ok(()));
    assert_eq!(pays(801, 200, 100, 10), Err(Check::Meter));
    assert_eq!(pays(799, 200, 100, 10), Err(Check::Meter), "a fee of more than 20 %");
    assert_eq!(pays(0, 0, 100, 10), Err(Check::Meter));
}

#[test]
fn the_limits_of_an_account_hold_from_when_they_are_set() {
    let limited = |set: Log| {
        let mut chain = Chain::funded();
        chain.transaction(settlement(1, 800, 200)).transaction([set]);
        chain.transaction(settlement(2, 800, 200)).play().map_err(|violation| violation.check)
    };
    for sound in [limits(0, 0, 0), limits(100, 0, 0), limits(0, 1_000, 0), limits(0, 0, 2_000)] {
        assert!(limited(sound).is_ok());
    }
    for broken in [limits(99, 0, 0), limits(0, 999, 0), limits(0, 0, 1_999)] {
        assert_eq!(limited(broken).err(), Some(Check::Limits));
    }
}

#[test]
fn a_limit_of_a_day_begins_anew_at_midnight_by_the_blocks_clock() {
    let mut chain = Chain::funded();
    let midnight = 12 * 86_400;
    chain
        .transaction([limits(0, 0, 1_000)])
        .transaction_at(midnight - 1, settlement(1, 800, 200))
        .transaction_at(midnight, settlement(2, 800, 200));
    chain.play().unwrap();
    chain.transaction_at(midnight + 86_399, settlement(3, 1, 0));
    assert_eq!(chain.violates().0, Check::Limits);
}

#[test]
fn no_pool_and_no_claim_gives_more_than_it_has() {
    assert_eq!(of(withdrawn(10_001)).0, Check::Pools);
    let claimed = Claimed { account: OPERATOR, amount: usd(1) };
    assert_eq!(of([ours(&claimed), paid(OPERATOR, 1)]).0, Check::Pools);
    let mut chain = Chain::begun();
    assert_eq!(chain.transaction(settlement(1, 800, 200)).violates().0, Check::Pools);
}

#[test]
fn every_event_of_money_has_its_transfer_in_its_transaction() {
    let mut short = settlement(1, 800, 200);
    short[1] = paid(OPERATOR, 799);
    let (check, found) = of(short);
    assert_eq!(check, Check::Paid);
    assert!(found.contains("got 799 µUSDC"), "{found}");
    let mut elsewhere = settlement(1, 800, 200);
    elsewhere[2] = paid(OWNER, 200);
    assert_eq!(of(elsewhere).0, Check::Paid);
    assert_eq!(of(withdrawn(5).into_iter().take(1)).0, Check::Paid);
    assert_eq!(of([paid(OWNER, 1)]).0, Check::Paid, "nothing says why");
    let event = Deposited { account: CONSUMER, payer: OWNER, amount: usd(5) };
    let by_another = [ours(&event), moved(CONSUMER, DEPLOYMENT.settlement, 5)];
    assert_eq!(of(by_another).0, Check::Deposits);
    // The next transaction's transfer is none of this one's.
    let mut chain = Chain::funded();
    chain.transaction(withdrawn(5).into_iter().take(1));
    let first = chain.play().unwrap_err();
    assert_eq!(chain.transaction([paid(CONSUMER, 5)]).play().unwrap_err(), first);
}

#[test]
fn more_than_was_settled_cannot_be_held() {
    let held = PayoutHeld { to: OPERATOR, amount: usd(801) };
    assert_eq!(of([ours(&settled(1, 800, 0)), ours(&held)]).0, Check::Paid);
    assert_eq!(of([ours(&PayoutHeld { to: OPERATOR, amount: usd(1) })]).0, Check::Paid);
}

#[test]
fn nobody_is_paid_at_zero_the_contract_or_usdc() {
    for to in [Address::ZERO, DEPLOYMENT.settlement, DEPLOYMENT.usdc] {
        let mut event = settled(1, 800, 0);
        event.to = to;
        assert_eq!(of([ours(&event), paid(to, 800)]).0, Check::Payees);
        let account = Deposited { account: to, payer: CONSUMER, amount: usd(5) };
        let transfer = moved(CONSUMER, DEPLOYMENT.settlement, 5);
        assert_eq!(of([ours(&account), transfer]).0, Check::Payees);
        let wallet = PlatformWalletSet { previousWallet: PLATFORM, newWallet: to };
        let check = if to.is_zero() { Check::Roles } else { Check::Payees };
        assert_eq!(of([ours(&wallet)]).0, check);
    }
}

#[test]
fn nothing_is_settled_or_deposited_while_paused_and_withdrawals_go_on() {
    let mut chain = Chain::funded();
    chain.transaction([ours(&Paused { account: PAUSER })]);
    assert_eq!(chain.clone().transaction(settlement(1, 800, 200)).violates().0, Check::Relayer);
    assert_eq!(chain.clone().transaction(deposited(5)).violates().0, Check::Relayer);
    assert!(chain.transaction(withdrawn(5)).play().is_ok());
}

#[test]
fn an_entry_is_skipped_as_settled_exactly_where_it_is() {
    let skip = |session: u8, reason: [u8; 4]| {
        let (session, index) = (B256::repeat_byte(session), usd(0));
        let event =
            EntrySkipped { sessionId: session, from: CONSUMER, index, reason: reason.into() };
        let mut chain = Chain::funded();
        chain.transaction(settlement(1, 800, 200)).transaction([ours(&event)]);
        chain.play().map(drop).map_err(|violation| violation.check)
    };
    let (is_settled, poor) = (SessionAlreadySettled::SELECTOR, InsufficientPool::SELECTOR);
    assert_eq!(skip(1, is_settled), Ok(()));
    assert_eq!(skip(2, poor), Ok(()));
    assert_eq!(skip(1, poor), Err(Check::Skips));
    assert_eq!(skip(2, is_settled), Err(Check::Skips));
    assert_eq!(skip(2, [0; 4]), Err(Check::Skips));
}

#[test]
fn only_surplus_is_rescued() {
    let rescue = |amount: u64| {
        let mut range = Chain::funded().range();
        range.held = Some(usd(10_007));
        let mut history = History::new(DEPLOYMENT, DELAY);
        history.take(&range).unwrap();
        let mut chain = Chain::begun();
        chain.logs.clear();
        let event = Rescued { to: OWNER, amount: usd(amount) };
        chain.transaction([ours(&event), paid(OWNER, amount)]);
        history.take(&chain.range()).map_err(|violation| violation.check)
    };
    assert_eq!(rescue(7), Ok(()));
    assert_eq!(rescue(8), Err(Check::Rescues));
}

#[test]
fn a_log_that_the_contract_cannot_write_is_a_violation() {
    let mut wide = settled(1, 1, 0);
    wide.toAmount = U256::from(u64::MAX) + U256::ONE;
    assert_eq!(of([ours(&wide)]).0, Check::Logs);
    let foreign = Log { address: DEPLOYMENT.settlement, data: moved(OWNER, OWNER, 1).data };
    assert_eq!(of([foreign]).0, Check::Logs);
    assert_eq!(of(deposited(0)).0, Check::Logs);
}
