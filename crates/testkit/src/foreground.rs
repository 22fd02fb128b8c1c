//! Running a command in the foreground, on behalf of whoever started us.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// Runs `program` with `args` and further variables, and waits for its end, whatever signal comes.
/// Returns the code to exit with: the command's own, or 128 and the signal's number when a signal
/// ended it, as a shell has it.
///
/// # Errors
/// When it can't be started.
pub async fn run_in_foreground(
    program: &str,
    args: impl IntoIterator<Item = String>,
    variables: &[(&str, &str)],
) -> Result<u8> {
    // A terminal's Ctrl-C reaches the command by itself: it decides when to end, and we follow.
    // A TERM reaches only us, and is passed on.
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut command = Command::new(program);
    command.args(args).envs(variables.iter().copied());
    let mut child = command.spawn().with_context(|| format!("{program} could not be started"))?;
    let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    loop {
        tokio::select! {
            status = child.wait() => {
                return Ok(exit_code(status.context("the command can't be waited for")?));
            }
            _ = interrupted.recv() => {}
            _ = terminated.recv() => if let Some(pid) = pid {
                kill_process(pid, Signal::TERM).ok();
            },
        }
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
