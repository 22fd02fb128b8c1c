//! Databases of our own, made for one part of the run and gone after it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use wallex_testkit::{PostgresOptions, PrivatePostgres};

use crate::Kind;
use crate::machine::Facts;
use crate::server;
use crate::tables::Tables;
use crate::usage;

/// What a durable commit needs of PostgreSQL.
const DURABLE: [&str; 3] = ["fsync", "synchronous_commit", "full_page_writes"];
/// What else is set: room for a working set, and no checkpoint in the middle of a load.
const SETTINGS: [(&str, &str); 4] = [
    ("shared_buffers", "2GB"),
    ("max_wal_size", "8GB"),
    ("checkpoint_timeout", "30min"),
    ("wal_compression", "off"),
];
/// What is shown beside.
const SHOWN: [&str; 2] = ["wal_level", "max_connections"];
/// As the testkit names the superuser of its clusters.
pub(crate) const USER: &str = "wallex";

/// The PostgreSQL server of the run, started when it is first needed, and a folder for the rest.
pub(crate) struct Databases {
    folder: PathBuf,
    cluster: Option<Cluster>,
    made: u32,
}

struct Cluster {
    admin: Tables,
    /// The process that all others of it are children of.
    postmaster: u32,
    postgres: PrivatePostgres,
}

/// A database that has the server's tables, and nothing in them.
pub(crate) struct NewDatabase {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    /// PostgreSQL only.
    pub(crate) postgres: Option<OnPostgres>,
    /// SQLite only: goes when this is dropped.
    _folder: Option<TempDir>,
}

/// Where a database of PostgreSQL is.
#[derive(Debug, Clone)]
pub(crate) struct OnPostgres {
    pub(crate) port: u16,
    pub(crate) name: String,
    pub(crate) postmaster: u32,
}

impl Databases {
    pub(crate) fn within(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), cluster: None, made: 0 }
    }

    pub(crate) async fn make(&mut self, kind: Kind) -> Result<NewDatabase> {
        let database = match kind {
            Kind::Postgres => self.on_postgres().await?,
            Kind::Sqlite => {
                let (folder, url) = sqlite_file(&self.folder)?;
                NewDatabase { kind, url, postgres: None, _folder: Some(folder) }
            }
        };
        server::migrate(&database.url).await?;
        Ok(database)
    }

    async fn on_postgres(&mut self) -> Result<NewDatabase> {
        if self.cluster.is_none() {
            self.cluster = Some(Cluster::start(&self.folder).await?);
        }
        let cluster = self.cluster.as_ref().context("invariant: it was just started")?;
        self.made += 1;
        let name = format!("bench_{}", self.made);
        cluster.admin.execute(&format!("CREATE DATABASE {name}")).await?;
        let (port, postmaster) = (cluster.postgres.port(), cluster.postmaster);
        let url = database_url(&cluster.postgres, &name);
        let postgres = Some(OnPostgres { port, name, postmaster });
        Ok(NewDatabase { kind: Kind::Postgres, url, postgres, _folder: None })
    }

    /// Removes a database: its pages and its autovacuum are nothing that others should pay for.
    pub(crate) async fn remove(&self, database: NewDatabase) -> Result<()> {
        if let (Some(cluster), Some(OnPostgres { name, .. })) = (&self.cluster, &database.postgres)
        {
            cluster.admin.execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
        }
        Ok(())
    }

    /// Stops what was started; what it was.
    pub(crate) async fn close(self) -> Result<Facts> {
        let Some(cluster) = self.cluster else { return Ok(Facts::new()) };
        let facts = postgres_facts(&cluster.admin).await?;
        cluster.admin.close().await?;
        Ok(facts)
    }
}

impl Cluster {
    async fn start(folder: &Path) -> Result<Self> {
        let postgres = durable_postgres(folder.to_owned())?;
        let admin = Tables::open(&postgres.url()).await?;
        // An error here, and not after an hour.
        postgres_facts(&admin).await?;
        let backend = admin.number("SELECT pg_backend_pid()").await?;
        let postmaster = usage::parent_of(backend.try_into().context("a process id")?)?;
        Ok(Self { admin, postmaster, postgres })
    }
}

/// A PostgreSQL server of our own, that waits for the disk.
pub(crate) fn durable_postgres(folder: PathBuf) -> Result<PrivatePostgres> {
    let settings = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let options = PostgresOptions {
        fsync: true,
        settings,
        parent: Some(folder),
        ..PostgresOptions::default()
    };
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
    Ok(vec![(
        "SQLite",
        format!("{}; WAL, synchronous=FULL", tables.text("SELECT sqlite_version()").await?),
    )])
}

/// What the server is; an error when it is not durable.
pub(crate) async fn postgres_facts(admin: &Tables) -> Result<Facts> {
    for setting in DURABLE {
        let value = admin.text(&format!("SHOW {setting}")).await?;
        ensure!(value == "on", "PostgreSQL has {setting}={value}, so nothing is durable");
    }
    let mut settings = Vec::from(DURABLE.map(|name| format!("{name}=on")));
    for setting in SETTINGS.iter().map(|(name, _)| name).chain(&SHOWN) {
        settings.push(format!("{setting}={}", admin.text(&format!("SHOW {setting}")).await?));
    }
    let version = admin.text("SHOW server_version").await?;
    Ok(vec![("PostgreSQL", format!("{version}; {}", settings.join(", ")))])
}
