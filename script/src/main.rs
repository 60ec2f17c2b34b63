//! `luxxon`: the operator's command line.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or stopped by SIGINT, SIGTERM or SIGHUP
  1  failed; standard error says why
  2  a flag is missing or malformed";

/// Operates Luxxon Settlement.
#[derive(Debug, Parser)]
#[command(name = "luxxon", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compile the contracts and write the ABI and bytecode that the bindings are built from
    #[cfg(feature = "compile")]
    Compile(luxxon_script::compile::CompileArgs),
    /// Run the whole system on a local chain, with traffic, until stopped
    #[cfg(feature = "devnet")]
    Devnet(luxxon_script::devnet::DevnetArgs),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        #[cfg(feature = "compile")]
        Command::Compile(args) => luxxon_script::compile::run(&args),
        #[cfg(feature = "devnet")]
        Command::Devnet(args) => luxxon_script::devnet::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("luxxon: {error:#}");
            ExitCode::FAILURE
        }
    }
}
