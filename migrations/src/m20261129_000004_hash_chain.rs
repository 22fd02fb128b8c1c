//! What makes tampering evident: each event's hash, which covers the one before it in its wallet; the last
//! one beside the wallet's state; and an identity of the database, which checkpoints name.
//!
//! The hashes of the events that are there already are computed here, so `hash` is never NULL. Both tables are
//! written anew: SQLite can't add such a column, and on PostgreSQL an update of every row would leave
//! twice the table behind. That takes about twice the space of `events` for a while, and a minute for a
//! million events or so. As all steps it happens in one transaction: whoever interrupts it finds everything as
//! it was, and runs it again. Commands wait or fail meanwhile, and those of an older server fail
//! for good: it does not know the column.

use async_trait::async_trait;
use sea_orm_migration::prelude::DbErr;
use sea_orm_migration::sea_orm::{ConnectionTrait, QueryResult, Value};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};
use wallex_database::{Backend, Column, Insert, Row, RowError};
use wallex_domain::{EventHash, HashedEvent};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261129_000004_hash_chain"
    }
}

/// How many events are hashed between two statements.
const PAGE_EVENTS: usize = 2_000;
/// How often it is told how far it has come.
const TOLD_EVENTS: u64 = 100_000;

const POSTGRES: &str = r#"
-- Nothing may be appended while the history is copied.
LOCK TABLE events, wallet_streams IN ACCESS EXCLUSIVE MODE;

CREATE TABLE event_hashes (
    shard smallint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    wallet_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    hash bytea NOT NULL
);
"#;

/// The keys come last: an index is built faster than it is filled.
const POSTGRES_COPY: &str = r#"
CREATE TABLE chained_events (LIKE events, hash bytea NOT NULL);
INSERT INTO chained_events
SELECT e.*, h.hash FROM events e JOIN event_hashes h ON h.shard = e.shard AND h.tenant = e.tenant
    AND h.wallet_id = e.wallet_id AND h.version = e.version;
DROP TABLE events;
ALTER TABLE chained_events RENAME TO events;
ALTER TABLE events ADD CONSTRAINT events_pkey PRIMARY KEY (shard, tenant, wallet_id, version);
ALTER TABLE events ADD CONSTRAINT events_shard_position_key UNIQUE (shard, position);

CREATE TABLE chained_streams (LIKE wallet_streams, last_hash bytea NOT NULL) WITH (fillfactor = 80);
INSERT INTO chained_streams
SELECT s.*, coalesce((SELECT e.hash FROM events e WHERE e.shard = s.shard AND e.tenant = s.tenant
    AND e.wallet_id = s.wallet_id ORDER BY e.version DESC LIMIT 1), decode(repeat('00', 32), 'hex'))
FROM wallet_streams s;
DROP TABLE wallet_streams;
ALTER TABLE chained_streams RENAME TO wallet_streams;
ALTER TABLE wallet_streams ADD CONSTRAINT wallet_streams_pkey PRIMARY KEY (shard, tenant, wallet_id);

DROP TABLE event_hashes;
INSERT INTO settings (name, value) VALUES ('database_id', CAST(gen_random_uuid() AS text));
"#;

const SQLITE: &str = r#"
CREATE TABLE event_hashes (
    shard INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    wallet_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (shard, tenant, wallet_id, version)
) STRICT, WITHOUT ROWID;
"#;

const SQLITE_COPY: &str = r#"
CREATE TABLE chained_events (
    shard INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    wallet_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    payload TEXT NOT NULL,
    metadata TEXT NOT NULL,
    recorded_at_ms INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (shard, tenant, wallet_id, version),
    UNIQUE (shard, position)
) STRICT, WITHOUT ROWID;
INSERT INTO chained_events
SELECT e.*, h.hash FROM events e CROSS JOIN event_hashes h ON h.shard = e.shard AND h.tenant = e.tenant
    AND h.wallet_id = e.wallet_id AND h.version = e.version;
DROP TABLE events;
ALTER TABLE chained_events RENAME TO events;

CREATE TABLE chained_streams (
    shard INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    wallet_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    owner_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    balance INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    last_hash BLOB NOT NULL,
    PRIMARY KEY (shard, tenant, wallet_id)
) STRICT, WITHOUT ROWID;
INSERT INTO chained_streams
SELECT s.*, coalesce((SELECT e.hash FROM events e WHERE e.shard = s.shard AND e.tenant = s.tenant
    AND e.wallet_id = s.wallet_id ORDER BY e.version DESC LIMIT 1), zeroblob(32))
FROM wallet_streams s;
DROP TABLE wallet_streams;
ALTER TABLE chained_streams RENAME TO wallet_streams;

DROP TABLE event_hashes;
INSERT INTO settings (name, value) VALUES ('database_id', lower(hex(randomblob(4)) || '-' ||
    hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' ||
    substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))));
"#;

