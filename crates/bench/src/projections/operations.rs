//! `wallex rebuild` and `wallex drift`, as an operator runs them, and how fast they say they were.

use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use wallex_testkit::wallex_binary;

use crate::load::per_second;

/// What is read of the report on stdout.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    state: String,
    progress: Progress,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Progress {
    done: u64,
    elapsed_ms: u64,
}

/// Runs `wallex COMMAND --json` on the database at `url`, without a server; how many events a second
/// it read, all of `events`.
pub(crate) async fn run(command: &'static str, url: &str, events: u64) -> Result<f64> {
    let mut process = Command::new(wallex_binary());
    process.args([command, "--json"]).env_clear().current_dir(std::env::temp_dir());
    process.env("DATABASE_URL", url).env("WALLEX_LOG", "warn");
    let output = tokio::task::spawn_blocking(move || process.output()).await?;
    let rate = rate_of(&output.context("the binary can't be started")?, events)
        .with_context(|| format!("wallex {command}"))?;
    eprintln!("wallex {command}: {rate:.0} events/s");
    Ok(rate)
}

fn rate_of(Output { status, stdout, stderr }: &Output, events: u64) -> Result<f64> {
    let said = || {
        let (stdout, stderr) = (String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr));
        format!("{status}:\n{stdout}\n{stderr}")
    };
    ensure!(status.success(), said());
    let Report { state, progress } = serde_json::from_slice(stdout).with_context(said)?;
    ensure!(state == "done" && progress.done == events, said());
    Ok(per_second(progress.done, Duration::from_millis(progress.elapsed_ms.max(1))))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    fn output(exit_code: i32, done: u64) -> Output {
        let stdout = format!(
            r#"{{"id":"1","state":"done","progress":{{"done":{done},"total":8,"elapsedMs":500}}}}"#
        );
        let status = ExitStatus::from_raw(exit_code << 8);
        Output { status, stdout: stdout.into_bytes(), stderr: Vec::new() }
    }

    #[test]
    fn the_rate_is_what_the_report_says() {
        let rate = rate_of(&output(0, 8), 8).expect("a report");
        assert!((rate - 16.0).abs() < 0.1, "{rate}");
    }

    #[test]
    fn differences_and_events_that_were_left_out_are_no_figure() {
        rate_of(&output(1, 8), 8).expect_err("something was not as it should be");
        rate_of(&output(0, 7), 8).expect_err("an event was not read");
    }
}
