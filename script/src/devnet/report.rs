//! What the devnet tells whoever started it.

use alloy::primitives::{Address, B256};
use serde::Serialize;
use std::{
    fmt::{self, Write},
    path::PathBuf,
};
use uuid::Uuid;

/// Everything needed to use a devnet: the one line of `--json`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ready {
    pub(super) rpc_url: String,
    pub(super) chain_id: u64,
    pub(super) api_url: String,
    pub(super) status_url: String,
    #[serde(serialize_with = "eip55")]
    pub(super) settlement_address: Address,
    #[serde(serialize_with = "eip55")]
    pub(super) usdc_address: Address,
    pub(super) deploy_block: u64,
    pub(super) relayer_key: B256,
    pub(super) workspaces: Vec<WorkspaceReady>,
    /// A session the traffic has settled.
    #[serde(skip)]
    pub(super) session: Option<Uuid>,
    #[serde(skip)]
    pub(super) block_time: f64,
    /// The database, where it is to stay.
    #[serde(skip)]
    pub(super) kept: Option<PathBuf>,
}

/// A workspace with its secrets, which on a devnet are worth nothing.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WorkspaceReady {
    pub(super) id: Uuid,
    pub(super) slug: String,
    pub(super) role: &'static str,
    #[serde(serialize_with = "eip55")]
    pub(super) wallet_address: Address,
    pub(super) wallet_key: B256,
    pub(super) api_key: String,
}

fn eip55<S: serde::Serializer>(address: &Address, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(address)
}

/// The table for people.
impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rpc_url, chain_id, api_url, settlement_address, usdc_address, .. } = self;
        writeln!(f, "API         {api_url}")?;
        writeln!(f, "Status      {}   to look at in a browser", self.status_url)?;
        writeln!(
            f,
            "Node        {rpc_url}   chain {chain_id}, a block every {} s",
            self.block_time
        )?;
        writeln!(f, "Settlement  {settlement_address}   deployed in block {}", self.deploy_block)?;
        writeln!(f, "USDC        {usdc_address}   a stand-in")?;
        for workspace in &self.workspaces {
            let WorkspaceReady { role, id, wallet_address, api_key, .. } = workspace;
            writeln!(f, "\n{role:<11} workspace {id}, wallet {wallet_address}")?;
            writeln!(f, "            API key {api_key}")?;
        }
        writeln!(f, "\nTry:")?;
        for line in self.curl_lines() {
            writeln!(f, "{line}")?;
        }
        match &self.kept {
            None => write!(f, "\nCtrl-C stops everything and leaves nothing behind."),
            Some(path) => write!(f, "\nCtrl-C stops everything and leaves {}.", path.display()),
        }
    }
}

impl Ready {
    /// Three requests to paste.
    fn curl_lines(&self) -> Vec<String> {
        let key = self.workspaces.first().map_or("", |workspace| workspace.api_key.as_str());
        let curl = |path: &str| {
            let mut line = String::from(r"curl -sw '\n' ");
            let _ = write!(line, "-H 'Authorization: Bearer {key}' '{}{path}'", self.api_url);
            line
        };
        let last = match self.session {
            Some(session) => curl(&format!("/settlements/{session}")),
            None => curl("/config"),
        };
        vec![curl("/wallet"), curl("/wallet/events?limit=3"), last]
    }
}
