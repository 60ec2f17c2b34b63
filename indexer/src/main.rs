//! The indexer's program.

use clap::Parser;
use luxxon_indexer::{app, config::Cli};
use mimalloc::MiMalloc;
use std::process::ExitCode;

/// An answer is put together from some hundred short pieces on one thread, and is gone on the same
/// thread a moment later. glibc gives room back to the system and asks for it again meanwhile: with it,
/// a page of events takes a third longer, by `make bench-api`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    app::execute(Cli::parse())
}
