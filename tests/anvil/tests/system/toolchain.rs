//! The Solidity tools: the ones on PATH where they are the pinned version, else npm's.

use eyre::{Result, eyre};
use luxxon_script::project;
use std::{env, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

/// Puts an executable into `folder` that answers everything with `text`.
fn fake(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\ncat <<'END'\n{text}\nEND\n"))?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}

/// What `node script/<args>` prints with `folder` first on PATH.
fn node(folder: &Path, args: &[&str]) -> Result<String> {
    let root = project::root()?;
    let path = env::var_os("PATH").ok_or_else(|| eyre!("no PATH"))?;
    let path = env::join_paths([folder.to_owned()].into_iter().chain(env::split_paths(&path)))?;
    let output =
        Command::new("node").args(args).current_dir(root.join("script")).env("PATH", path).output();
    Ok(String::from_utf8(output?.stdout)?)
}

#[test]
fn a_native_tool_on_path_is_used_where_its_version_is_the_pinned_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for tool in ["forge", "anvil", "cast"] {
        fake(folder.path(), tool, &format!("{tool} Version: 1.7.1-stable"))?;
        let found = node(folder.path(), &["tool.js", tool])?;
        assert_eq!(found.trim(), folder.path().join(tool).to_string_lossy());

        fake(folder.path(), tool, &format!("{tool} Version: 1.6.0-stable"))?;
        let found = node(folder.path(), &["tool.js", tool])?;
        assert!(found.contains("node_modules"), "{tool} of another version: {found}");
    }
    Ok(())
}

#[test]
fn a_native_solc_on_path_is_used_where_its_version_is_the_pinned_one() -> Result<()> {
    let folder = tempfile::tempdir()?;
    fake(folder.path(), "solc", "a native one\nVersion: 0.8.37+commit.00000000.Linux.g++")?;
    let said = node(folder.path(), &["solc.js", "--version"])?;
    assert!(said.contains("a native one"), "{said}");

    fake(folder.path(), "solc", "a native one\nVersion: 0.8.36+commit.00000000.Linux.g++")?;
    let said = node(folder.path(), &["solc.js", "--version"])?;
    assert!(said.contains("Version: 0.8.37+commit.") && !said.contains("a native one"), "{said}");
    Ok(())
}
