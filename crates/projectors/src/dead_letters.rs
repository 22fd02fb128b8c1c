//! Dead letters: seen, replayed, discarded.

use std::sync::Arc;

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Value};
use wallex_database::{Backend, Column, Database, Insert, Row, RowError, read_error};
use wallex_domain::TenantId;
use wallex_ports::{
    DeadLetter, DeadLetterError, DeadLetters, ReadError, Replay, StoredEvent, Timestamp, WalletKey,
};

use crate::checkpoint;
use crate::event::{Batch, Event};
use crate::parking::{self, Filled};
use crate::projector::{ApplyError, Poison, Projector};

/// Events that one transaction replays, at most: meanwhile the projector waits.
const CHUNK_EVENTS_MAX: u32 = 500;
/// How often a replay begins anew because what can't be applied has changed meanwhile.
const ROUNDS_MAX: u32 = 8;

const LETTER: &str = "SELECT d.projector, d.tenant, d.wallet_id, CAST(d.shard AS bigint) AS shard, \
     d.version, d.position, CAST(d.event_id AS text) AS event_id, d.event_type, d.error, \
     d.attempts, d.parked_at_ms, d.tried_at_ms, \
     coalesce((SELECT max(e.version) FROM events e WHERE e.shard = d.shard \
     AND e.tenant = d.tenant AND e.wallet_id = d.wallet_id), 0) AS last_version FROM dead_letters d";

/// [`DeadLetters`] over the database.
pub struct SqlDeadLetters {
    db: Arc<Database>,
    projectors: Arc<[Arc<dyn Projector>]>,
}

/// What one transaction of a replay came to.
enum Step {
    /// The wallet is no longer parked.
    Settled(u64),
    /// There are more events behind these.
    More(u64),
    /// This one can't be applied; nothing was written.
    Poison(Poison),
    /// What stands before the poison is applied.
    Stuck,
}

impl SqlDeadLetters {
    /// On `db`, for the wallets that `projectors` have parked.
    #[must_use]
    pub fn new(db: Arc<Database>, projectors: Arc<[Arc<dyn Projector>]>) -> Self {
        Self { db, projectors }
    }

    fn projector(&self, name: &str) -> Result<&dyn Projector, DeadLetterError> {
        let found = self.projectors.iter().find(|projector| projector.name() == name);
        found.map(|projector| &**projector).ok_or(DeadLetterError::NotParked)
    }

    fn shard_of(&self, wallet: &WalletKey) -> Result<u16, ReadError> {
        Ok(self.db.shards()?.of_wallet(wallet))
    }

    async fn find(
        &self,
        conn: &impl ConnectionTrait,
        projector: &str,
        wallet: &WalletKey,
    ) -> Result<DeadLetter, DeadLetterError> {
        let sql = format!(
            "{LETTER} WHERE d.shard = $1 AND d.projector = $2 AND d.tenant = $3 AND d.wallet_id = $4"
        );
        let values = key_values(self.shard_of(wallet)?, projector, wallet);
        let row = conn.query_one_raw(self.db.backend().statement(sql, values)).await;
        let row = row.map_err(read_error)?.ok_or(DeadLetterError::NotParked)?;
        Ok(letter(&Row(row)).map_err(ReadError::from)?)
    }

    /// One transaction of a replay: the events up to `before`, where that is known to be poison.
    async fn step(
        &self,
        projector: &dyn Projector,
        wallet: &WalletKey,
        before: Option<&Poison>,
    ) -> Result<Step, DeadLetterError> {
        let (name, shard) = (projector.name(), self.shard_of(wallet)?);
        let tx = self.db.begin_background().await.map_err(read_error)?;
        let checkpoint = checkpoint::hold(&tx, name, shard).await.map_err(read_error)?;
        let letter = self.find(&tx, name, wallet).await?;
        if letter.position > checkpoint {
            // The checkpoint was set back: the projector has still to come to this event.
            tx.rollback().await.map_err(read_error)?;
            return Ok(Step::Stuck);
        }
        let waiting = waiting(&tx, shard, wallet, letter.version, checkpoint).await?;
        let parking = parking::of_wallets(&tx, name, shard, &[wallet].into(), Filled::MAYBE).await;
        let discarded = parking.map_err(read_error)?.discarded;
        let first_is_there = waiting.first().is_some_and(|e| e.version == letter.version);
        if !first_is_there && !discarded.contains(wallet, letter.version) {
            let error = "the event is gone".to_owned();
            let poison = Poison { error, ..poison_of(&letter) };
            postpone(&tx, shard, name, &poison).await.map_err(read_error)?;
            tx.commit().await.map_err(read_error)?;
            return Ok(Step::Stuck);
        }
        let next = waiting.get(CHUNK_EVENTS_MAX as usize);
        let due: Vec<&Event> = waiting
            .iter()
            .take(CHUNK_EVENTS_MAX as usize)
            .filter(|event| !discarded.contains(wallet, event.version))
            .filter(|event| before.is_none_or(|poison| event.version < poison.version))
            .collect();
        let batch = Batch { shard, events: &due, discarded: &discarded, is_new: false };
        match projector.apply(&tx, &batch).await {
            Ok(()) => {}
            Err(ApplyError::Poison(mut found)) if !found.is_empty() => {
                tx.rollback().await.map_err(read_error)?;
                return Ok(Step::Poison(found.swap_remove(0)));
            }
            Err(ApplyError::Poison(_) | ApplyError::NotNew) => {
                let error = DbErr::Custom("a projector named no poison".to_owned());
                return Err(read_error(error).into());
            }
            Err(ApplyError::Storage(error)) => return Err(read_error(error).into()),
        }
        let applied = due.len() as u64;
        let step = match (before, next) {
            (Some(poison), _) => {
                postpone(&tx, shard, name, poison).await.map_err(read_error)?;
                Step::Stuck
            }
            (None, Some(next)) => {
                let next = Poison::of(next, "it waits behind one that was replayed".to_owned());
                postpone(&tx, shard, name, &next).await.map_err(read_error)?;
                Step::More(applied)
            }
            (None, None) => {
                unpark(&tx, shard, name, wallet).await.map_err(read_error)?;
                Step::Settled(applied)
            }
        };
        tx.commit().await.map_err(read_error)?;
        Ok(step)
    }
}

