//! Answers as texts that the model can compare with its own.

use wallex_application::{AnswerEncoder, Decision, Refusal, RequestContext, Success};
use wallex_ports::{StoredAnswer, WalletState};

/// Begins each answer with the correlation id of the request that it was decided for, so that a
/// replay names the request that it repeats.
pub(crate) struct PlainAnswers;

impl AnswerEncoder for PlainAnswers {
    fn encode(&self, context: &RequestContext, decision: &Decision) -> StoredAnswer {
        let (status, text) = match decision {
            Ok(Success::Created(state)) => (201, wallet(state)),
            Ok(Success::Moved(state)) => (200, wallet(state)),
            Ok(Success::Transferred { from, to, .. }) => {
                (200, format!("{} {}", wallet(from), wallet(to)))
            }
            Err(refusal) => refused(refusal),
        };
        let body = format!("{}|{text}", context.correlation_id).into();
        StoredAnswer { status, etag: None, location: None, body }
    }
}

fn wallet(state: &WalletState) -> String {
    let WalletState { wallet, created_at, updated_at } = state;
    format!(
        "{}@{}={} {} of {} from {} to {}",
        wallet.id(),
        wallet.version(),
        wallet.balance().minor_units(),
        wallet.currency(),
        wallet.owner_id(),
        created_at.unix_ms(),
        updated_at.unix_ms()
    )
}

fn refused(refusal: &Refusal) -> (u16, String) {
    match refusal {
        Refusal::WalletAlreadyExists { wallet_id } => (409, format!("{wallet_id} exists")),
        Refusal::WalletNotFound { wallet_id } => (404, format!("{wallet_id} not found")),
        Refusal::VersionMismatch { wallet_id, version } => {
            (412, format!("{wallet_id} is at {version}"))
        }
        Refusal::InsufficientFunds { wallet_id, balance, .. } => {
            (422, format!("{wallet_id} holds only {}", balance.minor_units()))
        }
        Refusal::BalanceLimitExceeded { wallet_id, balance, .. } => {
            (422, format!("{wallet_id} holds as much as {}", balance.minor_units()))
        }
        Refusal::CurrencyMismatch { from, to } => (422, format!("{from} is not {to}")),
        Refusal::TransferToSameWallet => (422, "one wallet".to_owned()),
    }
}
