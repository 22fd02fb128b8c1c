//! What can happen under a seed, and how often.
//!
//! Each seed leaves some kinds of faults out: where everything goes wrong all the time, little gets far
//! enough to go wrong in an interesting way.

use std::time::Duration;

use wallex_application::LaneSettings;

use crate::dice::Dice;

/// Faults and sizes of one run; the faults in times per thousand.
#[derive(Debug, Clone)]
pub(crate) struct Odds {
    pub(crate) clients: u64,
    /// Commands that each client wants done.
    pub(crate) wishes: u64,
    pub(crate) tenants: u64,
    /// Wallets of each tenant that the commands are about.
    pub(crate) wallets: u64,
    pub(crate) shards: u16,
    /// Commands with an idempotency key.
    pub(crate) keyed: u64,
    /// Commands with `If-Match`.
    pub(crate) conditional: u64,
    /// Commands that are sent several times at once, with one key.
    pub(crate) twins: u64,
    /// Keys that are used for a second, different request.
    pub(crate) misused: u64,
    /// Clients that hang up, and ask again elsewhere.
    pub(crate) hang_up: u64,
    /// How long a client waits between its commands, at most.
    pub(crate) think_ms: u64,

    /// A transaction finds no database.
    pub(crate) unavailable: u64,
    /// A transaction is given up by the database.
    pub(crate) transient: u64,
    /// The database refuses a transaction.
    pub(crate) refused: u64,
    /// COMMIT's answer is lost.
    pub(crate) lost: u64,
    /// The adapter panics.
    pub(crate) panic: u64,
    /// A read finds no database, or can't understand what it finds.
    pub(crate) unreadable: u64,
    /// An answer takes as long as several others.
    pub(crate) slow: u64,
    /// An answer takes longer than anybody waits.
    pub(crate) stuck: u64,
    /// A node dies at a step of the store.
    pub(crate) crash: u64,
    /// A node is stopped in order, between a command and the next.
    pub(crate) stop: u64,
    /// A command that the database always refuses.
    pub(crate) poisoned: u64,
    /// A statement of a projector finds no database, or its answer is lost.
    pub(crate) unprojectable: u64,
    /// Events that a projector applies in one transaction, at most.
    pub(crate) batch_events_max: u32,
    /// How often an operator may do something, and something may come over the tables.
    pub(crate) acts: u64,
    /// An event becomes one that nobody can decode.
    pub(crate) undecodable: u64,
    /// A row of a projection is edited or deleted by hand.
    pub(crate) spoiled: u64,
    /// An operator does something.
    pub(crate) operated: u64,
    /// Events that a rebuild or a drift check looks at in one transaction, at most.
    pub(crate) page_events: u32,
    /// How often a node looks for what is to be tried again.
    pub(crate) recovery_ms: u64,
    /// How far the clock of each node is off.
    pub(crate) skew_ms: [i64; 2],

    pub(crate) queue_len_max: usize,
    pub(crate) batch_units_max: usize,
    pub(crate) cached_wallets_max: usize,
    pub(crate) commit_deadline_ms: u64,
}

impl Odds {
    pub(crate) fn of(dice: &mut Dice) -> Self {
        let calm = dice.chance(100);
        let mut fault = |most: u64| {
            let is_on = !calm && dice.chance(500);
            let often = dice.between(1, most);
            if is_on { often } else { 0 }
        };
        let (unavailable, transient, refused) = (fault(60), fault(60), fault(30));
        let (lost, panic, unreadable) = (fault(80), fault(20), fault(60));
        let (slow, stuck, crash, stop) = (fault(100), fault(15), fault(25), fault(40));
        let (poisoned, hang_up, unprojectable) = (fault(30), fault(250), fault(60));
        let (undecodable, spoiled) = (fault(300), fault(200));
        let operated = if calm { 0 } else { dice.between(100, 900) };
        let mut skew = || {
            let skewed = !calm && dice.chance(300);
            let ms = i64::try_from(dice.below(7_200_000)).unwrap_or(0) - 3_600_000;
            if skewed { ms } else { 0 }
        };
        let skew_ms = [skew(), skew()];
        Self {
            clients: dice.between(1, 5),
            wishes: dice.between(3, 14),
            tenants: if dice.chance(200) { 2 } else { 1 },
            wallets: dice.between(1, 5),
            shards: if dice.chance(300) { 2 } else { 1 },
            keyed: dice.pick(&[0, 500, 700, 900, 1_000]),
            conditional: dice.pick(&[0, 100, 400]),
            twins: dice.pick(&[0, 100, 300]),
            misused: dice.pick(&[0, 0, 80]),
            hang_up,
            think_ms: dice.pick(&[0, 3, 30, 400]),
            unavailable,
            transient,
            refused,
            lost,
            panic,
            unreadable,
            slow,
            stuck,
            crash,
            stop,
            poisoned,
            unprojectable,
            batch_events_max: dice.pick(&[1, 2, 5, 64]),
            acts: dice.pick(&[2, 8, 20]),
            undecodable,
            spoiled,
            operated,
            page_events: dice.pick(&[1, 2, 5, 64]),
            recovery_ms: dice.pick(&[300, 2_000, 10_000]),
            skew_ms,
            queue_len_max: dice.pick(&[1, 4, 64]),
            batch_units_max: dice.pick(&[1, 2, 3, 8]),
            cached_wallets_max: dice.pick(&[1, 2, 64]),
            commit_deadline_ms: dice.pick(&[300, 2_000, 10_000]),
        }
    }

    /// Whether nothing can happen that a living node need not know the outcome of.
    pub(crate) const fn leaves_no_doubt(&self) -> bool {
        self.lost + self.panic + self.stuck == 0 && self.commit_deadline_ms >= 10_000
    }

    pub(crate) fn lane(&self) -> LaneSettings {
        LaneSettings {
            queue_len_max: self.queue_len_max,
            batch_units_max: self.batch_units_max,
            cached_wallets_max: self.cached_wallets_max,
            commit_deadline: Duration::from_millis(self.commit_deadline_ms),
            ..LaneSettings::default()
        }
    }
}
