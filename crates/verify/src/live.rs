//! Verifying a database that servers may be using.
//!
//! | step | statement | as of |
//! |---|---|---|
//! | events up to the head | pages by position, each event joined by key with the one before it in its wallet | as it is read: events never change |
//! | events behind it, wallets, heads | the same, and pages of wallets, each joined with its last event | one snapshot of all |
//!
//! So the long part holds no snapshot open, and the checkpoint is of one moment. Two pages are in memory at most.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr, Value};
use thiserror::Error;
use wallex_database::{Backend, Database, Row, RowError};
use wallex_ports::NotMigrated;

use crate::checkpoint::{Checkpoint, ShardCheckpoint};
use crate::event::{COLUMNS, StoredEvent};
use crate::export::{Export, ShardFile};
use crate::findings::Findings;
use crate::history::{History, Previous};
use crate::streams;

/// How many events are read by one statement.
const PAGE_EVENTS: i64 = 2_000;
/// How long one statement of the last part may take, in milliseconds: it looks at all of a shard.
const STATEMENT_MS_MAX: u32 = 3_600_000;

/// How far a verification has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Events that were looked at.
    pub done: u64,
    /// Events that there were when it began, and those that came since.
    pub total: u64,
}

/// What a verification came to.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// What is not as it was written.
    pub findings: Findings,
    /// Events that were looked at.
    pub events: u64,
    /// Wallets that were looked at.
    pub wallets: u64,
    /// What each shard holds.
    pub shards: Vec<ShardCheckpoint>,
    /// The identity of the database.
    pub database_id: String,
}

