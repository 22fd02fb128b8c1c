//! Who did what to keys, projectors, dead letters and recovery.
//!
//! What is done leaves two lines: that it was asked for, before anything is done, and what it came
//! to. So nothing is done without a line, and one whose process died in the middle shows as a line
//! that has no second. A key is changed in one transaction with its one line.

use std::fmt;

use async_trait::async_trait;
use uuid::Uuid;
use wallex_domain::TenantId;

use crate::{CorrelationId, ReadError, Timestamp};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditAction {
    /// An API key is made.
    KeyCreate,
    /// An API key is replaced by a new one.
    KeyRotate,
    /// An API key is taken back.
    KeyRevoke,
    /// A projector is asked to run.
    ProjectorStart,
    /// A projector is asked to stop.
    ProjectorStop,
    /// A parked wallet is tried again.
    DeadLetterReplay,
    /// An event is left out of a projection.
    DeadLetterDiscard,
    /// A rebuild begins.
    Rebuild,
    /// A drift check begins.
    Drift,
    /// A retry of every dead letter begins.
    Retry,
    /// Processed outbox rows are deleted.
    OutboxClean,
    /// Expired idempotency records are deleted.
    IdempotencySweep,
}

impl AuditAction {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::KeyCreate,
        Self::KeyRotate,
        Self::KeyRevoke,
        Self::ProjectorStart,
        Self::ProjectorStop,
        Self::DeadLetterReplay,
        Self::DeadLetterDiscard,
        Self::Rebuild,
        Self::Drift,
        Self::Retry,
        Self::OutboxClean,
        Self::IdempotencySweep,
    ];

    /// The stable name, as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeyCreate => "key.create",
            Self::KeyRotate => "key.rotate",
            Self::KeyRevoke => "key.revoke",
            Self::ProjectorStart => "projector.start",
            Self::ProjectorStop => "projector.stop",
            Self::DeadLetterReplay => "dead_letter.replay",
            Self::DeadLetterDiscard => "dead_letter.discard",
            Self::Rebuild => "recovery.rebuild",
            Self::Drift => "recovery.drift",
            Self::Retry => "recovery.retry",
            Self::OutboxClean => "outbox.clean",
            Self::IdempotencySweep => "idempotency.sweep",
        }
    }

    /// The action of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far an act has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    /// It is about to be done.
    Requested,
    /// It was done.
    Done,
    /// It was not done, or not to its end.
    Failed,
}

impl AuditOutcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Requested, Self::Done, Self::Failed];

    /// The stable name: `requested`, `done`, `failed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// The outcome of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// A caller's name, or `cli:<user>` on the command line.
    pub id: String,
    /// What ties it to the request's other traces.
    pub correlation_id: Option<CorrelationId>,
}

/// Something that is about to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// By whom.
    pub actor: Actor,
    /// Whose things it is about: the tenant `default` when it is about the whole server.
    pub tenant: TenantId,
    /// What.
    pub action: AuditAction,
    /// To what: a key's id, a projector, `projector/wallet`, a wallet; `*` for everything.
    pub target: String,
    /// What else was asked, in words; may be empty.
    pub details: String,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditLine {
    /// Its place: gapless, in commit order, from 1. A hole says that a line was removed.
    pub position: u64,
    /// What the lines of one act share.
    pub act_id: Uuid,
    /// When it was written, by the database's clock.
    pub at: Timestamp,
    /// Whose things it is about.
    pub tenant: TenantId,
    /// Who.
    pub actor: String,
    /// The action's name.
    pub action: String,
    /// To what.
    pub target: String,
    /// How far it had come.
    pub outcome: AuditOutcome,
    /// What else there is to say; may be empty.
    pub details: String,
    /// The request's correlation id.
    pub correlation_id: Option<String>,
}

/// Which lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only of this tenant.
    pub tenant: Option<TenantId>,
    /// Only by this actor.
    pub actor: Option<String>,
    /// Only of this action.
    pub action: Option<AuditAction>,
    /// Only lines before this position.
    pub below: Option<u64>,
}

/// The log of what was done. Lines are added, never changed and never removed.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Says that `act` is about to be done; what its second line is to name.
    ///
    /// # Errors
    /// The database's: then nothing may be done.
    async fn begin(&self, act: &Act) -> Result<Uuid, ReadError>;

    /// Says what the act that [`AuditLog::begin`] named came to.
    ///
    /// # Errors
    /// The database's.
    async fn end(
        &self,
        act_id: Uuid,
        act: &Act,
        outcome: AuditOutcome,
        details: &str,
    ) -> Result<(), ReadError>;

    /// At most `limit` lines, newest first.
    ///
    /// # Errors
    /// The database's.
    async fn list(&self, filter: &AuditFilter, limit: u32) -> Result<Vec<AuditLine>, ReadError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for action in AuditAction::ALL {
            assert_eq!(AuditAction::parse(action.as_str()), Some(action));
        }
        for outcome in AuditOutcome::ALL {
            assert_eq!(AuditOutcome::parse(outcome.as_str()), Some(outcome));
        }
        assert_eq!(AuditAction::parse("key"), None);
    }
}
