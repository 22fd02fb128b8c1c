//! The transaction around what is written, and what is known when it fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{DatabaseTransaction, DbErr};
use wallex_database::{Database, ErrorClass, classify};
use wallex_ports::{
    CommitError, Committer, LockedWallets, NewEvent, Shards, StreamAppend, Unit, UnitOutcome,
    WalletKey, WalletState,
};
use wallex_postgres_eventstore::{hold_positions, holds_event, lock_streams, stream_versions};

use crate::batch::{Batch, Fate, only_reads, streams};
use crate::write::{Written, write};

/// How often the outcome of a lost COMMIT is looked up before it is given up as unknown.
const LOOKUPS_MAX: u32 = 8;
/// The pause after the first look-up that failed; it doubles each time.
const LOOKUP_PAUSE: Duration = Duration::from_millis(20);

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
        let not_migrated = || CommitError::Unavailable("the database is not migrated".into());
        self.db.shards().ok_or_else(not_migrated)
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
    async fn look_up(
        &self,
        units: &[Unit],
        written: Written,
        lost: DbErr,
    ) -> Result<Vec<UnitOutcome>, CommitError> {
        let Some((append, event)) = witness(units, &written.outcomes) else {
            // Only keys were claimed: claiming them again finds out.
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
        let not_migrated = || DbErr::Custom("the database is not migrated".to_owned());
        let shard = self.db.shards().ok_or_else(not_migrated)?.of_wallet(key);
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
        ErrorClass::Permanent => CommitError::Storage(error.into()),
    }
}

#[async_trait]
impl Committer for SqlCommitter {
    async fn commit(&self, units: Arc<[Unit]>) -> Result<Vec<UnitOutcome>, CommitError> {
        if only_reads(&units) {
            return self.verify(&units).await;
        }
        let shards = self.shards()?;
        let transaction = self.db.begin().await.map_err(before_commit)?;
        let locked = lock_streams(&transaction, shards, &streams(&units)).await;
        let committed = versions(&locked.map_err(before_commit)?);
        self.write_and_commit(transaction, &units, committed).await
    }

    async fn lock(&self, keys: Vec<WalletKey>) -> Result<Box<dyn LockedWallets>, CommitError> {
        let shards = self.shards()?;
        let transaction = self.db.begin().await.map_err(before_commit)?;
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let locked = lock_streams(&transaction, shards, &sorted).await.map_err(before_commit)?;
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