/// Why a verification ended early.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The database.
    #[error("the database can't be read")]
    Database(#[from] DbErr),
    /// A column that is not what the schema says.
    #[error("a row can't be read")]
    Row(#[from] RowError),
    /// The schema is not there.
    #[error(transparent)]
    NotMigrated(#[from] NotMigrated),
    /// The export.
    #[error("the export can't be written")]
    Export(#[from] std::io::Error),
    /// The database has no identity.
    #[error("the settings of the database name no database_id")]
    NoIdentity,
}

/// Verifies all of `db`, against earlier checkpoints, whose signatures the caller has verified, and writes what it
/// meets to `export`.
///
/// # Errors
/// When the database can't be read, or the export can't be written. What is wrong with the history is no error.
pub async fn verify_database(
    db: &Database,
    earlier: &[Checkpoint],
    export: Option<&Export>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Verified, VerifyError> {
    let count = db.shards()?.count();
    let mut verified = Verified { database_id: database_id(db).await?, ..Verified::default() };
    for checkpoint in earlier {
        compare_identity(checkpoint, &verified.database_id, count, &mut verified.findings);
    }
    let mut walk = Walk { progress, told: Progress::default(), findings: verified.findings };
    let mut shards = Vec::new();
    for shard in 0..count {
        let head = head(db.background(), shard).await?;
        walk.told.total += u64::try_from(head.unwrap_or(0)).unwrap_or(0);
        let milestones = earlier.iter().filter_map(|checkpoint| checkpoint.milestone(shard));
        let file = export.map(|export| export.shard(shard)).transpose()?;
        shards.push(Followed { history: History::new(shard, milestones.collect()), file, shard });
        let last = &mut shards[usize::from(shard)];
        last.follow(db.background(), head.unwrap_or(0), &mut walk).await?;
    }
    let snapshot = db.begin_snapshot().await?;
    if db.backend() == Backend::Postgres {
        // What looks for rows that should not be there reads a whole shard.
        let patience = format!("SET LOCAL statement_timeout = {STATEMENT_MS_MAX}");
        snapshot.execute_unprepared(&patience).await?;
    }
    for mut followed in shards {
        verified.shards.push(followed.finish(&snapshot, db, &mut walk).await?);
    }
    streams::outside(&snapshot, count, &mut walk.findings).await?;
    snapshot.rollback().await?;
    (verified.events, verified.findings) = (walk.told.done, walk.findings);
    verified.wallets = verified.shards.iter().map(|shard| shard.wallets).sum();
    Ok(verified)
}

/// Whether a checkpoint is of this database at all.
pub(crate) fn compare_identity(
    checkpoint: &Checkpoint,
    database_id: &str,
    shards: u16,
    findings: &mut Findings,
) {
    let (what, theirs) = (checkpoint.describe(), checkpoint.shards.len());
    let mut tell = |what| findings.add(crate::Finding { what, ..Default::default() });
    if checkpoint.database_id != database_id {
        tell(format!("{what} is of database {}, this is {database_id}", checkpoint.database_id));
    }
    if theirs != usize::from(shards) {
        tell(format!("{what} has {theirs} shards, this database has {shards}"));
    }
}

async fn database_id(db: &Database) -> Result<String, VerifyError> {
    let sql = "SELECT value FROM settings WHERE name = 'database_id'";
    let row = db.background().query_one_raw(db.backend().statement(sql, [])).await?;
    Ok(Row(row.ok_or(VerifyError::NoIdentity)?).text("value")?)
}

async fn head(conn: &impl ConnectionTrait, shard: u16) -> Result<Option<i64>, VerifyError> {
    let sql = "SELECT position FROM shard_heads WHERE shard = $1";
    let statement = Backend::of(conn).statement(sql, [i64::from(shard).into()]);
    let row = conn.query_one_raw(statement).await?;
    Ok(row.map(|row| Row(row).int("position")).transpose()?)
}

/// What all shards share.
struct Walk<'a> {
    progress: &'a mut dyn FnMut(Progress),
    told: Progress,
    findings: Findings,
}

/// A shard that is followed.
struct Followed {
    history: History,
    file: Option<ShardFile>,
    shard: u16,
}

impl Followed {
    /// Follows the events up to position `upto`.
    async fn follow(
        &mut self,
        conn: &impl ConnectionTrait,
        upto: i64,
        walk: &mut Walk<'_>,
    ) -> Result<(), VerifyError> {
        // A first page has no position before it: an event below 1 is looked at, too.
        let mut after = if self.history.events == 0 { i64::MIN } else { self.history.position };
        loop {
            let rows = page(conn, self.shard, after, upto).await?;
            let read = i64::try_from(rows.len()).unwrap_or(PAGE_EVENTS);
            for (event, previous) in rows {
                self.history.meet(&event, previous, &mut walk.findings);
                if let Some(file) = &mut self.file {
                    file.write(&event)?;
                }
                after = event.position;
                walk.told.done += 1;
            }
            walk.told.total = walk.told.total.max(walk.told.done);
            (walk.progress)(walk.told);
            if read < PAGE_EVENTS {
                return Ok(());
            }
        }
    }

    /// Follows the rest in `snapshot`, and looks at the wallets.
    async fn finish(
        &mut self,
        snapshot: &DatabaseTransaction,
        db: &Database,
        walk: &mut Walk<'_>,
    ) -> Result<ShardCheckpoint, VerifyError> {
        self.follow(snapshot, i64::MAX, walk).await?;
        self.history.finish(&mut walk.findings);
        if let Some(file) = self.file.take() {
            file.finish()?;
        }
        let (shard, last) = (self.shard, self.history.position);
        match head(snapshot, shard).await? {
            Some(head) if head == last => {}
            Some(head) => walk.findings.of_shard(
                shard,
                format!("its head says position {head}, and its last event has {last}"),
            ),
            None => walk.findings.of_shard(shard, "it has no head"),
        }
        let shards = db.shards()?;
        let events = self.history.events;
        let heads = streams::verify(snapshot, shards, shard, events, &mut walk.findings).await?;
        Ok(ShardCheckpoint {
            shard,
            position: u64::try_from(last).unwrap_or(0),
            wallets: heads.wallets,
            wallet_heads: heads.finish(),
            history: self.history.digest,
        })
    }
}

async fn page(
    conn: &impl ConnectionTrait,
    shard: u16,
    after: i64,
    upto: i64,
) -> Result<Vec<(StoredEvent, Option<Previous>)>, VerifyError> {
    let sql = format!(
        "SELECT {COLUMNS}, p.version AS previous_version, p.position AS previous_position, \
         p.hash AS previous_hash FROM events e LEFT JOIN events p ON p.shard = e.shard \
         AND p.tenant = e.tenant AND p.wallet_id = e.wallet_id AND p.version = e.version - 1 \
         WHERE e.shard = $1 AND e.position > $2 AND e.position <= $3 \
         ORDER BY e.position LIMIT {PAGE_EVENTS}"
    );
    let values: [Value; 3] = [i64::from(shard).into(), after.into(), upto.into()];
    let rows = conn.query_all_raw(Backend::of(conn).statement(sql, values)).await?;
    let rows = rows.into_iter().map(Row);
    rows.map(|row| Ok((StoredEvent::of_row(&row)?, previous(&row)))).collect()
}

fn previous(row: &Row) -> Option<Previous> {
    Some(Previous {
        version: row.int("previous_version").ok()?,
        position: row.int("previous_position").ok()?,
        hash: row.hash("previous_hash").ok(),
    })
}
