//! A database, a server on it, and what has to be in it by now.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::{Instant, sleep};
use uuid::Uuid;
use wallex_testkit::Server;

use crate::Kind;
use crate::databases::{NewDatabase, OnPostgres, USER};
use crate::effect::Effect;
use crate::http::HttpClient;
use crate::load::{self, Failure, Measurement, Offered, Timing, Window, Worker};
use crate::projections::operations;
use crate::seed;
use crate::server::{self, Shows};
use crate::tables::Tables;
use crate::traffic::{Commands, HttpWorker, Traffic};
use crate::usage::Meter;
use crate::wallet::NewWallets;
use crate::zipf::Zipf;

/// How far the slowest projector is behind, in events.
pub(crate) const LAG: &str = "SELECT h.position - min(c.position) FROM shard_heads h \
    JOIN projector_checkpoints c ON c.shard = h.shard GROUP BY h.position";
/// How long projectors may take to catch up with a load.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Everything that a load needs.
pub(crate) struct Site {
    pub(crate) database: NewDatabase,
    pub(crate) tables: Tables,
    server: Option<Server>,
    projectors: bool,
    /// What requests bring, where the server needs it.
    key: Option<String>,
    wallets: NewWallets,
    /// Wallets that are there; see [`seed::population`].
    population: Rc<[Uuid]>,
    zipf: Rc<Zipf>,
    /// Of all that was acknowledged here.
    expected: Effect,
    /// Counting the rows of a large database would take longer than a load.
    pub(crate) counts_every_load: bool,
}

impl Site {
    /// With no server yet.
    pub(crate) async fn new(database: NewDatabase, wallets: &NewWallets) -> Result<Self> {
        let tables = Tables::open(&database.url).await?;
        Ok(Self {
            database,
            tables,
            server: None,
            projectors: true,
            key: None,
            wallets: wallets.clone(),
            population: Rc::new([]),
            zipf: Rc::new(Zipf::over(0)),
            expected: Effect::default(),
            counts_every_load: true,
        })
    }

    pub(crate) fn kind(&self) -> Kind {
        self.database.kind
    }

    /// Starts a server; without its projectors what it writes stays unprojected.
    pub(crate) async fn start(&mut self, projectors: bool) -> Result<()> {
        self.projectors = projectors;
        self.server = Some(if projectors {
            server::start(&self.database.url).await
        } else {
            server::start_without_projectors(&self.database.url).await
        });
        Ok(())
    }

    /// Starts a server that lets so many commands wait, at most.
    pub(crate) async fn start_with_queue(&mut self, commands: usize) {
        self.projectors = true;
        self.server = Some(server::start_with_queue(&self.database.url, commands).await);
    }

    /// Starts a server that lets see of itself what `shows` says.
    pub(crate) async fn start_showing(&mut self, shows: &Shows) {
        self.projectors = true;
        self.server = Some(server::start_showing(&self.database.url, shows).await);
    }

    /// Makes an API key, which the servers started from now on need and the loads bring.
    pub(crate) async fn make_key(&mut self) -> Result<()> {
        self.key = Some(server::create_key(&self.database.url).await?);
        Ok(())
    }

    /// Adds wallets with so many events each, while no server runs.
    pub(crate) async fn seed(&mut self, wallets: u64, versions: u64) -> Result<()> {
        // A server that ran once has made the rows that checkpoints are kept in.
        self.start(true).await?;
        let checkpoints = "SELECT count(*) FROM projector_checkpoints";
        while self.tables.number(checkpoints).await? == 0 {
            sleep(LOOK_EVERY).await;
        }
        self.stop().await?;
        self.expected += seed::seed(&self.tables, self.kind(), (wallets, versions)).await?;
        self.populate().await
    }

    /// Has the loads that follow take their wallets from those that are there now.
    async fn populate(&mut self) -> Result<()> {
        self.population = seed::population(&self.tables, self.expected.wallets).await?;
        self.zipf = Rc::new(Zipf::over(self.population.len()));
        Ok(())
    }

    pub(crate) fn population(&self) -> &Rc<[Uuid]> {
        &self.population
    }

    /// Nothing of the load before is left to do, for the projectors or for the database.
    pub(crate) async fn settle(&self) -> Result<()> {
        if self.server.is_some() && self.projectors {
            self.caught_up().await?;
        }
        self.tables.settle(self.kind()).await
    }

    async fn caught_up(&self) -> Result<()> {
        let began = Instant::now();
        loop {
            let lag = self.tables.text(&format!("SELECT CAST(({LAG}) AS text)")).await;
            if lag.is_ok_and(|lag| lag == "0") {
                return Ok(());
            }
            ensure!(began.elapsed() < CAUGHT_UP_WITHIN, "the projectors do not catch up");
            sleep(LOOK_EVERY).await;
        }
    }

