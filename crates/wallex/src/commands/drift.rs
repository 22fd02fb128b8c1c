//! `wallex drift`: compares the projections and the write side's state with the events.

use wallex_ports::{
    CurrencyTotals, Difference, Operation, OperationKind, Place, ProjectorStatus, Report,
};

use super::progress::View;
use super::table::{Align, Table};
use super::units::{count, counted};
use super::{Outcome, Ports, follow};
use crate::cli::OperationArgs;

/// What stands where there is nothing.
const NOTHING: &str = "-";

/// Compares, and says which wallets differ and by how much.
///
/// # Errors
/// When it can't begin, fails, or is left by `stop`.
pub(super) async fn drift(
    ports: &Ports,
    arguments: &OperationArgs,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Outcome> {
    let view = View::new(arguments.progress);
    let recovery = ports.recovery.as_ref();
    let scope = arguments.scope();
    let operation = follow::to_its_end(recovery, OperationKind::Drift, scope, view, stop).await?;
    let complaint = complaint(&operation.report);
    let behind = behind(&ports.projectors.status().await?);
    let text = |operation: &Operation| text(operation) + &behind;
    follow::outcome(&operation, arguments.progress, text, complaint)
}

/// What is not as it should be, and what helps.
fn complaint(report: &Report) -> Option<String> {
    let named = |place: fn(Place) -> bool| report.differences.iter().any(|d| place(d.place));
    if report.differences_total > 0 {
        let found = counted(report.differences_total, "difference was", "differences were");
        let mut text = format!("{found} found");
        if named(|place| matches!(place, Place::ReadModel | Place::Ledger)) {
            text.push_str("; `wallex rebuild` puts the projections right");
        }
        if named(|place| matches!(place, Place::Events | Place::WriteSide)) {
            text.push_str("; events and write side were changed by hand: see the runbook");
        }
        return Some(text);
    }
    if report.parked > 0 {
        let open = counted(report.parked, "dead letter is", "dead letters are");
        return Some(format!("{open} open: see `wallex dead-letters list`"));
    }
    let balances = report.trial_balance.iter().all(CurrencyTotals::balances);
    (!balances).then(|| "the trial balance does not balance: see TRANSFERS IN and OUT".to_owned())
}

/// What was not compared, because it is not projected yet.
fn behind(all: &[ProjectorStatus]) -> String {
    let late = all.iter().filter(|status| status.lag_events() > 0);
    let lines = late.map(|status| {
        format!(
            "\n{} is {} behind in shard {}: its table was compared as far as it has come, and its \
             column counts the rest as the events have it\n",
            status.projector,
            counted(status.lag_events(), "event", "events"),
            status.shard
        )
    });
    lines.collect()
}

fn text(operation: &Operation) -> String {
    let report = &operation.report;
    let mut text = follow::heading(operation);
    text.push('\n');
    if report.differences_total == 0 {
        text.push_str("no differences\n");
    } else {
        text.push_str(&differences(report));
    }
    if !report.trial_balance.is_empty() {
        text.push('\n');
        text.push_str(&trial_balance(&report.trial_balance));
    }
    text.push_str(&follow::parked(operation));
    text
}

/// A line for each difference that the report names.
fn differences(report: &Report) -> String {
    use Align::{Left, Right};
    let mut table = Table::new([
        ("WALLET", Left),
        ("PLACE", Left),
        ("WHAT", Left),
        ("EXPECTED", Right),
        ("FOUND", Right),
        ("DIFFERENCE", Right),
    ]);
    for difference in &report.differences {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| NOTHING.to_owned());
        table.row([
            difference.wallet_id.clone(),
            difference.place.as_str().to_owned(),
            what(difference),
            text(&difference.expected),
            text(&difference.found),
            difference.difference_minor.map_or_else(|| NOTHING.to_owned(), count),
        ]);
    }
    let mut text = table.render();
    let named = u64::try_from(report.differences.len()).unwrap_or(u64::MAX);
    let unnamed = report.differences_total.saturating_sub(named);
    if unnamed > 0 {
        text.push_str(&format!("and {} more\n", count(unnamed)));
    }
    text
}

