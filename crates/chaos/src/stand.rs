//! What a trial runs on: a fresh database, and one or two servers.

use std::path::Path;

use anyhow::{Context as _, Result};
use wallex_testkit::{Backend, Server, ServerBuilder, TempDatabase};

use crate::load::Targets;

/// What a server in production logs at least. The one line of `serve` says where it listens.
const LOG: &str = "warn,wallex::serve=info";

/// Names a folder in which everything that servers printed is kept.
const LOGS_VARIABLE: &str = "WALLEX_CHAOS_LOGS";

/// Settings of a server, by the names of their variables.
pub(crate) type Settings = Vec<(&'static str, String)>;

/// A database and its servers.
pub(crate) struct Stand {
    pub(crate) database: TempDatabase,
    pub(crate) servers: Vec<Server>,
    pub(crate) targets: Targets,
    /// What every process of it is told.
    pub(crate) settings: Settings,
}

/// `wallex ARGS…` on `database`.
pub(crate) fn wallex(
    database: &str,
    arguments: &[&str],
    settings: &[(&'static str, String)],
) -> ServerBuilder {
    let builder =
        ServerBuilder::new(arguments).env("DATABASE_URL", database).env("WALLEX_LOG", LOG);
    settings.iter().fold(builder, |builder, (name, value)| builder.env(name, value))
}

impl Stand {
    /// `nodes` servers on `database`, all with the same `settings`.
    pub(crate) async fn start(database: TempDatabase, nodes: usize, settings: Settings) -> Self {
        let servers = Vec::new();
        let mut stand = Self { database, servers, targets: Targets::default(), settings };
        for _ in 0..nodes {
            let server = stand.builder().start().await;
            stand.servers.push(server);
        }
        stand.announce();
        stand
    }

    pub(crate) fn backend(&self) -> Backend {
        self.database.backend()
    }

    /// A server as those that run.
    pub(crate) fn builder(&self) -> ServerBuilder {
        wallex(self.database.url(), &[], &self.settings)
    }

    /// What the next server that is started is told besides, or instead.
    pub(crate) fn set(&mut self, name: &'static str, value: String) {
        self.settings.retain(|(set, _)| *set != name);
        self.settings.push((name, value));
    }

    /// What the next server is no longer told.
    pub(crate) fn unset(&mut self, name: &str) {
        self.settings.retain(|(set, _)| *set != name);
    }

    /// Keeps what the `n`-th server has printed, where that is asked for.
    pub(crate) fn keep_logs(&self, n: usize) -> Result<()> {
        let Some(folder) = std::env::var_os(LOGS_VARIABLE) else { return Ok(()) };
        let server = &self.servers[n];
        let file = Path::new(&folder).join(format!("server-{}.log", server.process_id()));
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        std::fs::write(&file, server.logs()).with_context(|| file.display().to_string())
    }

    /// Starts a server in the place of the `n`-th, which has ended.
    pub(crate) async fn restart(&mut self, n: usize) {
        self.servers[n].kill_nine();
        self.keep_logs(n).ok();
        self.servers[n] = self.builder().start().await;
        self.announce();
    }

    fn announce(&self) {
        let addresses = self.servers.iter().map(|server| server.address().to_owned());
        self.targets.set(addresses.collect());
    }

    /// Runs `wallex ARGS…` on the database: how it ended, and what it printed.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<(i32, String)> {
        let mut command =
            wallex(self.database.url(), arguments, &[("WALLEX_LOG", "error".to_owned())]).spawn();
        let status = command.wait().await;
        let code = status.code().with_context(|| format!("{arguments:?} ended with {status}"))?;
        Ok((code, command.logs()))
    }
}
