//! Sound chains.

use super::{audit, audit_through};
use alloy::{
    primitives::{Address, U256},
    rpc::types::TransactionRequest,
    sol_types::SolEvent,
};
use eyre::Result;
use luxxon_bindings::settlement::LuxxonSettlement::{Claimed, EntrySkipped, PayoutHeld, Settled};
use luxxon_tests::{AnswerFault, Calls, FaultProxy, History, Rule, World};
use serde_json::{Value, json};

/// Each role goes to another and back, the contract is paused, and what came by a plain transfer is
/// rescued in part.
async fn administer(world: &World) -> Result<()> {
    let (settlement, cast) = (&world.contracts.settlement, &world.cast);
    let other = world.operators[1];
    let execute = async |from: Address, call: TransactionRequest| world.execute(from, call).await;
    let owner = cast.owner;
    execute(cast.pauser, settlement.pause().into_transaction_request()).await?;
    execute(owner, settlement.unpause().into_transaction_request()).await?;
    for (from, to) in [(cast.relayer, other), (other, cast.relayer)] {
        execute(owner, settlement.proposeRelayer(from).into_transaction_request()).await?;
        let cancel = settlement.cancelRelayerProposal().into_transaction_request();
        execute(cast.pauser, cancel).await?;
        execute(owner, settlement.proposeRelayer(to).into_transaction_request()).await?;
        execute(cast.pauser, settlement.revokeRelayer().into_transaction_request()).await?;
        execute(to, settlement.acceptRelayer().into_transaction_request()).await?;
    }
    for (from, to) in [(owner, other), (other, owner)] {
        execute(from, settlement.setPauser(to).into_transaction_request()).await?;
        execute(from, settlement.setPlatformWallet(to).into_transaction_request()).await?;
        execute(from, settlement.transferOwnership(to).into_transaction_request()).await?;
        execute(to, settlement.acceptOwnership().into_transaction_request()).await?;
    }
    execute(owner, settlement.setPauser(cast.pauser).into_transaction_request()).await?;
    execute(owner, settlement.setPlatformWallet(cast.platform).into_transaction_request()).await?;
    let transfer = world.contracts.usdc.transfer(*settlement.address(), U256::from(70));
    execute(cast.consumer, transfer.into_transaction_request()).await?;
    execute(owner, settlement.rescue(owner, U256::from(30)).into_transaction_request()).await?;
    Ok(())
}

/// A chain with all that can happen.
async fn eventful(seed: u64) -> Result<World> {
    let world = World::start().await?;
    let mut history = History::seeded(seed);
    history.play(&world, 60).await?;
    administer(&world).await?;
    history.play(&world, 60).await?;
    for event in [PayoutHeld::SIGNATURE, Claimed::SIGNATURE, EntrySkipped::SIGNATURE] {
        assert!(world.logs_of(event).await? > 0, "the history has no {event}");
    }
    Ok(world)
}

fn checked(report: &Value, check: &str) -> u64 {
    let checks = report["checks"].as_array().into_iter().flatten();
    let mut counts = checks.filter(|one| one["check"] == check);
    counts.next().and_then(|one| one["checked"].as_u64()).unwrap_or_default()
}

#[tokio::test]
async fn traffic_of_every_kind_and_all_hand_overs_have_no_violation() -> Result<()> {
    let world = eventful(61).await?;
    let report = audit(&world, &["--json"]).await?.json()?;
    assert_eq!(report["result"], "clean");
    assert_eq!(report["codeIsCommitted"], true);
    let owed = world.contracts.settlement.totalOwed().call().await?;
    let held = owed + U256::from(40);
    assert_eq!(report["totalOwed"], owed.to_string());
    assert_eq!(report["held"], held.to_string(), "40 of the plain transfer are left");
    let settled = world.logs_of(Settled::SIGNATURE).await?;
    assert_eq!(report["state"]["sessions"], json!(settled));
    assert_eq!(checked(&report, "replay"), settled as u64);
    for check in report["checks"].as_array().into_iter().flatten() {
        assert!(check["checked"].as_u64() > Some(0), "nothing was checked: {check}");
    }
    let changes = report["roles"].as_array().map(Vec::len);
    assert_eq!(changes, Some(4 + 2 + 2 * 5 + 2 * 4 + 2), "{}", report["roles"]);

    let text = audit(&world, &[]).await?;
    text.says(0, &["the committed one", "40 of it surplus", "clean: no violation"])?;
    text.says(0, &["     6  a session settles at most once", &format!("({settled} sessions)")])?;
    text.says(0, &[&format!("relayer: nobody -> {}", world.operators[1]), "paused by "])
}

#[tokio::test]
async fn a_node_that_keeps_logs_back_without_a_word_is_asked_for_less() -> Result<()> {
    let world = World::start().await?;
    History::seeded(62).play(&world, 100).await?;
    let proxy = FaultProxy::start(world.rpc_url()).await?;
    let capped = proxy.inject(Rule::new(Calls::RangeLogs, AnswerFault::Capped(12)));
    let url = proxy.url().to_string();
    let report = audit_through(&url, &world, &["--json"]).await?.json()?;
    assert_eq!(report["result"], "clean");
    assert_eq!(report["state"]["sessions"], json!(world.logs_of(Settled::SIGNATURE).await?));
    assert!(capped.fired() > 0);
    Ok(())
}

#[tokio::test]
async fn blocks_are_final_unless_another_is_named() -> Result<()> {
    let world = World::with_finality(5).await?;
    History::seeded(63).play(&world, 30).await?;
    let address = world.contracts.settlement.address().to_string();
    let head = world.head().await?;
    let upto = async |args: &[&str]| -> Result<Value> {
        let whole = [&["--rpc", world.rpc_url(), "--address", &address, "--json"], args].concat();
        Ok(luxxon_tests::finish(super::luxxon_audit(&whole)?, None).await?.json()?["lastBlock"]
            .clone())
    };
    assert_eq!(upto(&[]).await?, json!(head - 10));
    assert_eq!(upto(&["--block", "safe"]).await?, json!(head - 5));
    assert_eq!(upto(&["--block", "latest"]).await?, json!(head));
    let deploy_block = world.contracts.deploy_block.to_string();
    assert_eq!(upto(&["--block", "20", "--deploy-block", &deploy_block]).await?, json!(20));
    Ok(())
}
