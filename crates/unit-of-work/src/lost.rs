//! What becomes of a batch when the answer to its commit is lost.
//!
//! On PostgreSQL the lost statement may still be under way, wherever it is: in the network, waiting for a lock, or
//! ending. To look is not enough then, because what is not there may come. So the same rows are written again: both
//! expect the same versions and claim the same keys, and only one of the two can commit. Whoever it is, the batch is
//! written once. When neither can, because another transaction moved on something that both rest on, that is
//! proven, too, and only then may the commands be decided again.
//!
//! On SQLite, which is in this process and has one writer, nothing is under way once the next transaction has begun: there
//! a look is enough.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::{ConnectionTrait, DbErr};
use tokio::time::{Instant, sleep};
use wallex_database::within;
use wallex_idempotency::stored_records;
use wallex_ports::{CommitError, Shards, WalletKey};
use wallex_postgres_eventstore::{PositionedEvent, holds_event, stream_versions};

use crate::SqlCommitter;
use crate::attempt::{Attempt, attempt};
use crate::rows::Rows;

/// The pause after the first try that found nothing out; it doubles each time.
const PAUSE: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// What the database shows of rows whose commit was lost.
enum Trace {
    /// They are there.
    Committed,
    /// They are not, and never will be: another transaction moved on what they rest on.
    Overtaken,
    /// They are not, and may come.
    Open,
}

impl SqlCommitter {
    /// Writes `rows` again, until they are there or can't come any more, for `patience`; what was `lost` is
    /// the reason why it is not known otherwise.
    pub(crate) async fn write_again(
        &self,
        rows: &Rows<'_>,
        shards: Shards,
        lost: DbErr,
        patience: Duration,
    ) -> Result<Attempt, CommitError> {
        let began = Instant::now();
        let mut pause = PAUSE;
        while began.elapsed() < patience {
            match within(self.span(rows), attempt(self.db.write(), shards, rows)).await {
                // What was lost finds other versions from now on.
                Ok(Attempt::Written(before)) => return Ok(Attempt::Written(before)),
                Ok(Attempt::Refused) => {}
                // This one may be lost like the first: it is the same rows.
                Err(error) => tracing::debug!(%error, "the batch could not be written again"),
            }
            match self.trace(rows, shards).await {
                // Where it stands in its shard is not known here, and so not told.
                Ok(Trace::Committed) => return Ok(Attempt::Written(BTreeMap::new())),
                Ok(Trace::Overtaken) => return Ok(Attempt::Refused),
                Ok(Trace::Open) => {}
                Err(error) => tracing::debug!(%error, "the look-up failed"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        Err(CommitError::Indeterminate(lost.into()))
    }

    /// Looks what `rows` rest on, and then whether the first of their events is there. In this order: who moves on
    /// what the rows hold does so once their transaction has ended, and then its event is seen, or never will be.
    ///
    /// Only what the rows' own transaction would hold until its end proves something. A wallet that must not
    /// exist and is not created by them is not held.
    ///
    /// Where the rows are claims alone, a record is met again by the unit that wrote it: as a replay of its own
    /// answer, which is the right one.
    async fn trace(&self, rows: &Rows<'_>, shards: Shards) -> Result<Trace, DbErr> {
        let created = rows.created.iter().map(|(key, _)| (*key, 0));
        let held: Vec<(&WalletKey, u64)> = rows.rests.iter().copied().chain(created).collect();
        let keys: Vec<WalletKey> = held.iter().map(|(key, _)| (*key).clone()).collect();
        let versions = stream_versions(self.db.read(), shards, &keys).await?;
        let is_moved =
            |(key, version): &(&WalletKey, u64)| versions.get(*key).unwrap_or(&0) != version;
        let scopes: Vec<_> = rows.claims.iter().map(|claim| &claim.scope).collect();
        let records = stored_records(self.db.read(), shards, &scopes).await?;
        if let Some(witness) = rows.events.first()
            && holds(self.db.read(), witness).await?
        {
            return Ok(Trace::Committed);
        }
        let is_overtaken = held.iter().any(is_moved) || records.iter().any(Option::is_some);
        Ok(if is_overtaken { Trace::Overtaken } else { Trace::Open })
    }

    /// On SQLite: whether the first event of `rows` is there, once nobody writes.
    pub(crate) async fn look_again(
        &self,
        rows: &Rows<'_>,
        lost: DbErr,
        patience: Duration,
    ) -> Result<Attempt, CommitError> {
        let Some(witness) = rows.events.first() else {
            // Only keys were claimed: claiming them again finds out.
            return Err(CommitError::Unavailable(lost.into()));
        };
        let began = Instant::now();
        let mut pause = PAUSE;
        while began.elapsed() < patience {
            match self.was_committed(witness).await {
                Ok(true) => return Ok(Attempt::Written(BTreeMap::new())),
                Ok(false) => return Err(CommitError::Unavailable(lost.into())),
                Err(error) => tracing::debug!(%error, "the look-up failed"),
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        Err(CommitError::Indeterminate(lost.into()))
    }

    async fn was_committed(&self, witness: &PositionedEvent<'_>) -> Result<bool, DbErr> {
        // It begins when the one writer is free: what was lost has ended by then.
        let transaction = self.db.begin().await?;
        let found = holds(&transaction, witness).await?;
        transaction.rollback().await?;
        Ok(found)
    }
}

async fn holds(conn: &impl ConnectionTrait, event: &PositionedEvent<'_>) -> Result<bool, DbErr> {
    let PositionedEvent { shard, stream, version, event, .. } = *event;
    holds_event(conn, shard, stream, version, event).await
}
