use super::{Change, Event, Limits, MAX_BATCH_SIZE, Position, Settlement};
use alloy::{
    primitives::{Address, B256, Log, Selector, U256},
    sol_types::{SolEvent, SolEventInterface, abi::AbiDecoderConfig},
};
use luxxon_bindings::{
    MicroUsdc, SessionId, TooLarge,
    settlement::LuxxonSettlement::{
        Claimed, Deposited, EntrySkipped, LimitsSet, LuxxonSettlementErrors as SettlementErrors,
        LuxxonSettlementEvents as SettlementEvents, PayoutHeld, Settled, Withdrawn,
    },
    usdc::UsdcStandIn::Approval,
};

/// The two contracts whose logs make the ledger, and the block it begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// `LuxxonSettlement`.
    pub settlement: Address,
    /// The USDC it holds.
    pub usdc: Address,
    /// The block `LuxxonSettlement` was deployed in.
    pub deploy_block: u64,
}

/// A log of a mined block, with what is known of its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLog {
    /// Where it stands.
    pub position: Position,
    /// The transaction that wrote it.
    pub tx_hash: B256,
    /// Address, topics and data.
    pub log: Log,
}

/// A log the ledger cannot take. Each of these means that the contract, its ABI here or the node
/// is not what it was taken for: there is nothing to retry, and going on would make balances wrong.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A log of a contract that was not asked for.
    #[error("a log of {0}, which is neither the settlement contract nor USDC")]
    ForeignAddress(Address),
    /// A log of the settlement contract that its ABI does not have.
    #[error("the settlement contract wrote an event its ABI does not have: {0}")]
    UnknownEvent(String),
    /// A USDC log that is no `Approval` of the settlement contract.
    #[error("USDC log that is no Approval with the settlement contract as spender: {0}")]
    NotOurApproval(String),
    /// A value larger than the contract lets it be.
    #[error("{field}: {value} is larger than the contract lets it be")]
    OutOfRange {
        /// The event's field.
        field: &'static str,
        /// What it held.
        value: U256,
    },
}

/// What `raw` says, or `None` for an event that is no account's (a pause, a role, what is rescued),
/// and for what was before the contract: an allowance can be given to an address that has no code
/// yet.
///
/// Amounts are narrowed to the 64 bits the contract bounds them to; one that does not fit is an
/// error, never a cut.
pub fn decode(deployment: &Deployment, raw: &RawLog) -> Result<Option<Event>, DecodeError> {
    let change = if raw.log.address == deployment.settlement {
        settlement_change(&raw.log)?
    } else if raw.log.address == deployment.usdc {
        Some(approval(&raw.log, deployment.settlement)?)
    } else {
        return Err(DecodeError::ForeignAddress(raw.log.address));
    };
    let change = change.filter(|_| raw.position.block >= deployment.deploy_block);
    Ok(change.map(|change| Event { position: raw.position, tx_hash: raw.tx_hash, change }))
}

/// A field wider than its type is refused, and so is data behind the last field: left to itself, the
/// decoder cuts the one and passes over the other.
const EXACT: AbiDecoderConfig = AbiDecoderConfig::new().strict(true);

fn settlement_change(log: &Log) -> Result<Option<Change>, DecodeError> {
    let event = SettlementEvents::decode_log_with_config(log, EXACT)
        .map_err(|error| DecodeError::UnknownEvent(error.to_string()))?
        .data;
    Ok(Some(match event {
        SettlementEvents::Deposited(Deposited { account, payer, amount }) => {
            Change::Deposit { account, payer, amount: money("amount", amount)? }
        }
        SettlementEvents::Withdrawn(Withdrawn { account, amount }) => {
            Change::Withdrawal { account, amount: money("amount", amount)? }
        }
        SettlementEvents::Settled(event) => Change::Settle(settlement(&event)?),
        SettlementEvents::PayoutHeld(PayoutHeld { to, amount }) => {
            Change::PayoutHeld { account: to, amount: money("amount", amount)? }
        }
        SettlementEvents::Claimed(Claimed { account, amount }) => {
            Change::Claimed { account, amount: money("amount", amount)? }
        }
        SettlementEvents::LimitsSet(event) => limits_set(&event),
        SettlementEvents::EntrySkipped(event) => entry_skipped(&event)?,
        _ => return Ok(None),
    }))
}

