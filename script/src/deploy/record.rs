//! The record of a deployment: what everybody who works with it later needs to know.

use crate::{
    chain::{json, records_folder, write_atomically},
    contract::{ConstructorArgs, Deployment, FACTORY, SALT},
};
use alloy::primitives::{Address, B256, keccak256};
use eyre::{Result, WrapErr, bail, ensure};
use luxxon_bindings::build::build;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::origin::Origin;

/// A deployment, as `deployments/<chainId>/<address>.json` keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The chain.
    pub chain_id: u64,
    /// The contract.
    #[serde(serialize_with = "json::address")]
    pub address: Address,
    /// The block it was deployed in; the indexer's `--deploy-block`. Null where it was not found.
    pub block: Option<u64>,
    /// That block's hash.
    pub block_hash: Option<B256>,
    /// The transaction that deployed it.
    pub tx_hash: Option<B256>,
    /// Who sent that.
    #[serde(serialize_with = "json::some_address")]
    pub deployer: Option<Address>,
    /// The constructor's arguments.
    pub constructor_args: ConstructorArgs,
    /// The salt given to the factory.
    pub salt: B256,
    /// The CREATE2 factory.
    #[serde(serialize_with = "json::address")]
    pub factory: Address,
    /// keccak256 of the code on chain, immutables filled in.
    pub code_hash: B256,
    /// How the code was compiled.
    pub compiler: CompilerRecord,
    /// One hash for all sources; see [`source_hash`](luxxon_bindings::build::Metadata::source_hash).
    pub source_hash: B256,
}

/// A compiler and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompilerRecord {
    /// With the commit.
    pub version: String,
    /// As solc's metadata states them.
    pub settings: Map<String, Value>,
}

impl Record {
    /// The record of a deployment found on chain.
    #[must_use]
    pub fn new(chain_id: u64, deployment: &Deployment, origin: &Origin) -> Self {
        let metadata = &build().metadata;
        Self {
            chain_id,
            address: deployment.address,
            block: origin.block,
            block_hash: origin.block_hash,
            tx_hash: origin.tx_hash,
            deployer: origin.deployer,
            constructor_args: deployment.args,
            salt: SALT,
            factory: FACTORY,
            code_hash: keccak256(&deployment.runtime_code),
            compiler: CompilerRecord {
                version: metadata.compiler.version.clone(),
                settings: metadata.settings.clone(),
            },
            source_hash: metadata.source_hash(),
        }
    }

    /// Where the record of `address` is.
    #[must_use]
    pub fn path(deployments: &Path, chain_id: u64, address: Address) -> PathBuf {
        records_folder(deployments, chain_id).join(format!("{address}.json"))
    }

    /// The record of `address`, where there is one.
    pub fn read(deployments: &Path, chain_id: u64, address: Address) -> Result<Option<Self>> {
        let path = Self::path(deployments, chain_id, address);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).wrap_err_with(|| path.display().to_string()),
        };
        let record: Self = serde_json::from_str(&text)
            .wrap_err_with(|| format!("{} is no record of a deployment", path.display()))?;
        ensure!(
            (record.chain_id, record.address) == (chain_id, address),
            "{} is the record of {} on chain {}: its name says another",
            path.display(),
            record.address,
            record.chain_id
        );
        Ok(Some(record))
    }

    /// Keeps it, and returns where.
    pub fn write(&self, deployments: &Path) -> Result<PathBuf> {
        let path = Self::path(deployments, self.chain_id, self.address);
        write_atomically(&path, &(serde_json::to_string_pretty(self)? + "\n"))?;
        Ok(path)
    }

    /// Whether it says of the deployment what the deployment says of itself. The sources may have
    /// changed since, as long as the code did not.
    pub fn check(&self, deployment: &Deployment) -> Result<()> {
        ensure!(
            self.constructor_args == deployment.args
                && self.code_hash == keccak256(&deployment.runtime_code)
                && (self.salt, self.factory) == (SALT, FACTORY),
            "the record of {} says something else than the config and the code on chain: was it \
             edited? Move it away to have it written again",
            self.address
        );
        Ok(())
    }

    /// The only deployment recorded on a chain.
    pub fn only(deployments: &Path, chain_id: u64) -> Result<Address> {
        let folder = records_folder(deployments, chain_id);
        let files = match fs::read_dir(&folder) {
            Ok(files) => files.flatten().collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).wrap_err_with(|| folder.display().to_string()),
        };
        // `<address>.json`, and nothing else that may be there.
        let mut addresses: Vec<Address> = files
            .iter()
            .filter_map(|file| file.file_name().to_str()?.strip_suffix(".json")?.parse().ok())
            .collect();
        addresses.sort_unstable();
        match addresses[..] {
            [address] => Ok(address),
            [] => bail!("{} has no record: say which contract (--address)", folder.display()),
            _ => bail!(
                "{} has {} records: say which contract (--address)",
                folder.display(),
                addresses.len()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(owner: u8) -> Deployment {
        let account = Address::repeat_byte;
        Deployment::new(ConstructorArgs {
            usdc: account(1),
            owner: account(owner),
            relayer: account(3),
            pauser: account(4),
            platform_wallet: account(5),
            relayer_delay: 86_400,
        })
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let deployment = deployment(2);
        let record = Record::new(5, &deployment, &Origin::default());
        let path = record.write(folder.path()).unwrap();
        assert!(path.ends_with(format!("5/{}.json", deployment.address)));
        let read = Record::read(folder.path(), 5, deployment.address).unwrap().unwrap();
        assert_eq!(read, record);
        assert!(read.check(&deployment).is_ok());
        assert_eq!(Record::read(folder.path(), 6, deployment.address).unwrap(), None);
        let json: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(json["constructorArgs"]["relayerDelay"], 86_400);
        assert_eq!(json["block"], Value::Null);
    }

    #[test]
    fn a_record_that_was_edited_or_renamed_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (deployment(2), deployment(9));
        let mut record = Record::new(5, &one, &Origin::default());
        let path = record.write(folder.path()).unwrap();
        record.constructor_args.owner = Address::repeat_byte(9);
        assert!(record.check(&one).unwrap_err().to_string().contains("was it edited?"));
        fs::rename(path, Record::path(folder.path(), 5, other.address)).unwrap();
        let error = Record::read(folder.path(), 5, other.address).unwrap_err().to_string();
        assert!(error.contains("its name says another"), "{error}");
    }

    #[test]
    fn the_only_record_of_a_chain_is_found_beside_other_files() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Record::only(folder.path(), 5).unwrap_err().to_string().contains("no record"));
        let one = Record::new(5, &deployment(2), &Origin::default());
        let path = one.write(folder.path()).unwrap();
        fs::write(path.with_extension("pending.json"), "{}").unwrap();
        fs::write(path.with_extension("json.tmp"), "{}").unwrap();
        assert_eq!(Record::only(folder.path(), 5).unwrap(), one.address);
        Record::new(5, &deployment(9), &Origin::default()).write(folder.path()).unwrap();
        assert!(Record::only(folder.path(), 5).unwrap_err().to_string().contains("2 records"));
    }
}
