use eyre::{Result, WrapErr, ensure, eyre};
use std::{env, path::PathBuf, process::Command, sync::OnceLock};

/// The folder with the project's programs, built from the sources as they are now.
///
/// cargo builds what a test links to, not what it starts: without this, a test could judge the
/// programs of an earlier build.
pub fn programs() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    built.clone().map_err(|error| eyre!(error))
}

fn build() -> Result<PathBuf> {
    // target/<profile>/deps/<test>
    let here = env::current_exe()?;
    let folder = here.ancestors().nth(2).ok_or_else(|| eyre!("{} is no test", here.display()))?;
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--workspace", "--bins", "--quiet"]);
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    let status = cargo.status().wrap_err("cargo")?;
    ensure!(status.success(), "the programs do not build");
    Ok(folder.to_owned())
}
