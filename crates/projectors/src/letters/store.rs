//! What replaying a dead letter needs of the database: transactions that hold the projector's checkpoint.
//!
//! [`Letters`](super::Letters) decide, an implementation carries out: SQL in production, and a simulated
//! store that fails on purpose.

use async_trait::async_trait;
use sea_orm::DbErr;
use wallex_domain::TenantId;
use wallex_ports::{DeadLetter, DeadLetterError, ReadError, StoredEvent, WalletKey};

use crate::event::{Batch, Discarded, Event};
use crate::projector::{ApplyError, Poison};

/// The database, as whoever settles dead letters sees it.
#[async_trait]
pub trait LetterStore: Send + Sync {
    /// Whether there is such a projector.
    fn knows(&self, projector: &str) -> bool;

    /// The letter as it stands.
    ///
    /// # Errors
    /// [`DeadLetterError::NotParked`] when there is none, or the database's.
    async fn find(
        &self,
        projector: &str,
        wallet: &WalletKey,
    ) -> Result<DeadLetter, DeadLetterError>;

    /// As [`DeadLetters::list`](wallex_ports::DeadLetters::list).
    ///
    /// # Errors
    /// The database's.
    async fn list(
        &self,
        tenant: Option<&TenantId>,
        projector: Option<&str>,
        after: Option<(&str, &WalletKey)>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, ReadError>;

    /// The event of a letter as it is stored; `None` when it is gone.
    ///
    /// # Errors
    /// The database's.
    async fn event_of(&self, letter: &DeadLetter) -> Result<Option<StoredEvent>, ReadError>;

    /// Begins a transaction about one wallet of a projector.
    ///
    /// # Errors
    /// The database's.
    async fn begin(
        &self,
        projector: &str,
        wallet: &WalletKey,
    ) -> Result<Box<dyn LetterTransaction>, ReadError>;
}

/// A transaction about one wallet that a projector has parked. Dropped, it is rolled back.
#[async_trait]
pub trait LetterTransaction: Send + Sync {
    /// Holds the projector's checkpoint until the transaction ends, as the first step; its position.
    ///
    /// # Errors
    /// The database's.
    async fn hold(&self) -> Result<u64, ReadError>;

    /// The letter.
    ///
    /// # Errors
    /// [`DeadLetterError::NotParked`] when there is none, or the database's.
    async fn letter(&self) -> Result<DeadLetter, DeadLetterError>;

    /// At most `limit` of the wallet's events from `version` on that a checkpoint at `upto` has passed, in
    /// their order.
    ///
    /// # Errors
    /// The database's, or that a row can't be read.
    async fn waiting(&self, version: u64, upto: u64, limit: u32) -> Result<Vec<Event>, ReadError>;

    /// What was left out of the wallet by hand.
    ///
    /// # Errors
    /// The database's.
    async fn discarded(&self) -> Result<Discarded, ReadError>;

    /// Has the projector apply `batch` to its rows.
    ///
    /// # Errors
    /// [`ApplyError`].
    async fn project(&self, batch: &Batch<'_>) -> Result<(), ApplyError>;

    /// Lets the wallet stay parked at `poison`, unless it is parked behind that.
    ///
    /// # Errors
    /// The database's.
    async fn postpone(&self, poison: &Poison) -> Result<(), DbErr>;

    /// Deletes the letter.
    ///
    /// # Errors
    /// The database's.
    async fn unpark(&self) -> Result<(), DbErr>;

    /// The versions before the letter's of which neither an event is left nor a word that it was left out.
    ///
    /// # Errors
    /// The database's.
    async fn lost_before(&self, letter: &DeadLetter) -> Result<Vec<u64>, DbErr>;

    /// Records that `versions` are left out by hand, because of `reason`: the letter's own, or those that
    /// are lost before it.
    ///
    /// # Errors
    /// The database's.
    async fn leave_out(&self, letter: &DeadLetter, lost: &[u64], reason: &str)
    -> Result<(), DbErr>;

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
