//! Promise 2: whatever the way there, the tables are those of a clean run over the final chain.

use super::dump;
use crate::{
    fuzzing::seeded,
    ledger::{Block, Change, Event, Limits},
    store::{AccountState, Batch, Level, SqliteStore, Store, StoreError, sqlite::ledger},
    testing::{
        approval, deposit, event, first, forked, limits, limits_set, new_store, settle, skipped,
        up_to, withdrawal,
    },
};
use alloy::primitives::{Address, U256};
use luxxon_bindings::{MicroUsdc, SessionId};
use proptest::prelude::*;
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// What someone would like to happen. It becomes an event where the contract would let it.
#[derive(Clone, Debug)]
enum Wish {
    Deposit {
        account: u8,
        amount: u64,
    },
    /// In hundredths of the pool.
    Withdraw {
        account: u8,
        part: u64,
    },
    /// In hundredths of the pool; sessions are few, so that many are wished for twice.
    Settle {
        session: u8,
        from: u8,
        to: u8,
        part: u64,
    },
    Hold {
        account: u8,
        amount: u64,
    },
    /// In hundredths of what is held.
    Claim {
        account: u8,
        part: u64,
    },
    Approve {
        account: u8,
        allowance: u64,
    },
    /// No limit twice out of three.
    Limit {
        account: u8,
        most: u64,
    },
    /// Of a session that may be settled or not.
    Skip {
        session: u8,
        from: u8,
        index: u8,
    },
}

/// What befalls a ledger.
#[derive(Clone, Debug)]
enum Move {
    /// Blocks taken in one by one, the chain being final `lag` blocks behind each.
    Follow { blocks: Vec<Vec<Wish>>, lag: u64 },
    /// Final blocks taken in as one range.
    Backfill { blocks: Vec<Vec<Wish>> },
    /// Blocks whose transaction is cut off before its end.
    CutOff { blocks: Vec<Vec<Wish>> },
    /// Blocks behind which stands an event that cannot be.
    Refused { blocks: Vec<Vec<Wish>> },
    /// The newest blocks are replaced, as far as that is possible.
    Rollback { depth: u64 },
    /// The newest blocks are taken back for good, final or not.
    TakeBack { depth: u64 },
    /// What follows from the events is damaged in every `one_in`th block, and made again.
    Rebuild { one_in: i64 },
    /// The chain becomes final up to `lag` blocks behind the cursor.
    Finalize { lag: u64 },
}

fn wishes() -> impl Strategy<Value = Wish> {
    let account = 0..3u8;
    prop_oneof![
        3 => (account.clone(), 0..1_000u64)
            .prop_map(|(account, amount)| Wish::Deposit { account, amount }),
        2 => (account.clone(), 0..=100u64)
            .prop_map(|(account, part)| Wish::Withdraw { account, part }),
        3 => (0..6u8, account.clone(), account.clone(), 0..=100u64)
            .prop_map(|(session, from, to, part)| Wish::Settle { session, from, to, part }),
        1 => (account.clone(), 0..1_000u64)
            .prop_map(|(account, amount)| Wish::Hold { account, amount }),
        1 => (account.clone(), 0..=100u64).prop_map(|(account, part)| Wish::Claim { account, part }),
        1 => (account.clone(), any::<u64>())
            .prop_map(|(account, allowance)| Wish::Approve { account, allowance }),
        2 => (account.clone(), 0..3_000u64)
            .prop_map(|(account, most)| Wish::Limit { account, most }),
        3 => (0..6u8, account, 0..100u8)
            .prop_map(|(session, from, index)| Wish::Skip { session, from, index }),
    ]
}

fn blocks() -> impl Strategy<Value = Vec<Vec<Wish>>> {
    prop::collection::vec(prop::collection::vec(wishes(), 0..4), 1..4)
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (blocks(), 0..6u64).prop_map(|(blocks, lag)| Move::Follow { blocks, lag }),
        1 => blocks().prop_map(|blocks| Move::Backfill { blocks }),
        1 => blocks().prop_map(|blocks| Move::CutOff { blocks }),
        1 => blocks().prop_map(|blocks| Move::Refused { blocks }),
        3 => (0..6u64).prop_map(|depth| Move::Rollback { depth }),
        1 => (0..9u64).prop_map(|depth| Move::TakeBack { depth }),
        1 => (1..4i64).prop_map(|one_in| Move::Rebuild { one_in }),
        1 => (0..6u64).prop_map(|lag| Move::Finalize { lag }),
    ]
}

fn account(number: u8) -> Address {
    Address::repeat_byte(number + 1)
}

