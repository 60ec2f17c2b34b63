//! Histories made of logs by hand: sound ones, and one for each way in which one can be unsound.

mod roles;
mod violations;

use super::{Check, History, Place, Violation, check_usdc};
use crate::chain::known;
use alloy::{
    primitives::{Address, B256, Log, U256, address, aliases::U48},
    sol_types::{SolError, SolEvent},
};
use luxxon_bindings::{
    SessionId,
    settlement::LuxxonSettlement::{
        Claimed, Deposited, EntrySkipped, LimitsSet, OwnershipTransferred, PauserSet, PayoutHeld,
        PlatformWalletSet, RelayerSet, Rescued, SessionAlreadySettled, Settled, Withdrawn,
    },
    usdc::UsdcStandIn::Transfer,
};
use luxxon_indexer::{
    chain::{Header, RangeLogs},
    ledger::{Block, Deployment, Position, RawLog},
};

const DEPLOYMENT: Deployment = Deployment {
    settlement: address!("0x5e771e0000000000000000000000000000000001"),
    usdc: address!("0x05dc000000000000000000000000000000000001"),
    deploy_block: 7,
};
const OWNER: Address = Address::repeat_byte(0xa1);
const RELAYER: Address = Address::repeat_byte(0xa2);
const PAUSER: Address = Address::repeat_byte(0xa3);
const PLATFORM: Address = Address::repeat_byte(0xa4);
const CONSUMER: Address = Address::repeat_byte(0xc1);
const OPERATOR: Address = Address::repeat_byte(0xc2);

/// The relayer's delay, and the time of the first block.
const DELAY: u64 = 3_600;
const BEGIN: u64 = 1_000_000;

/// A chain of blocks with a transaction each.
#[derive(Clone)]
struct Chain {
    blocks: Vec<Block>,
    logs: Vec<RawLog>,
}

fn usd(amount: u64) -> U256 {
    U256::from(amount)
}

fn ours(event: &impl SolEvent) -> Log {
    Log { address: DEPLOYMENT.settlement, data: event.encode_log_data() }
}

fn moved(from: Address, to: Address, amount: u64) -> Log {
    Log {
        address: DEPLOYMENT.usdc,
        data: Transfer { from, to, value: usd(amount) }.encode_log_data(),
    }
}

fn paid(to: Address, amount: u64) -> Log {
    moved(DEPLOYMENT.settlement, to, amount)
}

fn deposited(amount: u64) -> [Log; 2] {
    let event = Deposited { account: CONSUMER, payer: CONSUMER, amount: usd(amount) };
    [ours(&event), moved(CONSUMER, DEPLOYMENT.settlement, amount)]
}

fn withdrawn(amount: u64) -> [Log; 2] {
    [ours(&Withdrawn { account: CONSUMER, amount: usd(amount) }), paid(CONSUMER, amount)]
}

fn settled(session: u8, amount: u64, fee: u64) -> Settled {
    Settled {
        sessionId: B256::repeat_byte(session),
        from: CONSUMER,
        to: OPERATOR,
        toAmount: usd(amount),
        feeAmount: usd(fee),
        ratePerSecond: usd(100),
        chargeableSeconds: usd(100),
    }
}

/// A settlement with both of its transfers.
fn settlement(session: u8, amount: u64, fee: u64) -> [Log; 3] {
    [ours(&settled(session, amount, fee)), paid(OPERATOR, amount), paid(PLATFORM, fee)]
}

fn limits(rate: u32, session: u64, day: u64) -> Log {
    ours(&LimitsSet {
        account: CONSUMER,
        maxRatePerSecond: rate,
        maxPerSession: U48::from(session),
        maxPerDay: U48::from(day),
    })
}

impl Chain {
    /// The contract was deployed in block 7.
    fn begun() -> Self {
        let mut chain = Self { blocks: Vec::new(), logs: Vec::new() };
        let zero = Address::ZERO;
        chain.transaction([
            ours(&OwnershipTransferred { previousOwner: zero, newOwner: OWNER }),
            ours(&RelayerSet { previousRelayer: zero, newRelayer: RELAYER }),
            ours(&PauserSet { previousPauser: zero, newPauser: PAUSER }),
            ours(&PlatformWalletSet { previousWallet: zero, newWallet: PLATFORM }),
        ]);
        chain
    }

