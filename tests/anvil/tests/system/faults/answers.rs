//! Answers that are wrong and do not look it: F1 to F4, F23, F30 and F31.

use super::scene::{Scene, wait};
use alloy::primitives::U256;
use eyre::Result;
use luxxon_tests::{AnswerFault, Calls, History, Rule};

#[tokio::test]
async fn f1_a_stale_node_behind_a_balancer_answers_nothing_for_blocks_it_lacks() -> Result<()> {
    let scene = Scene::start().await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    // Heads come from a healthy node, logs from one that is three blocks behind.
    let stale = Rule::new(Calls::Logs, AnswerFault::Behind(3)).for_the_whole_request();
    let stale = scene.proxy.inject(stale);
    // Every block has an event: one that is taken in too early is missed.
    for _ in 0..10 {
        scene.deposit().await?;
    }
    stale.until_fired(1).await?;
    let (cursor, head) = (scene.cursor().await?, scene.world.head().await?);
    assert!(cursor <= head - 3, "block {cursor} of {head} was taken in without being seen");
    stale.remove();
    scene.ends_right(daemon).await
}

/// Negative control: were the logs not bound to the header, and both to what the contract owes, a
/// stale node's answer would be taken for everything. Here a balancer undoes the binding: only the
/// calls for logs meet the stale node, and the one that asks what is owed a node without state.
#[tokio::test]
async fn f1_without_the_binding_a_stale_nodes_answer_is_taken_for_everything() -> Result<()> {
    let scene = Scene::start().await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    let no_state = AnswerFault::Error { code: -32000, message: "missing trie node" };
    let _no_state = scene.proxy.inject(Rule::new(Calls::Of("eth_call"), no_state));
    let stale = scene.proxy.inject(Rule::new(Calls::BlockLogs, AnswerFault::NoLogs));
    scene.deposit().await?;
    let head = scene.world.head().await?;
    wait(&mut daemon, "not at the head", async || Ok(scene.cursor().await? == head)).await?;
    stale.until_fired(1).await?;
    daemon.stop().await?.says(0, &[])?;
    let clean = scene.world.clean_run().await?;
    assert_ne!(scene.rows().await?, clean, "the deposit was seen: this fault shows nothing");
    Ok(())
}

#[tokio::test]
async fn f2_a_log_is_missing_from_a_successful_answer_for_the_right_block() -> Result<()> {
    let scene = Scene::soon_final().await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    let missing = Rule::new(Calls::Logs, AnswerFault::DropFirstLog).times(1);
    let missing = scene.proxy.inject(missing);
    scene.deposit().await?;
    missing.until_fired(1).await?;
    // The block becomes final, and with it the difference shows.
    scene.world.mine(6).await?;
    scene.ends_right_or_stops(daemon).await
}

#[tokio::test]
async fn f3_an_empty_answer_by_block_hash_comes_from_a_node_that_lacks_the_block() -> Result<()> {
    let scene = Scene::start().await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    let behind = Rule::new(Calls::BlockLogs, AnswerFault::Behind(1)).for_the_whole_request();
    let behind = scene.proxy.inject(behind);
    let before = scene.cursor().await?;
    scene.deposit().await?;
    behind.until_fired(1).await?;
    assert_eq!(scene.cursor().await?, before);
    behind.remove();
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f3_an_empty_answer_by_block_hash_comes_from_a_node_that_has_the_header() -> Result<()> {
    let scene = Scene::soon_final().await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    let empty = scene.proxy.inject(Rule::new(Calls::BlockLogs, AnswerFault::NoLogs).times(1));
    scene.deposit().await?;
    empty.until_fired(1).await?;
    scene.world.mine(6).await?;
    scene.ends_right_or_stops(daemon).await
}

#[tokio::test]
async fn f4_only_the_first_dozen_logs_are_answered_and_no_error() -> Result<()> {
    let scene = Scene::soon_final().await?;
    History::seeded(104).play(&scene.world, 100).await?;
    let capped = scene.proxy.inject(Rule::new(Calls::RangeLogs, AnswerFault::Capped(12)));
    let daemon = scene.follow().await?;
    capped.until_fired(1).await?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f23_a_withdrawal_comes_before_the_deposit_that_pays_for_it() -> Result<()> {
    let scene = Scene::start().await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    let reversed = scene.proxy.inject(Rule::new(Calls::Logs, AnswerFault::ReversedLogs));
    let (world, consumer) = (&scene.world, scene.world.cast.consumer);
    let settlement = &world.contracts.settlement;
    let deposit = settlement.deposit(U256::from(1_000)).into_transaction_request();
    let withdraw = settlement.withdraw(U256::from(1_000)).into_transaction_request();
    world.send(consumer, deposit).await?;
    world.execute(consumer, withdraw).await?;
    reversed.until_fired(1).await?;
    History::seeded(123).play(world, 15).await?;
    scene.ends_right(daemon).await
}

/// Gives the daemon a block with events for each of `faults`, which its answer meets once.
async fn goes_on_after_each(faults: &[AnswerFault]) -> Result<()> {
    let scene = Scene::start().await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    for fault in faults {
        let met = scene.proxy.inject(Rule::new(Calls::Logs, fault.clone()).times(1));
        scene.deposit().await?;
        met.until_fired(1).await?;
        scene.at_head(&mut daemon).await?;
    }
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f30_logs_of_pending_blocks_stand_among_the_others() -> Result<()> {
    goes_on_after_each(&[AnswerFault::PendingLog, AnswerFault::ZeroHashLog]).await
}

#[tokio::test]
async fn f31_logs_are_doubled_or_marked_as_removed() -> Result<()> {
    goes_on_after_each(&[AnswerFault::DuplicatedLogs, AnswerFault::RemovedLog]).await
}

#[tokio::test]
async fn f31_logs_of_a_range_are_doubled_and_in_no_order() -> Result<()> {
    let scene = Scene::soon_final().await?;
    History::seeded(131).play(&scene.world, 30).await?;
    let _doubled = scene.proxy.inject(Rule::new(Calls::Logs, AnswerFault::DuplicatedLogs));
    let _reversed = scene.proxy.inject(Rule::new(Calls::Logs, AnswerFault::ReversedLogs));
    let daemon = scene.follow().await?;
    scene.ends_right(daemon).await
}
