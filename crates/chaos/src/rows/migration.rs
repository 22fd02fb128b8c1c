//! Row 20: a later migration under load, which is interrupted.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use tokio::time::{Duration, sleep};
use wallex_testkit::{Backend, ServerBuilder, wallex_binary};

use super::Ran;
use crate::context::Context;
use crate::trial::Trial;

/// A build for tests has one step more when this is set: a slow one, on a table that commands need.
const STEP: &str = "WALLEX_TEST_MIGRATION";
/// Names a build for tests, which migrates where the servers are a release build.
const MIGRATOR: &str = "WALLEX_CHAOS_MIGRATOR";
/// The migration is killed within this long, which is less than it takes.
const KILLED_WITHIN_MS: u64 = 900;

pub(crate) async fn interrupted(cx: &Context, backend: Backend) -> Result<Ran> {
    let Some(migrator) = migrator(cx) else {
        let why =
            "a release build has no migration for tests, and WALLEX_CHAOS_MIGRATOR names no other";
        return Ok(Ran::NotRun(why.to_owned()));
    };
    let mut trial = cx.trial(backend, 1, Vec::new()).await?;
    for _ in 0..trial.scale.injections {
        let mut killed = migrate(&migrator, &trial, &["migrate", "up"]).spawn();
        sleep(Duration::from_millis(trial.rng.u64(100..KILLED_WITHIN_MS))).await;
        killed.kill_nine();
        trial.injected();
        trial.recovers().await;
        complete(&migrator, &trial, &["migrate", "up"]).await?;
        trial.recovers().await;
        trial.busy().await?;
        complete(&migrator, &trial, &["migrate", "down", "--steps", "1", "--yes"]).await?;
        trial.recovers().await;
    }
    trial.finish().await.map(Ran::Done)
}

fn migrator(cx: &Context) -> Option<PathBuf> {
    if cx.has_points {
        return Some(wallex_binary());
    }
    std::env::var_os(MIGRATOR).map(PathBuf::from)
}

fn migrate(migrator: &Path, trial: &Trial, arguments: &[&str]) -> ServerBuilder {
    let builder = ServerBuilder::of(migrator, arguments);
    builder.env("DATABASE_URL", trial.stand.database.url()).env(STEP, "true")
}

async fn complete(migrator: &Path, trial: &Trial, arguments: &[&str]) -> Result<()> {
    let mut migration = migrate(migrator, trial, arguments).spawn();
    let status = migration.wait().await;
    ensure!(status.success(), "{arguments:?} ended with {status}: {}", migration.logs());
    Ok(())
}
