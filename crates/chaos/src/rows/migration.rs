//! Row 20: a later migration under load, which is interrupted.

use anyhow::{Result, ensure};
use tokio::time::{Duration, sleep};
use wallex_testkit::{Backend, ServerBuilder};

use super::Ran;
use crate::context::Context;
use crate::stand::wallex;
use crate::trial::Trial;

/// A build for tests has one step more when this is set: a slow one, on a table that commands need.
const STEP: &str = "WALLEX_TEST_MIGRATION";
/// The migration is killed within this long, which is less than it takes.
const KILLED_WITHIN_MS: u64 = 900;

pub(crate) async fn interrupted(cx: &Context, backend: Backend) -> Result<Ran> {
    if !cx.has_points {
        return Ok(Ran::NotRun("a release build has no migration for tests".to_owned()));
    }
    let mut trial = cx.trial(backend, 1, Vec::new()).await?;
    for _ in 0..trial.scale.injections {
        let mut killed = migrate(&trial, &["migrate", "up"]).spawn();
        sleep(Duration::from_millis(trial.rng.u64(100..KILLED_WITHIN_MS))).await;
        killed.kill_nine();
        trial.injected();
        trial.recovers().await;
        complete(&trial, &["migrate", "up"]).await?;
        trial.recovers().await;
        trial.busy().await?;
        complete(&trial, &["migrate", "down", "--steps", "1", "--yes"]).await?;
        trial.recovers().await;
    }
    trial.finish().await.map(Ran::Done)
}

fn migrate(trial: &Trial, arguments: &[&str]) -> ServerBuilder {
    let step = [(STEP, "true".to_owned())];
    wallex(trial.stand.database.url(), arguments, &step)
}

async fn complete(trial: &Trial, arguments: &[&str]) -> Result<()> {
    let mut migration = migrate(trial, arguments).spawn();
    let status = migration.wait().await;
    ensure!(status.success(), "{arguments:?} ended with {status}: {}", migration.logs());
    Ok(())
}
