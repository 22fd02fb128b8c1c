//! Committing with bounded patience.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tracing::Instrument as _;
use wallex_ports::{CommitError, Unit, UnitOutcome};

use super::LanePorts;

/// How often a transaction that certainly wrote nothing is tried.
pub(crate) const TRANSACTION_TRIES_MAX: u32 = 4;
/// The pause after the first try; it doubles each time.
pub(crate) const PAUSE: Duration = Duration::from_millis(10);

/// Runs `work` in a task of its own, because cancelling a write half-way can hand a connection with
/// an open transaction back to its pool. When it takes longer than `deadline`, it goes on alone and
/// the outcome is unknown here.
pub(crate) async fn with_deadline<T: Send + 'static>(
    deadline: Duration,
    work: impl Future<Output = Result<T, CommitError>> + Send + 'static,
) -> Result<T, CommitError> {
    let task = tokio::spawn(work.in_current_span());
    match tokio::time::timeout(deadline, task).await {
        Ok(Ok(done)) => done,
        Ok(Err(panicked)) => Err(CommitError::Indeterminate(panicked.into())),
        Err(elapsed) => Err(CommitError::Indeterminate(elapsed.into())),
    }
}

/// Commits `units`; again, a few times, after an error that wrote nothing and may pass at once.
pub(crate) async fn commit(
    ports: &LanePorts,
    units: Arc<[Unit]>,
    deadline: Duration,
) -> Result<Vec<UnitOutcome>, CommitError> {
    let mut pause = PAUSE;
    let mut tries = 1;
    loop {
        let (committer, batch) = (ports.committer.clone(), units.clone());
        let done = with_deadline(deadline, async move { committer.commit(batch).await }).await;
        match done {
            Err(CommitError::Transient(error) | CommitError::Unavailable(error))
                if tries < TRANSACTION_TRIES_MAX =>
            {
                tracing::debug!(%error, tries, "the transaction wrote nothing, trying again");
                metrics::counter!("wallex_lane_retries_total").increment(1);
                tokio::time::sleep(pause).await;
                pause *= 2;
                tries += 1;
            }
            done => return done,
        }
    }
}
