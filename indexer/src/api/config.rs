use super::{
    Api,
    envelope::{Answer, Success, eip55},
};
use crate::{key::Environment, store::Store};
use alloy::primitives::Address;
use axum::extract::State;
use serde::Serialize;

/// What `/config` tells everyone. Nothing here may be secret: `rpc_url` is a public node's, not the
/// one the indexer reads from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicConfig {
    /// The chain's id.
    pub chain_id: u64,
    /// The chain's name for people.
    pub chain_name: String,
    /// A node that wallets can use.
    pub rpc_url: String,
    /// A block explorer's base URL; empty where the chain has none.
    pub explorer_url: String,
    /// The USDC contract.
    pub usdc: Address,
    /// `LuxxonSettlement`.
    pub settlement: Address,
}

impl PublicConfig {
    /// The environment the chain belongs to.
    #[must_use]
    pub fn environment(&self) -> Environment {
        Environment::of_chain(self.chain_id)
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigDto {
    environment: &'static str,
    chain_id: u64,
    chain_name: String,
    rpc_url: String,
    explorer_url: String,
    #[serde(serialize_with = "eip55")]
    usdc_address: Address,
    #[serde(serialize_with = "eip55")]
    settlement_address: Address,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct HealthDto {
    ok: bool,
    surface: &'static str,
    version: &'static str,
    build_sha: String,
}

pub(super) async fn health<S: Store>(State(api): State<Api<S>>) -> Success<HealthDto> {
    let build_sha = api.build_sha.to_string();
    Success(HealthDto { ok: true, surface: "luxxon", version: "v1", build_sha })
}

pub(super) async fn config<S: Store>(State(api): State<Api<S>>) -> Answer<ConfigDto> {
    let config = PublicConfig::clone(&api.config);
    Ok(Success(ConfigDto {
        environment: config.environment().as_str(),
        chain_id: config.chain_id,
        chain_name: config.chain_name,
        rpc_url: config.rpc_url,
        explorer_url: config.explorer_url,
        usdc_address: config.usdc,
        settlement_address: config.settlement,
    }))
}
