//! `wallex projectors watch`: the projectors as they follow the events.

use std::io::{self, Write};
use std::pin::pin;

use anyhow::Context;
use tokio::time::{MissedTickBehavior, interval};
use wallex_http_actix::admin_json::ProjectorListJson;
use wallex_ports::{ProjectorStatus, Projectors, ReadError};

use super::Outcome;
use super::projectors::table;
use crate::cli::WatchArgs;

/// Goes to the first column of the first line and clears what is below.
const REDRAW: &str = "\u{1b}[H\u{1b}[J";

/// Looks again and again until `stop`, or until there is nothing left to apply where that is asked
/// for: on a `live` terminal the table is redrawn, otherwise each look is a line of JSON.
///
/// # Errors
/// When what is stored can't be understood. A database that is away is waited for.
pub(super) async fn watch(
    projectors: &dyn Projectors,
    arguments: &WatchArgs,
    live: bool,
    mut out: impl Write,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Outcome> {
    let mut stop = pin!(stop);
    let mut looks = interval(arguments.interval());
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = &mut stop => break,
            _ = looks.tick() => {}
        }
        let statuses = match projectors.status().await {
            Ok(statuses) => statuses,
            Err(error @ ReadError::Unavailable(_)) => {
                eprintln!("wallex: {}; looking again", crate::sentence::chain(&error));
                continue;
            }
            Err(error) => return Err(error).context("can't see the projectors"),
        };
        match show(&mut out, &statuses, live) {
            // Whoever read has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            shown => shown.context("stdout can't be written to")?,
        }
        let caught_up = statuses.iter().all(|status| status.lag_events() == 0);
        if arguments.until_caught_up && caught_up {
            break;
        }
    }
    Ok(Outcome::fine(String::new()))
}

fn show(out: &mut impl Write, statuses: &[ProjectorStatus], live: bool) -> io::Result<()> {
    if live {
        write!(out, "{REDRAW}{}\nCtrl-C ends.\n", table(statuses))?;
    } else {
        serde_json::to_writer(&mut *out, &ProjectorListJson::from(statuses))?;
        writeln!(out)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;
    use crate::cli::{Command, ProjectorsAction};
    use crate::commands::fakes::{Fakes, command};

    fn arguments() -> WatchArgs {
        let words = ["projectors", "watch", "--interval-ms", "50", "--until-caught-up"];
        match command(&words) {
            Command::Projectors { action: ProjectorsAction::Watch(arguments) } => arguments,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn looks_are_lines_of_json_until_all_is_applied() {
        let fakes = Fakes { lag: 2.into(), ..Fakes::default() };
        let mut out = Vec::new();
        watch(&fakes, &arguments(), false, &mut out, pending()).await.expect("watched");
        let text = String::from_utf8(out).expect("text");
        let lags: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
            .map(|look| look["items"][0]["lagEvents"].clone())
            .collect();
        assert_eq!(lags, [2, 1, 0]);
    }

    #[tokio::test]
    async fn table_is_redrawn_on_a_terminal() {
        let mut out = Vec::new();
        watch(&Fakes::default(), &arguments(), true, &mut out, pending()).await.expect("watched");
        let text = String::from_utf8(out).expect("text");
        assert!(text.starts_with("\u{1b}[H\u{1b}[JPROJECTOR"), "{text}");
    }

    #[tokio::test]
    async fn watching_ends_when_it_is_stopped() {
        let fakes = Fakes { lag: u64::from(u8::MAX).into(), ..Fakes::default() };
        let stopped = watch(&fakes, &arguments(), false, io::sink(), ready(())).await;
        assert_eq!(stopped.expect("stopped"), Outcome::fine(String::new()));
    }
}