/// The chain as it is now, kept without the product's rules.
#[derive(Clone)]
struct Chain {
    blocks: Vec<(Block, Vec<Event>)>,
    final_block: u64,
    /// Blocks ever made: each has another hash.
    made: u64,
}

impl Chain {
    fn new() -> Self {
        let first = first();
        Self { blocks: vec![(first, Vec::new())], final_block: first.number, made: 0 }
    }

    fn head(&self) -> Block {
        self.blocks.last().unwrap().0
    }

    fn events(&self) -> impl Iterator<Item = &Event> {
        self.blocks.iter().flat_map(|(_, events)| events)
    }

    /// What each account's pool holds, and what is held for it.
    fn balances(&self) -> (BTreeMap<Address, u64>, BTreeMap<Address, u64>) {
        let (mut balances, mut held) = (BTreeMap::new(), BTreeMap::new());
        for event in self.events() {
            match &event.change {
                Change::Deposit { account, amount, .. } => {
                    *balances.entry(*account).or_default() += amount.get();
                }
                Change::Withdrawal { account, amount } => {
                    *balances.get_mut(account).unwrap() -= amount.get();
                }
                Change::Settle(paid) => {
                    *balances.get_mut(&paid.from).unwrap() -=
                        paid.to_amount.get() + paid.fee_amount.get();
                }
                Change::PayoutHeld { account, amount } => {
                    *held.entry(*account).or_default() += amount.get();
                }
                Change::Claimed { account, amount } => {
                    *held.get_mut(account).unwrap() -= amount.get();
                }
                Change::Approval { .. }
                | Change::LimitsSet { .. }
                | Change::EntrySkipped { .. } => {}
            }
        }
        (balances, held)
    }

    /// What `account` set last.
    fn limits(&self, account: Address) -> Limits {
        let set = self.events().filter_map(|event| match event.change {
            Change::LimitsSet { account: by, limits } => (by == account).then_some(limits),
            _ => None,
        });
        set.last().unwrap_or_default()
    }

    /// The last event that skips `session`, and its block.
    fn last_skip(&self, session: SessionId) -> Option<(Event, Block)> {
        let skips = |event: &Event| match event.change {
            Change::EntrySkipped { session: left_out, .. } => left_out == session,
            _ => false,
        };
        let skipped = self.blocks.iter().flat_map(|(block, events)| {
            events.iter().filter(|event| skips(event)).map(|event| (event.clone(), *block))
        });
        skipped.last()
    }

    /// The last block below `number` that is kept: it holds an event, or is not below what is final.
    fn kept_below(&self, number: u64) -> Option<u64> {
        let kept = self.blocks.iter().rev().find(|(block, events)| {
            block.number < number && (block.number >= self.final_block || !events.is_empty())
        });
        kept.map(|(block, _)| block.number)
    }

    /// What the contract would let happen now, if it would let anything.
    fn grant(&self, wish: &Wish) -> Option<Change> {
        let (pools, held) = self.balances();
        let share = |of: &BTreeMap<Address, u64>, number, part| {
            let balance = of.get(&account(number)).copied().unwrap_or_default();
            Some(balance * part / 100).filter(|amount| *amount > 0)
        };
        let part_of = |number, part| share(&pools, number, part);
        match *wish {
            Wish::Deposit { account: to, amount } => {
                (amount > 0).then(|| deposit(account(to), amount))
            }
            Wish::Withdraw { account: from, part } => {
                part_of(from, part).map(|amount| withdrawal(account(from), amount))
            }
            Wish::Settle { session, from, to, part } => {
                let fee = part_of(from, part)? / 8;
                let rest = part_of(from, part)? - fee;
                let session = Uuid::from_u128(session.into());
                let change = settle(session, account(from), account(to), rest, fee);
                (!self.is_settled(&change)).then_some(change)
            }
            Wish::Hold { account: to, amount } => (amount > 0).then(|| Change::PayoutHeld {
                account: account(to),
                amount: MicroUsdc::new(amount),
            }),
            Wish::Claim { account: by, part } => share(&held, by, part).map(|amount| {
                Change::Claimed { account: account(by), amount: MicroUsdc::new(amount) }
            }),
            Wish::Approve { account: owner, allowance } => {
                Some(approval(account(owner), U256::from(allowance) << 192))
            }
            Wish::Limit { account: of, most } => {
                let limit = |number| if most % 3 == number { most } else { 0 };
                Some(limits_set(account(of), limits(limit(0), limit(1), limit(2))))
            }
            Wish::Skip { session, from, index } => {
                Some(skipped(Uuid::from_u128(session.into()), account(from), index))
            }
        }
    }

