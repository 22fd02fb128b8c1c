//! A step that only a build for tests has, and only when it is asked for: a slow one, on a table that
//! every command needs.

use async_trait::async_trait;
use sea_orm_migration::prelude::DbErr;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

/// The step.
pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m99991231_000001_test_only"
    }
}

const SLOW_POSTGRES: &str = "SELECT pg_sleep(0.7)";
const SLOW_SQLITE: &str = "CREATE TABLE test_only AS WITH RECURSIVE c(n) AS \
     (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000) SELECT max(n) AS n FROM c";

#[expect(elided_lifetimes_in_paths, reason = "the trait is declared without the lifetime")]
#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let conn = manager.get_connection();
        let add = "ALTER TABLE wallet_streams ADD COLUMN test_only text";
        conn.execute_unprepared(add).await?;
        let slow = match manager.get_database_backend() {
            DbBackend::Postgres => SLOW_POSTGRES,
            _ => SLOW_SQLITE,
        };
        conn.execute_unprepared(slow).await?;
        conn.execute_unprepared("UPDATE wallet_streams SET test_only = wallet_id").await.map(drop)
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let conn = manager.get_connection();
        conn.execute_unprepared("DROP TABLE IF EXISTS test_only").await?;
        conn.execute_unprepared("ALTER TABLE wallet_streams DROP COLUMN test_only").await.map(drop)
    }
}
