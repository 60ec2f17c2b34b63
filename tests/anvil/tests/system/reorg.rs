use alloy::primitives::U256;
use eyre::Result;
use luxxon_indexer::sync::{Progress, SyncError};
use luxxon_tests::{History, World, tables, to_head};

/// Follows, lets `change` replace blocks, follows again: the tables must be those of a clean run.
async fn follows_through<F>(world: &World, change: F) -> Result<()>
where
    F: AsyncFnOnce(&World) -> Result<()>,
{
    let db = world.path("ledger.db");
    let (mut syncer, store) = world.syncer(&db).await?;
    to_head(&mut syncer).await?;
    let before = tables::dump(&db).await?;
    change(world).await?;
    to_head(&mut syncer).await?;
    let after = tables::dump(&db).await?;
    assert_ne!(after, before, "nothing was replaced: the test would show nothing");
    tables::assert_same(&after, &world.clean_run().await?);
    store.close().await;
    Ok(())
}

#[tokio::test]
async fn a_sibling_that_replaces_the_head_at_the_same_height_is_seen() -> Result<()> {
    let world = World::start().await?;
    History::seeded(10).play(&world, 20).await?;
    follows_through(&world, async |world| world.reorg(1).await).await
}

#[tokio::test]
async fn a_reorg_that_drops_transactions_takes_their_events_back() -> Result<()> {
    let world = World::start().await?;
    History::seeded(11).play(&world, 30).await?;
    follows_through(&world, async |world| {
        world.reorg(10).await?;
        world.mine(3).await
    })
    .await
}

#[tokio::test]
async fn a_reorg_seen_only_after_the_chain_grew_past_it_is_followed() -> Result<()> {
    let world = World::start().await?;
    let mut history = History::seeded(12);
    history.play(&world, 30).await?;
    follows_through(&world, async move |world| {
        world.reorg(4).await?;
        history.play(world, 6).await?;
        world.reorg(2).await?;
        history.play(world, 6).await
    })
    .await
}

#[tokio::test]
async fn a_chain_that_became_shorter_and_grew_again_is_followed() -> Result<()> {
    let world = World::start().await?;
    let mut history = History::seeded(13);
    history.play(&world, 30).await?;
    follows_through(&world, async move |world| {
        world.shorten(6).await?;
        history.play(world, 4).await
    })
    .await
}

#[tokio::test]
async fn a_settlement_mined_again_in_another_block_is_one_row() -> Result<()> {
    let world = World::start().await?;
    let settlement = &world.contracts.settlement;
    let (consumer, operator) = (world.cast.consumer, world.cast.operator);
    let deposit = settlement.deposit(U256::from(10_000)).into_transaction_request();
    world.execute(consumer, deposit).await?;
    let settle = settlement
        .settleFromPool(
            alloy::primitives::B256::repeat_byte(7),
            consumer,
            operator,
            U256::from(1_000),
            U256::from(5),
            U256::from(4_250),
            U256::from(750),
        )
        .into_transaction_request();
    world.execute(world.cast.relayer, settle.clone()).await?;
    follows_through(&world, async |world| {
        world.reorg(1).await?;
        world.mine(2).await?;
        world.execute(world.cast.relayer, settle).await?;
        Ok(())
    })
    .await?;
    assert_eq!(tables::events_of_kind(&world.path("ledger.db"), 3).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_reorg_while_the_indexer_is_down_is_found_when_it_is_back() -> Result<()> {
    let world = World::start().await?;
    let mut history = History::seeded(14);
    history.play(&world, 30).await?;
    let db = world.path("ledger.db");
    let (mut syncer, store) = world.syncer(&db).await?;
    to_head(&mut syncer).await?;
    drop(syncer);
    store.close().await;

    world.reorg(7).await?;
    history.play(&world, 5).await?;
    let (mut syncer, store) = world.syncer(&db).await?;
    assert_eq!(syncer.step().await?, Progress::RolledBack);
    to_head(&mut syncer).await?;
    tables::assert_same(&tables::dump(&db).await?, &world.clean_run().await?);
    store.close().await;
    Ok(())
}

#[tokio::test]
async fn a_node_that_fell_behind_is_waited_for() -> Result<()> {
    let world = World::start().await?;
    History::seeded(15).play(&world, 20).await?;
    let db = world.path("ledger.db");
    let (mut syncer, store) = world.syncer(&db).await?;
    to_head(&mut syncer).await?;
    let before = tables::dump(&db).await?;
    world.shorten(5).await?;
    assert_eq!(syncer.step().await?, Progress::NodeBehind);
    tables::assert_same(&tables::dump(&db).await?, &before);
    store.close().await;
    Ok(())
}

#[tokio::test]
async fn another_chain_below_what_was_final_stops_the_ledger_and_changes_nothing() -> Result<()> {
    let world = World::with_finality(1).await?;
    History::seeded(16).play(&world, 30).await?;
    let db = world.path("ledger.db");
    let (mut syncer, store) = world.syncer(&db).await?;
    to_head(&mut syncer).await?;
    let before = tables::dump(&db).await?;
    world.reorg(10).await?;
    let error = to_head(&mut syncer).await.unwrap_err();
    assert!(matches!(error, SyncError::FinalBlockReplaced { .. }), "{error}");
    assert!(!error.is_retryable());
    tables::assert_same(&tables::dump(&db).await?, &before);
    store.close().await;
    Ok(())
}

/// With a short finality the backfill reads most of the chain by range and the rest by block: both
/// ways of reading must leave the same rows.
#[tokio::test]
async fn ranges_and_single_blocks_leave_the_same_rows() -> Result<()> {
    let world = World::with_finality(2).await?;
    let db = world.path("ledger.db");
    let (mut syncer, store) = world.syncer(&db).await?;
    let mut history = History::seeded(17);
    for _ in 0..30 {
        history.play(&world, 2).await?;
        to_head(&mut syncer).await?;
    }
    tables::assert_same(&tables::dump(&db).await?, &world.clean_run().await?);
    store.close().await;
    Ok(())
}
