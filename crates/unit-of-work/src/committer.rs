//! The transaction around what is written, and what is known when it fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr};
use tracing::{Instrument as _, Span};
use wallex_database::{
    Backend, Database, ErrorClass, classify, is_answer_lost, is_undefined, within,
};
use wallex_idempotency::{forget_expired, stored_records};
use wallex_outbox::Tail;
use wallex_ports::{
    CommitError, Committer, KeyScope, LockedWallets, NotMigrated, Shards, StoredRecord,
    StreamState, Unit, UnitOutcome, WalletKey,
};
use wallex_postgres_eventstore::{Held, lock_streams, stream_versions};

use crate::attempt::{Attempt, attempt};
use crate::batch::{Batch, TAKEN};
use crate::rows::Rows;

/// How often what fits of a batch is tried. Each refusal but the last is looked into, and leaves out
/// what does not fit; only who is overtaken in between is refused again.
const ATTEMPTS_MAX: u32 = 4;
/// How long the outcome of a lost COMMIT is looked for before it is given up as unknown: about as long as its
/// statement may take, and less than the lane waits.
const LOOKUP_MAX: Duration = Duration::from_secs(8);

/// How long a command that locks first waits for its wallets. Other servers hold a row for
/// milliseconds; whoever holds it for longer is a person at a prompt, and the commands behind this
/// one must not wait for that.
const LOCK_WAIT_MS: u32 = 500;

/// Commits batches to PostgreSQL or SQLite.
#[derive(Debug, Clone)]
pub struct SqlCommitter {
    pub(crate) db: Arc<Database>,
    tail: Arc<Tail>,
}

impl SqlCommitter {
    /// On `db`. What it commits it tells `tail`.
    #[must_use]
    pub fn new(db: Arc<Database>, tail: Arc<Tail>) -> Self {
        Self { db, tail }
    }

    fn shards(&self) -> Result<Shards, CommitError> {
        self.db.shards().map_err(|error| CommitError::Unavailable(error.into()))
    }

    /// Writes what fits of `units`: what fits is believed at first, and known after a refusal.
    async fn write(&self, units: &[Unit]) -> Result<Vec<UnitOutcome>, CommitError> {
        let shards = self.shards()?;
        let mut batch = Batch::new(units);
        if batch.only_reads() {
            // One look at the versions verifies what refusals without a key rest on.
            self.look(&mut batch, shards).await.map_err(before_commit)?;
        }
        for _ in 0..ATTEMPTS_MAX {
            if batch.only_reads() {
                return Ok(batch.outcomes());
            }
            let rows = Rows::of(&batch, shards);
            match self.attempt(&rows, shards).await? {
                Attempt::Written(before) => {
                    rows.tell(&self.tail, &before);
                    return Ok(batch.outcomes());
                }
                Attempt::Refused => self.look(&mut batch, shards).await.map_err(before_commit)?,
            }
        }
        Ok(batch.defeated())
    }

    /// Writes `rows`, and makes them durable.
    async fn attempt(&self, rows: &Rows<'_>, shards: Shards) -> Result<Attempt, CommitError> {
        let span = self.span(rows);
        if self.db.backend() == Backend::Sqlite {
            return self.attempt_in_steps(rows, shards).instrument(span).await;
        }
        match within(span, attempt(self.db.write(), shards, rows)).await {
            Err(error) if is_answer_lost(&error) => {
                self.look_up(rows, shards, error, LOOKUP_MAX).await
            }
            attempted => attempted.map_err(before_commit),
        }
    }

    async fn attempt_in_steps(
        &self,
        rows: &Rows<'_>,
        shards: Shards,
    ) -> Result<Attempt, CommitError> {
        let transaction = self.db.begin().await.map_err(before_commit)?;
        let written = attempt(&transaction, shards, rows).await.map_err(before_commit)?;
        self.end(transaction, rows, shards, written).await
    }

    /// What a trace shows of writing `rows`.
    pub(crate) fn span(&self, rows: &Rows<'_>) -> Span {
        self.db.place().span("BATCH", "events", rows.events.len())
    }

    /// Commits what was written, or rolls back what was refused.
    async fn end(
        &self,
        transaction: DatabaseTransaction,
        rows: &Rows<'_>,
        shards: Shards,
        attempted: Attempt,
    ) -> Result<Attempt, CommitError> {
        if matches!(attempted, Attempt::Refused) {
            transaction.rollback().await.map_err(before_commit)?;
            return Ok(attempted);
        }
        match transaction.commit().await {
            Ok(()) => Ok(attempted),
            Err(error) if is_answer_lost(&error) => {
                self.look_up(rows, shards, error, LOOKUP_MAX).await
            }
            // The database said that it did not commit.
            Err(error) => Err(before_commit(error)),
        }
    }

