//! A fresh, empty database for one test.

use std::sync::LazyLock;

use anyhow::{Context, Result};
use reqwest::Url;
use sea_orm::{ConnectOptions, ConnectionTrait, Database};
use tempfile::TempDir;

use crate::{PostgresOptions, PrivatePostgres, block_on};

/// Names the server on which PostgreSQL tests make their databases. `just test` sets it to a
/// cluster of its own; where it is unset, each test process starts one.
pub const POSTGRES_URL_VARIABLE: &str = "WALLEX_TEST_POSTGRES_URL";

/// The process's own cluster. A static is never dropped; the end of the process stops it.
static OWN_CLUSTER: LazyLock<Result<PrivatePostgres>> =
    LazyLock::new(|| PrivatePostgres::start(&PostgresOptions::default()));

/// Which kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A file.
    Sqlite,
    /// A database on a server.
    Postgres,
}

/// A fresh, empty database, gone when dropped.
#[derive(Debug)]
pub struct TempDatabase {
    url: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Removed with the folder.
    Sqlite { _folder: TempDir },
    /// Dropped by a connection to `server`.
    Postgres { server: Url, name: String },
    /// Whoever made it removes it.
    Borrowed,
}

impl TempDatabase {
    /// A file in a folder of its own; nothing is in the file yet, it does not even exist.
    ///
    /// # Panics
    /// When the folder can't be made.
    #[must_use]
    pub fn sqlite() -> Self {
        let folder = tempfile::Builder::new().prefix("wallex-test-").tempdir();
        let folder = folder.expect("a temporary folder");
        let url = format!("sqlite://{}", folder.path().join("wallex.db").display());
        Self { url, kind: Kind::Sqlite { _folder: folder } }
    }

    /// A new database on the server of [`POSTGRES_URL_VARIABLE`], or on a cluster of this process.
    ///
    /// # Panics
    /// When there is no server: a test that can't reach PostgreSQL has failed.
    pub async fn postgres() -> Self {
        Self::on_server(server_url().expect("a PostgreSQL server for the test")).await
    }

    /// A new database in a cluster that the caller holds, to crash it for one.
    ///
    /// # Panics
    /// When the cluster does not answer.
    pub async fn in_cluster(cluster: &PrivatePostgres) -> Self {
        Self::on_server(Url::parse(&cluster.url()).expect("a cluster's URL")).await
    }

    async fn on_server(server: Url) -> Self {
        let database = create(&server).await;
        let name = database.expect("a database on the PostgreSQL server of the tests");
        let url = with_database(&server, &name).into();
        Self { url, kind: Kind::Postgres { server, name } }
    }

    /// A database that the caller sees to: a file in a folder of its own, or another way to a server.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), kind: Kind::Borrowed }
    }

    /// The `postgres` database of a cluster that the test itself holds, to crash it for one.
    #[must_use]
    pub fn of_cluster(cluster: &PrivatePostgres) -> Self {
        Self { url: cluster.url(), kind: Kind::Borrowed }
    }

    /// Its URL, as `DATABASE_URL` takes it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Which kind it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        if self.url.starts_with("sqlite:") { Backend::Sqlite } else { Backend::Postgres }
    }
}

impl Drop for TempDatabase {
    fn drop(&mut self) {
        let Kind::Postgres { server, name } = &self.kind else { return };
        let (server, name) = (server.clone(), name.clone());
        // A thread, because a runtime can't be entered from within another. That it fails does not
        // matter: the database goes with its cluster.
        let dropped = std::thread::spawn(move || {
            block_on(execute(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")))
                .ok();
        });
        dropped.join().ok();
    }
}

fn server_url() -> Result<Url> {
    let url = match std::env::var(POSTGRES_URL_VARIABLE) {
        Ok(url) if !url.is_empty() => url,
        _ => match &*OWN_CLUSTER {
            Ok(cluster) => cluster.url(),
            Err(error) => anyhow::bail!("{error:#}"),
        },
    };
    Url::parse(&url).with_context(|| format!("{POSTGRES_URL_VARIABLE} is not a URL"))
}

async fn create(server: &Url) -> Result<String> {
    let name = format!("wallex_test_{}", fresh_name());
    execute(server, &format!("CREATE DATABASE {name}")).await?;
    Ok(name)
}

async fn execute(server: &Url, statement: &str) -> Result<()> {
    let mut options = ConnectOptions::new(server.as_str());
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    connection.execute_unprepared(statement).await?;
    Ok(connection.close().await?)
}

fn with_database(server: &Url, name: &str) -> Url {
    let mut url = server.clone();
    url.set_path(name);
    url
}

#[expect(clippy::disallowed_methods, reason = "a test database's name is nothing to reproduce")]
fn fresh_name() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
