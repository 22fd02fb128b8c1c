//! The world that one seed makes: its store, its nodes, its clock and its chance.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use wallex_ports::Shards;

use crate::dice::Dice;
use crate::history::History;
use crate::node::Node;
use crate::odds::Odds;
use crate::plant::Plant;
use crate::store::Tables;
use crate::trace::Trace;
use crate::violation::{Check, Violation};

/// How many nodes share the store.
pub(crate) const NODES: usize = 2;

/// Everything that one run has. All of it lives on one thread; the locks are never waited for.
pub(crate) struct World {
    pub(crate) odds: Odds,
    began: Instant,
    /// Whether anything may go wrong.
    faulty: AtomicBool,
    dice: Mutex<Dice>,
    trace: Mutex<Trace>,
    stamp: Mutex<u64>,
    ids: Mutex<u128>,
    tables: Mutex<Tables>,
    nodes: Mutex<[Option<Arc<Node>>; NODES]>,
    history: Mutex<History>,
    /// Transactions that may still be committed although nobody waits for them.
    adrift: Mutex<u32>,
    violations: Mutex<Vec<Violation>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// The world of `seed`. Its clock begins now, so a runtime must be there.
    pub(crate) fn new(seed: u64, plant: Option<Plant>, keeps_lines: bool) -> Arc<Self> {
        let mut dice = Dice::new(seed);
        let odds = Odds::of(&mut dice);
        let shards = Shards::new(odds.shards).expect("invariant: a few shards");
        let world = Self {
            began: Instant::now(),
            faulty: AtomicBool::new(true),
            dice: Mutex::new(dice),
            trace: Mutex::new(Trace::new(keeps_lines)),
            stamp: Mutex::default(),
            ids: Mutex::default(),
            tables: Mutex::new(Tables::new(shards, plant)),
            nodes: Mutex::default(),
            history: Mutex::default(),
            adrift: Mutex::default(),
            violations: Mutex::default(),
            odds,
        };
        world.note(format_args!("seed {seed}: {:?}", world.odds));
        Arc::new(world)
    }

    /// Draws.
    pub(crate) fn draw<T>(&self, draw: impl FnOnce(&mut Dice) -> T) -> T {
        draw(&mut locked(&self.dice))
    }

    /// Whether a fault that comes so many times in a thousand comes now.
    pub(crate) fn strikes(&self, per_mille: u64) -> bool {
        per_mille > 0 && self.is_faulty() && self.draw(|dice| dice.chance(per_mille))
    }

    /// The next moment in the order of everything that happens.
    pub(crate) fn stamp(&self) -> u64 {
        let mut stamp = locked(&self.stamp);
        *stamp += 1;
        *stamp
    }

    pub(crate) fn next_id(&self) -> u128 {
        let mut ids = locked(&self.ids);
        *ids += 1;
        *ids
    }

    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn note(&self, what: fmt::Arguments<'_>) {
        let now_ms = self.now_ms();
        locked(&self.trace).note(now_ms, what);
    }

    /// The hash of all that was noted, and the lines that were kept.
    pub(crate) fn take_trace(&self) -> (u64, Vec<String>) {
        let mut trace = locked(&self.trace);
        (trace.hash(), trace.take_lines())
    }

    pub(crate) fn tables(&self) -> MutexGuard<'_, Tables> {
        locked(&self.tables)
    }

    pub(crate) fn nodes(&self) -> MutexGuard<'_, [Option<Arc<Node>>; NODES]> {
        locked(&self.nodes)
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        locked(&self.history)
    }

    pub(crate) fn is_faulty(&self) -> bool {
        self.faulty.load(Ordering::Relaxed)
    }

    /// From now on nothing goes wrong.
    pub(crate) fn end_faults(&self) {
        self.faulty.store(false, Ordering::Relaxed);
        self.note(format_args!("faults end"));
    }

    /// From now on things go wrong again.
    pub(crate) fn begin_faults(&self) {
        self.faulty.store(true, Ordering::Relaxed);
        self.note(format_args!("faults begin"));
    }

    /// Lets time pass as a step of the store does: mostly little, sometimes much, rarely more than
    /// anybody waits for.
    pub(crate) async fn dally(&self) {
        let ms = if self.strikes(self.odds.stuck) {
            self.draw(|dice| dice.between(2_000, 30_000))
        } else if self.strikes(self.odds.slow) {
            self.draw(|dice| dice.between(20, 600))
        } else {
            self.draw(|dice| dice.below(4))
        };
        if ms == 0 {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }

    /// Notes that something does not hold.
    pub(crate) fn violated(&self, check: Check, what: String) {
        let violation = Violation { check, what };
        self.note(format_args!("VIOLATION: {violation}"));
        locked(&self.violations).push(violation);
    }

    pub(crate) fn take_violations(&self) -> Vec<Violation> {
        std::mem::take(&mut *locked(&self.violations))
    }

    pub(crate) fn add_adrift(&self, transactions: i32) {
        let mut adrift = locked(&self.adrift);
        *adrift = adrift.saturating_add_signed(transactions);
    }

    pub(crate) fn is_anything_adrift(&self) -> bool {
        *locked(&self.adrift) > 0
    }
}
