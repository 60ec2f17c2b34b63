//! The indexer's program.

use clap::Parser;
use luxxon_indexer::{app, config::Cli};
use mimalloc::MiMalloc;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    app::execute(Cli::parse())
}
