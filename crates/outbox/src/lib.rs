//! The transactional outbox: one row for each event, written in the transaction that appends it,
//! in the order of positions.
//!
//! A row is never updated: an event is processed by a consumer when its position is at or below
//! the consumer's checkpoint, and by all when it is at or below the lowest. The row refers to the
//! event's payload by (shard, tenant, wallet, version).
//!
//! [`enqueue`] is one statement on PostgreSQL. [`read_after`] is an index range scan, at any backlog.
//! [`lag`] and [`shards`] read a few rows a shard. [`clean`] deletes a bounded range of positions.

mod cleanup;
mod read;

use sea_orm::{ConnectionTrait, DbErr};
use wallex_database::{Backend, Column, Database, Insert, Row, RowError, read_error};
use wallex_domain::EventId;
use wallex_ports::{OutboxShard, ReadError, WalletKey};

pub use cleanup::clean;
pub use read::read_after;

/// An event to be handed to every consumer.
#[derive(Debug, Clone)]
pub struct OutboxRow<'a> {
    /// Its shard.
    pub shard: u16,
    /// Its place in the shard.
    pub position: u64,
    /// Its stream.
    pub stream: &'a WalletKey,
    /// Its place in the stream.
    pub version: u64,
    /// Its type.
    pub event_type: &'static str,
    /// Its identity.
    pub event_id: EventId,
    /// Its metadata, JSON.
    pub metadata: String,
}

/// Inserts `rows`, in the transaction that appends their events.
///
/// # Errors
/// The database's; an event that is enqueued already is a unique violation.
pub async fn enqueue(conn: &impl ConnectionTrait, rows: Vec<OutboxRow<'_>>) -> Result<(), DbErr> {
    let expected = rows.len() as u64;
    let now_ms = Backend::of(conn).now_ms();
    let columns = vec![
        Column::int("shard", rows.iter().map(|row| i64::from(row.shard))),
        Column::int("position", rows.iter().map(|row| row.position.cast_signed())),
        Column::text("tenant", rows.iter().map(|row| row.stream.tenant.as_str())),
        Column::text("wallet_id", rows.iter().map(|row| row.stream.wallet_id.as_str())),
        Column::int("version", rows.iter().map(|row| row.version.cast_signed())),
        Column::text("type", rows.iter().map(|row| row.event_type)),
        Column::uuid("event_id", rows.iter().map(|row| row.event_id.as_uuid())),
        // In the database's time, which the lag is measured in: nodes' clocks differ.
        Column::int("created_at_ms", rows.iter().map(|_| 0)).computed(format!("{now_ms} + {{}}")),
        Column::json("metadata", rows.into_iter().map(|row| row.metadata)),
    ];
    let written = Insert::into("outbox", columns).execute(conn).await?;
    if written == expected {
        Ok(())
    } else {
        Err(DbErr::Custom(format!("{written} of {expected} outbox rows were written")))
    }
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
