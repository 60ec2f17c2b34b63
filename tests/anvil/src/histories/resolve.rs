//! What a move's small numbers mean at the moment it is made.

use super::{
    cast::Players,
    sessions::{hash_of, numbered, terms_of},
    step::{Move, Pay, Twist, Wait},
};
use crate::model::{Act, Authorization, Call, DAY, Entry, Model, WIDEST_AMOUNT, WIDEST_SECONDS};
use alloy::primitives::{Address, U256, keccak256};

/// One of those there are.
fn pick<T: Copy>(among: &[T], number: u8) -> T {
    among[usize::from(number) % among.len()]
}

/// The time of a block after one of `before`.
pub(super) fn time_after(before: u64, wait: Wait) -> u64 {
    let last_second = before - before % DAY + DAY - 1;
    match wait {
        Wait::Usual => before + 2,
        Wait::Hour => before + 3_600,
        Wait::Midnight => last_second.max(before + 1),
        Wait::Day => before + DAY,
    }
}

/// A part of `whole`; nothing at 0, too much above 200.
fn part(whole: u128, size: u8) -> u128 {
    match size {
        0 => 0,
        1..=200 => (whole * u128::from(size) / 200).max(1),
        201..=254 => whole + u128::from(size),
        255 => WIDEST_AMOUNT,
    }
}

/// An amount to deposit; nothing at 0, and what is too much or too wide at the upper end.
fn fresh_amount(size: u8, wallet: u128) -> u128 {
    match size {
        ..=220 => u128::from(size) * 10_000,
        221..=240 => wallet + 1,
        241..=250 => WIDEST_AMOUNT,
        _ => WIDEST_AMOUNT + 1,
    }
}

/// A move, as the transaction that it is in the state that `model` is in.
pub(super) fn resolve(a_move: &Move, model: &Model, players: &Players, now: u64) -> Call {
    let consumer = |who| pick(&players.consumers, who);
    let (from, act) = match a_move {
        Move::Deposit { who, size } => {
            let from = consumer(*who);
            (from, Act::Deposit { amount: fresh_amount(*size, model.token.balance(from)) })
        }
        Move::DepositFor { who, whom, size } => {
            let from = consumer(*who);
            let amount = fresh_amount(*size, model.token.balance(from));
            (from, Act::DepositFor { account: any_account(model, players, *whom), amount })
        }
        Move::DepositSigned { who, size, nonce, twist } => {
            let from = consumer(*who);
            let amount = fresh_amount(*size, model.token.balance(from));
            let signed = authorization(from, amount, *nonce, *twist, players, now);
            (players.stranger, Act::DepositWithAuthorization(signed))
        }
        Move::Withdraw { who, size } => {
            let from = consumer(*who);
            (from, Act::Withdraw { amount: part(model.account(from).pool, *size) })
        }
        Move::Claim { who, whom } => {
            let held: Vec<Address> = model.claimable.keys().copied().collect();
            let nobody = held.is_empty() || whom % 8 == 7;
            let account = pick(if nobody { &players.operators } else { &held }, *whom);
            (consumer(*who), Act::Claim { account })
        }
        Move::SetLimits { who, rate, session, day } => {
            limits(consumer(*who), *rate, *session, *day, model, now)
        }
        Move::Settle { who, pay } => {
            let entry = entry(*pay, model, players, now);
            (relayer(model, players, *who), Act::SettleFromPool(entry))
        }
        Move::Batch { who, pays } => {
            let entries = pays.iter().map(|pay| entry(*pay, model, players, now)).collect();
            (relayer(model, players, *who), Act::SettleBatch(entries))
        }
        Move::Donate { who, size } => {
            let from = consumer(*who);
            let amount = part(model.token.balance(from) / 1_000, *size);
            (from, Act::Transfer { to: model.settlement, amount })
        }
        Move::Approve { who, size } => {
            let allowance =
                if *size < 160 { U256::MAX } else { U256::from(*size) * U256::from(100) };
            (consumer(*who), Act::Approve { allowance })
        }
        other => return administer(other, model, players),
    };
    Call { from, act }
}

