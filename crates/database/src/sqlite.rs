//! Opening a SQLite file.

use std::path::Path;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbErr, SqlxSqliteConnector};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use crate::ConnectOptions;
use crate::connect::{ConnectError, Pools};

/// How long the writer waits for another process that writes to the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection keeps of the file in memory, in KiB when negative: the pages of the indexes that a
/// batch touches, many times what SQLite keeps by itself.
const CACHE_KIB: &str = "-16384";
/// The same for the one writer, whose random keys touch pages everywhere.
const WRITER_CACHE_KIB: &str = "-65536";

/// Pages in the write-ahead log (256 MiB) from which on a commit copies them into the file itself. Until then
/// [`copy_log`] does it beside the commits; only the writer can begin the log anew, once all is copied.
const CHECKPOINT_PAGES: &str = "65536";

/// Copies what is committed from the log into the file, beside a writer that goes on.
pub(crate) async fn copy_log(background: &DatabaseConnection) -> Result<(), DbErr> {
    background.execute_unprepared("PRAGMA wal_checkpoint(PASSIVE)").await.map(drop)
}

/// Opens the one writer and the readers.
pub(crate) async fn connect(path: &Path, options: &ConnectOptions) -> Result<Pools, ConnectError> {
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // NORMAL loses acknowledged commits at a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("cache_size", CACHE_KIB)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        // Sorts and statement journals are no business of the disk.
        .pragma("temp_store", "memory")
        .disable_statement_logging();
    let pool = async |connections: u32,
                      connect: &SqliteConnectOptions|
           -> Result<SqlitePool, ConnectError> {
        SqlitePoolOptions::new()
            .max_connections(connections)
            // After a full disk or an I/O error SQLite rolls back by itself; the driver's own
            // ROLLBACK then fails, and it goes on counting a transaction that is not there. Every
            // later BEGIN would be a savepoint, and every COMMIT of it would write nothing.
            .after_release(|connection, _| {
                Box::pin(async move {
                    // The driver's queued ROLLBACK runs before this.
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false)
            // A connection holds the file open and its caches warm; there is nothing to renew.
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(connect.clone())
            .await
            .map_err(|error| ConnectError::Unreachable(error.into()))
    };
    let write = pool(1, &connect.clone().pragma("cache_size", WRITER_CACHE_KIB)).await?;
    verify_durability(&write).await?;
    // A file that can only be read would refuse every command later.
    for sql in ["BEGIN IMMEDIATE", "ROLLBACK"] {
        write.execute(sql).await.map_err(|error| ConnectError::Unreachable(error.into()))?;
    }
    let read = pool(options.read_connections, &connect).await?;
    let background = pool(options.background_connections, &connect).await?;
    Ok(Pools {
        write: SqlxSqliteConnector::from_sqlx_sqlite_pool(write),
        read: SqlxSqliteConnector::from_sqlx_sqlite_pool(read),
        background: SqlxSqliteConnector::from_sqlx_sqlite_pool(background),
    })
}

/// SQLite ignores a pragma that it can't follow: what counts is what it says afterwards.
async fn verify_durability(write: &SqlitePool) -> Result<(), ConnectError> {
    let read = |error: sqlx::Error| ConnectError::Unreachable(error.into());
    let journal_mode: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(write).await.map_err(read)?;
    let synchronous: i64 =
        sqlx::query_scalar("PRAGMA synchronous").fetch_one(write).await.map_err(read)?;
    const FULL: i64 = 2;
    if journal_mode != "wal" || synchronous != FULL {
        return Err(ConnectError::NotDurable { journal_mode, synchronous });
    }
    Ok(())
}
