//! A closed loop: each connection sends its next create as soon as it has the answer to the last.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use thiserror::Error;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::wallet::{NewWallet, NewWallets};

/// How long the creates that are under way at the end may take.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(30);
/// Latencies above this count as this, in microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;
/// Three digits: a latency is recorded within 0.1 %.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Why a wallet was not created, as far as the client knows.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The answer was another than it should be.
    #[error("{0}")]
    Refused(String),
    /// There was no answer, and there is no connection any more.
    #[error("the connection was lost")]
    Lost(#[from] std::io::Error),
}

/// One connection.
pub(crate) trait Client {
    /// Creates `wallet`. When this returns, it is durable.
    async fn create(&mut self, wallet: &NewWallet) -> Result<(), Failure>;
}

/// How long a load takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// At the start, and not measured: connections open, caches fill.
    pub(crate) warm_up: Duration,
    /// What is measured.
    pub(crate) measured: Duration,
}

/// What came of a load.
#[derive(Debug, Clone)]
pub(crate) struct Measurement {
    pub(crate) connections: usize,
    /// Of the creates that were acknowledged in the measured time, in microseconds.
    pub(crate) latencies_us: Histogram<u64>,
    /// Acknowledged in the measured time, each second.
    pub(crate) rate: f64,
    /// Acknowledged at all, before and after the measured time too.
    pub(crate) acknowledged: u64,
    pub(crate) errors: u64,
    /// What the first of them said.
    pub(crate) first_error: Option<String>,
}

impl Measurement {
    /// The latency that so many percent of the creates stayed within, in milliseconds.
    pub(crate) fn percentile_ms(&self, percent: f64) -> f64 {
        percentile_ms(&self.latencies_us, percent)
    }
}

/// What so many percent of the latencies, which are in microseconds, stayed within: milliseconds.
pub(crate) fn percentile_ms(latencies_us: &Histogram<u64>, percent: f64) -> f64 {
    let latency_us = latencies_us.value_at_percentile(percent);
    Duration::from_micros(latency_us).as_secs_f64() * 1_000.0
}

/// For latencies in microseconds, none of them yet.
pub(crate) fn latencies() -> Result<Histogram<u64>> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, SIGNIFICANT_DIGITS).context("the histogram")
}

/// Counts a latency.
pub(crate) fn record(latencies_us: &mut Histogram<u64>, latency: Duration) {
    latencies_us.saturating_record(latency.as_micros().try_into().unwrap_or(u64::MAX));
}

struct Tally {
    latencies_us: Histogram<u64>,
    acknowledged: u64,
    errors: u64,
    first_error: Option<String>,
}

/// Has every client create wallets until the time is over. To be called within a `LocalSet`: the
/// clients share one thread, because the server and the database need the cores more.
pub(crate) async fn run<C: Client + 'static>(
    clients: Vec<C>,
    wallets: &NewWallets,
    timing: Timing,
) -> Result<Measurement> {
    let connections = clients.len();
    let latencies_us = latencies()?;
    let tally = Tally { latencies_us, acknowledged: 0, errors: 0, first_error: None };
    let tally = Rc::new(RefCell::new(tally));
    let from = Instant::now() + timing.warm_up;
    let until = from + timing.measured;
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn_local(drive(client, wallets.clone(), tally.clone(), from, until));
    }
    timeout(timing.warm_up + timing.measured + LAST_ANSWERS_MAX, tasks.join_all())
        .await
        .context("creates were sent and never answered")?;
    let tally = Rc::into_inner(tally).context("a client still counts")?.into_inner();
    let Tally { latencies_us, acknowledged, errors, first_error } = tally;
    let rate = per_second(latencies_us.len(), timing.measured);
    Ok(Measurement { connections, latencies_us, rate, acknowledged, errors, first_error })
}

async fn drive<C: Client>(
    mut client: C,
    wallets: NewWallets,
    tally: Rc<RefCell<Tally>>,
    from: Instant,
    until: Instant,
) {
    let mut sent = Instant::now();
    while sent < until {
        let outcome = client.create(&wallets.next()).await;
        let answered = Instant::now();
        let mut tally = tally.borrow_mut();
        match outcome {
            Ok(()) => {
                tally.acknowledged += 1;
                if (from..until).contains(&answered) {
                    record(&mut tally.latencies_us, answered - sent);
                }
            }
            Err(failure) => {
                tally.errors += 1;
                let lost = matches!(failure, Failure::Lost(_));
                tally
                    .first_error
                    .get_or_insert_with(|| format!("{:#}", anyhow::Error::from(failure)));
                if lost {
                    return;
                }
            }
        }
        sent = answered;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
pub(crate) fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::*;

    /// Takes 10 ms for a create, and fails as `failures` says.
    struct Scripted {
        failures: Vec<Failure>,
    }

    impl Client for Scripted {
        async fn create(&mut self, _: &NewWallet) -> Result<(), Failure> {
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.failures.pop().map_or(Ok(()), Err)
        }
    }

    async fn run_scripted(clients: Vec<Scripted>) -> Measurement {
        let timing = Timing { warm_up: Duration::from_secs(1), measured: Duration::from_secs(5) };
        let wallets = NewWallets::default();
        LocalSet::new().run_until(run(clients, &wallets, timing)).await.expect("it ends")
    }

    #[tokio::test(start_paused = true)]
    async fn the_warm_up_counts_as_acknowledged_and_is_not_measured() {
        let clients = vec![Scripted { failures: vec![] }, Scripted { failures: vec![] }];
        let measurement = run_scripted(clients).await;
        assert_eq!(measurement.acknowledged, 1_200);
        assert!((199.0..=200.0).contains(&measurement.rate), "{}", measurement.rate);
        assert!((9.9..=11.1).contains(&measurement.percentile_ms(50.0)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_an_error_and_a_lost_connection_the_end_of_one() {
        let lost = || std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let clients = vec![
            Scripted { failures: vec![Failure::Refused("503".to_owned())] },
            Scripted { failures: vec![Failure::Lost(lost())] },
        ];
        let measurement = run_scripted(clients).await;
        assert_eq!((measurement.errors, measurement.acknowledged), (2, 599));
        assert_eq!(measurement.first_error.as_deref(), Some("503"));
    }
}
