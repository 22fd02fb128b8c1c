//! Where PostgreSQL's server programs are.

use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// Folders in which packages put the programs without putting them on the PATH; `*` is a version.
const PACKAGED: [(&str, &str); 5] = [
    ("/usr/lib/postgresql", "bin"), // Debian, Ubuntu
    ("/usr/libexec", ""),           // Alpine: /usr/libexec/postgresql16
    ("/usr", "bin"),                // PGDG's rpm: /usr/pgsql-16/bin
    ("/opt/homebrew/opt", "bin"),   // Homebrew on Apple silicon
    ("/usr/local/opt", "bin"),      // Homebrew on Intel
];

/// The folder of `initdb`, `pg_ctl` and `postgres`: on the PATH, where `pg_config` says, or where
/// packages put it; the highest version of several.
pub(super) fn find() -> Option<PathBuf> {
    on_path().or_else(from_pg_config).or_else(packaged)
}

fn is_complete(folder: &Path) -> bool {
    PROGRAMS.iter().all(|program| folder.join(program).is_file())
}

fn on_path() -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).find(|folder| is_complete(folder))
}

fn from_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    is_complete(&folder).then_some(folder)
}

fn packaged() -> Option<PathBuf> {
    let versions = PACKAGED.iter().flat_map(|(parent, inner)| {
        std::fs::read_dir(parent).into_iter().flatten().flatten().filter_map(move |entry| {
            let folder = entry.path().join(inner);
            Some((version(entry.file_name().to_str()?)?, folder))
        })
    });
    versions.filter(|(_, folder)| is_complete(folder)).max().map(|(_, folder)| folder)
}

/// 16 for `16`, `postgresql16`, `postgresql@16`, `pgsql-16`; 0 for a plain `postgresql`.
fn version(folder_name: &str) -> Option<u32> {
    let digits = folder_name.trim_start_matches(|c: char| !c.is_ascii_digit());
    if digits.is_empty() {
        return folder_name.starts_with("postgresql").then_some(0);
    }
    digits.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_every_packagers_folder_name() {
        for name in ["16", "postgresql16", "postgresql@16", "pgsql-16", "pgsql-16.2"] {
            assert_eq!(version(name), Some(16), "{name}");
        }
        assert_eq!(version("postgresql"), Some(0));
        assert_eq!(version("lib"), None);
    }
}
