//! Which problems each operation can answer with.

use std::collections::BTreeMap;

use utoipa::IntoResponses;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{Content, Ref, RefOr};
use wallex_ports::AccessScope;

use crate::access::Needs;
use crate::code::Code;
use crate::problem::PROBLEM_JSON;

/// Declares which problems an operation can answer with.
macro_rules! problems {
    ($(#[$doc:meta])* $name:ident, $($codes:expr),+ $(,)?) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                problem_responses([$(&$codes[..]),+].concat())
            }
        }
    };
}
pub(crate) use problems;

/// What every command can fail with.
const COMMAND: [Code; 13] = [
    Code::ValidationFailed,
    Code::MalformedJson,
    Code::IdempotencyKeyMissing,
    Code::RequestTimeout,
    Code::BodyTooLarge,
    Code::UnsupportedMediaType,
    Code::IdempotencyKeyReused,
    Code::Internal,
    Code::Overloaded,
    Code::ShuttingDown,
    Code::DatabaseUnavailable,
    Code::Contended,
    Code::OutcomeUnknown,
];
/// What every command on a wallet can fail with beside [`COMMAND`].
const ON_WALLET: [Code; 2] = [Code::WalletNotFound, Code::PreconditionFailed];

problems!(
    /// Of `POST /wallets`.
    CreateProblems,
    COMMAND,
    [Code::WalletAlreadyExists],
);
problems!(
    /// Of `POST /wallets/{id}/credit`.
    CreditProblems,
    COMMAND,
    ON_WALLET,
    [Code::BalanceLimitExceeded],
);
problems!(
    /// Of `POST /wallets/{id}/debit`.
    DebitProblems,
    COMMAND,
    ON_WALLET,
    [Code::InsufficientFunds],
);
problems!(
    /// Of `POST /wallets/{id}/transfer`.
    TransferProblems,
    COMMAND,
    ON_WALLET,
    [
        Code::InsufficientFunds,
        Code::BalanceLimitExceeded,
        Code::CurrencyMismatch,
        Code::TransferToSameWallet,
    ],
);
problems!(
    /// Of the reading routes.
    ReadProblems,
    [Code::ValidationFailed, Code::WalletNotFound, Code::Internal, Code::DatabaseUnavailable],
);
problems!(
    /// Of what reads a wallet from a projection.
    ProjectedWalletProblems,
    [
        Code::ValidationFailed,
        Code::WalletNotFound,
        Code::Internal,
        Code::DatabaseUnavailable,
        Code::ProjectionBehind,
    ],
);
problems!(
    /// Of `GET /wallets/{id}/explanation`.
    ExplanationProblems,
    [
        Code::ValidationFailed,
        Code::WalletNotFound,
        Code::HistoryTooLong,
        Code::Internal,
        Code::DatabaseUnavailable,
    ],
);
problems!(
    /// Of `GET /wallets`.
    ListWalletsProblems,
    [Code::ValidationFailed, Code::Internal, Code::DatabaseUnavailable],
);
problems!(
    /// Of `GET /transfers/{id}`.
    GetTransferProblems,
    [
        Code::ValidationFailed,
        Code::TransferNotFound,
        Code::Internal,
        Code::DatabaseUnavailable,
        Code::ProjectionBehind,
    ],
);
problems!(
    /// Of `GET /readyz`.
    ReadyProblems,
    [
        Code::ValidationFailed,
        Code::Internal,
        Code::ShuttingDown,
        Code::DatabaseUnavailable,
        Code::DatabaseNotMigrated,
    ],
);
problems!(
    /// Of the routes that ask nobody.
    LiveProblems,
    [Code::ValidationFailed],
);
problems!(
    /// Of metrics, which may be off.
    MetricsProblems,
    [Code::ValidationFailed, Code::RouteNotFound],
);

/// Between the codes that an answer can have: Markdown's.
const LINE_BREAK: &str = "\n\n";

/// One response a status, which names the codes that it can have.
pub(crate) fn problem_responses(codes: Vec<Code>) -> BTreeMap<String, RefOr<Response>> {
    let mut statuses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for code in codes {
        let line = format!("`{}`: {}.", code.slug(), code.title());
        statuses.entry(code.status().as_str().to_owned()).or_default().push(line);
    }
    let problem = || Content::new(Some(Ref::from_schema_name("Problem")));
    statuses
        .into_iter()
        .map(|(status, lines)| {
            let response = ResponseBuilder::new()
                .description(lines.join(LINE_BREAK))
                .content(PROBLEM_JSON, problem())
                .build();
            (status, RefOr::T(response))
        })
        .collect()
}

/// Adds the codes of `more` to a problem of the same status that names others.
pub(super) fn add_lines(described: &mut RefOr<Response>, more: &RefOr<Response>) {
    let (RefOr::T(described), RefOr::T(more)) = (described, more) else { return };
    for line in more.description.split(LINE_BREAK) {
        if !described.description.split(LINE_BREAK).any(|known| known == line) {
            described.description.push_str(LINE_BREAK);
            described.description.push_str(line);
        }
    }
}

/// How a caller is refused who does not bring what is needed; the last is for when nobody can tell.
pub(crate) fn refusals(needs: Needs) -> Vec<Code> {
    let mut codes = vec![Code::Unauthenticated, Code::ForeignOrigin];
    if needs.scope().is_some() {
        codes.push(Code::InsufficientScope);
    }
    if needs == Needs::Operator || needs == Needs::Scope(AccessScope::Admin) {
        codes.push(Code::OperatorOnly);
    }
    codes.extend([
        Code::RateLimited,
        Code::Internal,
        Code::Overloaded,
        Code::DatabaseUnavailable,
        Code::DatabaseNotMigrated,
        Code::IssuerUnavailable,
    ]);
    codes
}
