//! Comparing a projection with the events, stretch by stretch.
//!
//! A rebuild and a drift check are the same comparison. The walk folds a shard's events once and
//! hands each projector a [`Stretch`]: a range of the shard's wallets, and what the projector's rows
//! in it should come from. The projector reads its rows of that range, in one statement for each of
//! its tables, and tells what differs; when it repairs, it also writes that, in bulk.

mod heads;
mod lines;
mod pairs;
mod span;
mod states;

use std::collections::BTreeMap;

use wallex_domain::Currency;
use wallex_ports::{DIFFERENCES_MAX, Difference, TableTally, WalletKey, WalletState};

pub use heads::compare_head;
pub(crate) use heads::reconcile_heads;
pub(crate) use lines::reconcile_lines;
pub use lines::{LineRow, LineRows, compare_lines};
pub use span::{Span, Spot};
pub(crate) use states::reconcile_states;
pub use states::{StateRow, StateRows, compare_states};

use crate::event::Event;

/// What to do about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Tell.
    Compare,
    /// Put right, and tell.
    Repair,
}

/// A stretch of one shard's history in the order of wallets and versions, as one projection should
/// have it: up to its checkpoint, a parked wallet up to where it was parked.
#[derive(Debug)]
pub struct Stretch<'a> {
    /// The shard.
    pub shard: u16,
    /// The range: every row in it is accounted for by what follows, or is one too many.
    pub span: &'a Span,
    /// The events that count, in the order of wallets and versions.
    pub events: &'a [&'a Event],
    /// What the wallets whose last event lies in this stretch have become, in their order.
    pub finished: &'a [(WalletKey, WalletState)],
    /// Wallets whose history breaks off. Their rows are let be from there on: nobody can say what
    /// they should hold.
    pub broken: &'a BTreeMap<WalletKey, Broken>,
}

impl Stretch<'_> {
    /// Where the wallet of a row breaks off, if it does. The row's key need not be a valid one.
    pub(crate) fn broken(&self, tenant: &str, wallet_id: &str) -> Option<&Broken> {
        let is_it =
            |key: &WalletKey| key.wallet_id.as_str() == wallet_id && key.tenant.as_str() == tenant;
        self.broken.iter().find(|(key, _)| is_it(key)).map(|(_, broken)| broken)
    }
}

/// A wallet with an event that does not follow from those before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The version from which on nothing is known.
    pub version: u64,
    /// The wallet's currency, where an event told it.
    pub currency: Option<Currency>,
    /// What the events of this stretch from the break on move, taken by their amounts.
    pub moved: i128,
    /// What all the wallet's events come to, taken by their amounts.
    pub balance: i128,
}

/// What was found in one stretch.
#[derive(Debug, Default)]
pub struct Findings {
    /// Rows, counted.
    pub tally: TableTally,
    /// How many differences there are.
    pub differences_total: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
    /// How much more money the rows hold than the events make, by currency.
    pub surplus: BTreeMap<Currency, i128>,
}

impl Findings {
    /// Counts a difference. It is described only while there is room for it in a report: after a
    /// table was lost, every row is one.
    pub fn differ(&mut self, describe: impl FnOnce() -> Difference) {
        self.differences_total += 1;
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(describe());
        }
    }

    /// Adds to the surplus.
    pub fn add_surplus(&mut self, currency: Currency, minor_units: i128) {
        *self.surplus.entry(currency).or_default() += minor_units;
    }
}
