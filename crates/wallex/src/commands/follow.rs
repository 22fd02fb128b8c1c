//! What rebuild, drift check and retry share: begin, follow, tell how it ended.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tokio::time::sleep;
use wallex_http_actix::admin_json::OperationJson;
use wallex_ports::{
    Operation, OperationKind, OperationState, ReadError, Recovery, Scope, StartError,
};

use super::Outcome;
use super::progress::{View, counts};
use super::units::{count, counted, time};
use crate::cli::ProgressArgs;

/// How often the operation is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// Looks in a row that may find the database away: ten seconds.
const FAILED_LOOKS_MAX: u32 = 50;

/// Runs an operation to its end.
///
/// # Errors
/// When it can't begin, fails, or is left by `stop`.
pub(super) async fn to_its_end(
    recovery: &dyn Recovery,
    kind: OperationKind,
    scope: Scope,
    mut view: View,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Operation> {
    let begun = begin(recovery, kind, scope).await?;
    if begun.progress.done > 0 {
        view.say(&format!("going on with the {} of {}", kind.as_str(), begun_at(&begun)));
    }
    let ended = follow(recovery, begun, &mut view, stop).await;
    match ended {
        Ok(operation) => {
            view.end(&operation);
            ended_well(operation)
        }
        Err(error) => Err(error),
    }
}

async fn begin(
    recovery: &dyn Recovery,
    kind: OperationKind,
    scope: Scope,
) -> anyhow::Result<Operation> {
    recovery.begin(kind, scope).await.map_err(|error| match error {
        StartError::Running(operation) => anyhow!(
            "a {} is running already: {}, {} of {} {} done; wait for it, or follow it at GET \
             /admin/operations/{}",
            kind.as_str(),
            operation.id,
            count(operation.progress.done),
            count(operation.progress.total),
            counts(kind),
            operation.id,
        ),
        error => anyhow::Error::new(error).context(format!("the {} can't begin", kind.as_str())),
    })
}

/// Looks at the operation until it is no longer running.
async fn follow(
    recovery: &dyn Recovery,
    mut operation: Operation,
    view: &mut View,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Operation> {
    let mut stop = pin!(stop);
    let mut failed_looks = 0;
    while operation.state == OperationState::Running {
        view.show(&operation);
        tokio::select! {
            () = &mut stop => bail!(left(&operation)),
            () = sleep(LOOK_INTERVAL) => {}
        }
        match recovery.operation(operation.id).await {
            Ok(Some(found)) => {
                operation = found;
                failed_looks = 0;
            }
            Ok(None) => bail!("the {} {} is gone", operation.kind.as_str(), operation.id),
            // The operation itself waits for the database, too.
            Err(ReadError::Unavailable(_)) if failed_looks < FAILED_LOOKS_MAX => failed_looks += 1,
            Err(error) => {
                return Err(error).context("can't see how far the operation has come");
            }
        }
    }
    Ok(operation)
}

/// What is said to someone who does not wait for the end.
fn left(operation: &Operation) -> String {
    let progress = operation.progress;
    let kind = operation.kind.as_str();
    let so_far = match progress.done {
        0 => format!("the {kind} was left at its beginning"),
        done => format!(
            "the {kind} was left at {} of {} {}",
            count(done),
            count(progress.total),
            counts(operation.kind),
        ),
    };
    match operation.kind {
        OperationKind::Rebuild => format!(
            "{so_far}; what it has put right stays. Run the same command again and it goes on from \
             there"
        ),
        OperationKind::Drift => {
            format!("{so_far}; nothing was changed. Run it again to begin anew")
        }
        OperationKind::Retry => {
            format!("{so_far}; what it has settled stays. Run it again for the rest")
        }
    }
}

fn ended_well(operation: Operation) -> anyhow::Result<Operation> {
    let kind = operation.kind.as_str();
    match (operation.state, &operation.error) {
        (OperationState::Done, _) => Ok(operation),
        (OperationState::Interrupted, _) => {
            bail!("the {kind} was interrupted; run the same command again")
        }
        (_, Some(error)) => bail!("the {kind} failed: {error}"),
        (_, None) => bail!("the {kind} failed"),
    }
}

fn begun_at(operation: &Operation) -> String {
    format!(
        "{}: {} of {} {} are done",
        scope_in_words(&operation.scope),
        count(operation.progress.done),
        count(operation.progress.total),
        counts(operation.kind),
    )
}

/// Which wallets, for people.
fn scope_in_words(scope: &Scope) -> String {
    match scope {
        Scope::All => "all wallets".to_owned(),
        Scope::Wallet(key) => format!("wallet {}", key.wallet_id),
        Scope::Since(from) => {
            format!("wallets from position {} of shard {}", count(from.position), from.shard)
        }
    }
}

/// The heading of a report: what was done, and how fast.
pub(super) fn heading(operation: &Operation) -> String {
    let progress = operation.progress;
    format!(
        "{} of {}: {} of {} in {}, {} a second\n",
        operation.kind.as_str(),
        scope_in_words(&operation.scope),
        done(operation),
        counted(progress.wallets, "wallet", "wallets"),
        time(progress.elapsed_ms),
        count(progress.per_second()),
    )
}

/// How many of what it counts are done.
fn done(operation: &Operation) -> String {
    let (one, many) = match operation.kind {
        OperationKind::Rebuild | OperationKind::Drift => ("event", "events"),
        OperationKind::Retry => ("dead letter", "dead letters"),
    };
    counted(operation.progress.done, one, many)
}

/// What is said of wallets that are parked, and so were only followed to where they are.
pub(super) fn parked(operation: &Operation) -> String {
    match operation.report.parked {
        0 => String::new(),
        n => format!(
            "\n{}: see `wallex dead-letters list`\n",
            counted(n, "dead letter was met", "dead letters were met")
        ),
    }
}

/// The outcome: the report as JSON or as `text`, and what is wrong with what was found.
pub(super) fn outcome(
    operation: &Operation,
    arguments: ProgressArgs,
    text: impl FnOnce(&Operation) -> String,
    complaint: Option<String>,
) -> anyhow::Result<Outcome> {
    let text = if arguments.output.json {
        crate::pretty_json(&OperationJson::from(operation))?
    } else {
        text(operation)
    };
    Ok(match complaint {
        None => Outcome::fine(text),
        Some(complaint) => Outcome::unwell(text, complaint),
    })
}
