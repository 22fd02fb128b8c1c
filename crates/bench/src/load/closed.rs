//! A closed loop: each connection sends its next request as soon as it has the answer to the last.

use std::cell::RefCell;
use std::future::ready;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::measurement::{Measurement, Tally, Timing, Window};
use super::{Client, Failure, Worker};
use crate::effect::Effect;
use crate::wallet::{INITIAL_BALANCE, NewWallets};

/// How long the requests that are under way at the end may take.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(30);

/// Has every worker work until the time is over. To be called within a `LocalSet`: they share one
/// thread, because the server and the database need the cores more.
pub(crate) async fn run<W: Worker + 'static>(
    workers: Vec<W>,
    timing: Timing,
) -> Result<Measurement> {
    Ok(run_beside(workers, timing, |_| ready(())).await?.0)
}

/// The same, with something else that happens meanwhile, on the same thread.
pub(crate) async fn run_beside<W: Worker + 'static, F: Future>(
    workers: Vec<W>,
    timing: Timing,
    beside: impl FnOnce(Window) -> F,
) -> Result<(Measurement, F::Output)> {
    let connections = workers.len();
    let window = timing.window();
    let tally = Rc::new(RefCell::new(Tally::new(window)?));
    let mut tasks = JoinSet::new();
    for worker in workers {
        tasks.spawn_local(drive(worker, tally.clone(), window.until));
    }
    let limit = timing.warm_up + timing.measured + LAST_ANSWERS_MAX;
    let (ended, besides) = tokio::join!(timeout(limit, tasks.join_all()), beside(window));
    ended.context("requests were sent and never answered")?;
    let tally = Rc::into_inner(tally).context("a worker still counts")?.into_inner();
    let mut measurement = tally.finish(connections);
    // Here nobody means to ask for too much.
    if !measurement.overloaded_us.is_empty() {
        measurement.errors += measurement.overloaded_us.len();
        measurement.first_error.get_or_insert_with(|| Failure::Overloaded.to_string());
    }
    Ok((measurement, besides))
}

async fn drive<W: Worker>(mut worker: W, tally: Rc<RefCell<Tally>>, until: Instant) {
    let mut sent = Instant::now();
    while sent < until {
        let outcome = worker.once().await;
        let answered = Instant::now();
        if !tally.borrow_mut().count(outcome, (sent, answered)) {
            return;
        }
        sent = answered;
    }
}

/// A connection that creates one new wallet after the other.
pub(crate) struct Creating<C> {
    client: C,
    wallets: NewWallets,
}

impl<C> Creating<C> {
    pub(crate) fn new(client: C, wallets: &NewWallets) -> Self {
        Self { client, wallets: wallets.clone() }
    }
}

impl<C: Client> Worker for Creating<C> {
    async fn once(&mut self) -> Result<Effect, Failure> {
        self.client.create(&self.wallets.next()).await?;
        Ok(Effect::creates(1, INITIAL_BALANCE))
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::*;

    /// Takes 10 ms for a request, and fails as `failures` says.
    struct Scripted {
        failures: Vec<Failure>,
    }

    impl Worker for Scripted {
        async fn once(&mut self) -> Result<Effect, Failure> {
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.failures.pop().map_or(Ok(Effect::creates(1, 100)), Err)
        }
    }

    async fn run_scripted(workers: Vec<Scripted>) -> Measurement {
        let timing = Timing { warm_up: Duration::from_secs(1), measured: Duration::from_secs(5) };
        LocalSet::new().run_until(run(workers, timing)).await.expect("it ends")
    }

    #[tokio::test(start_paused = true)]
    async fn the_warm_up_counts_as_acknowledged_and_is_not_measured() {
        let workers = vec![Scripted { failures: vec![] }, Scripted { failures: vec![] }];
        let measurement = run_scripted(workers).await;
        assert_eq!(measurement.effect, Effect::creates(1_200, 100));
        assert!((199.0..=200.0).contains(&measurement.rate), "{}", measurement.rate);
        assert!((9.9..=11.1).contains(&measurement.percentile_ms(50.0)));
        assert_eq!(measurement.slices.len(), 20);
        assert!(measurement.slices.iter().all(|rate| (180.0..=220.0).contains(rate)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_an_error_and_a_lost_connection_the_end_of_one() {
        let lost = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let workers = vec![
            Scripted { failures: vec![Failure::Refused("no".to_owned())] },
            Scripted { failures: vec![Failure::Lost(lost())] },
        ];
        let measurement = run_scripted(workers).await;
        assert_eq!((measurement.errors, measurement.effect.commands), (2, 599));
        assert_eq!(measurement.first_error.as_deref(), Some("no"));
    }
}
