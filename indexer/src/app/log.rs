use super::catching_up::Screen;
use crate::config::LogFormat;
use eyre::{Result, eyre};
use std::{
    env,
    io::{IsTerminal, stderr},
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    prelude::*,
};

/// Begins the log, on standard error, around what `screen` shows.
///
/// The level is that of this program alone. What the libraries under it would say at such levels
/// includes the node's URL, and with it a key.
pub(super) fn start(format: LogFormat, screen: &Screen) -> Result<()> {
    let level = match env::var("LUXXON_LOG") {
        Ok(level) => level.parse().map_err(|_| {
            eyre!("LUXXON_LOG is {level:?}, expected off, error, warn, info, debug or trace")
        })?,
        Err(_) => LevelFilter::INFO,
    };
    let filter =
        Targets::new().with_default(LevelFilter::ERROR).with_target("luxxon_indexer", level);
    let screen = screen.clone();
    let layer = tracing_subscriber::fmt::layer().with_writer(move || screen.log());
    let layer = match format {
        LogFormat::Text => layer.with_ansi(stderr().is_terminal()).boxed(),
        LogFormat::Json => layer.json().boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).init();
    Ok(())
}
