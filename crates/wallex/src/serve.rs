//! `wallex serve`: the rooms put together, run, and taken apart again in the right order.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::{Context, bail};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use wallex_application::{CommandLane, GroupedWallets, LanePorts, LaneTask};
use wallex_database::Database;
use wallex_http_actix::{
    ApiSettings, ApiState, JsonAnswers, Lifecycle, OperationsState, ServerSettings, Tls, server,
};
use wallex_idempotency::SqlIdempotencyRecords;
use wallex_jwt::JwtAuthenticator;
use wallex_migrations::{MigrateError, SchemaReadiness};
use wallex_outbox::Tail;
use wallex_ports::{Authenticator, NotReady, Readiness, Wallets};
use wallex_postgres_eventstore::EventStore;
use wallex_unit_of_work::SqlCommitter;

use crate::access::{Access, Watching};
use crate::adapters::{SystemClock, UuidV7Ids};
use crate::config::{AuthMode, Config};
use crate::metrics::Metrics;
use crate::projections::Projections;
use crate::signals::Stop;
use crate::startup;
use crate::tls::{Reloader, TlsFiles};
use crate::upkeep::Upkeep;

/// Connections that may wait to be accepted. The kernel takes less where its own limit is lower.
const BACKLOG: u32 = 4_096;

/// The end of a process: nothing is acknowledged any more, so a database that does not answer is left as
/// it is.
pub(crate) async fn in_time(
    config: &Config,
    closed: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    match timeout(config.server.shutdown_timeout, closed).await {
        Ok(closed) => closed?,
        Err(_) => tracing::warn!("the database did not answer: its connections are left open"),
    }
    tracing::info!("stopped");
    Ok(())
}

/// Serves until the process is asked to stop, and stops in order.
///
/// # Errors
/// When it can't start, or can't finish what was accepted in time.
pub(crate) async fn serve(config: Config, pretty: bool) -> anyhow::Result<()> {
    #[cfg(debug_assertions)]
    crate::planted::say_so();
    let mut stop = Stop::on_signals().context("signals can't be received")?;
    let metrics = Metrics::install(config.metrics)?;
    let reloader = TlsFiles::of(&config)?.map(Reloader::start).transpose()?;
    // The port comes first: a second server on one machine should not get as far as the database.
    let listener = listen(config.listen, "WALLEX_LISTEN")?;
    let db = tokio::select! {
        opened = open(&config) => opened?,
        // Nothing was accepted yet; a migration under way is rolled back.
        () = stop.asked() => return Ok(()),
    };
    let listen = listener.local_addr().context("the listener has no address")?;
    let access = Access::open(&config, &db, listen, tokens(&config)?).await?;
    let is_open = access.door.is_open() == Some(true);
    let tls = reloader.as_ref().map(Reloader::tls);
    let url = startup::url(listen, tls.is_some());
    let running =
        Running::start(&config, listener, tls, Arc::clone(&db), access, &metrics, stop.clone())?;
    if let Some(reloader) = reloader {
        tokio::spawn(reloader.run(stop.clone()));
    }
    announce(pretty, &url, is_open, &db.describe());
    running.until(stop, &config).await
}

/// Who knows the tokens of the configured issuer, where there is one.
pub(crate) fn tokens(config: &Config) -> anyhow::Result<Option<Arc<dyn Authenticator>>> {
    let Some(settings) = config.jwt.settings().map_err(anyhow::Error::msg)? else {
        return Ok(None);
    };
    tracing::info!(issuer = settings.issuer, "tokens are accepted beside API keys");
    let tokens = JwtAuthenticator::start(settings, Arc::new(SystemClock))?;
    Ok(Some(Arc::new(tokens)))
}

pub(crate) async fn open(config: &Config) -> anyhow::Result<Arc<Database>> {
    let db = Arc::new(crate::connect(config).await?);
    if config.auto_migrate {
        let applied = wallex_migrations::up(&db, config.shards).await?;
        if !applied.is_empty() {
            tracing::info!(steps = applied.join(", "), "the database was migrated");
        }
        return Ok(db);
    }
    match SchemaReadiness::new(Arc::clone(&db), config.shards).check().await {
        Ok(()) => {}
        // What the database says of itself contradicts the configuration: waiting won't help.
        Err(NotReady::Unreachable(error)) if error.is::<MigrateError>() => {
            return Err(anyhow::Error::from_boxed(error));
        }
        Err(error) => tracing::warn!("not ready: {error}"),
    }
    Ok(db)
}

/// A listener with room for many who wait, which the standard library's has not.
pub(crate) fn listen(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    let listener = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A restarted server must not wait for the connections of its predecessor to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    listener().with_context(|| format!("can't listen on {address} ({setting})"))
}

fn announce(pretty: bool, url: &str, is_open: bool, database: &str) {
    if pretty {
        eprint!("{}", startup::banner(url, is_open, database));
    } else {
        tracing::info!(
            listen = url,
            database,
            r#try = startup::example(url, is_open),
            version = env!("CARGO_PKG_VERSION"),
            "Wallex listens"
        );
    }
}

