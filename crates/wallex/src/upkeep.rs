//! What is done in the background while the server runs: look whether the database has become
//! ready, delete expired idempotency records, empty the buffers of the metrics.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use wallex_database::Database;
use wallex_ports::Readiness;

use crate::metrics::{IDEMPOTENCY_SWEPT, Metrics};
use crate::signals::Stop;

/// How often a database that is not migrated is asked again.
const READY_INTERVAL: Duration = Duration::from_secs(1);
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
const METRICS_INTERVAL: Duration = Duration::from_secs(5);
/// Rows that one statement of a sweep deletes: a commit never waits long behind it.
const SWEEP_CHUNK_ROWS_MAX: u32 = 500;
/// Statements of one sweep; what is left waits for the next.
const SWEEP_CHUNKS_MAX: u32 = 2_000;

/// Everything that upkeep works on.
pub(crate) struct Upkeep {
    pub(crate) db: Arc<Database>,
    pub(crate) readiness: Arc<dyn Readiness>,
    pub(crate) metrics: Metrics,
    pub(crate) stop: Stop,
}

impl Upkeep {
    /// Works until the process is asked to stop; a statement under way is finished.
    pub(crate) async fn run(mut self) {
        let mut ready = every(READY_INTERVAL);
        let mut sweep = every(SWEEP_INTERVAL);
        let mut metrics = every(METRICS_INTERVAL);
        loop {
            // Nothing is cancelled but the waiting: the work is done behind the select.
            let migrated = self.db.shards().is_ok();
            tokio::select! {
                () = self.stop.asked() => return,
                _ = metrics.tick() => self.metrics.upkeep(),
                _ = sweep.tick(), if migrated => self.sweep().await,
                _ = ready.tick(), if !migrated => self.look().await,
            }
        }
    }

    async fn look(&self) {
        if self.readiness.check().await.is_ok() {
            tracing::info!("the database is migrated: ready");
        }
    }

    async fn sweep(&self) {
        for _ in 0..SWEEP_CHUNKS_MAX {
            if self.stop.is_asked() {
                return;
            }
            match wallex_idempotency::sweep(&self.db, SWEEP_CHUNK_ROWS_MAX).await {
                Ok(rows) => {
                    counter!(IDEMPOTENCY_SWEPT).increment(rows);
                    if rows < u64::from(SWEEP_CHUNK_ROWS_MAX) {
                        return;
                    }
                }
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(error, "expired idempotency records could not be deleted");
                    return;
                }
            }
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    // Late work is not made up for.
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
