//! What a projector is.

use async_trait::async_trait;
use sea_orm::{DatabaseTransaction, DbErr};
use thiserror::Error;
use wallex_database::RowError;
use wallex_domain::EventId;
use wallex_ports::WalletKey;

use crate::event::{Batch, Event};
use crate::reconcile::{Findings, Mode, Stretch};

/// Turns events into rows of its own tables.
///
/// It is called in a transaction that also moves its checkpoint on: effect and checkpoint commit
/// together, or not at all. It begins no transaction and knows nothing of leases, retries or
/// checkpoints.
#[async_trait]
pub trait Projector: Send + Sync {
    /// Its name, the key of its checkpoints. Never changes.
    fn name(&self) -> &'static str;

    /// Applies a batch. Every event that it can't apply is told at once, the first of each wallet;
    /// the transaction is then rolled back, those wallets are parked, and the rest comes again.
    ///
    /// What was applied before changes nothing when it comes again.
    ///
    /// # Errors
    /// [`ApplyError`].
    async fn apply(&self, tx: &DatabaseTransaction, batch: &Batch<'_>) -> Result<(), ApplyError>;

    /// Compares the rows of a stretch of wallets with what their events make, and in
    /// [`Mode::Repair`] puts right what differs.
    ///
    /// # Errors
    /// The database's.
    async fn reconcile(
        &self,
        tx: &DatabaseTransaction,
        stretch: &Stretch<'_>,
        mode: Mode,
    ) -> Result<Findings, DbErr>;
}

/// Why a batch could not be applied.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// Events that can't be decoded, or contradict what was applied: their wallets are parked.
    #[error("{} wallets have an event that can't be applied", .0.len())]
    Poison(Vec<Poison>),
    /// What was taken to be new ([`Batch::is_new`]) is not, or not simply: it comes again, to be applied
    /// with care.
    #[error("the batch is not simply new")]
    NotNew,
    /// The database: the batch is tried again later.
    #[error("the database refused the batch")]
    Storage(#[from] DbErr),
}

impl From<RowError> for ApplyError {
    fn from(error: RowError) -> Self {
        Self::Storage(DbErr::Type(sentence(&error)))
    }
}

/// An event that can't be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poison {
    /// Its wallet.
    pub wallet: WalletKey,
    /// Its version in the wallet.
    pub version: u64,
    /// Its position in the shard.
    pub position: u64,
    /// Its identity.
    pub event_id: EventId,
    /// Its type, as stored.
    pub event_type: String,
    /// Why it can't be applied.
    pub error: String,
}

impl Poison {
    /// `event` can't be applied, because of `error`.
    #[must_use]
    pub fn of(event: &Event, error: String) -> Self {
        Self {
            wallet: event.wallet.clone(),
            version: event.version,
            position: event.position,
            event_id: event.event_id,
            event_type: event.event_type.clone().into_owned(),
            error,
        }
    }
}

/// An error with its sources, as one sentence.
pub(crate) fn sentence(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
