//! Connecting to PostgreSQL.

use std::str::FromStr;
use std::time::Duration;

use sea_orm::SqlxPostgresConnector;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::timeout;

use crate::connect::{ConnectError, Pools};
use crate::{ConnectOptions, url::SecretUrl};

/// How long a connection rests before it is asked whether it is still there.
const RESTED: Duration = Duration::from_millis(500);
/// How long a connection that comes back may take to answer before it is closed.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a statement waits for what another transaction holds.
const LOCK_TIMEOUT_MS: &str = "2000";

/// What each connection is told once, so that no transaction pays a round trip for it.
fn session(options: &ConnectOptions) -> [(&'static str, String); 11] {
    let timeout_ms = options.statement_timeout.as_millis().to_string();
    [
        ("application_name", "wallex".to_owned()),
        // Acknowledged means committed, whatever the server's default is.
        ("synchronous_commit", "on".to_owned()),
        ("default_transaction_isolation", "read committed".to_owned()),
        ("statement_timeout", timeout_ms.clone()),
        ("lock_timeout", LOCK_TIMEOUT_MS.to_owned()),
        // A transaction that a lost client left open must not hold its locks.
        ("idle_in_transaction_session_timeout", timeout_ms),
        // Every statement here is a look-up by key. The planner knows that only where statistics
        // are fresh; on a table that was empty a minute ago it would scan.
        ("enable_seqscan", "off".to_owned()),
        // A bitmap collects everything behind a place and sorts it, to give the first few.
        ("enable_bitmapscan", "off".to_owned()),
        ("enable_hashjoin", "off".to_owned()),
        ("enable_mergejoin", "off".to_owned()),
        // What is off counts as immensely dear, and compiling would look worth its while.
        ("jit", "off".to_owned()),
    ]
}

/// Opens the pools.
pub(crate) async fn connect(
    url: &SecretUrl,
    options: &ConnectOptions,
) -> Result<Pools, ConnectError> {
    let connect = PgConnectOptions::from_str(url.expose())
        .map_err(|error| ConnectError::Url(error.into()))?
        .options(session(options))
        .disable_statement_logging();
    // A pool tries again until its time is up, and then knows only that; one connection tells why.
    let first = timeout(options.acquire_timeout, PgConnection::connect_with(&connect));
    let mut first = first
        .await
        .map_err(|elapsed| ConnectError::Unreachable(elapsed.into()))?
        .map_err(unreachable)?;
    let version: i32 = sqlx::query_scalar("SELECT current_setting('server_version_num')::int4")
        .fetch_one(&mut first)
        .await
        .map_err(unreachable)?;
    first.close().await.map_err(unreachable)?;
    if version < MIN_SERVER_VERSION {
        return Err(ConnectError::TooOld { found: version / 10_000 });
    }
    let pool = async |connections: u32, connect: &PgConnectOptions| {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(options.acquire_timeout)
            // A connection may have died while it was idle, with its server. Asking it each time
            // would cost every transaction a round trip, so only one that rested is asked.
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > RESTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            // A statement that was given up in the middle leaves its answer on the way. Where it
            // never comes, because the network is half open, the pool must not wait for it.
            .after_release(|connection, _| {
                Box::pin(async move {
                    match timeout(RELEASE_TIMEOUT, connection.ping()).await {
                        Ok(answered) => answered.map(|()| true),
                        Err(_) => Err(sqlx::Error::PoolTimedOut),
                    }
                })
            })
            .connect_with(connect.clone())
            .await
            .map(SqlxPostgresConnector::from_sqlx_postgres_pool)
            .map_err(unreachable)
    };
    // A plan that was made for an empty table is kept while a rebuild or a backlog fills it, and may
    // scan what it should look up. Beside thousands of rows a statement, planning costs nothing.
    let planned = connect.clone().options([("plan_cache_mode", "force_custom_plan")]);
    // A commit is index look-ups and inserts, whatever it holds: there is one plan for it. To plan a
    // statement of seven parts anew would take longer than to run it for one command, and where few rows
    // come, that is what PostgreSQL would choose.
    let generic = connect.clone().options([("plan_cache_mode", "force_generic_plan")]);
    Ok(Pools {
        write: pool(options.write_connections, &generic).await?,
        read: pool(options.read_connections, &connect).await?,
        background: pool(options.background_connections, &planned).await?,
    })
}

fn unreachable(error: sqlx::Error) -> ConnectError {
    ConnectError::Unreachable(error.into())
}

/// PostgreSQL 13, the oldest that is still found in production.
const MIN_SERVER_VERSION: i32 = 130_000;
