//! One round: new databases, a server on one of them, a load for each number of connections.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use wallex_testkit::{PostgresOptions, PrivatePostgres, Server};

use crate::figures::{COMPARED_CONNECTIONS, Sample, Subject};
use crate::load::{self, Client, Timing};
use crate::machine::Facts;
use crate::plain_sql::{self, PlainSqlClient};
use crate::server;
use crate::tables::Tables;
use crate::wallet::NewWallets;

/// What a durable commit needs of PostgreSQL.
const DURABLE: [&str; 3] = ["fsync", "synchronous_commit", "full_page_writes"];
/// What else the figures depend on.
const SHOWN: [&str; 3] = ["shared_buffers", "max_wal_size", "wal_level"];
/// As the testkit names the superuser of its clusters.
const USER: &str = "wallex";

/// What is measured, and what was measured already.
pub(crate) struct Bench {
    pub(crate) timing: Timing,
    pub(crate) connections: Vec<usize>,
    pub(crate) wallets: NewWallets,
    pub(crate) samples: Vec<Sample>,
}

impl Bench {
    /// All rounds on a PostgreSQL server of their own; what that server is.
    pub(crate) async fn postgres(&mut self, rounds: u32, folder: PathBuf) -> Result<Facts> {
        let cluster = durable_postgres(folder)?;
        let admin = Tables::open(&cluster.url()).await?;
        let facts = postgres_facts(&admin).await?;
        for round in 1..=rounds {
            let names = [format!("http_{round}"), format!("plain_{round}")];
            for name in &names {
                admin.execute(&format!("CREATE DATABASE {name}")).await?;
            }
            self.postgres_round(&cluster, &names).await?;
        }
        admin.close().await?;
        Ok(facts)
    }

    async fn postgres_round(
        &mut self,
        cluster: &PrivatePostgres,
        [http, plain]: &[String; 2],
    ) -> Result<()> {
        let url = |name: &str| database_url(cluster, name);
        server::migrate(&url(plain)).await?;
        let baseline = Tables::open(&url(plain)).await?;
        baseline.execute(plain_sql::SEQUENCE).await?;
        let server = server::start(&url(http)).await;
        let tables = Tables::open(&url(http)).await?;
        let mut acknowledged = 0;
        for connections in self.connections.clone() {
            tables.execute("CHECKPOINT").await?;
            acknowledged += self.http(Subject::HttpOnPostgres, &server, connections).await?;
            checked(&tables, acknowledged, &server).await?;
            if connections == COMPARED_CONNECTIONS {
                tables.execute("CHECKPOINT").await?;
                let acknowledged = self.plain_sql(cluster.port(), plain).await?;
                baseline.check(acknowledged).await?;
                tables.compare_row_bytes(&baseline).await?;
            }
        }
        tables.close().await?;
        baseline.close().await?;
        server::stop(server).await
    }

    /// All rounds on SQLite files in `folder`; what SQLite that is.
    pub(crate) async fn sqlite(&mut self, rounds: u32, folder: &Path) -> Result<Facts> {
        let mut facts = Facts::new();
        for _ in 0..rounds {
            let (_folder, url) = sqlite_file(folder)?;
            // It verifies by itself that the file is in WAL mode with synchronous=FULL.
            let server = server::start(&url).await;
            let tables = Tables::open(&url).await?;
            facts = sqlite_facts(&tables).await?;
            let mut acknowledged = 0;
            for connections in self.connections.clone() {
                acknowledged += self.http(Subject::HttpOnSqlite, &server, connections).await?;
                checked(&tables, acknowledged, &server).await?;
            }
            tables.close().await?;
            server::stop(server).await?;
        }
        Ok(facts)
    }

    /// Creates over HTTP; how many were acknowledged.
    async fn http(&mut self, subject: Subject, server: &Server, connections: usize) -> Result<u64> {
        self.load(subject, server::connect(server, connections).await?).await
    }

    async fn plain_sql(&mut self, port: u16, database: &str) -> Result<u64> {
        let mut clients = Vec::new();
        for _ in 0..COMPARED_CONNECTIONS {
            clients.push(PlainSqlClient::connect(port, USER, database).await?);
        }
        self.load(Subject::PlainSqlOnPostgres, clients).await
    }

    async fn load<C: Client + 'static>(
        &mut self,
        subject: Subject,
        clients: Vec<C>,
    ) -> Result<u64> {
        let measurement = load::run(clients, &self.wallets, self.timing).await?;
        eprintln!(
            "{}, {}, {} connections: {:.0} creates/s, p99 {:.1} ms, {} errors",
            subject.database(),
            subject.name(),
            measurement.connections,
            measurement.rate,
            measurement.percentile_ms(99.0),
            measurement.errors,
        );
        let acknowledged = measurement.acknowledged;
        self.samples.push(Sample { subject, measurement });
        Ok(acknowledged)
    }
}

/// Checks the tables after a load. When they are wrong, what the server said may tell why.
async fn checked(tables: &Tables, acknowledged: u64, server: &Server) -> Result<()> {
    tables.check(acknowledged).await.with_context(|| server::said(server))
}

/// A PostgreSQL server of our own, that waits for the disk.
pub(crate) fn durable_postgres(folder: PathBuf) -> Result<PrivatePostgres> {
    let options =
        PostgresOptions { fsync: true, parent: Some(folder), ..PostgresOptions::default() };
    PrivatePostgres::start(&options)
}

pub(crate) fn database_url(cluster: &PrivatePostgres, name: &str) -> String {
    format!("postgres://{USER}@127.0.0.1:{}/{name}", cluster.port())
}

/// A SQLite file that is not there yet, in a folder that goes when the first of the two is dropped.
pub(crate) fn sqlite_file(parent: &Path) -> Result<(TempDir, String)> {
    let folder = tempfile::Builder::new().prefix("wallex-bench-").tempdir_in(parent);
    let folder = folder.context("a temporary folder")?;
    let url = format!("sqlite://{}", folder.path().join("wallex.db").display());
    Ok((folder, url))
}

/// What SQLite that is.
pub(crate) async fn sqlite_facts(tables: &Tables) -> Result<Facts> {
    Ok(vec![("SQLite", tables.text("SELECT sqlite_version()").await?)])
}

/// What the server is; an error when it is not durable.
pub(crate) async fn postgres_facts(admin: &Tables) -> Result<Facts> {
    for setting in DURABLE {
        let value = admin.text(&format!("SHOW {setting}")).await?;
        ensure!(value == "on", "PostgreSQL has {setting}={value}, so nothing is durable");
    }
    let mut settings = Vec::from(DURABLE.map(|name| format!("{name}=on")));
    for setting in SHOWN {
        settings.push(format!("{setting}={}", admin.text(&format!("SHOW {setting}")).await?));
    }
    let version = admin.text("SHOW server_version").await?;
    Ok(vec![("PostgreSQL", format!("{version}; {}", settings.join(", ")))])
}
