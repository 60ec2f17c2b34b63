//! The indexer's program.

use clap::Parser;
use luxxon_indexer::{app, config::Cli};
use std::process::ExitCode;

fn main() -> ExitCode {
    app::execute(Cli::parse())
}
