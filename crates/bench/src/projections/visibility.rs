//! How long a wallet that was created takes to be visible in the read model.
//!
//! Creates arrive at a fixed rate, whether or not those before are answered (an open loop), so that
//! a server that falls behind shows it. Of some, right after the answer, the same task asks the read
//! model on a new connection; that request is answered when the wallet is there.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::load::{Client, Failure, Timing, latencies, per_second, record};
use crate::wallet::{NewWallet, NewWallets};

/// Of so many creates one is looked for.
pub(crate) const SAMPLED: u32 = 20;
/// How long what is under way at the end may take.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(60);

/// Can see what is projected.
pub(crate) trait Watcher {
    /// Returns when `wallet` is visible in the read model.
    async fn see(&mut self, wallet: &NewWallet) -> Result<(), Failure>;
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Visibility {
    /// Creates that arrived each second.
    pub(crate) offered: f64,
    /// Creates that were acknowledged in the measured time, each second.
    pub(crate) rate: f64,
    /// From a create's answer to the answer of the read model, in microseconds.
    pub(crate) latencies_us: Histogram<u64>,
    pub(crate) errors: u64,
    /// What the first of them said.
    pub(crate) first_error: Option<String>,
}

struct Shared {
    wallets: NewWallets,
    start: Instant,
    timing: Timing,
    interval: Duration,
    arrived: Cell<u32>,
    tally: RefCell<Tally>,
}

struct Tally {
    latencies_us: Histogram<u64>,
    acknowledged: u64,
    errors: u64,
    first_error: Option<String>,
}

/// Has wallets created at the rate of `offered` a second, each pair one at a time.
pub(crate) async fn measure<C: Client + 'static, W: Watcher + 'static>(
    pairs: Vec<(C, W)>,
    wallets: &NewWallets,
    timing: Timing,
    offered: f64,
) -> Result<Visibility> {
    let tally = Tally { latencies_us: latencies()?, acknowledged: 0, errors: 0, first_error: None };
    let shared = Rc::new(Shared {
        wallets: wallets.clone(),
        start: Instant::now(),
        timing,
        interval: Duration::try_from_secs_f64(1.0 / offered).context("no rate to offer")?,
        arrived: Cell::new(0),
        tally: RefCell::new(tally),
    });
    let mut tasks = JoinSet::new();
    for (client, watcher) in pairs {
        tasks.spawn_local(drive(client, watcher, Rc::clone(&shared)));
    }
    timeout(timing.warm_up + timing.measured + LAST_ANSWERS_MAX, tasks.join_all())
        .await
        .context("creates were sent and never answered or never seen")?;
    let shared = Rc::into_inner(shared).context("a connection still counts")?;
    let Tally { latencies_us, acknowledged, errors, first_error } = shared.tally.into_inner();
    let rate = per_second(acknowledged, timing.measured);
    Ok(Visibility { offered, rate, latencies_us, errors, first_error })
}

async fn drive<C: Client, W: Watcher>(mut client: C, mut watcher: W, shared: Rc<Shared>) {
    let from = shared.start + shared.timing.warm_up;
    let until = from + shared.timing.measured;
    loop {
        let number = shared.arrived.get();
        let due = shared.start + shared.interval * number;
        if due >= until {
            return;
        }
        shared.arrived.set(number + 1);
        sleep_until(due).await;
        let wallet = shared.wallets.next();
        let mut outcome = client.create(&wallet).await;
        let answered = Instant::now();
        let is_measured = (from..until).contains(&answered);
        if outcome.is_ok() && is_measured {
            shared.tally.borrow_mut().acknowledged += 1;
        }
        if outcome.is_ok() && number.is_multiple_of(SAMPLED) {
            outcome = watcher.see(&wallet).await;
            if outcome.is_ok() && is_measured {
                record(&mut shared.tally.borrow_mut().latencies_us, answered.elapsed());
            }
        }
        if let Err(failure) = outcome {
            let lost = matches!(failure, Failure::Lost(_));
            let mut tally = shared.tally.borrow_mut();
            tally.errors += 1;
            let error = || format!("{:#}", anyhow::Error::from(failure));
            tally.first_error.get_or_insert_with(error);
            if lost {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;

    use super::*;
    use crate::load::percentile_ms;

    /// Takes so many milliseconds for everything.
    struct Slow(u64);

    impl Client for Slow {
        async fn create(&mut self, _: &NewWallet) -> Result<(), Failure> {
            tokio::time::sleep(Duration::from_millis(self.0)).await;
            Ok(())
        }
    }

    impl Watcher for Slow {
        async fn see(&mut self, wallet: &NewWallet) -> Result<(), Failure> {
            self.create(wallet).await
        }
    }

    async fn run(create_ms: u64, see_ms: u64) -> Visibility {
        let pairs = (0..10).map(|_| (Slow(create_ms), Slow(see_ms))).collect();
        let timing = Timing { warm_up: Duration::from_secs(1), measured: Duration::from_secs(4) };
        let wallets = NewWallets::default();
        let measuring = measure(pairs, &wallets, timing, 100.0);
        LocalSet::new().run_until(measuring).await.expect("it ends")
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_measured_begins_with_the_answer_to_the_create() {
        let Visibility { rate, latencies_us, errors, .. } = run(20, 30).await;
        assert!((98.0..=100.0).contains(&rate), "{rate}");
        assert_eq!(errors, 0);
        assert!((19..=20).contains(&latencies_us.len()), "{}", latencies_us.len());
        assert!((29.0..=32.0).contains(&percentile_ms(&latencies_us, 50.0)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_too_slow_for_the_rate_shows_in_what_is_acknowledged() {
        let Visibility { offered, rate, .. } = run(200, 10).await;
        assert!(rate < offered * 0.6, "{rate}");
    }
}
