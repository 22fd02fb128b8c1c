//! What the write side reads.

use async_trait::async_trait;
use thiserror::Error;
use wallex_domain::{EventHash, EventId, TenantId, Wallet, WalletEvent, WalletId};

use crate::{BoxError, EventMetadata, ReadError, Timestamp};

/// A wallet's full identity; its event stream has the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WalletKey {
    /// Whose wallet it is.
    pub tenant: TenantId,
    /// Its id within the tenant.
    pub wallet_id: WalletId,
}

/// A wallet and when it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletState {
    /// The wallet as of its last event.
    pub wallet: Wallet,
    /// When its first event was recorded.
    pub created_at: Timestamp,
    /// When its last event was recorded; never before `created_at`, nor before it was.
    pub updated_at: Timestamp,
}

/// A wallet as its next event finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamState {
    /// The wallet.
    pub state: WalletState,
    /// The hash of its last event, which that of the next one covers.
    pub last_hash: EventHash,
}

/// Reads the write side's wallets: always current.
#[async_trait]
pub trait Wallets: Send + Sync {
    /// The wallets of `keys`, in their order; `None` where there is none.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] when the database does not answer, [`ReadError::Storage`] when a
    /// row can't be understood.
    async fn load(&self, keys: &[WalletKey]) -> Result<Vec<Option<StreamState>>, ReadError>;
}

/// An event as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its identity.
    pub event_id: EventId,
    /// Its place in its wallet's history, from 1.
    pub version: u64,
    /// Its place in its shard: gapless, in commit order, from 1.
    pub position: u64,
    /// The schema version that it was written with.
    pub schema_version: u16,
    /// What happened.
    pub event: WalletEvent,
    /// Where it came from.
    pub metadata: EventMetadata,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Its hash, which covers all of it but the position, and the hash of the wallet's event before.
    pub hash: EventHash,
}

/// Reads event streams.
#[async_trait]
pub trait Events: Send + Sync {
    /// At most `limit` events of one wallet with a version above `after_version`, oldest first.
    /// Empty when there are none, and when there is no such wallet.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] when the database does not answer, [`ReadError::Storage`] when an
    /// event can't be decoded.
    async fn after(
        &self,
        key: &WalletKey,
        after_version: u64,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, ReadError>;
}

/// Why the server can't take requests.
#[derive(Debug, Error)]
pub enum NotReady {
    /// The database does not answer.
    #[error("the database does not answer")]
    Unreachable(#[source] BoxError),
    /// Migrations are missing.
    #[error("the database is not migrated: run `wallex migrate up`")]
    NotMigrated,
}

/// Whether the storage can serve.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Asks the database.
    ///
    /// # Errors
    /// When it can't be reached or is not migrated.
    async fn check(&self) -> Result<(), NotReady>;
}
