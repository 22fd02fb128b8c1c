//! The commands by which operators see and steer the projections, and decide who comes in. Each works through the ports of
//! the operations alone, so the tests give it projections in memory.

mod actor;
mod audit;
mod dead_letters;
mod drift;
mod follow;
mod idempotency;
mod keys;
mod outbox;
mod progress;
mod projectors;
mod rebuild;
mod retry;
mod stats;
mod table;
mod units;
mod verify;
mod watch;

#[cfg(test)]
mod fakes;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use wallex_access::{SqlApiKeys, SqlAuditLog};
use wallex_application::Audited;
use wallex_idempotency::SqlIdempotencyRecords;
use wallex_migrations::SchemaReadiness;
use wallex_ports::{Actor, ApiKeys, AuditLog, DeadLetters, Projectors, Readiness, Recovery};
use wallex_projectors::{
    Letters, RecoverySettings, SqlProjectors, SqlRecovery, projectors as all_projectors,
};

pub(crate) use self::verify::{export as verify_export, generate_key};
use crate::adapters::UuidV7Ids;
use crate::cli::Command;
use crate::config::Config;

/// What is wrong with how a command was called, and not with what it did.
const USAGE: u8 = 2;

/// What the commands work through.
pub(crate) struct Ports {
    pub(crate) projectors: Arc<dyn Projectors>,
    pub(crate) dead_letters: Arc<dyn DeadLetters>,
    pub(crate) recovery: Arc<dyn Recovery>,
    pub(crate) keys: Arc<dyn ApiKeys>,
    pub(crate) audit: Arc<dyn AuditLog>,
    /// Who does it all.
    pub(crate) actor: Actor,
}

impl Ports {
    /// The same ports, as `self.actor` uses them: what they do stands in the audit log.
    fn audited(self) -> Self {
        let (log, by) = (|| Arc::clone(&self.audit), || self.actor.clone());
        Self {
            projectors: Arc::new(Audited::new(self.projectors, log(), by())),
            dead_letters: Arc::new(Audited::new(self.dead_letters, log(), by())),
            recovery: Arc::new(Audited::new(self.recovery, log(), by())),
            ..self
        }
    }
}

/// What a command came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What stdout gets.
    pub(crate) text: String,
    /// What is wrong with what was found: stderr gets it, and the exit code is 1.
    pub(crate) complaint: Option<String>,
    /// The command needs to be confirmed: the exit code is 2 instead.
    unconfirmed: bool,
}

impl Outcome {
    /// All is well.
    fn fine(text: String) -> Self {
        Self { text, complaint: None, unconfirmed: false }
    }

    /// The command did its work, and what it found is not well.
    fn unwell(text: String, complaint: String) -> Self {
        Self { text, complaint: Some(complaint), unconfirmed: false }
    }

    /// Nothing was done: it must be confirmed first.
    fn unconfirmed(complaint: String) -> Self {
        Self { text: String::new(), complaint: Some(complaint), unconfirmed: true }
    }

    /// What the process ends with.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match (&self.complaint, self.unconfirmed) {
            (None, _) => ExitCode::SUCCESS,
            (Some(_), false) => ExitCode::FAILURE,
            (Some(_), true) => ExitCode::from(USAGE),
        }
    }
}

/// Runs an operator's command on the configured database.
///
/// # Errors
/// When the database can't be used, or the command can't do what it is asked for.
pub(crate) async fn run(config: &Config, command: &Command) -> anyhow::Result<Outcome> {
    let db = Arc::new(crate::connect(config).await?);
    if config.auto_migrate && matches!(command, Command::Keys { .. }) {
        // A server that can be reached from elsewhere needs a key before it can start.
        wallex_migrations::up(&db, config.shards).await?;
    }
    let readiness = SchemaReadiness::new(Arc::clone(&db), config.shards);
    readiness.check().await.with_context(|| format!("can't use {}", db.describe()))?;
    if let Command::Verify(arguments) = command {
        let outcome = verify::database(&db, arguments, interrupted()?).await;
        db.close().await;
        return outcome;
    }
    let dead_letters: Arc<dyn DeadLetters> =
        Arc::new(Letters::sql(Arc::clone(&db), all_projectors()));
    let recovery = Arc::new(SqlRecovery::new(
        Arc::clone(&db),
        all_projectors(),
        Arc::clone(&dead_letters),
        Arc::new(SqlIdempotencyRecords::new(Arc::clone(&db))),
        Arc::new(UuidV7Ids),
        RecoverySettings::default(),
    ));
    let ports = Ports {
        projectors: Arc::new(SqlProjectors::new(Arc::clone(&db))),
        recovery: recovery.clone(),
        dead_letters,
        keys: Arc::new(SqlApiKeys::new(Arc::clone(&db), Arc::new(UuidV7Ids))),
        audit: Arc::new(SqlAuditLog::new(Arc::clone(&db), Arc::new(UuidV7Ids))),
        actor: actor::actor(),
    };
    let ports = ports.audited();
    let outcome = dispatch(&ports, command, config.outbox_retention).await;
    // What was left under way ends at its next page, so that whoever goes on need not wait for its
    // lease to run out.
    recovery.shutdown().await;
    db.close().await;
    outcome
}

async fn dispatch(
    ports: &Ports,
    command: &Command,
    outbox_retention: Duration,
) -> anyhow::Result<Outcome> {
    match command {
        Command::Projectors { action } => projectors::run(ports, action).await,
        Command::Rebuild(arguments) => rebuild::rebuild(ports, arguments, interrupted()?).await,
        Command::Drift(arguments) => drift::drift(ports, arguments, interrupted()?).await,
        Command::Retry(arguments) => retry::retry(ports, *arguments, interrupted()?).await,
        Command::Stats(output) => stats::stats(ports, *output).await,
        Command::Outbox { action } => outbox::run(ports, action, outbox_retention).await,
        Command::Idempotency { action } => idempotency::run(ports, action).await,
        Command::DeadLetters { action } => dead_letters::run(ports, action).await,
        Command::Keys { action } => keys::run(ports, action).await,
        Command::Audit(arguments) => audit::audit(ports, arguments).await,
        Command::Serve
        | Command::Worker
        | Command::Migrate { .. }
        | Command::Openapi
        | Command::Healthcheck { .. }
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Verify(_)
        | Command::Config(_) => {
            unreachable!("invariant: these are run before it comes to this")
        }
    }
}

/// Resolves when whoever waits has had enough: Ctrl-C or SIGTERM.
fn interrupted() -> anyhow::Result<impl Future<Output = ()>> {
    let context = "signals can't be received";
    let mut interrupt = signal(SignalKind::interrupt()).context(context)?;
    let mut terminate = signal(SignalKind::terminate()).context(context)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
