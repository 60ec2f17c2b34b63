//! The chain of a history: anvil, and beside each of its blocks the model's state after it.

use super::{
    cast::Players,
    node::{Asked, Rpc, address, bytes, hash, number, quantity},
    question::Questions,
    state::questions,
    step::Fate,
    transaction,
};
use crate::model::{Call, Event, Log, Model, Refusal};
use alloy::{hex, primitives::B256};
use eyre::{Result, WrapErr, ensure, eyre};
use luxxon_script::devnet::Anvil;
use serde_json::{Value, json};
use std::sync::Arc;

/// A transaction that was mined.
#[derive(Clone, Debug)]
pub(super) struct Mined {
    pub(super) call: Call,
    pub(super) hash: B256,
    /// What it did, by the model, which the node agreed with.
    pub(super) outcome: Result<Vec<Event>, Refusal>,
    /// The place of its first log in the block.
    pub(super) first_log: u32,
}

/// A block, and the state after it.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) number: u64,
    pub(super) hash: B256,
    pub(super) timestamp: u64,
    pub(super) mined: Vec<Mined>,
    pub(super) model: Arc<Model>,
}

/// The chain as it is now. Block `n` is at place `n`.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) anvil: Anvil,
    pub(super) rpc: Rpc,
    pub(super) players: Players,
    pub(super) blocks: Vec<Arc<Block>>,
    /// Sessions that were ever to be settled, also in blocks that are gone.
    pub(super) sessions: Vec<B256>,
}

impl Chain {
    pub(super) fn head(&self) -> &Arc<Block> {
        self.blocks.last().expect("there is a first block")
    }

    /// Makes a block of that time with `calls` in it. Each must do what the model says.
    pub(super) async fn mine(&mut self, calls: Vec<Call>, timestamp: u64) -> Result<()> {
        let mut model = Model::clone(&self.head().model);
        let outcomes: Vec<_> = calls.iter().map(|call| model.execute(call, timestamp)).collect();
        self.remember_sessions(&calls);

        let mut batch: Vec<Asked> = Vec::with_capacity(calls.len() + 2);
        for call in &calls {
            batch.push(transaction::send(call, &model, &self.players)?);
        }
        batch.push(("evm_setNextBlockTimestamp", json!([timestamp])));
        batch.push(("evm_mine", json!([])));
        let sent = self.rpc.ask(&batch).await?;
        let hashes: Vec<B256> = sent[..calls.len()].iter().map(hash).collect::<Result<_>>()?;

        let questions = questions(&model, &self.players, timestamp, &self.sessions);
        let header = self.look(&calls, &hashes, &outcomes, &model, &questions).await?;
        ensure!(number(&header, "timestamp")? == timestamp, "the block is of another time");
        let mut first_log = 0;
        let mined = calls.into_iter().zip(hashes).zip(outcomes).map(|((call, hash), outcome)| {
            let mined = Mined { call, hash, outcome, first_log };
            first_log += mined.logs();
            mined
        });
        let block = Block {
            number: number(&header, "number")?,
            hash: hash(&header["hash"])?,
            timestamp,
            mined: mined.collect(),
            model: Arc::new(model),
        };
        ensure!(block.number == self.head().number + 1, "block {} came next", block.number);
        self.blocks.push(Arc::new(block));
        Ok(())
    }

    /// Compares what the last block's transactions did, and the contracts' state after it. Returns
    /// its header.
    async fn look(
        &self,
        calls: &[Call],
        hashes: &[B256],
        outcomes: &[Result<Vec<Event>, Refusal>],
        model: &Model,
        questions: &Questions,
    ) -> Result<Value> {
        let mut batch = vec![
            ("eth_getBlockByNumber", json!(["latest", false])),
            ("eth_getBlockReceipts", json!(["latest"])),
            questions.asked(),
        ];
        // What a transaction reverted with is in no receipt.
        let reverted: Vec<usize> =
            (0..outcomes.len()).filter(|&index| outcomes[index].is_err()).collect();
        let error = |&index: &usize| ("ots_getTransactionError", json!([hashes[index]]));
        batch.extend(reverted.iter().map(error));
        let mut answers = self.rpc.ask(&batch).await?;
        let errors = answers.split_off(3);
        let receipts = answers[1].as_array().ok_or_else(|| eyre!("no receipts"))?;
        ensure!(receipts.len() == calls.len(), "{} of {} mined", receipts.len(), calls.len());
        for ((call, outcome), (receipt, hash)) in
            calls.iter().zip(outcomes).zip(receipts.iter().zip(hashes))
        {
            let found = logs_of(receipt)?;
            ensure!(self::hash(&receipt["transactionHash"])? == *hash, "in another order");
            let expected = outcome.as_ref().ok().map(|events| logs(events, model));
            ensure!(found == expected, "{call:?} should be {outcome:?}, but is {receipt}");
        }
        for (index, error) in reverted.into_iter().zip(errors) {
            let Err(refusal) = &outcomes[index] else { continue };
            let (found, expected) = (bytes(&error)?, refusal.data());
            let found = hex::encode(found);
            ensure!(
                found == hex::encode(expected),
                "{:?} should revert with {refusal:?}, but does with 0x{found}",
                calls[index]
            );
        }
        questions.check(&answers[2]).wrap_err("the contract's state")?;
        Ok(answers[0].take())
    }

