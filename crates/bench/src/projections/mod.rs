//! How fast projections follow: projectors that catch up, beside plain SQL that writes the same
//! rows; how soon a new wallet is visible; rebuild and drift.

mod backlog;
mod catch_up;
mod figures;
pub(crate) mod operations;
mod plain_sql;
mod report;
mod visibility;

use std::path::Path;

use anyhow::Result;

use self::backlog::Backlog;
pub(crate) use self::figures::Results;
use self::figures::{Sighting, Speed, Work};
use self::plain_sql::Projected;
pub(crate) use self::report::report;
pub(crate) use self::visibility::{SAMPLED, Watcher};
use crate::Kind;
use crate::databases;
use crate::http::HttpWatcher;
use crate::load::{self, Creating, Timing};
use crate::machine::Facts;
use crate::server;
use crate::tables::Tables;
use crate::wallet::NewWallets;

/// What finds out how many creates a second there can be; half of them is what is offered.
pub(crate) const CONNECTIONS: usize = 256;

/// What is measured, and what was measured already.
pub(crate) struct Projections {
    pub(crate) timing: Timing,
    pub(crate) rounds: u32,
    /// Events of the backlog.
    pub(crate) events: u64,
    pub(crate) results: Results,
}

/// A database with a backlog.
struct Site<'a> {
    kind: Kind,
    url: &'a str,
    tables: Tables,
    wallets: NewWallets,
    backlog: Backlog,
}

impl Projections {
    /// Everything on a new database; what database that is.
    pub(crate) async fn measure(&mut self, kind: Kind, folder: &Path) -> Result<Facts> {
        match kind {
            Kind::Postgres => {
                let cluster = databases::durable_postgres(folder.to_owned())?;
                let admin = Tables::open(&cluster.url()).await?;
                let facts = databases::postgres_facts(&admin).await?;
                admin.execute("CREATE DATABASE projections").await?;
                admin.close().await?;
                self.on(kind, &databases::database_url(&cluster, "projections")).await?;
                Ok(facts)
            }
            Kind::Sqlite => {
                let (_folder, url) = databases::sqlite_file(folder)?;
                self.on(kind, &url).await?;
                let tables = Tables::open(&url).await?;
                let facts = databases::sqlite_facts(&tables).await?;
                tables.close().await?;
                Ok(facts)
            }
        }
    }

    async fn on(&mut self, kind: Kind, url: &str) -> Result<()> {
        let wallets = NewWallets::default();
        let backlog = backlog::fill(url, &wallets, self.events).await?;
        let tables = Tables::open(url).await?;
        let site = Site { kind, url, tables, wallets, backlog };
        for _ in 0..self.rounds {
            self.catch_up(&site).await?;
            self.operations(&site).await?;
        }
        // At the end: what is created here is no longer the backlog that plain SQL wrote.
        for _ in 0..self.rounds {
            self.visibility(&site).await?;
        }
        site.tables.close().await
    }

    /// Each projector alone, right after plain SQL; then both together.
    async fn catch_up(&mut self, site: &Site<'_>) -> Result<()> {
        let Site { kind, url, tables, backlog, .. } = site;
        for projected in Projected::BOTH {
            let plain = plain_sql::write(tables, *kind, projected, *backlog).await?;
            let head = backlog.events();
            let rate = catch_up::measure(tables, (*kind, url), &[projected], head).await?;
            plain_sql::compare(tables, projected).await?;
            self.add(*kind, Work::CatchUp(projected), rate, Some(plain));
        }
        let both = &Projected::BOTH;
        let rate = catch_up::measure(tables, (*kind, url), both, backlog.events()).await?;
        self.compare(site).await?;
        self.add(*kind, Work::CatchUpBoth, rate, None);
        Ok(())
    }

    /// Drift and rebuild on projections that are right, and rebuild of those that are gone.
    async fn operations(&mut self, site: &Site<'_>) -> Result<()> {
        let Site { kind, url, tables, backlog, .. } = site;
        for work in [Work::Drift, Work::Rebuild, Work::RebuildFromNothing] {
            if work == Work::RebuildFromNothing {
                tables.empty_projections(*kind).await?;
            }
            tables.settle(*kind).await?;
            let command = if work == Work::Drift { "drift" } else { "rebuild" };
            let rate = operations::run(command, url, backlog.events()).await?;
            self.compare(site).await?;
            self.add(*kind, work, rate, None);
        }
        Ok(())
    }

    async fn compare(&self, site: &Site<'_>) -> Result<()> {
        for projected in Projected::BOTH {
            plain_sql::compare(&site.tables, projected).await?;
        }
        Ok(())
    }

    /// With both projectors running: as many creates as there can be, and then half as many.
    async fn visibility(&mut self, site: &Site<'_>) -> Result<()> {
        let Site { kind, url, tables, wallets, .. } = site;
        tables.settle(*kind).await?;
        let server = server::start(url).await;
        let clients = server::connect(&server, CONNECTIONS).await?.into_iter();
        let creating = clients.map(|client| Creating::new(client, wallets)).collect();
        let most = load::run(creating, self.timing).await?;
        let head = tables.number("SELECT sum(position) FROM shard_heads").await?;
        catch_up::wait(tables, &server, head).await?;
        let clients = server::connect(&server, CONNECTIONS).await?;
        let watched = |client| (client, HttpWatcher::of(server.address()));
        let pairs = clients.into_iter().map(watched).collect();
        let seen = visibility::measure(pairs, wallets, self.timing, most.rate / 2.0).await?;
        server::stop(server).await?;
        let sighting = Sighting { database: kind.name(), most: most.rate, seen };
        eprintln!("{sighting}");
        self.results.sightings.push(sighting);
        Ok(())
    }

    fn add(&mut self, kind: Kind, work: Work, rate: f64, plain: Option<f64>) {
        self.results.speeds.push(Speed { database: kind.name(), work, rate, plain });
    }
}
