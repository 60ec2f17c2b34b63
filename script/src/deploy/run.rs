use super::{Origin, Outcome, PendingFile, Record, Report, Step, find, next, report, step::Found};
use crate::{
    chain::{
        CallError, Consent, KeyArgs, Node, Receipt, Waiting, await_receipt, broadcast, confirm,
        prepare, receipt, say,
    },
    contract::{Deployment, FACTORY, State, compare, reverted},
};
use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes},
    providers::Provider,
    rpc::types::TransactionRequest,
};
use eyre::{Report as Error, Result, WrapErr, bail, ensure, eyre};
use std::path::Path;

/// One run of `luxxon deploy`, once everything it needs is known to be in order.
pub(super) struct Run<'r> {
    pub(super) node: &'r Node,
    pub(super) key: &'r KeyArgs,
    pub(super) waiting: Waiting,
    pub(super) consent: Consent,
    pub(super) deployments: &'r Path,
    pub(super) deployment: &'r Deployment,
    pub(super) pending: &'r PendingFile,
}

/// Since when the contract is on chain.
#[derive(Clone, Copy, Debug)]
enum Deployed {
    /// Since a block that this run has waited for.
    Now(Receipt),
    /// Since before this run. With a receipt, by an earlier run.
    Before(Option<Receipt>),
}

