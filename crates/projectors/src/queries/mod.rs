//! Reading the projections.
//!
//! | method | statements | bounded by |
//! |---|---|---|
//! | `wallet` | position, row by key | one row |
//! | `wallets_of` | positions, one index range a shard | `limit` rows a shard |
//! | `ledger` | position, one key range backwards | `limit` rows; the filter's versions, where it fits few |
//! | `ledger_version` | position, the last key of a range | one row |
//! | `transfer` | positions, one index range a shard | two rows |
//! | `heads` | the heads | one row a shard |
//!
//! Positions are read before rows: what is shown may be newer than the position that an answer
//! names, and never older. A wallet that is parked holds the position of what it belongs to back.
//!
//! Commands look up wallets and keys through the same connections. However many ask here, and ask
//! again while they wait, they use half of the connections at most: a statement takes its turn
//! before it takes a connection.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use sea_orm::{ConnectionTrait, Value};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use wallex_database::{Backend, Database, Row, read_error, within};
use wallex_domain::{OwnerId, TenantId, TransferId, WalletId};
use wallex_ports::{
    EntryType, LedgerEntry, LedgerFilter, Projected, ReadError, ReadModels, ShardPosition,
    WalletKey, WalletState,
};

use crate::tables::{ledger, wallets};

/// How many shards are asked at once. More would let one query take all the connections.
const SHARDS_AT_ONCE: usize = 4;
/// How long a statement waits for its turn.
const TURN_WAIT_MAX: Duration = Duration::from_secs(3);
/// A transfer has two legs.
const LEGS: i64 = 2;

/// The projectors, as their checkpoints name them.
const READ_MODEL: &str = "read_model";
const LEDGER: &str = "ledger";

/// Reads what the projectors wrote.
#[derive(Debug)]
pub struct SqlReadModels {
    db: Arc<Database>,
    applied: watch::Receiver<u64>,
    /// One for each connection that may be used at once.
    turns: Semaphore,
}

impl SqlReadModels {
    /// On `db`; `applied` changes whenever a projector of this process has applied something.
    #[must_use]
    pub fn new(db: Arc<Database>, applied: watch::Receiver<u64>) -> Self {
        let turns = Semaphore::new((db.read_connections() as usize / 2).max(1));
        Self { db, applied, turns }
    }

    fn shard_of(&self, key: &WalletKey) -> Result<u16, ReadError> {
        Ok(self.db.shards()?.of_wallet(key))
    }

