//! Rows 4 to 6: what happens to the database, or in it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::task::block_in_place;
use tokio::time::sleep;
use wallex_testkit::Backend;

use super::Ran;
use super::nodes::all_at_once;
use crate::command::{Action, Command};
use crate::context::Context;
use crate::tables::Look;
use crate::trial::Trial;

/// How soon a server gives a connection up that it does not get.
const ACQUIRE_MS: &str = "1000";

/// What makes the transaction that creates a wallet of this name slow, once it has its position.
fn slow_wallets(backend: Backend) -> [&'static str; 2] {
    match backend {
        Backend::Postgres => [
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.wallet_id LIKE 'slow-%' THEN PERFORM pg_sleep(0.8); END IF; \
             RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON events DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION slow()",
        ],
        Backend::Sqlite => [
            "CREATE TRIGGER slow AFTER INSERT ON events WHEN NEW.wallet_id LIKE 'slow-%' BEGIN \
             SELECT (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c \
             WHERE n < 2000000) SELECT max(n) FROM c); END",
            "SELECT 1",
        ],
    }
}

/// Row 4.
pub(crate) async fn early_position(cx: &Context, backend: Backend) -> Result<Ran> {
    let mut trial = cx.trial(backend, 2, Vec::new()).await?;
    let look = Look::at(&trial.stand.database).await?;
    for sql in slow_wallets(backend) {
        look.execute(sql).await?;
    }
    for n in 0..trial.scale.injections {
        let wallet = Some(format!("slow-{n}"));
        let action = Action::Create { wallet, currency: None, balance: 5 };
        let mark = format!("slow-{n}");
        let command = Arc::new(Command { mark, action, keyed: true, if_match: None });
        all_at_once(&trial, [command]).await;
        trial.injected();
        trial.recovers().await;
        trial.busy().await?;
    }
    trial.finish().await.map(Ran::Done)
}

/// Row 5.
pub(crate) async fn crash(cx: &Context, backend: Backend) -> Result<Ran> {
    if backend == Backend::Sqlite {
        return Ok(Ran::NotMeant);
    }
    let settings = vec![("WALLEX_DB_ACQUIRE_TIMEOUT_MS", ACQUIRE_MS.to_owned())];
    let mut trial = cx.trial(backend, 1, settings).await?;
    for _ in 0..trial.scale.injections {
        let away = Duration::from_millis(trial.rng.u64(0..600));
        block_in_place(|| cx.cluster()?.crash())?;
        sleep(away).await;
        block_in_place(|| cx.cluster()?.start_again())?;
        trial.injected();
        trial.recovers().await;
        trial.busy().await?;
    }
    trial.finish().await.map(Ran::Done)
}

/// Row 6.
pub(crate) async fn terminated(cx: &Context, backend: Backend) -> Result<Ran> {
    if backend == Backend::Sqlite {
        return Ok(Ran::NotMeant);
    }
    let mut trial = cx.trial(backend, 1, Vec::new()).await?;
    for _ in 0..trial.scale.injections {
        terminate_all(&trial).await?;
        trial.injected();
        trial.recovers().await;
        trial.busy().await?;
    }
    trial.finish().await.map(Ran::Done)
}

/// Ends every connection but our own.
pub(crate) async fn terminate_all(trial: &Trial) -> Result<()> {
    let look = Look::at(&trial.stand.database).await?;
    let sql = "SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    look.rows(sql).await.map(drop)
}
