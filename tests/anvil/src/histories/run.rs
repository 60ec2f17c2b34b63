//! Plays a history, and compares everything with the model after each of its steps.

use super::{
    base::Base,
    chain::{Chain, survivors},
    client::Client,
    compare_api::Comparison,
    compare_store,
    expected::Expected,
    faults,
    indexer::Indexer,
    met::Met,
    resolve::{resolve, time_after},
    sessions::number_of,
    step::{Does, Fate, Move, Step, Trouble, Wait},
    view::View,
};
use crate::{FaultProxy, model::Call};
use eyre::{Report, Result, WrapErr, ensure, eyre};
use luxxon_indexer::{
    audit::{Auditor, Outcome},
    chain::Providers,
};
use std::sync::atomic::{AtomicU64, Ordering};

/// More transactions than that are not put into one block.
const MOST_IN_A_BLOCK: usize = 12;

/// Names the databases of this process.
pub(super) static DATABASES: AtomicU64 = AtomicU64::new(0);

/// How a history went.
#[derive(Debug)]
pub struct Played {
    /// What was met.
    pub met: Met,
    /// What each step came to, a line for each transaction.
    pub told: Vec<Vec<String>>,
    /// What differed, and in which step it was seen: past the last one, at the end.
    pub failure: Option<(usize, Report)>,
}

/// A history that is being played.
pub(super) struct Run<'b> {
    pub(super) base: &'b Base,
    pub(super) chain: Chain,
    pub(super) view: View,
    /// Away only within a step.
    pub(super) indexer: Option<Indexer>,
    pub(super) node: Providers,
    /// A node in front of that, which misbehaves when it is told to.
    proxy: Option<(FaultProxy, Providers)>,
    clients: Vec<Client>,
    pub(super) met: Met,
    steps: usize,
}

/// Plays `steps` from the beginning to the first difference.
pub async fn play(base: &Base, steps: &[Step]) -> Result<Played> {
    let mut run = Run::begin(base).await?;
    let (told, mut failure) = run.steps(steps).await;
    if failure.is_none() {
        failure = run.end().await.err().map(|error| (steps.len(), error));
    }
    let met = run.leave().await?;
    Ok(Played { met, told, failure })
}

/// Plays `steps`, which make blocks final, and then replaces a final block. The ledger must stop, and
/// hold what it held.
pub async fn play_below_finality(base: &Base, steps: &[Step]) -> Result<()> {
    let mut run = Run::begin(base).await?;
    let (_, failure) = run.steps(steps).await;
    failure.map_or(Ok(()), |(_, error)| Err(error))?;
    run.below_finality().await?;
    run.leave().await?;
    Ok(())
}

impl<'b> Run<'b> {
    pub(super) async fn begin(base: &'b Base) -> Result<Self> {
        let chain = base.chain().await?;
        let number = DATABASES.fetch_add(1, Ordering::Relaxed);
        let db = base.folder.path().join(format!("{number}.db"));
        base.database(&db)?;
        let node = Providers::at(chain.anvil.url().clone())?;
        let indexer = Some(Indexer::start(base, &db, &node).await?);
        let clients = (0..chain.players.wallets().len()).map(Client::new).collect();
        let (view, met) = (View::of(&chain), Met::default());
        Ok(Self { base, chain, view, indexer, node, proxy: None, clients, met, steps: 0 })
    }

    /// What each step came to, and the first difference.
    async fn steps(&mut self, steps: &[Step]) -> (Vec<Vec<String>>, Option<(usize, Report)>) {
        let mut told = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let before = self.chain.head().number;
            let done = self.step(step).await;
            told.push(self.tell(before));
            if let Err(error) = done {
                return (told, Some((index, error)));
            }
        }
        (told, None)
    }
}

