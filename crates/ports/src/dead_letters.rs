//! Dead letters: what a projector could not apply, and what becomes of it.

use async_trait::async_trait;
use thiserror::Error;
use wallex_domain::{EventId, TenantId};

use crate::{ReadError, Timestamp, WalletKey};

/// A wallet that a projector has parked: the event that it could not apply, and those behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The projector.
    pub projector: String,
    /// The wallet.
    pub wallet: WalletKey,
    /// The wallet's shard.
    pub shard: u16,
    /// The event's version in the wallet.
    pub version: u64,
    /// The event's position in the shard.
    pub position: u64,
    /// The event's identity.
    pub event_id: EventId,
    /// The event's type, as stored.
    pub event_type: String,
    /// Why it could not be applied.
    pub error: String,
    /// How often it was tried.
    pub attempts: u64,
    /// Events of the wallet that wait behind it.
    pub queued_events: u64,
    /// When the wallet was parked.
    pub parked_at: Timestamp,
    /// When it was last tried.
    pub tried_at: Timestamp,
}

/// An event as it is stored, decodable or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The version of the payload's shape.
    pub schema_version: i64,
    /// The payload, as stored.
    pub payload: String,
    /// The metadata, as stored.
    pub metadata: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// What replaying a dead letter came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// Every waiting event was applied; the wallet is no longer parked.
    Applied {
        /// How many events were applied.
        events: u64,
    },
    /// An event could not be applied; the wallet stays parked there.
    StillParked(Box<DeadLetter>),
}

/// Why nothing was done to a dead letter.
#[derive(Debug, Error)]
pub enum DeadLetterError {
    /// The projector has not parked that wallet.
    #[error("that projector has not parked that wallet")]
    NotParked,
    /// Without its creation a wallet has no owner and no currency: what came after can't be shown.
    #[error("the wallet's creation can't be left out: what follows rests on it")]
    Creation,
    /// Another event is parked by now than the one that was meant.
    #[error("version {} of the wallet is parked now, a {}", .0.version, .0.event_type)]
    Moved(Box<DeadLetter>),
    /// The database.
    #[error(transparent)]
    Database(#[from] ReadError),
}

/// Sees and settles dead letters.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// At most `limit` dead letters in the order of (projector, wallet), beginning behind `after`;
    /// of one tenant and of one projector where one is named.
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

    /// One dead letter, and its event as it is stored (`None` when the event is gone).
    ///
    /// # Errors
    /// [`DeadLetterError`].
    async fn show(
        &self,
        projector: &str,
        wallet: &WalletKey,
    ) -> Result<(DeadLetter, Option<StoredEvent>), DeadLetterError>;

    /// Applies the parked event and those behind it, in order.
    ///
    /// # Errors
    /// [`DeadLetterError`].
    async fn replay(&self, projector: &str, wallet: &WalletKey) -> Result<Replay, DeadLetterError>;

    /// Leaves the parked event out of this projection for ever, records why, and applies those
    /// behind it. `version` is the event that was seen: a replay may have come further meanwhile,
    /// and what nobody has looked at must not be left out.
    ///
    /// # Errors
    /// [`DeadLetterError`].
    async fn discard(
        &self,
        projector: &str,
        wallet: &WalletKey,
        version: u64,
        reason: &str,
    ) -> Result<Replay, DeadLetterError>;
}
