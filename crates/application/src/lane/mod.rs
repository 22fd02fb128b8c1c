//! The command lane: group commit.
//!
//! One task in each process takes what is waiting, decides it in memory in order, has it written
//! by one transaction, and answers everyone after COMMIT. While it commits, the next batch gathers:
//! one client alone waits for nobody, and a thousand share one fsync.
//!
//! What a batch costs, n commands in it:
//!
//! | phase | statements | bounded by |
//! |---|---|---|
//! | gather | none: takes what is there, no timer | [`LaneSettings::batch_units_max`], of 4 KiB each at most |
//! | load wallets not in the cache; look keys up, while retries are about | 1 + 1, at once; none for new keys and wallets | n keys, 2n wallets |
//! | decide | none | n |
//! | commit | one transaction: one statement on PostgreSQL, about 7 on SQLite, whatever n is | n |
//!
//! A key is believed to be new, and so is a wallet that is created: the transaction claims the one and
//! inserts the other, and finds out. After one that was not, batches are looked up for a while.
//!
//! The states in memory are a cache. The versions that a decision rests on, a refusal's included,
//! are verified in the transaction, which waits for no wallet that another process holds. A unit
//! that was overtaken is decided again, and after [`OPTIMISTIC_TRIES_MAX`] such defeats with its
//! wallets' rows locked first: that alone waits, and not for long.

mod answers;
mod cache;
mod commit;
mod deciding;
mod group;
mod queue;
mod read;
mod spans;

use std::sync::Arc;
use std::time::Duration;

use wallex_domain::Currency;
use wallex_ports::{Clock, Committer, IdGenerator, IdempotencyRecords, Wallets};

use crate::AnswerEncoder;

pub(crate) use deciding::{Deciding, Identities};
pub use queue::{CommandLane, LaneTask};

/// How often a command is decided on cached states before its wallets are locked first.
pub(crate) const OPTIMISTIC_TRIES_MAX: u32 = 3;
/// How often a command is decided at all. With the rows locked only two creations of one wallet
/// can still collide, and the loser of such a collision finds the wallet next time.
pub(crate) const TRIES_MAX: u32 = 8;
/// How many batches are looked up after one that met a key that was answered before: retries come in
/// swarms, and a batch with one of them has to be written twice if nobody looked.
pub(crate) const LOOKED_UP_BATCHES: u32 = 64;
/// How long a command may wait for its turn. One that waited longer is refused undone: its client
/// has little time left, and the others behind it have as much to lose.
pub(crate) const QUEUE_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long the database may take to answer a look-up.
pub(crate) const READ_DEADLINE: Duration = Duration::from_secs(2);

/// What the lane needs from the outside.
#[derive(Clone)]
pub struct LanePorts {
    /// Writes.
    pub committer: Arc<dyn Committer>,
    /// Loads states that the cache does not hold.
    pub wallets: Arc<dyn Wallets>,
    /// Looks keys up.
    pub idempotency: Arc<dyn IdempotencyRecords>,
    /// Turns decisions into answers.
    pub answers: Arc<dyn AnswerEncoder>,
    /// Wall time for what people read.
    pub clock: Arc<dyn Clock>,
    /// Fresh ids.
    pub ids: Arc<dyn IdGenerator>,
}

/// How the lane behaves.
#[derive(Debug, Clone)]
pub struct LaneSettings {
    /// Commands that may wait; one more is refused at once.
    pub queue_len_max: usize,
    /// Commands that are taken into one transaction, at most. Those that come back, to be decided again, are
    /// in it as well, and leave room for half as many, until there are more than four times as many: no
    /// transaction holds more than 4.5 times as many.
    pub batch_units_max: usize,
    /// Wallet states kept in memory, at most.
    pub cached_wallets_max: usize,
    /// How long an idempotency record lives.
    pub idempotency_ttl: Duration,
    /// The currency of a wallet that is created without one.
    pub default_currency: Currency,
    /// How long one transaction may take before its commands are answered as outcome-unknown.
    pub commit_deadline: Duration,
}

impl Default for LaneSettings {
    fn default() -> Self {
        Self {
            queue_len_max: 16_384,
            batch_units_max: 256,
            cached_wallets_max: 100_000,
            idempotency_ttl: Duration::from_secs(24 * 60 * 60),
            default_currency: Currency::parse("USD").expect("invariant: a valid code"),
            commit_deadline: Duration::from_secs(10),
        }
    }
}
