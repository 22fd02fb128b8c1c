//! The configuration: one typed struct, filled from defaults, then a TOML file, then the
//! environment. What there is to set stands once, in [`KEYS`]; reading, `wallex config`, the
//! documentation and the example file all come from that table.

mod docs;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod jwt;
mod key;
mod keys;
mod report;
mod source;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use wallex_application::LaneSettings;
use wallex_database::{ConnectOptions, DatabaseUrl};
use wallex_http_actix::{ApiSettings, ServerSettings};
use wallex_ports::Shards;
use wallex_projectors::WorkerSettings;

use jwt::JwtConfig;

pub(crate) use docs::{example_file, markdown};
pub(crate) use keys::KEYS;
pub(crate) use report::{json, table};
pub(crate) use source::{Loaded, from_process};

/// Everything that can be set, parsed.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    /// `None`: nothing is seen of a worker.
    pub(crate) worker_listen: Option<SocketAddr>,
    /// `None`: one for each core.
    pub(crate) http_workers: Option<u32>,
    pub(crate) server: ServerSettings,
    pub(crate) tls: TlsSettings,
    pub(crate) drain_delay: Duration,

    pub(crate) auth: AuthMode,
    pub(crate) access_poll: Duration,

    pub(crate) database: ConnectOptions,
    pub(crate) auto_migrate: bool,
    /// `None`: what the database has, one for a new one.
    pub(crate) shards: Option<Shards>,

    pub(crate) jwt: JwtConfig,
    pub(crate) api: ApiSettings,
    pub(crate) lane: LaneSettings,

    pub(crate) projectors_auto_start: bool,
    pub(crate) workers: WorkerSettings,
    pub(crate) recovery_interval: Duration,
    pub(crate) outbox_retention: Duration,

    pub(crate) log_filter: String,
    pub(crate) log_format: LogFormat,
    pub(crate) metrics: bool,
}

/// Whether a credential is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthMode {
    /// On a loopback address as soon as there is a key, elsewhere always.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// Where TLS comes from.
#[derive(Debug, Clone, Default)]
pub(crate) struct TlsSettings {
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) client_ca: Option<PathBuf>,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Pretty on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Pretty,
    /// For machines.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            worker_listen: None,
            http_workers: None,
            server: ServerSettings::default(),
            tls: TlsSettings::default(),
            drain_delay: Duration::ZERO,
            auth: AuthMode::Auto,
            access_poll: Duration::from_millis(500),
            database: ConnectOptions::new(
                DatabaseUrl::parse("sqlite://wallex.db").expect("invariant: a valid URL"),
            ),
            auto_migrate: true,
            shards: None,
            jwt: JwtConfig::default(),
            api: ApiSettings::default(),
            lane: LaneSettings::default(),
            projectors_auto_start: true,
            workers: WorkerSettings::default(),
            recovery_interval: Duration::from_secs(5 * 60),
            outbox_retention: Duration::from_secs(24 * 60 * 60),
            log_filter: "info".to_owned(),
            log_format: LogFormat::Auto,
            metrics: true,
        }
    }
}
