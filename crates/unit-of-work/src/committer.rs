//! The transaction around what is written, and what is known when it fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr};
use wallex_database::{Backend, Database, ErrorClass, classify};
use wallex_ports::{
    CommitError, Committer, LockedWallets, NewEvent, Shards, StreamAppend, Unit, UnitOutcome,
    WalletKey, WalletState,
};
use wallex_postgres_eventstore::{
    Held, hold_positions, holds_event, lock_streams, stream_versions,
};

use crate::batch::{Batch, Fate, TAKEN, only_reads, said_to_be_missing, streams};
use crate::write::{Written, write};

/// How often the outcome of a lost COMMIT is looked up before it is given up as unknown.
const LOOKUPS_MAX: u32 = 8;
/// The pause after the first look-up that failed; it doubles each time.
const LOOKUP_PAUSE: Duration = Duration::from_millis(20);

/// How long a command that locks first waits for its wallets. Other servers hold a row for
/// milliseconds; whoever holds it for longer is a person at a prompt, and the commands behind this
/// one must not wait for that.
const LOCK_WAIT_MS: u32 = 500;

/// Commits batches to PostgreSQL or SQLite.
#[derive(Debug, Clone)]
pub struct SqlCommitter {
    db: Arc<Database>,
}

impl SqlCommitter {
    /// On `db`.
    #[must_use]
    pub fn new(db: Arc<Database>) -> Self {
        Self { db }
    }

    fn shards(&self) -> Result<Shards, CommitError> {
        self.db.shards().map_err(|error| CommitError::Unavailable(error.into()))
    }

    /// Locks the wallets of `units`, but for those that another transaction holds; the versions of
    /// those that exist. One that is held is missing there like one that does not exist: a unit
    /// that changes it does not fit then, and for one that only says that it does not exist, it is
    /// looked at without a lock.
    async fn lock_free(
        &self,
        transaction: &DatabaseTransaction,
        units: &[Unit],
    ) -> Result<HashMap<WalletKey, u64>, DbErr> {
        let shards = self.db.shards().map_err(|error| DbErr::Custom(error.to_string()))?;
        let locked = lock_streams(transaction, shards, &streams(units), Held::Skip).await?;
        let mut committed = versions(&locked);
        let missing: Vec<_> = said_to_be_missing(units)
            .into_iter()
            .filter(|key| !committed.contains_key(key))
            .collect();
        // One that is there after all is held or new: nothing can rest on it this time.
        let held = stream_versions(transaction, shards, &missing).await?.into_keys();
        committed.extend(held.map(|key| (key, TAKEN)));
        Ok(committed)
    }

    /// Refusals without a key write nothing: one look at the versions verifies what they rest on.
    async fn verify(&self, units: &[Unit]) -> Result<Vec<UnitOutcome>, CommitError> {
        let keys = streams(units);
        let committed = stream_versions(self.db.read(), self.shards()?, &keys).await;
        let batch = Batch::new(units, committed.map_err(before_commit)?);
        let outcome = |fate: &Fate| match fate {
            Fate::Alive => UnitOutcome::Committed,
            Fate::Conflict | Fate::KeyTaken => UnitOutcome::VersionConflict,
        };
        Ok(batch.fates().iter().map(outcome).collect())
    }

    async fn write_and_commit(
        &self,
        transaction: DatabaseTransaction,
        units: &[Unit],
        committed: HashMap<WalletKey, u64>,
    ) -> Result<Vec<UnitOutcome>, CommitError> {
        let shards = self.shards()?;
        let written = write(&transaction, shards, units, committed).await.map_err(before_commit)?;
        if !written.anything {
            transaction.rollback().await.map_err(before_commit)?;
            return Ok(written.outcomes);
        }
        match transaction.commit().await {
            Ok(()) => Ok(written.outcomes),
            Err(error) if classify(&error) == ErrorClass::Unavailable => {
                self.look_up(units, written, error).await
            }
            // The database said that it did not commit.
            Err(error) => Err(before_commit(error)),
        }
    }

