//! The worker: one projector in one shard.
//!
//! It takes the lease, applies batch after batch, and waits for a commit's signal when there is
//! nothing to do. What a batch costs, n events in it:
//!
//! | phase | statements | bounded by |
//! |---|---|---|
//! | read | none for what this process has just committed; else 1, an index range scan | [`WorkerSettings::batch_events_max`] |
//! | checkpoint, parked wallets | 1 + 1 | 1 row each, while nothing is parked |
//! | what stands | 1 | the wallets of the batch |
//! | effect | 1 bulk statement | n |
//!
//! A worker without a seat looks once a second whether there is one, whatever is committed.
//!
//! A storage error is tried again with exponential backoff and jitter, for ever: it parks nothing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use wallex_outbox::Tail;
use wallex_ports::BoxError;

use crate::apply::{Applied, Step};
use crate::checkpoint::Seat;
use crate::event::Event;
use crate::metric_names;
use crate::projector::sentence;
use crate::store::ProjectorStore;
use crate::trace::BatchTrace;

/// How long a lease lasts. A process that was killed is replaced after at most this and
/// `SEAT_POLL`.
pub const LEASE: Duration = Duration::from_secs(5);
/// A holder without work keeps its lease this often.
const RENEW: Duration = Duration::from_millis(1_500);
/// How often a worker without a seat looks whether there is one.
const SEAT_POLL: Duration = Duration::from_secs(1);
/// After so many failures in a row a holder gives its seat back for a while.
const FAILURES_MAX: u32 = 8;
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(10);
/// Under load, what is committed meanwhile gathers this long for the next batch: a batch has a price
/// that does not depend on its size, and the commands need the same processor and disk. The first
/// commit after a pause waits for nothing.
const GATHER: Duration = Duration::from_millis(25);
/// Over how long the rate of events is taken.
const RATE_WINDOW: Duration = Duration::from_secs(1);

/// How workers behave.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Events in one transaction, at most; `None`: what suits the database.
    pub batch_events_max: Option<u32>,
    /// How soon a worker that found nothing looks again, at first. A commit of this process wakes it
    /// at once; this is for what other processes commit.
    pub poll_min: Duration,
    /// How long it waits at most between looks, after many that found nothing.
    pub poll_max: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            batch_events_max: None,
            poll_min: Duration::from_millis(20),
            poll_max: Duration::from_millis(500),
        }
    }
}

/// What tells a worker what to do.
#[derive(Clone)]
pub struct Signals {
    /// True once the process stops.
    pub stop: watch::Receiver<bool>,
    /// Changes with every commit of this process.
    pub committed: watch::Receiver<()>,
}

/// One projector in one shard.
#[derive(Clone)]
pub struct Worker {
    store: Arc<dyn ProjectorStore>,
    tail: Arc<Tail>,
    /// What stands up to this position is read from the database, wherever else it may be: it was
    /// committed before this worker took its seat.
    read_until: u64,
    batch_events_max: u32,
    settings: WorkerSettings,
    signals: Signals,
    /// Changes with every batch that is applied.
    applied: watch::Sender<u64>,
}

/// Why a worker leaves its seat.
enum Left {
    /// The process stops.
    Stopping,
    /// It is another's, or the projector was stopped.
    Lost,
    /// Whatever is wrong may be wrong with this process alone: others may have a try.
    Failing,
}

/// What one look came to.
enum Turn {
    /// There was nothing to apply behind this position.
    Idle(u64),
    /// A batch was applied.
    Applied {
        /// The position of its last event.
        to: u64,
        /// Whether there was room for no more.
        full: bool,
    },
    /// The seat is another's.
    Lost,
}

impl Worker {
    /// A worker that follows `store`, from `tail` where that holds what comes next, with at most
    /// `batch_events_max` events in a transaction.
    #[must_use]
    pub fn new(
        store: Arc<dyn ProjectorStore>,
        tail: Arc<Tail>,
        batch_events_max: u32,
        settings: WorkerSettings,
        signals: Signals,
        applied: watch::Sender<u64>,
    ) -> Self {
        Self { store, tail, read_until: 0, batch_events_max, settings, signals, applied }
    }

