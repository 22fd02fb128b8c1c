//! Comparing a projection with the events, wallet by wallet.

/// What to do about a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Tell.
    Compare,
    /// Put right, and tell.
    Repair,
}

/// A stretch of one shard's history in the order of wallets and versions, and what it makes.
#[derive(Debug)]
pub struct Stretch<'a> {
    /// The shard.
    pub shard: u16,
    /// The events, as this projection should have applied them.
    pub events: &'a [&'a crate::event::Event],
}

/// What was found in one stretch.
#[derive(Debug, Default)]
pub struct Findings {
    /// Rows, counted.
    pub tally: wallex_ports::TableTally,
    /// What differs.
    pub differences: Vec<wallex_ports::Difference>,
}
