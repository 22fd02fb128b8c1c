//! What a worker needs of the database, for its projector in its shard: the lease, the events, and
//! transactions in which effect and checkpoint commit together.
//!
//! [`Worker`](crate::Worker) decides, an implementation carries out: SQL in production, and a simulated
//! store that fails on purpose. Calls are about a batch, never about one event.

use std::collections::BTreeSet;

use async_trait::async_trait;
use sea_orm::DbErr;
use wallex_database::Place;
use wallex_ports::{BoxError, WalletKey};

use crate::checkpoint::Seat;
use crate::event::{Batch, Event};
use crate::parking::{Filled, Parking};
use crate::projector::{ApplyError, Poison};

/// The database, as the worker of one projector in one shard sees it.
#[async_trait]
pub trait ProjectorStore: Send + Sync {
    /// The projector's name.
    fn projector(&self) -> &'static str;

    /// The shard.
    fn shard(&self) -> u16;

    /// Takes the lease, if nobody holds it and the projector is wanted: its epoch is a new one. The
    /// seat, and where the checkpoint stands.
    ///
    /// # Errors
    /// The database's.
    async fn take(&self) -> Result<Option<(Seat, u64)>, DbErr>;

    /// Keeps the lease after a look that found nothing wrong; where the checkpoint stands, `None` when the
    /// seat is another's.
    ///
    /// # Errors
    /// The database's.
    async fn renew(&self, seat: &Seat) -> Result<Option<u64>, DbErr>;

    /// Keeps the lease while the holder waits after a failure; whether it is still this holder's.
    ///
    /// # Errors
    /// The database's.
    async fn wait(&self, seat: &Seat) -> Result<bool, DbErr>;

    /// Records what went wrong, and keeps the lease; whether it is still this holder's.
    ///
    /// # Errors
    /// The database's.
    async fn fail(&self, seat: &Seat, error: &str) -> Result<bool, DbErr>;

    /// Where the checkpoint stands; `None` when the seat is another's.
    ///
    /// # Errors
    /// The database's.
    async fn position(&self, seat: &Seat) -> Result<Option<u64>, DbErr>;

    /// Gives the lease back, so that another process can take it at once.
    ///
    /// # Errors
    /// The database's.
    async fn leave(&self, seat: &Seat) -> Result<(), DbErr>;

    /// At most `limit` events behind the position `after`, in order.
    ///
    /// # Errors
    /// The database's, or that a row can't be read.
    async fn read_after(&self, after: u64, limit: u32) -> Result<Vec<Event>, BoxError>;

    /// What traces say of the database, where it is one.
    fn place(&self) -> Option<&Place> {
        None
    }

    /// Begins the transaction of a batch.
    ///
    /// # Errors
    /// The database's.
    async fn begin(&self) -> Result<Box<dyn ProjectorTransaction>, DbErr>;
}

/// A transaction in which a batch is applied. Dropped, it is rolled back.
#[async_trait]
pub trait ProjectorTransaction: Send + Sync {
    /// Moves the checkpoint on, as the first step. Nothing when the seat is no longer this holder's, or
    /// the checkpoint not where it left it; else what has to be looked for in [`parking`](Self::parking).
    ///
    /// # Errors
    /// The database's.
    async fn advance(
        &self,
        seat: &Seat,
        from: u64,
        to: u64,
        events_per_second: u64,
    ) -> Result<Option<Filled>, DbErr>;

    /// What is parked or left out of `wallets`.
    ///
    /// # Errors
    /// The database's.
    async fn parking(
        &self,
        wallets: &BTreeSet<&WalletKey>,
        filled: Filled,
    ) -> Result<Parking, DbErr>;

    /// Parks the wallets of `poison`. One that is parked already stays where it is.
    ///
    /// # Errors
    /// The database's.
    async fn park(&self, poison: &[&Poison]) -> Result<(), DbErr>;

    /// Has the projector apply `batch` to its rows.
    ///
    /// # Errors
    /// [`ApplyError`].
    async fn project(&self, batch: &Batch<'_>) -> Result<(), ApplyError>;

    /// Makes everything durable.
    ///
    /// # Errors
    /// The database's; it may have been committed all the same.
    async fn commit(self: Box<Self>) -> Result<(), DbErr>;

    /// Takes everything back.
    ///
    /// # Errors
    /// The database's.
    async fn rollback(self: Box<Self>) -> Result<(), DbErr>;
}