    /// Makes blocks without transactions, two seconds apart.
    pub(super) async fn mine_empty(&mut self, count: u64) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let first = self.head().number + 1;
        for place in 1..=count {
            // By requests of their own: anvil carries out a batch side by side where it can.
            let time = self.head().timestamp + 2 * place;
            let next_time = ("evm_setNextBlockTimestamp", json!([time]));
            self.rpc.ask(&[next_time, ("evm_mine", json!([]))]).await?;
        }
        let header = |number| ("eth_getBlockByNumber", json!([quantity(number), false]));
        let headers: Vec<Asked> = (first..first + count).map(header).collect();
        for header in &self.rpc.ask(&headers).await? {
            let block = Block {
                number: number(header, "number")?,
                hash: hash(&header["hash"])?,
                timestamp: number(header, "timestamp")?,
                mined: Vec::new(),
                model: Arc::clone(&self.head().model),
            };
            ensure!(block.timestamp == self.head().timestamp + 2, "a block of another time");
            self.blocks.push(Arc::new(block));
        }
        self.ask_contracts().await
    }

    /// Takes the last blocks away, and returns them.
    pub(super) async fn take_back(&mut self, depth: u64) -> Result<Vec<Arc<Block>>> {
        self.rpc.ask(&[("anvil_rollback", json!([depth]))]).await?;
        let left = self.blocks.len() - usize::try_from(depth)?;
        let gone = self.blocks.split_off(left);
        self.ask_contracts().await?;
        Ok(gone)
    }

    /// Compares the contracts' state after the last block.
    async fn ask_contracts(&self) -> Result<()> {
        let head = self.head();
        let questions = questions(&head.model, &self.players, head.timestamp, &self.sessions);
        let answers = self.rpc.ask(&[questions.asked()]).await?;
        questions.check(&answers[0]).wrap_err("the contract's state")
    }

    fn remember_sessions(&mut self, calls: &[Call]) {
        for session in calls.iter().flat_map(transaction::sessions) {
            if !self.sessions.contains(&session) {
                self.sessions.push(session);
            }
        }
    }
}

impl Mined {
    /// How many logs it wrote.
    fn logs(&self) -> u32 {
        let count = self.outcome.as_ref().map_or(0, Vec::len);
        u32::try_from(count).expect("a few")
    }
}

fn logs(events: &[Event], model: &Model) -> Vec<Log> {
    events.iter().map(|event| event.log(model.settlement, model.token.address)).collect()
}

/// The logs of a transaction; `None` where it reverted.
fn logs_of(receipt: &Value) -> Result<Option<Vec<Log>>> {
    if number(receipt, "status")? == 0 {
        return Ok(None);
    }
    let log = |log: &Value| {
        let topics = log["topics"].as_array().into_iter().flatten().map(hash);
        Ok(Log {
            address: address(&log["address"])?,
            topics: topics.collect::<Result<_>>()?,
            data: bytes(&log["data"])?,
        })
    };
    let logs = receipt["logs"].as_array().ok_or_else(|| eyre!("no logs in {receipt}"))?;
    logs.iter().map(log).collect::<Result<_>>().map(Some)
}

/// The transactions of blocks that are gone which are mined again.
pub(super) fn survivors(gone: &[Arc<Block>], fate: Fate) -> Vec<Call> {
    let mut calls: Vec<Call> =
        gone.iter().flat_map(|block| &block.mined).map(|mined| mined.call.clone()).collect();
    match fate {
        Fate::Drop => calls.clear(),
        Fate::Keep => {}
        Fate::Reverse => calls.reverse(),
        Fate::Half => {
            let mut place = 0;
            calls.retain(|_| {
                place += 1;
                place % 2 == 0
            });
        }
    }
    calls
}
