//! The codes of the problems that the API answers with: one table of slug, status and title.

use actix_web::http::StatusCode;
use serde::{Serialize, Serializer};

/// What went wrong. The slug is stable: clients branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    ValidationFailed,
    MalformedJson,
    IdempotencyKeyMissing,
    Unauthenticated,
    InsufficientScope,
    OperatorOnly,
    ForeignOrigin,
    WalletNotFound,
    TransferNotFound,
    ProjectorNotFound,
    OperationNotFound,
    DeadLetterNotFound,
    ShardNotFound,
    RouteNotFound,
    MethodNotAllowed,
    RequestTimeout,
    WalletAlreadyExists,
    OperationRunning,
    DeadLetterMoved,
    PreconditionFailed,
    BodyTooLarge,
    TargetTooLong,
    UnsupportedMediaType,
    InsufficientFunds,
    BalanceLimitExceeded,
    CurrencyMismatch,
    TransferToSameWallet,
    CreationNotDiscardable,
    HistoryTooLong,
    IdempotencyKeyReused,
    RateLimited,
    HeadTooLarge,
    Internal,
    Overloaded,
    ShuttingDown,
    DatabaseUnavailable,
    IssuerUnavailable,
    DatabaseNotMigrated,
    Contended,
    OutcomeUnknown,
    ProjectionBehind,
}

