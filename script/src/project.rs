//! Where the project is.

use eyre::{Result, WrapErr, eyre};
use std::{
    env,
    path::{Path, PathBuf},
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
