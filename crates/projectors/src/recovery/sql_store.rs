//! [`RecoveryStore`] over the database. Nothing that an operation waits for is waited for without end
//! ([`Database::patiently`]).

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbErr, Value};
use uuid::Uuid;
use wallex_database::{Backend, Database, Row, read_error};
use wallex_ports::{Operation, OperationKind, ReadError, Scope, ShardPosition, Shards, WalletKey};

use super::operations;
use super::sql_page::SqlPage;
use super::store::{Begun, Mine, PageTransaction, RecoveryStore, Stand};
use crate::checkpoint::unreadable;
use crate::projector::Projector;
use crate::reconcile::Mode;
use crate::tables;

/// How operations work.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecoverySettings {
    /// Events that are compared in one transaction, at most; `None`: what suits the database.
    pub page_events_max: Option<u32>,
}

impl RecoverySettings {
    /// Projectors wait for a page that is repaired, and on SQLite so does every command.
    fn page_events(self, backend: Backend, mode: Mode) -> u32 {
        self.page_events_max.unwrap_or(match (backend, mode) {
            (Backend::Postgres, Mode::Compare) => 4_000,
            (Backend::Postgres, Mode::Repair) | (Backend::Sqlite, Mode::Compare) => 2_000,
            (Backend::Sqlite, Mode::Repair) => 500,
        })
    }
}

/// [`RecoveryStore`] on a database.
pub(crate) struct SqlRecoveryStore {
    db: Arc<Database>,
    projectors: Arc<[Arc<dyn Projector>]>,
    names: Vec<&'static str>,
    settings: RecoverySettings,
}

impl SqlRecoveryStore {
    pub(crate) fn new(
        db: Arc<Database>,
        projectors: Arc<[Arc<dyn Projector>]>,
        settings: RecoverySettings,
    ) -> Self {
        let names = projectors.iter().map(|projector| projector.name()).collect();
        Self { db, projectors, names, settings }
    }

    /// The whole number that `sql` selects under the name `n`.
    async fn number(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<u64, ReadError> {
        let statement = self.db.backend().statement(sql, values);
        let row = self.db.patiently(self.db.background().query_one_raw(statement)).await;
        match row.map_err(read_error)?.map(Row) {
            Some(row) => Ok(row.number("n")?),
            None => Ok(0),
        }
    }
}

#[async_trait]
impl RecoveryStore for SqlRecoveryStore {
    fn shards(&self) -> Result<Shards, ReadError> {
        Ok(self.db.shards()?)
    }

    fn projectors(&self) -> &[&'static str] {
        &self.names
    }

    fn page_events(&self, mode: Mode) -> u32 {
        self.settings.page_events(self.db.backend(), mode)
    }

    fn has_one_writer(&self) -> bool {
        self.db.backend() == Backend::Sqlite
    }

    async fn begin(&self, kind: OperationKind, scope: &Scope, mine: &Mine) -> Result<Begun, DbErr> {
        self.db.patiently(operations::begin(&self.db, kind, scope, mine)).await
    }

    async fn operation(&self, id: Uuid) -> Result<Option<Operation>, DbErr> {
        operations::find(self.db.read(), id).await
    }

    async fn oldest_interrupted(&self, kind: OperationKind) -> Result<Option<Operation>, DbErr> {
        self.db.patiently(operations::oldest_interrupted(self.db.read(), kind)).await
    }

    async fn renew(&self, mine: &Mine) -> Result<bool, DbErr> {
        self.db.patiently(mine.renew(&self.db)).await
    }

    async fn record(&self, mine: &Mine, stand: Stand<'_>) -> Result<bool, DbErr> {
        let recording = async {
            let tx = self.db.begin_background().await?;
            let is_mine = mine.record(&tx, stand).await?;
            tx.commit().await?;
            Ok(is_mine)
        };
        self.db.patiently(recording).await
    }

    async fn end(&self, mine: &Mine, operation: &Operation) -> Result<bool, DbErr> {
        self.db.patiently(mine.end(&self.db, operation)).await
    }

    async fn reload(&self, mine: &Mine) -> Result<Option<(Operation, String)>, DbErr> {
        self.db.patiently(mine.reload(&self.db)).await
    }

