//! Rows 16 and 17: two servers on one database.

use std::sync::Arc;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use wallex_testkit::Backend;

use super::Ran;
use crate::command::{Action, Command};
use crate::context::Context;
use crate::history::Outcome;
use crate::http::Connection;
use crate::trial::Trial;

/// How often one command is sent, to both servers in turn, all at once.
const SAME: usize = 200;
const DRAINED: i64 = 1_000;
const DEBIT: i64 = 7;
/// More debits than the wallet can pay.
const DEBITS: usize = 250;

/// How often the drained wallet is filled through one server and emptied through the other.
const TOP_UPS: usize = 6;

/// Row 16.
pub(crate) async fn one_key(cx: &Context, backend: Backend) -> Result<Ran> {
    let mut trial = cx.trial(backend, 2, Vec::new()).await?;
    for n in 0..trial.scale.injections {
        let hot = |n: u64| format!("hot-{}", n % 3);
        let action = match n % 4 {
            0 => Action::Credit { wallet: hot(n), amount: 3 },
            1 => Action::Create { wallet: None, currency: None, balance: 9 },
            2 => Action::Transfer { from: hot(n), to: hot(n + 1), amount: 1 },
            // A refusal is an answer, too, and stays it.
            _ => Action::Debit { wallet: hot(n), amount: 1 << 40 },
        };
        let command = command(format!("same-{n}"), action);
        let outcomes = all_at_once(&trial, (0..SAME).map(|_| Arc::clone(&command))).await;
        trial.injected();
        let answered = outcomes.iter().filter(|outcome| outcome.is_served()).count();
        ensure!(answered > 0, "none of {SAME} was answered: {:?}", outcomes.first());
    }
    trial.finish().await.map(Ran::Done)
}

/// Row 17.
pub(crate) async fn drain(cx: &Context, backend: Backend) -> Result<Ran> {
    let mut trial = cx.trial(backend, 2, Vec::new()).await?;
    for n in 0..trial.scale.injections {
        let wallet = format!("drained-{n}");
        let opening =
            Action::Create { wallet: Some(wallet.clone()), currency: None, balance: DRAINED };
        all_at_once(&trial, [command(format!("drain-{n}"), opening)]).await;
        let debits = (0..DEBITS).map(|d| {
            let action = Action::Debit { wallet: wallet.clone(), amount: DEBIT };
            command(format!("drain-{n}-{d}"), action)
        });
        let outcomes = all_at_once(&trial, debits).await;
        trial.injected();
        let count = |wanted: fn(&Outcome) -> bool| outcomes.iter().filter(|o| wanted(o)).count();
        let paid = count(|outcome| matches!(outcome, Outcome::Ok(_)));
        let open = outcomes.len() - paid - count(|outcome| matches!(outcome, Outcome::Refused(_)));
        let due = usize::try_from(DRAINED / DEBIT)?;
        // What was not answered may have paid, or not: the checker knows in the end.
        if paid > due || paid + open < due {
            trial.findings.add("drain", format!("{paid} of {due} were paid, {open} not answered"));
        }
        top_up_and_take_out(&trial, &wallet).await;
    }
    trial.finish().await.map(Ran::Done)
}

/// What comes in through one server goes out through the other, which knows best that nothing is left.
async fn top_up_and_take_out(trial: &Trial, wallet: &str) {
    for n in 0..TOP_UPS {
        let amount = DRAINED;
        let credit = Action::Credit { wallet: wallet.to_owned(), amount };
        let debit = Action::Debit { wallet: wallet.to_owned(), amount };
        for (turn, action) in [credit, debit.clone(), debit].into_iter().enumerate() {
            let mut command = command(format!("{wallet}-{n}-{turn}"), action);
            // A refusal that is kept with a key is verified with it; one without rests on the read alone.
            Arc::make_mut(&mut command).keyed = n % 2 == 0;
            let server = n + usize::from(turn > 0);
            trial.load.shared.send(&mut Connection::default(), server, &command).await;
        }
    }
}

fn command(mark: String, action: Action) -> Arc<Command> {
    Arc::new(Command { mark, action, keyed: true, if_match: None })
}

/// Sends all `commands` at once, every other one to the other server; the answers.
pub(crate) async fn all_at_once(
    trial: &Trial,
    commands: impl IntoIterator<Item = Arc<Command>>,
) -> Vec<Outcome> {
    let sending: JoinSet<_> = commands
        .into_iter()
        .enumerate()
        .map(|(n, command)| {
            let shared = Arc::clone(&trial.load.shared);
            async move { shared.send(&mut Connection::default(), n, &command).await }
        })
        .collect();
    sending.join_all().await.into_iter().flatten().collect()
}
