//! What is asked of the lane, and what it answers.

use thiserror::Error;
use tracing::Span;
use wallex_domain::TenantId;
use wallex_ports::{
    BoxError, CorrelationId, IdempotencyKey, RequestHash, Route, StoredAnswer, Traceparent,
};

use crate::{CreateWallet, CreditWallet, DebitWallet, TransferMoney};

/// One thing that a client wants done.
#[derive(Debug, Clone)]
pub struct Command {
    /// Whose request it is, and what ties it to its effects.
    pub context: RequestContext,
    /// What is to be done.
    pub action: Action,
    /// The versions under which it may be done.
    pub if_match: Precondition,
    /// The idempotency key, when the client sent one.
    pub idempotency: Option<KeyedRequest>,
}

/// Where a command comes from.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Whose request it is.
    pub tenant: TenantId,
    /// The method and concrete path, the scope of the idempotency key.
    pub route: Route,
    /// Stored with every event that the command causes.
    pub correlation_id: CorrelationId,
    /// The trace to continue, stored with every event.
    pub traceparent: Option<Traceparent>,
    /// The command's span; the commit's span is linked to it.
    pub span: Span,
}

impl RequestContext {
    /// Whether the request's trace is recorded: what it shows in detail costs, and is made only then.
    #[must_use]
    pub fn is_traced(&self) -> bool {
        self.traceparent.as_ref().is_some_and(Traceparent::is_sampled)
    }
}

/// A key, and the hash of the request that came with it.
#[derive(Debug, Clone)]
pub struct KeyedRequest {
    /// The client's key.
    pub key: IdempotencyKey,
    /// Tells a retry from another request under the same key.
    pub request_hash: RequestHash,
}

/// What a command does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Opens a wallet.
    Create(CreateWallet),
    /// Lets money come in.
    Credit(CreditWallet),
    /// Lets money go out.
    Debit(DebitWallet),
    /// Moves money between two wallets.
    Transfer(TransferMoney),
}

impl Action {
    /// Its name in metrics and spans: `create`, `credit`, `debit`, `transfer`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Credit(_) => "credit",
            Self::Debit(_) => "debit",
            Self::Transfer(_) => "transfer",
        }
    }
}

/// What `If-Match` asks of the wallet in the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// No `If-Match`: any version will do.
    None,
    /// `If-Match: *`: the wallet must exist.
    Exists,
    /// The version must be one of these; an empty list never matches.
    OneOf(Vec<u64>),
}

/// What the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status, headers and body.
    pub stored: StoredAnswer,
    /// Whether this is the answer to an earlier request with the same key.
    pub replayed: bool,
}

/// Why there is no answer to a command. Nothing was done, [`CommandError::OutcomeUnknown`] apart.
#[derive(Debug, Clone, Error)]
pub enum CommandError {
    /// The lane's queue is full.
    #[error("too many commands are waiting")]
    Overloaded,
    /// The server is about to stop.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The database does not answer.
    #[error("the database is not available")]
    Unavailable,
    /// The database is not migrated.
    #[error("the database is not migrated")]
    NotMigrated,
    /// Others changed the wallet, or held what the command needs, each time that it was tried.
    #[error("the wallet is contended")]
    Contended,
    /// It may have been done, or not; the same idempotency key tells.
    #[error("the outcome is unknown")]
    OutcomeUnknown,
    /// The database refused it, which is a defect of Wallex.
    #[error("the command could not be stored")]
    Failed(#[source] std::sync::Arc<BoxError>),
}

impl CommandError {
    /// Its name in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::ShuttingDown => "shutting-down",
            Self::KeyReused => "key-reused",
            Self::Unavailable => "unavailable",
            Self::NotMigrated => "not-migrated",
            Self::Contended => "contended",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::Failed(_) => "failed",
        }
    }
}
