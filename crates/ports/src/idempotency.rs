//! Idempotency records: which answer a key was given.

use async_trait::async_trait;
use wallex_domain::{TenantId, WalletId};

use crate::{IdempotencyKey, ReadError, Route, StoredAnswer};

/// A key in its scope: the same key of another tenant, or on another route, is another key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyScope {
    /// Whose key it is.
    pub tenant: TenantId,
    /// The route that it was sent to.
    pub route: Route,
    /// The key.
    pub key: IdempotencyKey,
    /// The wallet in the path, which decides the record's shard; none for a creation.
    pub wallet_id: Option<WalletId>,
}

/// SHA-256 over what was asked: tells a retry from another request under the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHash(pub [u8; 32]);

/// A stored record that has not expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The hash of the request that was answered.
    pub request_hash: RequestHash,
    /// The answer it was given.
    pub answer: StoredAnswer,
}

/// Reads idempotency records.
#[async_trait]
pub trait IdempotencyRecords: Send + Sync {
    /// The live records of `scopes`, in their order; `None` where there is none.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] when the database does not answer, [`ReadError::Storage`] when a
    /// record can't be understood.
    async fn lookup(&self, scopes: &[KeyScope]) -> Result<Vec<Option<StoredRecord>>, ReadError>;
}

/// Deletes idempotency records that nobody can ask for any more.
#[async_trait]
pub trait ExpiredRecords: Send + Sync {
    /// Deletes at most `rows_max` expired records; how many it were. Fewer than `rows_max` says that
    /// none is left.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] when the database does not answer.
    async fn sweep(&self, rows_max: u32) -> Result<u64, ReadError>;
}
