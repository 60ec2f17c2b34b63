//! `luxxon compile`: from the contracts' sources to the artifacts the bindings are built from.

mod build;

use crate::project;
use clap::Args;
use eyre::{OptionExt, Result, WrapErr, bail, ensure};
use foundry_compilers::{
    Project, ProjectBuilder, ProjectPathsConfig,
    artifacts::{
        CompactContractRef, EvmVersion, Settings,
        remappings::Remapping,
        solc::{BytecodeHash, SettingsMetadata},
    },
    compilers::solc::{Solc, SolcCompiler, SolcLanguage, SolcSettings},
};
use serde::{Deserialize, de::IgnoredAny};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The contracts the bindings carry, and where their sources are.
const CONTRACTS: [(&str, &str); 2] = [
    ("LuxxonSettlement", "contracts/LuxxonSettlement.sol"),
    ("UsdcStandIn", "contracts/standin/UsdcStandIn.sol"),
];

/// The contract that is deployed and verified, and so has a `.build.json` beside its artifact.
const DEPLOYED: &str = "LuxxonSettlement";

/// Where the artifacts are committed.
const ARTIFACTS: &str = "bindings/artifacts";

/// What to do with what the compiler says.
#[derive(Clone, Copy, Debug, Args)]
pub struct CompileArgs {
    /// Write nothing; fail when a committed artifact differs from what the sources compile to
    #[arg(long)]
    pub check: bool,
}

/// An artifact as it is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The contract.
    pub name: &'static str,
    /// Its file, under the project's root.
    pub path: PathBuf,
    /// The file's contents: JSON with `abi`, `bytecode` and `deployedBytecode`, or, in the file
    /// `.build.json`, with `immutables` and `metadata`.
    pub json: String,
}

/// Compiles, and writes or checks the artifacts of the checkout around the current folder.
pub fn run(args: &CompileArgs) -> Result<()> {
    let root = project::root()?;
    let artifacts = artifacts(&root)?;
    if args.check {
        let stale = stale(&root, &artifacts)?;
        ensure!(
            stale.is_empty(),
            "{} differ from what the sources compile to: run `make artifacts` and commit",
            stale.join(", ")
        );
        eprintln!("{ARTIFACTS} is what the sources compile to");
        return Ok(());
    }
    for artifact in &artifacts {
        let path = root.join(&artifact.path);
        fs::write(&path, &artifact.json).wrap_err_with(|| format!("writing {}", path.display()))?;
        eprintln!("wrote {}", artifact.path.display());
    }
    Ok(())
}

/// The files of those artifacts that do not say the same under `root`.
pub fn stale(root: &Path, artifacts: &[Artifact]) -> Result<Vec<String>> {
    let mut stale = Vec::new();
    for artifact in artifacts {
        let path = root.join(&artifact.path);
        let committed = fs::read_to_string(&path)
            .wrap_err_with(|| format!("reading the artifact {}", path.display()))?;
        if committed != artifact.json {
            stale.push(artifact.path.display().to_string());
        }
    }
    Ok(stale)
}

/// What the sources under `root` compile to, with the compiler and the settings of `foundry.toml`.
pub fn artifacts(root: &Path) -> Result<Vec<Artifact>> {
    let profile = Profile::read(root)?;
    let output = compiler_project(root, &profile)?
        .compile_files(CONTRACTS.map(|(_, source)| root.join(source)))?;
    if output.has_compiler_errors() {
        bail!("{output}");
    }
    let output = output.into_output();
    let file = |name: &str, extension: &str| Path::new(ARTIFACTS).join(name.to_owned() + extension);
    let artifact = |name: &'static str| -> Result<Artifact> {
        let contract = output.find_first(name).ok_or_eyre("the compiler left it out")?;
        Ok(Artifact { name, path: file(name, ".json"), json: artifact_json(contract)? })
    };
    let mut artifacts: Vec<Artifact> = CONTRACTS
        .into_iter()
        .map(|(name, _)| artifact(name).wrap_err(name))
        .collect::<Result<_>>()?;
    let json = build::build_json(&output, DEPLOYED).wrap_err(DEPLOYED)?;
    artifacts.push(Artifact { name: DEPLOYED, path: file(DEPLOYED, ".build.json"), json });
    Ok(artifacts)
}

fn artifact_json(contract: CompactContractRef<'_>) -> Result<String> {
    let json = serde_json::json!({
        "abi": contract.abi.ok_or_eyre("no ABI")?,
        "bytecode": contract.bin.and_then(|bin| bin.as_bytes()).ok_or_eyre("no bytecode")?,
        "deployedBytecode":
            contract.bin_runtime.and_then(|bin| bin.as_bytes()).ok_or_eyre("no deployed bytecode")?,
    });
    Ok(serde_json::to_string_pretty(&json)? + "\n")
}

