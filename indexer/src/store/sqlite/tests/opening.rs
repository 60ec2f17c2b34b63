use super::dump;
use crate::{
    ledger::Deployment,
    store::{NewWorkspace, Pins, SqliteStore, Store, StoreError, sqlite::ledger},
    testing::{
        CONSUMER, block, db_path, deposit, first, forked, new_store, one_block, pins, take,
        withdrawal, workspace,
    },
};
use alloy::primitives::{Address, B256};
use sqlx::{ConnectOptions, Connection, sqlite::SqliteConnectOptions};
use std::{
    fs,
    future::{Future, poll_fn},
    path::Path,
    pin::pin,
    task::Poll,
};
use tempfile::TempDir;

/// The files of the directory, with what is in them.
fn contents(directory: &TempDir) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

fn names(directory: &TempDir) -> Vec<String> {
    contents(directory).into_iter().map(|(name, _)| name).collect()
}

/// Every way to open the file says no, for the same reason, and leaves the file as it is.
async fn refused(directory: &TempDir, pins: &Pins, reason: impl Fn(&StoreError) -> bool) {
    let path = db_path(directory);
    let before = fs::read(&path).unwrap();
    let check = SqliteStore::check(&path, pins).await.unwrap_err();
    let open = SqliteStore::open(&path, pins, first()).await.unwrap_err();
    for error in [check, open] {
        assert!(reason(&error), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert!(!error.is_retryable());
    }
    assert!(fs::read(&path).unwrap() == before, "the file was written to");
}

async fn sql(path: &Path, statement: &'static str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn connections_are_made_when_it_is_opened_and_stay() {
    let (_directory, store) = new_store().await;
    for pool in [&store.writer, &store.pool] {
        let options = pool.options();
        assert_eq!(options.get_min_connections(), options.get_max_connections());
        assert_eq!((options.get_idle_timeout(), options.get_max_lifetime()), (None, None));
    }
}

#[tokio::test]
async fn who_goes_away_while_it_asks_for_a_connection_takes_none_with_it() {
    let (_directory, store) = new_store().await;
    {
        let mut asking = pin!(store.writer.acquire());
        let _ = poll_fn(|context| Poll::Ready(asking.as_mut().poll(context))).await;
    }
    assert_eq!(store.writer.size(), 1);
}

#[tokio::test]
async fn opening_again_keeps_everything() {
    let (directory, store) = new_store().await;
    workspace(&store, "harbour", CONSUMER).await;
    take(&store, block(100), [deposit(CONSUMER, 5)]).await;
    let before = dump(&store).await;
    store.close().await;

    // Where a ledger begins only matters to a new one.
    let store = SqliteStore::open(&db_path(&directory), &pins(), forked(99, 1)).await.unwrap();
    assert_eq!(dump(&store).await, before);
    take(&store, block(101), [deposit(CONSUMER, 5)]).await;
    assert_eq!(store.wallet(CONSUMER).await.unwrap().balance.get(), 10);
}

#[tokio::test]
async fn a_file_of_another_deployment_is_refused_and_the_difference_named() {
    let (directory, store) = new_store().await;
    take(&store, block(100), [deposit(CONSUMER, 5)]).await;
    store.close().await;
    let ours = pins();
    let hash = B256::repeat_byte(1);
    let settlement = Address::repeat_byte(1);
    let usdc = Address::repeat_byte(2);
    let others = [
        (Pins { chain_id: 8453, ..ours }, "chain id", "84532", "8453".to_owned()),
        (Pins { genesis_hash: hash, ..ours }, "the chain with genesis", "0x9e9e", hash.to_string()),
        (
            Pins { deployment: Deployment { settlement, ..ours.deployment }, ..ours },
            "the settlement contract",
            "0xa748C178df47c2DA2227C247293943713eB65a26",
            settlement.to_string(),
        ),
        (
            Pins { deployment: Deployment { usdc, ..ours.deployment }, ..ours },
            "the USDC",
            "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
            usdc.to_string(),
        ),
        (
            Pins { code_hash: hash, ..ours },
            "the contract code with hash",
            "0xc0c0",
            hash.to_string(),
        ),
        (
            Pins { deployment: Deployment { deploy_block: 99, ..ours.deployment }, ..ours },
            "the deployment of block",
            "100",
            "99".to_owned(),
        ),
    ];
    for (pins, what, found, expected) in others {
        refused(&directory, &pins, |error| match error {
            StoreError::OtherDeployment { what: w, found: f, expected: e, .. } => {
                *w == what && f.starts_with(found) && *e == expected
            }
            _ => false,
        })
        .await;
    }
    let store = SqliteStore::open(&db_path(&directory), &ours, first()).await.unwrap();
    assert_eq!(store.wallet(CONSUMER).await.unwrap().balance.get(), 5);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_left_as_it_is() {
    let (directory, store) = new_store().await;
    store.close().await;
    let path = db_path(&directory);
    sql(
        &path,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', TRUE, x'00', 0)",
    )
    .await;
    let newer =
        |error: &StoreError| matches!(error, StoreError::NewerSchema { found: 9999, known: 2, .. });
    refused(&directory, &pins(), newer).await;
    let before = fs::read(&path).unwrap();
    let error = SqliteStore::open_existing(&path).await.unwrap_err();
    assert!(newer(&error), "{error}");
    assert!(fs::read(&path).unwrap() == before);
}

#[tokio::test]
async fn a_file_that_is_something_else_is_refused_and_left_as_it_is() {
    let foreign = |error: &StoreError| matches!(error, StoreError::ForeignFile { .. });
    let other_program = TempDir::new().unwrap();
    sql(&db_path(&other_program), "CREATE TABLE bookmarks (url TEXT)").await;
    // Programs that keep their migrations where ours are kept: one with some, one with none yet.
    let (like_ours, not_yet) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for directory in [&like_ours, &not_yet] {
        sql(&db_path(directory), "CREATE TABLE bookmarks (url TEXT)").await;
        sql(&db_path(directory), "CREATE TABLE _sqlx_migrations (version INTEGER)").await;
    }
    sql(&db_path(&like_ours), "INSERT INTO _sqlx_migrations VALUES (20990101000000)").await;
    let text = TempDir::new().unwrap();
    fs::write(db_path(&text), "Dear diary,\n".repeat(100)).unwrap();
    let short = TempDir::new().unwrap();
    fs::write(db_path(&short), "hi").unwrap();
    for directory in [other_program, like_ours, not_yet, text, short] {
        let before = contents(&directory);
        refused(&directory, &pins(), foreign).await;
        let error = SqliteStore::open_existing(&db_path(&directory)).await.unwrap_err();
        assert!(foreign(&error), "{error}");
        assert!(contents(&directory) == before, "files were written or made");
    }
}

#[tokio::test]
async fn a_directory_is_no_database() {
    let directory = TempDir::new().unwrap();
    let error = SqliteStore::open(directory.path(), &pins(), first()).await.unwrap_err();
    assert!(matches!(error, StoreError::ForeignFile { .. }), "{error}");
}

#[tokio::test]
async fn looking_at_a_path_creates_nothing() {
    let directory = TempDir::new().unwrap();
    SqliteStore::check(&db_path(&directory), &pins()).await.unwrap();
    assert_eq!(names(&directory), Vec::<String>::new());

    fs::write(db_path(&directory), "").unwrap();
    SqliteStore::check(&db_path(&directory), &pins()).await.unwrap();
    assert!(contents(&directory) == [("ledger.db".to_owned(), Vec::new())]);
}

#[tokio::test]
async fn looking_at_a_database_of_ours_leaves_no_files_beside_it() {
    let (directory, store) = new_store().await;
    store.close().await;
    let before = contents(&directory);
    SqliteStore::check(&db_path(&directory), &pins()).await.unwrap();
    assert_eq!(names(&directory), ["ledger.db", "ledger.db.lock"]);
    assert!(contents(&directory) == before);
}

#[tokio::test]
async fn one_process_moves_a_ledger_until_it_closes_it_and_shells_may_enter_keys_meanwhile() {
    let (directory, store) = new_store().await;
    let path = db_path(&directory);
    let open = async || SqliteStore::open(&path, &pins(), first()).await;
    let error = open().await.unwrap_err();
    let holder = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&holder), "{error}");
    assert!(matches!(error, StoreError::InUse { .. }) && !error.is_retryable());
    let shell = SqliteStore::open_existing(&path).await.unwrap();
    workspace(&shell, "harbour", CONSUMER).await;
    store.close().await;
    open().await.unwrap();
}

