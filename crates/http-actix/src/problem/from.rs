//! What the layers below can fail with, as problems.

use wallex_application::{Awaited, Behind, CommandError, ExplainError, ProjectionError, Refusal};
use wallex_domain::MAX_MINOR_UNITS;
use wallex_ports::{NotMigrated, NotReady, ReadError, Refused, TooManyReaders};

use super::{Problem, ProblemHeader};
use crate::code::Code;
use crate::projected;

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::WalletAlreadyExists { wallet_id } => Self::new(
                Code::WalletAlreadyExists,
                format!("Wallet {wallet_id} already exists. Choose another walletId, or none."),
            ),
            Refusal::WalletNotFound { wallet_id } => Self::wallet_not_found(wallet_id),
            Refusal::VersionMismatch { wallet_id, version } => Self::new(
                Code::PreconditionFailed,
                format!(
                    "Wallet {wallet_id} is at version {version}, which If-Match does not name. \
                     Read the wallet and decide again."
                ),
            ),
            Refusal::InsufficientFunds { wallet_id, balance, amount } => Self::new(
                Code::InsufficientFunds,
                format!(
                    "Wallet {wallet_id} holds {balance}, {amount} is needed. Credit it first, or \
                     take less."
                ),
            ),
            Refusal::BalanceLimitExceeded { wallet_id, balance, amount } => Self::new(
                Code::BalanceLimitExceeded,
                format!(
                    "Wallet {wallet_id} holds {balance}; {amount} more would pass the limit of \
                     {MAX_MINOR_UNITS}. Credit less."
                ),
            ),
            Refusal::CurrencyMismatch { from, to } => Self::new(
                Code::CurrencyMismatch,
                format!(
                    "The paying wallet holds {from}, the receiving one {to}. A transfer needs two \
                     wallets of one currency."
                ),
            ),
            Refusal::TransferToSameWallet => Self::new(
                Code::TransferToSameWallet,
                "toWalletId is the paying wallet. A transfer needs two different wallets.",
            ),
        }
    }
}

impl From<CommandError> for Problem {
    fn from(error: CommandError) -> Self {
        match &error {
            CommandError::Overloaded => Self::new(
                Code::Overloaded,
                "Too many commands are waiting. Nothing was done; try again a little later.",
            ),
            CommandError::ShuttingDown => Self::shutting_down(),
            CommandError::KeyReused => Self::new(
                Code::IdempotencyKeyReused,
                "This Idempotency-Key came with another request before. Nothing was done; use a \
                 fresh key for a new request.",
            ),
            CommandError::Unavailable => Self::database_unavailable(None),
            CommandError::NotMigrated => Self::database_not_migrated(),
            CommandError::Contended => Self::new(
                Code::Contended,
                "Others changed the wallet, or held it, at each attempt. Nothing was done; try again.",
            ),
            CommandError::OutcomeUnknown => Self::outcome_unknown(),
            CommandError::Failed(_) => Self::internal(&error),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::Unavailable(source) if source.is::<NotMigrated>() => {
                Self::database_not_migrated()
            }
            ReadError::Unavailable(source) if source.is::<TooManyReaders>() => Self::new(
                Code::Overloaded,
                "Too many requests are waiting; try again a little later.",
            ),
            ReadError::Unavailable(_) => Self::database_unavailable(Some(&error)),
            ReadError::Storage(_) => Self::internal(&error),
        }
    }
}

impl From<ExplainError> for Problem {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::TooLong { events, events_max } => Self::new(
                Code::HistoryTooLong,
                format!(
                    "The wallet has {events} events; up to {events_max} are explained. Its ledger \
                     has a line for each."
                ),
            ),
            ExplainError::Read(error) => error.into(),
        }
    }
}

impl From<ProjectionError> for Problem {
    fn from(error: ProjectionError) -> Self {
        let Behind { awaited, positions } = match error {
            ProjectionError::Behind(behind) => behind,
            ProjectionError::Read(error) => return error.into(),
        };
        let detail = match awaited {
            Awaited::Version { wanted, reached: 0 } => format!(
                "The projection does not have the wallet yet; version {wanted} was waited for. Try \
                 again."
            ),
            Awaited::Version { wanted, reached } => format!(
                "The projection has version {reached} of the wallet; version {wanted} was waited \
                 for. Try again."
            ),
            Awaited::Transfer { legs: 0 } => {
                "The ledger has not caught up with what was committed when it was asked, so it \
                 can't say yet whether there is such a transfer. Try again."
                    .to_owned()
            }
            Awaited::Transfer { .. } => {
                "The ledger does not have both legs of the transfer yet. Try again.".to_owned()
            }
        };
        let position = projected::in_words(&positions).into();
        Self {
            header: Some(ProblemHeader::Position(position)),
            ..Self::new(Code::ProjectionBehind, detail)
        }
    }
}

impl From<Refused> for Problem {
    fn from(why: Refused) -> Self {
        match why {
            Refused::Unavailable(error) => error.into(),
            Refused::IssuerUnavailable(_) => Self::issuer_unavailable(&why),
            Refused::Crowded => Self::crowded(),
            why => Self::unauthenticated(&why),
        }
    }
}

impl From<NotReady> for Problem {
    fn from(error: NotReady) -> Self {
        match &error {
            NotReady::Unreachable(_) => Self::database_unavailable(Some(&error)),
            NotReady::NotMigrated => Self::database_not_migrated(),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError as _;
    use actix_web::http::StatusCode;

    use super::*;

    #[test]
    fn causes_are_logged_as_a_chain_and_never_told() {
        let source: wallex_ports::BoxError = "no such table".into();
        let problem = Problem::from(ReadError::Storage(source));
        let cause = "what is stored could not be read: no such table";
        assert_eq!(problem.cause(), Some(cause));
        assert!(!problem.json("/wallets/w-1", "c-1").contains("table"));
    }

    #[test]
    fn too_many_readers_are_an_overload() {
        let problem = Problem::from(ReadError::Unavailable(TooManyReaders.into()));
        assert_eq!(problem.code, Code::Overloaded);
    }

    #[test]
    fn command_errors_have_their_codes() {
        let source = std::sync::Arc::new(wallex_ports::BoxError::from("defect"));
        let codes = [
            (CommandError::Overloaded, Code::Overloaded),
            (CommandError::ShuttingDown, Code::ShuttingDown),
            (CommandError::KeyReused, Code::IdempotencyKeyReused),
            (CommandError::Unavailable, Code::DatabaseUnavailable),
            (CommandError::Contended, Code::Contended),
            (CommandError::OutcomeUnknown, Code::OutcomeUnknown),
            (CommandError::Failed(source), Code::Internal),
        ];
        for (error, code) in codes {
            let problem = Problem::from(error);
            assert_eq!(problem.code, code);
            let retry_after = problem.error_response().headers().contains_key("retry-after");
            assert_eq!(retry_after, code.status() == StatusCode::SERVICE_UNAVAILABLE, "{code:?}");
        }
    }
}
