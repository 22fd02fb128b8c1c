//! Putting projections right, and saying how things are.
//!
//! An operation is a row of `operations` and a task of the process that was asked for it. The row has
//! a lease in the database's own time: while it lives, nobody begins another of the same kind. A
//! rebuild commits each page together with how far it has come, so that whoever goes on with it, after
//! a kill too, begins exactly behind the last page. A drift check writes nothing but its progress, and
//! begins anew.

mod operations;
mod pace;
mod pages;
mod retry;
mod route;
mod run;
mod statistics;

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use sea_orm::ConnectionTrait;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;
use wallex_database::{Backend, Database, Row, read_error};
use wallex_ports::{
    DeadLetters, ExpiredRecords, IdGenerator, Missing, Operation, OperationKind, OutboxShard,
    ReadError, Recovery, Scope, StartError, Statistics, WalletKey,
};

use crate::projector::Projector;
use crate::reconcile::Mode;
use operations::Begun;
use run::Run;

/// Rows of the outbox that are deleted in one transaction, at most.
const CLEANUP_ROWS_MAX: u32 = 1_000;
/// Transactions of one cleanup in one shard, at most; what is left then waits for the next.
const CLEANUP_CHUNKS_MAX: u32 = 10_000;

/// Idempotency records that are deleted in one transaction, at most.
const SWEEP_ROWS_MAX: u32 = 500;
/// Transactions of one sweep, at most; what is left then waits for the next.
const SWEEP_CHUNKS_MAX: u32 = 10_000;

/// How operations work.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecoverySettings {
    /// Events that are compared in one transaction, at most; `None`: what suits the database.
    pub page_events_max: Option<u32>,
}

impl RecoverySettings {
    /// Projectors wait for a page that is repaired, and on SQLite so does every command.
    fn page_events(self, backend: Backend, mode: Mode) -> u32 {
        self.page_events_max.unwrap_or(match (backend, mode) {
            (Backend::Postgres, Mode::Compare) => 4_000,
            (Backend::Postgres, Mode::Repair) | (Backend::Sqlite, Mode::Compare) => 2_000,
            (Backend::Sqlite, Mode::Repair) => 500,
        })
    }
}

/// [`Recovery`] on a database.
#[derive(Clone)]
pub struct SqlRecovery {
    inner: Arc<Inner>,
}

struct Inner {
    db: Arc<Database>,
    projectors: Arc<[Arc<dyn Projector>]>,
    letters: Arc<dyn DeadLetters>,
    expired: Arc<dyn ExpiredRecords>,
    ids: Arc<dyn IdGenerator>,
    settings: RecoverySettings,
    /// Whether this process is about to end.
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    /// Who counts holds it: counting keeps a connection for long.
    counting: Arc<tokio::sync::Mutex<()>>,
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
        let (stop, tasks) = (watch::Sender::new(false), Mutex::default());
        let counting = Arc::default();
        let inner =
            Inner { db, projectors, letters, expired, ids, settings, stop, tasks, counting };
        Self { inner: Arc::new(inner) }
    }

    /// Goes on with the oldest rebuild that was interrupted, in whichever process; `None` when there
    /// is none, or another rebuild is running.
    ///
    /// # Errors
    /// The database's.
    pub async fn resume_interrupted(&self) -> Result<Option<Operation>, ReadError> {
        let db = &self.inner.db;
        db.shards()?;
        let oldest = operations::oldest_interrupted(db.read(), OperationKind::Rebuild).await;
        let Some(oldest) = oldest.map_err(read_error)? else { return Ok(None) };
        match self.begin(oldest.kind, oldest.scope).await {
            Ok(operation) => Ok(Some(operation)),
            Err(StartError::Running(_) | StartError::NoSuch(_)) => Ok(None),
            Err(StartError::Database(error)) => Err(error),
        }
    }

    /// Begins a retry if a projector that was not stopped has parked something, and none is running.
    ///
    /// # Errors
    /// The database's.
    pub async fn retry_parked(&self) -> Result<(), ReadError> {
        self.inner.db.shards()?;
        if !retry::is_due(&self.inner.db).await? {
            return Ok(());
        }
        match self.begin(OperationKind::Retry, Scope::All).await {
            Ok(_) | Err(StartError::Running(_) | StartError::NoSuch(_)) => Ok(()),
            Err(StartError::Database(error)) => Err(error),
        }
    }

    /// Asks the operations of this process to end behind the page that they are at. A rebuild is then
    /// interrupted. No other begins.
    pub fn stop(&self) {
        self.inner.stop.send_replace(true);
    }

    /// Waits until no operation of this process is running.
    pub async fn idle(&self) {
        loop {
            let task = self.inner.tasks().pop();
            let Some(task) = task else { return };
            if let Err(error) = task.await {
                tracing::error!(%error, "an operation ended badly");
            }
        }
    }

    /// Stops, and waits for the end.
    pub async fn shutdown(&self) {
        self.stop();
        self.idle().await;
    }
}

