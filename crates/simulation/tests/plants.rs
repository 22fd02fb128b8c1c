//! The checks find what is planted.

use wallex_simulation::{Check, Options, Plant, run};

/// A plant that so many seeds do not show is one that the checks can't see.
const SEEDS_MAX: u64 = 300;

/// The seed that shows `plant`, and what does not hold then.
fn found(plant: Plant) -> (u64, Vec<Check>) {
    for seed in 0..SEEDS_MAX {
        let options = Options { seed, plant: Some(plant), keeps_lines: false };
        let mut checks: Vec<_> = run(&options).violations.iter().map(|v| v.check).collect();
        checks.sort_unstable();
        checks.dedup();
        if !checks.is_empty() {
            return (seed, checks);
        }
    }
    panic!("{plant:?} was not found within {SEEDS_MAX} seeds");
}

#[test]
fn every_planted_defect_is_found() {
    std::thread::scope(|scope| {
        for plant in Plant::ALL {
            scope.spawn(move || {
                let (seed, checks) = found(plant);
                eprintln!("{plant:?}: seed {seed}, {checks:?}");
            });
        }
    });
}
