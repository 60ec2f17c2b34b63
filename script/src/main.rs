//! `luxxon`: the operator's command line.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or nothing to do; a devnet: stopped by SIGINT, SIGTERM or SIGHUP
  1  failed, or refused; standard error says why
  2  a flag or a key is missing, malformed or contradicts another
  3  `audit` alone: an invariant does not hold";

/// Operates Luxxon Settlement.
#[derive(Debug, Parser)]
#[command(name = "luxxon", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[cfg(feature = "audit")]
const AUDIT_EXIT_CODES: &str = "\
Exit codes:
  0  clean: no violation, in the logs and in the state after the last block
  1  failed: not everything could be read; standard error says why
  2  a flag is missing, malformed or contradicts another
  3  a violation: standard output has the first, with its transaction";

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the invariants of a live deployment: every log from the first block to a final one, then
    /// the contract's state. Needs only a node; prints a report, or the first violation
    #[cfg(feature = "audit")]
    #[command(after_help = AUDIT_EXIT_CODES)]
    Audit(luxxon_script::audit::AuditArgs),
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
        #[cfg(feature = "audit")]
        Command::Audit(args) => luxxon_script::audit::run(&args),
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
            ExitCode::from(if is_usage(&error) {
                2
            } else if is_violation(&error) {
                3
            } else {
                1
            })
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

#[cfg(feature = "audit")]
fn is_violation(error: &eyre::Report) -> bool {
    error.is::<luxxon_script::audit::Violated>()
}

#[cfg(not(feature = "audit"))]
fn is_violation(_error: &eyre::Report) -> bool {
    false
}
