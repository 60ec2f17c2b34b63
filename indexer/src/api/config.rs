use super::{
    Api,
    envelope::{Answer, Success, eip55},
    openapi::formats,
};
use crate::{key::Environment, store::Store};
use alloy::primitives::Address;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

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

/// The chain and the contracts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LxConfigDto)]
pub(super) struct ConfigDto {
    #[schema(value_type = formats::Environment)]
    environment: &'static str,
    /// The chain's id: 8453 is Base, 84532 Base Sepolia.
    #[schema(examples(84532))]
    chain_id: u64,
    /// The chain's name for people.
    #[schema(examples("Base Sepolia"))]
    chain_name: String,
    /// A node that wallets can use.
    #[schema(examples("https://sepolia.base.org"))]
    rpc_url: String,
    /// A block explorer's base URL; empty where the chain has none.
    #[schema(examples("https://sepolia.basescan.org"))]
    explorer_url: String,
    /// The USDC contract.
    #[serde(serialize_with = "eip55")]
    #[schema(value_type = formats::Address)]
    usdc_address: Address,
    /// `LuxxonSettlement`.
    #[serde(serialize_with = "eip55")]
    #[schema(value_type = formats::Address)]
    settlement_address: Address,
}

/// What is running.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LxHealthDto)]
pub(super) struct HealthDto {
    /// True, or there is no answer.
    ok: bool,
    #[schema(examples("luxxon"))]
    surface: &'static str,
    /// Of the API.
    #[schema(examples("v1"))]
    version: &'static str,
    /// The commit that it was built from, or `dev`.
    #[schema(examples("0d4f1a2b"))]
    build_sha: String,
}

/// Whether the process lives
///
/// It says nothing of the chain: where the ledger stands is in `GET /wallet`.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "LxHealthController_health",
    responses((status = 200, description = "It does", body = HealthDto))
)]
pub(super) async fn health<S: Store>(State(api): State<Api<S>>) -> Success<HealthDto> {
    let build_sha = api.build_sha.clone();
    Success(HealthDto { ok: true, surface: "luxxon", version: "v1", build_sha })
}

/// Which chain and which contracts
#[utoipa::path(
    get,
    path = "/config",
    operation_id = "LxConfigController_get",
    responses((status = 200, description = "These", body = ConfigDto))
)]
pub(super) async fn config<S: Store>(State(api): State<Api<S>>) -> Answer<ConfigDto> {
    let config = api.config.clone();
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
