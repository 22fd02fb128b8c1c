//! Running the steps, and recording how many shards the database has.

use sea_orm_migration::MigratorTrait;
use sea_orm_migration::sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};
use thiserror::Error;
use wallex_database::{Backend, Column, Database, Insert, Row};
use wallex_ports::{BoxError, Shards};

use crate::Migrator;

/// The key of PostgreSQL's advisory lock under which schemas change ("wallex" in ASCII).
const LOCK: i64 = 0x7761_6c6c_6578;
/// Every projector has a checkpoint in every shard from the beginning.
const PROJECTORS: [&str; 2] = ["ledger", "read_model"];
const SHARD_COUNT: &str = "shard_count";

/// Why the schema could not be changed or read.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// The database did not answer, or refused a step.
    #[error("the database could not be migrated")]
    Database(#[source] BoxError),
    /// The configuration asks for another number of shards than the database was created with.
    #[error(
        "the database was created with {found} shards, not {wanted}: set WALLEX_SHARDS={found} or \
         leave it out"
    )]
    ShardMismatch {
        /// What the configuration says.
        wanted: u16,
        /// What the database says.
        found: u16,
    },
    /// A newer version of Wallex has changed the schema.
    #[error("the database has a step that this version of Wallex does not know: {name}")]
    Newer {
        /// The step.
        name: String,
    },
    /// What the database says of itself makes no sense.
    #[error("the settings of the database can't be understood")]
    Settings(#[source] BoxError),
}

impl From<DbErr> for MigrateError {
    fn from(error: DbErr) -> Self {
        Self::Database(error.into())
    }
}

/// A step, and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its name.
    pub name: String,
    /// Whether it was applied.
    pub applied: bool,
}

/// Applies every missing step; the names of those applied now. Waits while another process does it.
/// A new database gets `shards`, or 1.
///
/// # Errors
/// When a step fails (nothing is changed then), or the database has another number of shards.
pub async fn up(db: &Database, shards: Option<Shards>) -> Result<Vec<String>, MigrateError> {
    let transaction = begin_locked(db).await?;
    let missing: Vec<String> = pending(&transaction).await?;
    Migrator::up(&transaction, None).await?;
    let shards = match recorded_shards(&transaction).await? {
        Some(found) => agree(found, shards)?,
        None => create_shards(&transaction, shards).await?,
    };
    transaction.commit().await?;
    db.set_shards(shards);
    Ok(missing)
}

/// Takes the last `steps` steps back, with the data in their tables.
///
/// # Errors
/// When a step fails; nothing is changed then.
pub async fn down(db: &Database, steps: u32) -> Result<Vec<String>, MigrateError> {
    let transaction = begin_locked(db).await?;
    let before = applied(&transaction).await?;
    Migrator::down(&transaction, Some(steps)).await?;
    let after = applied(&transaction).await?;
    transaction.commit().await?;
    Ok(before.into_iter().filter(|name| !after.contains(name)).rev().collect())
}

/// Every step, oldest first.
///
/// # Errors
/// When the database does not answer.
pub async fn status(db: &Database) -> Result<Vec<MigrationStatus>, MigrateError> {
    let applied = applied(db.read()).await?;
    let known = Migrator::migrations().into_iter().map(|step| step.name().to_owned());
    Ok(known.map(|name| MigrationStatus { applied: applied.contains(&name), name }).collect())
}

/// How many shards the database has, when it is migrated; `None` when a step is missing.
pub(crate) async fn migrated_shards(
    db: &Database,
    wanted: Option<Shards>,
) -> Result<Option<Shards>, MigrateError> {
    if status(db).await?.iter().any(|step| !step.applied) {
        return Ok(None);
    }
    match recorded_shards(db.read()).await? {
        Some(found) => agree(found, wanted).map(Some),
        None => Ok(None),
    }
}