fn what(difference: &Difference) -> String {
    match difference.version {
        Some(version) => format!("{} (version {version})", difference.what),
        None => difference.what.clone(),
    }
}

/// The sums of each currency, in minor units: those of the events, and what stands elsewhere.
fn trial_balance(totals: &[CurrencyTotals]) -> String {
    use Align::{Left, Right};
    let mut table = Table::new([
        ("CURRENCY", Left),
        ("WALLETS", Right),
        ("OPENINGS", Right),
        ("CREDITS", Right),
        ("DEBITS", Right),
        ("TRANSFERS IN", Right),
        ("TRANSFERS OUT", Right),
        ("BALANCE", Right),
        ("WRITE SIDE", Right),
        ("READ MODEL", Right),
        ("LEDGER", Right),
    ]);
    for total in totals {
        table.row([
            total.currency.clone(),
            count(total.wallets),
            count(total.openings),
            count(total.credits),
            count(total.debits),
            count(total.transfers_in),
            count(total.transfers_out),
            count(total.events()),
            count(total.write_side),
            count(total.read_model),
            count(total.ledger),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::commands::fakes::{Fakes, arguments};

    #[tokio::test]
    async fn without_differences_all_is_well() {
        let fakes = Fakes::ending_with(|_| ());
        let outcome = drift(&fakes.ports(), &arguments(&["drift", "--quiet"]), pending())
            .await
            .expect("done");
        assert_eq!(outcome.complaint, None);
        assert!(outcome.text.ends_with("\nno differences\n"), "{}", outcome.text);
    }

    #[tokio::test]
    async fn differences_are_named_and_complained_of() {
        let fakes = Fakes::ending_with(|operation| {
            operation.report.differences_total = 3;
            operation.report.differences = vec![
                Difference {
                    tenant: "default".to_owned(),
                    wallet_id: "w-1".to_owned(),
                    place: Place::ReadModel,
                    version: None,
                    what: "balance".to_owned(),
                    expected: Some("1000".to_owned()),
                    found: Some("4000".to_owned()),
                    difference_minor: Some(3_000),
                },
                Difference {
                    tenant: "default".to_owned(),
                    wallet_id: "w-2".to_owned(),
                    place: Place::Ledger,
                    version: Some(7),
                    what: "row".to_owned(),
                    expected: Some("credit 5".to_owned()),
                    found: None,
                    difference_minor: None,
                },
            ];
            operation.report.trial_balance = vec![CurrencyTotals {
                currency: "USD".to_owned(),
                wallets: 2,
                openings: 1_500,
                debits: 500,
                write_side: 1_000,
                read_model: 4_000,
                ledger: 1_000,
                ..CurrencyTotals::default()
            }];
        });
        let outcome = drift(&fakes.ports(), &arguments(&["drift", "--quiet"]), pending())
            .await
            .expect("done");
        let (_, report) = outcome.text.split_once("\n\n").expect("a heading");
        let lines: Vec<Vec<&str>> = report
            .lines()
            .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect())
            .collect();
        assert_eq!(lines[1], ["w-1", "read_model", "balance", "1000", "4000", "3,000"]);
        assert_eq!(lines[2], ["w-2", "ledger", "row (version 7)", "credit 5", "-", "-"]);
        assert_eq!(lines[3], ["and 1 more"]);
        let balance =
            ["USD", "2", "1,500", "0", "500", "0", "0", "1,000", "1,000", "4,000", "1,000"];
        assert_eq!(lines[6], balance);
        assert!(outcome.complaint.is_some_and(|text| text.starts_with("3 differences were found")));
    }

    #[tokio::test]
    async fn money_that_went_out_and_did_not_come_in_is_a_complaint() {
        let fakes = Fakes::ending_with(|operation| {
            operation.report.trial_balance = vec![CurrencyTotals {
                currency: "USD".to_owned(),
                openings: 100,
                debits: 30,
                transfers_out: 30,
                write_side: 70,
                read_model: 70,
                ledger: 70,
                ..CurrencyTotals::default()
            }];
        });
        let outcome = drift(&fakes.ports(), &arguments(&["drift", "--quiet"]), pending())
            .await
            .expect("done");
        assert!(outcome.complaint.is_some_and(|text| text.contains("TRANSFERS")));
    }
}
