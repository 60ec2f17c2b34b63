//! `luxxon roles`: who holds what on a deployment, and the hand-overs.

mod action;
mod show;

pub use action::{Action, ActionName};
pub use show::Roles;

use crate::{
    chain::{
        CallError, Consent, Ether, KeyArgs, NetworkArgs, Node, Receipt, Waiting, await_receipt,
        block_on, broadcast, checksummed, confirm, json, prepare, print, say,
    },
    contract::{State, reverted},
    deploy::Record,
};
use alloy::{
    network::TransactionBuilder,
    primitives::{Address, Bytes},
    rpc::types::TransactionRequest,
};
use clap::Args;
use eyre::{Report, Result, bail, ensure, eyre};
use serde::Serialize;

/// Whose roles, and what to do about them.
#[derive(Clone, Debug, Args)]
pub struct RolesArgs {
    /// What to do; without it the roles are shown
    #[arg(value_enum, value_name = "ACTION")]
    pub action: Option<ActionName>,

    /// The account that is proposed, set, or offered the ownership
    #[arg(value_name = "ACCOUNT", value_parser = checksummed, requires = "action")]
    pub account: Option<Address>,

    /// The chain.
    #[command(flatten)]
    pub network: NetworkArgs,

    /// The contract; by default the only one that is recorded for the chain
    #[arg(long, value_name = "ADDRESS", value_parser = checksummed)]
    pub address: Option<Address>,

    /// Simulate the action as a call by the role's holder, and print what a multisig has to send,
    /// `to` and `data`, in place of sending it. Needs no key
    #[arg(long, requires = "action")]
    pub calldata: bool,

    /// The sender's key.
    #[command(flatten)]
    pub key: KeyArgs,

    /// How long to wait.
    #[command(flatten)]
    pub waiting: Waiting,

    /// Send without asking
    #[arg(long)]
    pub yes: bool,

    /// Print the result as one line of JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// A transaction for somebody else to send.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Call {
    chain_id: u64,
    #[serde(serialize_with = "json::address")]
    from: Address,
    #[serde(serialize_with = "json::address")]
    to: Address,
    value: &'static str,
    data: Bytes,
}

/// Shows the roles, or changes them and shows what came of it.
pub fn run(args: &RolesArgs) -> Result<()> {
    block_on(roles(args))
}

async fn roles(args: &RolesArgs) -> Result<()> {
    let action = args.action.map(|name| Action::new(name, args.account)).transpose()?;
    let (url, expected) = args.network.target()?;
    let node = Node::connect(url, expected).await?;
    let address = match args.address {
        Some(address) => address,
        None => Record::only(&args.network.folder()?, node.chain_id())?,
    };
    let state = State::read(&node, address, None).await?;
    let state = match action {
        None => state,
        Some(action) if action.is_done(&state) => {
            say("nothing to do: it is so already");
            state
        }
        Some(action) if args.calldata => {
            return print_call(&node, address, action, &state, args.json).await;
        }
        Some(action) => {
            let receipt = send(&node, address, action, &state, args).await?;
            say(format!("done in block {}", receipt.block));
            State::read(&node, address, Some(receipt.block)).await?
        }
    };
    let roles = Roles { chain_id: node.chain_id(), address, state };
    if args.json { print(serde_json::to_string(&roles)?) } else { print(roles) }
}

async fn send(
    node: &Node,
    address: Address,
    action: Action,
    state: &State,
    args: &RolesArgs,
) -> Result<Receipt> {
    let key = args.key.load().await?;
    let prepared = prepare(node, key.address(), address, action.calldata()).await;
    let prepared = prepared.map_err(|error| failure(action, key.address(), error))?;
    let balance = node.balance(key.address()).await?;
    let mut lines = vec![
        format!("{}() on {address}, chain {}", action.function(), node.chain_id()),
        format!("change     {}", action.change(state)),
        format!("sender     {}, has {}", key.address(), Ether(balance)),
    ];
    lines.extend(prepared.cost.lines());
    say(lines.join("\n  "));
    prepared.cost.check(prepared.sender, balance)?;
    confirm(Consent::of(args.yes), "Send it?")?;
    let signed = prepared.sign(&key).await?;
    broadcast(node, &signed).await?;
    let receipt = await_receipt(node, signed.hash, args.waiting).await;
    let receipt = receipt
        .map_err(|error| eyre!("{error:#}: look at `luxxon roles` before you send it again"))?;
    ensure!(
        receipt.succeeded,
        "{} reverted in block {}: something changed since it was simulated. Run the same command \
         again to see what",
        receipt.hash,
        receipt.block
    );
    Ok(receipt)
}

/// Prints the call for a multisig, once the chain has agreed to it.
async fn print_call(
    node: &Node,
    address: Address,
    action: Action,
    state: &State,
    json: bool,
) -> Result<()> {
    let from = action.actor(state);
    if from.is_zero() {
        bail!("nobody can call {}() now: nothing was proposed or offered", action.function());
    }
    let request = TransactionRequest::default()
        .with_from(from)
        .with_to(address)
        .with_input(action.calldata());
    node.call(request).await.map_err(|error| failure(action, from, error))?;
    say(format!("change: {}\nto be sent by {from}:", action.change(state)));
    let call =
        Call { chain_id: node.chain_id(), from, to: address, value: "0", data: action.calldata() };
    if json {
        print(serde_json::to_string(&call)?)
    } else {
        print(format_args!("to    {}\ndata  {}", call.to, call.data))
    }
}

fn failure(action: Action, sender: Address, error: CallError) -> Report {
    match error {
        CallError::Reverted(data) => {
            reverted(&format!("{}() by {sender}", action.function()), &data)
        }
        CallError::Failed(error) => error,
    }
}
