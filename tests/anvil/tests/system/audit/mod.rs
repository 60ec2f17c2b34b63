//! `luxxon audit`: clean on a sound chain, and on one that is not it names the transaction.

mod clean;
mod command;
mod misbehaviour;

use alloy::primitives::B256;
use eyre::{Result, ensure};
use luxxon_tests::{Done, World, finish, programs};
use serde_json::{Value, json};
use std::{env, process::Stdio};
use tokio::process::Command;

/// `luxxon audit <args>`, told nothing more.
fn luxxon_audit(args: &[&str]) -> Result<Command> {
    let mut command = Command::new(programs()?.join("luxxon"));
    for (name, _) in env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"LUXXON_") {
            command.env_remove(name);
        }
    }
    command
        .arg("audit")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

/// Audits `world` up to its head, through the node at `url`.
async fn audit_through(url: &str, world: &World, args: &[&str]) -> Result<Done> {
    let address = world.contracts.settlement.address().to_string();
    let whole = [&["--rpc", url, "--address", &address, "--block", "latest"], args].concat();
    finish(luxxon_audit(&whole)?, None).await
}

/// Audits `world` up to its head.
pub(crate) async fn audit(world: &World, args: &[&str]) -> Result<Done> {
    audit_through(world.rpc_url(), world, args).await
}

/// The violation that an audit of `world` finds, which must be of `invariants` and name `tx_hash`.
async fn violation(world: &World, invariants: &[u8], tx_hash: Option<B256>) -> Result<Value> {
    let done = audit(world, &["--json"]).await?;
    done.says(3, &["does not hold: "])?;
    let object = Done { code: Some(0), ..done }.json()?;
    let violation = &object["violation"];
    ensure!(object["result"] == "violation", "{object}");
    ensure!(violation["invariants"] == json!(invariants), "{object}");
    ensure!(violation["txHash"] == json!(tx_hash), "expected {tx_hash:?}: {object}");
    Ok(violation.clone())
}
