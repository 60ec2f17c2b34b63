//! What the system tells of a process.

use eyre::{Result, eyre};
use std::fs;

/// The most memory that the process ever had, in bytes. Linux tells; it forgets when the process
/// ends.
pub(crate) fn peak_memory(pid: u32) -> Result<u64> {
    status(pid, "VmHWM:")
}

/// The memory that the process has now, in bytes.
pub(crate) fn memory(pid: u32) -> Result<u64> {
    status(pid, "VmRSS:")
}

fn status(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let size = status.lines().find_map(|line| line.strip_prefix(name));
    let size = size.and_then(|size| size.trim().strip_suffix(" kB"));
    let kibibytes: u64 = size.ok_or_else(|| eyre!("no {name} in {status}"))?.parse()?;
    Ok(kibibytes * 1024)
}
