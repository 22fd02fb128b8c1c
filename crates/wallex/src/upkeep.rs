//! What is done in the background while the server runs: look whether the database has become
//! ready, copy SQLite's log, delete expired idempotency records and processed outbox rows, try again what
//! is stale, empty the buffers of the metrics.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use wallex_database::{Backend, Database};
use wallex_ports::{ProjectorState, ProjectorStatus, Projectors, Readiness, Recovery as _};
use wallex_projectors::SqlRecovery;

use crate::config::Config;
use crate::metrics::{IDEMPOTENCY_SWEPT, Metrics, OUTBOX_CLEANED, POOL_WAIT};
use crate::projections::Projections;
use crate::signals::Stop;

/// How often a database that is not migrated is asked again.
const READY_INTERVAL: Duration = Duration::from_secs(1);
/// How soon what panicked begins again.
const AGAIN: Duration = Duration::from_secs(1);
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// At full speed SQLite's log grows by 60 MB in this time.
const LOG_INTERVAL: Duration = Duration::from_millis(500);
const METRICS_INTERVAL: Duration = Duration::from_secs(5);
/// How often each pool is asked for a connection, to see how long it takes.
const POOL_INTERVAL: Duration = Duration::from_secs(1);

/// Everything that upkeep works on.
#[derive(Clone)]
pub(crate) struct Upkeep {
    db: Arc<Database>,
    readiness: Arc<dyn Readiness>,
    metrics: Metrics,
    projectors: Arc<dyn Projectors>,
    recovery: Arc<SqlRecovery>,
    recovery_interval: Duration,
    outbox_retention: Duration,
    auto_start: bool,
    owner: String,
    stop: Stop,
}

impl Upkeep {
    pub(crate) fn new(
        config: &Config,
        db: &Arc<Database>,
        readiness: Arc<dyn Readiness>,
        metrics: &Metrics,
        projections: &Projections,
        auto_start: bool,
        stop: Stop,
    ) -> Self {
        Self {
            db: Arc::clone(db),
            readiness,
            metrics: metrics.clone(),
            projectors: Arc::clone(&projections.projectors),
            recovery: Arc::clone(&projections.recovery),
            recovery_interval: config.recovery_interval,
            outbox_retention: config.outbox_retention,
            auto_start,
            owner: projections.owner.clone(),
            stop,
        }
    }

    /// Works until the process is asked to stop.
    pub(crate) async fn run(self) {
        if self.metrics.is_on() {
            let (db, stop) = (Arc::clone(&self.db), self.stop.clone());
            tokio::spawn(to_its_end(move || watch_pools(Arc::clone(&db), stop.clone())));
        }
        to_its_end(|| self.clone().work()).await;
    }

    /// Works until the process is asked to stop; a statement under way is finished.
    async fn work(mut self) {
        let mut ready = every(READY_INTERVAL);
        let mut sweep = every(SWEEP_INTERVAL);
        let mut metrics = every(METRICS_INTERVAL);
        let mut recovery = every(self.recovery_interval);
        let mut log = every(LOG_INTERVAL);
        loop {
            // Nothing is cancelled but the waiting: the work is done behind the select.
            let migrated = self.db.shards().is_ok();
            tokio::select! {
                () = self.stop.asked() => return,
                _ = metrics.tick() => self.metrics.upkeep(),
                _ = log.tick(), if self.db.backend() == Backend::Sqlite => self.copy_log().await,
                _ = sweep.tick(), if migrated => {
                    self.sweep().await;
                    self.clean_outbox().await;
                }
                _ = recovery.tick(), if migrated => self.recover().await,
                _ = ready.tick(), if !migrated => self.look().await,
            }
        }
    }

    async fn copy_log(&self) {
        if let Err(error) = self.db.copy_log().await {
            let error: &dyn std::error::Error = &error;
            tracing::debug!(error, "the log could not be copied: a commit will");
        }
    }

    async fn clean_outbox(&self) {
        let older_than_ms = u64::try_from(self.outbox_retention.as_millis()).unwrap_or(u64::MAX);
        match self.recovery.clean_outbox(older_than_ms).await {
            Ok(rows) => counter!(OUTBOX_CLEANED).increment(rows),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "processed outbox rows could not be deleted");
            }
        }
    }

    /// Tries again what is stale, and says what nobody does by itself. Only where projectors run:
    /// else nothing is to be projected here.
    async fn recover(&self) {
        let all = match self.projectors.status().await {
            Ok(all) => all,
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                return tracing::warn!(error, "the projectors could not be asked for");
            }
        };
        let mine = |status: &ProjectorStatus| status.holder.as_ref() == Some(&self.owner);
        if !self.auto_start && !all.iter().any(mine) {
            return;
        }
        if let Err(error) = self.recovery.resume_interrupted().await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "interrupted operations could not be looked for");
        }
        if let Err(error) = self.recovery.retry_parked().await {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "dead letters could not be tried again");
        }
        for stale in all.iter().filter(|status| status.lag_events() > 0) {
            let still = u128::from(stale.lag_age_ms) > self.recovery_interval.as_millis();
            if still && stale.state != ProjectorState::Stopped {
                tracing::warn!(
                    projector = stale.projector,
                    shard = stale.shard,
                    state = stale.state.as_str(),
                    lag.events = stale.lag_events(),
                    "a projector has been behind for longer than the recovery interval"
                );
            }
        }
    }

    async fn look(&self) {
        if self.readiness.check().await.is_ok() {
            tracing::info!("the database is migrated: ready");
        }
    }

    async fn sweep(&self) {
        match self.recovery.sweep_idempotency().await {
            Ok(rows) => counter!(IDEMPOTENCY_SWEPT).increment(rows),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "expired idempotency records could not be deleted");
            }
        }
    }
}

/// Does `work` until it ends by itself. A defect that panics must not end it for good.
async fn to_its_end<W: Future<Output = ()> + Send + 'static>(work: impl Fn() -> W) {
    while let Err(error) = tokio::spawn(work()).await {
        tracing::error!(%error, "upkeep did not end well; it begins again");
        tokio::time::sleep(AGAIN).await;
    }
}

/// Asks each pool for a connection, over and over, until the process is asked to stop. By itself,
/// because a pool that gives none is waited for.
async fn watch_pools(db: Arc<Database>, mut stop: Stop) {
    let mut turn = every(POOL_INTERVAL);
    loop {
        tokio::select! {
            () = stop.asked() => return,
            _ = turn.tick() => {}
        }
        for (pool, waited) in db.pool_waits().await {
            histogram!(POOL_WAIT, "pool" => pool).record(waited);
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    // Late work is not made up for.
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_panics_begins_again_and_what_ends_well_does_not() {
        let begun = Arc::new(AtomicU32::new(0));
        let work = || {
            let begun = Arc::clone(&begun);
            async move { assert!(begun.fetch_add(1, Ordering::SeqCst) >= 2, "a defect") }
        };
        to_its_end(work).await;
        assert_eq!(begun.load(Ordering::SeqCst), 3);
    }
}
