//! The release binary: built, started on a database, and stopped again.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use wallex_testkit::{ApiKey, Server, ServerBuilder};

use crate::http::HttpClient;

/// Names another binary to be measured, which is then not built: see `wallex_binary`.
const BINARY_VARIABLE: &str = "WALLEX_TEST_BINARY";
/// What a server in production logs at least. The one line of `serve` says where it listens.
const LOG: &str = "warn,wallex::serve=info";

/// Builds the binary beside this program, where the testkit looks for it.
pub(crate) fn build() -> Result<()> {
    if std::env::var_os(BINARY_VARIABLE).is_some() {
        return Ok(());
    }
    let this = std::env::current_exe().context("this program's path")?;
    let profile = this.parent().context("this program's folder")?;
    ensure!(
        profile.file_name().is_some_and(|name| name == "release"),
        "only a release build says something: cargo run --release -p wallex-bench"
    );
    let target = profile.parent().context("the target folder")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--package", "wallex", "--target-dir"])
        .arg(target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .status()
        .context("cargo can't be started")?;
    ensure!(status.success(), "the wallex binary could not be built");
    Ok(())
}

/// Starts a server on the database at `url`, and waits until it is ready.
pub(crate) async fn start(url: &str) -> Server {
    on(url).start().await
}

/// The same, but that it runs no projector: what it writes is their backlog.
pub(crate) async fn start_without_projectors(url: &str) -> Server {
    on(url).env("PROJECTORS_AUTO_START", "false").start().await
}

/// A server that lets so many commands wait, at most, and refuses the next.
pub(crate) async fn start_with_queue(url: &str, commands: usize) -> Server {
    on(url).env("WALLEX_LANE_QUEUE_LEN_MAX", &commands.to_string()).start().await
}

/// What a server lets see of itself.
#[derive(Debug, Clone)]
pub(crate) enum Shows {
    /// Metrics, as by default.
    Metrics,
    /// Nothing.
    Nothing,
    /// Metrics, and so many percent of its traces to a collector.
    Traces { endpoint: String, percent: u32 },
}

/// A server that shows this.
pub(crate) async fn start_showing(url: &str, shows: &Shows) -> Server {
    let builder = on(url);
    let builder = match shows {
        Shows::Metrics => builder,
        Shows::Nothing => builder.env("WALLEX_METRICS", "false"),
        Shows::Traces { endpoint, percent } => builder
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .env("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
            .env("OTEL_TRACES_SAMPLER_ARG", &(f64::from(*percent) / 100.0).to_string()),
    };
    builder.start().await
}

fn on(url: &str) -> ServerBuilder {
    ServerBuilder::new(&[]).env("DATABASE_URL", url).env("WALLEX_LOG", LOG)
}

/// Connections to it.
pub(crate) async fn connect(server: &Server, connections: usize) -> Result<Vec<HttpClient>> {
    let mut clients = Vec::with_capacity(connections);
    for _ in 0..connections {
        let client = HttpClient::connect(server.address()).await;
        let context = || format!("the server takes no connection; {}", said(server));
        clients.push(client.with_context(context)?);
    }
    Ok(clients)
}

/// What it printed, which may tell why something went wrong.
pub(crate) fn said(server: &Server) -> String {
    format!("the server said:\n{}", server.logs())
}

/// Stops it as an operator does; that it fails to stop well is an error.
pub(crate) async fn stop(mut server: Server) -> Result<()> {
    server.terminate();
    let status = server.wait().await;
    ensure!(status.success(), "the server ended with {status}:\n{}", server.logs());
    Ok(())
}

/// Makes the server's tables in the database at `url`.
pub(crate) async fn migrate(url: &str) -> Result<()> {
    let builder = ServerBuilder::new(&["migrate", "up"]).env("DATABASE_URL", url);
    let mut migration = builder.env("WALLEX_LOG", "warn").spawn();
    let status = migration.wait().await;
    ensure!(status.success(), "the tables can't be made ({status}):\n{}", migration.logs());
    Ok(())
}

/// Makes an API key for wallets in the database at `url`; what its holder sends.
pub(crate) async fn create_key(url: &str) -> Result<String> {
    let scopes = ["--scopes", "wallets:read,wallets:write"];
    let create = [&["keys", "create", "--name", "bench", "--json"], &scopes[..]].concat();
    let builder = ServerBuilder::new(&create).env("DATABASE_URL", url);
    let mut creation = builder.env("WALLEX_LOG", "error").spawn();
    let status = creation.wait().await;
    ensure!(status.success(), "the key can't be made ({status})");
    Ok(ApiKey::printed(&creation.logs()).bearer)
}
