//! What all trials of a run share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use wallex_testkit::{Backend, PostgresOptions, PrivatePostgres, TempDatabase};

use crate::stand::Settings;
use crate::trial::{Scale, Trial};

/// The cluster, the scale, and what the binary can be told.
pub(crate) struct Context {
    pub(crate) scale: Scale,
    /// Whether the binary has the points at which it can be made to die: a build for tests has.
    pub(crate) has_points: bool,
    /// The defect that every process is told to have.
    pub(crate) planted: Option<&'static str>,
    cluster: Option<Mutex<PrivatePostgres>>,
}

impl Context {
    /// With a cluster of its own, in which a commit waits for the disk, if `postgres` is wanted.
    pub(crate) fn new(scale: Scale, has_points: bool, postgres: bool) -> Result<Self> {
        let options = PostgresOptions { fsync: true, ..PostgresOptions::default() };
        let cluster = if postgres { Some(PrivatePostgres::start(&options)?.into()) } else { None };
        Ok(Self { scale, has_points, planted: None, cluster })
    }

    /// The cluster. It is not to be held over an `await`.
    pub(crate) fn cluster(&self) -> Result<MutexGuard<'_, PrivatePostgres>> {
        let cluster = self.cluster.as_ref().context("a run without PostgreSQL")?;
        Ok(cluster.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A fresh database.
    #[expect(clippy::await_holding_lock, reason = "trials on one cluster run one after the other")]
    pub(crate) async fn database(&self, backend: Backend) -> Result<TempDatabase> {
        Ok(match backend {
            Backend::Sqlite => TempDatabase::sqlite(),
            Backend::Postgres => TempDatabase::in_cluster(&*self.cluster()?).await,
        })
    }

    /// A trial with the usual load on a fresh database, with `nodes` servers.
    pub(crate) async fn trial(
        &self,
        backend: Backend,
        nodes: usize,
        settings: Settings,
    ) -> Result<Trial> {
        self.begin(self.scale, self.database(backend).await?, nodes, settings).await
    }

    /// The same on another scale, or on a database of the caller's.
    pub(crate) async fn begin(
        &self,
        scale: Scale,
        database: TempDatabase,
        nodes: usize,
        mut settings: Settings,
    ) -> Result<Trial> {
        settings.extend(self.planted.map(|bug| ("WALLEX_PLANTED_BUG", bug.to_owned())));
        Trial::begin(scale, database, nodes, settings).await
    }
}