    /// A closed loop of `traffic` over HTTP.
    pub(crate) async fn http(
        &mut self,
        traffic: Traffic,
        connections: usize,
        timing: Timing,
    ) -> Result<Measurement> {
        self.settle().await?;
        self.http_beside(traffic, connections, timing, |_| std::future::ready(()))
            .await
            .map(|(m, ())| m)
    }

    /// The same right after what was before, with something else that happens meanwhile.
    pub(crate) async fn http_beside<F: Future>(
        &mut self,
        traffic: Traffic,
        connections: usize,
        timing: Timing,
        beside: impl FnOnce(Window) -> F,
    ) -> Result<(Measurement, F::Output)> {
        let server = self.server()?;
        let commands = self.commands(traffic);
        let clients = server::connect(server, connections).await?;
        let with_key = |client: HttpClient| client.with_key(self.key.as_deref());
        let workers: Vec<_> = clients
            .into_iter()
            .map(|client| HttpWorker::new(with_key(client), &commands))
            .collect();
        let meter = &self.meter()?;
        let both = |window| async move { tokio::join!(meter.measure(window), beside(window)) };
        let (mut measurement, (usage, besides)) = load::run_beside(workers, timing, both).await?;
        measurement.usage = usage?.at(measurement.rate);
        self.acknowledged(&measurement).await?;
        Ok((measurement, besides))
    }

    /// An open loop of `traffic` over HTTP; and how many requests were due and never sent.
    pub(crate) async fn open(
        &mut self,
        traffic: Traffic,
        offered: Offered,
        timing: Timing,
    ) -> Result<(Measurement, usize)> {
        self.settle().await?;
        let commands = self.commands(traffic);
        let address: Rc<str> = self.server()?.address().into();
        let key = self.key.clone();
        let connect = async move || -> Result<HttpWorker, Failure> {
            let client = HttpClient::connect(&address).await?.with_key(key.as_deref());
            Ok(HttpWorker::new(client, &commands))
        };
        let meter = self.meter()?;
        let measure = |window| meter.measure(window);
        let opened = load::run_open(offered, timing, connect, measure).await?;
        let mut measurement = opened.measurement;
        measurement.usage = opened.besides?.at(measurement.rate);
        self.acknowledged(&measurement).await?;
        Ok((measurement, opened.unsent))
    }

    /// A closed loop of plain SQL.
    pub(crate) async fn plain<W: Worker + 'static>(
        &mut self,
        workers: Vec<W>,
        timing: Timing,
    ) -> Result<Measurement> {
        self.settle().await?;
        let meter = self.meter()?;
        let measure = |window| meter.measure(window);
        let (mut measurement, usage) = load::run_beside(workers, timing, measure).await?;
        measurement.usage = usage?.at(measurement.rate);
        self.acknowledged(&measurement).await?;
        Ok(measurement)
    }

    /// Where plain SQL connects to: port, user, database.
    pub(crate) fn postgres(&self) -> Result<(u16, &str, &str)> {
        let on = self.database.postgres.as_ref();
        let OnPostgres { port, name, .. } = on.context("plain SQL is on PostgreSQL alone")?;
        Ok((*port, USER, name))
    }

    fn commands(&self, traffic: Traffic) -> Commands {
        Commands::new(traffic, &self.wallets, &self.population, &self.zipf)
    }

    fn server(&self) -> Result<&Server> {
        self.server.as_ref().context("invariant: a load over HTTP has a server")
    }

    fn meter(&self) -> Result<Meter<'_>> {
        let postmaster = self.database.postgres.as_ref().map(|on| on.postmaster);
        Ok(Meter { server: self.server.as_ref(), postmaster, tables: &self.tables })
    }

    async fn acknowledged(&mut self, measurement: &Measurement) -> Result<()> {
        self.expected += measurement.effect;
        if self.counts_every_load { self.check().await } else { Ok(()) }
    }

    /// Fails unless the tables hold all that was acknowledged and nothing else. When they do not,
    /// what the server said may tell why.
    async fn check(&self) -> Result<()> {
        let said = || self.server.as_ref().map(server::said).unwrap_or_default();
        self.tables.check(self.expected).await.with_context(said)
    }

    async fn stop(&mut self) -> Result<()> {
        match self.server.take() {
            Some(server) => server::stop(server).await,
            None => Ok(()),
        }
    }

    /// Stops the server; fails unless everything is there, and `wallex drift` finds nothing.
    pub(crate) async fn verify(&mut self) -> Result<()> {
        if self.projectors && self.server.is_some() {
            self.caught_up().await?;
        }
        self.stop().await?;
        self.check().await?;
        operations::run("drift", &self.database.url, self.expected.events).await?;
        Ok(())
    }

    /// What is left of it: the database, for its removal.
    pub(crate) async fn close(mut self) -> Result<NewDatabase> {
        self.stop().await?;
        self.tables.close().await?;
        Ok(self.database)
    }
}
