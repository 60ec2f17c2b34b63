//! The commands of `luxxon-indexer` beside `run`, as whoever types them sees them: exit codes, words,
//! and what the database holds afterwards.

mod audit;
mod backup;
mod check;
mod export;
mod rebuild;
mod registry;
mod repair;
mod sync;

use alloy::primitives::Address;
use eyre::{Result, ensure, eyre};
use luxxon_script::devnet::IndexerOptions;
use luxxon_tests::{Done, FaultProxy, History, World, command, finish, tables};
use std::{fs, path::PathBuf};
use tokio::process::Command;

/// A history at whose end payouts are held, after others were held and claimed.
const SEED: u64 = 1;

/// A chain with traffic on it, and a database that follows it.
#[derive(Debug)]
struct Ledger {
    world: World,
    history: History,
    options: IndexerOptions,
}

impl Ledger {
    /// 60 blocks of traffic, final four blocks later. There is no database yet.
    async fn start() -> Result<Self> {
        let world = World::with_finality(2).await?;
        let mut history = History::seeded(SEED);
        history.play(&world, 60).await?;
        let options = world.daemon_options(&world.path("ledger.db")).await?;
        Ok(Self { world, history, options })
    }

    /// The same, all of it in the database.
    async fn synced() -> Result<Self> {
        let ledger = Self::start().await?;
        ledger.sync_to_head().await?;
        Ok(ledger)
    }

    /// A command over the database.
    fn over_database(&self, args: &[&str]) -> Command {
        command::on_database(&self.options, args)
    }

    /// A command over the chain and the database.
    fn over_chain(&self, args: &[&str]) -> Command {
        command::on_chain(&self.options, args)
    }

    /// The same, but what it knows of the chain is what `proxy` tells it.
    fn through(&self, proxy: &FaultProxy, args: &[&str]) -> Command {
        let mut command = self.over_chain(args);
        command.env("LUXXON_RPC_URL", proxy.url().as_str());
        command
    }

    /// `sync` to the chain's head.
    async fn sync_to_head(&self) -> Result<()> {
        let head = self.world.head().await?.to_string();
        ends(self.over_chain(&["sync", "--until", &head])).await?.says(0, &[])
    }

    async fn rows(&self) -> Result<String> {
        tables::dump(&self.options.db).await
    }

    /// Panics unless the rows are those of a clean run.
    async fn assert_clean(&self) -> Result<()> {
        tables::assert_same(&self.rows().await?, &self.world.clean_run().await?);
        Ok(())
    }

    async fn tamper(&self, statements: &[&str]) -> Result<()> {
        tables::tamper(&self.options.db, statements).await
    }

    /// The only value that `query` finds, as text.
    async fn value(&self, query: &str) -> Result<String> {
        let found = tables::read(&self.options.db, query).await?;
        ensure!(found.len() == 1, "{} rows, not one: {query}", found.len());
        found.into_iter().next().ok_or_else(|| eyre!("nothing: {query}"))
    }

    async fn number(&self, query: &str) -> Result<u64> {
        Ok(self.value(&format!("SELECT CAST(({query}) AS TEXT)")).await?.parse()?)
    }

    /// The account that `query` finds.
    async fn account(&self, query: &str) -> Result<Address> {
        Ok(self.value(&format!("SELECT hex(({query}))")).await?.parse()?)
    }

    /// The names of the files beside the database, and its own.
    fn files(&self) -> Result<Vec<String>> {
        let folder = self.options.db.parent().ok_or_else(|| eyre!("no folder"))?;
        let mut names = Vec::new();
        for file in fs::read_dir(folder)? {
            names.push(file?.file_name().to_string_lossy().into_owned());
        }
        names.retain(|name| !name.starts_with("clean-"));
        names.sort();
        Ok(names)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.world.path(name)
    }
}

async fn ends(command: Command) -> Result<Done> {
    finish(command, None).await
}

/// As [`Done::says`], and in one line on standard error but for the log: a refusal before anything
/// is done.
fn refuses(done: &Done, code: i32, words: &[&str]) -> Result<()> {
    done.says(code, words)?;
    let lines = done.stderr.lines().filter(|line| line.starts_with("luxxon-indexer: ")).count();
    ensure!(lines == 1, "{lines} lines say why: {}", done.stderr);
    ensure!(done.stdout.is_empty(), "it prints {}", done.stdout);
    Ok(())
}
