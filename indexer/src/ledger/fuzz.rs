//! Logs of any bytes: what is decoded is the whole of what was written, and what is exact is decoded.

use super::{Change, DecodeError, Deployment, Limits, Position, RawLog, Settlement, decode};
use crate::fuzzing::{fuzzed, spoiled};
use alloy::{
    primitives::{Address, B256, IntoLogData, Log, LogData, Selector, U256, address, aliases::U48},
    sol_types::{SolEvent, SolEventInterface},
};
use luxxon_bindings::{
    MicroUsdc,
    settlement::LuxxonSettlement::{
        Claimed, Deposited, EntrySkipped, LimitsSet, LuxxonSettlementEvents as SettlementEvents,
        Paused, PayoutHeld, RelayerProposed, Rescued, Settled, Withdrawn,
    },
    usdc::UsdcStandIn::Approval,
};
use proptest::prelude::*;

const DEPLOYMENT: Deployment = Deployment {
    settlement: address!("0x5e771e0000000000000000000000000000000001"),
    usdc: address!("0x05dc000000000000000000000000000000000001"),
    deploy_block: 7,
};

/// Values of the contract's width, one more than that, and wider ones.
fn values() -> impl Strategy<Value = U256> {
    prop_oneof![
        4 => any::<u64>().prop_map(U256::from),
        1 => (0..4_u64).prop_map(|past| U256::from(u64::MAX - 1) + U256::from(past)),
        1 => (0..4_u64).prop_map(|past| U256::from(u64::from(u32::MAX) - 1 + past)),
        1 => any::<[u64; 4]>().prop_map(U256::from_limbs),
        1 => (0..110_u64).prop_map(U256::from),
    ]
}

fn addresses() -> impl Strategy<Value = Address> {
    prop_oneof![
        3 => any::<[u8; 20]>().prop_map(Address::from),
        1 => Just(DEPLOYMENT.settlement),
        1 => Just(DEPLOYMENT.usdc),
    ]
}

/// The logs that the two contracts write, and where.
fn logs() -> impl Strategy<Value = (Address, LogData)> {
    let (account, other) = (addresses(), addresses());
    let words = proptest::array::uniform4(values());
    (0..11_u8, account, other, words, any::<[u8; 32]>()).prop_map(
        |(kind, one, other, words, id)| {
            let [first, second, third, fourth] = words;
            let of = DEPLOYMENT.settlement;
            let narrow = |value: U256| U48::from(value.as_limbs()[0] >> 16);
            let id = B256::from(id);
            let log = match kind {
                0 => Deposited { account: one, payer: other, amount: first }.encode_log_data(),
                1 => Withdrawn { account: one, amount: first }.encode_log_data(),
                2 | 3 => Settled {
                    sessionId: id,
                    from: one,
                    to: other,
                    toAmount: first,
                    feeAmount: second,
                    ratePerSecond: third,
                    chargeableSeconds: fourth,
                }
                .encode_log_data(),
                4 => PayoutHeld { to: one, amount: first }.encode_log_data(),
                5 => Claimed { account: one, amount: first }.encode_log_data(),
                6 => LimitsSet {
                    account: one,
                    maxRatePerSecond: second.as_limbs()[0].try_into().unwrap_or(u32::MAX),
                    maxPerSession: narrow(third),
                    maxPerDay: narrow(fourth),
                }
                .encode_log_data(),
                7 => {
                    let reason = Selector::from_slice(&id[..4]);
                    EntrySkipped { sessionId: id, from: one, index: first, reason }
                        .encode_log_data()
                }
                8 => Paused { account: one }.encode_log_data(),
                9 => Rescued { to: one, amount: first }.encode_log_data(),
                _ => {
                    let approval = Approval { owner: one, spender: other, value: first };
                    return (DEPLOYMENT.usdc, approval.encode_log_data());
                }
            };
            (of, log)
        },
    )
}

/// A log as it was written, or with its topics and data changed, at a place near the deployment.
fn raw_logs() -> impl Strategy<Value = RawLog> {
    let spoiled = logs().prop_flat_map(|(address, log)| {
        let topics: Vec<u8> = log.topics().iter().flat_map(|topic| topic.0).collect();
        // Half of the time only one of the two is touched, and what is left of the other is exact.
        let topics = prop_oneof![
            Just(log.topics().to_vec()),
            spoiled(Just(topics)).prop_map(|bytes| words_of(&bytes)),
        ];
        let data = log.data.to_vec();
        let data = prop_oneof![Just(data.clone()), spoiled(Just(data))];
        let address = prop_oneof![8 => Just(address), 1 => addresses()];
        (address, topics, data)
    });
    (spoiled, 6..9_u64, any::<u32>()).prop_map(|((address, topics, data), block, log_index)| {
        RawLog {
            position: Position { block, log_index },
            tx_hash: B256::repeat_byte(9),
            log: Log { address, data: LogData::new_unchecked(topics, data.into()) },
        }
    })
}

/// Topics are whole words: what is left over is dropped.
fn words_of(bytes: &[u8]) -> Vec<B256> {
    bytes.chunks_exact(32).take(5).map(B256::from_slice).collect()
}

