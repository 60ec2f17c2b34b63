use super::{Usage, keystore};
use alloy::{
    network::EthereumWallet,
    primitives::{Address, B256},
    signers::local::PrivateKeySigner,
};
use clap::Args;
use eyre::{Result, eyre};
use std::{env, ffi::OsStr, path::PathBuf};

/// The variable that may hold a key in plain.
const KEY_VARIABLE: &str = "LUXXON_PRIVATE_KEY";

/// Where the sender's key is. There is no flag for a key itself: arguments are seen by everybody on
/// the machine, and kept by shells.
#[derive(Clone, Debug, Default, Args)]
pub struct KeyArgs {
    /// The sender's key, as an encrypted V3 JSON file. Its password is read from --password-file,
    /// else from the environment variable `LUXXON_KEYSTORE_PASSWORD`, else asked for. Without this
    /// flag and the next the key itself is read from the environment variable `LUXXON_PRIVATE_KEY`
    #[arg(long, value_name = "FILE", help_heading = "Key")]
    pub keystore: Option<PathBuf>,

    /// A file with the keystore's password
    #[arg(long, value_name = "FILE", requires = "keystore", help_heading = "Key")]
    pub password_file: Option<PathBuf>,

    /// The sender's key, as a key of AWS KMS: its id, alias or ARN. Region and credentials are
    /// found as the AWS command line finds them. Needs the cargo feature `kms`
    #[arg(long, value_name = "ID", env = "LUXXON_KMS_KEY_ID", help_heading = "Key")]
    pub kms_key_id: Option<String>,
}

/// A key that signs. What it shows of itself is its address.
#[derive(Clone, Debug)]
pub struct Key {
    wallet: EthereumWallet,
    address: Address,
}

impl Key {
    /// The account it signs for.
    #[must_use]
    pub fn address(&self) -> Address {
        self.address
    }

    pub(super) fn wallet(&self) -> &EthereumWallet {
        &self.wallet
    }
}

impl From<PrivateKeySigner> for Key {
    fn from(signer: PrivateKeySigner) -> Self {
        Self { address: signer.address(), wallet: signer.into() }
    }
}

impl KeyArgs {
    /// The key. Exactly one has to be given: which of two signs should not have to be guessed.
    pub async fn load(&self) -> Result<Key> {
        let in_environment = env::var_os(KEY_VARIABLE).filter(|value| !value.is_empty());
        match (&self.keystore, &self.kms_key_id, in_environment) {
            (Some(file), None, None) => {
                Ok(keystore::open(file, self.password_file.as_deref())?.into())
            }
            (None, Some(id), None) => in_kms(id).await,
            (None, None, Some(value)) => Ok(in_plain(&value)?.into()),
            (None, None, None) => Err(eyre!(Usage(format!(
                "there is no key to sign with: give --keystore, --kms-key-id, or the environment \
                 variable {KEY_VARIABLE}"
            )))),
            _ => Err(eyre!(Usage(format!(
                "more than one key is given: keep one of --keystore, --kms-key-id and \
                 {KEY_VARIABLE}"
            )))),
        }
    }
}

/// A key of 64 hexadecimal digits. The errors count characters, and show none.
fn in_plain(value: &OsStr) -> Result<PrivateKeySigner, Usage> {
    let refused = |why: &str| Usage(format!("{KEY_VARIABLE} is no private key: {why}"));
    let text = value.to_str().ok_or_else(|| refused("it is not text"))?;
    let digits = text.trim();
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    let key: B256 = digits.parse().map_err(|_| {
        refused(&format!(
            "expected 64 hexadecimal digits, with or without 0x, found {} characters",
            digits.chars().count()
        ))
    })?;
    PrivateKeySigner::from_bytes(&key).map_err(|_| refused("zero, or past secp256k1's order"))
}

#[cfg(not(feature = "kms"))]
#[expect(clippy::unused_async, reason = "with the feature it asks AWS")]
async fn in_kms(_id: &str) -> Result<Key> {
    Err(eyre!(Usage(
        "this luxxon was built without AWS KMS (--kms-key-id): build it with \
         `cargo build --release --package luxxon-script --features kms`"
            .to_owned()
    )))
}

#[cfg(feature = "kms")]
async fn in_kms(id: &str) -> Result<Key> {
    use alloy::signers::{
        Signer,
        aws::{AwsSigner, aws_sdk_kms::Client},
    };
    use eyre::WrapErr;
    let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
    let signer = AwsSigner::new(Client::new(&config), id.to_owned(), None).await.wrap_err(
        "AWS KMS does not give this key (--kms-key-id): it has to be ECC_SECG_P256K1 for signing, \
         in the configured region, and kms:GetPublicKey and kms:Sign have to be allowed",
    )?;
    Ok(Key { address: signer.address(), wallet: signer.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "1111111111111111111111111111111111111111111111111111111111111111";

    #[test]
    fn a_key_is_taken_with_and_without_its_prefix_and_shows_its_address_only() {
        for text in [KEY.to_owned(), format!("0x{KEY}"), format!(" 0x{KEY}\n")] {
            let key: Key = in_plain(OsStr::new(&text)).unwrap().into();
            assert_eq!(key.address().to_string(), "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A");
            let shown = format!("{key:?} {:?}", in_plain(OsStr::new(&text)).unwrap());
            assert!(!shown.contains("1111111111"), "{shown}");
        }
    }

    #[test]
    fn no_error_about_a_key_shows_any_of_it() {
        let zero = "0".repeat(64);
        let order = "f".repeat(64);
        let odd = format!("{KEY}abcdef");
        for text in [&KEY[1..], &odd, "secretsecret", &zero, &order, "0x", "ключ"] {
            let error = in_plain(OsStr::new(text)).unwrap_err();
            let shown = format!("{error} {error:#} {error:?}");
            assert!(shown.contains(KEY_VARIABLE), "{shown}");
            let digits = text.trim_start_matches("0x");
            assert!(digits.is_empty() || !shown.contains(digits), "{shown}");
            assert!(!shown.contains("1111111111") && !shown.contains("secretsecret"), "{shown}");
        }
    }
}
