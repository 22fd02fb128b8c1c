//! The database.

use wallex_database::DatabaseUrl;
use wallex_ports::{MAX_SHARDS, Shards};

use super::{TIMEOUT_MS_MAX, expected};
use crate::config::key::TimeUnit::Milliseconds;
use crate::config::key::{Key, Kind, key};

const SECTION: &str = "Database";

pub(super) const KEYS: &[Key] = &[
    key(
        SECTION,
        "DATABASE_URL",
        "database_url",
        "The database: `sqlite://FILE`, created when missing, or \
         `postgres://USER:PASSWORD@HOST:PORT/NAME`.",
        Kind::Text {
            set: |config, text| {
                config.database.url = DatabaseUrl::parse(text).map_err(expected)?;
                Ok(())
            },
            // `DatabaseUrl` leaves the password out when it is displayed.
            get: |config| config.database.url.to_string(),
        },
    )
    .secret(),
    key(
        SECTION,
        "WALLEX_AUTO_MIGRATE",
        "auto_migrate",
        "Whether the server brings the schema up to date when it starts; several servers may \
         start at once. When off, `/readyz` answers 503 until `wallex migrate up` has run.",
        Kind::Switch {
            set: |config, on| config.auto_migrate = on,
            get: |config| config.auto_migrate,
        },
    ),
    key(
        SECTION,
        "WALLEX_SHARDS",
        "shards",
        "The number of shards, fixed when a database is created. Not set: what the database \
         has, 1 for a new one. Another number than the database's stops the start.",
        Kind::Whole {
            min: 1,
            max: MAX_SHARDS as u32,
            unit: "shards",
            set: |config, n| config.shards = u16::try_from(n).ok().and_then(Shards::new),
            get: |config| config.shards.map(|shards| shards.count().into()),
        },
    )
    .example("1"),
    key(
        SECTION,
        "WALLEX_DB_WRITE_CONNECTIONS",
        "db_write_connections",
        "Connections that write, at most. SQLite always has one.",
        Kind::Whole {
            min: 1,
            max: 1_000,
            unit: "connections",
            set: |config, n| config.database.write_connections = n,
            get: |config| Some(config.database.write_connections),
        },
    ),
    key(
        SECTION,
        "WALLEX_DB_READ_CONNECTIONS",
        "db_read_connections",
        "Connections that only read, at most.",
        Kind::Whole {
            min: 1,
            max: 1_000,
            unit: "connections",
            set: |config, n| config.database.read_connections = n,
            get: |config| Some(config.database.read_connections),
        },
    ),
    key(
        SECTION,
        "WALLEX_DB_BACKGROUND_CONNECTIONS",
        "db_background_connections",
        "Connections that projectors, rebuilds and cleanups use, at most: they take none that a \
         command may be waiting for. SQLite's one writer does it all.",
        Kind::Whole {
            min: 2,
            max: 1_000,
            unit: "connections",
            set: |config, n| config.database.background_connections = n,
            get: |config| Some(config.database.background_connections),
        },
    ),
    key(
        SECTION,
        "WALLEX_DB_ACQUIRE_TIMEOUT_MS",
        "db_acquire_timeout_ms",
        "How long to wait for a free or new connection, in milliseconds, before the database \
         counts as not available.",
        Kind::Time {
            unit: Milliseconds,
            min: 1,
            max: TIMEOUT_MS_MAX,
            set: |config, time| config.database.acquire_timeout = time,
            get: |config| config.database.acquire_timeout,
        },
    ),
    key(
        SECTION,
        "WALLEX_DB_STATEMENT_TIMEOUT_MS",
        "db_statement_timeout_ms",
        "How long one statement may run, in milliseconds, before the database ends it.",
        Kind::Time {
            unit: Milliseconds,
            min: 1,
            max: TIMEOUT_MS_MAX,
            set: |config, time| config.database.statement_timeout = time,
            get: |config| config.database.statement_timeout,
        },
    ),
];