/// What owners and the pauser do. One in eight is somebody else.
fn administer(a_move: &Move, model: &Model, players: &Players) -> Call {
    let owner = |who: u8| if who % 8 == 7 { players.stranger } else { model.owner };
    let pauser = |who: u8| match who % 8 {
        7 => players.stranger,
        5 | 6 => model.owner,
        _ => model.pauser,
    };
    // Nobody can send a transaction from zero.
    let pauser = |who| Some(pauser(who)).filter(|it| *it != Address::ZERO).unwrap_or(model.owner);
    let circle = players.owner;
    let (from, act) = match a_move {
        Move::Pause { who } => (pauser(*who), Act::Pause),
        Move::Unpause { who } => (owner(*who), Act::Unpause),
        Move::Propose { who, whom } => {
            let zero = whom % 16 == 15;
            let candidate = if zero { Address::ZERO } else { pick(&players.relayers, *whom) };
            (owner(*who), Act::ProposeRelayer { candidate })
        }
        Move::Cancel { who } => (pauser(*who), Act::CancelRelayerProposal),
        Move::Accept { who } => {
            let candidate = model.proposal.map_or(players.relayers[1], |(candidate, _)| candidate);
            (if who % 8 == 7 { players.stranger } else { candidate }, Act::AcceptRelayer)
        }
        Move::Revoke { who } => (pauser(*who), Act::RevokeRelayer),
        Move::SetPauser { who, whom } => {
            (owner(*who), Act::SetPauser { to: pick(&players.pausers, *whom) })
        }
        Move::SetPlatform { who, whom } => {
            let unfit = [Address::ZERO, model.settlement, model.token.address];
            let unfit = (whom % 8 == 7).then(|| pick(&unfit, whom / 8));
            let to = unfit.unwrap_or_else(|| pick(&players.platforms, *whom));
            (owner(*who), Act::SetPlatformWallet { to })
        }
        Move::Rescue { who, whom, size } => {
            let unfit = [Address::ZERO, model.settlement, model.token.address];
            let unfit = (whom % 8 == 7).then(|| pick(&unfit, whom / 8));
            let to = unfit.unwrap_or_else(|| pick(&players.consumers, *whom));
            (owner(*who), Act::Rescue { to, amount: part(model.surplus(), *size) })
        }
        Move::Blacklist { whom } => {
            // Operators most of all; this contract now and then.
            let account = match whom % 16 {
                0..=9 => pick(&players.operators, *whom),
                10..=12 => model.platform,
                13 | 14 => pick(&players.consumers, *whom),
                _ => model.settlement,
            };
            (circle, Act::Blacklist { account })
        }
        Move::UnBlacklist { whom } => {
            let others = |it: &&Address| **it != model.token.address;
            let listed: Vec<Address> =
                model.token.blacklisted.iter().filter(others).copied().collect();
            let account = pick(if listed.is_empty() { &players.operators } else { &listed }, *whom);
            (circle, Act::UnBlacklist { account })
        }
        Move::PauseUsdc => (circle, Act::PauseToken),
        _ => (circle, Act::UnpauseToken),
    };
    Call { from, act }
}

/// Who sends a settlement: one in sixteen is not the relayer.
fn relayer(model: &Model, players: &Players, who: u8) -> Address {
    let nobody = model.relayer == Address::ZERO || who % 16 == 15;
    if nobody { players.stranger } else { model.relayer }
}

/// Consumers and operators, and one in eight that can have no pool.
fn any_account(model: &Model, players: &Players, whom: u8) -> Address {
    let unfit = [Address::ZERO, model.settlement, model.token.address];
    if whom % 8 == 7 { pick(&unfit, whom / 8) } else { pick(&players.wallets(), whom) }
}

fn authorization(
    from: Address,
    amount: u128,
    nonce: u8,
    twist: u8,
    players: &Players,
    now: u64,
) -> Authorization {
    let (valid_after, valid_before) = match twist {
        9 => (now - 100, now),
        10 => (now, now + 100),
        _ => (now - 1, now + 1_000),
    };
    let signer = if twist == 11 { players.stranger } else { from };
    let nonce = keccak256([nonce % 64]);
    Authorization { from, amount, valid_after, valid_before, nonce, signer }
}