fn limits_set(event: &LimitsSet) -> Change {
    let limits = Limits {
        max_rate_per_second: MicroUsdc::new(event.maxRatePerSecond.into()),
        max_per_session: MicroUsdc::new(event.maxPerSession.to()),
        max_per_day: MicroUsdc::new(event.maxPerDay.to()),
    };
    Change::LimitsSet { account: event.account, limits }
}

fn entry_skipped(event: &EntrySkipped) -> Result<Change, DecodeError> {
    let index = u8::try_from(event.index).ok().filter(|index| *index < MAX_BATCH_SIZE);
    Ok(Change::EntrySkipped {
        session: SessionId(event.sessionId),
        from: event.from,
        index: index.ok_or(DecodeError::OutOfRange { field: "index", value: event.index })?,
        reason: event.reason,
    })
}

/// The name of the contract's error with that selector, `None` where it has no such error.
#[must_use]
pub fn error_name(selector: Selector) -> Option<&'static str> {
    SettlementErrors::name_by_selector(selector.0)
}

fn settlement(event: &Settled) -> Result<Settlement, DecodeError> {
    let to_amount = money("toAmount", event.toAmount)?;
    let fee_amount = money("feeAmount", event.feeAmount)?;
    let gross = to_amount.checked_add(fee_amount).ok_or_else(|| DecodeError::OutOfRange {
        field: "toAmount + feeAmount",
        value: event.toAmount.saturating_add(event.feeAmount),
    })?;
    let chargeable_seconds = u32::try_from(event.chargeableSeconds).map_err(|_| {
        DecodeError::OutOfRange { field: "chargeableSeconds", value: event.chargeableSeconds }
    })?;
    Ok(Settlement {
        session: SessionId(event.sessionId),
        from: event.from,
        to: event.to,
        to_amount,
        fee_amount,
        gross,
        rate_per_second: money("ratePerSecond", event.ratePerSecond)?,
        chargeable_seconds,
    })
}

fn approval(log: &Log, settlement: Address) -> Result<Change, DecodeError> {
    let approval = Approval::decode_log_with_config(log, EXACT)
        .map_err(|error| DecodeError::NotOurApproval(error.to_string()))?
        .data;
    if approval.spender != settlement {
        return Err(DecodeError::NotOurApproval(format!("its spender is {}", approval.spender)));
    }
    Ok(Change::Approval { owner: approval.owner, allowance: approval.value })
}