    fn name(&self) -> &'static str {
        self.store.projector()
    }

    fn shard(&self) -> u16 {
        self.store.shard()
    }

    /// Works until the process stops; a batch under way is finished.
    pub async fn run(mut self) {
        let mut failures = 0;
        while !*self.signals.stop.borrow() {
            let (name, shard) = (self.name(), self.shard());
            match self.store.take().await {
                Ok(Some((seat, position))) => {
                    metric_names::lease_changed(name, "taken");
                    tracing::info!(projector = name, shard, position, "lease taken");
                    let left = self.hold(&seat, position, &mut failures).await;
                    let lost = matches!(left, Left::Lost);
                    metric_names::lease_changed(name, if lost { "lost" } else { "returned" });
                    if let Err(error) = self.store.leave(&seat).await {
                        let error = sentence(&error);
                        tracing::warn!(projector = name, error, "the lease runs out by itself");
                    }
                    match left {
                        Left::Stopping => return,
                        Left::Lost => {
                            tracing::info!(projector = name, shard, "lease lost");
                        }
                        Left::Failing => self.pause(SEAT_POLL * 2).await,
                    }
                }
                Ok(None) => self.pause(SEAT_POLL).await,
                Err(error) => {
                    failures += 1;
                    let error = sentence(&error);
                    tracing::warn!(projector = name, error, "the lease can't be taken");
                    self.pause(backoff(failures)).await;
                }
            }
        }
    }

    /// Applies what comes, for as long as the seat is this worker's. Counts `failures` in a row.
    async fn hold(&mut self, seat: &Seat, mut position: u64, failures: &mut u32) -> Left {
        self.read_until = self.tail.end(self.shard());
        let mut rate = Rate::new();
        let mut kept = Instant::now();
        let mut poll = self.settings.poll_min;
        let mut failed_here = 0;
        while !*self.signals.stop.borrow() {
            // Before looking: a commit from now on wakes the wait below.
            self.signals.committed.mark_unchanged();
            let began = Instant::now();
            match self.turn(seat, position, failed_here > 0, &mut kept, &mut rate).await {
                Ok(Turn::Lost) => return Left::Lost,
                Ok(Turn::Idle(at)) => {
                    (position, *failures, failed_here) = (at, 0, 0);
                    self.rest(poll.min(RENEW)).await;
                    poll = (poll * 2).min(self.settings.poll_max);
                }
                Ok(Turn::Applied { to, full }) => {
                    (position, *failures, failed_here) = (to, 0, 0);
                    poll = self.settings.poll_min;
                    if !full {
                        sleep_until(began + GATHER).await;
                    }
                }
                Err(error) => {
                    (*failures, failed_here) = (failures.saturating_add(1), failed_here + 1);
                    // Whatever became of the database meanwhile, what it holds now counts.
                    self.read_until = self.tail.end(self.shard());
                    if !self.failed(seat, *failures, &sentence(&*error)).await {
                        return Left::Lost;
                    }
                    if failed_here >= FAILURES_MAX {
                        return Left::Failing;
                    }
                }
            }
        }
        Left::Stopping
    }

    /// Looks for events behind `position`, and applies them.
    async fn turn(
        &self,
        seat: &Seat,
        mut position: u64,
        failed: bool,
        kept: &mut Instant,
        rate: &mut Rate,
    ) -> Result<Turn, BoxError> {
        if failed {
            // The batch may have been committed although its answer was lost.
            match self.store.position(seat).await? {
                Some(found) => position = found,
                None => return Ok(Turn::Lost),
            }
        }
        let events = self.read(position).await?;
        if events.is_empty() && kept.elapsed() < RENEW {
            return Ok(Turn::Idle(position));
        }
        *kept = Instant::now();
        if events.is_empty() {
            let Some(stands) = self.store.renew(seat).await? else { return Ok(Turn::Lost) };
            if stands != position {
                // A crash of the database takes back what it had not yet written, or somebody did.
                let (name, shard) = (self.name(), self.shard());
                tracing::warn!(
                    projector = name,
                    shard,
                    position,
                    stands,
                    "the checkpoint was moved"
                );
            }
            return Ok(Turn::Idle(stands));
        }
        self.apply(seat, position, &events, rate).await
    }

    async fn read(&self, after: u64) -> Result<Vec<Event>, BoxError> {
        let (shard, limit) = (self.shard(), self.batch_events_max);
        if after >= self.read_until {
            let told = self.tail.after(shard, after, limit as usize);
            let events = told.iter().flat_map(|batch| batch.iter());
            let events = events.filter(|event| event.position > after).map(Event::of_committed);
            let events: Vec<Event> = events.take(limit as usize).collect();
            if !events.is_empty() {
                return Ok(events);
            }
        }
        let events = self.store.read_after(after, limit).await?;
        let expected = events.last().map_or(0, |last| last.position - after);
        if expected > events.len() as u64 {
            tracing::error!(
                projector = self.name(),
                shard,
                after,
                missing = expected - events.len() as u64,
                "events are missing between two positions: run `wallex drift`"
            );
        }
        Ok(events)
    }

    /// Applies `events`.
    async fn apply(
        &self,
        seat: &Seat,
        from: u64,
        events: &[Event],
        rate: &mut Rate,
    ) -> Result<Turn, BoxError> {
        let to = events.last().map_or(from, |event| event.position);
        let events_per_second = rate.per_second;
        let started = Instant::now();
        let step = Step { store: &*self.store, seat, events_per_second };
        let trace = BatchTrace::begin(self.name(), self.store.place(), events);
        match step.apply(from, events).await {
            Err(error) => {
                trace.failed(error.name());
                Err(error.into())
            }
            Ok(Applied::SeatLost) => {
                trace.failed("lease-lost");
                Ok(Turn::Lost)
            }
            Ok(Applied::Committed { parked }) => {
                trace.committed(&parked);
                rate.add(events.len() as u64);
                metric_names::applied(self.name(), events.len(), started.elapsed());
                for poison in parked {
                    metric_names::parked(self.name());
                    tracing::error!(
                        projector = self.name(),
                        wallet.id = %poison.wallet.wallet_id,
                        version = poison.version,
                        error = poison.error,
                        "a wallet was parked: see `wallex dead-letters list`"
                    );
                }
                self.applied.send_modify(|batches| *batches += 1);
                let full = events.len() >= self.batch_events_max as usize;
                Ok(Turn::Applied { to, full })
            }
        }
    }

    /// Notes a failure and waits; whether the seat is still this worker's.
    async fn failed(&mut self, seat: &Seat, failures: u32, error: &str) -> bool {
        metric_names::failed(self.name());
        tracing::warn!(projector = self.name(), shard = self.shard(), error, "a batch failed");
        // Where this fails, too, the lease runs out, and whoever can takes it.
        let mut mine = self.store.fail(seat, error).await.unwrap_or(true);
        let until = Instant::now() + backoff(failures);
        while mine && !*self.signals.stop.borrow() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            self.pause(left.min(RENEW)).await;
            mine = self.store.wait(seat).await.unwrap_or(true);
        }
        mine
    }

    /// Waits for a commit, or for the process to stop, at most this long.
    async fn rest(&mut self, at_most: Duration) {
        let Signals { stop, committed } = &mut self.signals;
        tokio::select! {
            // In this order, so that what happens depends on nothing but what was signalled.
            biased;
            Ok(()) = stop.changed() => {}
            Ok(()) = committed.changed() => {}
            () = sleep(at_most) => {}
        }
    }

    /// Waits this long, or until the process stops: commits go on, and must not drive what has
    /// nothing to do with them.
    async fn pause(&mut self, time: Duration) {
        tokio::select! {
            biased;
            Ok(()) = self.signals.stop.changed() => {}
            () = sleep(time) => {}
        }
    }
}

