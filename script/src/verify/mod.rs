//! `luxxon verify`: a deployed contract against the sources.

mod etherscan;
mod http;
mod solc;
mod sources;
mod sourcify;

pub use solc::{Compiled, compile};
pub use sources::StandardInput;

use crate::{
    chain::{
        NetworkArgs, Node, block_on, checksummed, json, print, records_folder, say,
        write_atomically,
    },
    contract::{State, compare},
    deploy::Record,
    project,
};
use alloy::primitives::{Address, U256};
use clap::Args;
use etherscan::ApiKey;
use eyre::{Result, bail, ensure};
use luxxon_bindings::{
    build::{build, filled, runtime_code},
    settlement::LuxxonSettlement,
};
use serde::Serialize;
use std::{env, fmt, path::PathBuf};
use url::Url;

/// Which contract, and whom to tell.
#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// The chain.
    #[command(flatten)]
    pub network: NetworkArgs,

    /// The contract; by default the only one that is recorded for the chain
    #[arg(long, value_name = "ADDRESS", value_parser = checksummed)]
    pub address: Option<Address>,

    /// Where to write the standard-JSON input, which Basescan and Sourcify take by hand too; by
    /// default `<address>.input.json` beside the record
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Once it is verified here, have Sourcify verify it; and Basescan, where the environment
    /// variable `LUXXON_ETHERSCAN_KEY` holds a key of Etherscan's
    #[arg(long)]
    pub submit: bool,

    /// Sourcify's server
    #[arg(long, value_name = "URL", default_value = sourcify::URL)]
    pub sourcify_url: Url,

    /// Etherscan's API
    #[arg(long, value_name = "URL", default_value = etherscan::URL)]
    pub etherscan_url: Url,

    /// Print the result as one line of JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// What was found. A contract that differs is an error, not a report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    chain_id: u64,
    #[serde(serialize_with = "json::address")]
    address: Address,
    code_bytes: usize,
    sources: usize,
    compiler: &'static str,
    input_path: PathBuf,
    sourcify: Option<String>,
    etherscan: Option<String>,
}

/// Verifies.
pub fn run(args: &VerifyArgs) -> Result<()> {
    let verified = block_on(verify(args))?;
    if args.json { print(serde_json::to_string(&verified)?) } else { print(verified) }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain_id, address, code_bytes, sources, compiler, .. } = self;
        write!(
            f,
            "verified: the {code_bytes} bytes of code at {address} on chain {chain_id} are what \
             the sources compile to"
        )?;
        write!(f, "\n  sources    {sources} files, solc {compiler}")?;
        write!(f, "\n  input      {}", self.input_path.display())?;
        for (name, outcome) in [("Sourcify ", &self.sourcify), ("Etherscan", &self.etherscan)] {
            if let Some(outcome) = outcome {
                write!(f, "\n  {name}  {outcome}")?;
            }
        }
        Ok(())
    }
}

async fn verify(args: &VerifyArgs) -> Result<Verified> {
    let root = project::root()?;
    let deployments = args.network.folder()?;
    let metadata = &build().metadata;
    let input = StandardInput::build(&root, metadata)?;
    let (url, expected) = args.network.target()?;
    let node = Node::connect(url, expected).await?;
    let chain_id = node.chain_id();
    let address = match args.address {
        Some(address) => address,
        None => Record::only(&deployments, chain_id)?,
    };
    let record = Record::read(&deployments, chain_id, address)?;
    let code = node.code(address, None).await?;
    ensure!(!code.is_empty(), "{address} has no code on chain {chain_id} (--address)");
    let (usdc, delay) = if let Some(record) = &record {
        (record.constructor_args.usdc, record.constructor_args.relayer_delay)
    } else {
        let state = State::read(&node, address, None).await?;
        (state.usdc, state.relayer_delay)
    };
    let delay = U256::from(delay);
    // The code on chain against the committed code, which costs nothing, ...
    check(&code, &runtime_code(usdc, delay), address, chain_id)?;

    // ... and against what the sources give when they are compiled anew.
    let input_path = args.output.clone().unwrap_or_else(|| {
        records_folder(&deployments, chain_id).join(format!("{address}.input.json"))
    });
    write_atomically(&input_path, &input.text()?)?;
    say(format!("compiling {} sources with solc {}", metadata.sources.len(), input.compiler));
    let compiled = compile(&root, &input).await?;
    ensure!(
        compiled.creation == LuxxonSettlement::BYTECODE,
        "the sources do not compile to the code this luxxon was built with, though they and the \
         settings are the same: is another compiler on PATH?"
    );
    check(&code, &filled(&compiled.runtime, usdc, delay), address, chain_id)?;
    let mut verified = Verified {
        chain_id,
        address,
        code_bytes: code.len(),
        sources: metadata.sources.len(),
        compiler: &metadata.compiler.version,
        input_path,
        sourcify: None,
        etherscan: None,
    };
    if args.submit {
        submit(args, &input, record.as_ref(), &mut verified).await?;
    }
    Ok(verified)
}

/// Byte for byte.
fn check(code: &[u8], expected: &[u8], address: Address, chain_id: u64) -> Result<()> {
    match compare(code, expected) {
        None => Ok(()),
        Some(difference) => bail!(
            "NOT VERIFIED: the code at {address} on chain {chain_id} is not what the sources \
             compile to: it {difference}. Was it deployed from another commit?"
        ),
    }
}

/// Tells every explorer there is; an error says which of them did not verify it.
async fn submit(
    args: &VerifyArgs,
    input: &StandardInput,
    record: Option<&Record>,
    verified: &mut Verified,
) -> Result<()> {
    let (chain_id, address) = (verified.chain_id, verified.address);
    let tx_hash = record.and_then(|record| record.tx_hash);
    say("submitting to Sourcify");
    let sourcify = sourcify::submit(&args.sourcify_url, chain_id, address, input, tx_hash).await;
    let key = env::var(etherscan::KEY_VARIABLE).ok().filter(|key| !key.is_empty()).map(ApiKey);
    let etherscan = match (key, record) {
        (None, _) => {
            say(format!("not submitting to Basescan: {} is not set", etherscan::KEY_VARIABLE));
            None
        }
        (Some(_), None) => Some(Err(eyre::eyre!(
            "Basescan needs the constructor's arguments, and there is no record of {address}: run \
             `luxxon deploy` with its config, which finds it and writes one"
        ))),
        (Some(key), Some(record)) => {
            say("submitting to Basescan");
            let args_encoded = record.constructor_args.encoded();
            let url = &args.etherscan_url;
            Some(etherscan::submit(url, &key, chain_id, address, input, &args_encoded).await)
        }
    };
    let mut failures = Vec::new();
    match sourcify {
        Ok(outcome) => verified.sourcify = Some(outcome),
        Err(error) => failures.push(format!("{error:#}")),
    }
    match etherscan {
        Some(Ok(outcome)) => verified.etherscan = Some(outcome),
        Some(Err(error)) => failures.push(format!("{error:#}")),
        None => {}
    }
    ensure!(
        failures.is_empty(),
        "it is verified here, and {} can be submitted by hand, but: {}",
        verified.input_path.display(),
        failures.join("; ")
    );
    Ok(())
}
