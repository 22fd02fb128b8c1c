//! What the projections need: leases on the checkpoints, the read models, dead letters, operations,
//! and a view of what is unprocessed.
//!
//! Raw SQL for the same reasons as the step before. The owner leads its index, which is no key: with
//! (shard, tenant) in front, PostgreSQL may take it for the primary key of a table that has no
//! statistics yet, and scan it for each wallet. A checkpoint row is updated with every batch, so
//! no index stands on what changes in it, and its page has room: updates stay HOT.

use async_trait::async_trait;
use sea_orm_migration::prelude::DbErr;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261122_000002_projections"
    }
}

/// What is added to the checkpoints; `{int}` is a whole number of 64 bits.
const CHECKPOINT_COLUMNS: [&str; 7] = [
    "wanted_state text NOT NULL DEFAULT 'running'",
    "epoch {int} NOT NULL DEFAULT 0",
    "owner text NOT NULL DEFAULT ''",
    "lease_until_ms {int} NOT NULL DEFAULT 0",
    "events_per_second {int} NOT NULL DEFAULT 0",
    "last_error text NOT NULL DEFAULT ''",
    "last_error_at_ms {int} NOT NULL DEFAULT 0",
];

const POSTGRES: &str = r#"
CREATE TABLE wallets (
    shard smallint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    wallet_id text COLLATE "C" NOT NULL,
    owner_id text COLLATE "C" NOT NULL,
    currency text NOT NULL,
    balance bigint NOT NULL,
    version bigint NOT NULL,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    PRIMARY KEY (shard, tenant, wallet_id)
) WITH (fillfactor = 80);
CREATE INDEX wallets_by_owner ON wallets (owner_id, shard, tenant, wallet_id);

CREATE TABLE ledger_entries (
    shard smallint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    wallet_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    amount bigint NOT NULL,
    balance_after bigint NOT NULL,
    currency text NOT NULL,
    description text,
    reference text,
    transfer_id text COLLATE "C",
    counterparty text COLLATE "C",
    recorded_at_ms bigint NOT NULL,
    PRIMARY KEY (shard, tenant, wallet_id, version),
    UNIQUE (shard, event_id)
);
CREATE INDEX ledger_entries_by_transfer ON ledger_entries (shard, tenant, transfer_id)
    WHERE transfer_id IS NOT NULL;

CREATE TABLE dead_letters (
    shard smallint NOT NULL,
    projector text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    wallet_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    event_id uuid NOT NULL,
    event_type text NOT NULL,
    error text NOT NULL,
    attempts bigint NOT NULL,
    parked_at_ms bigint NOT NULL,
    tried_at_ms bigint NOT NULL,
    PRIMARY KEY (shard, projector, tenant, wallet_id)
);

CREATE TABLE discarded_events (
    shard smallint NOT NULL,
    projector text COLLATE "C" NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    wallet_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    event_id uuid NOT NULL,
    event_type text NOT NULL,
    error text NOT NULL,
    reason text NOT NULL,
    discarded_at_ms bigint NOT NULL,
    PRIMARY KEY (shard, projector, tenant, wallet_id, version)
);

CREATE TABLE operations (
    operation_id uuid PRIMARY KEY,
    kind text NOT NULL,
    scope text NOT NULL,
    state text NOT NULL,
    resume_at text NOT NULL,
    progress text NOT NULL,
    report text NOT NULL,
    error text NOT NULL,
    owner text NOT NULL,
    lease_until_ms bigint NOT NULL,
    started_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    finished_at_ms bigint NOT NULL
);
CREATE INDEX operations_by_start ON operations (started_at_ms);
"#;

const SQLITE: &str = r#"
CREATE TABLE wallets (
    shard INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    wallet_id TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    balance INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    PRIMARY KEY (shard, tenant, wallet_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX wallets_by_owner ON wallets (owner_id, shard, tenant, wallet_id);

CREATE TABLE ledger_entries (
    shard INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    wallet_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    amount INTEGER NOT NULL,
    balance_after INTEGER NOT NULL,
    currency TEXT NOT NULL,
    description TEXT,
    reference TEXT,
    transfer_id TEXT,
    counterparty TEXT,
    recorded_at_ms INTEGER NOT NULL,
    PRIMARY KEY (shard, tenant, wallet_id, version),
    UNIQUE (shard, event_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX ledger_entries_by_transfer ON ledger_entries (shard, tenant, transfer_id)
    WHERE transfer_id IS NOT NULL;

CREATE TABLE dead_letters (
    shard INTEGER NOT NULL,
    projector TEXT NOT NULL,
    tenant TEXT NOT NULL,
    wallet_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    position INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    parked_at_ms INTEGER NOT NULL,
    tried_at_ms INTEGER NOT NULL,
    PRIMARY KEY (shard, projector, tenant, wallet_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE discarded_events (
    shard INTEGER NOT NULL,
    projector TEXT NOT NULL,
    tenant TEXT NOT NULL,
    wallet_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    error TEXT NOT NULL,
    reason TEXT NOT NULL,
    discarded_at_ms INTEGER NOT NULL,
    PRIMARY KEY (shard, projector, tenant, wallet_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE operations (
    operation_id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    state TEXT NOT NULL,
    resume_at TEXT NOT NULL,
    progress TEXT NOT NULL,
    report TEXT NOT NULL,
    error TEXT NOT NULL,
    owner TEXT NOT NULL,
    lease_until_ms INTEGER NOT NULL,
    started_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    finished_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX operations_by_start ON operations (started_at_ms);
"#;

/// What each projector has not processed yet, for operators. Filter it by projector and shard: it is
/// then a range scan of the outbox.
const VIEW: &str = "
CREATE VIEW outbox_unprocessed AS
SELECT c.projector, o.shard, o.position, o.tenant, o.wallet_id, o.version, o.type, o.event_id,
       o.created_at_ms
FROM projector_checkpoints c
JOIN outbox o ON o.shard = c.shard AND o.position > c.position
";

const TABLES: [&str; 5] =
    ["operations", "discarded_events", "dead_letters", "ledger_entries", "wallets"];

#[expect(elided_lifetimes_in_paths, reason = "the trait is declared without the lifetime")]
#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let conn = manager.get_connection();
        let (sql, int) = match conn.get_database_backend() {
            DbBackend::Postgres => (POSTGRES, "bigint"),
            _ => (SQLITE, "INTEGER"),
        };
        for column in CHECKPOINT_COLUMNS {
            let column = column.replace("{int}", int);
            let sql = format!("ALTER TABLE projector_checkpoints ADD COLUMN {column}");
            conn.execute_unprepared(&sql).await?;
        }
        conn.execute_unprepared(sql).await?;
        conn.execute_unprepared(VIEW).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let conn = manager.get_connection();
        conn.execute_unprepared("DROP VIEW outbox_unprocessed").await?;
        for table in TABLES {
            conn.execute_unprepared(&format!("DROP TABLE {table}")).await?;
        }
        for column in CHECKPOINT_COLUMNS.into_iter().rev() {
            let name = column.split(' ').next().unwrap_or_default();
            let sql = format!("ALTER TABLE projector_checkpoints DROP COLUMN {name}");
            conn.execute_unprepared(&sql).await?;
        }
        // Without its tables nothing is applied: whoever comes up again begins at the first event.
        conn.execute_unprepared("UPDATE projector_checkpoints SET position = 0").await?;
        Ok(())
    }
}
