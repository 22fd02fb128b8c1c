//! The ports of Wallex: what the application needs from the outside, as traits, and the data that
//! crosses them. No SQL, no HTTP, no runtime.
//!
//! - [`Committer`]: one transaction for everything that a batch of commands writes.
//! - [`Wallets`], [`Events`], [`IdempotencyRecords`]: what the write side reads.
//! - [`ReadModels`]: what the projections say.
//! - [`Projectors`], [`DeadLetters`], [`Recovery`]: how projections are seen and steered.
//! - [`Admission`], [`Authenticator`]: who calls, and what they may do.
//! - [`ApiKeys`], [`AuditLog`]: the keys, and who did what.
//! - [`Readiness`]: whether the database answers and is migrated.
//! - [`Clock`], [`IdGenerator`]: time and identity, so that a test decides them.

mod access;
mod answer;
mod api_keys;
mod audit;
mod clock;
mod commit;
mod dead_letters;
mod error;
mod idempotency;
mod metadata;
mod operations;
pub mod planted;
mod projectors;
mod read;
mod read_models;
mod recovery;
mod request;
mod shard;
mod timestamp;

pub use access::{
    AccessScope, AccessScopes, Admission, Authenticator, Caller, Recalled, Refused, UnknownScope,
};
pub use answer::StoredAnswer;
pub use api_keys::{
    API_KEY_PREFIX, ApiKey, ApiKeyError, ApiKeyId, ApiKeyState, ApiKeys, IssuedKey, KeyName,
    NewApiKey, NoKeyId, NoKeyName, Secret,
};
pub use audit::{Act, Actor, AuditAction, AuditFilter, AuditLine, AuditLog, AuditOutcome};
pub use clock::{Clock, IdGenerator};
pub use commit::{
    Claim, CommitError, Committer, LockedWallets, NewEvent, StreamAppend, StreamVersion, Unit,
    UnitOutcome,
};
pub use dead_letters::{DeadLetter, DeadLetterError, DeadLetters, Replay, StoredEvent};
pub use error::{BoxError, NotMigrated, ReadError, TooManyReaders};
pub use idempotency::{ExpiredRecords, IdempotencyRecords, KeyScope, RequestHash, StoredRecord};
pub use metadata::EventMetadata;
pub use operations::{
    CurrencyTotals, DIFFERENCES_MAX, Difference, Missing, Operation, OperationKind, OperationState,
    Place, Progress, REPAIRS_MAX, Report, Scope, StartError, TableTally,
};
pub use projectors::{ProjectorOverall, ProjectorState, ProjectorStatus, Projectors, SteerError};
pub use read::{
    Events, NotReady, Readiness, RecordedEvent, StreamState, WalletKey, WalletState, Wallets,
};
pub use read_models::{EntryType, LedgerEntry, LedgerFilter, Projected, ReadModels, ShardPosition};
pub use recovery::{OutboxShard, Recovery, Statistics};
pub use request::{CorrelationId, IdempotencyKey, Route, Traceparent};
pub use shard::{MAX_SHARDS, Shards};
pub use timestamp::Timestamp;
