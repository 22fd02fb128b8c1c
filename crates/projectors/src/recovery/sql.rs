//! [`Recovery`] on a database.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::time::Instant;
use uuid::Uuid;
use wallex_database::Database;
use wallex_ports::{
    DeadLetters, ExpiredRecords, IdGenerator, Operation, OperationKind, OutboxShard, ReadError,
    Recovery, Scope, StartError, Statistics,
};

use super::sql_store::{RecoverySettings, SqlRecoveryStore};
use super::stopping::Stopping;
use super::store::RecoveryStore;
use super::{Operations, pace, statistics, to_the_end};
use crate::projector::Projector;

/// Rows of the outbox that are deleted in one transaction, at most.
const CLEANUP_ROWS_MAX: u32 = 1_000;
/// Transactions of one cleanup in one shard, at most; what is left then waits for the next.
const CLEANUP_CHUNKS_MAX: u32 = 10_000;

/// Idempotency records that are deleted in one transaction, at most.
const SWEEP_ROWS_MAX: u32 = 500;
/// Transactions of one sweep, at most; what is left then waits for the next.
const SWEEP_CHUNKS_MAX: u32 = 10_000;

/// [`Recovery`] on a database.
#[derive(Clone)]
pub struct SqlRecovery {
    operations: Operations,
    cleaning: Arc<Cleaning>,
    /// Who counts holds it: counting keeps a connection for long.
    counting: Arc<tokio::sync::Mutex<()>>,
}

/// Deleting what nobody needs any more.
struct Cleaning {
    db: Arc<Database>,
    store: Arc<dyn RecoveryStore>,
    expired: Arc<dyn ExpiredRecords>,
    stop: Stopping,
}

impl SqlRecovery {
    /// For the projections of `projectors`, which are in the order of their names. `expired` is what is
    /// swept by hand.
    #[must_use]
    pub fn new(
        db: Arc<Database>,
        projectors: Arc<[Arc<dyn Projector>]>,
        letters: Arc<dyn DeadLetters>,
        expired: Arc<dyn ExpiredRecords>,
        ids: Arc<dyn IdGenerator>,
        settings: RecoverySettings,
    ) -> Self {
        let store: Arc<dyn RecoveryStore> =
            Arc::new(SqlRecoveryStore::new(Arc::clone(&db), projectors, settings));
        let operations = Operations::new(Arc::clone(&store), letters, ids);
        let stop = operations.inner.stop.clone();
        let cleaning = Arc::new(Cleaning { db, store, expired, stop });
        Self { operations, cleaning, counting: Arc::default() }
    }

    /// As [`Operations::resume_interrupted`].
    ///
    /// # Errors
    /// The database's.
    pub async fn resume_interrupted(&self) -> Result<Option<Operation>, ReadError> {
        self.operations.resume_interrupted().await
    }

    /// As [`Operations::retry_parked`].
    ///
    /// # Errors
    /// The database's.
    pub async fn retry_parked(&self) -> Result<(), ReadError> {
        self.operations.retry_parked().await
    }

    /// As [`Operations::stop`].
    pub fn stop(&self) {
        self.operations.stop();
    }

    /// As [`Operations::idle`].
    pub async fn idle(&self) {
        self.operations.idle().await;
    }

    /// As [`Operations::shutdown`].
    pub async fn shutdown(&self) {
        self.operations.shutdown().await;
    }
}

impl Cleaning {
    fn is_stopping(&self) -> bool {
        self.stop.is_asked()
    }

    async fn outbox(&self, older_than_ms: u64) -> Result<u64, ReadError> {
        let mut deleted = 0;
        for shard in 0..self.db.shards()?.count() {
            for _ in 0..CLEANUP_CHUNKS_MAX {
                let began = Instant::now();
                let chunk =
                    wallex_outbox::clean(&self.db, shard, older_than_ms, CLEANUP_ROWS_MAX).await?;
                deleted += chunk;
                if chunk == 0 || self.is_stopping() {
                    break;
                }
                pace::give_way(&*self.store, began.elapsed(), &self.stop).await;
            }
        }
        Ok(deleted)
    }

    async fn idempotency(&self) -> Result<u64, ReadError> {
        self.db.shards()?;
        let mut deleted = 0;
        for _ in 0..SWEEP_CHUNKS_MAX {
            let chunk = self.expired.sweep(SWEEP_ROWS_MAX).await?;
            deleted += chunk;
            // A chunk that is not full may have left rows that claims held.
            if chunk < u64::from(SWEEP_ROWS_MAX) || self.is_stopping() {
                break;
            }
        }
        Ok(deleted)
    }
}

#[async_trait]
impl Recovery for SqlRecovery {
    async fn begin(&self, kind: OperationKind, scope: Scope) -> Result<Operation, StartError> {
        self.operations.begin(kind, scope).await
    }

    async fn operation(&self, id: Uuid) -> Result<Option<Operation>, ReadError> {
        self.operations.operation(id).await
    }

    async fn outbox(&self) -> Result<Vec<OutboxShard>, ReadError> {
        wallex_outbox::shards(&self.cleaning.db).await
    }

    async fn clean_outbox(&self, older_than_ms: u64) -> Result<u64, ReadError> {
        let cleaning = Arc::clone(&self.cleaning);
        to_the_end(async move { cleaning.outbox(older_than_ms).await }).await
    }

    async fn sweep_idempotency(&self) -> Result<u64, ReadError> {
        let cleaning = Arc::clone(&self.cleaning);
        to_the_end(async move { cleaning.idempotency().await }).await
    }

    async fn statistics(&self) -> Result<Statistics, ReadError> {
        let turn = Arc::clone(&self.counting).lock_owned().await;
        let db = Arc::clone(&self.cleaning.db);
        to_the_end(async move {
            let counted = statistics::statistics(&db).await;
            drop(turn);
            counted
        })
        .await
    }
}
