use crate::api::Surface;
use eyre::Result;
use std::io::{Write, stdout};

/// Prints the document of the API, as it is kept beside the sources.
pub(super) fn print(internal: bool) -> Result<()> {
    let surface = if internal { Surface::Internal } else { Surface::Published };
    Ok(stdout().write_all(surface.pretty_json().as_bytes())?)
}
