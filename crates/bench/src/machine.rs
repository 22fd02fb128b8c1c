//! Where the figures come from: a figure without its machine says nothing.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

/// File systems in memory: a commit to one of them waits for nothing.
const IN_MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

/// Names and values, to be shown.
pub(crate) type Facts = Vec<(&'static str, String)>;

/// What this machine is, and how busy it is before we make it so.
pub(crate) fn facts(folder: &Path) -> Result<Facts> {
    let file_system = file_system(folder);
    ensure!(
        !IN_MEMORY.contains(&file_system.as_str()),
        "{} is in memory ({file_system}), where nothing is durable: set TMPDIR to a folder on a disk",
        folder.display()
    );
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = line_of("/proc/cpuinfo", "model name").unwrap_or_else(unknown);
    Ok(vec![
        ("Processor", format!("{processor}, {cores} cores")),
        ("Memory", line_of("/proc/meminfo", "MemTotal").unwrap_or_else(unknown)),
        ("File system", file_system),
        ("System", first_line("uname", &["-srm"])),
        ("Compiler", first_line("rustc", &["--version"])),
        ("Load average before the run", load_average()),
    ])
}

fn unknown() -> String {
    "unknown".to_owned()
}

fn load_average() -> String {
    let averages = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    averages.split(' ').next().filter(|text| !text.is_empty()).map_or_else(unknown, str::to_owned)
}

/// What stands behind `name :` in a file of the kernel's.
fn line_of(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_else(unknown)
}

/// The kind of the file system that `folder` is on.
fn file_system(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    kind_of(&mounts, &folder).unwrap_or_else(unknown)
}

/// The kind of the last mount with the longest path above `folder`.
fn kind_of(mounts: &str, folder: &Path) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((Path::new(fields.next()?), fields.next()?))
    });
    let above = mounts.filter(|(path, _)| folder.starts_with(path));
    above.max_by_key(|(path, _)| path.components().count()).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_on_the_nearest_mount_above_it() {
        let mounts = "/dev/vda / ext4 rw 0 0\nnone /tmp tmpfs rw 0 0\nnone /tm ramfs rw 0 0\n";
        assert_eq!(kind_of(mounts, Path::new("/tmp/x")).as_deref(), Some("tmpfs"));
        assert_eq!(kind_of(mounts, Path::new("/home/x")).as_deref(), Some("ext4"));
    }
}
