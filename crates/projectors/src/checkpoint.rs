//! The checkpoint of one projector in one shard, and the lease on it.
//!
//! The lease is a row with an epoch and an end in the database's own time: nodes' clocks differ. Who
//! takes it raises the epoch, and every write of a holder names the epoch that it took: one that was
//! frozen, or cut off, can't write once another has taken over.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Value};
use wallex_database::{Backend, Database, Row, RowError};

use crate::parking::Filled;

/// A process that is frozen in the middle of a transaction holds the checkpoint's row lock. PostgreSQL
/// ends its transaction after this long, so that whoever comes next does not wait for it.
pub const FROZEN_MS_MAX: u64 = 3_000;

/// What a SELECT that locks a checkpoint on PostgreSQL sets besides, without a round trip of its own.
pub(crate) fn unless_frozen() -> String {
    format!(", set_config('idle_in_transaction_session_timeout', '{FROZEN_MS_MAX}', true)")
}

/// What a worker asks of a projector's wanted state before it runs it: `running` is where it begins,
/// `stopped` and `started` are what was asked for by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// It was not stopped.
    AtAll,
    /// It was started by hand, since this process did not start it by itself.
    ByHand,
}

/// A lease that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat {
    /// Whose checkpoint it is.
    pub projector: &'static str,
    /// In which shard.
    pub shard: u16,
    /// What every write of this holder names.
    pub epoch: i64,
}

/// A column that can't be understood, as an error of the database.
pub(crate) fn unreadable(error: RowError) -> DbErr {
    DbErr::Type(crate::projector::sentence(&error))
}

fn lease_until(backend: Backend, lease: Duration) -> String {
    format!("{} + {}", backend.now_ms(), lease.as_millis())
}

/// Takes the lease if nobody holds it, and the projector is `wanted`; the seat, and the position of
/// the checkpoint.
pub(crate) async fn take(
    db: &Database,
    projector: &'static str,
    shard: u16,
    owner: &str,
    lease: Duration,
    wanted: Wanted,
) -> Result<Option<(Seat, u64)>, DbErr> {
    let backend = db.backend();
    let wanted = match wanted {
        Wanted::AtAll => "wanted_state <> 'stopped'",
        Wanted::ByHand => "wanted_state = 'started'",
    };
    let free = format!(
        "projector = $1 AND shard = $2 AND {wanted} AND (owner = '' OR lease_until_ms <= {})",
        backend.now_ms()
    );
    let key = || [Value::from(projector), i64::from(shard).into()];
    // Looking costs no lock: who waits for a seat looks often.
    let look = format!("SELECT 1 FROM projector_checkpoints WHERE {free}");
    if db.background().query_one_raw(backend.statement(look, key())).await?.is_none() {
        return Ok(None);
    }
    let take = format!(
        "UPDATE projector_checkpoints SET epoch = epoch + 1, owner = $3, lease_until_ms = {} \
         WHERE {free} RETURNING epoch, position",
        lease_until(backend, lease)
    );
    let values = key().into_iter().chain([owner.into()]);
    let tx = db.begin_background().await?;
    let row = tx.query_one_raw(backend.statement(take, values)).await?;
    tx.commit().await?;
    let Some(row) = row.map(Row) else { return Ok(None) };
    let epoch = row.int("epoch").map_err(unreadable)?;
    let position = row.number("position").map_err(unreadable)?;
    Ok(Some((Seat { projector, shard, epoch }, position)))
}

