//! From the committed metadata and the sources on disk to the compiler's input.

use alloy::primitives::keccak256;
use eyre::{Result, bail, ensure, eyre};
use luxxon_bindings::build::Metadata;
use serde_json::{Map, Value, json};
use std::{fs, path::Path};

/// The compiler's input: solc's standard JSON, which Basescan and Sourcify take too.
#[derive(Clone, Debug)]
pub struct StandardInput {
    /// The input itself.
    pub json: Value,
    /// The source file of the contract.
    pub file: String,
    /// The contract in that file.
    pub contract: String,
    /// The compiler, with the commit and without a `v`.
    pub compiler: String,
}

impl StandardInput {
    /// Exactly the sources and the settings that `metadata` names. Each source is read from under
    /// `root`, and has to be the one the contract was compiled from.
    pub fn build(root: &Path, metadata: &Metadata) -> Result<Self> {
        let (file, contract) = target(metadata)?;
        let mut sources = Map::new();
        let mut changed = Vec::new();
        for (path, source) in &metadata.sources {
            match fs::read_to_string(root.join(path)) {
                Ok(content) if keccak256(&content) == source.keccak256 => {
                    sources.insert(path.clone(), json!({ "content": content }));
                }
                Ok(_) => changed.push(format!("{path} has other contents")),
                Err(error) => changed.push(format!("{path}: {error}")),
            }
        }
        ensure!(
            changed.is_empty(),
            "the sources are not those this luxxon was built with: {}. Check out the commit the \
             contract was deployed from, run `npm ci` and build luxxon there; or, after a change, \
             run `make artifacts` and build it again",
            changed.join("; ")
        );
        let settings = settings(metadata, &file, &contract)?;
        Ok(Self {
            json: json!({
                "language": metadata.language,
                "sources": sources,
                "settings": settings,
            }),
            file,
            contract,
            compiler: metadata.compiler.version.clone(),
        })
    }

    /// How explorers name the contract.
    #[must_use]
    pub fn identifier(&self) -> String {
        format!("{}:{}", self.file, self.contract)
    }

    /// The text of the file.
    pub fn text(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(&self.json)? + "\n")
    }
}

/// The file and the name of the contract that was compiled.
fn target(metadata: &Metadata) -> Result<(String, String)> {
    let target = metadata.settings.get("compilationTarget").and_then(Value::as_object);
    let target = target.and_then(|target| target.iter().next());
    let (file, name) = target.ok_or_else(|| eyre!("the metadata names no compilation target"))?;
    let name = name.as_str().ok_or_else(|| eyre!("the metadata's target has no name"))?;
    Ok((file.clone(), name.to_owned()))
}

/// The settings as the compiler takes them, which is not quite as its metadata states them.
fn settings(metadata: &Metadata, file: &str, contract: &str) -> Result<Map<String, Value>> {
    let mut settings = metadata.settings.clone();
    settings.remove("compilationTarget");
    if let Some(libraries) = settings.remove("libraries")
        && libraries.as_object().is_none_or(|libraries| !libraries.is_empty())
    {
        bail!("the contract is linked to libraries, which this program does not expect");
    }
    let outputs = json!(["abi", "evm.bytecode", "evm.deployedBytecode", "metadata"]);
    settings.insert("outputSelection".to_owned(), json!({ file: { contract: outputs } }));
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use luxxon_bindings::build::build;

    /// A checkout with files that are what the metadata says.
    fn checkout() -> (tempfile::TempDir, Metadata) {
        let folder = tempfile::tempdir().unwrap();
        let mut metadata = build().metadata.clone();
        for (path, source) in &mut metadata.sources {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, format!("// {path}")).unwrap();
            source.keccak256 = keccak256(format!("// {path}"));
        }
        (folder, metadata)
    }

    #[test]
    fn the_input_has_exactly_the_sources_and_the_settings_of_the_metadata() {
        let (folder, metadata) = checkout();
        fs::write(folder.path().join("contracts/Other.sol"), "").unwrap();
        let input = StandardInput::build(folder.path(), &metadata).unwrap();
        assert_eq!(input.identifier(), "contracts/LuxxonSettlement.sol:LuxxonSettlement");
        let sources = input.json["sources"].as_object().unwrap();
        assert_eq!(sources.len(), metadata.sources.len());
        let settings = &input.json["settings"];
        for setting in ["optimizer", "evmVersion", "metadata", "remappings"] {
            assert_eq!(settings[setting], metadata.settings[setting], "{setting}");
        }
        assert_eq!(settings.get("compilationTarget"), None);
        assert_eq!(settings.get("libraries"), None);
    }

    #[test]
    fn a_source_that_changed_or_is_gone_is_named_with_every_other_one() {
        let (folder, metadata) = checkout();
        fs::write(folder.path().join("contracts/LuxxonSettlement.sol"), "// changed").unwrap();
        fs::remove_file(folder.path().join("contracts/ILuxxonSettlement.sol")).unwrap();
        let error = StandardInput::build(folder.path(), &metadata).unwrap_err().to_string();
        assert!(error.contains("contracts/LuxxonSettlement.sol has other contents"), "{error}");
        assert!(error.contains("contracts/ILuxxonSettlement.sol: "), "{error}");
        assert!(!error.contains("Ownable"), "{error}");
    }
}
