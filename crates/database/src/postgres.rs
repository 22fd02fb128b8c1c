//! Connecting to PostgreSQL.

use std::str::FromStr;

use sea_orm::{DatabaseConnection, SqlxPostgresConnector};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Executor as _};

use crate::connect::ConnectError;
use crate::{ConnectOptions, url::SecretUrl};

/// What each connection is told once, so that no transaction pays a round trip for it.
fn session(options: &ConnectOptions) -> [(&'static str, String); 9] {
    let timeout_ms = options.statement_timeout.as_millis().to_string();
    [
        ("application_name", "wallex".to_owned()),
        // Acknowledged means committed, whatever the server's default is.
        ("synchronous_commit", "on".to_owned()),
        ("default_transaction_isolation", "read committed".to_owned()),
        ("statement_timeout", timeout_ms.clone()),
        ("lock_timeout", timeout_ms.clone()),
        // A transaction that a lost client left open must not hold its locks.
        ("idle_in_transaction_session_timeout", timeout_ms),
        // Every statement here is a look-up by key. The planner knows that only where statistics
        // are fresh; on a table that was empty a minute ago it would scan.
        ("enable_seqscan", "off".to_owned()),
        ("enable_hashjoin", "off".to_owned()),
        ("enable_mergejoin", "off".to_owned()),
    ]
}

/// Opens the write pool and the read pool.
pub(crate) async fn connect(
    url: &SecretUrl,
    options: &ConnectOptions,
) -> Result<(DatabaseConnection, DatabaseConnection), ConnectError> {
    let connect = PgConnectOptions::from_str(url.expose())
        .map_err(|error| ConnectError::Url(error.into()))?
        .options(session(options))
        .disable_statement_logging();
    let pool = async |connections: u32| -> Result<PgPool, ConnectError> {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(options.acquire_timeout)
            // A connection that died while idle shows when it is used; asking first would cost
            // every transaction a round trip.
            .test_before_acquire(false)
            .connect_with(connect.clone())
            .await
            .map_err(|error| ConnectError::Unreachable(error.into()))
    };
    let write = pool(options.write_connections).await?;
    let read = pool(options.read_connections).await?;
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int4")
        .fetch_one(&read)
        .await
        .map_err(|error| ConnectError::Unreachable(error.into()))?;
    if version < MIN_SERVER_VERSION {
        return Err(ConnectError::TooOld { found: version / 10_000 });
    }
    write.execute("SELECT 1").await.map_err(|error| ConnectError::Unreachable(error.into()))?;
    Ok((
        SqlxPostgresConnector::from_sqlx_postgres_pool(write),
        SqlxPostgresConnector::from_sqlx_postgres_pool(read),
    ))
}

/// PostgreSQL 13, the oldest that is still found in production.
const MIN_SERVER_VERSION: i32 = 130_000;
