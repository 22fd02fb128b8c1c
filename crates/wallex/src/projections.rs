//! The projections, put together: workers, and the ports by which they are read, seen and steered.

use std::sync::Arc;

use tokio::sync::watch;
use wallex_database::Database;
use wallex_idempotency::SqlIdempotencyRecords;
use wallex_outbox::Tail;
use wallex_ports::{DeadLetters, IdGenerator, Projectors, ReadModels};
use wallex_projectors::{
    Letters, RecoverySettings, SqlProjectors, SqlReadModels, SqlRecovery, WorkerTasks, Workers,
    projectors,
};

use crate::adapters::UuidV7Ids;
use crate::config::Config;

/// The workers of this process, and the ports of all.
pub(crate) struct Projections {
    pub(crate) workers: WorkerTasks,
    pub(crate) read_models: Arc<dyn ReadModels>,
    pub(crate) projectors: Arc<dyn Projectors>,
    pub(crate) dead_letters: Arc<dyn DeadLetters>,
    pub(crate) recovery: Arc<SqlRecovery>,
    /// What leases name this process.
    pub(crate) owner: String,
}

impl Projections {
    /// Starts the workers, which wait until the database is migrated. `tail` holds what this process
    /// commits, and `committed` changes with every commit.
    pub(crate) fn start(
        config: &Config,
        db: &Arc<Database>,
        tail: Arc<Tail>,
        auto_start: bool,
        committed: watch::Receiver<()>,
    ) -> Self {
        let (owner, all) = (owner(), projectors());
        let applied = watch::Sender::new(0);
        let read_models = SqlReadModels::new(Arc::clone(db), applied.subscribe());
        let dead_letters: Arc<dyn DeadLetters> =
            Arc::new(Letters::sql(Arc::clone(db), Arc::clone(&all)));
        let recovery = SqlRecovery::new(
            Arc::clone(db),
            Arc::clone(&all),
            Arc::clone(&dead_letters),
            Arc::new(SqlIdempotencyRecords::new(Arc::clone(db))),
            Arc::new(UuidV7Ids),
            RecoverySettings::default(),
        );
        let workers = Workers {
            db: Arc::clone(db),
            tail,
            projectors: all,
            settings: config.workers.clone(),
            auto_start,
            committed,
            applied,
            owner: owner.clone(),
        };
        Self {
            workers: workers.spawn(),
            read_models: Arc::new(read_models),
            projectors: Arc::new(SqlProjectors::new(Arc::clone(db))),
            dead_letters,
            recovery: Arc::new(recovery),
            owner,
        }
    }

    /// Stops the workers at a batch boundary, and what recovery is doing at a page boundary.
    pub(crate) async fn shutdown(self) {
        self.workers.stop();
        tokio::join!(self.recovery.shutdown(), self.workers.shutdown());
    }
}

/// What leases name this process: where it runs, which it is there, and which of those that had this
/// number.
fn owner() -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    let tag = UuidV7Ids.next().simple().to_string();
    format!("{host}:{}:{}", std::process::id(), &tag[20..])
}
