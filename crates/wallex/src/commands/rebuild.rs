//! `wallex rebuild`: compares the projections with the events, and puts right what differs.

use wallex_ports::{Operation, OperationKind, Place, Report};

use super::progress::View;
use super::table::{Align, Table};
use super::units::count;
use super::{Outcome, Ports, follow};
use crate::cli::OperationArgs;

/// Rebuilds, and says what was wrong.
///
/// # Errors
/// When it can't begin, fails, or is left by `stop`.
pub(super) async fn rebuild(
    ports: &Ports,
    arguments: &OperationArgs,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Outcome> {
    let view = View::new(arguments.progress);
    let recovery = ports.recovery.as_ref();
    let scope = arguments.scope();
    let operation = follow::to_its_end(recovery, OperationKind::Rebuild, scope, view, stop).await?;
    let complaint = complaint(&operation.report);
    follow::outcome(&operation, arguments.progress, text, complaint)
}

/// A history that breaks off is nothing that a rebuild could put right.
fn complaint(report: &Report) -> Option<String> {
    let broken = report.differences.iter().filter(|d| d.place == Place::Events).count();
    (broken > 0).then(|| {
        "some histories break off, and their projections end there: `wallex drift` names them"
            .to_owned()
    })
}

fn text(operation: &Operation) -> String {
    let heading = follow::heading(operation);
    let parked = follow::parked(operation);
    format!("{heading}\n{}{parked}", tables(operation))
}

/// What was found, and done, by projection.
fn tables(operation: &Operation) -> String {
    use Align::{Left, Right};
    let mut table = Table::new([
        ("PROJECTION", Left),
        ("RIGHT", Right),
        ("REPAIRED", Right),
        ("ADDED", Right),
        ("REMOVED", Right),
    ]);
    for tally in &operation.report.tables {
        table.row([
            tally.projector.clone(),
            count(tally.right),
            count(tally.repaired),
            count(tally.added),
            count(tally.removed),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::Arc;

    use wallex_ports::{OperationState, Progress, TableTally};

    use super::*;
    use crate::commands::fakes::{Fakes, arguments, operation};

    #[tokio::test]
    async fn report_says_what_was_put_right() {
        let fakes = Fakes::ending_with(|operation| {
            operation.report.tables = vec![TableTally {
                projector: "ledger".to_owned(),
                right: 199_998,
                repaired: 1,
                added: 1,
                removed: 0,
            }];
            operation.report.parked = 1;
        });
        let outcome = rebuild(&fakes.ports(), &arguments(&["rebuild", "--quiet"]), pending())
            .await
            .expect("done");
        assert_eq!(
            outcome.text,
            "rebuild of all wallets: 200 events of 20 wallets in 1.0 s, 200 a second\n\n\
             PROJECTION    RIGHT  REPAIRED  ADDED  REMOVED\n\
             ledger      199,998         1      1        0\n\n\
             1 dead letter was met: see `wallex dead-letters list`\n"
        );
        assert_eq!(outcome.complaint, None);
    }

    #[tokio::test]
    async fn json_is_the_operation_alone() {
        let fakes = Fakes::ending_with(|_| ());
        let arguments = arguments(&["rebuild", "--quiet", "--json", "--wallet", "w-1"]);
        let outcome = rebuild(&fakes.ports(), &arguments, pending()).await.expect("done");
        let json: serde_json::Value = serde_json::from_str(&outcome.text).expect("JSON");
        assert_eq!(json["state"], "done");
        assert_eq!(json["scope"]["walletId"], "w-1");
    }

    #[tokio::test]
    async fn failure_is_told_with_its_cause() {
        let fakes = Fakes::ending_with(|operation| {
            operation.state = OperationState::Failed;
            operation.error = Some("disk full".to_owned());
        });
        let failed = rebuild(&fakes.ports(), &arguments(&["rebuild", "--quiet"]), pending()).await;
        assert_eq!(failed.expect_err("failed").to_string(), "the rebuild failed: disk full");
    }

    #[tokio::test]
    async fn who_stops_waiting_is_told_how_to_go_on() {
        let fakes = Fakes::ending_with(|operation| operation.state = OperationState::Running);
        let left = rebuild(&fakes.ports(), &arguments(&["rebuild", "--quiet"]), ready(())).await;
        let sentence = left.expect_err("left").to_string();
        assert!(sentence.contains("was left at 50 of 200 events"), "{sentence}");
        assert!(sentence.contains("goes on from there"), "{sentence}");
    }

    #[tokio::test]
    async fn second_rebuild_is_told_of_the_first() {
        let mut running = operation(OperationKind::Rebuild);
        running.progress = Progress { done: 7, total: 9, ..Progress::default() };
        let fakes = Arc::new(Fakes { running: Some(running), ..Fakes::default() });
        let refused = rebuild(&fakes.ports(), &arguments(&["rebuild"]), pending()).await;
        let sentence = refused.expect_err("refused").to_string();
        assert!(sentence.contains("7 of 9 events done"), "{sentence}");
    }
}
