//! Draws the steps of histories. Most of what they do succeeds, and each error is met often.

use super::{
    faults,
    step::{Does, Fate, Move, Pay, Step, Trouble, Twist, Wait},
};
use proptest::{collection::vec, option::weighted, prelude::*};

/// A step of a history.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let any =
        (does(), weighted(0.25, trouble())).prop_map(|(does, trouble)| Step { does, trouble });
    prop_oneof![50 => any, 1 => long_range()]
}

/// Only many blocks are asked for by ranges: a node that finds them too large is seldom met otherwise.
fn long_range() -> impl Strategy<Value = Step> {
    (26..=30u8, any::<u8>(), 1..=3u8).prop_map(|(blocks, kind, times)| {
        let kind = faults::range_too_large(kind);
        Step { does: Does::Empty(blocks), trouble: Some(Trouble::Fault { kind, times }) }
    })
}

fn does() -> impl Strategy<Value = Does> {
    let block = (wait(), vec(a_move(), 1..=4), any::<bool>())
        .prop_map(|(wait, moves, awaited)| Does::Block { wait, moves, awaited });
    let reorg = (1..=20u8, fate(), 0..=22u8).prop_map(|(depth, fate, blocks)| Does::Reorg {
        depth,
        fate,
        blocks,
    });
    prop_oneof![
        32 => block,
        1 => (1..=12u8).prop_map(Does::Empty),
        2 => (25..=30u8).prop_map(Does::Empty),
        5 => reorg,
        1 => any::<u8>().prop_map(Does::RevokeKey),
        1 => Just(Does::Audit),
    ]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        3 => (0..60u16).prop_map(Trouble::Kill),
        1 => Just(Trouble::Away),
        5 => (any::<u8>(), 1..=3u8).prop_map(|(kind, times)| Trouble::Fault { kind, times }),
    ]
}

fn wait() -> impl Strategy<Value = Wait> {
    prop_oneof![
        8 => Just(Wait::Usual),
        2 => Just(Wait::Hour),
        2 => Just(Wait::Midnight),
        1 => Just(Wait::Day),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![Just(Fate::Drop), Just(Fate::Keep), Just(Fate::Reverse), Just(Fate::Half)]
}

/// Mostly an amount that is there.
fn size() -> impl Strategy<Value = u8> {
    prop_oneof![20 => 1..=200u8, 1 => Just(0), 1 => 201..=255u8]
}

fn a_move() -> impl Strategy<Value = Move> {
    prop_oneof![26 => money(), 9 => settlement(), 9 => roles(), 5 => usdc()]
}

fn money() -> impl Strategy<Value = Move> {
    let n = any::<u8>;
    prop_oneof![
        5 => (n(), size()).prop_map(|(who, size)| Move::Deposit { who, size }),
        2 => (n(), n(), size()).prop_map(|(who, whom, size)| Move::DepositFor { who, whom, size }),
        3 => (n(), size(), 0..4u8, 0..12u8).prop_map(|(who, size, nonce, twist)| {
            Move::DepositSigned { who, size, nonce, twist }
        }),
        4 => (n(), size()).prop_map(|(who, size)| Move::Withdraw { who, size }),
        2 => (n(), n()).prop_map(|(who, whom)| Move::Claim { who, whom }),
        3 => (n(), n(), n(), n()).prop_map(|(who, rate, session, day)| {
            Move::SetLimits { who, rate, session, day }
        }),
        5 => (n(), pay()).prop_map(|(who, pay)| Move::Settle { who, pay }),
    ]
}

fn settlement() -> impl Strategy<Value = Move> {
    (any::<u8>(), vec(pay(), 1..=8), any::<u8>()).prop_map(|(who, mut pays, none)| {
        // Now and then a batch without entries.
        if none == 0 {
            pays.clear();
        }
        Move::Batch { who, pays }
    })
}

fn roles() -> impl Strategy<Value = Move> {
    let n = any::<u8>;
    prop_oneof![
        2 => n().prop_map(|who| Move::Pause { who }),
        7 => n().prop_map(|who| Move::Unpause { who }),
        3 => (n(), n()).prop_map(|(who, whom)| Move::Propose { who, whom }),
        1 => n().prop_map(|who| Move::Cancel { who }),
        9 => n().prop_map(|who| Move::Accept { who }),
        1 => n().prop_map(|who| Move::Revoke { who }),
        1 => (n(), n()).prop_map(|(who, whom)| Move::SetPauser { who, whom }),
        2 => (n(), n()).prop_map(|(who, whom)| Move::SetPlatform { who, whom }),
        1 => (n(), size()).prop_map(|(who, size)| Move::Donate { who, size }),
        1 => (n(), n(), size()).prop_map(|(who, whom, size)| Move::Rescue { who, whom, size }),
    ]
}

fn usdc() -> impl Strategy<Value = Move> {
    let n = any::<u8>;
    prop_oneof![
        3 => (n(), n()).prop_map(|(who, size)| Move::Approve { who, size }),
        5 => n().prop_map(|whom| Move::Blacklist { whom }),
        6 => n().prop_map(|whom| Move::UnBlacklist { whom }),
        1 => Just(Move::PauseUsdc),
        4 => Just(Move::UnpauseUsdc),
    ]
}

fn pay() -> impl Strategy<Value = Pay> {
    (any::<u8>(), any::<u8>(), any::<u8>(), 1..=255u8, twist())
        .prop_map(|(session, from, to, size, twist)| Pay { session, from, to, size, twist })
}

fn twist() -> impl Strategy<Value = Twist> {
    prop_oneof![
        20 => Just(Twist::Plain),
        2 => Just(Twist::NoFee),
        1 => Just(Twist::ToItself),
        1 => Just(Twist::DearestFee),
        1 => Just(Twist::FeeTooHigh),
        1 => Just(Twist::OverMeter),
        1 => Just(Twist::WholePool),
        1 => Just(Twist::OverPool),
        1 => Just(Twist::Nothing),
        1 => Just(Twist::OverRate),
        1 => Just(Twist::AtSessionLimit),
        1 => Just(Twist::OverSessionLimit),
        1 => Just(Twist::AtDayLimit),
        1 => Just(Twist::OverDayLimit),
        1 => any::<u8>().prop_map(Twist::Wide),
        1 => any::<u8>().prop_map(Twist::BadPayee),
    ]
}
