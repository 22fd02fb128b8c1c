//! How the projectors stand, and steering them.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbErr};
use wallex_database::{Database, Row, RowError, read_error};
use wallex_ports::{ProjectorState, ProjectorStatus, Projectors, ReadError, SteerError, Timestamp};

/// [`Projectors`] by the checkpoints, which every process shares.
#[derive(Debug)]
pub struct SqlProjectors {
    db: Arc<Database>,
}

impl SqlProjectors {
    /// On `db`.
    #[must_use]
    pub fn new(db: Arc<Database>) -> Self {
        Self { db }
    }

    async fn want(&self, projector: &str, state: &str) -> Result<(), SteerError> {
        self.db.shards().map_err(ReadError::from)?;
        let sql = "UPDATE projector_checkpoints SET wanted_state = $2 WHERE projector = $1";
        let statement = self.db.backend().statement(sql, [projector.into(), state.into()]);
        let written = async {
            let tx = self.db.begin_background().await?;
            let written = tx.execute_raw(statement).await?.rows_affected();
            tx.commit().await?;
            Ok::<_, DbErr>(written)
        };
        match written.await.map_err(read_error)? {
            0 => Err(SteerError::UnknownProjector),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Projectors for SqlProjectors {
    async fn status(&self) -> Result<Vec<ProjectorStatus>, ReadError> {
        self.db.shards()?;
        let now_ms = self.db.backend().now_ms();
        let sql = format!(
            "SELECT c.projector, CAST(c.shard AS bigint) AS shard, c.position, h.position AS head, \
             c.epoch, c.owner, c.wanted_state, c.events_per_second, c.updated_at_ms, \
             c.last_error, c.last_error_at_ms, \
             CASE WHEN c.lease_until_ms > {now_ms} THEN CAST(1 AS bigint) ELSE 0 END AS held, \
             coalesce({now_ms} - (SELECT o.created_at_ms FROM outbox o WHERE o.shard = c.shard \
             AND o.position > c.position ORDER BY o.position LIMIT 1), 0) AS age_ms, \
             (SELECT count(*) FROM dead_letters d WHERE d.shard = c.shard \
             AND d.projector = c.projector) AS parked \
             FROM projector_checkpoints c JOIN shard_heads h ON h.shard = c.shard \
             ORDER BY c.projector, c.shard"
        );
        let statement = self.db.backend().statement(sql, []);
        let rows = self.db.patiently(self.db.read().query_all_raw(statement)).await;
        let rows = rows.map_err(read_error)?;
        Ok(rows.into_iter().map(|row| status(&Row(row))).collect::<Result<_, _>>()?)
    }

    async fn start(&self, projector: &str) -> Result<(), SteerError> {
        self.want(projector, "started").await
    }

    async fn stop(&self, projector: &str) -> Result<(), SteerError> {
        self.want(projector, "stopped").await
    }
}

fn status(row: &Row) -> Result<ProjectorStatus, RowError> {
    let owner = row.text("owner")?;
    let held = row.int("held")? == 1 && !owner.is_empty();
    let error = row.text("last_error")?;
    let error_at = Timestamp::from_unix_ms(row.int("last_error_at_ms")?);
    let state = match (row.text("wanted_state")?.as_str(), held) {
        ("stopped", _) => ProjectorState::Stopped,
        (_, false) => ProjectorState::Unheld,
        _ if !error.is_empty() => ProjectorState::Failing,
        _ => ProjectorState::Running,
    };
    Ok(ProjectorStatus {
        projector: row.text("projector")?,
        shard: row.number("shard")?,
        state,
        position: row.number("position")?,
        head: row.number("head")?,
        // A clock that was set back makes no age below zero.
        lag_age_ms: row.int("age_ms")?.max(0).unsigned_abs(),
        events_per_second: if held { row.number("events_per_second")? } else { 0 },
        holder: held.then_some(owner),
        epoch: row.number("epoch")?,
        updated_at: Timestamp::from_unix_ms(row.int("updated_at_ms")?),
        last_error: (!error.is_empty()).then_some((error, error_at)),
        parked_wallets: row.number("parked")?,
    })
}