impl Code {
    /// Every code, in the order of their statuses.
    pub(crate) const ALL: [Self; 41] = [
        Self::ValidationFailed,
        Self::MalformedJson,
        Self::IdempotencyKeyMissing,
        Self::Unauthenticated,
        Self::InsufficientScope,
        Self::OperatorOnly,
        Self::ForeignOrigin,
        Self::WalletNotFound,
        Self::TransferNotFound,
        Self::ProjectorNotFound,
        Self::OperationNotFound,
        Self::DeadLetterNotFound,
        Self::ShardNotFound,
        Self::RouteNotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::WalletAlreadyExists,
        Self::OperationRunning,
        Self::DeadLetterMoved,
        Self::PreconditionFailed,
        Self::BodyTooLarge,
        Self::TargetTooLong,
        Self::UnsupportedMediaType,
        Self::InsufficientFunds,
        Self::BalanceLimitExceeded,
        Self::CurrencyMismatch,
        Self::TransferToSameWallet,
        Self::CreationNotDiscardable,
        Self::HistoryTooLong,
        Self::IdempotencyKeyReused,
        Self::RateLimited,
        Self::HeadTooLarge,
        Self::Internal,
        Self::Overloaded,
        Self::ShuttingDown,
        Self::DatabaseUnavailable,
        Self::IssuerUnavailable,
        Self::DatabaseNotMigrated,
        Self::Contended,
        Self::OutcomeUnknown,
        Self::ProjectionBehind,
    ];

    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::ValidationFailed => {
                (S::BAD_REQUEST, "validation-failed", "The request is not valid")
            }
            Self::MalformedJson => (S::BAD_REQUEST, "malformed-json", "The body is not JSON"),
            Self::IdempotencyKeyMissing => {
                (S::BAD_REQUEST, "idempotency-key-missing", "An idempotency key is required")
            }
            Self::Unauthenticated => {
                (S::UNAUTHORIZED, "unauthenticated", "The request has no credential that is good")
            }
            Self::InsufficientScope => {
                (S::FORBIDDEN, "insufficient-scope", "The credential does not allow this")
            }
            Self::OperatorOnly => {
                (S::FORBIDDEN, "operator-only", "Only an operator of the server may do this")
            }
            Self::ForeignOrigin => {
                (S::FORBIDDEN, "foreign-origin", "The request comes from somewhere else")
            }
            Self::WalletNotFound => (S::NOT_FOUND, "wallet-not-found", "There is no such wallet"),
            Self::ProjectorNotFound => {
                (S::NOT_FOUND, "projector-not-found", "There is no such projector")
            }
            Self::OperationNotFound => {
                (S::NOT_FOUND, "operation-not-found", "There is no such operation")
            }
            Self::DeadLetterNotFound => {
                (S::NOT_FOUND, "dead-letter-not-found", "There is no such dead letter")
            }
            Self::ShardNotFound => (S::NOT_FOUND, "shard-not-found", "There is no such shard"),
            Self::TransferNotFound => {
                (S::NOT_FOUND, "transfer-not-found", "There is no such transfer")
            }
            Self::RouteNotFound => (S::NOT_FOUND, "route-not-found", "There is no such route"),
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method-not-allowed", "The route does not have this method")
            }
            Self::RequestTimeout => {
                (S::REQUEST_TIMEOUT, "request-timeout", "The body did not arrive in time")
            }
            Self::WalletAlreadyExists => {
                (S::CONFLICT, "wallet-already-exists", "The wallet already exists")
            }
            Self::OperationRunning => {
                (S::CONFLICT, "operation-running", "An operation of this kind is running")
            }
            Self::DeadLetterMoved => {
                (S::CONFLICT, "dead-letter-moved", "Another event is parked by now")
            }
            Self::PreconditionFailed => {
                (S::PRECONDITION_FAILED, "precondition-failed", "The wallet is at another version")
            }
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large"),
            Self::TargetTooLong => {
                (S::URI_TOO_LONG, "target-too-long", "The path and query are too long")
            }
            Self::HeadTooLarge => {
                (S::REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", "The headers are too large")
            }
            Self::UnsupportedMediaType => (
                S::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "The body is not of a supported media type",
            ),
            Self::InsufficientFunds => {
                (S::UNPROCESSABLE_ENTITY, "insufficient-funds", "The wallet holds too little")
            }
            Self::BalanceLimitExceeded => (
                S::UNPROCESSABLE_ENTITY,
                "balance-limit-exceeded",
                "The wallet would hold too much",
            ),
            Self::CurrencyMismatch => {
                (S::UNPROCESSABLE_ENTITY, "currency-mismatch", "The wallets' currencies differ")
            }
            Self::TransferToSameWallet => (
                S::UNPROCESSABLE_ENTITY,
                "transfer-to-same-wallet",
                "Both sides of the transfer are the same wallet",
            ),
            Self::CreationNotDiscardable => (
                S::UNPROCESSABLE_ENTITY,
                "creation-not-discardable",
                "A wallet's creation can't be left out",
            ),
            Self::HistoryTooLong => (
                S::UNPROCESSABLE_ENTITY,
                "history-too-long",
                "The wallet has too many events for one answer",
            ),
            Self::IdempotencyKeyReused => (
                S::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "The idempotency key was used for another request",
            ),
            Self::RateLimited => {
                (S::TOO_MANY_REQUESTS, "rate-limited", "Too many requests come too fast")
            }
            Self::Internal => {
                (S::INTERNAL_SERVER_ERROR, "internal", "Wallex failed, and that is its fault")
            }
            Self::Overloaded => (S::SERVICE_UNAVAILABLE, "overloaded", "Too much is waiting"),
            Self::ShuttingDown => {
                (S::SERVICE_UNAVAILABLE, "shutting-down", "The server is shutting down")
            }
            Self::DatabaseUnavailable => {
                (S::SERVICE_UNAVAILABLE, "database-unavailable", "The database is not available")
            }
            Self::IssuerUnavailable => {
                (S::SERVICE_UNAVAILABLE, "issuer-unavailable", "The token issuer is not available")
            }
            Self::DatabaseNotMigrated => {
                (S::SERVICE_UNAVAILABLE, "database-not-migrated", "The database is not migrated")
            }
            Self::Contended => (S::SERVICE_UNAVAILABLE, "contended", "The wallet is contended"),
            Self::OutcomeUnknown => {
                (S::SERVICE_UNAVAILABLE, "outcome-unknown", "The outcome is not known")
            }
            Self::ProjectionBehind => {
                (S::GATEWAY_TIMEOUT, "projection-behind", "The projection is behind")
            }
        }
    }

    pub(crate) const fn status(self) -> StatusCode {
        self.row().0
    }

    pub(crate) const fn slug(self) -> &'static str {
        self.row().1
    }

    pub(crate) const fn title(self) -> &'static str {
        self.row().2
    }

    /// The `type` of RFC 9457: a name, not an address, so that it never goes stale.
    pub(crate) fn type_uri(self) -> String {
        format!("{TYPE_PREFIX}{}", self.slug())
    }
}

/// What every problem's `type` begins with.
pub(crate) const TYPE_PREFIX: &str = "urn:wallex:problem:";

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.slug())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn slugs_are_distinct_kebab_case_of_errors() {
        let slugs: BTreeSet<_> = Code::ALL.iter().map(|code| code.slug()).collect();
        assert_eq!(slugs.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.slug().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code:?}");
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }
}
