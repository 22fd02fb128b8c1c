//! [`LetterStore`] over the database. Nothing is waited for without end: a network that is half open says
//! nothing ([`Database::in_time`]).

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Value};
use wallex_database::{Backend, Column, Database, Insert, Row, RowError, read_error};
use wallex_domain::TenantId;
use wallex_ports::{DeadLetter, DeadLetterError, ReadError, StoredEvent, Timestamp, WalletKey};

use super::{LetterStore, LetterTransaction, Letters};
use crate::checkpoint;
use crate::event::{Batch, Discarded, Event};
use crate::parking::{self, Filled};
use crate::projector::{ApplyError, Poison, Projector};

const LETTER: &str = "SELECT d.projector, d.tenant, d.wallet_id, CAST(d.shard AS bigint) AS shard, \
     d.version, d.position, CAST(d.event_id AS text) AS event_id, d.event_type, d.error, \
     d.attempts, d.parked_at_ms, d.tried_at_ms, \
     coalesce((SELECT max(e.version) FROM events e WHERE e.shard = d.shard \
     AND e.tenant = d.tenant AND e.wallet_id = d.wallet_id), 0) AS last_version FROM dead_letters d";

impl Letters {
    /// Those of a database: the wallets that `projectors` have parked.
    #[must_use]
    pub fn sql(db: Arc<Database>, projectors: Arc<[Arc<dyn Projector>]>) -> Self {
        Self::on(Arc::new(SqlLetters { db, projectors }))
    }
}

/// [`LetterStore`] over the database.
struct SqlLetters {
    db: Arc<Database>,
    projectors: Arc<[Arc<dyn Projector>]>,
}

impl SqlLetters {
    fn projector(&self, name: &str) -> Option<&Arc<dyn Projector>> {
        self.projectors.iter().find(|projector| projector.name() == name)
    }

    fn shard_of(&self, wallet: &WalletKey) -> Result<u16, ReadError> {
        Ok(self.db.shards()?.of_wallet(wallet))
    }
}

async fn find(
    conn: &impl ConnectionTrait,
    shard: u16,
    projector: &str,
    wallet: &WalletKey,
) -> Result<DeadLetter, DeadLetterError> {
    let sql = format!(
        "{LETTER} WHERE d.shard = $1 AND d.projector = $2 AND d.tenant = $3 AND d.wallet_id = $4"
    );
    let values = key_values(shard, projector, wallet);
    let row = conn.query_one_raw(Backend::of(conn).statement(sql, values)).await;
    let row = row.map_err(read_error)?.ok_or(DeadLetterError::NotParked)?;
    Ok(letter(&Row(row)).map_err(ReadError::from)?)
}

#[async_trait]
impl LetterStore for SqlLetters {
    fn knows(&self, projector: &str) -> bool {
        self.projector(projector).is_some()
    }

    async fn find(
        &self,
        projector: &str,
        wallet: &WalletKey,
    ) -> Result<DeadLetter, DeadLetterError> {
        let finding = find(self.db.read(), self.shard_of(wallet)?, projector, wallet);
        self.db.in_time(finding).await.map_err(read_error)?
    }

