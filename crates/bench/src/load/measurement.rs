//! What is counted while a load runs, and what came of it.

use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use tokio::time::Instant;

use super::Failure;
use crate::effect::Effect;
use crate::usage::Usage;

/// Latencies above this count as this, in microseconds.
const LATENCY_US_MAX: u64 = 60_000_000;
/// Three digits: a latency is recorded within 0.1 %.
const SIGNIFICANT_DIGITS: u8 = 3;
/// What is acknowledged is also counted for each of these pieces of the measured time.
pub(crate) const SLICE: Duration = Duration::from_millis(250);

/// How long a load takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// At the start, and not measured: connections open, caches fill.
    pub(crate) warm_up: Duration,
    /// What is measured.
    pub(crate) measured: Duration,
}

impl Timing {
    /// The measured time of a load that starts now.
    pub(crate) fn window(self) -> Window {
        let from = Instant::now() + self.warm_up;
        Window { from, until: from + self.measured }
    }
}

/// When the measured time of a load begins and ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    pub(crate) from: Instant,
    pub(crate) until: Instant,
}

impl Window {
    pub(crate) fn contains(&self, instant: Instant) -> bool {
        (self.from..self.until).contains(&instant)
    }
}

/// What came of a load.
#[derive(Debug, Clone)]
pub(crate) struct Measurement {
    /// The most that were open.
    pub(crate) connections: usize,
    /// Of the requests that were acknowledged in the measured time, in microseconds.
    pub(crate) latencies_us: Histogram<u64>,
    /// Commands acknowledged in the measured time, each second.
    pub(crate) rate: f64,
    /// The same for each [`SLICE`] of the measured time.
    pub(crate) slices: Vec<f64>,
    /// Of all that was acknowledged, before and after the measured time too.
    pub(crate) effect: Effect,
    /// Of the requests that were refused in the measured time because there was too much to do, in
    /// microseconds.
    pub(crate) overloaded_us: Histogram<u64>,
    /// Answers other than expected, but for those refusals where the load is meant to get them.
    pub(crate) errors: u64,
    /// What the first of them said.
    pub(crate) first_error: Option<String>,
    /// What it took.
    pub(crate) usage: Option<Usage>,
}

impl Measurement {
    /// The latency that so many percent of the commands stayed within, in milliseconds.
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

#[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
pub(crate) fn per_second(count: u64, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// What is counted so far.
pub(super) struct Tally {
    window: Window,
    latencies_us: Histogram<u64>,
    overloaded_us: Histogram<u64>,
    /// Commands acknowledged in each slice of the measured time.
    slices: Vec<u64>,
    effect: Effect,
    errors: u64,
    first_error: Option<String>,
}

impl Tally {
    pub(super) fn new(window: Window) -> Result<Self> {
        Ok(Self {
            window,
            latencies_us: latencies()?,
            overloaded_us: latencies()?,
            slices: Vec::new(),
            effect: Effect::default(),
            errors: 0,
            first_error: None,
        })
    }

    /// Counts what came of a request that should have started at `began`. False when its connection
    /// is gone.
    pub(super) fn count(
        &mut self,
        outcome: Result<Effect, Failure>,
        (began, answered): (Instant, Instant),
    ) -> bool {
        let measured = self.window.contains(answered);
        match outcome {
            Ok(effect) => {
                self.effect += effect;
                if measured {
                    record(&mut self.latencies_us, answered - began);
                    let slice = (answered - self.window.from).as_millis() / SLICE.as_millis();
                    let slice = usize::try_from(slice).unwrap_or_default();
                    if self.slices.len() <= slice {
                        self.slices.resize(slice + 1, 0);
                    }
                    self.slices[slice] += effect.commands;
                }
                true
            }
            Err(Failure::Overloaded) => {
                if measured {
                    record(&mut self.overloaded_us, answered - began);
                }
                true
            }
            Err(failure) => {
                let lost = matches!(failure, Failure::Lost(_));
                self.errors += 1;
                let error = || format!("{:#}", anyhow::Error::from(failure));
                self.first_error.get_or_insert_with(error);
                !lost
            }
        }
    }

    pub(super) fn finish(self, connections: usize) -> Measurement {
        let measured = self.window.until - self.window.from;
        let rate = per_second(self.slices.iter().sum(), measured);
        // The last one may be shorter than the others, and would look like a fall.
        let whole = measured.as_millis() / SLICE.as_millis();
        let whole = usize::try_from(whole).unwrap_or(usize::MAX);
        let slices = self.slices.iter().take(whole).map(|count| per_second(*count, SLICE));
        Measurement {
            connections,
            rate,
            slices: slices.collect(),
            latencies_us: self.latencies_us,
            effect: self.effect,
            overloaded_us: self.overloaded_us,
            errors: self.errors,
            first_error: self.first_error,
            usage: None,
        }
    }
}
