//! Row 3: a projector dies.

use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;
use wallex_testkit::{Backend, Server};

use super::Ran;
use super::kill::dies;
use crate::context::Context;
use crate::stand::{Settings, wallex};
use crate::trial::Trial;

/// A build for tests dies at these; both are inside the transaction that holds effect and checkpoint,
/// the last is behind it.
const POINTS: [&str; 3] =
    ["between-checkpoint-and-effect", "between-effect-and-commit", "behind-projection"];
const PASSES_MAX: u64 = 4;
/// A worker that is killed by chance has had this long to take a lease and begin.
const WORK: Duration = Duration::from_millis(700);

pub(crate) async fn killed(cx: &Context, backend: Backend) -> Result<Ran> {
    // The projectors run in a process of their own: killing it interrupts no client.
    let settings = vec![("PROJECTORS_AUTO_START", "false".to_owned())];
    let mut trial = cx.trial(backend, 1, settings).await?;
    for n in 0..trial.scale.injections {
        let point = POINTS[usize::try_from(n).unwrap_or(0) % POINTS.len()];
        if cx.has_points {
            let at = format!("{point}:{}", trial.rng.u64(1..PASSES_MAX));
            dies(&mut worker(&trial, &[("WALLEX_CRASH_AT", at)])).await;
        } else {
            let mut worker = worker(&trial, &[]);
            sleep(WORK.mul_f64(1.0 + trial.rng.f64())).await;
            worker.kill_nine();
        }
        trial.injected();
        trial.busy().await?;
    }
    let _last = worker(&trial, &[]);
    trial.finish().await.map(Ran::Done)
}

/// A process that only projects.
pub(crate) fn worker(trial: &Trial, settings: &[(&'static str, String)]) -> Server {
    let settings: Settings = [&trial.stand.settings[..], settings].concat();
    wallex(trial.stand.database.url(), &["worker"], &settings).spawn()
}