impl Run<'_> {
    async fn step(&mut self, step: &Step) -> Result<()> {
        self.steps += 1;
        self.met.note("steps");
        if step.trouble == Some(Trouble::Away) {
            self.met.note("trouble away");
            let db = self.take()?.stop().await?;
            let changed = self.change(&step.does).await?;
            self.indexer = Some(Indexer::start(self.base, &db, &self.node).await?);
            self.indexer()?.rest().await?;
            return self.after(changed, &step.does).await;
        }
        let changed = self.change(&step.does).await?;
        match step.trouble {
            Some(Trouble::Kill(polls)) => {
                let (indexer, cut) = self.take()?.killed(self.base, polls).await?;
                self.met.add("kills", u64::from(cut));
                self.indexer = Some(indexer);
            }
            Some(Trouble::Fault { kind, times }) => self.fault(kind, times).await?,
            Some(Trouble::Away) | None => {}
        }
        let awaited = matches!(step.does, Does::Block { awaited: true, .. });
        if awaited && step.trouble.is_none() {
            self.rest_while_awaited().await?;
        } else {
            self.indexer()?.rest().await?;
        }
        self.after(changed, &step.does).await
    }

    /// What happens at rest.
    pub(super) async fn after(&mut self, changed: u64, does: &Does) -> Result<()> {
        self.view.follow(&self.chain);
        self.compare(changed).await?;
        match does {
            Does::RevokeKey(who) => self.revoke_key(*who).await,
            Does::Audit => self.audit().await,
            _ => Ok(()),
        }
    }

    pub(super) fn take(&mut self) -> Result<Indexer> {
        self.indexer.take().ok_or_else(|| eyre!("the indexer is away"))
    }

    pub(super) fn indexer(&mut self) -> Result<&mut Indexer> {
        self.indexer.as_mut().ok_or_else(|| eyre!("the indexer is away"))
    }

    /// Changes the chain; returns the first block that is new.
    pub(super) async fn change(&mut self, does: &Does) -> Result<u64> {
        let next = self.chain.head().number + 1;
        match does {
            Does::Block { wait, moves, .. } => self.block(*wait, moves).await?,
            Does::Empty(blocks) => {
                self.met.note("empty blocks");
                self.chain.mine_empty((*blocks).into()).await?;
            }
            Does::Reorg { depth, fate, blocks } => {
                return self.reorg((*depth).into(), *fate, (*blocks).into()).await;
            }
            Does::RevokeKey(_) | Does::Audit => {}
        }
        Ok(next)
    }

    async fn block(&mut self, wait: Wait, moves: &[Move]) -> Result<()> {
        let time = time_after(self.chain.head().timestamp, wait);
        if wait != Wait::Usual {
            self.met.note(format!("wait {wait:?}"));
        }
        // Each move is of the state that those before it lead to.
        let mut model = self.chain.head().model.as_ref().clone();
        let mut calls = Vec::new();
        for a_move in moves.iter().take(MOST_IN_A_BLOCK) {
            let call = resolve(a_move, &model, &self.chain.players, time);
            // Whether it reverts is seen when it is mined.
            let _ = model.execute(&call, time);
            calls.push(call);
        }
        self.mine(calls, time).await
    }

    async fn mine(&mut self, calls: Vec<Call>, time: u64) -> Result<()> {
        self.chain.mine(calls, time).await?;
        for mined in &self.chain.head().mined {
            self.met.note_mined(mined);
        }
        Ok(())
    }

    /// Replaces the last blocks, as far as they are neither final nor of the beginning; returns the
    /// first block that is new.
    async fn reorg(&mut self, depth: u64, fate: Fate, blocks: u64) -> Result<u64> {
        let head = self.chain.head().number;
        let lowest = self.view.final_block.max(u64::try_from(self.base.height())? - 1);
        let depth = depth.min(head.saturating_sub(lowest));
        if depth == 0 {
            return Ok(head + 1);
        }
        let gone = self.chain.take_back(depth).await?;
        self.met.note_reorg(fate, blocks);
        self.met.note(format!("reorg of depth {depth}"));
        let mut calls = survivors(&gone, fate);
        if blocks > 0 {
            let per_block = calls.len().div_ceil(usize::try_from(blocks)?).min(MOST_IN_A_BLOCK);
            for _ in 0..blocks {
                let later = calls.split_off(per_block.min(calls.len()));
                let time = time_after(self.chain.head().timestamp, Wait::Usual);
                self.mine(std::mem::replace(&mut calls, later), time).await?;
            }
        }
        Ok(head + 1 - depth)
    }

    /// The indexer takes in what there is while its node does what bad nodes do.
    async fn fault(&mut self, kind: u8, times: u8) -> Result<()> {
        if self.proxy.is_none() {
            let proxy = FaultProxy::start(self.chain.anvil.url().as_str()).await?;
            let node = Providers::at(proxy.url().clone())?;
            self.proxy = Some((proxy, node));
        }
        let (proxy, indexer) = (self.proxy.as_ref(), self.indexer.as_mut());
        let ((proxy, node), indexer) =
            proxy.zip(indexer).ok_or_else(|| eyre!("no indexer, no proxy"))?;
        let (name, rule) = faults::rule(kind, times);
        let injected = proxy.inject(rule);
        indexer.through(self.base, node).await.wrap_err(name.clone())?;
        if injected.fired() > 0 {
            self.met.note("faults");
            self.met.note(format!("fault {name}"));
        }
        proxy.heal();
        Ok(())
    }

    /// A client asks for the head before it is in, and is answered when it is.
    async fn rest_while_awaited(&mut self) -> Result<()> {
        let wallet = self.steps % self.clients.len();
        let (head, client) = (self.chain.head().number, &self.clients[wallet]);
        let indexer = self.indexer.as_mut().ok_or_else(|| eyre!("the indexer is away"))?;
        let (router, path) = (indexer.router.clone(), format!("/wallet?waitForBlock={head}"));
        let (answer, rest) = tokio::join!(client.wait(&router, &path), indexer.rest());
        rest?;
        let mut answer = answer?;
        self.met.note("awaited");
        ensure!(answer.status == 200, "{path}: {}", answer.body);
        let found = answer.body["data"]["lastSyncBlock"].take();
        let number: u64 = found.as_str().unwrap_or_default().parse()?;
        ensure!(number >= head, "{path} is answered with block {number}");
        Ok(())
    }

    /// Compares the store and the API with the model. What the blocks from `changed` on are about is
    /// asked of the API in any case, and of the rest some.
    pub(super) async fn compare(&mut self, changed: u64) -> Result<()> {
        let expected = Expected::of(&self.view, changed);
        let wallets = self.chain.players.wallets();
        let indexer = self.indexer.as_ref().ok_or_else(|| eyre!("the indexer is away"))?;
        let sessions = &self.chain.sessions;
        compare_store::compare(&indexer.store, &self.view, &expected, &wallets, sessions)
            .await
            .wrap_err("the store")?;
        let comparison = Comparison {
            base: self.base,
            players: &self.chain.players,
            router: &indexer.router,
            view: &self.view,
            expected: &expected,
        };
        for (wallet, client) in self.clients.iter_mut().enumerate() {
            comparison.wallet(client, wallet).await?;
            client.dead_keys_stay_dead(&indexer.router).await?;
            if (self.steps + wallet).is_multiple_of(3) {
                comparison.events(client, wallet, 2 + self.steps % 9).await?;
            }
        }
        for (place, session) in sessions.iter().enumerate() {
            let in_turn = (self.steps + place).is_multiple_of(8);
            if let Some(number) = number_of(*session)
                && (in_turn || expected.recent.contains(session))
            {
                comparison.settlement(&mut self.clients, number).await?;
            }
        }
        // One that is registered, and one that nobody knows yet.
        for number in [self.steps % 8, self.steps % 256] {
            comparison.settlement(&mut self.clients, u8::try_from(number)?).await?;
        }
        Ok(())
    }

    async fn revoke_key(&mut self, who: u8) -> Result<()> {
        self.met.note("revoked keys");
        let wallet = usize::from(who) % self.clients.len();
        let indexer = self.indexer.as_ref().ok_or_else(|| eyre!("the indexer is away"))?;
        self.clients[wallet].change_key(self.base, &indexer.store, &indexer.router).await
    }

    /// What the indexer's own comparison with the contract finds.
    pub(super) async fn compared(&mut self) -> Result<Outcome> {
        let deployment = self.base.identity.pins.deployment;
        let (node, store) = (self.node.clone(), self.indexer()?.store.clone());
        Ok(Auditor::new(node, store, deployment).compare_all(|_| ()).await?)
    }

    /// That comparison finds nothing.
    async fn audit(&mut self) -> Result<()> {
        let outcome = self.compared().await?;
        // A ledger that waits for its node holds blocks that the node has no more.
        let waits = self.view.head().hash != self.chain.head().hash;
        let clean = matches!(outcome, Outcome::Clean(_));
        self.met.note("audits");
        ensure!(clean || waits, "the audit found {outcome:?}");
        Ok(())
    }

    /// What happened in the blocks above `before`, or in the last one.
    fn tell(&self, before: u64) -> Vec<String> {
        let (head, view) = (self.chain.head(), self.view.head());
        let mut told: Vec<String> = Vec::new();
        for block in self.chain.blocks.iter().filter(|block| block.number > before) {
            for mined in &block.mined {
                let outcome = match &mined.outcome {
                    Ok(events) => format!("{events:?}"),
                    Err(refusal) => format!("reverts: {refusal:?}"),
                };
                let from = self.chain.players.name(mined.call.from);
                told.push(format!("{} {from}: {:?} {outcome}", block.number, mined.call.act));
            }
        }
        told.push(format!("head {}, ledger {}", head.number, view.number));
        told
    }
}
