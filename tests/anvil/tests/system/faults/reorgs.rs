//! Blocks that are replaced: F9 to F17.

use super::scene::Scene;
use alloy::{
    primitives::{Bytes, U256},
    providers::Provider,
};
use eyre::Result;
use luxxon_tests::{AnswerFault, Calls, Daemon, ExchangeFault, History, Rule, tables};
use serde_json::json;

/// A daemon at the head of a chain with some history.
async fn at_the_head(seed: u64) -> Result<(Scene, History, Daemon)> {
    let scene = Scene::start().await?;
    let mut history = History::seeded(seed);
    history.play(&scene.world, 15).await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    Ok((scene, history, daemon))
}

#[tokio::test]
async fn f9_a_sibling_replaces_the_head_at_the_same_height() -> Result<()> {
    let (scene, _, mut daemon) = at_the_head(109).await?;
    scene.deposit().await?;
    scene.at_head(&mut daemon).await?;
    let before = scene.rows().await?;
    scene.world.reorg(1).await?;
    assert_ne!(before, scene.world.clean_run().await?);
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f10_every_block_that_was_rolled_back_is_read_again() -> Result<()> {
    let (scene, mut history, daemon) = at_the_head(110).await?;
    scene.world.shorten(6).await?;
    // The new blocks have events where the old ones had, and none is like its predecessor.
    for _ in 0..7 {
        scene.deposit().await?;
    }
    history.play(&scene.world, 3).await?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f11_a_rollback_that_fails_is_taken_up_again() -> Result<()> {
    let (scene, mut history, daemon) = at_the_head(111).await?;
    let error = AnswerFault::Error { code: -32000, message: "header not found" };
    let failing = scene.proxy.inject(Rule::new(Calls::HeaderByHeight, error).times(2));
    scene.world.reorg(6).await?;
    failing.until_fired(2).await?;
    history.play(&scene.world, 3).await?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f12_a_transaction_that_is_mined_again_in_another_block_is_one_row() -> Result<()> {
    let (scene, _, mut daemon) = at_the_head(112).await?;
    let deposits = async || tables::events_of_kind(&scene.db, 1).await;
    let before = deposits().await?;
    let hash = scene.deposit().await?;
    scene.at_head(&mut daemon).await?;
    let raw = "eth_getRawTransactionByHash".into();
    let raw: Bytes = scene.world.provider.raw_request(raw, (hash,)).await?;
    scene.world.reorg(1).await?;
    scene.world.mine(2).await?;
    let again = *scene.world.provider.send_raw_transaction(&raw).await?.tx_hash();
    assert_eq!(again, hash);
    scene.world.mine(1).await?;
    scene.at_head(&mut daemon).await?;
    assert_eq!(deposits().await?, before + 1);
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f13_a_reorg_happens_while_the_node_cannot_be_reached() -> Result<()> {
    let (scene, mut history, daemon) = at_the_head(113).await?;
    let away = scene.proxy.inject(Rule::new(Calls::All, ExchangeFault::Reset));
    away.until_fired(1).await?;
    // The new block at the old height is never a head that the daemon sees.
    scene.world.reorg(2).await?;
    history.play(&scene.world, 3).await?;
    away.remove();
    scene.ends_right(daemon).await
}

/// A daemon at the head of two nodes that part there: each has its own next blocks.
async fn between_two_nodes(seed: u64) -> Result<(Scene, Daemon)> {
    let scene = Scene::start().await?;
    History::seeded(seed).play(&scene.world, 10).await?;
    let fork = scene.world.fork().await?;
    let scene = scene.with_second_node(&fork).await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    let other = fork.contracts.settlement.deposit(U256::from(7));
    fork.execute(fork.consumers[1], other.into_transaction_request()).await?;
    fork.mine(1).await?;
    let second = Rule::new(Calls::Logs, AnswerFault::SecondNode).for_the_whole_request();
    let second = scene.proxy.inject(second);
    scene.deposit().await?;
    second.until_fired(1).await?;
    second.remove();
    scene.at_head(&mut daemon).await?;
    // Now the head, for a moment: it is two blocks above the fork, ours is one.
    let second = Rule::new(Calls::All, AnswerFault::SecondNode).for_the_whole_request();
    let second = scene.proxy.inject(second);
    second.until_fired(3).await?;
    second.remove();
    scene.deposit().await?;
    scene.at_head(&mut daemon).await?;
    Ok((scene, daemon))
}

#[tokio::test]
async fn f14_the_chain_changes_between_the_header_and_the_logs_and_back() -> Result<()> {
    let (scene, daemon) = between_two_nodes(114).await?;
    scene.ends_right(daemon).await
}

/// A balancer hands the calls of one batch to two nodes: the headers of the range's ends are right,
/// what lies between is the other fork's.
#[tokio::test]
async fn f14_the_logs_of_a_range_come_from_a_node_on_another_fork() -> Result<()> {
    let scene = Scene::soon_final().await?;
    History::seeded(14).play(&scene.world, 10).await?;
    let fork = scene.world.fork().await?;
    for (world, seed) in [(&*scene.world, 15), (&fork, 16)] {
        History::seeded(seed).play(world, 10).await?;
        world.mine(10).await?;
    }
    let scene = scene.with_second_node(&fork).await?;
    let second = Rule::new(Calls::RangeLogs, AnswerFault::SecondNode).times(2);
    let second = scene.proxy.inject(second);
    let daemon = scene.follow().await?;
    second.until_fired(2).await?;
    scene.ends_right_or_stops(daemon).await
}

#[tokio::test]
async fn f15_a_second_reorg_comes_while_the_first_is_handled() -> Result<()> {
    let (scene, mut history, daemon) = at_the_head(115).await?;
    let hold = Rule::new(Calls::HeaderByHeight, ExchangeFault::Hold).times(1);
    let hold = scene.proxy.inject(hold);
    scene.world.reorg(3).await?;
    history.play(&scene.world, 2).await?;
    hold.until_fired(1).await?;
    scene.world.reorg(7).await?;
    history.play(&scene.world, 2).await?;
    hold.remove();
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f16_a_reorg_happens_while_the_indexer_is_down() -> Result<()> {
    let (scene, mut history, daemon) = at_the_head(116).await?;
    daemon.stop().await?.says(0, &[])?;
    scene.world.reorg(5).await?;
    history.play(&scene.world, 8).await?;
    let daemon = scene.follow().await?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f17_a_node_that_is_syncing_again_takes_nothing_away() -> Result<()> {
    let scene = Scene::soon_final().await?;
    let mut history = History::seeded(117);
    history.play(&scene.world, 20).await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    let head = scene.world.head().await?;
    // Far below what is final, just below it, and above it.
    for height in [0, head - 6, head - 2] {
        let before = scene.rows().await?;
        let syncing = Rule::new(Calls::All, AnswerFault::SyncingAt(height)).for_the_whole_request();
        let syncing = scene.proxy.inject(syncing);
        syncing.until_fired(4).await?;
        assert_eq!(scene.rows().await?, before, "at {height}");
        syncing.remove();
    }
    history.play(&scene.world, 5).await?;
    scene.ends_right(daemon).await
}

#[tokio::test]
async fn f17_a_node_that_syncs_another_chain_stops_the_daemon_and_takes_nothing_away() -> Result<()>
{
    let scene = Scene::soon_final().await?;
    History::seeded(118).play(&scene.world, 20).await?;
    let mut daemon = scene.follow().await?;
    scene.at_head(&mut daemon).await?;
    let before = scene.rows().await?;
    // Deeper than what is final.
    scene.world.rpc("anvil_reorg", json!([10, []])).await?;
    scene.world.mine(1).await?;
    let done = daemon.end().await?;
    done.says(1, &["final"])?;
    assert_eq!(scene.rows().await?, before);
    Ok(())
}