/// A server that stands.
struct Running {
    db: Arc<Database>,
    lane: LaneTask,
    projections: Projections,
    lifecycle: Lifecycle,
    server: actix_web::dev::Server,
    upkeep: tokio::task::JoinHandle<()>,
    watching: Watching,
}

impl Running {
    fn start(
        config: &Config,
        listener: TcpListener,
        tls: Option<Tls>,
        db: Arc<Database>,
        access: Access,
        metrics: &Metrics,
        stop: Stop,
    ) -> anyhow::Result<Self> {
        let watching = access.watch();
        let events = Arc::new(EventStore::new(Arc::clone(&db)));
        let tail = Arc::new(Tail::default());
        let readiness: Arc<dyn Readiness> =
            Arc::new(SchemaReadiness::new(Arc::clone(&db), config.shards));
        let ports = LanePorts {
            committer: Arc::new(SqlCommitter::new(Arc::clone(&db), Arc::clone(&tail))),
            wallets: events.clone(),
            idempotency: Arc::new(SqlIdempotencyRecords::new(Arc::clone(&db))),
            answers: Arc::new(JsonAnswers),
            clock: Arc::new(SystemClock),
            ids: Arc::new(UuidV7Ids),
        };
        let readers: Arc<dyn Wallets> = events.clone();
        #[cfg(debug_assertions)]
        let (ports, readers) = crate::planted::around(ports, readers);
        let (commands, lane) = CommandLane::spawn(ports, config.lane.clone());
        let auto_start = config.projectors_auto_start;
        let projections = Projections::start(config, &db, tail, auto_start, commands.committed());
        let lifecycle = Lifecycle::new();
        let state = ApiState {
            operations: OperationsState {
                admission: access.door,
                readiness: Arc::clone(&readiness),
                metrics: metrics.source(Arc::clone(&db)),
                ids: Arc::new(UuidV7Ids),
                lifecycle: lifecycle.clone(),
                settings: api_settings(config),
            },
            audit: access.audit,
            lane: commands,
            wallets: Arc::new(GroupedWallets::spawn(readers)),
            events,
            read_models: Arc::clone(&projections.read_models),
            projectors: Arc::clone(&projections.projectors),
            dead_letters: Arc::clone(&projections.dead_letters),
            recovery: projections.recovery.clone(),
            clock: Arc::new(SystemClock),
        };
        let server = server(listener, state, &server_settings(config), tls)
            .context("the HTTP server can't be started")?;
        let upkeep = Upkeep::new(config, &db, readiness, metrics, &projections, auto_start, stop);
        let upkeep = tokio::spawn(upkeep.run());
        Ok(Self { db, lane, projections, lifecycle, server, upkeep, watching })
    }

    /// Serves until `stop`; then: not ready, no new connections, finish what was accepted, close.
    async fn until(self, mut stop: Stop, config: &Config) -> anyhow::Result<()> {
        let handle = self.server.handle();
        let mut server = tokio::spawn(self.server);
        tokio::select! {
            () = stop.asked() => {}
            ended = &mut server => {
                ended.context("the HTTP server failed")?.context("the HTTP server failed")?;
                bail!("the HTTP server ended by itself");
            }
        }
        self.lifecycle.start_draining();
        tokio::time::sleep(config.drain_delay).await;
        handle.stop(true).await;
        server.await.context("the HTTP server failed")?.context("the HTTP server failed")?;
        // No handler waits any more; what the lane still holds was left behind by its client.
        let finished = timeout(config.server.shutdown_timeout, self.lane.shutdown()).await;
        // What is not projected now is projected later, by whoever takes the lease.
        let projected = timeout(config.server.shutdown_timeout, self.projections.shutdown()).await;
        if projected.is_err() {
            tracing::warn!("a projection was still at work: its transaction is rolled back");
        }
        if finished.is_err() {
            bail!(
                "commands were still waiting for the database after WALLEX_SHUTDOWN_TIMEOUT_MS; \
                 their idempotency keys tell what became of them"
            );
        }
        let closed = async {
            self.upkeep.await.context("upkeep failed")?;
            self.watching.end().await.context("what follows the keys failed")?;
            self.db.close().await;
            Ok(())
        };
        in_time(config, closed).await
    }
}

/// What the API deletes when it is asked to without an age is what upkeep deletes by itself.
pub(crate) fn api_settings(config: &Config) -> ApiSettings {
    ApiSettings {
        outbox_retention: config.outbox_retention,
        // Where it was not asked for by name that a server is open, it is for its own machine.
        local_names_only: config.auth == AuthMode::Auto,
        ..config.api.clone()
    }
}

pub(crate) fn server_settings(config: &Config) -> ServerSettings {
    let mut settings = config.server.clone();
    if let Some(workers) = config.http_workers {
        settings.workers = workers as usize;
    }
    settings
}
