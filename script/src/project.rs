//! Where the project is, and the tools it brings.

use eyre::{Result, WrapErr, ensure, eyre};
use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// The checkout: the nearest folder above the current one that holds `foundry.toml` and
/// `package.json`.
pub fn root() -> Result<PathBuf> {
    let here = env::current_dir().wrap_err("no current folder")?;
    here.ancestors()
        .find(|folder| ["foundry.toml", "package.json"].iter().all(|f| folder.join(f).is_file()))
        .map(Path::to_owned)
        .ok_or_else(|| eyre!("{} is not inside a checkout of the project", here.display()))
}

/// The native executable of `forge`, `anvil` or `cast` at the version the project pins: the one on
/// PATH where it is that version, else the one `npm ci` brought.
pub fn tool(name: &str) -> Result<PathBuf> {
    let script = root()?.join("script/tool.js");
    let output = Command::new("node")
        .arg(script)
        .arg(name)
        .output()
        .wrap_err("node does not run: it is needed to find the Solidity tools")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}
