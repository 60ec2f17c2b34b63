//! `luxxon deploy`: the contract on a chain, at the address that follows from its arguments, once.

mod chain_checks;
mod config;
mod origin;
mod pending;
mod policy;
mod record;
mod report;
mod run;
mod step;

pub use config::Config;
pub use origin::{Origin, find};
pub use pending::{Pending, PendingFile};
pub use policy::{Findings, judge};
pub use record::{CompilerRecord, Record};
pub use report::{Outcome, Report};
pub use step::{Earlier, Found, Step, next};

use crate::{
    chain::{Consent, KeyArgs, NetworkArgs, Node, Waiting, block_on, known, print, say},
    contract::{Deployment, is_delegation},
};
use clap::Args;
use eyre::{Result, WrapErr, bail};
use run::Run;
use std::path::{Path, PathBuf};

/// What to deploy, where, and who pays.
#[derive(Clone, Debug, Args)]
pub struct DeployArgs {
    /// The chain.
    #[command(flatten)]
    pub network: NetworkArgs,

    /// What to deploy; by default `<network>.toml` beside the records
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The sender's key.
    #[command(flatten)]
    pub key: KeyArgs,

    /// How long to wait.
    #[command(flatten)]
    pub waiting: Waiting,

    /// Send without asking
    #[arg(long)]
    pub yes: bool,

    /// Print the result as one line of JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Deploys, or finds that there is nothing to do.
pub fn run(args: &DeployArgs) -> Result<()> {
    let report = block_on(deploy(args))?;
    if args.json { print(serde_json::to_string(&report)?) } else { print(report) }
}

async fn deploy(args: &DeployArgs) -> Result<Report> {
    let deployments = args.network.folder()?;
    let (url, expected) = args.network.target()?;
    let node = Node::connect(url, expected).await?;
    let path = config_path(args, &deployments, node.chain_id());
    let config = Config::read(&path)?;
    let constructor_args =
        config.args(node.chain_id()).wrap_err_with(|| format!("the config {}", path.display()))?;

    let owner_code = node.code(constructor_args.owner, None).await?;
    let owner_has_code = !owner_code.is_empty() && !is_delegation(&owner_code);
    let findings = judge(node.chain_id(), &constructor_args, owner_has_code);
    for warning in &findings.warnings {
        say(format!("warning: {warning}"));
    }
    if !findings.refusals.is_empty() {
        bail!("the config {} is refused: {}", path.display(), findings.refusals.join("; "));
    }
    let (usdc, platform_wallet) = (constructor_args.usdc, constructor_args.platform_wallet);
    chain_checks::usdc(&node, usdc, platform_wallet).await?;
    chain_checks::factory(&node).await?;

    let deployment = Deployment::new(constructor_args);
    let pending = PendingFile::of(&deployments, node.chain_id(), &deployment);
    let run = Run {
        node: &node,
        key: &args.key,
        waiting: args.waiting,
        consent: Consent::of(args.yes),
        deployments: &deployments,
        deployment: &deployment,
        pending: &pending,
    };
    run.to_its_end(findings.warnings).await
}

/// The config that is meant where none is named: that of the chain.
fn config_path(args: &DeployArgs, deployments: &Path, chain_id: u64) -> PathBuf {
    if let Some(path) = &args.config {
        return path.clone();
    }
    let name = known(chain_id).map_or_else(|| chain_id.to_string(), |known| known.name.to_owned());
    deployments.join(format!("{name}.toml"))
}