fn money(field: &'static str, value: U256) -> Result<MicroUsdc, DecodeError> {
    MicroUsdc::try_from(value).map_err(|TooLarge(value)| DecodeError::OutOfRange { field, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{LogData, address, aliases::U48, b256, fixed_bytes, keccak256};
    use luxxon_bindings::settlement::LuxxonSettlement::{Paused, Rescued};

    const DEPLOYMENT: Deployment = Deployment {
        settlement: address!("0x5e771e0000000000000000000000000000000001"),
        usdc: address!("0x05dc000000000000000000000000000000000001"),
        deploy_block: 7,
    };
    const CONSUMER: Address = address!("0xc000000000000000000000000000000000000001");
    const OPERATOR: Address = address!("0x0900000000000000000000000000000000000001");

    fn log_of(address: Address, event: &impl SolEvent) -> RawLog {
        RawLog {
            position: Position { block: 7, log_index: 3 },
            tx_hash: B256::repeat_byte(9),
            log: Log { address, data: event.encode_log_data() },
        }
    }

    fn settled(to_amount: U256, fee_amount: U256, seconds: U256) -> RawLog {
        let event = Settled {
            sessionId: B256::repeat_byte(1),
            from: CONSUMER,
            to: OPERATOR,
            toAmount: to_amount,
            feeAmount: fee_amount,
            ratePerSecond: U256::from(1_000),
            chargeableSeconds: seconds,
        };
        log_of(DEPLOYMENT.settlement, &event)
    }

    #[test]
    fn a_settlement_keeps_its_place_and_every_field() {
        let raw = settled(U256::from(4_250), U256::from(750), U256::from(5));
        let event = decode(&DEPLOYMENT, &raw).unwrap().unwrap();
        assert_eq!(event.position, raw.position);
        assert_eq!(event.tx_hash, raw.tx_hash);
        let expected = Settlement {
            session: SessionId(B256::repeat_byte(1)),
            from: CONSUMER,
            to: OPERATOR,
            to_amount: MicroUsdc::new(4_250),
            fee_amount: MicroUsdc::new(750),
            gross: MicroUsdc::new(5_000),
            rate_per_second: MicroUsdc::new(1_000),
            chargeable_seconds: 5,
        };
        assert_eq!(event.change, Change::Settle(expected));
    }

    #[test]
    fn the_settled_topic_is_the_published_one() {
        assert_eq!(
            Settled::SIGNATURE_HASH,
            b256!("0x3c2f1f2d0b72345a6485430cb4ac8fd6f0750636b3b793aa4976a0008d8c8079")
        );
    }

    #[test]
    fn values_the_contract_cannot_book_are_refused_by_name() {
        let max = U256::from(u64::MAX);
        let refused = |raw, name| match decode(&DEPLOYMENT, &raw) {
            Err(DecodeError::OutOfRange { field, .. }) => assert_eq!(field, name),
            other => panic!("expected {name} out of range, found {other:?}"),
        };
        refused(settled(max + U256::ONE, U256::ZERO, U256::ONE), "toAmount");
        refused(settled(max, U256::ONE, U256::ONE), "toAmount + feeAmount");
        refused(settled(U256::ONE, U256::ZERO, U256::from(1u64 << 32)), "chargeableSeconds");
        let deposited = Deposited { account: CONSUMER, payer: CONSUMER, amount: U256::MAX };
        refused(log_of(DEPLOYMENT.settlement, &deposited), "amount");
        refused(skipped(100, Selector::ZERO), "index");
        refused(skipped(256, Selector::ZERO), "index");
    }

    #[test]
    fn an_unlimited_allowance_is_kept_whole() {
        let approval =
            Approval { owner: CONSUMER, spender: DEPLOYMENT.settlement, value: U256::MAX };
        let event = decode(&DEPLOYMENT, &log_of(DEPLOYMENT.usdc, &approval)).unwrap().unwrap();
        assert_eq!(event.change, Change::Approval { owner: CONSUMER, allowance: U256::MAX });
    }

    #[test]
    fn what_was_before_the_deployment_is_no_part_of_the_ledger() {
        let approval =
            Approval { owner: CONSUMER, spender: DEPLOYMENT.settlement, value: U256::ONE };
        let mut log = log_of(DEPLOYMENT.usdc, &approval);
        assert!(decode(&DEPLOYMENT, &log).unwrap().is_some());
        log.position.block = 6;
        assert_eq!(decode(&DEPLOYMENT, &log), Ok(None));
    }

    #[test]
    fn events_that_are_no_accounts_are_passed_over() {
        let of = DEPLOYMENT.settlement;
        let events = [
            log_of(of, &Paused { account: OPERATOR }),
            log_of(of, &Rescued { to: OPERATOR, amount: U256::ONE }),
        ];
        for event in events {
            assert_eq!(decode(&DEPLOYMENT, &event), Ok(None));
        }
    }

    #[test]
    fn money_held_for_a_payee_and_claimed_by_it_is_kept() {
        let (of, amount) = (DEPLOYMENT.settlement, U256::from(5));
        let change = |log| decode(&DEPLOYMENT, &log).unwrap().unwrap().change;
        let (account, money) = (OPERATOR, MicroUsdc::new(5));
        let held = change(log_of(of, &PayoutHeld { to: OPERATOR, amount }));
        assert_eq!(held, Change::PayoutHeld { account, amount: money });
        let claimed = change(log_of(of, &Claimed { account: OPERATOR, amount }));
        assert_eq!(claimed, Change::Claimed { account, amount: money });
    }

    #[test]
    fn limits_up_to_the_widest_and_none_at_all_are_kept() {
        let limits = |rate, session, day| {
            let set = LimitsSet {
                account: CONSUMER,
                maxRatePerSecond: rate,
                maxPerSession: U48::from(session),
                maxPerDay: U48::from(day),
            };
            let raw = log_of(DEPLOYMENT.settlement, &set);
            let change = decode(&DEPLOYMENT, &raw).unwrap().unwrap().change;
            let Change::LimitsSet { account, limits } = change else { panic!("{change:?}") };
            assert_eq!(account, CONSUMER);
            [limits.max_rate_per_second, limits.max_per_session, limits.max_per_day]
                .map(MicroUsdc::get)
        };
        let most = (1u64 << 48) - 1;
        assert_eq!(limits(u32::MAX, most - 1, most), [u32::MAX.into(), most - 1, most]);
        assert_eq!(limits(0, 0, 0), [0; 3]);
    }

    fn skipped(index: u64, reason: Selector) -> RawLog {
        let (session, index) = (B256::repeat_byte(1), U256::from(index));
        let skipped = EntrySkipped { sessionId: session, from: CONSUMER, index, reason };
        log_of(DEPLOYMENT.settlement, &skipped)
    }

    #[test]
    fn a_skipped_entry_keeps_its_place_in_the_batch_and_its_reason_whatever_that_is() {
        for (index, reason) in [(0, fixed_bytes!("0x00000000")), (99, fixed_bytes!("0xfedcba98"))] {
            let event = decode(&DEPLOYMENT, &skipped(index.into(), reason)).unwrap().unwrap();
            let (session, from) = (SessionId(B256::repeat_byte(1)), CONSUMER);
            assert_eq!(event.change, Change::EntrySkipped { session, from, index, reason });
            assert_eq!(event.change.account(), CONSUMER);
        }
    }

    #[test]
    fn a_reason_has_the_name_of_the_contracts_error() {
        let name = |signature: &str| error_name(Selector::from_slice(&keccak256(signature)[..4]));
        let insufficient = "InsufficientPool(address,uint256,uint256)";
        assert_eq!(name(insufficient), Some("InsufficientPool"));
        assert_eq!(name("DayLimitExceeded(address,uint256,uint256)"), Some("DayLimitExceeded"));
        assert_eq!(name("InsufficientPool()"), None);
    }

    #[test]
    fn a_log_that_is_not_exactly_what_its_abi_says_is_an_error() {
        let good =
            log_of(DEPLOYMENT.settlement, &Withdrawn { account: CONSUMER, amount: U256::from(5) });
        let broken = |break_it: fn(&mut Vec<B256>, &mut Vec<u8>)| {
            let mut raw = good.clone();
            let (mut topics, mut data) = (raw.log.topics().to_vec(), raw.log.data.data.to_vec());
            break_it(&mut topics, &mut data);
            raw.log.data = LogData::new_unchecked(topics, data.into());
            decode(&DEPLOYMENT, &raw)
        };
        assert!(broken(|_, _| ()).is_ok());
        for (why, outcome) in [
            ("an address of more than 20 bytes", broken(|topics, _| topics[1].0[11] = 1)),
            ("a topic too many", broken(|topics, _| topics.push(B256::ZERO))),
            ("a topic too few", broken(|topics, _| topics.truncate(1))),
            ("data that ends early", broken(|_, data| data.truncate(31))),
            ("data that goes on", broken(|_, data| data.extend([0; 32]))),
        ] {
            assert!(matches!(outcome, Err(DecodeError::UnknownEvent(_))), "{why}: {outcome:?}");
        }
    }

    #[test]
    fn limits_and_reasons_wider_than_their_types_are_errors_and_never_cut() {
        let of = DEPLOYMENT.settlement;
        let (account, zero) = (CONSUMER, U48::ZERO);
        let limits =
            LimitsSet { account, maxRatePerSecond: 0, maxPerSession: zero, maxPerDay: zero };
        let limits = log_of(of, &limits);
        let skipped = skipped(0, Selector::ZERO);
        // Each time the first byte of a word that is none of the field's.
        for (why, raw, byte) in [
            ("a rate of 2^32", &limits, 31 - 4),
            ("2^48 for a session", &limits, 63 - 6),
            ("2^48 for a day", &limits, 95 - 6),
            ("a reason of five bytes", &skipped, 32 + 4),
        ] {
            let mut data = raw.log.data.data.to_vec();
            data[byte] = 1;
            let mut raw = raw.clone();
            raw.log.data.data = data.into();
            let outcome = decode(&DEPLOYMENT, &raw);
            assert!(matches!(outcome, Err(DecodeError::UnknownEvent(_))), "{why}: {outcome:?}");
        }
    }

    #[test]
    fn logs_that_should_not_be_here_are_errors() {
        let foreign = log_of(OPERATOR, &Withdrawn { account: CONSUMER, amount: U256::ONE });
        assert_eq!(decode(&DEPLOYMENT, &foreign), Err(DecodeError::ForeignAddress(OPERATOR)));

        let other = Approval { owner: CONSUMER, spender: OPERATOR, value: U256::ONE };
        let other = decode(&DEPLOYMENT, &log_of(DEPLOYMENT.usdc, &other));
        assert!(matches!(other, Err(DecodeError::NotOurApproval(_))), "{other:?}");

        let mut unknown = settled(U256::ONE, U256::ZERO, U256::ONE);
        unknown.log.data = LogData::new_unchecked(vec![B256::repeat_byte(0xee)], Vec::new().into());
        let unknown = decode(&DEPLOYMENT, &unknown);
        assert!(matches!(unknown, Err(DecodeError::UnknownEvent(_))), "{unknown:?}");
    }
}
