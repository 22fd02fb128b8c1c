//! `wallex projectors`: what they do, started and stopped by hand.

use std::io::{self, IsTerminal};

use anyhow::{Context, anyhow};
use wallex_http_actix::admin_json::ProjectorListJson;
use wallex_ports::{ProjectorStatus, Projectors, SteerError};

use super::table::{Align, Table};
use super::units::{count, time};
use super::{Outcome, Ports, interrupted, watch};
use crate::cli::{Output, ProjectorsAction};

/// Does what is asked.
///
/// # Errors
/// When there is no such projector, or the database fails.
pub(super) async fn run(ports: &Ports, action: &ProjectorsAction) -> anyhow::Result<Outcome> {
    let projectors = ports.projectors.as_ref();
    match action {
        ProjectorsAction::List(output) => {
            let statuses = projectors.status().await.context("can't see the projectors")?;
            Ok(Outcome::fine(text(&statuses, *output)?))
        }
        ProjectorsAction::Start { name, output } => {
            let started = projectors.start(name).await;
            steered(projectors, name, started, *output).await
        }
        ProjectorsAction::Stop { name, output } => {
            let stopped = projectors.stop(name).await;
            steered(projectors, name, stopped, *output).await
        }
        ProjectorsAction::Watch(arguments) => {
            let live = io::stdout().is_terminal() && !arguments.output.json;
            watch::watch(projectors, arguments, live, io::stdout(), interrupted()?).await
        }
    }
}

/// What there is to say after a projector was steered.
async fn steered(
    projectors: &dyn Projectors,
    name: &str,
    outcome: Result<(), SteerError>,
    output: Output,
) -> anyhow::Result<Outcome> {
    let mut statuses = projectors.status().await.context("can't see the projectors")?;
    match outcome {
        Ok(()) => {
            statuses.retain(|status| status.projector == name);
            Ok(Outcome::fine(text(&statuses, output)?))
        }
        Err(SteerError::UnknownProjector) => {
            let mut names: Vec<_> = statuses.into_iter().map(|status| status.projector).collect();
            names.dedup();
            Err(anyhow!("there is no projector {name:?}; there are {}", names.join(", ")))
        }
        Err(SteerError::Database(error)) => {
            Err(error).with_context(|| format!("can't steer {name}"))
        }
    }
}

fn text(statuses: &[ProjectorStatus], output: Output) -> anyhow::Result<String> {
    if output.json {
        crate::pretty_json(&ProjectorListJson::from(statuses))
    } else {
        Ok(table(statuses))
    }
}

/// A line for each projector in each shard, and below what those that fail say.
pub(super) fn table(statuses: &[ProjectorStatus]) -> String {
    use Align::{Left, Right};
    let mut table = Table::new([
        ("PROJECTOR", Left),
        ("SHARD", Right),
        ("STATE", Left),
        ("POSITION", Right),
        ("LAG", Right),
        ("LAG AGE", Right),
        ("EVENTS/S", Right),
        ("PARKED", Right),
        ("HOLDER", Left),
    ]);
    for status in statuses {
        table.row([
            status.projector.clone(),
            status.shard.to_string(),
            status.state.as_str().to_owned(),
            count(status.position),
            count(status.lag_events()),
            time(status.lag_age_ms),
            count(status.events_per_second),
            count(status.parked_wallets),
            status.holder.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    let mut text = table.render();
    for status in statuses {
        if let Some((message, _)) = &status.last_error {
            let message = message.replace(char::is_control, " ");
            let ProjectorStatus { projector, shard, .. } = status;
            text.push_str(&format!("\n{projector}, shard {shard}, last failed: {message}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use wallex_ports::{ProjectorState, Timestamp};

    use super::*;
    use crate::commands::fakes::Fakes;

    #[tokio::test]
    async fn projectors_are_listed_with_what_fails() {
        let fakes = Arc::new(Fakes { lag: 2.into(), ..Fakes::default() });
        let mut statuses = fakes.status().await.expect("seen");
        statuses[1].state = ProjectorState::Failing;
        statuses[1].last_error = Some(("table\ngone".to_owned(), Timestamp::from_unix_ms(0)));
        assert_eq!(
            table(&statuses),
            "PROJECTOR   SHARD  STATE    POSITION  LAG  LAG AGE  EVENTS/S  PARKED  HOLDER\n\
             ledger          0  running     1,040    2    3.0 s       900       0  host:7:abc\n\
             read_model      0  failing     1,040    2    3.0 s       900       0  host:7:abc\n\n\
             read_model, shard 0, last failed: table gone\n"
        );
    }

    #[tokio::test]
    async fn steering_tells_how_that_projector_is() {
        let ports = Arc::new(Fakes::default()).ports();
        let output = Output { json: true };
        let stop = ProjectorsAction::Stop { name: "ledger".to_owned(), output };
        let json: serde_json::Value =
            serde_json::from_str(&run(&ports, &stop).await.expect("stopped").text).expect("JSON");
        assert_eq!(json["items"].as_array().map(Vec::len), Some(1));
        assert_eq!(json["items"][0]["name"], "ledger");
        let start = ProjectorsAction::Start { name: "legder".to_owned(), output };
        let error = run(&ports, &start).await.expect_err("misspelt").to_string();
        assert_eq!(error, "there is no projector \"legder\"; there are ledger, read_model");
    }
}
