//! What the rules say to a command, and how it is told.

use thiserror::Error;
use wallex_domain::{Amount, Balance, Currency, TransferId, WalletId};
use wallex_ports::{StoredAnswer, WalletState};

use crate::RequestContext;

/// The outcome of a command: done, or refused with a reason.
pub type Decision = Result<Success, Refusal>;

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Success {
    /// A wallet was opened.
    Created(WalletState),
    /// A wallet was credited or debited.
    Moved(WalletState),
    /// Money was moved between two wallets.
    Transferred {
        /// Carried by both legs.
        transfer_id: TransferId,
        /// The paying wallet afterwards.
        from: WalletState,
        /// The receiving wallet afterwards.
        to: WalletState,
    },
}

/// Why a command is refused. Nothing of it was done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// There is a wallet of this id.
    #[error("wallet {wallet_id} already exists")]
    WalletAlreadyExists {
        /// Which one.
        wallet_id: WalletId,
    },
    /// There is no wallet of this id.
    #[error("there is no wallet {wallet_id}")]
    WalletNotFound {
        /// Which one.
        wallet_id: WalletId,
    },
    /// `If-Match` names other versions than the wallet's.
    #[error("wallet {wallet_id} is at version {version}")]
    VersionMismatch {
        /// Which one.
        wallet_id: WalletId,
        /// The version that it is at.
        version: u64,
    },
    /// The wallet holds less than the amount.
    #[error("wallet {wallet_id} holds {balance}, {amount} is needed")]
    InsufficientFunds {
        /// Which one.
        wallet_id: WalletId,
        /// What it holds, in minor units.
        balance: Balance,
        /// What was to go out, in minor units.
        amount: Amount,
    },
    /// The balance would pass the limit.
    #[error("wallet {wallet_id} holds {balance}; {amount} more would pass the limit")]
    BalanceLimitExceeded {
        /// Which one.
        wallet_id: WalletId,
        /// What it holds, in minor units.
        balance: Balance,
        /// What was to come in, in minor units.
        amount: Amount,
    },
    /// The two wallets of a transfer hold different currencies.
    #[error("the paying wallet holds {from}, the receiving one {to}")]
    CurrencyMismatch {
        /// The paying wallet's currency.
        from: Currency,
        /// The receiving wallet's currency.
        to: Currency,
    },
    /// Both sides of a transfer are the same wallet.
    #[error("a transfer needs two different wallets")]
    TransferToSameWallet,
}

impl Refusal {
    /// Its name in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::WalletAlreadyExists { .. } => "wallet-already-exists",
            Self::WalletNotFound { .. } => "wallet-not-found",
            Self::VersionMismatch { .. } => "version-mismatch",
            Self::InsufficientFunds { .. } => "insufficient-funds",
            Self::BalanceLimitExceeded { .. } => "balance-limit-exceeded",
            Self::CurrencyMismatch { .. } => "currency-mismatch",
            Self::TransferToSameWallet => "transfer-to-same-wallet",
        }
    }

    /// Whether a retry with the same key gets this answer again: a business refusal does; a missing
    /// wallet or a stale `If-Match` may be gone by then, and is decided anew.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::WalletNotFound { .. } | Self::VersionMismatch { .. })
    }
}

/// Turns a decision into the answer that is stored with it and sent. The HTTP adapter's part.
pub trait AnswerEncoder: Send + Sync {
    /// The answer to `decision`, for the request of `context`.
    fn encode(&self, context: &RequestContext, decision: &Decision) -> StoredAnswer;
}
