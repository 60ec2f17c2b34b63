use alloy::sol_types::SolEvent;
use eyre::Result;
use luxxon_bindings::settlement::LuxxonSettlement::{EntrySkipped, LimitsSet};
use luxxon_indexer::store::{SqliteStore, Store};
use luxxon_tests::{ApiClient, History, World, tables};

/// What the daemon serves is what the contract holds, for every wallet, at the block the daemon
/// names; and so are the limits it knows.
#[tokio::test]
async fn served_balances_equal_deposits_after_220_blocks_and_a_reorg_of_depth_5() -> Result<()> {
    let world = World::start().await?;
    let db = world.path("ledger.db");
    let daemon = world.daemon(&db).await?;
    let api = ApiClient::new(daemon.api_url())?;
    let store = SqliteStore::open_existing(&db).await?;
    let mut wallets = Vec::new();
    for &wallet in world.consumers.iter().chain(&world.operators) {
        wallets.push((wallet, world.register(&store, wallet).await?));
    }
    let key = &wallets[0].1;

    let mut history = History::seeded(1);
    history.play(&world, 120).await?;
    api.wallet_at(key, world.head().await?).await?;
    world.reorg(5).await?;
    history.play(&world, 100).await?;
    let head = world.head().await?;
    api.wallet_at(key, head).await?;

    for (wallet, key) in &wallets {
        let answer = api.data("/wallet", key).await?;
        assert_eq!(answer["lastSyncBlock"], head.to_string());
        let pool = world.pool_at(*wallet, head).await?;
        assert_eq!(answer["trackedBalance"], pool.to_string(), "{wallet}");
        assert_eq!(answer["walletAddress"], wallet.to_string());
        let known = store.wallet(*wallet).await?;
        assert_eq!((known.at.number, known.limits), (head, world.limits_at(*wallet, head).await?));
    }
    for (kind, enough) in [(1, 5), (2, 5), (3, 5), (4, 5), (5, 0), (6, 0), (7, 3), (8, 5)] {
        let events = tables::events_of_kind(&db, kind).await?;
        assert!(events > enough, "the history has {events} events of kind {kind}: too few to tell");
    }
    for (event, kind) in [(LimitsSet::SIGNATURE, 7), (EntrySkipped::SIGNATURE, 8)] {
        let (logs, events) =
            (world.logs_of(event).await?, tables::events_of_kind(&db, kind).await?);
        assert_eq!(i64::try_from(logs)?, events, "{event}");
    }
    tables::assert_same(&tables::dump(&db).await?, &world.clean_run().await?);
    store.close().await;
    daemon.stop().await;
    Ok(())
}

/// Paging through the events of a wallet, page by page, finds each once, newest first.
#[tokio::test]
async fn pages_of_events_are_whole_whatever_their_size() -> Result<()> {
    let world = World::start().await?;
    let db = world.path("ledger.db");
    History::seeded(2).play(&world, 40).await?;
    let daemon = world.daemon(&db).await?;
    let api = ApiClient::new(daemon.api_url())?;
    let store = SqliteStore::open_existing(&db).await?;
    let key = world.register(&store, world.consumers[0]).await?;
    api.wallet_at(&key, world.head().await?).await?;

    let all = api.data("/wallet/events?limit=200", &key).await?;
    let all: Vec<&str> =
        all.as_array().into_iter().flatten().filter_map(|event| event["id"].as_str()).collect();
    assert!(all.len() > 10, "{} events", all.len());
    assert!(all.is_sorted_by(|a, b| a > b), "ids fall with age");
    for limit in [1, 2, 3, 7] {
        let mut paged: Vec<String> = Vec::new();
        loop {
            let cursor = paged.last().map(|id| format!("&cursor={id}")).unwrap_or_default();
            let page = api.data(&format!("/wallet/events?limit={limit}{cursor}"), &key).await?;
            let page = page.as_array().cloned().unwrap_or_default();
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= limit);
            paged.extend(page.iter().filter_map(|event| event["id"].as_str().map(str::to_owned)));
        }
        assert_eq!(paged, all, "limit {limit}");
    }
    store.close().await;
    daemon.stop().await;
    Ok(())
}