/// The log that says `change`.
fn written(change: &Change) -> (Address, LogData) {
    let money = |amount: &MicroUsdc| U256::from(amount.get());
    let log = match change {
        Change::Deposit { account, payer, amount } => {
            Deposited { account: *account, payer: *payer, amount: money(amount) }.encode_log_data()
        }
        Change::Withdrawal { account, amount } => {
            Withdrawn { account: *account, amount: money(amount) }.encode_log_data()
        }
        Change::Settle(terms) => settled(terms).encode_log_data(),
        Change::PayoutHeld { account, amount } => {
            PayoutHeld { to: *account, amount: money(amount) }.encode_log_data()
        }
        Change::Claimed { account, amount } => {
            Claimed { account: *account, amount: money(amount) }.encode_log_data()
        }
        Change::LimitsSet { account, limits } => {
            let Limits { max_rate_per_second, max_per_session, max_per_day } = *limits;
            let rate = u32::try_from(max_rate_per_second.get()).unwrap();
            let [session, day] = [max_per_session, max_per_day].map(|most| U48::from(most.get()));
            LimitsSet {
                account: *account,
                maxRatePerSecond: rate,
                maxPerSession: session,
                maxPerDay: day,
            }
            .encode_log_data()
        }
        Change::EntrySkipped { session, from, index, reason } => {
            let (session, index) = (session.0, U256::from(*index));
            EntrySkipped { sessionId: session, from: *from, index, reason: *reason }
                .encode_log_data()
        }
        Change::Approval { owner, allowance } => {
            let spender = DEPLOYMENT.settlement;
            let approval = Approval { owner: *owner, spender, value: *allowance };
            return (DEPLOYMENT.usdc, approval.encode_log_data());
        }
    };
    (DEPLOYMENT.settlement, log)
}

fn settled(terms: &Settlement) -> Settled {
    assert_eq!(terms.to_amount.checked_add(terms.fee_amount), Some(terms.gross));
    Settled {
        sessionId: terms.session.0,
        from: terms.from,
        to: terms.to,
        toAmount: terms.to_amount.into(),
        feeAmount: terms.fee_amount.into(),
        ratePerSecond: terms.rate_per_second.into(),
        chargeableSeconds: U256::from(terms.chargeable_seconds),
    }
}

/// Whether `log` is, byte for byte, one that its contract could write: the decoder at its most
/// tolerant reads it, and what it read is encoded as what was there.
fn is_exact(log: &Log) -> bool {
    let again = if log.address == DEPLOYMENT.usdc {
        Approval::decode_raw_log(log.topics(), &log.data.data).ok().map(|it| it.encode_log_data())
    } else {
        let event = SettlementEvents::decode_raw_log(log.topics(), &log.data.data);
        event.ok().map(|event| event.to_log_data())
    };
    again.is_some_and(|again| again == log.data)
}

/// What the contract writes and no account is concerned by.
fn is_passed_over(log: &Log) -> bool {
    let topics = [Paused::SIGNATURE_HASH, Rescued::SIGNATURE_HASH, RelayerProposed::SIGNATURE_HASH];
    log.topics().first().is_some_and(|topic| topics.contains(topic))
}

proptest! {
    #![proptest_config(fuzzed())]

    #[test]
    fn fuzz_a_log_is_decoded_whole_or_refused_for_what_is_wrong_with_it(raw in raw_logs()) {
        let exact = is_exact(&raw.log);
        match decode(&DEPLOYMENT, &raw) {
            Ok(Some(event)) => {
                prop_assert_eq!((event.position, event.tx_hash), (raw.position, raw.tx_hash));
                prop_assert_eq!(written(&event.change), (raw.log.address, raw.log.data));
            }
            Ok(None) => {
                let before = raw.position.block < DEPLOYMENT.deploy_block;
                prop_assert!(exact && (before || is_passed_over(&raw.log)));
            }
            Err(DecodeError::ForeignAddress(address)) => {
                prop_assert_eq!(address, raw.log.address);
                prop_assert!(address != DEPLOYMENT.settlement && address != DEPLOYMENT.usdc);
            }
            Err(error @ DecodeError::OutOfRange { field, value }) => {
                let most = match field {
                    "index" => U256::from(99),
                    "chargeableSeconds" => U256::from(u32::MAX),
                    _ => U256::from(u64::MAX),
                };
                prop_assert!(exact && value > most);
                let named = format!("{field}: {value} ");
                prop_assert!(error.to_string().starts_with(&named));
            }
            Err(DecodeError::NotOurApproval(_)) if exact => {
                let spender = Address::from_word(raw.log.topics()[2]);
                prop_assert_ne!(spender, DEPLOYMENT.settlement);
            }
            Err(DecodeError::UnknownEvent(_) | DecodeError::NotOurApproval(_)) => {
                prop_assert!(!exact);
            }
        }
    }

    #[test]
    fn fuzz_topics_and_data_of_any_bytes_are_no_log_of_ours(
        topics in proptest::collection::vec(any::<[u8; 32]>().prop_map(B256::from), 0..6),
        data: Vec<u8>,
        of in prop_oneof![Just(DEPLOYMENT.settlement), Just(DEPLOYMENT.usdc)],
    ) {
        let log = Log { address: of, data: LogData::new_unchecked(topics, data.into()) };
        let position = Position { block: 7, log_index: 0 };
        let raw = RawLog { position, tx_hash: B256::ZERO, log };
        prop_assert!(decode(&DEPLOYMENT, &raw).is_err());
    }
}