#[async_trait]
impl DeadLetters for SqlDeadLetters {
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
        let rows = self.db.read().query_all_raw(statement).await.map_err(read_error)?;
        Ok(rows.into_iter().map(|row| letter(&Row(row))).collect::<Result<_, _>>()?)
    }

    async fn show(
        &self,
        projector: &str,
        wallet: &WalletKey,
    ) -> Result<(DeadLetter, Option<StoredEvent>), DeadLetterError> {
        let letter = self.find(self.db.read(), projector, wallet).await?;
        let sql = "SELECT CAST(schema_version AS bigint) AS schema_version, \
                   CAST(payload AS text) AS payload, CAST(metadata AS text) AS metadata, \
                   recorded_at_ms FROM events \
                   WHERE shard = $1 AND tenant = $2 AND wallet_id = $3 AND version = $4";
        let values: [Value; 4] = [
            i64::from(letter.shard).into(),
            wallet.tenant.as_str().into(),
            wallet.wallet_id.as_str().into(),
            letter.version.cast_signed().into(),
        ];
        let statement = self.db.backend().statement(sql, values);
        let row = self.db.read().query_one_raw(statement).await.map_err(read_error)?;
        let event = row.map(|row| stored(&Row(row))).transpose().map_err(ReadError::from)?;
        Ok((letter, event))
    }

    async fn replay(&self, projector: &str, wallet: &WalletKey) -> Result<Replay, DeadLetterError> {
        let projector = self.projector(projector)?;
        let (mut applied, mut poison, mut rounds) = (0, None, 0);
        loop {
            match self.step(projector, wallet, poison.as_ref()).await? {
                Step::Settled(events) => return Ok(Replay::Applied { events: applied + events }),
                Step::More(events) => (applied, poison) = (applied + events, None),
                Step::Poison(found) if rounds < ROUNDS_MAX => {
                    (poison, rounds) = (Some(found), rounds + 1);
                }
                Step::Stuck | Step::Poison(_) => {
                    let letter = self.find(self.db.read(), projector.name(), wallet).await?;
                    return Ok(Replay::StillParked(Box::new(letter)));
                }
            }
        }
    }

    async fn discard(
        &self,
        projector: &str,
        wallet: &WalletKey,
        version: u64,
        reason: &str,
    ) -> Result<Replay, DeadLetterError> {
        let (name, shard) = (self.projector(projector)?.name(), self.shard_of(wallet)?);
        let tx = self.db.begin_background().await.map_err(read_error)?;
        checkpoint::hold(&tx, name, shard).await.map_err(read_error)?;
        let letter = self.find(&tx, name, wallet).await?;
        if letter.version != version {
            return Err(DeadLetterError::Moved(Box::new(letter)));
        }
        let lost = lost_before(&tx, &letter).await.map_err(read_error)?;
        if letter.version == 1 || lost.contains(&1) {
            return Err(DeadLetterError::Creation);
        }
        if lost.is_empty() {
            record_discard(&tx, &letter, reason).await.map_err(read_error)?;
        } else {
            // The event itself may be good: what it waits for is gone without a trace.
            record_lost(&tx, &letter, &lost, reason).await.map_err(read_error)?;
        }
        tx.commit().await.map_err(read_error)?;
        tracing::warn!(
            projector = name,
            wallet.id = %wallet.wallet_id,
            version,
            "an event was left out of a projection by hand"
        );
        self.replay(projector, wallet).await
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

fn poison_of(letter: &DeadLetter) -> Poison {
    Poison {
        wallet: letter.wallet.clone(),
        version: letter.version,
        position: letter.position,
        event_id: letter.event_id,
        event_type: letter.event_type.clone(),
        error: letter.error.clone(),
    }
}

/// The wallet's events from `version` on that the checkpoint has passed: a chunk of them, and one
/// more if there is one.
async fn waiting(
    tx: &DatabaseTransaction,
    shard: u16,
    wallet: &WalletKey,
    version: u64,
    checkpoint: u64,
) -> Result<Vec<Event>, ReadError> {
    let sql = "SELECT position, tenant, wallet_id, version, CAST(event_id AS text) AS event_id, \
               type, CAST(schema_version AS bigint) AS schema_version, \
               CAST(payload AS text) AS payload, recorded_at_ms FROM events \
               WHERE shard = $1 AND tenant = $2 AND wallet_id = $3 AND version >= $4 \
               AND position <= $5 ORDER BY version LIMIT $6";
    let values: [Value; 6] = [
        i64::from(shard).into(),
        wallet.tenant.as_str().into(),
        wallet.wallet_id.as_str().into(),
        version.cast_signed().into(),
        checkpoint.cast_signed().into(),
        i64::from(CHUNK_EVENTS_MAX + 1).into(),
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
