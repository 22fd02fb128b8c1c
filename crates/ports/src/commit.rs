//! The only way to write: data in, one transaction, an outcome for each unit.

use std::sync::Arc;

use async_trait::async_trait;
use thiserror::Error;
use wallex_domain::{EncodedEvent, EventHash, EventId, HashedEvent, WalletEvent};

use crate::{
    BoxError, EventMetadata, KeyScope, RequestHash, StoredAnswer, StoredRecord, StreamState,
    Timestamp, WalletKey, WalletState,
};

/// Everything that one command writes: durable as a whole, or not at all.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The idempotency key that the command came with, and the answer to keep for it.
    pub claim: Option<Claim>,
    /// What the decision rests on and does not change: verified in the transaction. A refusal's
    /// only trace.
    pub reads: Vec<StreamVersion>,
    /// What happened: two streams for a transfer, none for a refusal.
    pub appends: Vec<StreamAppend>,
}

/// A claim on an idempotency key.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The key in its scope.
    pub scope: KeyScope,
    /// What was asked.
    pub request_hash: RequestHash,
    /// What is answered, now and to every retry.
    pub answer: StoredAnswer,
    /// How long the record lives, in milliseconds of the database's clock.
    pub ttl_ms: u64,
}

/// A stream at a version; 0 says that the wallet does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamVersion {
    /// Which stream.
    pub stream: WalletKey,
    /// The version of its last event.
    pub version: u64,
}

/// Events for one stream, and the state that they lead to.
#[derive(Debug, Clone)]
pub struct StreamAppend {
    /// Which stream.
    pub stream: WalletKey,
    /// The version that the stream must have: 0 for a creation.
    pub expected_version: u64,
    /// What happened, oldest first; never empty.
    pub events: Vec<NewEvent>,
    /// The wallet after the last of them.
    pub state: WalletState,
}

impl StreamAppend {
    /// The stream after the last event.
    ///
    /// # Panics
    /// When there is no event.
    #[must_use]
    pub fn after(&self) -> StreamState {
        let last = self.events.last().expect("invariant: an append has events");
        StreamState { state: self.state.clone(), last_hash: last.hash }
    }
}

/// An event that was decided and not yet recorded.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its identity.
    pub event_id: EventId,
    /// What happened.
    pub event: WalletEvent,
    /// Where it came from.
    pub metadata: EventMetadata,
    /// When.
    pub recorded_at: Timestamp,
    /// `event` as it is stored, and as `hash` covers it.
    pub encoded: EncodedEvent,
    /// The same of `metadata`.
    pub encoded_metadata: String,
    /// Its hash, in the chain of its stream.
    pub hash: EventHash,
}

impl NewEvent {
    /// An event that becomes version `version` of `stream`, behind the one with the hash `previous`.
    #[must_use]
    pub fn chained(
        (stream, version, previous): (&WalletKey, u64, EventHash),
        event_id: EventId,
        event: WalletEvent,
        metadata: EventMetadata,
        recorded_at: Timestamp,
    ) -> Self {
        let (encoded, encoded_metadata) = (event.encode(), metadata.encode());
        let hash = HashedEvent {
            tenant: stream.tenant.as_str(),
            wallet_id: stream.wallet_id.as_str(),
            version: version.cast_signed(),
            event_id: &event_id.to_string(),
            event_type: encoded.event_type,
            schema_version: encoded.schema_version.into(),
            payload: &encoded.payload,
            metadata: &encoded_metadata,
            recorded_at_ms: recorded_at.unix_ms(),
        }
        .hash(previous);
        Self { event_id, event, metadata, recorded_at, encoded, encoded_metadata, hash }
    }
}

/// What became of one unit of a batch that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitOutcome {
    /// It is durable.
    Committed,
    /// Another process answered this key before; nothing of the unit was written.
    KeyTaken {
        /// What it answered.
        stored: StoredRecord,
    },
    /// The unit rests on a version that is no longer (or was not yet) true, or on a wallet that
    /// another transaction holds; nothing of it was written. Decide it again.
    VersionConflict,
}

/// Why a batch was not committed.
#[derive(Debug, Error)]
pub enum CommitError {
    /// The database can't be reached or used (down, restarting, full, not migrated). Nothing was
    /// written.
    #[error("the database is not available")]
    Unavailable(#[source] BoxError),
    /// The database gave the transaction up (serialization, deadlock). Nothing was written, and
    /// trying again at once may work.
    #[error("the transaction was given up by the database")]
    Transient(#[source] BoxError),
    /// Somebody held what the transaction needed for longer than it waits. Nothing was written, and
    /// trying again at once would wait as long again.
    #[error("the transaction waited too long for another")]
    Blocked(#[source] BoxError),
    /// COMMIT was sent, its answer was lost, and what became of it could not be found out: it may be written, and
    /// may still come to be.
    #[error("the outcome of the transaction is unknown")]
    Indeterminate(#[source] BoxError),
    /// The database refused what was to be written. Nothing was written, and trying the same again
    /// won't help.
    #[error("the database refused the transaction")]
    Storage(#[source] BoxError),
}

/// Commits batches of units.
#[async_trait]
pub trait Committer: Send + Sync {
    /// One transaction for the whole batch; each unit is all-or-nothing and gets its own outcome,
    /// in the order of the batch. No wallet is waited for that another transaction holds: its units
    /// come back, the others go on. A later unit may rest on what an earlier one writes. No two
    /// units of a batch may claim the same key. The batch is shared, so that the same one can be
    /// tried again.
    ///
    /// # Errors
    /// As [`CommitError`] says; after [`CommitError::Indeterminate`] alone may the batch have been
    /// written.
    async fn commit(&self, batch: Arc<[Unit]>) -> Result<Vec<UnitOutcome>, CommitError>;

    /// Begins the transaction by locking the rows of `keys`, for commands that lost to another
    /// process too often: what is decided on the answer can't conflict, a creation excepted.
    ///
    /// # Errors
    /// As [`CommitError`] says.
    async fn lock(&self, keys: Vec<WalletKey>) -> Result<Box<dyn LockedWallets>, CommitError>;
}

/// A transaction that holds the rows of some wallets. Dropped, it is rolled back.
#[async_trait]
pub trait LockedWallets: Send {
    /// The locked wallets, in the order they were asked for; `None` where there is none.
    fn wallets(&self) -> &[Option<StreamState>];

    /// Writes `batch` and commits, as [`Committer::commit`] does.
    ///
    /// # Errors
    /// As [`Committer::commit`].
    async fn commit(self: Box<Self>, batch: Arc<[Unit]>) -> Result<Vec<UnitOutcome>, CommitError>;
}