impl Run<'_> {
    /// Takes the steps that are left, checks what came of them, and keeps the record.
    pub(super) async fn to_its_end(&self, warnings: Vec<String>) -> Result<Report> {
        let deployed = self.deploy().await?;
        let own = match deployed {
            Deployed::Now(receipt) | Deployed::Before(Some(receipt)) => Some(receipt),
            Deployed::Before(None) => None,
        };
        let checked = self.check(deployed).await;
        let notes = checked.wrap_err_with(|| match own {
            Some(receipt) => format!("{} was mined, but not checked and recorded", receipt.hash),
            None => format!("{} has code", self.address()),
        })?;
        let (outcome, record) = self.keep(own).await?;
        self.pending.remove()?;
        let path = Record::path(self.deployments, record.chain_id, record.address);
        Ok(Report { outcome, record_path: path, record, warnings, notes })
    }

    /// Compares code and getters with what was configured. Of a contract that was there before,
    /// the roles may have moved on: returned is how. Of a new one they may not.
    async fn check(&self, deployed: Deployed) -> Result<Vec<String>> {
        let block = match deployed {
            Deployed::Now(receipt) => Some(receipt.block),
            Deployed::Before(_) => None,
        };
        let code = self.code(block).await?;
        if let Some(difference) = compare(&code, &self.deployment.runtime_code) {
            bail!("{} does not have the code it must have: it {difference}", self.address());
        }
        let state = State::read(self.node, self.address(), block).await?;
        let differences = self.differences(&state);
        ensure!(
            block.is_none() || differences.is_empty(),
            "{} is not as configured: {}. Do not use it",
            self.address(),
            differences.join("; ")
        );
        Ok(differences)
    }

    /// Leaves the contract on chain.
    async fn deploy(&self) -> Result<Deployed> {
        let found = self.node.code(self.address(), None).await?;
        let found = Found::of(&found, &self.deployment.runtime_code);
        let receipt = match next(found, self.pending.earlier(self.node).await?) {
            Step::Finish(own) => return Ok(Deployed::Before(own)),
            Step::Refuse(difference) => bail!(
                "REFUSED: {} has other code already: it {difference}. No honest chain has other \
                 code at this address: is the node to be trusted?",
                self.address()
            ),
            Step::Wait(hash) => {
                say("resuming: the transaction of an earlier run is on its way");
                self.receipt(hash).await?
            }
            Step::Send(note) => {
                if let Some(note) = note {
                    say(note);
                }
                self.send().await?
            }
        };
        if receipt.succeeded {
            return Ok(Deployed::Now(receipt));
        }
        // The factory reverts where the contract is there already: somebody else was faster.
        if !self.node.code(self.address(), None).await?.is_empty() {
            say(format!("{} reverted, because somebody else deployed it first", receipt.hash));
            return Ok(Deployed::Before(None));
        }
        self.pending.remove()?;
        bail!(
            "{} reverted in block {} and deployed nothing; it cost its sender gas. Run the same \
             command again to simulate and send another",
            receipt.hash,
            receipt.block
        )
    }

    /// Simulates, prices, asks, and sends.
    async fn send(&self) -> Result<Receipt> {
        let key = self.key.load().await?;
        self.simulate(key.address()).await?;
        let prepared = prepare(self.node, key.address(), FACTORY, self.deployment.factory_input());
        let prepared = prepared.await.map_err(|error| failure("the deployment", error))?;
        let balance = self.node.balance(prepared.sender).await?;
        say(report::plan(self.node, self.deployment, &prepared, balance));
        prepared.cost.check(prepared.sender, balance)?;
        confirm(self.consent, "Deploy it?")?;

        let (sender, nonce) = (prepared.sender, prepared.nonce);
        let signed = prepared.sign(&key).await?;
        // First the record: from here on, whatever happens, the next run finds the transaction.
        self.pending.write(signed.hash, sender, nonce)?;
        if let Err(error) = broadcast(self.node, &signed).await {
            return Err(error.wrap_err(format!("{} was not taken", signed.hash)));
        }
        self.receipt(signed.hash).await
    }

    async fn receipt(&self, hash: B256) -> Result<Receipt> {
        let receipt = await_receipt(self.node, hash, self.waiting).await;
        receipt.map_err(|error| eyre!("{error:#}: run the same command again to go on waiting"))
    }

    /// Runs the constructor without the factory, which would swallow its reasons.
    async fn simulate(&self, sender: Address) -> Result<()> {
        let request = TransactionRequest::default()
            .with_from(sender)
            .with_deploy_code(self.deployment.init_code.clone());
        let code = self.node.call(request).await;
        let code = code.map_err(|error| failure("the constructor", error))?;
        match compare(&code, &self.deployment.runtime_code) {
            None => Ok(()),
            Some(difference) => {
                Err(eyre!("the constructor would leave other code: it {difference}"))
            }
        }
    }

    /// The code on chain; given a moment to appear, because the node that answers may be another
    /// than the one that gave the receipt, and a little behind it.
    async fn code(&self, deployed_in: Option<u64>) -> Result<Bytes> {
        const ATTEMPTS: u32 = 10;
        for _ in 1..ATTEMPTS {
            match self.node.code(self.address(), deployed_in).await {
                Ok(code) if !code.is_empty() => return Ok(code),
                _ => tokio::time::sleep(self.node.poll_interval()).await,
            }
        }
        self.node.code(self.address(), deployed_in).await
    }

    /// In which ways the contract is not (any more) as it was configured.
    fn differences(&self, state: &State) -> Vec<String> {
        let args = &self.deployment.args;
        let mut differences = Vec::new();
        for (name, found, expected) in [
            ("owner", state.owner, args.owner),
            ("pending owner", state.pending_owner, Address::ZERO),
            ("relayer", state.relayer, args.relayer),
            ("pauser", state.pauser, args.pauser),
            ("platform wallet", state.platform_wallet, args.platform_wallet),
            ("USDC", state.usdc, args.usdc),
        ] {
            if found != expected {
                differences.push(format!("its {name} is {found}, deployed with {expected}"));
            }
        }
        if let Some(pending) = state.pending_relayer {
            differences.push(format!("{} is proposed as its relayer", pending.candidate));
        }
        if state.paused {
            differences.push("it is paused".to_owned());
        }
        if state.relayer_delay != args.relayer_delay {
            differences.push(format!("its relayer delay is {} s", state.relayer_delay));
        }
        differences
    }

    /// Writes the record, unless there is one that holds.
    async fn keep(&self, own: Option<Receipt>) -> Result<(Outcome, Record)> {
        let chain_id = self.node.chain_id();
        if let Some(own) = own {
            let record = Record::new(chain_id, self.deployment, &own.into());
            record.write(self.deployments)?;
            return Ok((Outcome::Deployed, record));
        }
        if let Some(record) = Record::read(self.deployments, chain_id, self.address())? {
            record.check(self.deployment)?;
            if !self.is_of_this_chain(&record).await? {
                say("the record is of another chain with the same id: writing it again");
            } else if record.tx_hash.is_some() {
                return Ok((Outcome::Unchanged, record));
            } else {
                // Another node may know what the one before did not.
                let origin = find(self.node, self.address()).await?;
                if origin.tx_hash.is_none() {
                    return Ok((Outcome::Unchanged, record));
                }
                say("the record lacks the transaction, and this node knows it: writing it again");
            }
        }
        let origin: Origin = find(self.node, self.address()).await?;
        let record = Record::new(chain_id, self.deployment, &origin);
        record.write(self.deployments)?;
        Ok((Outcome::Found, record))
    }

    /// Whether the recorded block is on the chain: development chains begin anew with the same id.
    async fn is_of_this_chain(&self, record: &Record) -> Result<bool> {
        let (Some(number), Some(hash)) = (record.block, record.block_hash) else { return Ok(true) };
        let block = self.node.provider().get_block_by_number(number.into()).await;
        let block = block.map_err(|error| self.node.explain("eth_getBlockByNumber", &error))?;
        // A transaction settles it where a reorg has moved the deployment to another block.
        match (block, record.tx_hash) {
            (Some(block), _) if block.header.hash == hash => Ok(true),
            (_, Some(tx_hash)) => Ok(receipt(self.node, tx_hash)
                .await?
                .is_some_and(|receipt| Some(receipt.block_hash) == record.block_hash)),
            _ => Ok(false),
        }
    }

    fn address(&self) -> Address {
        self.deployment.address
    }
}

fn failure(what: &str, error: CallError) -> Error {
    match error {
        CallError::Reverted(data) => reverted(what, &data),
        CallError::Failed(error) => error,
    }
}
