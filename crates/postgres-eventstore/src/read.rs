//! Reading wallets and their histories.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, QueryResult, Value};
use wallex_database::{Database, Row, RowError, read_error, within};
use wallex_domain::WalletEvent;
use wallex_ports::{
    EventMetadata, Events, ReadError, RecordedEvent, Shards, StreamState, Timestamp, WalletKey,
    Wallets,
};

use crate::streams::load_streams;

/// Reads what the write side has committed.
#[derive(Debug)]
pub struct EventStore {
    db: Arc<Database>,
}

impl EventStore {
    /// On `db`.
    #[must_use]
    pub fn new(db: Arc<Database>) -> Self {
        Self { db }
    }

    fn shards(&self) -> Result<Shards, ReadError> {
        Ok(self.db.shards()?)
    }
}

#[async_trait]
impl Wallets for EventStore {
    async fn load(&self, keys: &[WalletKey]) -> Result<Vec<Option<StreamState>>, ReadError> {
        let shards = self.shards()?;
        let span = self.db.place().span("SELECT", "wallet_streams", keys.len());
        let loading = within(span, load_streams(self.db.read(), shards, keys));
        let mut found = loading.await.map_err(read_error)?;
        Ok(keys.iter().map(|key| found.remove(key)).collect())
    }
}

fn event(row: QueryResult) -> Result<RecordedEvent, RowError> {
    let row = Row(row);
    let event_type = row.text("type")?;
    let schema_version: u16 = row.number("schema_version")?;
    let payload = row.text("payload")?;
    let event = WalletEvent::decode(&event_type, schema_version, &payload)
        .map_err(|error| RowError::new("payload", error))?;
    Ok(RecordedEvent {
        event_id: row.uuid("event_id")?.into(),
        version: row.number("version")?,
        position: row.number("position")?,
        schema_version,
        event,
        metadata: EventMetadata::decode(&row.text("metadata")?)
            .map_err(|error| RowError::new("metadata", error))?,
        recorded_at: Timestamp::from_unix_ms(row.int("recorded_at_ms")?),
        hash: row.hash("hash")?,
    })
}

#[async_trait]
impl Events for EventStore {
    async fn after(
        &self,
        key: &WalletKey,
        after_version: u64,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        // Cast, because a UUID and a JSON document are types of their own on PostgreSQL and text on
        // SQLite; small integers are widened to what is read.
        let sql = "SELECT CAST(event_id AS text) AS event_id, version, position, type, \
                   CAST(schema_version AS bigint) AS schema_version, \
                   CAST(payload AS text) AS payload, CAST(metadata AS text) AS metadata, \
                   recorded_at_ms, hash \
                   FROM events WHERE shard = $1 AND tenant = $2 AND wallet_id = $3 AND version > $4 \
                   ORDER BY version LIMIT $5";
        let values: [Value; 5] = [
            i64::from(self.shards()?.of_wallet(key)).into(),
            key.tenant.as_str().into(),
            key.wallet_id.as_str().into(),
            after_version.cast_signed().into(),
            i64::from(limit).into(),
        ];
        let statement = self.db.backend().statement(sql, values);
        let span = self.db.place().span("SELECT", "events", 1);
        let rows = within(span, self.db.read().query_all_raw(statement)).await;
        let rows = rows.map_err(read_error)?;
        Ok(rows.into_iter().map(event).collect::<Result<_, _>>()?)
    }
}
