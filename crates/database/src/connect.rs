//! One database, with its pools.

use std::sync::OnceLock;
use std::time::Duration;

use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    IsolationLevel, RuntimeErr, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait, Value,
};
use thiserror::Error;
use tokio::time::timeout;
use wallex_ports::{BoxError, NotMigrated, Shards};

use crate::{ConnectOptions, DatabaseUrl, Place, postgres, sqlite};

/// How many times as long as one statement may take, the database may be silent.
const SILENCE_MAX_STATEMENTS: u32 = 3;

/// Which kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A server.
    Postgres,
    /// A file.
    Sqlite,
}

impl Backend {
    /// The backend of a connection.
    ///
    /// # Panics
    /// On a connection that [`Database::connect`] did not make.
    #[must_use]
    pub fn of(conn: &impl ConnectionTrait) -> Self {
        match conn.get_database_backend() {
            DbBackend::Postgres => Self::Postgres,
            DbBackend::Sqlite => Self::Sqlite,
            other => unreachable!("Wallex opens no {other:?} connection"),
        }
    }

    /// A statement for this backend.
    #[must_use]
    pub fn statement(
        self,
        sql: impl Into<String>,
        values: impl IntoIterator<Item = Value>,
    ) -> Statement {
        let backend = match self {
            Self::Postgres => DbBackend::Postgres,
            Self::Sqlite => DbBackend::Sqlite,
        };
        Statement::from_sql_and_values(backend, sql.into(), values)
    }

    /// An expression for the database's own time in Unix milliseconds. Leases and expiries compare
    /// with it, never with a node's clock. It moves on within a transaction.
    #[must_use]
    pub const fn now_ms(self) -> &'static str {
        match self {
            Self::Postgres => "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
            Self::Sqlite => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        }
    }
}

/// Why a database can't be used.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The URL is not one.
    #[error("DATABASE_URL is not usable")]
    Url(#[source] BoxError),
    /// No answer, a refusal, or a file that can't be opened.
    #[error("the database can't be reached")]
    Unreachable(#[source] BoxError),
    /// An old server.
    #[error("PostgreSQL {found} is too old: Wallex needs 13 or later")]
    TooOld {
        /// Its major version.
        found: i32,
    },
    /// A file that SQLite can't write durably.
    #[error(
        "SQLite runs with journal_mode={journal_mode} and synchronous={synchronous} here, which can \
         lose acknowledged commands: put the file on a local disk"
    )]
    NotDurable {
        /// What SQLite says; `wal` is needed.
        journal_mode: String,
        /// What SQLite says; 2 (FULL) is needed.
        synchronous: i64,
    },
}

/// A database with a pool to write, a pool to read and a pool for background work, so that neither
/// readers nor projections hold up a commit.
#[derive(Debug)]
pub struct Database {
    url: DatabaseUrl,
    place: Place,
    backend: Backend,
    write: DatabaseConnection,
    read: DatabaseConnection,
    background: DatabaseConnection,
    read_connections: u32,
    /// How long work in the background may be silent; on SQLite nothing gets lost on the way.
    patience: Option<Duration>,
    shards: OnceLock<Shards>,
}

/// The pools of one database.
pub(crate) struct Pools {
    pub(crate) write: DatabaseConnection,
    pub(crate) read: DatabaseConnection,
    /// On SQLite it only reads: there is one writer.
    pub(crate) background: DatabaseConnection,
}

impl Database {
    /// Opens the pools, and checks that the database can be used.
    ///
    /// # Errors
    /// When it can't be reached, is too old, or is not durable.
    pub async fn connect(options: &ConnectOptions) -> Result<Self, ConnectError> {
        let (backend, pools) = match &options.url {
            DatabaseUrl::Sqlite { path } => {
                (Backend::Sqlite, sqlite::connect(path, options).await?)
            }
            DatabaseUrl::Postgres { url } => {
                (Backend::Postgres, postgres::connect(url, options).await?)
            }
        };
        let Pools { write, read, background } = pools;
        Ok(Self {
            url: options.url.clone(),
            place: Place::of(&options.url),
            backend,
            write,
            read,
            background,
            read_connections: options.read_connections,
            patience: (backend == Backend::Postgres)
                .then_some(options.statement_timeout * SILENCE_MAX_STATEMENTS),
            shards: OnceLock::new(),
        })
    }

    /// Which kind it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// One line for people: the URL without its password.
    #[must_use]
    pub fn describe(&self) -> String {
        self.url.to_string()
    }

