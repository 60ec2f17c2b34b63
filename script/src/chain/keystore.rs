//! A key in a file, encrypted by a password: Web3 Secret Storage, version 3.

use super::password;
use alloy::{hex, signers::local::PrivateKeySigner};
use eyre::{Result, WrapErr, bail, ensure, eyre};
use serde::Deserialize;
use std::{env, fs, path::Path};

/// The variable that may hold the keystore's password.
const PASSWORD_VARIABLE: &str = "LUXXON_KEYSTORE_PASSWORD";

/// The part of a keystore that could stop the decryption in its tracks. What is checked here is not
/// checked by it.
#[derive(Deserialize)]
struct Keystore {
    version: u64,
    crypto: Crypto,
}

#[derive(Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    kdf: String,
    kdfparams: KdfParams,
}

#[derive(Deserialize)]
struct CipherParams {
    iv: String,
}

#[derive(Deserialize)]
struct KdfParams {
    dklen: u64,
    /// Of scrypt: its cost, which has to be a power of two, and its block size.
    n: Option<u64>,
    r: Option<u64>,
    /// Of pbkdf2: its rounds.
    c: Option<u64>,
}

/// Opens the keystore with the password from `password_file`, else from the environment, else as
/// typed.
pub(super) fn open(path: &Path, password_file: Option<&Path>) -> Result<PrivateKeySigner> {
    let named = || format!("the keystore {} (--keystore)", path.display());
    let text = fs::read_to_string(path).wrap_err_with(named)?;
    check(&text).wrap_err_with(named)?;
    let password = match (password_file, env::var(PASSWORD_VARIABLE)) {
        (Some(file), _) => {
            let text = fs::read_to_string(file).wrap_err_with(|| {
                format!("the password file {} (--password-file)", file.display())
            })?;
            // An editor ends the line; the password does not contain that end.
            let line = text.strip_suffix('\n').unwrap_or(&text);
            line.strip_suffix('\r').unwrap_or(line).to_owned()
        }
        (None, Ok(password)) => password,
        (None, Err(env::VarError::NotPresent)) => {
            password::ask(&format!("password of {}", path.display()))?
        }
        (None, Err(env::VarError::NotUnicode(_))) => bail!("{PASSWORD_VARIABLE} is not UTF-8"),
    };
    PrivateKeySigner::decrypt_keystore(path, password).map_err(|error| {
        // Its own words are few, and none is a secret; but only this case is understood.
        let wrong = error.to_string().contains("Mac Mismatch");
        let why = if wrong { "the password does not open it" } else { "it cannot be decrypted" };
        eyre!("{}: {why}", named())
    })
}

/// Whether a file is a keystore that can be decrypted, with bounded effort.
fn check(text: &str) -> Result<()> {
    /// scrypt fills 128·n·r bytes; the usual n = 262,144 and r = 8 make 256 MiB.
    const MOST_MEMORY: u64 = 1 << 30;
    const MOST_ROUNDS: u64 = 10_000_000;
    // serde_json's own error quotes no content beyond a field's value of the wrong type: the file
    // may be a plain key by mistake, so nothing of it is repeated.
    let keystore: Keystore = serde_json::from_str(text).map_err(|_| {
        eyre!("it is no keystore: expected V3 JSON, as geth, cast and ethers write")
    })?;
    let Crypto { cipher, cipherparams, kdf, kdfparams } = keystore.crypto;
    ensure!(keystore.version == 3, "it has version {}, expected 3", keystore.version);
    ensure!(cipher == "aes-128-ctr", "its cipher is another than aes-128-ctr");
    let iv = hex::decode(&cipherparams.iv).unwrap_or_default();
    ensure!(iv.len() == 16, "its iv has {} bytes, expected 16", iv.len());
    ensure!(
        kdfparams.dklen == 32,
        "its key derivation gives {} bytes, expected 32",
        kdfparams.dklen
    );
    match (kdf.as_str(), kdfparams) {
        ("scrypt", KdfParams { n: Some(n), r: Some(r), .. }) => {
            ensure!(n.is_power_of_two() && n > 1, "scrypt's n is {n}, expected a power of two");
            let memory = n.saturating_mul(r).saturating_mul(128);
            ensure!(memory <= MOST_MEMORY, "scrypt would take {memory} bytes of memory");
        }
        ("pbkdf2", KdfParams { c: Some(c), .. }) => {
            ensure!((1..=MOST_ROUNDS).contains(&c), "pbkdf2 would take {c} rounds");
        }
        _ => bail!("its key derivation is neither scrypt nor pbkdf2, or lacks a parameter"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keystore(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut keystore = serde_json::json!({
            "version": 3,
            "id": "00000000-0000-4000-8000-000000000000",
            "crypto": {
                "cipher": "aes-128-ctr",
                "cipherparams": { "iv": "00".repeat(16) },
                "ciphertext": "00".repeat(32),
                "kdf": "scrypt",
                "kdfparams": { "dklen": 32, "n": 2, "r": 1, "p": 1, "salt": "00".repeat(32) },
                "mac": "00".repeat(32),
            },
        });
        change(&mut keystore);
        keystore.to_string()
    }

    #[test]
    fn a_keystore_that_would_stop_the_decryption_or_never_end_is_refused() {
        assert!(check(&keystore(|_| {})).is_ok());
        let crypto = |path: &str, value: serde_json::Value| {
            keystore(|keystore| *keystore.pointer_mut(path).unwrap() = value)
        };
        for (path, value) in [
            ("/version", 1.into()),
            ("/crypto/cipher", "aes-256-gcm".into()),
            ("/crypto/cipherparams/iv", "00".into()),
            ("/crypto/kdfparams/dklen", 16.into()),
            ("/crypto/kdfparams/n", 0.into()),
            ("/crypto/kdfparams/n", 3.into()),
            ("/crypto/kdfparams/n", (1u64 << 40).into()),
            ("/crypto/kdf", "argon2".into()),
        ] {
            assert!(check(&crypto(path, value)).is_err(), "{path}");
        }
    }

    #[test]
    fn a_file_that_holds_something_else_is_not_repeated() {
        for text in ["", "{}", "0xSECRET", "\"SECRET\"", "{\"version\": \"SECRET\"}"] {
            let error = format!("{:?}", check(text).unwrap_err());
            assert!(error.contains("no keystore") && !error.contains("SECRET"), "{error}");
        }
    }
}
