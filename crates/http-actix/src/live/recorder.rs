//! What happens, counted as it happens: a few atomic additions a request.

use std::array;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// Buckets of a power of two: a latency is known to a sixteenth of itself.
const STEPS_BITS: u32 = 4;
const STEPS: usize = 1 << STEPS_BITS;
/// Beyond 2^27 µs, two minutes, nothing waits.
const MAGNITUDES: usize = 28 - STEPS_BITS as usize;
const BUCKETS: usize = (MAGNITUDES + 1) * STEPS;

/// Counts what happens until it is taken.
pub(crate) struct Recorder {
    requests: AtomicU64,
    errors: AtomicU64,
    refused: AtomicU64,
    creates: AtomicU64,
    movements: AtomicU64,
    /// Commands by how long they took, in microseconds.
    latencies: [AtomicU32; BUCKETS],
}

/// What a command did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Did {
    /// Made a wallet.
    Create,
    /// Moved money.
    Move,
    /// Nothing that was not done before.
    Nothing,
}

/// What happened in one second, or about one.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Counts {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) refused: u64,
    pub(super) creates: u64,
    pub(super) movements: u64,
    pub(super) latency: Option<Latency>,
}

/// How long commands took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(super) p50: f64,
    pub(super) p95: f64,
    pub(super) p99: f64,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            requests: AtomicU64::default(),
            errors: AtomicU64::default(),
            refused: AtomicU64::default(),
            creates: AtomicU64::default(),
            movements: AtomicU64::default(),
            latencies: array::from_fn(|_| AtomicU32::default()),
        }
    }
}

impl Recorder {
    /// A request was answered with `status`.
    pub(crate) fn request(&self, status: u16) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        match status {
            400..=499 => self.refused.fetch_add(1, Ordering::Relaxed),
            500.. => self.errors.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        };
    }

    /// A command that was answered after `took`, whatever it came to.
    pub(crate) fn command(&self, did: Did, took: Duration) {
        match did {
            Did::Create => self.creates.fetch_add(1, Ordering::Relaxed),
            Did::Move => self.movements.fetch_add(1, Ordering::Relaxed),
            Did::Nothing => 0,
        };
        let bucket = bucket(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        self.latencies[bucket].fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted since it was last taken.
    pub(super) fn take(&self) -> Counts {
        let taken = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        let latencies: Vec<u64> =
            self.latencies.iter().map(|bucket| bucket.swap(0, Ordering::Relaxed).into()).collect();
        Counts {
            requests: taken(&self.requests),
            errors: taken(&self.errors),
            refused: taken(&self.refused),
            creates: taken(&self.creates),
            movements: taken(&self.movements),
            latency: Latency::of(&latencies),
        }
    }
}

impl Latency {
    fn of(buckets: &[u64]) -> Option<Self> {
        let total: u64 = buckets.iter().sum();
        let quantile = |percent: u64| {
            // The rank of the first that is not below so many percent of all.
            let rank = (total * percent).div_ceil(100);
            let mut met = 0;
            let reached = buckets.iter().position(|count| {
                met += count;
                met >= rank
            });
            middle_ms(reached.unwrap_or(BUCKETS - 1))
        };
        (total > 0).then(|| Self { p50: quantile(50), p95: quantile(95), p99: quantile(99) })
    }
}

/// The bucket of so many microseconds.
fn bucket(us: u64) -> usize {
    let us = us.min((1 << 28) - 1);
    let magnitude = us.checked_ilog2().unwrap_or(0).saturating_sub(STEPS_BITS - 1);
    let step = match magnitude {
        0 => us,
        _ => us >> (magnitude - 1),
    };
    // The first magnitude has all its steps, those behind it the upper half of twice as many.
    let below = (magnitude as usize).saturating_sub(1) * STEPS;
    below + usize::try_from(step).unwrap_or(usize::MAX).min(2 * STEPS - 1)
}

/// The middle of a bucket, in milliseconds.
fn middle_ms(bucket: usize) -> f64 {
    let (magnitude, step) = match bucket.checked_sub(2 * STEPS) {
        None => (0, bucket),
        Some(beyond) => (1 + beyond / STEPS, STEPS + beyond % STEPS),
    };
    let width = (1_u64 << magnitude) as f64;
    let middle_us = if magnitude == 0 { step as f64 } else { (step as f64 + 0.5) * width };
    middle_us / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_known_to_a_sixteenth() {
        let mut last = 0;
        for us in (0..5_000).chain([60_000, 1_000_000, 15_000_000, 120_000_000]) {
            let found = bucket(us);
            assert!(found >= last && found < BUCKETS, "{us}: {found}");
            last = found;
            let (told_us, true_us) = (middle_ms(found) * 1_000.0, us as f64);
            assert!((told_us - true_us).abs() <= true_us / 16.0, "{us}: {told_us}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_of_those_that_were_counted_and_nothing_is_counted_twice() {
        let recorder = Recorder::default();
        assert_eq!(recorder.take(), Counts::default());
        for ms in 1..=100 {
            recorder.command(Did::Move, Duration::from_millis(ms));
        }
        recorder.command(Did::Create, Duration::from_millis(1));
        let Counts { creates, movements, latency, .. } = recorder.take();
        assert_eq!((creates, movements), (1, 100));
        let Latency { p50, p95, p99 } = latency.expect("there were some");
        for (told, expected) in [(p50, 50.0), (p95, 95.0), (p99, 99.0)] {
            assert!((told - expected).abs() < expected / 16.0 + 1.0, "{told} for {expected}");
        }
        assert_eq!(recorder.take(), Counts::default());
    }

    #[test]
    fn one_command_is_every_quantile() {
        let recorder = Recorder::default();
        recorder.command(Did::Nothing, Duration::from_micros(7));
        let latency = recorder.take().latency.expect("there was one");
        assert_eq!(latency, Latency { p50: 0.007, p95: 0.007, p99: 0.007 });
    }

    #[test]
    fn answers_count_by_whose_fault_they_are() {
        let recorder = Recorder::default();
        for status in [200, 201, 304, 400, 404, 422, 500, 503] {
            recorder.request(status);
        }
        let counts = recorder.take();
        assert_eq!((counts.requests, counts.refused, counts.errors), (8, 3, 2));
    }
}