/// Of what sessions cost and days allow, so that sessions are met that keep them and some that do not.
fn limits(
    from: Address,
    rate: u8,
    session: u8,
    day: u8,
    model: &Model,
    now: u64,
) -> (Address, Act) {
    let some = |number: u8, value: u64| if number.is_multiple_of(2) { 0 } else { value };
    let spent = u64::try_from(model.spent_today(from, now)).unwrap_or(u64::MAX);
    let act = Act::SetLimits {
        max_rate: u32::try_from(some(rate, 8 * u64::from(rate))).unwrap_or(u32::MAX),
        max_session: some(session, 300 * u64::from(session)),
        max_day: some(day, (spent + 500 * u64::from(day)).min((1 << 48) - 1)),
    };
    (from, act)
}

/// A settlement, which is what was registered unless its size is odd or something is special.
fn entry(pay: Pay, model: &Model, players: &Players, now: u64) -> Entry {
    let number = numbered(pay.session);
    let session = hash_of(number);
    let from = pick(&players.consumers, pay.from);
    let mut entry = Entry {
        session,
        from,
        to: pick(&players.operators, pay.to),
        rate: 10 + 7 * u128::from(pay.size),
        seconds: 1 + u128::from(pay.size) % 60,
        to_amount: 0,
        fee_amount: 0,
    };
    price(&mut entry, 1_500);
    if let Some(terms) = terms_of(number).filter(|_| pay.size.is_multiple_of(2)) {
        entry = terms.due(session, players).unwrap_or(entry);
    }
    twist(&mut entry, pay.twist, model, now);
    entry
}

/// Divides what the meter says, `bps` of it for the platform.
fn price(entry: &mut Entry, bps: u128) {
    entry.fee_amount = entry.rate * entry.seconds * bps / 10_000;
    entry.to_amount = entry.rate * entry.seconds * (10_000 - bps) / 10_000;
}

/// A gross of `gross` without a fee, at a rate that keeps the meter.
fn costing(entry: &mut Entry, gross: u128) {
    (entry.to_amount, entry.fee_amount) = (gross, 0);
    (entry.rate, entry.seconds) = (gross.div_ceil(1_000), 1_000);
}

fn twist(entry: &mut Entry, twist: Twist, model: &Model, now: u64) {
    let account = model.account(entry.from);
    let left_today = account.max_day.saturating_sub(model.spent_today(entry.from, now));
    match twist {
        Twist::Plain => {}
        Twist::NoFee => price(entry, 0),
        Twist::ToItself => entry.to = entry.from,
        Twist::DearestFee => price(entry, 2_000),
        Twist::FeeTooHigh => {
            entry.fee_amount += entry.to_amount / 5;
            entry.to_amount -= entry.to_amount / 5;
        }
        Twist::OverMeter => entry.to_amount = entry.rate * entry.seconds - entry.fee_amount + 1,
        Twist::WholePool => costing(entry, account.pool),
        Twist::OverPool => costing(entry, account.pool + 1),
        Twist::Nothing => (entry.to_amount, entry.fee_amount) = (0, 0),
        Twist::OverRate => {
            entry.rate = account.max_rate + 1;
            price(entry, 1_000);
        }
        Twist::AtSessionLimit => costing(entry, account.max_session.max(1)),
        Twist::OverSessionLimit => costing(entry, account.max_session + 1),
        Twist::AtDayLimit => costing(entry, left_today.max(1)),
        Twist::OverDayLimit => costing(entry, left_today + 1),
        Twist::Wide(which) => match which % 5 {
            0 => entry.rate = WIDEST_AMOUNT + 1,
            1 => entry.seconds = WIDEST_SECONDS + 1,
            2 => entry.to_amount = WIDEST_AMOUNT + 1,
            3 => entry.fee_amount = WIDEST_AMOUNT + 1,
            _ => (entry.to_amount, entry.fee_amount) = (WIDEST_AMOUNT, 1),
        },
        Twist::BadPayee(which) => {
            let unfit = [Address::ZERO, model.settlement, model.token.address];
            entry.to = pick(&unfit, which);
        }
    }
}
