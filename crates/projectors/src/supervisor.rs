//! The workers of one process: one for each projector in each shard.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;
use wallex_database::{Backend, Database};

use crate::checkpoint;
use crate::projector::Projector;
use crate::worker::{Signals, Worker, WorkerSettings};

/// How often a database that is not migrated is looked at again.
const READY_POLL: Duration = Duration::from_millis(500);
/// Events in one transaction. On SQLite it holds the one writer, and a command may be waiting.
const POSTGRES_BATCH_EVENTS_MAX: u32 = 2_000;
const SQLITE_BATCH_EVENTS_MAX: u32 = 256;

/// Every projector there is, by name. A new one is added here, and nowhere else.
#[must_use]
pub fn projectors() -> Arc<[Arc<dyn Projector>]> {
    Arc::new([Arc::new(crate::Ledger), Arc::new(crate::ReadModel)])
}

/// Whether this process runs a projector: what `PROJECTORS_AUTO_START` says, until it is started by
/// hand.
#[derive(Debug, Clone)]
pub struct Switches(Arc<BTreeMap<&'static str, watch::Sender<bool>>>);

impl Switches {
    /// All on or all off.
    #[must_use]
    pub fn new(projectors: &[Arc<dyn Projector>], on: bool) -> Self {
        let switch = |projector: &Arc<dyn Projector>| (projector.name(), watch::Sender::new(on));
        Self(Arc::new(projectors.iter().map(switch).collect()))
    }

    /// Lets this process run the projector, and wakes its workers.
    pub(crate) fn turn_on(&self, projector: &str) {
        if let Some(switch) = self.0.get(projector) {
            switch.send_replace(true);
        }
    }

    fn of(&self, projector: &'static str) -> watch::Receiver<bool> {
        self.0
            .get(projector)
            .map_or_else(|| watch::Sender::new(true).subscribe(), |s| s.subscribe())
    }
}

/// What the workers of a process need.
pub struct Workers {
    /// The database.
    pub db: Arc<Database>,
    /// What they run.
    pub projectors: Arc<[Arc<dyn Projector>]>,
    /// How they behave.
    pub settings: WorkerSettings,
    /// Which of them run.
    pub switches: Switches,
    /// Changes with every commit of this process.
    pub committed: watch::Receiver<u64>,
    /// Changed with every batch that was applied.
    pub applied: watch::Sender<u64>,
    /// What a lease names as its holder: unique to this process.
    pub owner: String,
}

/// The running workers, to stop them by.
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
            match self.create_missing().await {
                Ok(shards) => break shards,
                Err(error) => tracing::debug!(%error, "the projectors wait for the database"),
            }
            tokio::select! {
                () = sleep(READY_POLL) => {}
                _ = stop.changed() => return,
            }
        };
        let owner: Arc<str> = self.owner.as_str().into();
        let batch_events_max = self.settings.batch_events_max.unwrap_or(match self.db.backend() {
            Backend::Postgres => POSTGRES_BATCH_EVENTS_MAX,
            Backend::Sqlite => SQLITE_BATCH_EVENTS_MAX,
        });
        let mut workers = JoinSet::new();
        for projector in self.projectors.iter() {
            for shard in 0..shards {
                let worker = Worker {
                    db: Arc::clone(&self.db),
                    projector: Arc::clone(projector),
                    shard,
                    owner: Arc::clone(&owner),
                    batch_events_max,
                    settings: self.settings.clone(),
                    signals: Signals {
                        stop: stop.clone(),
                        enabled: self.switches.of(projector.name()),
                        committed: self.committed.clone(),
                    },
                    applied: self.applied.clone(),
                };
                workers.spawn(worker.run());
            }
        }
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a projector's worker did not end well");
            }
        }
    }

    async fn create_missing(&self) -> Result<u16, wallex_ports::BoxError> {
        let shards = self.db.shards()?.count();
        for projector in self.projectors.iter() {
            checkpoint::create_missing(&self.db, projector.name(), shards).await?;
        }
        Ok(shards)
    }
}

impl WorkerTasks {
    /// Stops every worker at a batch boundary; their leases are given back.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the projectors did not end well");
        }
    }
}