async fn begin_locked(db: &Database) -> Result<DatabaseTransaction, MigrateError> {
    // On SQLite the transaction itself is the lock. On PostgreSQL the lock lives as long as it.
    let transaction = db.begin().await?;
    if db.backend() == Backend::Postgres {
        // Another node's migration may take longer than a statement is otherwise given.
        for sql in ["SET LOCAL lock_timeout = 0", "SET LOCAL statement_timeout = 0"] {
            transaction.execute_unprepared(sql).await?;
        }
        let lock = format!("SELECT pg_advisory_xact_lock({LOCK})");
        transaction.execute_unprepared(&lock).await?;
    }
    Ok(transaction)
}

async fn pending(conn: &impl ConnectionTrait) -> Result<Vec<String>, MigrateError> {
    let applied = applied(conn).await?;
    let known: Vec<_> =
        Migrator::migrations().into_iter().map(|step| step.name().to_owned()).collect();
    if let Some(name) = applied.iter().find(|name| !known.contains(name)) {
        return Err(MigrateError::Newer { name: name.clone() });
    }
    Ok(known.into_iter().filter(|name| !applied.contains(name)).collect())
}

/// The steps that the database has; none when it is empty. Only reads.
async fn applied(conn: &impl ConnectionTrait) -> Result<Vec<String>, MigrateError> {
    let backend = Backend::of(conn);
    let exists = match backend {
        Backend::Postgres => "SELECT 1 WHERE to_regclass('seaql_migrations') IS NOT NULL",
        Backend::Sqlite => "SELECT 1 FROM sqlite_master WHERE name = 'seaql_migrations'",
    };
    if conn.query_one_raw(backend.statement(exists, [])).await?.is_none() {
        return Ok(Vec::new());
    }
    let sql = "SELECT version FROM seaql_migrations ORDER BY version";
    let rows = conn.query_all_raw(backend.statement(sql, [])).await?;
    rows.into_iter()
        .map(|row| Row(row).text("version").map_err(|error| MigrateError::Settings(error.into())))
        .collect()
}

fn agree(found: Shards, wanted: Option<Shards>) -> Result<Shards, MigrateError> {
    match wanted {
        Some(wanted) if wanted != found => {
            Err(MigrateError::ShardMismatch { wanted: wanted.count(), found: found.count() })
        }
        _ => Ok(found),
    }
}

async fn recorded_shards(conn: &impl ConnectionTrait) -> Result<Option<Shards>, MigrateError> {
    let sql = format!("SELECT value FROM settings WHERE name = '{SHARD_COUNT}'");
    let Some(row) = conn.query_one_raw(Backend::of(conn).statement(sql, [])).await? else {
        return Ok(None);
    };
    let settings = |error: BoxError| MigrateError::Settings(error);
    let count: u16 = Row(row).parse("value").map_err(|error| settings(error.into()))?;
    let shards = Shards::new(count);
    shards.map(Some).ok_or_else(|| settings(format!("{SHARD_COUNT} is {count}").into()))
}

/// Records the number of shards, and gives each its head and its checkpoints.
async fn create_shards(
    conn: &impl ConnectionTrait,
    wanted: Option<Shards>,
) -> Result<Shards, MigrateError> {
    let shards =
        wanted.or_else(|| Shards::new(1)).expect("invariant: a database may have one shard");
    let all = || (0..shards.count()).map(i64::from);
    let count = [shards.count().to_string()];
    Insert::into(
        "settings",
        vec![Column::text("name", [SHARD_COUNT]), Column::text("value", count)],
    )
    .execute(conn)
    .await?;
    Insert::into(
        "shard_heads",
        vec![Column::int("shard", all()), Column::int("position", all().map(|_| 0))],
    )
    .execute(conn)
    .await?;
    let now_ms = Backend::of(conn).now_ms();
    for projector in PROJECTORS {
        Insert::into(
            "projector_checkpoints",
            vec![
                Column::text("projector", all().map(|_| projector)),
                Column::int("shard", all()),
                Column::int("position", all().map(|_| 0)),
                Column::int("updated_at_ms", all().map(|_| 0)).computed(format!("{now_ms} + {{}}")),
            ],
        )
        .execute(conn)
        .await?;
    }
    Ok(shards)
}