    fn is_settled(&self, change: &Change) -> bool {
        let session = |change: &Change| match change {
            Change::Settle(paid) => Some(paid.session),
            _ => None,
        };
        let settled: BTreeSet<_> =
            self.events().filter_map(|event| session(&event.change)).collect();
        session(change).is_some_and(|session| settled.contains(&session))
    }

    fn grow(&mut self, wishes: &[Wish]) {
        self.made += 1;
        let number = self.head().number + 1;
        self.blocks.push((forked(number, self.made), Vec::new()));
        for wish in wishes {
            if let Some(change) = self.grant(wish) {
                let (_, events) = self.blocks.last_mut().unwrap();
                // Other contracts log too: indices have gaps.
                let log_index = 3 * u32::try_from(events.len()).unwrap() + 1;
                events.push(event(number, log_index, change));
            }
        }
    }

    fn grow_by(&mut self, blocks: &[Vec<Wish>]) {
        for wishes in blocks {
            self.grow(wishes);
        }
    }

    fn finalize(&mut self, height: u64) {
        self.final_block = self.final_block.max(height.min(self.head().number));
    }

    /// The blocks above `number` as one batch: all of those from `all_from` up, and below it those
    /// with events.
    fn batch_above(&self, number: u64, all_from: u64) -> Batch {
        let above = || self.blocks.iter().filter(|(block, _)| block.number > number);
        Batch {
            blocks: above()
                .filter(|(block, events)| block.number >= all_from || !events.is_empty())
                .map(|(block, _)| *block)
                .collect(),
            events: above().flat_map(|(_, events)| events.clone()).collect(),
            heights: up_to(self.final_block),
        }
    }
}

/// A ledger and the chain it should mirror.
struct Run {
    store: SqliteStore,
    chain: Chain,
}

impl Run {
    async fn make(&mut self, next: &Move) {
        match next {
            Move::Follow { blocks, lag } => {
                for wishes in blocks {
                    let after = self.chain.head();
                    self.chain.grow(wishes);
                    self.chain.finalize(self.chain.head().number - lag);
                    let batch = self.chain.batch_above(after.number, 0);
                    self.store.commit(after, batch).await.unwrap();
                }
            }
            Move::Backfill { blocks } => {
                let after = self.chain.head();
                self.chain.grow_by(blocks);
                let last = self.chain.head().number;
                self.chain.finalize(last);
                let batch = self.chain.batch_above(after.number, last);
                self.store.commit(after, batch).await.unwrap();
            }
            Move::CutOff { blocks } => {
                let after = self.chain.head();
                let mut ahead = self.chain.clone();
                ahead.grow_by(blocks);
                let mut transaction = self.store.write().await.unwrap();
                let batch = ahead.batch_above(after.number, 0);
                ledger::commit(&mut transaction, after, &batch).await.unwrap();
            }
            Move::Refused { blocks } => {
                let after = self.chain.head();
                let mut ahead = self.chain.clone();
                ahead.grow_by(blocks);
                let mut batch = ahead.batch_above(after.number, 0);
                let impossible = withdrawal(account(0), u64::from(u32::MAX));
                batch.events.push(event(ahead.head().number, 99, impossible));
                let error = self.store.commit(after, batch).await.unwrap_err();
                assert!(matches!(error, StoreError::Balance(_)), "{error}");
            }
            Move::Rollback { depth } => {
                let to = (self.chain.head().number - depth).max(self.chain.final_block);
                let there = self.chain.events().count();
                self.chain.blocks.retain(|(block, _)| block.number <= to);
                let gone = there - self.chain.events().count();
                assert_eq!(self.store.rollback(to).await.unwrap(), gone as u64);
            }
            Move::TakeBack { depth } => self.take_back(self.chain.head().number - depth).await,
            Move::Rebuild { one_in } => self.rebuild(*one_in).await,
            Move::Finalize { lag } => {
                let height = self.chain.head().number - lag;
                self.chain.finalize(height);
                self.store.set_heights(up_to(height)).await.unwrap();
            }
        }
    }

    async fn take_back(&mut self, from: u64) {
        let Some(to) = self.chain.kept_below(from) else {
            let error = self.store.take_back_from(from).await.unwrap_err();
            assert!(matches!(error, StoreError::NothingBelow { .. }), "{error}");
            return;
        };
        self.chain.blocks.retain(|(block, _)| block.number <= to);
        self.chain.final_block = self.chain.final_block.min(to);
        let cursor = self.store.take_back_from(from).await.unwrap();
        assert_eq!((cursor.block, cursor.final_block), (self.chain.head(), self.chain.final_block));
    }

