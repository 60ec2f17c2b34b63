//! The pinned compiler, as a child.

use super::StandardInput;
use crate::process::spawn_tied;
use alloy::{hex, primitives::Bytes};
use eyre::{Result, WrapErr, bail, ensure, eyre};
use rustix::process::Signal;
use serde_json::Value;
use std::{env, path::Path, process::Stdio, time::Duration};
use tokio::{io::AsyncWriteExt, process::Command};

/// A compilation takes seconds.
const LONGEST: Duration = Duration::from_mins(5);

/// What the input compiles to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The code that makes the contract, without arguments.
    pub creation: Bytes,
    /// The code on chain, immutables at zero.
    pub runtime: Bytes,
}

/// Compiles with the compiler the checkout at `root` pins.
pub async fn compile(root: &Path, input: &StandardInput) -> Result<Compiled> {
    let mut command = Command::new("node");
    command.arg(root.join("script/solc.js")).arg("--standard-json");
    for (name, _) in env::vars_os() {
        // A compiler needs no keys.
        if name.as_encoded_bytes().starts_with(b"LUXXON_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn_tied(&mut command, Signal::KILL).wrap_err("node runs the compiler")?;
    let mut stdin = child.stdin.take().ok_or_else(|| eyre!("the compiler has no input"))?;
    let text = input.text()?;
    let compiled = async {
        let write = async move {
            // Where it fails, the compiler has ended, and says why.
            let _ = stdin.write_all(text.as_bytes()).await;
        };
        let (output, ()) = tokio::join!(child.wait_with_output(), write);
        output
    };
    let output = tokio::time::timeout(LONGEST, compiled)
        .await
        .map_err(|_| eyre!("the compiler did not end within {LONGEST:?}"))??;
    ensure!(
        output.status.success(),
        "the compiler failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let output = serde_json::from_slice(&output.stdout).wrap_err("the compiler's output")?;
    read(&output, input)
}

fn read(output: &Value, input: &StandardInput) -> Result<Compiled> {
    let errors = output["errors"].as_array().into_iter().flatten();
    let mut errors = errors.filter(|error| error["severity"] == "error");
    if let Some(error) = errors.next() {
        let message = error["formattedMessage"].as_str().unwrap_or("an error without words");
        bail!("the sources do not compile: {}", message.trim());
    }
    let evm = &output["contracts"][&input.file][&input.contract]["evm"];
    let code = |which: &str| -> Result<Bytes> {
        let text = evm[which]["object"].as_str();
        let text = text.ok_or_else(|| eyre!("the compiler gave no {which}"))?;
        Ok(hex::decode(text).wrap_err_with(|| format!("the compiler's {which}"))?.into())
    };
    Ok(Compiled { creation: code("bytecode")?, runtime: code("deployedBytecode")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn input() -> StandardInput {
        StandardInput {
            json: json!({}),
            file: "A.sol".to_owned(),
            contract: "A".to_owned(),
            compiler: "0".to_owned(),
        }
    }

    #[test]
    fn the_code_of_the_contract_is_taken_and_warnings_are_not_errors() {
        let evm =
            json!({ "bytecode": { "object": "6001" }, "deployedBytecode": { "object": "02" } });
        let output = json!({
            "errors": [{ "severity": "warning", "formattedMessage": "careful" }],
            "contracts": { "A.sol": { "A": { "evm": evm } } },
        });
        let compiled = read(&output, &input()).unwrap();
        assert_eq!(compiled.creation, Bytes::from_static(&[0x60, 0x01]));
        assert_eq!(compiled.runtime, Bytes::from_static(&[0x02]));
    }

    #[test]
    fn what_the_compiler_says_is_passed_on_and_what_it_leaves_out_is_said() {
        let output =
            json!({ "errors": [{ "severity": "error", "formattedMessage": "A.sol:1: no\n" }] });
        assert_eq!(
            read(&output, &input()).unwrap_err().to_string(),
            "the sources do not compile: A.sol:1: no"
        );
        for output in [json!({}), json!([]), json!({ "contracts": { "A.sol": {} } })] {
            let error = read(&output, &input()).unwrap_err().to_string();
            assert!(error.contains("gave no bytecode"), "{error}");
        }
    }
}
