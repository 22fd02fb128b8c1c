//! What all parts of a run share, and the figures so far.

use std::path::Path;

use anyhow::Result;

use crate::Kind;
use crate::databases::{Databases, sqlite_facts};
use crate::figures::{Figures, Load, Sample, Subject};
use crate::load::{Measurement, Timing, Worker};
use crate::machine::Facts;
use crate::seed::POPULATION;
use crate::site::Site;
use crate::timeline::Timeline;
use crate::wallet::NewWallets;

/// One run.
pub(crate) struct Bench {
    pub(crate) timing: Timing,
    pub(crate) rounds: u32,
    pub(crate) kinds: Vec<Kind>,
    /// A first impression: fewer loads.
    pub(crate) quick: bool,
    pub(crate) databases: Databases,
    pub(crate) wallets: NewWallets,
    pub(crate) figures: Figures,
    pub(crate) timelines: Vec<Timeline>,
    /// What SQLite it is, once it is known.
    pub(crate) facts: Facts,
}

impl Bench {
    pub(crate) fn new(timing: Timing, rounds: u32, kinds: Vec<Kind>, folder: &Path) -> Self {
        Self {
            timing,
            rounds,
            kinds,
            quick: false,
            databases: Databases::within(folder),
            wallets: NewWallets::default(),
            figures: Figures::default(),
            timelines: Vec::new(),
            facts: Facts::new(),
        }
    }

    /// A new database, and no server on it.
    pub(crate) async fn empty(&mut self, kind: Kind) -> Result<Site> {
        let site = Site::new(self.databases.make(kind).await?, &self.wallets).await?;
        if kind == Kind::Sqlite && self.facts.is_empty() {
            self.facts = sqlite_facts(&site.tables).await?;
        }
        Ok(site)
    }

    /// A server on a new database.
    pub(crate) async fn site(&mut self, kind: Kind) -> Result<Site> {
        let mut site = self.empty(kind).await?;
        site.start(true).await?;
        Ok(site)
    }

    /// A server on a new database that lets so many commands wait, at most.
    pub(crate) async fn site_with_queue(&mut self, kind: Kind, commands: usize) -> Result<Site> {
        let mut site = self.empty(kind).await?;
        site.start_with_queue(commands).await;
        Ok(site)
    }

    /// A server on a database that has the wallets that movements and reads are about.
    pub(crate) async fn populated(&mut self, kind: Kind) -> Result<Site> {
        let mut site = self.empty(kind).await?;
        site.seed(POPULATION, 1).await?;
        site.start(true).await?;
        Ok(site)
    }

    /// The same, but that the server needs an API key, which the loads bring.
    pub(crate) async fn populated_with_key(&mut self, kind: Kind) -> Result<Site> {
        let mut site = self.empty(kind).await?;
        site.make_key().await?;
        site.seed(POPULATION, 1).await?;
        site.start(true).await?;
        Ok(site)
    }

    /// Fails unless what was acknowledged is there and nothing drifts; then removes it all.
    pub(crate) async fn finish(&mut self, mut site: Site) -> Result<()> {
        site.verify().await?;
        self.discard(site).await
    }

    /// Removes a database that no server of ours was on.
    pub(crate) async fn discard(&mut self, site: Site) -> Result<()> {
        self.databases.remove(site.close().await?).await
    }

    /// A closed loop over HTTP, as `load` says.
    pub(crate) async fn http(&mut self, site: &mut Site, round: u32, load: Load) -> Result<()> {
        let traffic = match load.subject {
            Subject::Http(traffic) => traffic,
            _ => crate::traffic::Traffic::Create,
        };
        let measurement = site.http(traffic, load.connections, self.timing).await?;
        self.add(load, round, measurement, 0);
        Ok(())
    }

    /// A closed loop of plain SQL.
    pub(crate) async fn plain<W: Worker + 'static>(
        &mut self,
        site: &mut Site,
        round: u32,
        (load, workers): (Load, Vec<W>),
    ) -> Result<()> {
        let measurement = site.plain(workers, self.timing).await?;
        self.add(load, round, measurement, 0);
        Ok(())
    }

    /// Keeps a figure, and says it at once.
    pub(crate) fn add(&mut self, load: Load, round: u32, measurement: Measurement, unsent: usize) {
        let usage = measurement.usage.unwrap_or_default();
        eprintln!(
            "[{round}] {}, {}, {} connections: {:.0}/s, p50 {:.2} ms, p99 {:.2} ms, {} errors; \
             µs a command: {:.0} server, {:.0} PostgreSQL, {:.1} generator",
            load.kind.name(),
            load.name(),
            measurement.connections,
            measurement.rate,
            measurement.percentile_ms(50.0),
            measurement.percentile_ms(99.0),
            measurement.errors,
            usage.server_us.unwrap_or_default(),
            usage.postgres_us.unwrap_or_default(),
            usage.generator_us,
        );
        self.figures.samples.push(Sample { load, round, measurement, unsent });
    }
}