    async fn list(
        &self,
        tenant: Option<&TenantId>,
        projector: Option<&str>,
        after: Option<(&str, &WalletKey)>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, ReadError> {
        self.db.shards()?;
        let mut values: Vec<Value> = vec![i64::from(limit).into()];
        let mut conditions = Vec::new();
        if let Some(tenant) = tenant {
            values.push(tenant.as_str().into());
            conditions.push(format!("d.tenant = ${}", values.len()));
        }
        if let Some(projector) = projector {
            values.push(projector.into());
            conditions.push(format!("d.projector = ${}", values.len()));
        }
        if let Some((projector, wallet)) = after {
            let from = values.len();
            values.extend([
                projector.into(),
                wallet.tenant.as_str().into(),
                wallet.wallet_id.as_str().into(),
            ]);
            let (p, t, w) = (from + 1, from + 2, from + 3);
            conditions.push(format!("(d.projector, d.tenant, d.wallet_id) > (${p}, ${t}, ${w})"));
        }
        let conditions = match conditions.is_empty() {
            true => String::new(),
            false => format!("WHERE {}", conditions.join(" AND ")),
        };
        let sql =
            format!("{LETTER} {conditions} ORDER BY d.projector, d.tenant, d.wallet_id LIMIT $1");
        let statement = self.db.backend().statement(sql, values);
        let reading = self.db.read().query_all_raw(statement);
        let rows = self.db.patiently(reading).await.map_err(read_error)?;
        Ok(rows.into_iter().map(|row| letter(&Row(row))).collect::<Result<_, _>>()?)
    }

    async fn event_of(&self, letter: &DeadLetter) -> Result<Option<StoredEvent>, ReadError> {
        let sql = "SELECT CAST(schema_version AS bigint) AS schema_version, \
                   CAST(payload AS text) AS payload, CAST(metadata AS text) AS metadata, \
                   recorded_at_ms FROM events \
                   WHERE shard = $1 AND tenant = $2 AND wallet_id = $3 AND version = $4";
        let values: [Value; 4] = [
            i64::from(letter.shard).into(),
            letter.wallet.tenant.as_str().into(),
            letter.wallet.wallet_id.as_str().into(),
            letter.version.cast_signed().into(),
        ];
        let statement = self.db.backend().statement(sql, values);
        let reading = self.db.read().query_one_raw(statement);
        let row = self.db.patiently(reading).await.map_err(read_error)?;
        Ok(row.map(|row| stored(&Row(row))).transpose()?)
    }

    async fn begin(
        &self,
        projector: &str,
        wallet: &WalletKey,
    ) -> Result<Box<dyn LetterTransaction>, ReadError> {
        let unknown = || ReadError::Storage(format!("there is no projector {projector}").into());
        let projector = Arc::clone(self.projector(projector).ok_or_else(unknown)?);
        let shard = self.shard_of(wallet)?;
        let tx = self.db.patiently(self.db.begin_background()).await.map_err(read_error)?;
        let (db, wallet) = (Arc::clone(&self.db), wallet.clone());
        Ok(Box::new(SqlTransaction { db, tx, projector, shard, wallet }))
    }
}

struct SqlTransaction {
    db: Arc<Database>,
    tx: DatabaseTransaction,
    projector: Arc<dyn Projector>,
    shard: u16,
    wallet: WalletKey,
}

#[async_trait]
impl LetterTransaction for SqlTransaction {
    async fn hold(&self) -> Result<u64, ReadError> {
        let holding = checkpoint::hold(&self.tx, self.projector.name(), self.shard);
        self.db.patiently(holding).await.map_err(read_error)
    }

    async fn letter(&self) -> Result<DeadLetter, DeadLetterError> {
        let finding = find(&self.tx, self.shard, self.projector.name(), &self.wallet);
        self.db.in_time(finding).await.map_err(read_error)?
    }

    async fn waiting(&self, version: u64, upto: u64, limit: u32) -> Result<Vec<Event>, ReadError> {
        let reading = waiting(&self.tx, self.shard, &self.wallet, version, upto, limit);
        self.db.in_time(reading).await.map_err(read_error)?
    }

    async fn discarded(&self) -> Result<Discarded, ReadError> {
        let (name, wallets) = (self.projector.name(), [&self.wallet].into());
        let looking = parking::of_wallets(&self.tx, name, self.shard, &wallets, Filled::MAYBE);
        Ok(self.db.patiently(looking).await.map_err(read_error)?.discarded)
    }

    async fn project(&self, batch: &Batch<'_>) -> Result<(), ApplyError> {
        self.db.patiently(self.projector.apply(&self.tx, batch)).await
    }

    async fn postpone(&self, poison: &Poison) -> Result<(), DbErr> {
        let postponing = postpone(&self.tx, self.shard, self.projector.name(), poison);
        self.db.patiently(postponing).await
    }

    async fn unpark(&self) -> Result<(), DbErr> {
        let name = self.projector.name();
        self.db.patiently(unpark(&self.tx, self.shard, name, &self.wallet)).await
    }

    async fn lost_before(&self, letter: &DeadLetter) -> Result<Vec<u64>, DbErr> {
        self.db.patiently(lost_before(&self.tx, letter)).await
    }

