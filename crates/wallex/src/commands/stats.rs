//! `wallex stats`: what there is, in numbers.

use anyhow::Context;
use wallex_http_actix::admin_json::StatisticsJson;
use wallex_ports::Statistics;

use super::table::{Align, Table};
use super::units::{count, size};
use super::{Outcome, Ports};
use crate::cli::Output;

/// Counts everything.
///
/// # Errors
/// When the database fails.
pub(super) async fn stats(ports: &Ports, output: Output) -> anyhow::Result<Outcome> {
    let statistics = ports.recovery.statistics().await.context("can't count")?;
    let text = if output.json {
        crate::pretty_json(&StatisticsJson::from(&statistics))?
    } else {
        table(&statistics)
    };
    Ok(Outcome::fine(text))
}

fn table(statistics: &Statistics) -> String {
    let mut table = Table::new([("WHAT", Align::Left), ("HOW MANY", Align::Right)]);
    for (what, n) in [
        ("events", statistics.events),
        ("wallets, write side", statistics.wallets),
        ("wallets, read model", statistics.projected_wallets),
        ("ledger entries", statistics.ledger_entries),
        ("outbox rows", statistics.outbox_rows),
        ("idempotency records", statistics.idempotency_records),
        ("dead letters", statistics.dead_letters),
        ("discarded events", statistics.discarded_events),
    ] {
        table.row([what.to_owned(), count(n)]);
    }
    table.row(["size of the database".to_owned(), size(statistics.database_bytes)]);
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::fakes::Fakes;

    #[tokio::test]
    async fn numbers_are_for_people_or_for_machines() {
        let ports = std::sync::Arc::new(Fakes::default()).ports();
        let text = stats(&ports, Output::default()).await.expect("counted").text;
        assert!(text.contains("\nevents                   1,234\n"), "{text}");
        assert!(text.contains("size of the database   4.0 KiB\n"), "{text}");
        let json = stats(&ports, Output { json: true }).await.expect("counted").text;
        assert!(json.contains("\"events\": 1234,"), "{json}");
    }
}
