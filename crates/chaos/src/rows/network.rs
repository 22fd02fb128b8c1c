//! Rows 7 and 8: the network between server and database.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, sleep};
use wallex_testkit::{Backend, Network, Proxy, TempDatabase};

use super::Ran;
use crate::context::Context;
use crate::stand::Settings;
use crate::trial::Trial;

/// A piece of data takes so long on a slow network.
const DELAY: Duration = Duration::from_millis(60);
/// How long a network is slow or gone.
const SHORT: Duration = Duration::from_millis(1_200);
/// A half-open network lasts longer than every deadline of [`settings`].
const LONG: Duration = Duration::from_millis(4_500);
/// Answers that vanish at once.
const SWALLOWED: u32 = 2;
/// How long it may take until one of them is that of a commit.
const LOOKUP_MAX: Duration = Duration::from_secs(120);
/// What the server says when it has to find out what became of a commit.
const LOOKED_UP: &str = "the answer to COMMIT was lost";

/// Short deadlines, so that a trial sees them pass.
fn settings() -> Settings {
    vec![
        ("WALLEX_DB_ACQUIRE_TIMEOUT_MS", "1000".to_owned()),
        ("WALLEX_COMMIT_DEADLINE_MS", "2000".to_owned()),
        ("WALLEX_COMMAND_TIMEOUT_MS", "4000".to_owned()),
    ]
}

/// A database behind a proxy, and both.
async fn behind_proxy(cx: &Context, backend: Backend) -> Result<(TempDatabase, Proxy, Trial)> {
    let database = cx.database(backend).await?;
    let port = cx.cluster()?.port();
    let proxy = Proxy::to(port).await?;
    let url = database.url().replace(&format!(":{port}/"), &format!(":{}/", proxy.port()));
    let trial = cx.begin(cx.scale, TempDatabase::at(url), 1, settings()).await?;
    Ok((database, proxy, trial))
}

/// Row 7.
pub(crate) async fn broken(cx: &Context, backend: Backend) -> Result<Ran> {
    if backend == Backend::Sqlite {
        return Ok(Ran::NotMeant);
    }
    let (_database, proxy, mut trial) = behind_proxy(cx, backend).await?;
    let kinds = [(Network::Cut, SHORT), (Network::HalfOpen, LONG), (Network::Slow(DELAY), SHORT)];
    for n in 0..trial.scale.injections.max(kinds.len() as u64) {
        let (network, time) = kinds[usize::try_from(n)? % kinds.len()];
        proxy.is(network);
        sleep(time).await;
        proxy.is(Network::Up);
        trial.injected();
        trial.recovers().await;
        trial.busy().await?;
    }
    trial.finish().await.map(Ran::Done)
}

/// Row 8.
pub(crate) async fn answer_swallowed(cx: &Context, backend: Backend) -> Result<Ran> {
    if backend == Backend::Sqlite {
        return Ok(Ran::NotMeant);
    }
    let (_database, proxy, mut trial) = behind_proxy(cx, backend).await?;
    for _ in 0..trial.scale.injections {
        let before = lookups(&trial);
        let deadline = Instant::now() + LOOKUP_MAX;
        // Any answer may be hit; what counts is that of a commit.
        while lookups(&trial) == before {
            ensure!(Instant::now() < deadline, "{} answers swallowed in vain", proxy.swallowed());
            proxy.swallow(SWALLOWED);
            trial.busy().await?;
        }
        proxy.swallow(0);
        trial.injected();
        trial.recovers().await;
    }
    trial.finish().await.map(Ran::Done)
}

fn lookups(trial: &Trial) -> usize {
    trial.stand.servers[0].logs().lines().filter(|line| line.contains(LOOKED_UP)).count()
}