/// How long to wait after so many failures in a row: exponential, between half and all of it.
fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    let longest = (BACKOFF_MIN * 2_u32.pow(doublings)).min(BACKOFF_MAX);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// How many events a second are applied.
struct Rate {
    since: Instant,
    events: u64,
    per_second: u64,
}

impl Rate {
    fn new() -> Self {
        Self { since: Instant::now(), events: 0, per_second: 0 }
    }

    fn add(&mut self, events: u64) {
        self.events += events;
        let elapsed = self.since.elapsed();
        if elapsed >= RATE_WINDOW {
            let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            self.per_second = self.events.saturating_mul(1000) / ms.max(1);
            (self.since, self.events) = (Instant::now(), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_limit_and_never_beyond() {
        for (failures, longest) in [(1, 100), (2, 200), (5, 1_600), (8, 10_000), (u32::MAX, 10_000)]
        {
            let longest = Duration::from_millis(longest);
            for _ in 0..100 {
                let delay = backoff(failures);
                assert!(delay <= longest && delay >= longest / 2, "{failures}: {delay:?}");
            }
        }
    }

    #[test]
    fn backoff_differs_from_worker_to_worker() {
        let delays: std::collections::BTreeSet<_> = (0..50).map(|_| backoff(6)).collect();
        assert!(delays.len() > 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_is_that_of_the_last_whole_second() {
        let mut rate = Rate::new();
        rate.add(10);
        assert_eq!(rate.per_second, 0);
        tokio::time::advance(RATE_WINDOW * 2).await;
        rate.add(30);
        assert_eq!(rate.per_second, 20);
        rate.add(5);
        assert_eq!(rate.per_second, 20);
        tokio::time::advance(RATE_WINDOW).await;
        rate.add(0);
        assert_eq!(rate.per_second, 5);
    }
}