const DOWN: [&str; 3] = [
    "ALTER TABLE events DROP COLUMN hash",
    "ALTER TABLE wallet_streams DROP COLUMN last_hash",
    "DELETE FROM settings WHERE name = 'database_id'",
];

#[expect(elided_lifetimes_in_paths, reason = "the trait is declared without the lifetime")]
#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let conn = manager.get_connection();
        let (prepare, copy) = match Backend::of(conn) {
            Backend::Postgres => (POSTGRES, POSTGRES_COPY),
            Backend::Sqlite => (SQLITE, SQLITE_COPY),
        };
        conn.execute_unprepared(prepare).await?;
        let events = hash_all(conn).await?;
        conn.execute_unprepared(copy).await?;
        // An empty table with statistics is planned for as if it stayed empty.
        if events > 0 {
            conn.execute_unprepared("ANALYZE events").await?;
            conn.execute_unprepared("ANALYZE wallet_streams").await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in DOWN {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }
}

/// The place of an event among all.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    shard: i64,
    tenant: String,
    wallet_id: String,
    version: i64,
}

impl Place {
    fn follows(&self, other: &Self) -> bool {
        (self.shard, &self.tenant, &self.wallet_id)
            == (other.shard, &other.tenant, &other.wallet_id)
    }
}

/// Fills `event_hashes`, page by page in the order of wallets and versions; how many there are.
async fn hash_all(conn: &impl ConnectionTrait) -> Result<u64, DbErr> {
    let start = (String::new(), String::new());
    let start = Place { shard: -1, tenant: start.0, wallet_id: start.1, version: i64::MIN };
    let (mut at, mut last, mut done) = (start, EventHash::BEFORE_FIRST, 0_u64);
    loop {
        let mut hashed: Vec<(Place, EventHash)> = Vec::with_capacity(PAGE_EVENTS);
        for row in page(conn, &at).await? {
            let (place, hash) = hash_behind(&Row(row), &at, last)
                .map_err(|error| DbErr::Type(error.to_string()))?;
            (at, last) = (place.clone(), hash);
            hashed.push((place, hash));
        }
        let events = hashed.len();
        write(conn, hashed).await?;
        let before = done;
        done += events as u64;
        if done / TOLD_EVENTS > before / TOLD_EVENTS {
            tracing::info!(events = done, "events are chained");
        }
        if events < PAGE_EVENTS {
            return Ok(done);
        }
    }
}

async fn page(conn: &impl ConnectionTrait, after: &Place) -> Result<Vec<QueryResult>, DbErr> {
    let sql = format!(
        "SELECT CAST(shard AS bigint) AS shard, tenant, wallet_id, version, \
         CAST(event_id AS text) AS event_id, type, \
         CAST(schema_version AS bigint) AS schema_version, CAST(payload AS text) AS payload, \
         CAST(metadata AS text) AS metadata, recorded_at_ms FROM events \
         WHERE (shard, tenant, wallet_id, version) > ($1, $2, $3, $4) \
         ORDER BY shard, tenant, wallet_id, version LIMIT {PAGE_EVENTS}"
    );
    let values: [Value; 4] = [
        after.shard.into(),
        after.tenant.as_str().into(),
        after.wallet_id.as_str().into(),
        after.version.into(),
    ];
    conn.query_all_raw(Backend::of(conn).statement(sql, values)).await
}

fn hash_behind(row: &Row, before: &Place, last: EventHash) -> Result<(Place, EventHash), RowError> {
    let place = Place {
        shard: row.int("shard")?,
        tenant: row.text("tenant")?,
        wallet_id: row.text("wallet_id")?,
        version: row.int("version")?,
    };
    let (event_id, event_type) = (row.text("event_id")?, row.text("type")?);
    let (payload, metadata) = (row.text("payload")?, row.text("metadata")?);
    let event = HashedEvent {
        tenant: &place.tenant,
        wallet_id: &place.wallet_id,
        version: place.version,
        event_id: &event_id,
        event_type: &event_type,
        schema_version: row.int("schema_version")?,
        payload: &payload,
        metadata: &metadata,
        recorded_at_ms: row.int("recorded_at_ms")?,
    };
    let hash = event.hash(if place.follows(before) { last } else { EventHash::BEFORE_FIRST });
    Ok((place, hash))
}

async fn write(conn: &impl ConnectionTrait, hashed: Vec<(Place, EventHash)>) -> Result<(), DbErr> {
    let places = || hashed.iter().map(|(place, _)| place);
    let columns = vec![
        Column::int("shard", places().map(|place| place.shard)),
        Column::text("tenant", places().map(|place| place.tenant.as_str())),
        Column::text("wallet_id", places().map(|place| place.wallet_id.as_str())),
        Column::int("version", places().map(|place| place.version)),
        Column::bytes("hash", hashed.iter().map(|(_, hash)| hash.as_bytes().to_vec())),
    ];
    Insert::into("event_hashes", columns).execute(conn).await.map(drop)
}
