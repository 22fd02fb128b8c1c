//! Row 14: no connection to the database is free.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::time::sleep;
use wallex_testkit::Backend;

use super::Ran;
use super::clients::check_live;
use super::nodes::all_at_once;
use crate::command::{Action, Command};
use crate::context::Context;
use crate::history::Outcome;
use crate::tables::Look;

const CLIENTS: usize = 500;
/// Long enough for every deadline below.
const HELD: Duration = Duration::from_millis(3_500);

pub(crate) async fn exhausted(cx: &Context, backend: Backend) -> Result<Ran> {
    let settings = vec![
        ("WALLEX_DB_WRITE_CONNECTIONS", "1".to_owned()),
        ("WALLEX_DB_READ_CONNECTIONS", "1".to_owned()),
        ("WALLEX_DB_ACQUIRE_TIMEOUT_MS", "500".to_owned()),
        ("WALLEX_COMMIT_DEADLINE_MS", "1500".to_owned()),
        ("WALLEX_COMMAND_TIMEOUT_MS", "2500".to_owned()),
        // Few wait, so that many are told at once to come back.
        ("WALLEX_LANE_QUEUE_LEN_MAX", "100".to_owned()),
    ];
    let mut trial = cx.trial(backend, 1, settings).await?;
    let look = Look::at(&trial.stand.database).await?;
    for n in 0..trial.scale.injections.div_ceil(2) {
        // Nobody can commit while this transaction is open.
        match backend {
            Backend::Postgres => {
                look.execute("BEGIN").await?;
                look.execute("UPDATE shard_heads SET position = position").await?;
            }
            Backend::Sqlite => look.execute("BEGIN IMMEDIATE").await?,
        }
        let commands = (0..CLIENTS).map(|client| {
            let wallet = format!("hot-{}", client % 6);
            let action = Action::Credit { wallet, amount: 1 };
            let mark = format!("crowd-{n}-{client}");
            Arc::new(Command { mark, action, keyed: true, if_match: None })
        });
        let (outcomes, ()) = tokio::join!(all_at_once(&trial, commands), sleep(HELD));
        let address = trial.stand.servers[0].address().to_owned();
        check_live(&mut trial, &address).await;
        look.execute("ROLLBACK").await?;
        trial.injected();
        let shed = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::NotDone(_))).count();
        if shed == 0 {
            let some = outcomes.first();
            trial
                .findings
                .add("pool", format!("none of {CLIENTS} was told to come back: {some:?}"));
        }
        trial.recovers().await;
        trial.busy().await?;
    }
    trial.finish().await.map(Ran::Done)
}