impl Seat {
    fn is_mine() -> &'static str {
        "projector = $1 AND shard = $2 AND epoch = $3 AND wanted_state <> 'stopped'"
    }

    fn values(&self, more: impl IntoIterator<Item = Value>) -> Vec<Value> {
        let mine = [self.projector.into(), i64::from(self.shard).into(), self.epoch.into()];
        mine.into_iter().chain(more).collect()
    }

    /// Moves the checkpoint on, as the first statement of the transaction that applies the batch:
    /// whoever else wants these tables takes the same row first. Nothing when the seat is no longer this
    /// holder's, or the checkpoint not where it left it.
    pub(crate) async fn advance(
        &self,
        tx: &DatabaseTransaction,
        from: u64,
        to: u64,
        lease: Duration,
        events_per_second: u64,
    ) -> Result<Option<Filled>, DbErr> {
        let backend = Backend::of(tx);
        // In the same statement: it costs no round trip. No client waits for this transaction, and a
        // crash takes its effect back with its checkpoint: it need not wait for the disk.
        let settings = match backend {
            Backend::Postgres => {
                format!("{}, set_config('synchronous_commit', 'off', true)", unless_frozen())
            }
            Backend::Sqlite => String::new(),
        };
        let sql = format!(
            "UPDATE projector_checkpoints SET position = $5, updated_at_ms = {}, \
             lease_until_ms = {}, events_per_second = $6, last_error = '' \
             WHERE {} AND position = $4 RETURNING {}{settings}",
            backend.now_ms(),
            lease_until(backend, lease),
            Self::is_mine(),
            Filled::columns()
        );
        let numbers = [from, to, events_per_second].map(|n| Value::from(n.cast_signed()));
        let moved = tx.query_one_raw(backend.statement(sql, self.values(numbers))).await?;
        moved.map(|row| Filled::of_row(&Row(row)).map_err(unreadable)).transpose()
    }

    /// Keeps the lease after a look that found nothing wrong; where the checkpoint stands, if it is still this
    /// holder's, and the projector wanted.
    pub(crate) async fn renew(&self, db: &Database, lease: Duration) -> Result<Option<u64>, DbErr> {
        let sql = self.keeping(db, lease, "events_per_second = 0, last_error = ''");
        let statement =
            db.backend().statement(format!("{sql} RETURNING position"), self.values([]));
        let tx = db.begin_background().await?;
        let row = tx.query_one_raw(statement).await?;
        tx.commit().await?;
        row.map(|row| Row(row).number("position").map_err(unreadable)).transpose()
    }

    /// Keeps the lease while the holder waits after a failure; whether it is still this holder's.
    pub(crate) async fn wait(&self, db: &Database, lease: Duration) -> Result<bool, DbErr> {
        self.keep(db, lease, "events_per_second = 0", []).await
    }

    /// Records what went wrong, and keeps the lease; whether it is still this holder's.
    pub(crate) async fn fail(
        &self,
        db: &Database,
        error: &str,
        lease: Duration,
    ) -> Result<bool, DbErr> {
        let set = format!(
            "events_per_second = 0, last_error = $4, last_error_at_ms = {}",
            db.backend().now_ms()
        );
        self.keep(db, lease, &set, [error.into()]).await
    }

    async fn keep(
        &self,
        db: &Database,
        lease: Duration,
        set: &str,
        more: impl IntoIterator<Item = Value>,
    ) -> Result<bool, DbErr> {
        self.write(db, &self.keeping(db, lease, set), more).await
    }

    fn keeping(&self, db: &Database, lease: Duration, set: &str) -> String {
        format!(
            "UPDATE projector_checkpoints SET lease_until_ms = {}, {set} WHERE {}",
            lease_until(db.backend(), lease),
            Self::is_mine()
        )
    }

    /// Where the checkpoint stands; `None` when the seat is another's.
    pub(crate) async fn position(&self, db: &Database) -> Result<Option<u64>, DbErr> {
        let sql = format!("SELECT position FROM projector_checkpoints WHERE {}", Self::is_mine());
        let statement = db.backend().statement(sql, self.values([]));
        let row = db.background().query_one_raw(statement).await?;
        row.map(|row| Row(row).number("position").map_err(unreadable)).transpose()
    }

    /// Gives the lease back, so that another process can take it at once.
    pub(crate) async fn leave(&self, db: &Database) -> Result<(), DbErr> {
        let sql = "UPDATE projector_checkpoints SET owner = '', lease_until_ms = 0, \
                   events_per_second = 0 WHERE projector = $1 AND shard = $2 AND epoch = $3";
        self.write(db, sql, []).await.map(|_| ())
    }

    async fn write(
        &self,
        db: &Database,
        sql: &str,
        more: impl IntoIterator<Item = Value>,
    ) -> Result<bool, DbErr> {
        let tx = db.begin_background().await?;
        let statement = db.backend().statement(sql, self.values(more));
        let written = tx.execute_raw(statement).await?.rows_affected();
        tx.commit().await?;
        Ok(written == 1)
    }
}

/// Gives a projector a checkpoint in every shard where it has none: one that is new begins at the
/// first event.
pub(crate) async fn create_missing(
    db: &Database,
    projector: &'static str,
    shards: u16,
) -> Result<(), DbErr> {
    let backend = db.backend();
    let sql = format!(
        "INSERT INTO projector_checkpoints (projector, shard, position, updated_at_ms) \
         SELECT $1, h.shard, 0, {} FROM shard_heads h WHERE h.shard < $2 AND NOT EXISTS \
         (SELECT 1 FROM projector_checkpoints c WHERE c.projector = $1 AND c.shard = h.shard) \
         ON CONFLICT DO NOTHING",
        backend.now_ms()
    );
    let values = [projector.into(), i64::from(shards).into()];
    let tx = db.begin_background().await?;
    tx.execute_raw(backend.statement(sql, values)).await?;
    tx.commit().await
}

/// Forgets what was started by hand: a process that does not run projectors by itself begins without
/// them.
pub(crate) async fn forget_starts(db: &Database) -> Result<(), DbErr> {
    let sql = "UPDATE projector_checkpoints SET wanted_state = 'running' \
               WHERE wanted_state = 'started'";
    let tx = db.begin_background().await?;
    tx.execute_raw(db.backend().statement(sql, [])).await?;
    tx.commit().await
}

/// Holds the checkpoint of a projector in a shard until the transaction ends, and with it what has
/// been applied; its position.
pub(crate) async fn hold(
    tx: &DatabaseTransaction,
    projector: &str,
    shard: u16,
) -> Result<u64, DbErr> {
    let backend = Backend::of(tx);
    // On SQLite the transaction itself is the lock.
    let (unless_frozen, lock) = match backend {
        Backend::Postgres => (unless_frozen(), " FOR UPDATE"),
        Backend::Sqlite => (String::new(), ""),
    };
    let sql = format!(
        "SELECT position{unless_frozen} FROM projector_checkpoints \
         WHERE projector = $1 AND shard = $2{lock}"
    );
    let values = [projector.into(), i64::from(shard).into()];
    let row = tx.query_one_raw(backend.statement(sql, values)).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound(format!("{projector} has no checkpoint")))?;
    Row(row).number("position").map_err(unreadable)
}
