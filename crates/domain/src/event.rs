//! What happened to a wallet, in the past tense.

use crate::{Amount, Balance, Currency, Description, OwnerId, Reference, TransferId, WalletId};

/// One fact in a wallet's history. The n-th event of a wallet has version n, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WalletEvent {
    /// The wallet was opened, with its opening balance. Always version 1, and only that.
    Created {
        /// Whose wallet it is.
        owner_id: OwnerId,
        /// What it holds; a wallet has one currency for ever.
        currency: Currency,
        /// The opening balance, in minor units.
        initial_balance: Balance,
    },
    /// Money came in.
    Credited(Movement),
    /// Money went out.
    Debited(Movement),
}

impl WalletEvent {
    /// What it did to the balance: a sum in minor units, below zero when it went out, and in which
    /// currency.
    #[must_use]
    pub fn moved(&self) -> (Currency, i128) {
        match self {
            Self::Created { currency, initial_balance, .. } => {
                (*currency, initial_balance.minor_units().into())
            }
            Self::Credited(m) => (m.currency, m.amount.minor_units().into()),
            Self::Debited(m) => (m.currency, -i128::from(m.amount.minor_units())),
        }
    }
}

/// A sum that came in or went out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// How much, in minor units.
    pub amount: Amount,
    /// What the wallet held afterwards. Derivable, and recorded so that a reader of one event needs
    /// no other, and a contradiction shows.
    pub balance_after: Balance,
    /// The wallet's currency.
    pub currency: Currency,
    /// What it was for.
    pub description: Option<Description>,
    /// The client's own reference.
    pub reference: Option<Reference>,
    /// The transfer that this movement is one leg of.
    pub transfer: Option<TransferLeg>,
}

/// Which transfer a movement belongs to, and the wallet on its other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferLeg {
    /// The same on both legs.
    pub transfer_id: TransferId,
    /// The wallet on the other side.
    pub counterparty: WalletId,
}
