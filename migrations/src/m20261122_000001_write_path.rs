//! What the write path needs: events, wallet state, positions, outbox, idempotency records.
//!
//! Raw SQL, because the schema builder knows neither `WITHOUT ROWID` (one B-tree for a table whose
//! key is its order, instead of two) nor `COLLATE "C"` (keys compare as bytes, as they do in Rust)
//! nor `fillfactor` (room on the page, so that an update touches no index).
//!
//! `shard`, then `tenant`, lead every key: they are what a sharded engine distributes by. Times are
//! Unix milliseconds, so that both databases store, compare and return the same value.

use async_trait::async_trait;
use sea_orm_migration::prelude::DbErr;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000001_write_path"
    }
}

const POSTGRES: &str = r#"
CREATE TABLE settings (
    name text COLLATE "C" PRIMARY KEY,
    value text NOT NULL
);

CREATE TABLE events (
    shard smallint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    wallet_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    schema_version smallint NOT NULL,
    payload jsonb NOT NULL,
    metadata jsonb NOT NULL,
    recorded_at_ms bigint NOT NULL,
    PRIMARY KEY (shard, tenant, wallet_id, version),
    UNIQUE (shard, position)
);

CREATE TABLE wallet_streams (
    shard smallint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    wallet_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    owner_id text NOT NULL,
    currency text NOT NULL,
    balance bigint NOT NULL,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    PRIMARY KEY (shard, tenant, wallet_id)
) WITH (fillfactor = 80);

CREATE TABLE shard_heads (
    shard smallint PRIMARY KEY,
    position bigint NOT NULL
) WITH (fillfactor = 10);

CREATE TABLE outbox (
    shard smallint NOT NULL,
    position bigint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    wallet_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    type text COLLATE "C" NOT NULL,
    event_id uuid NOT NULL,
    metadata jsonb NOT NULL,
    created_at_ms bigint NOT NULL,
    PRIMARY KEY (shard, position),
    UNIQUE (shard, tenant, wallet_id, version, type)
);

CREATE TABLE projector_checkpoints (
    projector text COLLATE "C" NOT NULL,
    shard smallint NOT NULL,
    position bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    PRIMARY KEY (projector, shard)
) WITH (fillfactor = 10);

CREATE TABLE idempotency_keys (
    shard smallint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    route text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    request_hash text NOT NULL,
    http_status smallint NOT NULL,
    etag text NOT NULL,
    location text NOT NULL,
    response text NOT NULL,
    created_at_ms bigint NOT NULL,
    expires_at_ms bigint NOT NULL,
    PRIMARY KEY (shard, tenant, route, key)
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at_ms);
"#;

const SQLITE: &str = r#"
CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
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
    PRIMARY KEY (shard, tenant, wallet_id, version),
    UNIQUE (shard, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE wallet_streams (
    shard INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    wallet_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    owner_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    balance INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (shard, tenant, wallet_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE shard_heads (
    shard INTEGER NOT NULL PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    shard INTEGER NOT NULL,
    position INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    wallet_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    type TEXT NOT NULL,
    event_id TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (shard, position),
    UNIQUE (shard, tenant, wallet_id, version, type)
) STRICT, WITHOUT ROWID;

CREATE TABLE projector_checkpoints (
    projector TEXT NOT NULL,
    shard INTEGER NOT NULL,
    position INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (projector, shard)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    shard INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    http_status INTEGER NOT NULL,
    etag TEXT NOT NULL,
    location TEXT NOT NULL,
    response TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    PRIMARY KEY (shard, tenant, route, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at_ms);
"#;

const TABLES: [&str; 7] = [
    "idempotency_keys",
    "projector_checkpoints",
    "outbox",
    "shard_heads",
    "wallet_streams",
    "events",
    "settings",
];

#[expect(elided_lifetimes_in_paths, reason = "the trait is declared without the lifetime")]
#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let conn = manager.get_connection();
        let sql = match conn.get_database_backend() {
            DbBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        conn.execute_unprepared(sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            manager.get_connection().execute_unprepared(&format!("DROP TABLE {table}")).await?;
        }
        Ok(())
    }
}
