//! The rows of the two projections, as their projectors see them: what stands, and what is written.
//!
//! The projectors decide on these; SQL is one way to keep them, and a simulation another. Each call is
//! about a whole batch, so the seam costs nothing for an event.

use std::collections::HashMap;

use wallex_domain::{EventId, Standing};
use wallex_ports::{LedgerEntry, Timestamp, WalletKey, WalletState};

use crate::projector::ApplyError;

/// What is there by wallet; for a row that can't be understood, why.
pub type Found<T> = HashMap<WalletKey, Result<T, String>>;

/// A wallet that goes from one standing to another.
#[derive(Debug, Clone)]
pub struct Move<'a> {
    /// Which wallet.
    pub key: &'a WalletKey,
    /// What its row must say.
    pub before: Standing,
    /// What it says then.
    pub after: Standing,
    /// When; a wallet's time does not go back.
    pub at: Timestamp,
}

/// The rows of the read model in one shard, in the transaction that applies a batch.
pub trait WalletRows: Sync {
    /// The rows of `keys` that there are.
    fn standing(
        &self,
        keys: &[&WalletKey],
    ) -> impl Future<Output = Result<Found<WalletState>, ApplyError>> + Send;

    /// Inserts rows that must not be there: [`ApplyError::NotNew`], or a taken key, when one is.
    fn insert(
        &self,
        rows: &[(&WalletKey, WalletState)],
    ) -> impl Future<Output = Result<(), ApplyError>> + Send;

    /// Moves on the rows that stand as `moves` say; how many did.
    fn move_on(&self, moves: &[Move<'_>]) -> impl Future<Output = Result<u64, ApplyError>> + Send;

    /// Makes the rows what `rows` say, whether they are there or not.
    fn upsert(
        &self,
        rows: &[(&WalletKey, WalletState)],
    ) -> impl Future<Output = Result<(), ApplyError>> + Send;
}

/// The lines of the ledger in one shard, in the transaction that applies a batch.
pub trait LedgerRows: Sync {
    /// What the last line of each of `keys` that has one says of its wallet.
    fn last_lines(
        &self,
        keys: &[&WalletKey],
    ) -> impl Future<Output = Result<Found<Standing>, ApplyError>> + Send;

    /// How many of `standings` are what the line of their version says.
    fn count_standing(
        &self,
        standings: &[(&WalletKey, Standing)],
    ) -> impl Future<Output = Result<usize, ApplyError>> + Send;

    /// Inserts lines that must not be there: [`ApplyError::NotNew`], or a taken key, when one is.
    fn insert(&self, lines: &[LedgerEntry]) -> impl Future<Output = Result<(), ApplyError>> + Send;

    /// Inserts the lines whose places are free; how many were.
    fn insert_new(
        &self,
        lines: &[LedgerEntry],
    ) -> impl Future<Output = Result<u64, ApplyError>> + Send;

    /// The lines of these events that there are; nothing for one that can't be understood.
    fn of_events(
        &self,
        ids: &[EventId],
    ) -> impl Future<Output = Result<HashMap<EventId, Option<LedgerEntry>>, ApplyError>> + Send;
}
