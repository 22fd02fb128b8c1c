//! Who may come in, and who did what: API keys and the audit log.
//!
//! Both are about the whole installation and small, so they have no shard: on a sharded engine they
//! are reference tables, as `settings` and `operations` are. The counters are rows that a transaction
//! locks until it ends: `keys` rises with every change of a key, and says to every process that what
//! it remembers of keys is old; `audit` numbers the lines of the log, gapless and in commit order.

use async_trait::async_trait;
use sea_orm_migration::prelude::DbErr;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m20261129_000003_access"
    }
}

const POSTGRES: &str = r#"
CREATE TABLE access_counters (
    name text COLLATE "C" PRIMARY KEY,
    value bigint NOT NULL
);

CREATE TABLE api_keys (
    key_id text COLLATE "C" PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    name text NOT NULL,
    scopes text NOT NULL,
    secret_hash text NOT NULL,
    created_by text NOT NULL,
    created_at_ms bigint NOT NULL,
    expires_at_ms bigint NOT NULL,
    revoked_at_ms bigint NOT NULL,
    replaced_by text COLLATE "C" NOT NULL
);

CREATE TABLE audit_log (
    position bigint PRIMARY KEY,
    act_id uuid NOT NULL,
    at_ms bigint NOT NULL,
    tenant text COLLATE "C" NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    outcome text NOT NULL,
    details text NOT NULL,
    correlation_id text NOT NULL
);
CREATE INDEX audit_log_by_tenant ON audit_log (tenant, position);
"#;

const SQLITE: &str = r#"
CREATE TABLE access_counters (
    name TEXT NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    key_id TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER NOT NULL,
    replaced_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_log (
    position INTEGER NOT NULL PRIMARY KEY,
    act_id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    outcome TEXT NOT NULL,
    details TEXT NOT NULL,
    correlation_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_log_by_tenant ON audit_log (tenant, position);
"#;

const COUNTERS: &str = "INSERT INTO access_counters (name, value) VALUES ('keys', 0), ('audit', 0)";

const TABLES: [&str; 3] = ["audit_log", "api_keys", "access_counters"];

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
        conn.execute_unprepared(COUNTERS).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            manager.get_connection().execute_unprepared(&format!("DROP TABLE {table}")).await?;
        }
        Ok(())
    }
}