    /// The rows of `sql`, which is about `table`.
    async fn query(
        &self,
        table: &'static str,
        sql: String,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Row>, ReadError> {
        let statement = self.db.backend().statement(sql, values);
        let turn = timeout(TURN_WAIT_MAX, self.turns.acquire()).await;
        let _turn = turn.map_err(|elapsed| ReadError::Unavailable(elapsed.into()))?;
        let span = self.db.place().span("SELECT", table, 1);
        let rows = within(span, self.db.read().query_all_raw(statement)).await;
        let rows = rows.map_err(read_error)?;
        Ok(rows.into_iter().map(Row).collect())
    }

    async fn positions_by(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<ShardPosition>, ReadError> {
        // Before the migrations the tables are missing, which would look like a defect.
        self.db.shards()?;
        let rows = self.query("projector_checkpoints", sql.to_owned(), values).await?;
        let position = |row: &Row| {
            Ok(ShardPosition { shard: row.number("shard")?, position: row.number("position")? })
        };
        rows.iter().map(position).collect()
    }

    /// How far `projector` has come in every shard.
    async fn positions(&self, projector: &str) -> Result<Vec<ShardPosition>, ReadError> {
        let sql = format!("{} WHERE c.projector = $1 ORDER BY c.shard", reached(""));
        self.positions_by(&sql, [projector.into()]).await
    }

    /// How far `projector` has come with the wallet of `key`, which lives in `shard`.
    async fn position(
        &self,
        projector: &str,
        shard: u16,
        key: &WalletKey,
    ) -> Result<Vec<ShardPosition>, ReadError> {
        let of_wallet = "AND d.tenant = $2 AND d.wallet_id = $3";
        let sql = format!("{} WHERE c.projector = $4 AND c.shard = $1", reached(of_wallet));
        let [shard, tenant, wallet_id] = key_values(shard, key);
        self.positions_by(&sql, [shard, tenant, wallet_id, projector.into()]).await
    }

    /// The rows of the same query in every shard; `$1` is the shard.
    async fn of_every_shard(
        &self,
        table: &'static str,
        sql: &str,
        values: &[Value],
    ) -> Result<Vec<Row>, ReadError> {
        let shards: Vec<u16> = (0..self.db.shards()?.count()).collect();
        let mut rows = Vec::new();
        for some in shards.chunks(SHARDS_AT_ONCE) {
            let asked = some.iter().map(|shard| {
                let shard = Value::from(i64::from(*shard));
                let values = std::iter::once(shard).chain(values.iter().cloned());
                self.query(table, sql.to_owned(), values)
            });
            rows.extend(try_join_all(asked).await?.into_iter().flatten());
        }
        Ok(rows)
    }
}

#[async_trait]
impl ReadModels for SqlReadModels {
    async fn wallet(&self, key: &WalletKey) -> Result<Projected<Option<WalletState>>, ReadError> {
        let shard = self.shard_of(key)?;
        let positions = self.position(READ_MODEL, shard, key).await?;
        let sql = format!(
            "SELECT {} FROM {} t WHERE t.shard = $1 AND t.tenant = $2 AND t.wallet_id = $3",
            wallets::COLUMNS,
            wallets::TABLE
        );
        let rows = self.query(wallets::TABLE, sql, key_values(shard, key)).await?;
        let value = rows.first().map(wallets::state).transpose()?.map(|(_, state)| state);
        Ok(Projected { value, positions })
    }

    async fn wallets_of(
        &self,
        tenant: &TenantId,
        owner_id: &OwnerId,
        after: Option<&WalletId>,
        limit: u32,
    ) -> Result<Projected<Vec<WalletState>>, ReadError> {
        let positions = self.positions(READ_MODEL).await?;
        // No wallet id is empty: all are behind it.
        let after = after.map_or("", WalletId::as_str);
        let values: [Value; 4] = [
            tenant.as_str().into(),
            owner_id.as_str().into(),
            after.into(),
            i64::from(limit).into(),
        ];
        let rows =
            self.of_every_shard(wallets::TABLE, &wallets_of(self.db.backend()), &values).await?;
        let mut value = rows
            .iter()
            .map(|row| wallets::state(row).map(|(_, state)| state))
            .collect::<Result<Vec<_>, _>>()?;
        value.sort_by(|a, b| a.wallet.id().cmp(b.wallet.id()));
        value.truncate(limit as usize);
        Ok(Projected { value, positions })
    }

    async fn ledger(
        &self,
        key: &WalletKey,
        filter: &LedgerFilter,
        limit: u32,
    ) -> Result<Projected<Vec<LedgerEntry>>, ReadError> {
        let shard = self.shard_of(key)?;
        let positions = self.position(LEDGER, shard, key).await?;
        let mut values = key_values(shard, key).to_vec();
        let mut sql = format!(
            "SELECT {} FROM {} t WHERE t.shard = $1 AND t.tenant = $2 AND t.wallet_id = $3",
            ledger::COLUMNS,
            ledger::TABLE
        );
        let conditions: [(&str, Option<Value>); 5] = [
            ("t.version <", filter.below_version.map(|version| version.cast_signed().into())),
            ("t.version >=", filter.from_version.map(|version| version.cast_signed().into())),
            ("t.recorded_at_ms >=", filter.from.map(|from| from.unix_ms().into())),
            ("t.recorded_at_ms <", filter.to.map(|to| to.unix_ms().into())),
            ("t.type =", filter.entry_type.map(|entry_type| entry_type.as_str().into())),
        ];
        for (condition, value) in conditions {
            let Some(value) = value else { continue };
            values.push(value);
            sql.push_str(&format!(" AND {condition} ${}", values.len()));
        }
        values.push(i64::from(limit).into());
        sql.push_str(&format!(" ORDER BY t.version DESC LIMIT ${}", values.len()));
        let rows = self.query(ledger::TABLE, sql, values).await?;
        Ok(Projected { value: entries(&rows)?, positions })
    }

    async fn ledger_version(&self, key: &WalletKey) -> Result<Projected<u64>, ReadError> {
        let shard = self.shard_of(key)?;
        let positions = self.position(LEDGER, shard, key).await?;
        let sql = format!(
            "SELECT t.version FROM {} t WHERE t.shard = $1 AND t.tenant = $2 \
             AND t.wallet_id = $3 ORDER BY t.version DESC LIMIT 1",
            ledger::TABLE
        );
        let rows = self.query(ledger::TABLE, sql, key_values(shard, key)).await?;
        let version = rows.first().map(|row| row.number("version")).transpose()?;
        Ok(Projected { value: version.unwrap_or(0), positions })
    }

    async fn transfer(
        &self,
        tenant: &TenantId,
        transfer_id: TransferId,
    ) -> Result<Projected<Vec<LedgerEntry>>, ReadError> {
        let positions = self.positions(LEDGER).await?;
        let values: [Value; 3] =
            [tenant.as_str().into(), transfer_id.to_string().into(), LEGS.into()];
        let rows = self.of_every_shard(ledger::TABLE, &legs_of(self.db.backend()), &values).await?;
        let mut value = entries(&rows)?;
        value.sort_by_key(|leg| leg.entry_type != EntryType::TransferOut);
        Ok(Projected { value, positions })
    }

    async fn heads(&self) -> Result<Vec<ShardPosition>, ReadError> {
        let sql = "SELECT CAST(shard AS bigint) AS shard, position FROM shard_heads ORDER BY shard";
        self.positions_by(sql, []).await
    }

    async fn changed(&self, at_most: Duration) {
        let mut applied = self.applied.clone();
        // A clone has not seen what came since this was made; only what comes now counts.
        applied.mark_unchanged();
        let next = async {
            if applied.changed().await.is_err() {
                // No projector of this process will ever apply something.
                std::future::pending::<()>().await;
            }
        };
        tokio::time::timeout(at_most, next).await.ok();
    }
}

/// Selects how far projectors have come. A checkpoint goes past the events of a wallet that is parked,
/// which are not in the tables: the first of them is as far as it gets. `parked` says whose count.
fn reached(parked: &str) -> String {
    format!(
        "SELECT CAST(c.shard AS bigint) AS shard, coalesce((SELECT min(d.position) - 1 \
         FROM dead_letters d WHERE d.shard = c.shard AND d.projector = c.projector \
         AND d.position <= c.position {parked}), c.position) AS position \
         FROM projector_checkpoints c"
    )
}

/// An owner's wallets in a shard, in the order of their ids.
fn wallets_of(backend: Backend) -> String {
    format!(
        "SELECT {} FROM {} t {} WHERE t.shard = $1 AND t.tenant = $2 AND t.owner_id = $3 \
         AND t.wallet_id > $4 ORDER BY t.wallet_id LIMIT $5",
        wallets::COLUMNS,
        wallets::TABLE,
        by_index(backend, "wallets_by_owner")
    )
}

/// The legs of a transfer in a shard.
fn legs_of(backend: Backend) -> String {
    format!(
        "SELECT {} FROM {} t {} WHERE t.shard = $1 AND t.tenant = $2 AND t.transfer_id = $3 \
         LIMIT $4",
        ledger::COLUMNS,
        ledger::TABLE,
        by_index(backend, "ledger_entries_by_transfer")
    )
}

/// Holds SQLite to an index. Without statistics it takes the primary key for the better way, and
/// would read a whole shard; PostgreSQL does not, and has no such words.
fn by_index(backend: Backend, index: &str) -> String {
    match backend {
        Backend::Sqlite => format!("INDEXED BY {index}"),
        Backend::Postgres => String::new(),
    }
}

fn key_values(shard: u16, key: &WalletKey) -> [Value; 3] {
    [i64::from(shard).into(), key.tenant.as_str().into(), key.wallet_id.as_str().into()]
}

fn entries(rows: &[Row]) -> Result<Vec<LedgerEntry>, ReadError> {
    Ok(rows.iter().map(ledger::entry).collect::<Result<_, _>>()?)
}
