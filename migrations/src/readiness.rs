//! Whether the database can serve.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm_migration::sea_orm::ConnectionTrait;
use wallex_database::Database;
use wallex_ports::{NotReady, Readiness, Shards};

use crate::MigrateError;
use crate::schema::migrated_shards;

/// How long the database may take to answer before it counts as unreachable.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Asks the database whether it answers and is migrated. Once it was migrated, only whether it
/// answers.
#[derive(Debug)]
pub struct SchemaReadiness {
    db: Arc<Database>,
    wanted: Option<Shards>,
}

impl SchemaReadiness {
    /// For `db`, which must have the `wanted` number of shards when one is given.
    #[must_use]
    pub fn new(db: Arc<Database>, wanted: Option<Shards>) -> Self {
        Self { db, wanted }
    }

    async fn ask(&self) -> Result<(), NotReady> {
        if self.db.shards().is_err() {
            let shards = migrated_shards(&self.db, self.wanted).await.map_err(|e| match e {
                MigrateError::Database(source) => NotReady::Unreachable(source),
                other => NotReady::Unreachable(other.into()),
            })?;
            self.db.set_shards(shards.ok_or(NotReady::NotMigrated)?);
        }
        self.db
            .read()
            .execute_unprepared("SELECT 1")
            .await
            .map(|_| ())
            .map_err(|error| NotReady::Unreachable(error.into()))
    }
}

#[async_trait]
impl Readiness for SchemaReadiness {
    async fn check(&self) -> Result<(), NotReady> {
        tokio::time::timeout(ANSWER_TIMEOUT, self.ask())
            .await
            .unwrap_or_else(|elapsed| Err(NotReady::Unreachable(elapsed.into())))
    }
}