    /// Finds out what the database holds of all that the units rest on. A wallet that another
    /// transaction holds is looked at without a lock, and is known to be taken then.
    async fn look(&self, batch: &mut Batch<'_>, shards: Shards) -> Result<(), DbErr> {
        let keys = batch.wallets();
        let mut known: HashMap<WalletKey, u64> = if batch.only_reads() {
            stream_versions(self.db.read(), shards, &keys).await?
        } else {
            versions(&lock_streams(self.db.write(), shards, &keys, Held::Skip).await?)
        };
        let missing: Vec<_> = keys.into_iter().filter(|key| !known.contains_key(key)).collect();
        let held = stream_versions(self.db.read(), shards, &missing).await?;
        for key in missing {
            let version = if held.contains_key(&key) { TAKEN } else { 0 };
            known.insert(key, version);
        }
        let claims = batch.alive().filter_map(|(i, unit)| Some((i, &unit.claim.as_ref()?.scope)));
        let (claiming, scopes): (Vec<usize>, Vec<&KeyScope>) = claims.unzip();
        let taken = stored_records(self.db.read(), shards, &scopes).await?;
        let expired = scopes.iter().zip(&taken).filter(|(_, stored)| stored.is_none());
        let expired: Vec<&KeyScope> = expired.map(|(scope, _)| *scope).collect();
        if !batch.only_reads() && !expired.is_empty() {
            forget_expired(self.db.write(), shards, &expired).await?;
        }
        let taken = claiming.into_iter().zip(taken);
        let taken: Vec<(usize, StoredRecord)> =
            taken.filter_map(|(unit, stored)| Some((unit, stored?))).collect();
        batch.learn(known, taken);
        Ok(())
    }

    /// COMMIT was sent and its answer was lost. What fails from here on has not been, and never will be,
    /// written; else it is [`CommitError::Indeterminate`].
    pub(crate) async fn look_up(
        &self,
        rows: &Rows<'_>,
        shards: Shards,
        lost: DbErr,
        patience: Duration,
    ) -> Result<Attempt, CommitError> {
        tracing::warn!(error = %lost, "the answer to COMMIT was lost: looking its outcome up");
        #[cfg(debug_assertions)]
        if let Some(believed) = crate::spoil::lost_answer(&lost) {
            return believed;
        }
        match self.db.backend() {
            Backend::Postgres => self.write_again(rows, shards, lost, patience).await,
            Backend::Sqlite => self.look_again(rows, lost, patience).await,
        }
    }
}

/// An error before COMMIT was sent, or one by which the database denied it: nothing was written.
fn before_commit(error: DbErr) -> CommitError {
    if is_undefined(&error) {
        return CommitError::Unavailable(NotMigrated.into());
    }
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
        self.write(&units).await
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
        let wallets = keys.iter().map(|key| locked.get(key).cloned()).collect();
        Ok(Box::new(Locked { committer: self.clone(), transaction, wallets }))
    }
}

fn versions(locked: &HashMap<WalletKey, StreamState>) -> HashMap<WalletKey, u64> {
    locked.iter().map(|(key, held)| (key.clone(), held.state.wallet.version())).collect()
}

struct Locked {
    committer: SqlCommitter,
    transaction: DatabaseTransaction,
    wallets: Vec<Option<StreamState>>,
}

#[async_trait]
impl LockedWallets for Locked {
    fn wallets(&self) -> &[Option<StreamState>] {
        &self.wallets
    }

    async fn commit(self: Box<Self>, units: Arc<[Unit]>) -> Result<Vec<UnitOutcome>, CommitError> {
        let Self { committer, transaction, .. } = *self;
        let shards = committer.shards()?;
        let batch = Batch::new(&units);
        if batch.only_reads() {
            // Under the locks nothing can have changed but what did not exist.
            transaction.rollback().await.map_err(before_commit)?;
            return committer.write(&units).await;
        }
        let rows = Rows::of(&batch, shards);
        let span = committer.span(&rows);
        let attempted = within(span, attempt(&transaction, shards, &rows)).await;
        let attempted = attempted.map_err(before_commit)?;
        match committer.end(transaction, &rows, shards, attempted).await? {
            Attempt::Written(before) => {
                rows.tell(&committer.tail, &before);
                Ok(batch.outcomes())
            }
            // A key or a creation was lost: which one, the other way tells.
            Attempt::Refused => committer.write(&units).await,
        }
    }
}
