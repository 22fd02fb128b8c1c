//! `wallex outbox`: what waits in it, and its cleanup by hand.

use std::time::Duration;

use anyhow::Context;
use wallex_http_actix::admin_json::{CleanupJson, OutboxJson};
use wallex_ports::OutboxShard;

use super::table::{Align, Table};
use super::units::{count, counted, time};
use super::{Outcome, Ports};
use crate::cli::OutboxAction;

const MS_PER_HOUR: u64 = 3_600_000;

/// Does what is asked; `retention` is how old a row must be when nothing else is said.
///
/// # Errors
/// When the database fails.
pub(super) async fn run(
    ports: &Ports,
    action: &OutboxAction,
    retention: Duration,
) -> anyhow::Result<Outcome> {
    let text = match action {
        OutboxAction::Status(output) => {
            let shards = ports.recovery.outbox().await.context("can't see the outbox")?;
            if output.json {
                crate::pretty_json(&OutboxJson::from(shards.as_slice()))?
            } else {
                table(&shards)
            }
        }
        OutboxAction::Cleanup { older_than_hours, output } => {
            let retention_ms = u64::try_from(retention.as_millis()).unwrap_or(u64::MAX);
            let older_than_ms = older_than_hours.map_or(retention_ms, |hours| hours * MS_PER_HOUR);
            let cleaned = ports.recovery.clean_outbox(older_than_ms).await;
            let deleted = cleaned.context("the outbox can't be cleaned")?;
            if output.json {
                crate::pretty_json(&CleanupJson { deleted })?
            } else {
                format!("{} deleted\n", counted(deleted, "row", "rows"))
            }
        }
    };
    Ok(Outcome::fine(text))
}

fn table(shards: &[OutboxShard]) -> String {
    use Align::Right;
    let mut table = Table::new([
        ("SHARD", Right),
        ("HEAD", Right),
        ("PROCESSED", Right),
        ("UNPROCESSED", Right),
        ("LAG AGE", Right),
        ("OLDEST KEPT", Right),
    ]);
    for shard in shards {
        table.row([
            shard.shard.to_string(),
            count(shard.head),
            count(shard.processed),
            count(shard.head.saturating_sub(shard.processed)),
            time(shard.lag_age_ms),
            shard.oldest_kept.map_or_else(|| "-".to_owned(), count),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::cli::Output;
    use crate::commands::fakes::Fakes;

    #[tokio::test]
    async fn status_tells_what_waits() {
        let ports = Arc::new(Fakes::default()).ports();
        let action = OutboxAction::Status(Output::default());
        let text = run(&ports, &action, Duration::ZERO).await.expect("seen").text;
        assert_eq!(
            text,
            "SHARD   HEAD  PROCESSED  UNPROCESSED  LAG AGE  OLDEST KEPT\n    \
             0  1,042      1,040            2    1.5 s            -\n"
        );
    }

    #[tokio::test]
    async fn cleanup_keeps_what_is_younger_than_told() {
        let fakes = Arc::new(Fakes::default());
        for (older_than_hours, asked_ms) in [(None, 86_400_000), (Some(2), 7_200_000), (Some(0), 0)]
        {
            let action = OutboxAction::Cleanup { older_than_hours, output: Output::default() };
            let retention = Duration::from_secs(86_400);
            let outcome = run(&fakes.ports(), &action, retention).await.expect("cleaned");
            assert_eq!(outcome.text, "33 rows deleted\n");
            assert_eq!(fakes.older_than_ms.load(Ordering::SeqCst), asked_ms);
        }
    }
}
