//! The transactional outbox: one row for each event, written in the transaction that appends it,
//! in the order of positions.
//!
//! A row is never updated: an event is processed by a consumer when its position is at or below
//! the consumer's checkpoint, and by all when it is at or below the lowest. The row refers to the
//! event's payload by (shard, tenant, wallet, version).
//!
//! What is appended is enqueued in its transaction: by a part of the one statement there is on PostgreSQL
//! ([`enqueue_appended`]), by a statement on SQLite ([`enqueue_after`]). [`read_after`] is an index range scan, at any backlog.
//! [`Tail`] keeps what this process committed
//! last, for consumers that keep up. [`lag`] and [`shards`] read a few rows a shard. [`clean`] deletes a bounded range of positions.

mod cleanup;
mod read;
#[cfg(debug_assertions)]
mod spoil;
mod tail;

use sea_orm::{ConnectionTrait, DbErr, Value};
use wallex_database::{Backend, Database, Row, RowError, With, read_error};
use wallex_ports::{OutboxShard, ReadError};

pub use cleanup::clean;
pub use read::read_after;
pub use tail::{Committed, Tail};

/// What an outbox row takes of its event.
const COLUMNS: &str = "shard, position, tenant, wallet_id, version, type, event_id, metadata";

/// On PostgreSQL: adds `enqueued`, the rows of the events that the part `appended` returns, to the
/// statement that appends them.
pub fn enqueue_appended(with: &mut With) {
    // In the database's time, which the lag is measured in: nodes' clocks differ.
    let now_ms = Backend::Postgres.now_ms();
    let enqueued = format!(
        "INSERT INTO outbox ({COLUMNS}, created_at_ms) SELECT {COLUMNS}, {now_ms} \
         FROM appended RETURNING 1"
    );
    #[cfg(debug_assertions)]
    let enqueued = spoil::enqueued(with, enqueued);
    with.part("enqueued", enqueued);
}

/// On SQLite: inserts the rows of the `count` events of `shard` behind the position `before`, in the
/// transaction that appended them.
///
/// # Errors
/// The database's; an event that is enqueued already is a unique violation.
pub async fn enqueue_after(
    conn: &impl ConnectionTrait,
    shard: u16,
    before: u64,
    count: u64,
) -> Result<(), DbErr> {
    let now_ms = Backend::Sqlite.now_ms();
    let sql = format!(
        "INSERT OR FAIL INTO outbox ({COLUMNS}, created_at_ms) SELECT {COLUMNS}, {now_ms} \
         FROM events WHERE shard = $1 AND position > $2 AND position <= $3"
    );
    let numbers = [before, before + count].map(|n| Value::from(n.cast_signed()));
    let values: Vec<Value> = [i64::from(shard).into()].into_iter().chain(numbers).collect();
    let statement = Backend::Sqlite.statement(sql, values);
    let written = conn.execute_raw(statement).await?.rows_affected();
    if written != count {
        return Err(DbErr::Custom(format!("{written} of {count} outbox rows were written")));
    }
    #[cfg(debug_assertions)]
    spoil::rows(conn, shard, before, count).await?;
    Ok(())
}

/// How far the slowest consumer is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lag {
    /// Events that it has not processed yet.
    pub events: u64,
    /// How long ago the oldest of them was enqueued, in milliseconds of the database's clock.
    pub age_ms: u64,
}

/// How far the slowest consumer is behind, over all shards. Costs a few index look-ups for each
/// shard, however long the backlog is.
///
/// # Errors
/// [`ReadError::Unavailable`] when the database does not answer or is not migrated.
pub async fn lag(db: &Database) -> Result<Lag, ReadError> {
    let shards = shards(db).await?;
    Ok(shards.iter().fold(Lag::default(), |lag, shard| Lag {
        events: lag.events + shard.head.saturating_sub(shard.processed),
        age_ms: lag.age_ms.max(shard.lag_age_ms),
    }))
}

/// The outbox by shard, in their order. Costs what [`lag`] costs.
///
/// # Errors
/// [`ReadError::Unavailable`] when the database does not answer or is not migrated.
pub async fn shards(db: &Database) -> Result<Vec<OutboxShard>, ReadError> {
    db.shards()?;
    let now_ms = db.backend().now_ms();
    let sql = format!(
        "SELECT CAST(h.shard AS bigint) AS shard, h.position AS head, c.position AS processed, \
         coalesce((SELECT min(o.position) FROM outbox o WHERE o.shard = h.shard), 0) AS oldest, \
         coalesce({now_ms} - (SELECT o.created_at_ms FROM outbox o WHERE o.shard = h.shard \
         AND o.position > c.position ORDER BY o.position LIMIT 1), 0) AS age_ms \
         FROM shard_heads h JOIN (SELECT shard, min(position) AS position \
         FROM projector_checkpoints GROUP BY shard) c ON c.shard = h.shard ORDER BY h.shard"
    );
    let rows = db.read().query_all_raw(db.backend().statement(sql, [])).await;
    let rows = rows.map_err(read_error)?;
    Ok(rows.into_iter().map(|row| of_shard(&Row(row))).collect::<Result<_, _>>()?)
}

fn of_shard(row: &Row) -> Result<OutboxShard, RowError> {
    let oldest: u64 = row.number("oldest")?;
    Ok(OutboxShard {
        shard: row.number("shard")?,
        head: row.number("head")?,
        processed: row.number("processed")?,
        oldest_kept: (oldest > 0).then_some(oldest),
        // A clock that was set back makes no age below zero.
        lag_age_ms: row.int("age_ms")?.max(0).unsigned_abs(),
    })
}
