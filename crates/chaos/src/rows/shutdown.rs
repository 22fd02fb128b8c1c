//! Row 25: the server is asked to stop.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Result;
use wallex_testkit::Backend;

use super::Ran;
use crate::context::Context;
use crate::history::{Asked, Outcome};
use crate::tables::Look;
use crate::trial::Trial;

pub(crate) async fn under_load(cx: &Context, backend: Backend) -> Result<Ran> {
    let mut trial = cx.trial(backend, 1, Vec::new()).await?;
    for _ in 0..trial.scale.injections {
        let asked = trial.load.shared.history.now();
        trial.stand.servers[0].terminate();
        let status = trial.stand.servers[0].wait().await;
        trial.injected();
        if !status.success() {
            trial.findings.add("shutdown", format!("it ended with {status}"));
        }
        check_dropped(&mut trial, asked).await?;
        trial.restart(0).await;
        trial.recovers().await;
        trial.busy().await?;
    }
    trial.finish().await.map(Ran::Done)
}

/// A connection may break off before its next request was read. What was read, and done, is answered.
async fn check_dropped(trial: &mut Trial, asked: u64) -> Result<()> {
    let look = Look::at(&trial.stand.database).await?;
    let done: BTreeSet<String> =
        look.tables().await?.events.into_iter().map(|event| event.mark).collect();
    for entry in trial.load.shared.history.entries() {
        let Asked::Command(command) = &entry.asked else { continue };
        let cut = entry.ended >= asked && matches!(entry.outcome, Outcome::Unknown(_));
        if cut && done.contains(&command.mark) && !was_answered(trial, command) {
            trial.findings.add("shutdown", format!("done, and broken off: {command}"));
        }
    }
    Ok(())
}

/// Whether some other sending of the command was answered.
fn was_answered(trial: &Trial, command: &Arc<crate::command::Command>) -> bool {
    trial.load.shared.history.entries().iter().any(|entry| {
        matches!(&entry.asked, Asked::Command(other) if other.mark == command.mark)
            && matches!(entry.outcome, Outcome::Ok(_))
    })
}
