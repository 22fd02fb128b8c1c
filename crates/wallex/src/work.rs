//! `wallex worker`: the projectors without an API, and what Prometheus and an orchestrator see of them.

use std::net::TcpListener;
use std::sync::Arc;

use anyhow::{Context, bail};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wallex_database::Database;
use wallex_http_actix::{Lifecycle, OperationsState, operations_server};
use wallex_migrations::SchemaReadiness;
use wallex_outbox::Tail;
use wallex_ports::Readiness;

use crate::access::{Access, Watching};
use crate::adapters::UuidV7Ids;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::projections::Projections;
use crate::serve::{self, api_settings, in_time, server_settings, tokens};
use crate::signals::Stop;
use crate::startup;
use crate::tls::{Reloader, TlsFiles};
use crate::upkeep::Upkeep;

/// Runs the projectors, without an API, until the process is asked to stop.
///
/// # Errors
/// When it can't start.
pub(crate) async fn work(config: Config) -> anyhow::Result<()> {
    #[cfg(debug_assertions)]
    crate::planted::say_so();
    let mut stop = Stop::on_signals().context("signals can't be received")?;
    let metrics = Metrics::install(config.metrics)?;
    let listening = |address| serve::listen(address, "WALLEX_WORKER_LISTEN");
    let listener = config.worker_listen.map(listening).transpose()?;
    let db = tokio::select! {
        opened = serve::open(&config) => opened?,
        () = stop.asked() => return Ok(()),
    };
    let readiness: Arc<dyn Readiness> =
        Arc::new(SchemaReadiness::new(Arc::clone(&db), config.shards));
    let mut seen = match listener {
        Some(listener) => {
            Some(Seen::start(&config, listener, &db, &metrics, &readiness, &stop).await?)
        }
        None => None,
    };
    // No command is committed here: the workers poll for what other processes commit.
    let (_commits, committed) = watch::channel(());
    let tail = Arc::new(Tail::default());
    let projections = Projections::start(&config, &db, tail, true, committed);
    let upkeep = Upkeep::new(&config, &db, readiness, &metrics, &projections, true, stop.clone());
    let upkeep = tokio::spawn(upkeep.run());
    tracing::info!(database = db.describe(), "projecting");
    match &mut seen {
        Some(seen) => tokio::select! {
            () = stop.asked() => {}
            ended = &mut seen.server => {
                ended.context("the HTTP server failed")?.context("the HTTP server failed")?;
                bail!("the HTTP server ended by itself");
            }
        },
        None => stop.asked().await,
    }
    if let Some(seen) = seen {
        seen.end().await?;
    }
    let closed = async {
        projections.shutdown().await;
        upkeep.await.context("upkeep failed")?;
        db.close().await;
        Ok(())
    };
    in_time(&config, closed).await
}

/// What is seen of a worker: `/livez`, `/readyz` and `/metrics`.
struct Seen {
    lifecycle: Lifecycle,
    handle: actix_web::dev::ServerHandle,
    server: JoinHandle<std::io::Result<()>>,
    watching: Watching,
}

impl Seen {
    async fn start(
        config: &Config,
        listener: TcpListener,
        db: &Arc<Database>,
        metrics: &Metrics,
        readiness: &Arc<dyn Readiness>,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let reloader = TlsFiles::of(config)?.map(Reloader::start).transpose()?;
        let listen = listener.local_addr().context("the listener has no address")?;
        let access = Access::open(config, db, listen, tokens(config)?).await?;
        let (watching, lifecycle) = (access.watch(), Lifecycle::new());
        let state = OperationsState {
            admission: access.door,
            readiness: Arc::clone(readiness),
            metrics: metrics.source(Arc::clone(db)),
            ids: Arc::new(UuidV7Ids),
            lifecycle: lifecycle.clone(),
            settings: api_settings(config),
        };
        let tls = reloader.as_ref().map(Reloader::tls);
        let url = startup::url(listen, tls.is_some());
        let server = operations_server(listener, state, &server_settings(config), tls)
            .context("the HTTP server can't be started")?;
        if let Some(reloader) = reloader {
            tokio::spawn(reloader.run(stop.clone()));
        }
        tracing::info!(listen = url, "the worker listens");
        Ok(Self { lifecycle, handle: server.handle(), server: tokio::spawn(server), watching })
    }

    /// Not ready, no new connections, finish what was accepted.
    async fn end(self) -> anyhow::Result<()> {
        self.lifecycle.start_draining();
        self.handle.stop(true).await;
        self.server.await.context("the HTTP server failed")?.context("the HTTP server failed")?;
        self.watching.end().await.context("what follows the keys failed")
    }
}