    /// Rows are removed, and others stand where nothing happened.
    async fn rebuild(&self, one_in: i64) {
        let mut damaged = 0;
        let mut writing = self.store.write().await.unwrap();
        for table in ["wallet_events", "settlements", "skips", "limits_set"] {
            let doomed = "block_number % ? = 0";
            for sql in [
                format!("DELETE FROM {table} WHERE {doomed}"),
                format!("UPDATE OR REPLACE {table} SET log_index = 2 WHERE NOT {doomed}"),
            ] {
                let done = sqlx::query(AssertSqlSafe(sql)).bind(one_in).execute(&mut *writing);
                damaged += done.await.unwrap().rows_affected();
            }
        }
        writing.commit().await.unwrap();
        let found = self.store.contradictions().await.unwrap();
        let rebuilt = self.store.rebuild(|_| ()).await.unwrap();
        assert_eq!((found.is_empty(), rebuilt.changed), (damaged == 0, damaged > 0));
    }

    async fn check(&self) -> Result<(), TestCaseError> {
        let (_directory, clean) = new_store().await;
        let batch = self.chain.batch_above(first().number, self.chain.final_block);
        if !batch.blocks.is_empty() {
            clean.commit(first(), batch).await.unwrap();
        }
        prop_assert_eq!(dump(&self.store).await, dump(&clean).await);
        let (balances, held) = self.chain.balances();
        let owed = balances.values().chain(held.values()).sum::<u64>();
        prop_assert_eq!(self.store.cursor().await.unwrap().owed.get(), owed);
        prop_assert_eq!(self.store.contradictions().await.unwrap(), []);
        self.check_accounts_below().await?;
        self.check_levels().await?;
        for session in (0..6).map(|number| SessionId::of(Uuid::from_u128(number))) {
            let record = self.store.session(session).await.unwrap();
            prop_assert_eq!(record.last_skip, self.chain.last_skip(session));
        }
        for account in (0..3).map(account) {
            let wallet = self.store.wallet(account).await.unwrap();
            let expected = balances.get(&account).copied().unwrap_or_default();
            prop_assert_eq!((wallet.balance.get(), wallet.at), (expected, self.chain.head()));
        }
        Ok(())
    }

    /// What is read at a level is what the events up to its last block make.
    async fn check_levels(&self) -> Result<(), TestCaseError> {
        let cursor = self.store.cursor().await.unwrap();
        for level in [Level::Latest, Level::Safe, Level::Finalized] {
            let mut then = self.chain.clone();
            then.blocks.retain(|(block, _)| block.number <= cursor.height_of(level));
            let (balances, held) = then.balances();
            for account in (0..3).map(account) {
                let wallet = self.store.wallet_at(account, level).await.unwrap();
                let of = |all: &BTreeMap<Address, u64>| all.get(&account).copied().unwrap_or(0);
                let found = (wallet.balance.get(), wallet.claimable.get());
                prop_assert_eq!(found, (of(&balances), of(&held)), "{:?}", level);
                prop_assert_eq!(wallet.limits, then.limits(account), "{:?}", level);
                prop_assert_eq!(wallet.at.number, cursor.height_of(level));
            }
        }
        Ok(())
    }

    /// What is owed at every height that can still be asked for, and to whom, is what the events up
    /// to it make; and so are the limits there.
    async fn check_accounts_below(&self) -> Result<(), TestCaseError> {
        for height in self.chain.final_block..=self.chain.head().number {
            let mut then = self.chain.clone();
            then.blocks.retain(|(block, _)| block.number <= height);
            let (balances, held) = then.balances();
            let owed = balances.values().chain(held.values()).sum::<u64>();
            prop_assert_eq!(self.store.owed_at(height).await.unwrap().get(), owed);
            let of = |all: &BTreeMap<Address, u64>, account| {
                MicroUsdc::new(all.get(&account).copied().unwrap_or_default())
            };
            let accounts: Vec<Address> = (0..3).map(account).collect();
            let states = accounts.iter().map(|&account| AccountState {
                account,
                pool: of(&balances, account),
                claimable: of(&held, account),
                limits: then.limits(account),
            });
            let expected = (states.collect(), MicroUsdc::new(owed));
            prop_assert_eq!(self.store.accounts_at(height, &accounts).await.unwrap(), expected);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(seeded(48))]

    #[test]
    fn any_history_leaves_the_rows_of_a_clean_run(moves in prop::collection::vec(moves(), 1..16)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_directory, store) = new_store().await;
            let mut run = Run { store, chain: Chain::new() };
            for next in &moves {
                run.make(next).await;
            }
            run.check().await
        })?;
    }
}
