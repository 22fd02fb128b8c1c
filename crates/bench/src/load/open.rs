//! An open loop: requests arrive at a fixed rate, whether or not those before are answered.
//!
//! Latency is counted from when a request should have started, so a server that falls behind, and a
//! generator that does, show it: nothing is left out because nobody could ask ("coordinated
//! omission"). An arrival takes an idle connection; where there is none, another one is opened, up
//! to a bound; beyond that it waits in a queue, and its time runs.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::measurement::{Measurement, Tally, Timing, Window};
use super::{Failure, Worker};

/// The timer's own grain: what is due is sent by then.
const TICK: Duration = Duration::from_millis(1);
/// How long the requests that are under way at the end may take.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(60);
/// A connection that had nothing to do for longer is opened anew before it is used: servers close
/// those that are silent, and what is sent meanwhile is lost.
const IDLE_MAX: Duration = Duration::from_secs(2);
/// Connections that may be opening at the same time: the server's backlog has room for them.
const CONNECTING_MAX: usize = 256;

/// What is offered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offered {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Connections that are open from the start.
    pub(crate) connections: usize,
    /// Connections that may be open at last.
    pub(crate) connections_max: usize,
}

/// The moments at which requests are to start: one interval after the other, for ever.
#[derive(Debug)]
struct Arrivals {
    start: Instant,
    interval: Duration,
    passed: u32,
}

impl Arrivals {
    fn new(start: Instant, rate: f64) -> Result<Self> {
        ensure!(rate > 0.0, "no rate to offer");
        let interval = Duration::try_from_secs_f64(1.0 / rate).context("no rate to offer")?;
        ensure!(!interval.is_zero(), "{rate} requests a second are too many");
        Ok(Self { start, interval, passed: 0 })
    }

    /// The next one, if it is not after `now`.
    fn due(&mut self, now: Instant) -> Option<Instant> {
        let due = self.start + self.interval * self.passed;
        (due <= now).then(|| {
            self.passed += 1;
            due
        })
    }
}

struct Shared {
    tally: RefCell<Tally>,
    /// When requests should have started that nobody has taken yet.
    waiting: RefCell<VecDeque<Instant>>,
    /// The connections that have nothing to do; the one that was busy last is the first to go.
    idle: RefCell<Vec<Rc<Notify>>>,
    connecting: Cell<usize>,
    over: Cell<bool>,
}

/// What came of an open loop.
#[derive(Debug)]
pub(crate) struct Opened<T> {
    pub(crate) measurement: Measurement,
    /// Requests that were due and had found no connection when the time was over; never sent.
    pub(crate) unsent: usize,
    /// What happened beside.
    pub(crate) besides: T,
}

/// Has requests arrive until the time is over. `connect` opens one more connection. To be called
/// within a `LocalSet`.
pub(crate) async fn run_open<W: Worker + 'static, C, F: Future>(
    offered: Offered,
    timing: Timing,
    connect: C,
    beside: impl FnOnce(Window) -> F,
) -> Result<Opened<F::Output>>
where
    C: AsyncFn() -> Result<W, Failure> + Clone + 'static,
{
    let mut workers = Vec::with_capacity(offered.connections);
    for _ in 0..offered.connections {
        workers.push(connect().await?);
    }
    let window = timing.window();
    let shared = Rc::new(Shared {
        tally: RefCell::new(Tally::new(window)?),
        waiting: RefCell::default(),
        idle: RefCell::default(),
        connecting: Cell::new(0),
        over: Cell::new(false),
    });
    let mut tasks = JoinSet::new();
    for worker in workers {
        tasks.spawn_local(drive(worker, connect.clone(), Rc::clone(&shared)));
    }
    let arriving = arrive(&shared, &mut tasks, offered, window, connect);
    let (arrived, besides) = tokio::join!(arriving, beside(window));
    arrived?;
    shared.over.set(true);
    let unsent = shared.waiting.borrow_mut().drain(..).len();
    shared.idle.borrow_mut().drain(..).for_each(|idle| idle.notify_one());
    let connections = tasks.len();
    let ended = timeout(LAST_ANSWERS_MAX, tasks.join_all()).await;
    ended.context("requests were sent and never answered")?;
    let shared = Rc::into_inner(shared).context("a connection still counts")?;
    let measurement = shared.tally.into_inner().finish(connections);
    Ok(Opened { measurement, unsent, besides })
}