    /// COMMIT was sent and its answer was lost. The transaction is one, so one of its events tells
    /// for all. It may still be ending on the server: holding the head of the event's shard waits
    /// for that.
    pub(crate) async fn look_up(
        &self,
        units: &[Unit],
        written: Written,
        lost: DbErr,
    ) -> Result<Vec<UnitOutcome>, CommitError> {
        let Some((append, event)) = witness(units, &written.outcomes) else {
            // Only keys were claimed: claiming them again finds out. Who meets its own record then
            // is told the right answer, as a replay.
            return Err(CommitError::Transient(lost.into()));
        };
        tracing::warn!(error = %lost, "the answer to COMMIT was lost: looking its outcome up");
        let mut pause = LOOKUP_PAUSE;
        for _ in 0..LOOKUPS_MAX {
            match self.was_committed(append, event).await {
                Ok(true) => return Ok(written.outcomes),
                Ok(false) => return Err(CommitError::Unavailable(lost.into())),
                Err(error) => tracing::debug!(%error, "the look-up failed"),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(CommitError::Indeterminate(lost.into()))
    }

    async fn was_committed(&self, append: &StreamAppend, event: &NewEvent) -> Result<bool, DbErr> {
        let key = &append.stream;
        let shards = self.db.shards().map_err(|error| DbErr::Custom(error.to_string()))?;
        let shard = shards.of_wallet(key);
        let transaction = self.db.begin().await?;
        hold_positions(&transaction, [shard]).await?;
        let version = append.expected_version + 1;
        let found = holds_event(&transaction, shard, key, version, event).await?;
        transaction.rollback().await?;
        Ok(found)
    }
}

/// An event that stands in the store if the batch was committed, and only then.
fn witness<'a>(
    units: &'a [Unit],
    outcomes: &[UnitOutcome],
) -> Option<(&'a StreamAppend, &'a NewEvent)> {
    let committed = units.iter().zip(outcomes).filter(|(_, o)| **o == UnitOutcome::Committed);
    let append = committed.flat_map(|(unit, _)| &unit.appends).next()?;
    Some((append, append.events.first()?))
}

/// An error before COMMIT was sent, or one by which the database denied it: nothing was written.
fn before_commit(error: DbErr) -> CommitError {
    match classify(&error) {
        ErrorClass::Unavailable => CommitError::Unavailable(error.into()),
        ErrorClass::Transient => CommitError::Transient(error.into()),
        ErrorClass::Blocked => CommitError::Blocked(error.into()),
        ErrorClass::Permanent => CommitError::Storage(error.into()),
    }
}

#[async_trait]
impl Committer for SqlCommitter {
    async fn commit(&self, units: Arc<[Unit]>) -> Result<Vec<UnitOutcome>, CommitError> {
        if only_reads(&units) {
            return self.verify(&units).await;
        }
        self.shards()?;
        let transaction = self.db.begin().await.map_err(before_commit)?;
        let committed = self.lock_free(&transaction, &units).await.map_err(before_commit)?;
        self.write_and_commit(transaction, &units, committed).await
    }

    async fn lock(&self, keys: Vec<WalletKey>) -> Result<Box<dyn LockedWallets>, CommitError> {
        let shards = self.shards()?;
        let transaction = self.db.begin().await.map_err(before_commit)?;
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if self.db.backend() == Backend::Postgres {
            let sql = format!("SET LOCAL lock_timeout = {LOCK_WAIT_MS}");
            transaction.execute_unprepared(&sql).await.map_err(before_commit)?;
        }
        let locked = lock_streams(&transaction, shards, &sorted, Held::Wait).await;
        let locked = locked.map_err(before_commit)?;
        let committed = versions(&locked);
        let wallets = keys.iter().map(|key| locked.get(key).cloned()).collect();
        Ok(Box::new(Locked { committer: self.clone(), transaction, wallets, committed }))
    }
}

fn versions(locked: &HashMap<WalletKey, WalletState>) -> HashMap<WalletKey, u64> {
    locked.iter().map(|(key, state)| (key.clone(), state.wallet.version())).collect()
}

struct Locked {
    committer: SqlCommitter,
    transaction: DatabaseTransaction,
    wallets: Vec<Option<WalletState>>,
    committed: HashMap<WalletKey, u64>,
}

#[async_trait]
impl LockedWallets for Locked {
    fn wallets(&self) -> &[Option<WalletState>] {
        &self.wallets
    }

    async fn commit(self: Box<Self>, units: Arc<[Unit]>) -> Result<Vec<UnitOutcome>, CommitError> {
        let Self { committer, transaction, committed, .. } = *self;
        committer.write_and_commit(transaction, &units, committed).await
    }
}