#[tokio::test]
async fn an_empty_file_becomes_a_database() {
    let directory = TempDir::new().unwrap();
    fs::write(db_path(&directory), "").unwrap();
    let store = SqliteStore::open(&db_path(&directory), &pins(), first()).await.unwrap();
    assert_eq!(store.cursor().await.unwrap().block, first());
}

#[tokio::test]
async fn entering_data_without_a_database_fails_and_creates_none() {
    let directory = TempDir::new().unwrap();
    let path = db_path(&directory);
    let error = SqliteStore::open_existing(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::ForeignFile { .. }), "{error}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert_eq!(names(&directory), Vec::<String>::new());

    fs::write(&path, "").unwrap();
    let error = SqliteStore::open_existing(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::ForeignFile { .. }), "{error}");
    assert!(contents(&directory) == [("ledger.db".to_owned(), Vec::new())]);
}

#[tokio::test]
async fn data_is_entered_beside_a_running_daemon() {
    let (directory, daemon) = new_store().await;
    let shell = SqliteStore::open_existing(&db_path(&directory)).await.unwrap();
    workspace(&shell, "harbour", CONSUMER).await;
    shell.close().await;
    let error = daemon
        .add_workspace(NewWorkspace {
            slug: "harbour".to_owned(),
            name: "Other".to_owned(),
            wallet: CONSUMER,
        })
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    take(&daemon, block(100), []).await;
}

