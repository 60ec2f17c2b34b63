//! The command as a process.

use super::{audit, audit_through, luxxon_audit};
use alloy::primitives::{Address, U256};
use eyre::{Result, eyre};
use luxxon_tests::{
    AnswerFault, Calls, ExchangeFault, FaultProxy, History, Rule, Running, World, finish,
};
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

async fn ends(args: &[&str], code: i32, words: &[&str]) -> Result<()> {
    finish(luxxon_audit(args)?, None).await?.says(code, words)
}

#[tokio::test]
async fn a_command_line_that_says_too_little_or_nonsense_ends_with_2() -> Result<()> {
    let lower = "0x000000000000000000000000000000000000dead";
    for (args, words) in [
        (&[][..], "--network"),
        (&["--rpc", "http://127.0.0.1:1", "--address", lower], "no EIP-55 checksum"),
        (&["--rpc", "http://127.0.0.1:1", "--block", "newest"], "expected finalized, safe, latest"),
    ] {
        ends(args, 2, &[words]).await?;
    }
    ends(&["--help"], 0, &["3  a violation", "[alias: --rpc]", "--deploy-block"]).await
}

#[tokio::test]
async fn what_is_no_node_or_no_contract_is_refused_in_a_line() -> Result<()> {
    let nobody = Address::repeat_byte(0xab).to_string();
    let closed = ["--rpc", "http://127.0.0.1:1/key", "--address", &nobody];
    ends(&closed, 1, &["no answer from the node at http://127.0.0.1:1 (--rpc-url)"]).await?;
    let world = World::start().await?;
    let at = async |address: &str, words: &[&str]| {
        ends(&["--rpc", world.rpc_url(), "--address", address], 1, words).await
    };
    at(&nobody, &[&nobody, "has no code on chain 31337"]).await?;
    let usdc = world.contracts.usdc.address().to_string();
    at(&usdc, &[&usdc, "does not answer ", "as LuxxonSettlement does"]).await?;
    let ours = world.contracts.settlement.address().to_string();
    at(&ours, &["was deployed in block ", "--block latest"]).await?;
    let other_chain = ["--network", "base", "--rpc-url", world.rpc_url(), "--address", &ours];
    ends(&other_chain, 1, &["serves chain 31337, not 8453"]).await?;
    audit(&world, &["--deploy-block", "1000"]).await?.says(1, &["was deployed in block 1000"])?;
    world.mine(5).await?;
    let late = (world.contracts.deploy_block + 1).to_string();
    let done = audit(&world, &["--deploy-block", &late]).await?;
    done.says(1, &["--deploy-block is too high"])?;
    let later = (world.contracts.deploy_block + 2).to_string();
    audit(&world, &["--deploy-block", &later]).await?.says(1, &["no log of the contract's"])?;
    let deposit = world.contracts.settlement.deposit(U256::from(5));
    world.execute(world.cast.consumer, deposit.into_transaction_request()).await?;
    let done = audit(&world, &["--deploy-block", &later]).await?;
    done.says(1, &["not its constructor's", "--deploy-block is too high"])?;
    let early = (world.contracts.deploy_block - 1).to_string();
    audit(&world, &["--deploy-block", &early]).await?.says(0, &["clean"])
}

#[tokio::test]
async fn a_node_that_no_longer_has_the_state_ends_it_with_1_and_what_the_logs_say() -> Result<()> {
    let world = World::start().await?;
    History::seeded(64).play(&world, 20).await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let pruned = AnswerFault::Error { code: -32000, message: "missing trie node 0xabc" };
    // The contract is asked twelve things at the head, which every node knows.
    let _pruned = proxy.inject(Rule::new(Calls::Of("eth_call"), pruned).after(12));
    let done = audit_through(proxy.url().as_str(), &world, &["--json"]).await?;
    done.says(1, &["stateUnavailable", "ask an archive node"])
}

#[tokio::test]
async fn what_takes_long_says_how_far_it_is_beside_the_result() -> Result<()> {
    let world = World::start().await?;
    History::seeded(66).play(&world, 5).await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let quick = audit_through(proxy.url().as_str(), &world, &["--json"]).await?;
    assert_eq!(quick.stderr, "", "nothing where it is quick");
    let slow = ExchangeFault::Delay(Duration::from_millis(2_100));
    let _slow = proxy.inject(Rule::new(Calls::RangeLogs, slow).times(1));
    let done = audit_through(proxy.url().as_str(), &world, &["--json"]).await?;
    done.says(0, &["block ", " logs\n"])?;
    assert_eq!(done.json()?["result"], "clean");
    Ok(())
}

#[tokio::test]
async fn a_signal_ends_it_at_once_while_the_node_keeps_it_waiting() -> Result<()> {
    let world = World::start().await?;
    History::seeded(65).play(&world, 5).await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let held = proxy.inject(Rule::new(Calls::RangeLogs, ExchangeFault::Hold).times(1));
    let address = world.contracts.settlement.address().to_string();
    let args = ["--rpc", proxy.url().as_str(), "--address", &address, "--block", "latest"];
    let running = Running::start(luxxon_audit(&args)?)?;
    held.until_fired(1).await?;
    // Ctrl-C ends it in the same way, but SIGINT is ignored where tests run in the background.
    let pid = running.pid().and_then(Pid::from_raw).ok_or_else(|| eyre!("it ended"))?;
    let began = Instant::now();
    kill_process(pid, Signal::TERM)?;
    let done = running.end().await?;
    assert_eq!((done.code, done.stdout.as_str()), (None, ""));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    Ok(())
}
