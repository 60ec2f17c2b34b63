//! What the program does: wires node, sync, store and API together, and takes them down again.

mod audit;
mod catching_up;
mod check;
mod database;
mod export;
mod log;
mod openapi;
mod progress;
mod registry;
mod repair;
mod run;
mod signals;
mod sync;

use crate::config::{Cli, Command, Config, ConfigError, Flags};
use catching_up::Screen;
use eyre::Result;
use std::process::ExitCode;

/// A flag, a variable or the file is wrong. What clap itself refuses ends with the same code.
const MISCONFIGURED: u8 = 2;

/// Does what the command line says, and says on standard error in one line what went wrong.
#[must_use]
pub fn execute(cli: Cli) -> ExitCode {
    match start(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("luxxon-indexer: {error:#}");
            let misconfigured = error.is::<ConfigError>();
            if misconfigured { ExitCode::from(MISCONFIGURED) } else { ExitCode::FAILURE }
        }
    }
}

fn start(cli: Cli) -> Result<()> {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let screen = Screen::new();
    let config = |flags: Flags| -> Result<Config> {
        let config = Config::load(flags)?;
        log::start(config.log_format, &screen)?;
        Ok(config)
    };
    match cli.command {
        Command::Run(flags) => runtime()?.block_on(run::run(config(flags)?, screen.clone())),
        Command::Sync { until, flags } => {
            runtime()?.block_on(sync::sync(config(flags)?, screen, until))
        }
        Command::Audit { json, flags } => runtime()?.block_on(audit::audit(config(flags)?, json)),
        Command::Repair { from, flags } => {
            runtime()?.block_on(repair::repair(config(flags)?, screen, from))
        }
        Command::Check(flags) => runtime()?.block_on(check::check(config(flags)?)),
        Command::Rebuild(db) => runtime()?.block_on(database::rebuild(db.path()?)),
        Command::Backup { to, database: db } => {
            runtime()?.block_on(database::backup(db.path()?, to))
        }
        Command::Workspace(command) => runtime()?.block_on(registry::workspace(command)),
        Command::Key(command) => runtime()?.block_on(registry::key(command)),
        Command::Openapi { internal } => openapi::print(internal),
        Command::Export { format, out, database: db } => {
            runtime()?.block_on(export::export(db.path()?, format, out))
        }
    }
}
