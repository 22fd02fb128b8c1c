//! Appending events.

use sea_orm::{ConnectionTrait, DbErr, Value};
use wallex_database::{Backend, Column, Insert};
use wallex_ports::{NewEvent, WalletKey};

/// An event with its place in its stream and in its shard.
#[derive(Debug, Clone, Copy)]
pub struct PositionedEvent<'a> {
    /// Its shard.
    pub shard: u16,
    /// Its place in the shard.
    pub position: u64,
    /// Its stream.
    pub stream: &'a WalletKey,
    /// Its place in the stream.
    pub version: u64,
    /// What happened.
    pub event: &'a NewEvent,
}

/// The rows of `events`; `position` is an expression for their position, `{}` standing for what they
/// say.
pub(crate) fn insertion(events: &[PositionedEvent<'_>], position: &str) -> Insert {
    let encoded = || events.iter().map(|e| &e.event.encoded);
    let columns = vec![
        Column::int("shard", events.iter().map(|e| i64::from(e.shard))),
        Column::text("tenant", events.iter().map(|e| e.stream.tenant.as_str())),
        Column::text("wallet_id", events.iter().map(|e| e.stream.wallet_id.as_str())),
        Column::int("version", events.iter().map(|e| e.version.cast_signed())),
        Column::int("position", events.iter().map(|e| e.position.cast_signed())).computed(position),
        Column::uuid("event_id", events.iter().map(|e| e.event.event_id.as_uuid())),
        Column::text("type", encoded().map(|e| e.event_type)),
        Column::int("schema_version", encoded().map(|e| i64::from(e.schema_version))),
        Column::json("metadata", events.iter().map(|e| e.event.encoded_metadata.as_str())),
        Column::int("recorded_at_ms", events.iter().map(|e| e.event.recorded_at.unix_ms())),
        Column::json("payload", encoded().map(|e| e.payload.as_str())),
        Column::bytes("hash", events.iter().map(|e| e.event.hash.as_bytes().to_vec())),
    ];
    Insert::into("events", columns)
}

/// Whether `event` stands in the store as version `version` of `stream`.
///
/// # Errors
/// The database's.
pub async fn holds_event(
    conn: &impl ConnectionTrait,
    shard: u16,
    stream: &WalletKey,
    version: u64,
    event: &NewEvent,
) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM events WHERE shard = $1 AND tenant = $2 AND wallet_id = $3 \
               AND version = $4 AND CAST(event_id AS text) = $5";
    let values: [Value; 5] = [
        i64::from(shard).into(),
        stream.tenant.as_str().into(),
        stream.wallet_id.as_str().into(),
        version.cast_signed().into(),
        event.event_id.to_string().into(),
    ];
    let statement = Backend::of(conn).statement(sql, values);
    Ok(conn.query_one_raw(statement).await?.is_some())
}
