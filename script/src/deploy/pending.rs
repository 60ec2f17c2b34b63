//! The record of a transaction that is on its way, written before it is sent: a run that ends
//! before its end, however it ends, is found by it and resumed.

use crate::{
    chain::{Node, json, receipt, records_folder, write_atomically},
    contract::Deployment,
};
use alloy::primitives::{Address, B256};
use eyre::{Result, WrapErr, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::step::Earlier;

/// A transaction on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// The chain.
    pub chain_id: u64,
    /// What it deploys.
    #[serde(serialize_with = "json::address")]
    pub address: Address,
    /// The transaction.
    pub tx_hash: B256,
    /// Who signed it.
    #[serde(serialize_with = "json::address")]
    pub sender: Address,
    /// With which nonce.
    pub nonce: u64,
}

/// Where the record of a deployment's transaction is kept: one for each deployment.
#[derive(Clone, Debug)]
pub struct PendingFile {
    path: PathBuf,
    chain_id: u64,
    address: Address,
}

impl PendingFile {
    /// The file of this deployment.
    #[must_use]
    pub fn of(deployments: &Path, chain_id: u64, deployment: &Deployment) -> Self {
        let address = deployment.address;
        let path = records_folder(deployments, chain_id).join(format!("{address}.pending.json"));
        Self { path, chain_id, address }
    }

    /// Keeps the transaction's hash.
    pub fn write(&self, tx_hash: B256, sender: Address, nonce: u64) -> Result<()> {
        let Self { chain_id, address, .. } = *self;
        let pending = Pending { chain_id, address, tx_hash, sender, nonce };
        write_atomically(&self.path, &(serde_json::to_string_pretty(&pending)? + "\n"))
    }

    /// The transaction that was kept, where one was.
    pub fn read(&self) -> Result<Option<Pending>> {
        let named = || format!("the record of a pending transaction {}", self.path.display());
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).wrap_err_with(named),
        };
        let pending: Pending = serde_json::from_str(&text)
            .wrap_err("it is not as this program writes it: see what became of it, and remove it")
            .wrap_err_with(named)?;
        ensure!(
            (pending.chain_id, pending.address) == (self.chain_id, self.address),
            "{} belongs to {} on chain {}: remove it",
            named(),
            pending.address,
            pending.chain_id
        );
        Ok(Some(pending))
    }

    /// What became of it.
    pub async fn earlier(&self, node: &Node) -> Result<Earlier> {
        let Some(Pending { tx_hash, .. }) = self.read()? else { return Ok(Earlier::None) };
        if let Some(receipt) = receipt(node, tx_hash).await? {
            return Ok(Earlier::Mined(receipt));
        }
        let known = node.knows_transaction(tx_hash).await?;
        Ok(if known { Earlier::Waiting(tx_hash) } else { Earlier::Lost(tx_hash) })
    }

    /// Removes it: its transaction is done with.
    pub fn remove(&self) -> Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).wrap_err_with(|| format!("cannot remove {}", self.path.display()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path) -> PendingFile {
        let address = Address::repeat_byte(7);
        PendingFile { path: folder.join("x.pending.json"), chain_id: 5, address }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_gone_once_removed() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        assert_eq!(file.read().unwrap(), None);
        file.write(B256::repeat_byte(1), Address::repeat_byte(2), 3).unwrap();
        let pending = file.read().unwrap().unwrap();
        assert_eq!((pending.tx_hash, pending.nonce), (B256::repeat_byte(1), 3));
        file.remove().unwrap();
        file.remove().unwrap();
        assert_eq!(file.read().unwrap(), None);
    }

    #[test]
    fn a_record_that_is_damaged_or_of_another_chain_is_said_and_not_guessed_at() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        fs::write(&file.path, "{\"txHash\":").unwrap();
        let error = format!("{:#}", file.read().unwrap_err());
        assert!(error.contains("x.pending.json") && error.contains("remove it"), "{error}");
        file.write(B256::ZERO, Address::ZERO, 0).unwrap();
        let other = PendingFile { chain_id: 6, ..file };
        let error = format!("{:#}", other.read().unwrap_err());
        assert!(error.contains("on chain 5"), "{error}");
    }
}
