//! How many files a program may have open.

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Has the system let this program, and the servers that it starts, open as many files as it lets
/// anybody: ten thousand connections are as many files on both sides. Returns how many those are.
///
/// # Errors
/// When the system refuses.
pub fn allow_many_files() -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).context("the limit of open files can't be raised")?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}
