//! Runs seeds of the simulation, on all processors, until one shows a violation.
//!
//! ```text
//! wallex-simulation --seeds 1000000
//! wallex-simulation --seed 42 --verbose
//! ```

#![expect(clippy::print_stdout, reason = "what it finds is what this program is for")]

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Parser;
use wallex_simulation::{Options, Outcome, run};

/// How often it says how far it has come.
const TELL: Duration = Duration::from_secs(10);

/// Simulate Wallex over a faulty store, seed by seed.
#[derive(Debug, Clone, Parser)]
#[command(name = "wallex-simulation")]
struct Arguments {
    /// Run this seed alone.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Run so many seeds.
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Print the trace of a seed that is run alone.
    #[arg(long, requires = "seed")]
    verbose: bool,
    /// Threads; as many as there are processors unless set.
    #[arg(long)]
    threads: Option<NonZeroUsize>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let failed = match arguments.seed {
        Some(seed) => run_one(seed, arguments.verbose),
        None => run_many(&arguments),
    };
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs one seed; whether something did not hold.
fn run_one(seed: u64, keeps_lines: bool) -> bool {
    let outcome = run(&Options { seed, plant: None, keeps_lines });
    for line in &outcome.lines {
        println!("{line}");
    }
    println!(
        "seed {seed}: {} attempts, {} events, {:.1} s simulated, trace {:016x}",
        outcome.attempts,
        outcome.events,
        outcome.simulated.as_secs_f64(),
        outcome.trace_hash
    );
    tell_violations(seed, &outcome);
    !outcome.violations.is_empty()
}

fn tell_violations(seed: u64, outcome: &Outcome) {
    for violation in &outcome.violations {
        println!("seed {seed} VIOLATION {violation}");
    }
    if !outcome.violations.is_empty() {
        println!("replay it with: just simulate --seed {seed} --verbose");
    }
}

/// What many runs came to.
#[derive(Debug, Default)]
struct Totals {
    seeds: AtomicU64,
    attempts: AtomicU64,
    events: AtomicU64,
    simulated_ms: AtomicU64,
    failed: AtomicBool,
}

impl Totals {
    fn add(&self, outcome: &Outcome) {
        let simulated_ms = u64::try_from(outcome.simulated.as_millis()).unwrap_or(u64::MAX);
        self.seeds.fetch_add(1, Ordering::Relaxed);
        self.attempts.fetch_add(outcome.attempts as u64, Ordering::Relaxed);
        self.events.fetch_add(outcome.events as u64, Ordering::Relaxed);
        self.simulated_ms.fetch_add(simulated_ms, Ordering::Relaxed);
    }

    fn tell(&self, began: Instant) {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let (seeds, seconds) = (of(&self.seeds), began.elapsed().as_secs_f64());
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = seeds as f64 / seconds.max(0.001);
        println!(
            "{seeds} seeds in {seconds:.0} s ({rate:.0} seeds/s): {} attempts, {} events, \
             {} h simulated",
            of(&self.attempts),
            of(&self.events),
            of(&self.simulated_ms) / 3_600_000
        );
    }
}

/// Runs many seeds until one of them fails; whether one did.
fn run_many(arguments: &Arguments) -> bool {
    let began = Instant::now();
    let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let threads = arguments.threads.unwrap_or(processors).get();
    let end = arguments.from.saturating_add(arguments.seeds);
    let (next, totals) = (AtomicU64::new(arguments.from), Totals::default());
    let told = Mutex::new(began);
    let work = || {
        while !totals.failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return;
            }
            let outcome = run(&Options { seed, plant: None, keeps_lines: false });
            totals.add(&outcome);
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if !outcome.violations.is_empty() {
                totals.failed.store(true, Ordering::Relaxed);
                tell_violations(seed, &outcome);
            } else if told.elapsed() >= TELL {
                *told = Instant::now();
                totals.tell(began);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    totals.tell(began);
    totals.failed.into_inner()
}