#[tokio::test]
async fn a_closed_store_is_one_file() {
    let (directory, store) = new_store().await;
    take(&store, block(100), [deposit(CONSUMER, 5)]).await;
    assert_eq!(
        names(&directory),
        ["ledger.db", "ledger.db-shm", "ledger.db-wal", "ledger.db.lock"]
    );
    store.close().await;
    // But for the lock, which is only a place for the system's: it is empty of data.
    assert_eq!(names(&directory), ["ledger.db", "ledger.db.lock"]);
}

/// What a kill leaves is the files as they are, with no one to close them.
#[tokio::test]
async fn a_killed_store_has_what_it_committed_and_nothing_else() {
    let (directory, store) = new_store().await;
    let names = ["ledger.db", "ledger.db-wal"];
    take(&store, block(100), [deposit(CONSUMER, 5)]).await;
    let before = dump(&store).await;
    let mut writing = store.write().await.unwrap();
    let batch = one_block(block(101), [withdrawal(CONSUMER, 5)]);
    ledger::commit(&mut writing, block(100), &batch).await.unwrap();
    let killed = TempDir::new().unwrap();
    for name in names {
        fs::copy(directory.path().join(name), killed.path().join(name)).unwrap();
    }

    let path = db_path(&killed);
    let other = Pins { chain_id: 1, ..pins() };
    let error = SqliteStore::check(&path, &other).await.unwrap_err();
    assert!(matches!(error, StoreError::OtherDeployment { .. }), "{error}");
    let store = SqliteStore::open(&path, &pins(), first()).await.unwrap();
    assert_eq!(dump(&store).await, before);
    store.commit(block(100), batch).await.unwrap();
    assert_eq!(store.wallet(CONSUMER).await.unwrap().balance.get(), 0);
}
