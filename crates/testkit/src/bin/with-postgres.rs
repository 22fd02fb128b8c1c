//! `with-postgres [--fsync] [--] COMMAND [ARG…]`: runs a command that finds a PostgreSQL server
//! under `WALLEX_TEST_POSTGRES_URL`: the one that the variable names already, or else a private
//! cluster that is gone when the command ends, whichever way. Exits as the command does.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use wallex_testkit::{POSTGRES_URL_VARIABLE, PostgresOptions, PrivatePostgres};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("with-postgres: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<u8> {
    let mut words = std::env::args().skip(1).peekable();
    let fsync = words.next_if(|word| word == "--fsync").is_some();
    words.next_if(|word| word == "--");
    let Some(program) = words.next() else {
        bail!("usage: with-postgres [--fsync] [--] COMMAND [ARG…]");
    };
    let mut command = Command::new(&program);
    command.args(words);
    // The cluster lives until the end of this function.
    let _cluster = match std::env::var(POSTGRES_URL_VARIABLE) {
        Ok(url) if !url.is_empty() => None,
        _ => {
            let cluster = PrivatePostgres::start(&PostgresOptions { fsync, ..Default::default() })?;
            command.env(POSTGRES_URL_VARIABLE, cluster.url());
            Some(cluster)
        }
    };
    // A terminal's Ctrl-C reaches the command by itself: it decides when to end, and we follow.
    // A TERM reaches only us, and is passed on.
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut child = command.spawn().with_context(|| format!("{program} could not be started"))?;
    let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    let status = loop {
        tokio::select! {
            status = child.wait() => break status.context("the command can't be waited for")?,
            _ = interrupted.recv() => {}
            _ = terminated.recv() => if let Some(pid) = pid {
                kill_process(pid, Signal::TERM).ok();
            },
        }
    };
    Ok(exit_code(status))
}

/// The command's own code; 128 and the signal's number when a signal ended it, as a shell has it.
fn exit_code(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
