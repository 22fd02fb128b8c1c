//! Row 18: a projector stands still for longer than its lease, and goes on.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};
use wallex_testkit::{Backend, Server};

use super::Ran;
use super::projector::worker;
use crate::context::Context;
use crate::disk::is_frozen;
use crate::tables::Look;
use crate::trial::{Trial, Verdict};

/// A frozen trial takes long, so there are fewer of them.
const FEWER: u64 = 6;
/// A build for tests stands still between reading a batch and writing it.
const POINT: &str = "before-projection";
const PASSES_MAX: u64 = 4;
const LOOK: Duration = Duration::from_millis(10);
const WAIT_MAX: Duration = Duration::from_secs(60);
/// How long whoever was frozen has the tables to itself afterwards.
const WATCHED: Duration = Duration::from_secs(2);

pub(crate) async fn frozen(cx: &Context, backend: Backend) -> Result<Ran> {
    let settings = vec![("PROJECTORS_AUTO_START", "false".to_owned())];
    let trial = cx.trial(backend, 1, settings).await?;
    freeze(trial, cx.has_points).await.map(Ran::Done)
}

/// Freezes one worker after the other, in a trial whose server has no projectors.
async fn freeze(mut trial: Trial, has_points: bool) -> Result<Verdict> {
    let look = Look::at(&trial.stand.database).await?;
    note_what_goes_back(&look, trial.stand.backend()).await?;
    for _ in 0..trial.scale.injections.div_ceil(FEWER) {
        let mut holder = Vec::new();
        if has_points {
            let passes = trial.rng.u64(1..PASSES_MAX);
            holder.push(("WALLEX_FREEZE_AT", format!("{POINT}:{passes}")));
        }
        let holder = worker(&trial, &holder);
        until(async || Ok(look.number(HELD).await? > 0), "a lease is taken").await?;
        if has_points {
            until(async || Ok(is_frozen(&holder)), "it stands still").await?;
        } else {
            trial.busy().await?;
            holder.freeze();
            until(async || Ok(is_frozen(&holder)), "it stands still").await?;
        }
        if trial.stand.backend() == Backend::Sqlite {
            leaves_the_writer(&mut trial, &look, &holder).await?;
        }
        let began = Instant::now();
        let heir = worker(&trial, &[]);
        trial.busy().await?;
        trial.load.pause();
        sleep(trial.scale.frozen.saturating_sub(began.elapsed())).await;
        until(async || Ok(look.lag().await? == 0), "the heir catches up").await?;
        holder.thaw();
        trial.injected();
        sleep(WATCHED).await;
        trial.load.go_on();
        trial.busy().await?;
        drop((holder, heir));
    }
    let set_back = look.number(SET_BACK).await?;
    if set_back > 0 {
        trial.findings.add("fencing", format!("checkpoints were set back {set_back} times"));
    }
    let _last = worker(&trial, &[]);
    trial.finish().await
}

/// Who stands still in the middle of a transaction on a SQLite file holds the one writer that there is,
/// and everybody waits for that, whatever the lease says. So it stands still at another moment.
async fn leaves_the_writer(trial: &mut Trial, look: &Look, holder: &Server) -> Result<()> {
    while look.execute("BEGIN IMMEDIATE").await.is_err() {
        holder.thaw();
        sleep(Duration::from_millis(trial.rng.u64(1..200))).await;
        holder.freeze();
        until(async || Ok(is_frozen(holder)), "it stands still").await?;
    }
    // Nothing was written: that it can't be taken back would show in what comes next.
    look.execute("ROLLBACK").await.ok();
    Ok(())
}

const HELD: &str = "SELECT count(*) AS n FROM projector_checkpoints WHERE owner <> ''";

const SET_BACK: &str = "SELECT count(*) AS n FROM set_back";

/// Has the database note it when a checkpoint goes back: whoever looks from outside may come too late, because
/// the next batch takes it forward again.
async fn note_what_goes_back(look: &Look, backend: Backend) -> Result<()> {
    look.execute("CREATE TABLE set_back (position bigint)").await?;
    let triggers: &[&str] = match backend {
        Backend::Postgres => &[
            "CREATE FUNCTION set_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             INSERT INTO set_back VALUES (NEW.position); RETURN NULL; END $$",
            "CREATE TRIGGER set_back AFTER UPDATE ON projector_checkpoints FOR EACH ROW \
             WHEN (NEW.position < OLD.position) EXECUTE FUNCTION set_back()",
        ],
        Backend::Sqlite => &["CREATE TRIGGER set_back AFTER UPDATE ON projector_checkpoints \
             WHEN NEW.position < OLD.position BEGIN \
             INSERT INTO set_back VALUES (NEW.position); END"],
    };
    for sql in triggers {
        look.execute(sql).await?;
    }
    Ok(())
}

/// Waits for a condition.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> Result<bool>, what: &str) -> Result<()> {
    let deadline = Instant::now() + WAIT_MAX;
    while !holds().await? {
        ensure!(Instant::now() < deadline, "waited {WAIT_MAX:?} in vain: {what}");
        sleep(LOOK).await;
    }
    Ok(())
}
