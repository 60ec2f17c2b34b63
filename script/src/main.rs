//! `luxxon`: the operator's command line.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or nothing to do; a devnet: stopped by SIGINT, SIGTERM or SIGHUP
  1  failed, or refused; standard error says why
  2  a flag or a key is missing, malformed or contradicts another";

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
    /// Deploy the contract, or find that it is deployed. Prints what it will do and what it costs, and
    /// asks before it sends. May be run again at any time: what is done is not done twice
    #[cfg(feature = "deploy")]
    #[command(after_help = EXIT_CODES)]
    Deploy(luxxon_script::deploy::DeployArgs),
    /// Run the whole system on a local chain, with traffic, until stopped
    #[cfg(feature = "devnet")]
    Devnet(luxxon_script::devnet::DevnetArgs),
    /// Show who holds what on a deployment, or change it. Simulates first, prints what will change and
    /// what it costs, and asks before it sends
    #[cfg(feature = "deploy")]
    #[command(after_help = EXIT_CODES)]
    Roles(luxxon_script::roles::RolesArgs),
    /// Compare a deployed contract with the sources, byte for byte, and write what explorers take.
    /// Needs no explorer, only a node
    #[cfg(feature = "deploy")]
    #[command(after_help = EXIT_CODES)]
    Verify(luxxon_script::verify::VerifyArgs),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        #[cfg(feature = "compile")]
        Command::Compile(args) => luxxon_script::compile::run(&args),
        #[cfg(feature = "deploy")]
        Command::Deploy(args) => luxxon_script::deploy::run(&args),
        #[cfg(feature = "devnet")]
        Command::Devnet(args) => luxxon_script::devnet::run(&args),
        #[cfg(feature = "deploy")]
        Command::Roles(args) => luxxon_script::roles::run(&args),
        #[cfg(feature = "deploy")]
        Command::Verify(args) => luxxon_script::verify::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("luxxon: {error:#}");
            ExitCode::from(if is_usage(&error) { 2 } else { 1 })
        }
    }
}

#[cfg(feature = "deploy")]
fn is_usage(error: &eyre::Report) -> bool {
    error.is::<luxxon_script::chain::Usage>()
}

#[cfg(not(feature = "deploy"))]
fn is_usage(_error: &eyre::Report) -> bool {
    false
}
