//! What the program does: wires node, sync, store and API together, and takes them down again.

mod log;
mod run;
mod signals;
mod sync;

use crate::config::{Cli, Command, Config, ConfigError, Flags};
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
    let config = |flags: Flags| -> Result<Config> {
        let config = Config::load(flags)?;
        log::start(config.log_format)?;
        Ok(config)
    };
    match cli.command {
        Command::Run(flags) => runtime()?.block_on(run::run(config(flags)?)),
        Command::Sync { until, flags } => runtime()?.block_on(sync::sync(config(flags)?, until)),
    }
}
