//! What a process takes of the machine.

use std::path::Path;

/// Memory and open files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) memory_kib: u64,
    pub(crate) files: u64,
}

impl Usage {
    /// Of a process; `None` when it is gone, or this system does not tell.
    pub(crate) fn of(process: u32) -> Option<Self> {
        let folder = Path::new("/proc").join(process.to_string());
        let status = std::fs::read_to_string(folder.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let memory_kib = line.split_whitespace().next()?.parse().ok()?;
        let files = std::fs::read_dir(folder.join("fd")).ok()?.count() as u64;
        Some(Self { memory_kib, files })
    }
}
