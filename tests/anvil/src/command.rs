//! How tests start the indexer's program: with all that it is told, and nothing else of the kind.

use luxxon_script::devnet::IndexerOptions;
use std::{env, process::Stdio};
use tokio::process::Command;

/// `luxxon-indexer <args>`, told nothing more. What it says and prints can be read.
#[must_use]
pub fn bare(options: &IndexerOptions, args: &[&str]) -> Command {
    let mut command = Command::new(&options.program);
    for (name, _) in env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"LUXXON_") {
            command.env_remove(name);
        }
    }
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// The same, told which database.
#[must_use]
pub fn on_database(options: &IndexerOptions, args: &[&str]) -> Command {
    let mut command = bare(options, args);
    command.arg("--db").arg(&options.db);
    command
}

/// The same, told also where to read and what to follow. It looks at the chain often, waits less,
/// and tells at least what it would by default. What a flag may say otherwise is in the environment.
#[must_use]
pub fn on_chain(options: &IndexerOptions, args: &[&str]) -> Command {
    let mut command = on_database(options, args);
    command
        .args(["--chain-id", &options.chain_id.to_string()])
        .args(["--settlement", &options.settlement])
        .args(["--deploy-block", &options.deploy_block.to_string()])
        .args(["--listen", &options.listen])
        .env("LUXXON_RPC_URL", options.rpc_url.as_str())
        .env("LUXXON_POLL_MS", "20")
        .env("LUXXON_TIMEOUT_MS", "3000")
        .env("LUXXON_LOG", "info");
    command
}