    /// The same, with 10,000 µUSDC in the consumer's pool.
    fn funded() -> Self {
        let mut chain = Self::begun();
        chain.transaction(deposited(10_000));
        chain
    }

    fn time(&self) -> u64 {
        self.blocks.last().map_or(BEGIN, |block| block.timestamp)
    }

    /// A block a second after the last, with a transaction of `logs`.
    fn transaction(&mut self, logs: impl IntoIterator<Item = Log>) -> &mut Self {
        self.transaction_at(self.time() + 1, logs)
    }

    fn transaction_at(&mut self, time: u64, logs: impl IntoIterator<Item = Log>) -> &mut Self {
        let number = DEPLOYMENT.deploy_block + self.blocks.len() as u64;
        let hash = B256::from(usd(number));
        self.blocks.push(Block { number, hash, timestamp: time });
        for (log_index, log) in (0..).zip(logs) {
            let position = Position { block: number, log_index };
            self.logs.push(RawLog { position, tx_hash: hash, log });
        }
        self
    }

    fn range(&self) -> RangeLogs {
        let Block { number, hash, timestamp } = self.blocks[0];
        let first = Header { number, hash, parent_hash: B256::ZERO, timestamp };
        RangeLogs {
            first,
            blocks: self.blocks.clone(),
            logs: self.logs.clone(),
            owed: None,
            held: None,
            answer_bytes: 0,
        }
    }

    fn play(&self) -> Result<History, Violation> {
        let mut history = History::new(DEPLOYMENT, DELAY);
        history.take(&self.range())?;
        Ok(history)
    }

    /// The violation, which must be of the last transaction, and what was found.
    fn violates(&self) -> (Check, String) {
        let violation = self.play().expect_err("a violation");
        let last = self.blocks.last().map(|block| block.hash);
        assert_eq!(violation.tx_hash(), last, "{violation}");
        (violation.check, violation.found)
    }
}

#[test]
fn a_history_of_everything_that_can_happen_has_no_violation() {
    let mut chain = Chain::funded();
    let skipped = EntrySkipped {
        sessionId: B256::repeat_byte(1),
        from: CONSUMER,
        index: usd(1),
        reason: SessionAlreadySettled::SELECTOR.into(),
    };
    chain
        .transaction(settlement(1, 800, 200))
        .transaction([limits(100, 1_000, 3_000)])
        // A batch: its payee is refused by USDC, and gets nothing but the fee's share.
        .transaction([
            ours(&settled(2, 700, 0)),
            ours(&skipped),
            ours(&settled(3, 80, 20)),
            ours(&PayoutHeld { to: OPERATOR, amount: usd(780) }),
            paid(PLATFORM, 20),
        ])
        .transaction([ours(&Claimed { account: OPERATOR, amount: usd(780) }), paid(OPERATOR, 780)])
        .transaction(withdrawn(100))
        .transaction([moved(OPERATOR, DEPLOYMENT.settlement, 50)]);
    let mut range = chain.range();
    (range.owed, range.held) = (Some(usd(8_100)), Some(usd(8_150)));
    let mut history = History::new(DEPLOYMENT, DELAY);
    assert!(history.adds_up(&range));
    history.take(&range).unwrap();

    let mut later = chain.clone();
    later.transaction([ours(&Rescued { to: OWNER, amount: usd(50) }), paid(OWNER, 50)]);
    later.logs.drain(..chain.logs.len());
    later.blocks.drain(..chain.blocks.len());
    history.take(&later.range()).unwrap();

    assert_eq!((history.owed().get(), history.held()), (8_100, Some(usd(8_100))));
    let accounts: Vec<_> = history.accounts().collect();
    assert_eq!(accounts.len(), 2, "{accounts:?}");
    assert_eq!(accounts[0].pool.get(), 8_100);
    assert_eq!(accounts[0].limits.max_per_day.get(), 3_000);
    assert_eq!(history.sessions(), [1, 2, 3].map(|id| SessionId(B256::repeat_byte(id))));
    let counts = Check::ALL.map(|check| (check, history.counts.of(check)));
    assert!(counts.iter().all(|(_, count)| *count > 0), "{counts:?}");
}

