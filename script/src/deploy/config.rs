//! What is to be deployed: the constructor's arguments, written by a person.

use crate::{
    chain::{checksummed, delay, known},
    contract::ConstructorArgs,
};
use alloy::primitives::Address;
use eyre::{Result, WrapErr, bail, ensure, eyre};
use serde::{Deserialize, Deserializer, de};
use std::{fs, path::Path};

/// A config file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The owner.
    #[serde(deserialize_with = "address")]
    pub owner: Address,
    /// The relayer; zero for none.
    #[serde(deserialize_with = "address")]
    pub relayer: Address,
    /// The pauser; zero for none.
    #[serde(deserialize_with = "address")]
    pub pauser: Address,
    /// Receives the fees.
    #[serde(deserialize_with = "address")]
    pub platform_wallet: Address,
    /// Seconds; written as `24h`.
    #[serde(deserialize_with = "seconds")]
    pub relayer_delay: u64,
    /// The token, on a chain whose USDC is not known.
    #[serde(default, deserialize_with = "some_address")]
    pub usdc: Option<Address>,
}

impl Config {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => bail!(
                "there is no config {}: copy the .example beside it and fill it in, or name \
                 another (--config)",
                path.display()
            ),
            Err(error) => {
                return Err(error).wrap_err_with(|| format!("the config {}", path.display()));
            }
        };
        Self::parse(&text).wrap_err_with(|| format!("the config {}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start].lines().count().max(1));
            let at = line.map_or_else(String::new, |line| format!("line {line}: "));
            eyre!("{at}{}", error.message())
        })
    }

    /// The constructor's arguments on the chain `chain_id`, whose USDC is looked up where it is
    /// known.
    pub fn args(&self, chain_id: u64) -> Result<ConstructorArgs> {
        let usdc = match (known(chain_id).and_then(|known| known.usdc), self.usdc) {
            (Some(known), None) => known,
            (Some(known), Some(named)) => {
                ensure!(
                    known == named,
                    "usdc is {named}, but the USDC of chain {chain_id} is {known}: leave usdc out"
                );
                known
            }
            (None, Some(named)) => named,
            (None, None) => bail!("usdc is missing: that of chain {chain_id} is not known"),
        };
        Ok(ConstructorArgs {
            usdc,
            owner: self.owner,
            relayer: self.relayer,
            pauser: self.pauser,
            platform_wallet: self.platform_wallet,
            relayer_delay: self.relayer_delay,
        })
    }
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Err(de::Error::custom(
            "no address is filled in; for no relayer or no pauser write the zero address",
        ));
    }
    checksummed(&text).map_err(de::Error::custom)
}

fn some_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Address>, D::Error> {
    address(deserializer).map(Some)
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    delay(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::address;

    const OWNER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

    fn text() -> String {
        format!(
            "owner = \"{OWNER}\"\nrelayer = \"0x0000000000000000000000000000000000000000\"\n\
             pauser = \"{OWNER}\"\nplatform_wallet = \"{OWNER}\"\nrelayer_delay = \"24h\"\n"
        )
    }

    #[test]
    fn a_config_is_read_with_its_delay_in_seconds() {
        let config = Config::parse(&text()).unwrap();
        assert_eq!(config.owner, address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
        assert_eq!((config.relayer, config.usdc), (Address::ZERO, None));
        assert_eq!(config.relayer_delay, 86_400);
    }

    #[test]
    fn a_field_that_is_unknown_missing_or_malformed_is_refused_by_its_name() {
        for (from, to, says) in [
            ("owner =", "onwer =", "onwer"),
            ("relayer_delay = \"24h\"\n", "", "relayer_delay"),
            ("\"24h\"", "86400", "expected a string"),
            ("\"24h\"", "\"1 day\"", "0s, 90m, 24h or 7d"),
            (OWNER, &OWNER.to_lowercase(), "no EIP-55 checksum"),
            (OWNER, "", "no address is filled in"),
            (OWNER, "owner.eth", "is no address"),
        ] {
            let error = format!("{:#}", Config::parse(&text().replacen(from, to, 1)).unwrap_err());
            assert!(error.contains(says), "{says}: {error}");
        }
    }

    #[test]
    fn the_usdc_of_a_known_chain_is_looked_up_and_no_other_is_taken() {
        let config = Config::parse(&text()).unwrap();
        let base = address!("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913");
        assert_eq!(config.args(8453).unwrap().usdc, base);
        assert_eq!(Config { usdc: Some(base), ..config }.args(8453).unwrap().usdc, base);
        let other = Config { usdc: Some(base), ..config };
        assert!(other.args(84532).unwrap_err().to_string().contains("leave usdc out"));
        assert_eq!(other.args(31337).unwrap().usdc, base);
        assert!(config.args(31337).unwrap_err().to_string().contains("usdc is missing"));
    }

    #[test]
    fn the_committed_config_is_one_and_the_examples_are_refused_until_filled_in() {
        let folder = crate::project::root().unwrap().join("deployments");
        let devnet = Config::read(&folder.join("devnet.toml")).unwrap();
        assert!(devnet.args(31337).is_ok());
        for name in ["base", "base-sepolia"] {
            let text = fs::read_to_string(folder.join(format!("{name}.toml.example"))).unwrap();
            let error = format!("{:#}", Config::parse(&text).unwrap_err());
            assert!(error.contains("no address is filled in"), "{error}");
            let filled = text.replace("\"\"", &format!("\"{OWNER}\""));
            assert!(Config::parse(&filled).is_ok());
        }
    }
}
