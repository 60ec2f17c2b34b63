//! What the system tells of a process.

use eyre::{Result, eyre};
use std::{fs, path::Path, time::Duration};

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

/// How much the threads of the process with this name have had to read from a disk, in bytes: Linux counts
/// no page there that was in memory.
pub(crate) fn read_from_disk(pid: u32, name: &str) -> Result<u64> {
    let mut bytes = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?.path();
        if fs::read_to_string(thread.join("comm"))?.trim_end() == name {
            let io = fs::read_to_string(thread.join("io"))?;
            let read = io.lines().find_map(|line| line.strip_prefix("read_bytes: "));
            bytes += read.ok_or_else(|| eyre!("no bytes in {io}"))?.parse::<u64>()?;
        }
    }
    Ok(bytes)
}

/// How many bytes of the file at `path` the process has mapped and in memory.
pub(crate) fn mapped(pid: u32, path: &Path) -> Result<u64> {
    let (maps, path) = (fs::read_to_string(format!("/proc/{pid}/smaps"))?, path.canonicalize()?);
    let path = path.display().to_string();
    let mut of_file = maps.lines().skip_while(|line| !line.ends_with(&path));
    let resident = of_file.find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB"));
    Ok(resident.map_or(Ok(0), str::parse::<u64>)? << 10)
}

fn status(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let size = status.lines().find_map(|line| line.strip_prefix(name));
    let size = size.and_then(|size| size.trim().strip_suffix(" kB"));
    let kibibytes: u64 = size.ok_or_else(|| eyre!("no {name} in {status}"))?.parse()?;
    Ok(kibibytes * 1024)
}