    async fn heads(&self) -> Result<Vec<u64>, DbErr> {
        let sql = "SELECT position FROM shard_heads ORDER BY shard";
        let statement = self.db.backend().statement(sql, []);
        let rows = self.db.patiently(self.db.background().query_all_raw(statement)).await?;
        rows.into_iter().map(|row| Row(row).number("position").map_err(unreadable)).collect()
    }

    async fn knows(&self, wallet: &WalletKey) -> Result<bool, DbErr> {
        let Ok(shards) = self.db.shards() else { return Ok(false) };
        let exists = |table: &str| {
            format!(
                "EXISTS (SELECT 1 FROM {table} \
                 WHERE shard = $1 AND tenant = $2 AND wallet_id = $3)"
            )
        };
        let tables = ["events", "wallet_streams", "wallets", "ledger_entries"].map(exists);
        let sql = format!("SELECT CAST(1 AS bigint) AS n WHERE {}", tables.join(" OR "));
        let statement = self.db.backend().statement(sql, key_values(shards, wallet));
        let row = self.db.patiently(self.db.read().query_one_raw(statement)).await?;
        Ok(row.is_some())
    }

    async fn events_of(&self, wallet: &WalletKey) -> Result<u64, ReadError> {
        let sql = "SELECT coalesce(max(version), 0) AS n FROM events \
                   WHERE shard = $1 AND tenant = $2 AND wallet_id = $3";
        self.number(sql, key_values(self.db.shards()?, wallet)).await
    }

    /// That an event is its wallet's first behind `since` shows in the event before it.
    async fn wallets_of_window(
        &self,
        since: ShardPosition,
        window: u64,
        len: u64,
    ) -> Result<BTreeSet<WalletKey>, DbErr> {
        let sql = "SELECT e.tenant, e.wallet_id FROM events e \
                   LEFT JOIN events b ON b.shard = e.shard AND b.tenant = e.tenant \
                   AND b.wallet_id = e.wallet_id AND b.version = e.version - 1 \
                   WHERE e.shard = $1 AND e.position >= $2 AND e.position < $3 \
                   AND coalesce(b.position, 0) < $4";
        let values = [
            i64::from(since.shard).into(),
            window.cast_signed().into(),
            window.saturating_add(len).cast_signed().into(),
            since.position.cast_signed().into(),
        ];
        let statement = self.db.backend().statement(sql, values);
        let rows = self.db.patiently(self.db.background().query_all_raw(statement)).await?;
        rows.into_iter().map(|row| tables::key(&Row(row)).map_err(unreadable)).collect()
    }

    async fn parked(&self) -> Result<u64, ReadError> {
        self.number("SELECT count(*) AS n FROM dead_letters", []).await
    }

    async fn is_retry_due(&self) -> Result<bool, ReadError> {
        let sql = "SELECT CAST(1 AS bigint) AS n FROM dead_letters d WHERE NOT EXISTS \
                   (SELECT 1 FROM projector_checkpoints c WHERE c.projector = d.projector \
                   AND c.shard = d.shard AND c.wanted_state = 'stopped') LIMIT 1";
        Ok(self.number(sql, []).await? == 1)
    }

    async fn is_stopped(&self, projector: &str, shard: u16) -> Result<bool, ReadError> {
        let sql = "SELECT CAST(1 AS bigint) AS n FROM projector_checkpoints \
                   WHERE projector = $1 AND shard = $2 AND wanted_state = 'stopped'";
        Ok(self.number(sql, [projector.into(), i64::from(shard).into()]).await? == 1)
    }

    async fn begin_page(&self, shard: u16, mode: Mode) -> Result<Box<dyn PageTransaction>, DbErr> {
        let tx = match mode {
            Mode::Repair => self.db.patiently(self.db.begin_background()).await?,
            Mode::Compare => self.db.patiently(self.db.begin_snapshot()).await?,
        };
        let (db, projectors) = (Arc::clone(&self.db), Arc::clone(&self.projectors));
        Ok(Box::new(SqlPage { db, tx, projectors, shard, mode }))
    }
}

fn key_values(shards: Shards, wallet: &WalletKey) -> [Value; 3] {
    [
        i64::from(shards.of_wallet(wallet)).into(),
        wallet.tenant.as_str().into(),
        wallet.wallet_id.as_str().into(),
    ]
}
