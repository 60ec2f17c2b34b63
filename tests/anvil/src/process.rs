//! What the system tells of a process.

use eyre::{Result, eyre};
use std::{fs, time::Duration};

/// The most memory that the process ever had, in bytes. Linux tells; it forgets when the process
/// ends.
pub(crate) fn peak_memory(pid: u32) -> Result<u64> {
    status(pid, "VmHWM:")
}

/// The memory that the process has now, in bytes.
pub(crate) fn memory(pid: u32) -> Result<u64> {
    status(pid, "VmRSS:")
}

/// How long the process has kept a core busy, for itself and in the system. Linux counts in hundredths
/// of a second.
pub(crate) fn busy(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let unfit = || eyre!("no times in {stat}");
    // Its name is in brackets, and may hold anything.
    let (_, behind) = stat.rsplit_once(") ").ok_or_else(unfit)?;
    let mut times = behind.split(' ').skip(11).map(str::parse::<u64>);
    let (Some(Ok(user)), Some(Ok(system))) = (times.next(), times.next()) else {
        return Err(unfit());
    };
    Ok(Duration::from_millis(10 * (user + system)))
}

/// How much the process has had to read from a disk, in bytes: Linux counts no page there that was in
/// memory.
pub(crate) fn read_from_disk(pid: u32) -> Result<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let read = io.lines().find_map(|line| line.strip_prefix("read_bytes: "));
    Ok(read.ok_or_else(|| eyre!("no bytes in {io}"))?.parse()?)
}

fn status(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let size = status.lines().find_map(|line| line.strip_prefix(name));
    let size = size.and_then(|size| size.trim().strip_suffix(" kB"));
    let kibibytes: u64 = size.ok_or_else(|| eyre!("no {name} in {status}"))?.parse()?;
    Ok(kibibytes * 1024)
}
