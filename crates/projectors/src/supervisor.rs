//! The workers of one process: one for each projector in each shard.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;
use wallex_database::{Backend, Database};
use wallex_outbox::Tail;
use wallex_ports::BoxError;

use crate::checkpoint::{self, Wanted};
use crate::projector::Projector;
use crate::sql_store::SqlProjectorStore;
use crate::store::ProjectorStore;
use crate::worker::{LEASE, Signals, Worker, WorkerSettings};

/// How often a database that is not migrated is looked at again.
const READY_POLL: Duration = Duration::from_millis(500);
/// How soon a worker that panicked begins again.
const AGAIN: Duration = Duration::from_secs(1);
/// Events in one transaction. On SQLite it holds the one writer, and a command may be waiting.
const POSTGRES_BATCH_EVENTS_MAX: u32 = 2_000;
const SQLITE_BATCH_EVENTS_MAX: u32 = 512;

/// Every projector there is, by name. A new one is added here, and nowhere else.
#[must_use]
pub fn projectors() -> Arc<[Arc<dyn Projector>]> {
    Arc::new([Arc::new(crate::Ledger), Arc::new(crate::ReadModel)])
}

/// What the workers of a process need.
pub struct Workers {
    /// The database.
    pub db: Arc<Database>,
    /// What this process commits.
    pub tail: Arc<Tail>,
    /// What they run.
    pub projectors: Arc<[Arc<dyn Projector>]>,
    /// How they behave.
    pub settings: WorkerSettings,
    /// Whether they run by themselves; else those that are started by hand from now on do.
    pub auto_start: bool,
    /// Changes with every commit of this process.
    pub committed: watch::Receiver<()>,
    /// Changed with every batch that was applied.
    pub applied: watch::Sender<u64>,
    /// What a lease names as its holder: unique to this process.
    pub owner: String,
}

/// The running workers, to stop them by. They stop, too, when this is dropped.
#[must_use = "the workers stop when this is dropped"]
pub struct WorkerTasks {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Workers {
    /// Starts the workers on the current runtime, as soon as the database is migrated.
    pub fn spawn(self) -> WorkerTasks {
        let (stop, stopped) = watch::channel(false);
        WorkerTasks { stop, task: tokio::spawn(self.run(stopped)) }
    }

    async fn run(self, mut stop: watch::Receiver<bool>) {
        let shards = loop {
            match self.db.patiently(self.prepare()).await {
                Ok(shards) => break shards,
                Err(error) => tracing::debug!(%error, "the projectors wait for the database"),
            }
            tokio::select! {
                () = sleep(READY_POLL) => {}
                _ = stop.changed() => return,
            }
        };
        let owner: Arc<str> = self.owner.as_str().into();
        let mut workers = JoinSet::new();
        for projector in self.projectors.iter() {
            for shard in 0..shards {
                let worker = self.worker(projector, shard, &owner, &stop);
                workers.spawn(forever(worker, stop.clone()));
            }
        }
        while workers.join_next().await.is_some() {}
    }

    fn worker(
        &self,
        projector: &Arc<dyn Projector>,
        shard: u16,
        owner: &Arc<str>,
        stop: &watch::Receiver<bool>,
    ) -> Worker {
        let store = SqlProjectorStore {
            db: Arc::clone(&self.db),
            projector: Arc::clone(projector),
            shard,
            owner: Arc::clone(owner),
            wanted: if self.auto_start { Wanted::AtAll } else { Wanted::ByHand },
            lease: LEASE,
        };
        let store: Arc<dyn ProjectorStore> = Arc::new(store);
        #[cfg(debug_assertions)]
        let store = crate::spoil::store(store, &self.db);
        let batch_events_max = self.settings.batch_events_max.unwrap_or(match self.db.backend() {
            Backend::Postgres => POSTGRES_BATCH_EVENTS_MAX,
            Backend::Sqlite => SQLITE_BATCH_EVENTS_MAX,
        });
        let signals = Signals { stop: stop.clone(), committed: self.committed.clone() };
        let (tail, applied) = (Arc::clone(&self.tail), self.applied.clone());
        Worker::new(store, tail, batch_events_max, self.settings.clone(), signals, applied)
    }

    async fn prepare(&self) -> Result<u16, BoxError> {
        let shards = self.db.shards()?.count();
        for projector in self.projectors.iter() {
            checkpoint::create_missing(&self.db, projector.name(), shards).await?;
        }
        if !self.auto_start {
            checkpoint::forget_starts(&self.db).await?;
        }
        Ok(shards)
    }
}

/// Runs a worker until the process stops. A defect that panics must not end a projection for good.
async fn forever(worker: Worker, stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = tokio::spawn(worker.clone().run()).await {
            tracing::error!(%error, "a projector's worker did not end well; it begins again");
            sleep(AGAIN).await;
        }
    }
}

impl WorkerTasks {
    /// Asks every worker to stop at a batch boundary.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Stops every worker at a batch boundary; their leases are given back.
    pub async fn shutdown(mut self) {
        self.stop();
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "the projectors did not end well");
        }
    }
}

impl Drop for WorkerTasks {
    fn drop(&mut self) {
        self.stop();
    }
}
