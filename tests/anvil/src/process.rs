//! What the system tells of a process.

use eyre::{Result, eyre};
use std::fs;

/// The most memory that the process ever had, in bytes. Linux tells; it forgets when the process
/// ends.
pub(crate) fn peak_memory(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    let kibibytes: u64 = peak.ok_or_else(|| eyre!("no peak in {status}"))?.parse()?;
    Ok(kibibytes * 1024)
}