    async fn leave_out(
        &self,
        letter: &DeadLetter,
        lost: &[u64],
        reason: &str,
    ) -> Result<(), DbErr> {
        if lost.is_empty() {
            return self.db.patiently(record_discard(&self.tx, letter, reason)).await;
        }
        // The event itself may be good: what it waits for is gone without a trace.
        self.db.patiently(record_lost(&self.tx, letter, lost, reason)).await
    }

    async fn commit(self: Box<Self>) -> Result<(), DbErr> {
        self.db.patiently(self.tx.commit()).await
    }

    async fn rollback(self: Box<Self>) -> Result<(), DbErr> {
        self.db.patiently(self.tx.rollback()).await
    }
}

fn key_values(shard: u16, projector: &str, wallet: &WalletKey) -> [Value; 4] {
    [
        i64::from(shard).into(),
        projector.into(),
        wallet.tenant.as_str().into(),
        wallet.wallet_id.as_str().into(),
    ]
}

fn letter(row: &Row) -> Result<DeadLetter, RowError> {
    let (version, last): (u64, u64) = (row.number("version")?, row.number("last_version")?);
    Ok(DeadLetter {
        projector: row.text("projector")?,
        wallet: crate::tables::key(row)?,
        shard: row.number("shard")?,
        version,
        position: row.number("position")?,
        event_id: row.uuid("event_id")?.into(),
        event_type: row.text("event_type")?,
        error: row.text("error")?,
        attempts: row.number("attempts")?,
        queued_events: last.saturating_sub(version),
        parked_at: Timestamp::from_unix_ms(row.int("parked_at_ms")?),
        tried_at: Timestamp::from_unix_ms(row.int("tried_at_ms")?),
    })
}

fn stored(row: &Row) -> Result<StoredEvent, RowError> {
    Ok(StoredEvent {
        schema_version: row.int("schema_version")?,
        payload: row.text("payload")?,
        metadata: row.text("metadata")?,
        recorded_at: Timestamp::from_unix_ms(row.int("recorded_at_ms")?),
    })
}

/// The wallet's events from `version` on that a checkpoint at `upto` has passed, in their order.
async fn waiting(
    tx: &DatabaseTransaction,
    shard: u16,
    wallet: &WalletKey,
    version: u64,
    upto: u64,
    limit: u32,
) -> Result<Vec<Event>, ReadError> {
    let sql = format!(
        "SELECT {} FROM events t WHERE t.shard = $1 AND t.tenant = $2 AND t.wallet_id = $3 \
         AND t.version >= $4 AND t.position <= $5 ORDER BY t.version LIMIT $6",
        Event::COLUMNS
    );
    let values: [Value; 6] = [
        i64::from(shard).into(),
        wallet.tenant.as_str().into(),
        wallet.wallet_id.as_str().into(),
        version.cast_signed().into(),
        upto.cast_signed().into(),
        i64::from(limit).into(),
    ];
    let rows =
        tx.query_all_raw(Backend::of(tx).statement(sql, values)).await.map_err(read_error)?;
    Ok(rows.into_iter().map(|row| Event::of_row(&Row(row))).collect::<Result<_, _>>()?)
}

/// Lets the wallet stay parked at `poison`, unless another replay has come further: what it has
/// applied is not applied again.
pub(crate) async fn postpone(
    tx: &DatabaseTransaction,
    shard: u16,
    projector: &str,
    poison: &Poison,
) -> Result<(), DbErr> {
    let backend = Backend::of(tx);
    let uuid = match backend {
        Backend::Postgres => "CAST($7 AS uuid)",
        Backend::Sqlite => "$7",
    };
    let sql = format!(
        "UPDATE dead_letters SET attempts = CASE WHEN version = $5 THEN attempts + 1 ELSE 1 END, \
         version = $5, position = $6, event_id = {uuid}, event_type = $8, error = $9, \
         tried_at_ms = {} \
         WHERE shard = $1 AND projector = $2 AND tenant = $3 AND wallet_id = $4 AND version <= $5",
        backend.now_ms()
    );
    let more: [Value; 5] = [
        poison.version.cast_signed().into(),
        poison.position.cast_signed().into(),
        poison.event_id.to_string().into(),
        poison.event_type.as_str().into(),
        poison.error.as_str().into(),
    ];
    let values = key_values(shard, projector, &poison.wallet).into_iter().chain(more);
    tx.execute_raw(backend.statement(sql, values)).await.map(|_| ())
}

async fn unpark(
    tx: &DatabaseTransaction,
    shard: u16,
    projector: &str,
    wallet: &WalletKey,
) -> Result<(), DbErr> {
    let sql = "DELETE FROM dead_letters \
               WHERE shard = $1 AND projector = $2 AND tenant = $3 AND wallet_id = $4";
    let values = key_values(shard, projector, wallet);
    tx.execute_raw(Backend::of(tx).statement(sql, values)).await.map(|_| ())
}

async fn record_discard(
    tx: &DatabaseTransaction,
    letter: &DeadLetter,
    reason: &str,
) -> Result<(), DbErr> {
    let backend = Backend::of(tx);
    let sql = format!(
        "INSERT INTO discarded_events (shard, projector, tenant, wallet_id, version, event_id, \
         event_type, error, reason, discarded_at_ms) \
         SELECT shard, projector, tenant, wallet_id, version, event_id, event_type, error, $5, {} \
         FROM dead_letters WHERE shard = $1 AND projector = $2 AND tenant = $3 AND wallet_id = $4 \
         ON CONFLICT DO NOTHING",
        backend.now_ms()
    );
    let key = key_values(letter.shard, &letter.projector, &letter.wallet);
    let values = key.into_iter().chain([reason.into()]);
    tx.execute_raw(backend.statement(sql, values)).await.map(|_| ())
}

/// The versions before the letter's of which neither an event is left nor a word that it was left
/// out.
async fn lost_before(tx: &DatabaseTransaction, letter: &DeadLetter) -> Result<Vec<u64>, DbErr> {
    let sql = "SELECT coalesce((SELECT max(e.version) FROM events e WHERE e.shard = $1 \
               AND e.tenant = $3 AND e.wallet_id = $4 AND e.version < $5), 0) AS event, \
               coalesce((SELECT max(d.version) FROM discarded_events d WHERE d.shard = $1 \
               AND d.projector = $2 AND d.tenant = $3 AND d.wallet_id = $4 AND d.version < $5), 0) \
               AS discarded";
    let key = key_values(letter.shard, &letter.projector, &letter.wallet);
    let values = key.into_iter().chain([letter.version.cast_signed().into()]);
    let row = tx.query_one_raw(Backend::of(tx).statement(sql, values)).await?.map(Row);
    let row = row.ok_or_else(|| DbErr::Custom("a SELECT gave no row".to_owned()))?;
    let (event, discarded): (u64, u64) = (
        row.number("event").map_err(checkpoint::unreadable)?,
        row.number("discarded").map_err(checkpoint::unreadable)?,
    );
    Ok((event.max(discarded) + 1..letter.version).collect())
}

async fn record_lost(
    tx: &DatabaseTransaction,
    letter: &DeadLetter,
    versions: &[u64],
    reason: &str,
) -> Result<(), DbErr> {
    let key = || versions.iter().map(|_| &letter.wallet);
    let mut columns = crate::tables::key_columns(letter.shard, key());
    let same = |text: &str| versions.iter().map(|_| text.to_owned()).collect::<Vec<_>>();
    columns.extend([
        Column::text("projector", same(&letter.projector)),
        Column::int("version", versions.iter().map(|version| version.cast_signed())),
        Column::uuid("event_id", versions.iter().map(|_| uuid::Uuid::nil())),
        Column::text("event_type", same("")),
        Column::text("error", same("the event is gone")),
        Column::text("reason", same(reason)),
        Column::int("discarded_at_ms", versions.iter().map(|_| 0))
            .computed(format!("{} + {{}}", Backend::of(tx).now_ms())),
    ]);
    Insert::into("discarded_events", columns)
        .tail("ON CONFLICT DO NOTHING")
        .execute(tx)
        .await
        .map(|_| ())
}
