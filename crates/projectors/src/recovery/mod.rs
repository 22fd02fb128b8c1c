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
mod sql;
mod sql_page;
mod sql_store;
mod statistics;
mod stopping;
mod store;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinHandle;
use uuid::Uuid;
use wallex_database::read_error;
use wallex_ports::{
    DeadLetters, IdGenerator, Missing, Operation, OperationKind, ReadError, Scope, StartError,
};

use run::Run;
use stopping::Stopping;

pub use operations::OPERATION_LEASE_MS;
pub use sql::SqlRecovery;
pub use sql_store::RecoverySettings;
#[cfg(test)]
pub(crate) use sql_store::SqlRecoveryStore;
pub use store::{Aside, Begun, Mine, PageTransaction, RecoveryStore, Stand, Visit};

/// The operations of one process.
#[derive(Clone)]
pub struct Operations {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn RecoveryStore>,
    letters: Arc<dyn DeadLetters>,
    ids: Arc<dyn IdGenerator>,
    stop: Stopping,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Operations {
    /// On `store`. What is parked is replayed by `letters`.
    #[must_use]
    pub fn new(
        store: Arc<dyn RecoveryStore>,
        letters: Arc<dyn DeadLetters>,
        ids: Arc<dyn IdGenerator>,
    ) -> Self {
        let (stop, tasks) = (Stopping::default(), Mutex::default());
        Self { inner: Arc::new(Inner { store, letters, ids, stop, tasks }) }
    }

    /// Begins an operation, or goes on with an interrupted rebuild of the same scope.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn begin(&self, kind: OperationKind, scope: Scope) -> Result<Operation, StartError> {
        to_the_end(Arc::clone(&self.inner).begin(kind, scope)).await
    }

    /// The operation of that identity.
    ///
    /// # Errors
    /// The database's.
    pub async fn operation(&self, id: Uuid) -> Result<Option<Operation>, ReadError> {
        self.inner.store.shards()?;
        self.inner.store.operation(id).await.map_err(read_error)
    }

    /// Goes on with the oldest rebuild that was interrupted, in whichever process; `None` when there
    /// is none, or another rebuild is running.
    ///
    /// # Errors
    /// The database's.
    pub async fn resume_interrupted(&self) -> Result<Option<Operation>, ReadError> {
        let store = &self.inner.store;
        store.shards()?;
        let oldest = store.oldest_interrupted(OperationKind::Rebuild).await;
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
        self.inner.store.shards()?;
        if !self.inner.store.is_retry_due().await? {
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
        self.inner.stop.ask();
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
        self.stop.is_asked()
    }

    /// How many follow a wallet in a walk: each projector, and the write side.
    fn followers(&self) -> usize {
        self.store.projectors().len() + 1
    }

    async fn begin(
        self: Arc<Self>,
        kind: OperationKind,
        scope: Scope,
    ) -> Result<Operation, StartError> {
        self.store.shards()?;
        if self.is_stopping() {
            return Err(ReadError::Unavailable("the process is about to end".into()).into());
        }
        self.check(&scope).await?;
        let (id, owner) = (self.ids.next(), self.ids.next().to_string());
        let begun = self.store.begin(kind, &scope, &Mine { id, owner: owner.clone() }).await;
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
        match scope {
            Scope::All => Ok(()),
            Scope::Since(since) if since.shard < self.store.shards()?.count() => Ok(()),
            Scope::Since(_) => Err(StartError::NoSuch(Missing::Shard)),
            Scope::Wallet(key) if self.store.knows(key).await.map_err(read_error)? => Ok(()),
            Scope::Wallet(_) => Err(StartError::NoSuch(Missing::Wallet)),
        }
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
