use super::{audit, catching_up::Screen, signals::StopSignals};
use crate::{
    api::{self, About, LastUses, Options},
    audit::Auditor,
    chain::{Identity, identify},
    config::Config,
    health::Health,
    metrics::Metrics,
    store::{SqliteStore, keep_resident},
    sync::{SyncError, Syncer},
};
use eyre::{Report, Result, WrapErr, eyre};
use std::{convert::Infallible, env, io::Write, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// Runs until a signal, or until the ledger cannot go on.
pub(super) async fn run(config: Config, screen: Screen) -> Result<()> {
    let mut stop = StopSignals::listen()?;
    let mut daemon = tokio::select! {
        started = Daemon::start(config, screen) => started?,
        () = stop.received() => return Ok(()),
    };
    let outcome = tokio::select! {
        failure = daemon.failure() => Err(failure),
        () = stop.received() => Ok(()),
    };
    tracing::info!("stopping");
    daemon.stop().await;
    outcome
}

/// The parts that run side by side.
struct Daemon {
    store: SqliteStore,
    sync: JoinHandle<Result<Infallible, SyncError>>,
    audit: JoinHandle<Infallible>,
    screen: JoinHandle<Infallible>,
    server: JoinHandle<std::io::Result<()>>,
    noting: JoinHandle<Infallible>,
    uses: Arc<LastUses>,
    /// Dropped to let the server finish.
    serving: watch::Sender<()>,
}

impl Daemon {
    /// Everything that can be wrong with the configuration is found before the database is touched.
    async fn start(config: Config, screen: Screen) -> Result<Self> {
        let (metrics, health): (Arc<Metrics>, Arc<Health>) = Default::default();
        let providers = config.providers(&metrics)?;
        let Identity { pins, first } =
            identify(&providers, config.chain_id, config.settlement, config.deploy_block).await?;
        let public = config.public_config(pins.deployment.usdc)?;
        SqliteStore::check(&config.db, &pins).await?;
        let listener = TcpListener::bind(config.listen)
            .await
            .wrap_err_with(|| format!("cannot serve on {} (--listen)", config.listen))?;
        let store = SqliteStore::open(&config.db, &pins, first).await?;
        if let Some(most) = config.resident {
            keep_resident(&config.db, most)
                .wrap_err("cannot start the thread that keeps the database in memory")?;
        }

        let (settlement, db, nodes) = (config.settlement, config.db.display(), providers.names());
        tracing::info!(chain = config.chain_id, %settlement, %db, nodes, "following");
        let build_sha = env::var("GIT_SHA").unwrap_or_else(|_| "dev".to_owned());
        let (serving, stopped) = watch::channel(());
        let (admin, uses) = (config.admin_token.clone(), Arc::<LastUses>::default());
        let about = About {
            health: Arc::clone(&health),
            metrics: Arc::clone(&metrics),
            config: public.clone(),
            build_sha: build_sha.clone(),
            audits: config.audit_every.is_some(),
        };
        let options = Options {
            config: public,
            build_sha,
            admin,
            uses: Arc::clone(&uses),
            requests_per_second: config.key_requests_per_second,
            cors_origins: config.cors_origins.clone(),
            stop: Some(stopped.clone()),
        };
        let router = api::router(store.clone(), options).merge(api::operations(
            store.clone(),
            about,
            Some(stopped.clone()),
        ));
        writeln!(std::io::stdout(), "http://{}/api/v1", listener.local_addr()?)?;
        let auditor = Auditor::new(providers.clone(), store.clone(), pins.deployment);
        let syncer = Syncer::new(providers, store.clone(), pins.deployment)
            .with_widest_range(config.max_block_range)
            .watched_by(Arc::clone(&metrics), Arc::clone(&health));
        Ok(Self {
            sync: tokio::spawn(syncer.follow(config.poll)),
            screen: tokio::spawn(screen.follow(Arc::clone(&metrics))),
            audit: tokio::spawn(audit::go_on(auditor, config.audit_every, metrics, health)),
            server: tokio::spawn(api::serve(listener, router, config.awake_from, stopped)),
            noting: tokio::spawn(note_uses(Arc::clone(&uses), store.clone())),
            uses,
            store,
            serving,
        })
    }

    /// Resolves when a part has ended, which none does by itself while all is well.
    async fn failure(&mut self) -> Report {
        tokio::select! {
            end = &mut self.sync => match end {
                Ok(Ok(never)) => match never {},
                Ok(Err(error)) => Report::from(error).wrap_err("the ledger cannot go on"),
                Err(panic) => Report::from(panic).wrap_err("the sync task died"),
            },
            end = &mut self.audit => match end {
                Ok(never) => match never {},
                Err(panic) => Report::from(panic).wrap_err("the audit task died"),
            },
            end = &mut self.noting => match end {
                Ok(never) => match never {},
                Err(panic) => Report::from(panic).wrap_err("the task that notes uses of keys died"),
            },
            end = &mut self.server => match end {
                Ok(Ok(())) => eyre!("the API stopped serving"),
                Ok(Err(error)) => Report::from(error).wrap_err("the API stopped serving"),
                Err(panic) => Report::from(panic).wrap_err("the API task died"),
            },
        }
    }

    /// Requests that are being answered may finish, but not for ever: a client that keeps its
    /// connection open must not keep the daemon.
    async fn stop(self) {
        const LONGEST_DRAIN: Duration = Duration::from_secs(5);
        let Self { store, sync, audit, screen, mut server, noting, uses, serving } = self;
        sync.abort();
        audit.abort();
        screen.abort();
        noting.abort();
        drop(serving);
        if !server.is_finished() && tokio::time::timeout(LONGEST_DRAIN, &mut server).await.is_err()
        {
            server.abort();
        }
        if let Err(error) = uses.write_down(&store).await {
            tracing::warn!(%error, "when keys were last used could not be written down");
        }
        store.close().await;
    }
}

/// Writes down now and then when keys were last used.
async fn note_uses(uses: Arc<LastUses>, store: SqliteStore) -> Infallible {
    const EVERY: Duration = Duration::from_secs(10);
    loop {
        tokio::time::sleep(EVERY).await;
        if let Err(error) = uses.write_down(&store).await {
            tracing::warn!(%error, "when keys were last used could not be written down");
        }
    }
}
