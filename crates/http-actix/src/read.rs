//! How the handlers read the database: on the runtime that owns its connections, within a deadline.

use std::time::Duration;

use tokio::time::error::Elapsed;
use tracing::{Instrument, Span};

use crate::problem::Problem;
use crate::state::Operations;

/// The outcome of `reading`, or a problem when it takes longer than `timeout`.
pub(crate) async fn within<T, E>(
    operations: &Operations,
    timeout: Duration,
    reading: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, Problem>
where
    T: Send + 'static,
    E: Send + 'static,
    Problem: From<E>,
{
    let late = |elapsed| Problem::database_unavailable(Some(&elapsed));
    spawned(operations, timeout, reading, late).await
}

/// The outcome of `working`, or what `late` makes of it that there is none after `timeout`.
pub(crate) async fn spawned<T, E>(
    operations: &Operations,
    timeout: Duration,
    working: impl Future<Output = Result<T, E>> + Send + 'static,
    late: impl FnOnce(Elapsed) -> Problem,
) -> Result<T, Problem>
where
    T: Send + 'static,
    E: Send + 'static,
    Problem: From<E>,
{
    // A task of its own is not dropped half-way through a query when the client goes away.
    let task = operations.runtime.spawn(working.instrument(Span::current()));
    match tokio::time::timeout(timeout, task).await {
        Ok(Ok(outcome)) => Ok(outcome?),
        Ok(Err(panicked)) => Err(Problem::internal(&panicked)),
        Err(elapsed) => Err(late(elapsed)),
    }
}
