//! Prometheus' own programs: `promtool`, which checks rules and scrapes, and the server itself.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where `just prometheus` puts the programs, within the target folder.
const INSTALLED: &str = "prometheus/usr/bin";

/// Whether what needs these programs is left out: `just test` says so at its end.
pub(crate) fn are_left_out() -> bool {
    std::env::var_os("WALLEX_TEST_WITHOUT_PROMETHEUS").is_some()
}

/// The program `name`: on the PATH, or where `just prometheus` puts it.
///
/// # Panics
/// When it is in neither place.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let test = std::env::current_exe().expect("the test knows its own path");
    let targets = test.ancestors().map(|folder| folder.join(INSTALLED));
    let found = std::env::split_paths(&path)
        .chain(targets)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} was not found. Type `just prometheus`, or put Prometheus on the PATH.")
    })
}

/// Runs `promtool ARGS…` in `folder` with `input`, and returns whether it was content, and all that
/// it said. Left out, it is content.
pub(crate) fn promtool(folder: &Path, args: &[&str], input: &str) -> (bool, String) {
    if are_left_out() {
        return (true, String::new());
    }
    let mut child = Command::new(program("promtool"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    // One that wants no input may have closed it.
    child.stdin.take().expect("piped").write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().expect("promtool ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}
