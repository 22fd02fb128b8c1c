//! Whether the database can serve.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm_migration::sea_orm::ConnectionTrait;
use tokio::sync::Mutex;
use tokio::time::Instant;
use wallex_database::{Backend, Database};
use wallex_ports::{NotReady, Readiness, Shards};

use crate::MigrateError;
use crate::schema::migrated_shards;

/// How long the database may take to answer before it counts as unreachable.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer is given again: whoever may ask may ask often.
const BELIEVED_FOR: Duration = Duration::from_millis(250);

/// Asks the database whether it answers, is migrated, and can be written.
#[derive(Debug)]
pub struct SchemaReadiness {
    db: Arc<Database>,
    wanted: Option<Shards>,
    last: Mutex<Option<(Instant, Result<(), NotReady>)>>,
}

impl SchemaReadiness {
    /// For `db`, which must have the `wanted` number of shards when one is given.
    #[must_use]
    pub fn new(db: Arc<Database>, wanted: Option<Shards>) -> Self {
        Self { db, wanted, last: Mutex::new(None) }
    }

    async fn ask(&self) -> Result<(), NotReady> {
        let shards = migrated_shards(&self.db, self.wanted).await.map_err(|e| match e {
            MigrateError::Database(source) => NotReady::Unreachable(source),
            other => NotReady::Unreachable(other.into()),
        })?;
        self.db.set_shards(shards.ok_or(NotReady::NotMigrated)?);
        if self.db.backend() == Backend::Postgres && self.is_read_only().await? {
            return Err(NotReady::Unreachable("the database can only be read: a standby?".into()));
        }
        Ok(())
    }

    async fn is_read_only(&self) -> Result<bool, NotReady> {
        let sql = "SELECT 1 WHERE current_setting('transaction_read_only') = 'on'";
        let asked = self.db.read().query_one_raw(self.db.backend().statement(sql, [])).await;
        asked.map(|row| row.is_some()).map_err(|error| NotReady::Unreachable(error.into()))
    }
}

/// An answer, for one more who asks.
fn again(answer: &Result<(), NotReady>) -> Result<(), NotReady> {
    match answer {
        Ok(()) => Ok(()),
        Err(NotReady::NotMigrated) => Err(NotReady::NotMigrated),
        Err(NotReady::Unreachable(why)) => Err(NotReady::Unreachable(why.to_string().into())),
    }
}

#[async_trait]
impl Readiness for SchemaReadiness {
    async fn check(&self) -> Result<(), NotReady> {
        // One asks at a time; who waits for that one is told the same.
        let mut last = self.last.lock().await;
        if let Some((answered_at, answer)) = &*last
            && answered_at.elapsed() < BELIEVED_FOR
        {
            return again(answer);
        }
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.ask())
            .await
            .unwrap_or_else(|elapsed| Err(NotReady::Unreachable(elapsed.into())));
        let told = again(&answer);
        *last = Some((Instant::now(), answer));
        told
    }
}
