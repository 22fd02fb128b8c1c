//! How the pools stand, for the metrics.

use std::time::{Duration, Instant};

use sea_orm::DatabaseConnection;

use crate::{Backend, Database};

/// One pool at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStatus {
    /// `write`, `read` or `background`.
    pub pool: &'static str,
    /// Connections that somebody works with.
    pub used: u32,
    /// Connections that are open and have nothing to do.
    pub idle: u32,
    /// Connections that there may be.
    pub max: u32,
}

impl Database {
    fn pools(&self) -> [(&'static str, &DatabaseConnection); 3] {
        [("write", self.write()), ("read", self.read()), ("background", self.background())]
    }

    /// How each pool stands.
    #[must_use]
    pub fn pool_status(&self) -> [PoolStatus; 3] {
        let backend = self.backend();
        self.pools().map(|(pool, connection)| {
            let (open, idle, max) = match backend {
                Backend::Postgres => sizes(connection.get_postgres_connection_pool()),
                Backend::Sqlite => sizes(connection.get_sqlite_connection_pool()),
            };
            // The two are not read at the same moment.
            let idle = u32::try_from(idle).unwrap_or(u32::MAX).min(open);
            PoolStatus { pool, used: open - idle, idle, max }
        })
    }

    /// How long each pool takes to give a connection, which is given back at once. Where it gives
    /// none, that is the time after which it gave up.
    pub async fn pool_waits(&self) -> [(&'static str, Duration); 3] {
        let [write, read, background] = self.pools();
        let (write, read, background) =
            tokio::join!(self.wait_for(write), self.wait_for(read), self.wait_for(background));
        [write, read, background]
    }

    async fn wait_for(
        &self,
        (pool, connection): (&'static str, &DatabaseConnection),
    ) -> (&'static str, Duration) {
        let waited = match self.backend() {
            Backend::Postgres => wait(connection.get_postgres_connection_pool()).await,
            Backend::Sqlite => wait(connection.get_sqlite_connection_pool()).await,
        };
        (pool, waited)
    }
}

/// Connections that are open, those of them that are idle, and how many there may be.
fn sizes<D: sqlx::Database>(pool: &sqlx::Pool<D>) -> (u32, usize, u32) {
    (pool.size(), pool.num_idle(), pool.options().get_max_connections())
}

async fn wait<D: sqlx::Database>(pool: &sqlx::Pool<D>) -> Duration {
    let began = Instant::now();
    // An error is known from everything else that needs a connection.
    let acquired = pool.acquire().await;
    let waited = began.elapsed();
    drop(acquired);
    waited
}