/// What the contract says that it owes and holds after block 8; where `known`, also after block 7.
fn after(known: bool, owed: u64, held: u64) -> Result<History, Violation> {
    let (begun, chain) = (Chain::begun(), Chain::funded());
    let mut history = History::new(DEPLOYMENT, DELAY);
    let mut first = begun.range();
    (first.owed, first.held) = (known.then_some(U256::ZERO), known.then_some(U256::ZERO));
    history.take(&first).unwrap();
    let (blocks, logs) = (chain.blocks[1..].to_vec(), chain.logs[begun.logs.len()..].to_vec());
    let mut range = Chain { blocks, logs }.range();
    (range.owed, range.held) = (Some(usd(owed)), Some(usd(held)));
    let adds_up = history.adds_up(&range);
    let taken = history.take(&range);
    assert_eq!(adds_up, taken.is_ok());
    taken.map(|()| history)
}

#[test]
fn what_is_owed_and_held_is_what_the_logs_make_it() {
    assert!(after(true, 10_000, 10_000).is_ok());
    let more = after(false, 10_000, 10_005).unwrap();
    assert_eq!(more.held(), Some(usd(10_005)), "5 were there before");
    for (owed, held, check) in [
        (9_999, 10_000, Check::Owed),
        (10_001, 10_001, Check::Owed),
        (10_000, 9_999, Check::Held),
        (10_000, 10_001, Check::Held),
    ] {
        let violation = after(true, owed, held).unwrap_err();
        assert_eq!(violation.check, check);
        let last = B256::from(usd(8));
        assert_eq!(violation.place, Place::Block(8, Some(last)), "its only transaction");
    }
}

#[test]
fn where_the_state_before_is_not_known_no_transaction_is_accused() {
    for (owed, held) in [(9_999, 10_000), (10_000, 9_999)] {
        let violation = after(false, owed, held).unwrap_err();
        assert_eq!((violation.place, violation.tx_hash()), (Place::State(8, None), None));
    }
}

#[test]
fn a_range_that_owes_less_than_nothing_does_not_add_up() {
    let mut range = Chain::begun().transaction(withdrawn(5)).range();
    assert!(!History::new(DEPLOYMENT, DELAY).adds_up(&range));
    range.logs.clear();
    assert!(History::new(DEPLOYMENT, DELAY).adds_up(&range));
}

#[test]
fn a_violation_is_shown_with_its_place_and_both_sides() {
    let mut chain = Chain::funded();
    let violation = chain.transaction(withdrawn(10_001)).play().unwrap_err();
    let text = violation.to_string();
    let tx_hash = B256::from(usd(9));
    for part in [
        "VIOLATION of invariant 4: ",
        "pool moved 10001 µUSDC",
        "at most the 10000 µUSDC",
        &format!("transaction  {tx_hash}"),
        "block        9, log 0",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    let json = violation.json();
    assert_eq!(json["txHash"], tx_hash.to_string());
    assert_eq!((&json["block"], &json["logIndex"]), (&9.into(), &0.into()));
    assert_eq!((&json["check"], &json["invariants"]), (&"pools".into(), &vec![4].into()));
}

#[test]
fn another_token_than_circles_is_refused_where_that_is_known() {
    let base = known(8_453).and_then(|base| base.usdc).unwrap();
    check_usdc(8_453, base).unwrap();
    let other = Address::repeat_byte(7);
    let refusal = check_usdc(8_453, other).unwrap_err().to_string();
    assert!(refusal.contains(&other.to_string()) && refusal.contains(&base.to_string()));
    check_usdc(31_337, other).unwrap();
}