/// Hands out what is due, and opens connections while they are missing.
async fn arrive<W: Worker + 'static, C>(
    shared: &Rc<Shared>,
    tasks: &mut JoinSet<()>,
    offered: Offered,
    window: Window,
    connect: C,
) -> Result<()>
where
    C: AsyncFn() -> Result<W, Failure> + Clone + 'static,
{
    let mut arrivals = Arrivals::new(Instant::now(), offered.rate)?;
    loop {
        let now = Instant::now();
        if now >= window.until {
            return Ok(());
        }
        let mut woken = 0;
        while let Some(due) = arrivals.due(now) {
            shared.waiting.borrow_mut().push_back(due);
            if let Some(idle) = shared.idle.borrow_mut().pop() {
                idle.notify_one();
                woken += 1;
            }
        }
        // Whoever was woken takes one of those that wait.
        let missing = shared.waiting.borrow().len().saturating_sub(woken).min(CONNECTING_MAX);
        let room = offered.connections_max.saturating_sub(tasks.len());
        for _ in 0..missing.saturating_sub(shared.connecting.get()).min(room) {
            shared.connecting.set(shared.connecting.get() + 1);
            tasks.spawn_local(open(connect.clone(), Rc::clone(shared)));
        }
        sleep(TICK).await;
    }
}

async fn open<W: Worker, C: AsyncFn() -> Result<W, Failure>>(connect: C, shared: Rc<Shared>) {
    let connected = connect().await;
    shared.connecting.set(shared.connecting.get() - 1);
    match connected {
        Ok(worker) => drive(worker, connect, shared).await,
        Err(failure) => shared.failed(failure),
    }
}

async fn drive<W: Worker, C: AsyncFn() -> Result<W, Failure>>(
    mut worker: W,
    connect: C,
    shared: Rc<Shared>,
) {
    let awake = Rc::new(Notify::new());
    // Also one that was opened ahead is silent until it is first used.
    let mut used = Instant::now();
    loop {
        let due = shared.waiting.borrow_mut().pop_front();
        let Some(due) = due else {
            if shared.over.get() {
                return;
            }
            shared.idle.borrow_mut().push(Rc::clone(&awake));
            awake.notified().await;
            continue;
        };
        if used.elapsed() > IDLE_MAX {
            match connect().await {
                Ok(another) => worker = another,
                Err(failure) => return shared.failed(failure),
            }
        }
        let outcome = worker.once().await;
        used = Instant::now();
        if !shared.tally.borrow_mut().count(outcome, (due, used)) {
            return;
        }
    }
}

impl Shared {
    /// Counts a connection that could not be opened.
    fn failed(&self, failure: Failure) {
        let now = Instant::now();
        self.tally.borrow_mut().count(Err(failure), (now, now));
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use tokio::task::LocalSet;

    use super::*;
    use crate::effect::Effect;

    /// Takes so long for everything.
    struct Slow(Duration);

    impl Worker for Slow {
        async fn once(&mut self) -> Result<Effect, Failure> {
            sleep(self.0).await;
            Ok(Effect::creates(1, 100))
        }
    }

    async fn offer(rate: f64, answer_ms: u64, connections_max: usize) -> Opened<()> {
        let timing = Timing { warm_up: Duration::from_secs(1), measured: Duration::from_secs(4) };
        let offered = Offered { rate, connections: 1, connections_max };
        let connect = async move || Ok(Slow(Duration::from_millis(answer_ms)));
        let opening = run_open(offered, timing, connect, |_| ready(()));
        LocalSet::new().run_until(opening).await.expect("it ends")
    }

    #[test]
    fn arrivals_keep_to_their_times_however_late_one_looks() {
        let start = Instant::now();
        let mut arrivals = Arrivals::new(start, 100.0).expect("a rate");
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(arrivals.due(start), Some(start));
        assert_eq!(arrivals.due(after(9)), None);
        assert_eq!(arrivals.due(after(35)), Some(after(10)));
        assert_eq!(arrivals.due(after(35)), Some(after(20)));
        assert_eq!(arrivals.due(after(35)), Some(after(30)));
        assert_eq!(arrivals.due(after(35)), None);
        Arrivals::new(start, 0.0).expect_err("no rate");
    }

    #[tokio::test(start_paused = true)]
    async fn connections_are_opened_until_the_rate_is_kept() {
        let Opened { measurement, unsent, .. } = offer(100.0, 200, 100).await;
        assert!((98.0..=101.0).contains(&measurement.rate), "{}", measurement.rate);
        assert!((20..=25).contains(&measurement.connections), "{}", measurement.connections);
        assert!((199.0..=203.0).contains(&measurement.percentile_ms(99.0)));
        assert_eq!(unsent, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_connection_is_late_from_his_intended_start() {
        // Ten connections answer 50 a second of the 100 that arrive: every second falls behind.
        let Opened { measurement, unsent, .. } = offer(100.0, 200, 10).await;
        assert_eq!(measurement.connections, 10);
        assert!((45.0..=51.0).contains(&measurement.rate), "{}", measurement.rate);
        assert!(measurement.percentile_ms(99.0) > 2_000.0);
        assert!((200..=260).contains(&unsent), "{unsent}");
    }
}