fn compiler_project(root: &Path, profile: &Profile) -> Result<Project<SolcCompiler>> {
    let paths = ProjectPathsConfig::builder()
        .sources(root.join(&profile.src))
        .libs(profile.libs.iter().map(|lib| root.join(lib)))
        .remappings(profile.remappings(root)?)
        .build_with_root::<SolcLanguage>(root);
    let settings = SolcSettings { settings: profile.settings()?, ..SolcSettings::default() };
    let solc = Solc::new(root.join(&profile.solc)).wrap_err("the Solidity compiler")?;
    let project = ProjectBuilder::<SolcCompiler>::default()
        .paths(paths)
        .settings(settings)
        .ephemeral()
        .no_artifacts()
        .build(SolcCompiler::Specific(solc))?;
    Ok(project)
}

#[derive(Debug, Deserialize)]
struct FoundryToml {
    profile: Profiles,
}

#[derive(Debug, Deserialize)]
struct Profiles {
    default: Profile,
}

/// The part of `foundry.toml` that decides what comes out. A setting that is not listed here is
/// refused: it might change the bytecode, and this compiler would not know.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    src: PathBuf,
    libs: Vec<PathBuf>,
    remappings: Vec<String>,
    solc: PathBuf,
    evm_version: String,
    optimizer: bool,
    optimizer_runs: usize,
    via_ir: bool,
    bytecode_hash: String,

    // Known, and of no consequence for the bytecode.
    #[serde(rename = "test")]
    _test: IgnoredAny,
    #[serde(rename = "out")]
    _out: IgnoredAny,
    #[serde(rename = "cache_path")]
    _cache_path: IgnoredAny,
    #[serde(rename = "auto_detect_remappings")]
    _auto_detect_remappings: IgnoredAny,
    #[serde(rename = "offline")]
    _offline: IgnoredAny,
}

impl Profile {
    fn read(root: &Path) -> Result<Self> {
        let path = root.join("foundry.toml");
        let text = fs::read_to_string(&path).wrap_err_with(|| path.display().to_string())?;
        let parsed: FoundryToml =
            toml::from_str(&text).wrap_err_with(|| path.display().to_string())?;
        Ok(parsed.profile.default)
    }

    fn remappings(&self, root: &Path) -> Result<Vec<Remapping>> {
        self.remappings
            .iter()
            .map(|text| {
                let mut remapping: Remapping = text.parse().wrap_err_with(|| text.clone())?;
                remapping.path = root.join(&remapping.path).to_string_lossy().into_owned();
                Ok(remapping)
            })
            .collect()
    }

    fn settings(&self) -> Result<Settings> {
        let evm_version: EvmVersion = self
            .evm_version
            .parse()
            .map_err(|_| eyre::eyre!("evm_version {} is not known", self.evm_version))?;
        let bytecode_hash: BytecodeHash = self
            .bytecode_hash
            .parse()
            .map_err(|_| eyre::eyre!("bytecode_hash {} is not known", self.bytecode_hash))?;
        let mut settings = Settings {
            evm_version: Some(evm_version),
            via_ir: Some(self.via_ir),
            metadata: Some(SettingsMetadata::new(bytecode_hash, true)),
            output_selection: build::output_selection(),
            ..Settings::default()
        };
        settings.optimizer.enabled = Some(self.optimizer);
        settings.optimizer.runs = Some(self.optimizer_runs);
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_artifacts_are_what_the_sources_compile_to() {
        let root = project::root().unwrap();
        let artifacts = artifacts(&root).unwrap();
        assert_eq!(artifacts.len(), CONTRACTS.len() + 1);
        assert_eq!(stale(&root, &artifacts).unwrap(), [""; 0]);
    }

    #[test]
    fn an_artifact_that_differs_in_one_byte_is_stale() {
        let root = tempfile::tempdir().unwrap();
        let artifact = Artifact { name: "A", path: "A.json".into(), json: "{}\n".to_owned() };
        fs::write(root.path().join("A.json"), "{}").unwrap();
        assert_eq!(stale(root.path(), std::slice::from_ref(&artifact)).unwrap(), ["A.json"]);
        fs::write(root.path().join("A.json"), "{}\n").unwrap();
        assert_eq!(stale(root.path(), &[artifact]).unwrap(), [""; 0]);
    }

    #[test]
    fn a_setting_of_foundry_toml_that_is_not_understood_is_refused() {
        let root = project::root().unwrap();
        let text = fs::read_to_string(root.join("foundry.toml")).unwrap();
        assert!(toml::from_str::<FoundryToml>(&text).is_ok());
        let more =
            text.replacen("[profile.default]", "[profile.default]\nrevert_strings = \"strip\"", 1);
        let error = toml::from_str::<FoundryToml>(&more).unwrap_err().to_string();
        assert!(error.contains("revert_strings"), "{error}");
    }
}