    /// What traces say of where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The pool for reading.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.read
    }

    /// How many connections the pool for reading has at most.
    #[must_use]
    pub fn read_connections(&self) -> u32 {
        self.read_connections
    }

    /// The pool for writing. On SQLite it has one connection: inside a transaction, use the
    /// transaction.
    #[must_use]
    pub fn write(&self) -> &DatabaseConnection {
        &self.write
    }

    /// Begins a transaction that will write.
    ///
    /// # Errors
    /// When no connection is free in time, or the database does not answer.
    pub async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        begin_writing(&self.write).await
    }

    /// The pool for reading in the background.
    #[must_use]
    pub fn background(&self) -> &DatabaseConnection {
        &self.background
    }

    /// Begins a transaction that will write in the background: it takes no connection that a command
    /// may be waiting for. On SQLite, where there is one writer, it must be short.
    ///
    /// # Errors
    /// When no connection is free in time, or the database does not answer.
    pub async fn begin_background(&self) -> Result<DatabaseTransaction, DbErr> {
        begin_writing(match self.backend {
            Backend::Postgres => &self.background,
            Backend::Sqlite => &self.write,
        })
        .await
    }

    /// Waits for a few statements, but not without end: PostgreSQL ends a statement by itself, so that silence
    /// for several times as long means that the network is half open. What was waited for is given up then,
    /// and the pool closes its connection, for it does not answer.
    ///
    /// A write that is given up may be done all the same. So may any whose answer is lost: what is written
    /// in the background is fenced, or can be repeated. And it is written between BEGIN and COMMIT, so that
    /// a BEGIN that is given up can't swallow what is written on its connection later.
    ///
    /// # Errors
    /// That of a connection that timed out.
    pub async fn in_time<T>(&self, work: impl Future<Output = T>) -> Result<T, DbErr> {
        let Some(patience) = self.patience else { return Ok(work.await) };
        timeout(patience, work).await.map_err(|elapsed| {
            let silent =
                sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, elapsed));
            DbErr::Conn(RuntimeErr::SqlxError(silent.into()))
        })
    }

    /// [`Self::in_time`], for work whose errors can be the database's.
    ///
    /// # Errors
    /// Those of `work`; that of a connection that timed out.
    pub async fn patiently<T, E: From<DbErr>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.in_time(work).await?
    }

    /// Begins a transaction that only reads, in the background, and sees one state of the database
    /// whatever is committed meanwhile.
    ///
    /// # Errors
    /// When no connection is free in time, or the database does not answer.
    pub async fn begin_snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        // A SQLite transaction is a snapshot from its first read on, and deferred by default.
        let postgres = self.backend == Backend::Postgres;
        let options = TransactionOptions {
            isolation_level: postgres.then_some(IsolationLevel::RepeatableRead),
            access_mode: postgres.then_some(AccessMode::ReadOnly),
            ..Default::default()
        };
        self.background.begin_with_options(options).await
    }

    /// How many shards the database has.
    ///
    /// # Errors
    /// Until the database is known to be migrated.
    pub fn shards(&self) -> Result<Shards, NotMigrated> {
        self.shards.get().copied().ok_or(NotMigrated)
    }

    /// Remembers how many shards the database has. It never changes, so the first call counts.
    pub fn set_shards(&self, shards: Shards) {
        self.shards.get_or_init(|| shards);
    }

    /// On SQLite: copies what is committed from the write-ahead log into the file, beside the commits. To be
    /// called every now and then by a process that writes for long; a commit would else have to do it.
    ///
    /// # Errors
    /// The database's.
    pub async fn copy_log(&self) -> Result<(), DbErr> {
        match self.backend {
            Backend::Postgres => Ok(()),
            Backend::Sqlite => sqlite::copy_log(&self.background).await,
        }
    }

    /// Closes the pools; statements under way are finished.
    pub async fn close(&self) {
        match self.backend {
            Backend::Postgres => {
                self.write.get_postgres_connection_pool().close().await;
                self.read.get_postgres_connection_pool().close().await;
                self.background.get_postgres_connection_pool().close().await;
            }
            Backend::Sqlite => {
                self.read.get_sqlite_connection_pool().close().await;
                self.background.get_sqlite_connection_pool().close().await;
                self.write.get_sqlite_connection_pool().close().await;
            }
        }
    }
}

async fn begin_writing(pool: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    // On SQLite a transaction that reads first and writes later could find another process in its
    // way half-way through; IMMEDIATE waits at the door instead. PostgreSQL ignores it.
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    pool.begin_with_options(TransactionOptions { sqlite_transaction_mode, ..Default::default() })
        .await
}
