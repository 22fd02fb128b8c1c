//! Putting projections right, and saying how things are.

use async_trait::async_trait;
use uuid::Uuid;

use crate::{Operation, OperationKind, ReadError, Scope, StartError};

/// One shard of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxShard {
    /// The shard.
    pub shard: u16,
    /// The position of its last event.
    pub head: u64,
    /// The position that every projector has reached.
    pub processed: u64,
    /// The position of the oldest row that is kept; `None` when there is none.
    pub oldest_kept: Option<u64>,
    /// Age of the oldest event that some projector has not applied, in milliseconds; 0 when there is
    /// none.
    pub lag_age_ms: u64,
}

/// What there is, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Events that were ever recorded.
    pub events: u64,
    /// Wallets of the write side.
    pub wallets: u64,
    /// Wallets of the read model.
    pub projected_wallets: u64,
    /// Lines of the ledger.
    pub ledger_entries: u64,
    /// Rows of the outbox that are kept.
    pub outbox_rows: u64,
    /// Idempotency records, expired ones included.
    pub idempotency_records: u64,
    /// Parked wallets.
    pub dead_letters: u64,
    /// Events that were left out of a projection by hand.
    pub discarded_events: u64,
    /// Size of the database, in bytes.
    pub database_bytes: u64,
}

/// Puts projections right, and says how things are.
#[async_trait]
pub trait Recovery: Send + Sync {
    /// Begins an operation in the background of this process, or goes on with an interrupted
    /// rebuild of the same scope.
    ///
    /// # Errors
    /// [`StartError`].
    async fn begin(&self, kind: OperationKind, scope: Scope) -> Result<Operation, StartError>;

    /// An operation of any process; `None` when there is none of that identity.
    ///
    /// # Errors
    /// The database's.
    async fn operation(&self, id: Uuid) -> Result<Option<Operation>, ReadError>;

    /// The outbox by shard.
    ///
    /// # Errors
    /// The database's.
    async fn outbox(&self) -> Result<Vec<OutboxShard>, ReadError>;

    /// Deletes outbox rows that every projector has processed and that are older than
    /// `older_than_ms`, in chunks; how many.
    ///
    /// # Errors
    /// The database's.
    async fn clean_outbox(&self, older_than_ms: u64) -> Result<u64, ReadError>;

    /// Deletes idempotency records that have expired, in chunks; how many.
    ///
    /// # Errors
    /// The database's.
    async fn sweep_idempotency(&self) -> Result<u64, ReadError>;

    /// Counts everything. Takes time in proportion to what there is.
    ///
    /// # Errors
    /// The database's.
    async fn statistics(&self) -> Result<Statistics, ReadError>;
}
