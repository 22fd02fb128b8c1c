//! Seeds in bulk, and that a seed is what it says: always the same.

use std::sync::atomic::{AtomicU64, Ordering};

use wallex_simulation::{Options, Outcome, run};

/// More with `just simulate`.
const SEEDS: u64 = 1_500;
const REPLAYED: u64 = 60;

fn seed(seed: u64) -> Outcome {
    run(&Options { seed, plant: None, keeps_lines: false })
}

/// Calls `each` with every seed below `end`, on all processors.
fn on_all_processors(end: u64, each: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    each(seed);
                }
            });
        }
    });
}

#[test]
fn nothing_goes_wrong_under_thousands_of_seeds() {
    let events = AtomicU64::new(0);
    on_all_processors(SEEDS, |number| {
        let outcome = seed(number);
        let violations = &outcome.violations;
        assert!(
            violations.is_empty(),
            "{violations:#?}: `just simulate --seed {number} --verbose` shows it"
        );
        events.fetch_add(outcome.events as u64, Ordering::Relaxed);
    });
    // A simulation in which nothing happens would find nothing.
    assert!(events.into_inner() > 10 * SEEDS);
}

#[test]
fn a_seed_replays_exactly() {
    on_all_processors(REPLAYED, |number| {
        let lines = |keeps_lines| run(&Options { seed: number, plant: None, keeps_lines });
        let (one, other) = (lines(true), lines(true));
        assert_eq!(one, other, "seed {number}");
        // Whoever watches changes nothing.
        assert_eq!(one.trace_hash, lines(false).trace_hash, "seed {number}");
    });
}

#[test]
fn seeds_differ() {
    let mut hashes: Vec<u64> = (0..50).map(|number| seed(number).trace_hash).collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 50);
}
