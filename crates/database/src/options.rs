//! How to connect.

use std::time::Duration;

use crate::DatabaseUrl;

/// Which database, and with how many connections.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Which database.
    pub url: DatabaseUrl,
    /// Connections of the write pool; SQLite always has one writer.
    pub write_connections: u32,
    /// Connections of the read pool.
    pub read_connections: u32,
    /// Connections of the pool for background work; SQLite's one writer does it all.
    pub background_connections: u32,
    /// How long a statement may wait for a free connection.
    pub acquire_timeout: Duration,
    /// How long one statement may take; PostgreSQL only.
    pub statement_timeout: Duration,
}

impl ConnectOptions {
    /// The defaults for `url`: 4 connections to write, 8 to read, 4 for background work.
    #[must_use]
    pub fn new(url: DatabaseUrl) -> Self {
        Self {
            url,
            write_connections: 4,
            read_connections: 8,
            background_connections: 4,
            acquire_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(8),
        }
    }
}