impl Inner {
    fn tasks(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// How many follow a wallet in a walk: each projector, and the write side.
    fn followers(&self) -> usize {
        self.projectors.len() + 1
    }

    async fn begin(
        self: Arc<Self>,
        kind: OperationKind,
        scope: Scope,
    ) -> Result<Operation, StartError> {
        self.db.shards().map_err(ReadError::from)?;
        if self.is_stopping() {
            return Err(ReadError::Unavailable("the process is about to end".into()).into());
        }
        self.check(&scope).await?;
        let (id, owner) = (self.ids.next(), self.ids.next().to_string());
        let begun = operations::begin(&self.db, kind, &scope, id, &owner).await;
        let (operation, resume_at) = match begun.map_err(read_error)? {
            Begun::Mine { operation, resume_at } => (operation, resume_at),
            Begun::Running(operation) => return Err(StartError::Running(operation)),
        };
        tracing::info!(
            operation = %operation.id, kind = kind.as_str(), resumed = operation.id != id,
            "an operation begins"
        );
        let run = Run::new(Arc::clone(&self), (*operation).clone(), owner, &resume_at);
        let mut tasks = self.tasks();
        tasks.retain(|task| !task.is_finished());
        tasks.push(tokio::spawn(run.run()));
        Ok(*operation)
    }

    /// Whether there is what the scope names.
    async fn check(&self, scope: &Scope) -> Result<(), StartError> {
        let shards = self.db.shards().map_err(ReadError::from)?;
        match scope {
            Scope::All => Ok(()),
            Scope::Since(since) if since.shard < shards.count() => Ok(()),
            Scope::Since(_) => Err(StartError::NoSuch(Missing::Shard)),
            Scope::Wallet(key) if self.knows(key).await.map_err(read_error)? => Ok(()),
            Scope::Wallet(_) => Err(StartError::NoSuch(Missing::Wallet)),
        }
    }

    /// Whether any table that is compared has something of a wallet.
    async fn knows(&self, key: &WalletKey) -> Result<bool, sea_orm::DbErr> {
        let Ok(shards) = self.db.shards() else { return Ok(false) };
        let exists = |table: &str| {
            format!(
                "EXISTS (SELECT 1 FROM {table} \
                 WHERE shard = $1 AND tenant = $2 AND wallet_id = $3)"
            )
        };
        let tables = ["events", "wallet_streams", "wallets", "ledger_entries"].map(exists);
        let sql = format!("SELECT CAST(1 AS bigint) AS n WHERE {}", tables.join(" OR "));
        let values = [
            i64::from(shards.of_wallet(key)).into(),
            key.tenant.as_str().into(),
            key.wallet_id.as_str().into(),
        ];
        let statement = self.db.backend().statement(sql, values);
        Ok(self.db.read().query_one_raw(statement).await?.is_some())
    }

    async fn clean_outbox(&self, older_than_ms: u64) -> Result<u64, ReadError> {
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
                pace::give_way(&self.db, began.elapsed(), &self.stop).await;
            }
        }
        Ok(deleted)
    }

    async fn sweep_idempotency(&self) -> Result<u64, ReadError> {
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

/// Runs `work` to its end although whoever waits for it may go away: a transaction that is cancelled
/// in the middle could hand its connection back as it is.
async fn to_the_end<T: Send + 'static, E: From<ReadError> + Send + 'static>(
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E> {
    let ended = tokio::spawn(work).await;
    ended.unwrap_or_else(|error| Err(ReadError::Storage(error.into()).into()))
}

#[async_trait]
impl Recovery for SqlRecovery {
    async fn begin(&self, kind: OperationKind, scope: Scope) -> Result<Operation, StartError> {
        to_the_end(Arc::clone(&self.inner).begin(kind, scope)).await
    }

    async fn operation(&self, id: Uuid) -> Result<Option<Operation>, ReadError> {
        self.inner.db.shards()?;
        operations::find(self.inner.db.read(), id).await.map_err(read_error)
    }

    async fn outbox(&self) -> Result<Vec<OutboxShard>, ReadError> {
        wallex_outbox::shards(&self.inner.db).await
    }

    async fn clean_outbox(&self, older_than_ms: u64) -> Result<u64, ReadError> {
        let inner = Arc::clone(&self.inner);
        to_the_end(async move { inner.clean_outbox(older_than_ms).await }).await
    }

    async fn sweep_idempotency(&self) -> Result<u64, ReadError> {
        let inner = Arc::clone(&self.inner);
        to_the_end(async move { inner.sweep_idempotency().await }).await
    }

    async fn statistics(&self) -> Result<Statistics, ReadError> {
        let turn = Arc::clone(&self.inner.counting).lock_owned().await;
        let db = Arc::clone(&self.inner.db);
        to_the_end(async move {
            let counted = statistics::statistics(&db).await;
            drop(turn);
            counted
        })
        .await
    }
}

/// The whole number that `sql` selects under the name `n`.
async fn number(
    conn: &impl ConnectionTrait,
    sql: &str,
    values: impl IntoIterator<Item = sea_orm::Value>,
) -> Result<u64, ReadError> {
    let row = conn.query_one_raw(Backend::of(conn).statement(sql, values)).await;
    match row.map_err(read_error)?.map(Row) {
        Some(row) => Ok(row.number("n")?),
        None => Ok(0),
    }
}
