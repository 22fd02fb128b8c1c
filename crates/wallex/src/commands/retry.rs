//! `wallex retry`: replays every dead letter.

use wallex_ports::{Operation, OperationKind, Scope};

use super::progress::View;
use super::units::counted;
use super::{Outcome, Ports, follow};
use crate::cli::ProgressArgs;

/// Retries, and says what was settled.
///
/// # Errors
/// When it can't begin, fails, or is left by `stop`.
pub(super) async fn retry(
    ports: &Ports,
    arguments: ProgressArgs,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Outcome> {
    let view = View::new(arguments);
    let recovery = ports.recovery.as_ref();
    let operation =
        follow::to_its_end(recovery, OperationKind::Retry, Scope::All, view, stop).await?;
    let complaint = match operation.report.parked {
        0 => None,
        n => Some(format!(
            "{}: see `wallex dead-letters list`",
            counted(n, "dead letter is left", "dead letters are left")
        )),
    };
    follow::outcome(&operation, arguments, text, complaint)
}

fn text(operation: &Operation) -> String {
    let replayed = operation.report.replayed;
    format!("{}\n", counted(replayed, "dead letter was settled", "dead letters were settled"))
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::cli::Output;
    use crate::commands::fakes::Fakes;

    #[tokio::test]
    async fn what_is_left_is_complained_of() {
        let fakes = Fakes::ending_with(|operation| {
            operation.report.replayed = 1;
            operation.report.parked = 2;
        });
        let arguments = ProgressArgs { quiet: true, output: Output::default() };
        let outcome = retry(&fakes.ports(), arguments, pending()).await.expect("done");
        assert_eq!(outcome.text, "1 dead letter was settled\n");
        assert!(outcome.complaint.is_some_and(|text| text.starts_with("2 dead letters are left")));
    }
}
