//! Requests that no good client makes, each on a connection of its own to a real daemon: whatever is
//! wrong with one, it is said in the published envelope, and no secret of it is in the log.

mod bytes;
mod case;
mod entries;
mod questions;

use bytes::{bodies, heads};
use case::{Expected, id};
use entries::entries;
use eyre::{Result, eyre};
use futures_util::future::join_all;
use luxxon_bindings::MicroUsdc;
use luxxon_indexer::{
    key::{Environment, PlainKey},
    store::{NewApiKey, NewSession, NewWorkspace, Scope, SqliteStore, Store, Workspace},
};
use luxxon_tests::{ApiClient, Daemon, World, command};
use questions::{questions, strangers};
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

const ADMIN_TOKEN: &str = "an-admin-token-of-the-tests-0123456789";
/// A session of another workspace, which goes on.
const SESSION: Uuid = Uuid::from_u128(7);
/// Neither a session, nor a workspace, nor a key.
const NOBODY: Uuid = Uuid::from_u128(9);

/// The keys that are asked with.
#[derive(Debug)]
struct Keys {
    good: String,
    scopeless: String,
    revoked: String,
    live: String,
    unknown: String,
}

impl Keys {
    /// Enters those that are known, and a session of another workspace. Returns that too.
    async fn enter(world: &World, store: &SqliteStore) -> Result<(Self, Workspace)> {
        let good = world.register(store, world.cast.consumer).await?.reveal().to_owned();
        let workspaces = store.workspaces().await?;
        let own = workspaces.first().ok_or_else(|| eyre!("no workspace"))?.id;
        let (slug, wallet) = ("harbour".to_owned(), world.cast.operator);
        let other = NewWorkspace { slug, name: "The harbour".to_owned(), wallet };
        let other = store.add_workspace(other).await?;
        let session = NewSession {
            id: SESSION,
            consumer_workspace: other.id,
            operator_workspace: other.id,
            rate_per_second: MicroUsdc::new(1_000),
            platform_fee_bps: 1_500,
            max_duration_seconds: 60,
            reading: None,
        };
        store.register_session(session).await?;
        let key = |environment| {
            let key = PlainKey::generate(environment, own);
            key.map_err(|error| eyre!("no randomness: {error}"))
        };
        let [scopeless, revoked, unknown] =
            [key(Environment::Test)?, key(Environment::Test)?, key(Environment::Test)?];
        let live = key(Environment::Live)?;
        for (key, scopes) in [(&scopeless, vec![]), (&revoked, vec![Scope::WalletRead])] {
            let (workspace, label) = (own, "tests".to_owned());
            let (key_hash, prefix) = (key.hash(), key.prefix());
            let new = NewApiKey { workspace, key_hash, prefix, label, scopes };
            let entered = store.add_api_key(new).await?;
            if key == &revoked {
                let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
                store.revoke_api_key(entered.id, now - 61).await?;
            }
        }
        let [scopeless, revoked, live, unknown] =
            [scopeless, revoked, live, unknown].map(|key| key.reveal().to_owned());
        Ok((Self { good, scopeless, revoked, live, unknown }, other))
    }

    /// What may be in no line of a log.
    fn secrets(&self) -> Vec<String> {
        let Self { good, scopeless, revoked, live, unknown } = self;
        let keys = [good, scopeless, revoked, live, unknown].into_iter();
        let secret = |key: &String| key.rsplit('_').next().unwrap_or_default().to_owned();
        let mut secrets: Vec<String> = keys.map(secret).collect();
        secrets.extend([
            ADMIN_TOKEN[1..].to_owned(),
            "bearer".to_owned(),
            "authorization".to_owned(),
        ]);
        secrets
    }
}

#[tokio::test]
async fn whatever_is_wrong_with_a_request_is_said_in_the_envelope_and_no_secret_in_the_log()
-> Result<()> {
    let world = World::start().await?;
    let options = world.daemon_options(&world.path("ledger.db")).await?;
    let mut run = command::on_chain(&options, &["run", "--audit-seconds", "0"]);
    run.args(["--key-requests-per-second", "0"]);
    run.env("LUXXON_ADMIN_TOKEN", ADMIN_TOKEN).env("LUXXON_LOG", "debug");
    let daemon = Daemon::serving(run).await?;
    let store = SqliteStore::open_existing(&options.db).await?;
    let (keys, other) = Keys::enter(&world, &store).await?;
    store.close().await;
    let (api, key) = (ApiClient::new(daemon.api_url())?, PlainKey::presented(&keys.good));
    let head = world.head().await?;
    api.wallet_at(&key, head).await?;

    let mut cases = [questions(&keys.good, head), strangers(&keys), entries(&other)].concat();
    cases.extend([bodies(), heads(&keys.good)].concat());
    assert!(cases.len() > 100, "{}", cases.len());
    let url = daemon.api_url().trim_start_matches("http://");
    let server = url.trim_end_matches("/api/v1");
    let answers = cases.iter().enumerate().map(|(number, case)| case.answered(server, number));
    let mut wrong = Vec::new();
    for (number, (case, answer)) in cases.iter().zip(join_all(answers).await).enumerate() {
        let checked = match &answer {
            Ok(answer) => case.check(number, answer),
            Err(error) => Err(eyre!("{error:#}")),
        };
        if let Err(error) = checked {
            let line = case.head.lines().next().unwrap_or_default();
            let line: String = line.chars().take(100).collect();
            let answer = answer.unwrap_or_default();
            wrong.push(format!("{line} {:?}: {error}: {answer}", case.expected));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // It goes on, and what was refused changed nothing.
    api.data("/wallet", &key).await?;
    let done = daemon.stop().await?;
    done.says(0, &[])?;
    let said = format!("{}{}", done.stdout, done.stderr);
    for (number, case) in cases.iter().enumerate() {
        let reached = matches!(case.expected, Expected::Error(..));
        assert_eq!(said.contains(&id(number)), reached, "{case:?}: {said}");
    }
    let said = said.to_lowercase();
    for secret in keys.secrets() {
        let line = said.lines().find(|line| line.contains(&secret.to_lowercase()));
        assert_eq!(line, None, "{secret} is in the log");
    }
    Ok(())
}
