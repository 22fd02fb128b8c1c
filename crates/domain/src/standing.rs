//! What a wallet holds as of one of its versions.

use thiserror::Error;

use crate::{Balance, Currency, Movement, WalletEvent};

/// Why an event does not follow from the state that it is applied to: the history is damaged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApplyError {
    /// The first event of a wallet is not its creation.
    #[error("the first event is not a creation")]
    NotCreated,
    /// A second creation.
    #[error("the wallet is created a second time at version {version}")]
    CreatedAgain {
        /// The version that the event would have had.
        version: u64,
    },
    /// An event in another currency than the wallet's.
    #[error("version {version} is in {found}, the wallet holds {expected}")]
    Currency {
        /// The version that the event would have had.
        version: u64,
        /// The wallet's currency.
        expected: Currency,
        /// The event's currency.
        found: Currency,
    },
    /// The balance that the event records is not the one that its amount leads to.
    #[error(
        "version {version} records a balance of {found}, its amount leads {}",
        .expected.map_or_else(|| "beyond the limits".to_owned(), |balance| format!("to {balance}"))
    )]
    Balance {
        /// The version that the event would have had.
        version: u64,
        /// The balance that follows from the history; `None` when it would leave the limits.
        expected: Option<Balance>,
        /// The balance that the event records.
        found: Balance,
    },
}

/// The part of a wallet that its movements change. Whoever follows a history without caring whose
/// wallet it is folds this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    currency: Currency,
    balance: Balance,
    version: u64,
}

impl Standing {
    /// A standing that was stored.
    #[must_use]
    pub const fn new(currency: Currency, balance: Balance, version: u64) -> Self {
        Self { currency, balance, version }
    }

    /// What a creation leads to.
    ///
    /// # Errors
    /// When `event` is not a creation.
    pub const fn opened(event: &WalletEvent) -> Result<Self, ApplyError> {
        match event {
            WalletEvent::Created { currency, initial_balance, .. } => {
                Ok(Self::new(*currency, *initial_balance, 1))
            }
            _ => Err(ApplyError::NotCreated),
        }
    }

    /// What a wallet must hold for `event` to follow as its version `version`; nothing when it follows
    /// nothing: a creation, or a movement from beyond the limits.
    #[must_use]
    pub fn before(event: &WalletEvent, version: u64) -> Option<Self> {
        let (movement, balance) = match event {
            WalletEvent::Created { .. } => return None,
            WalletEvent::Credited(m) => (m, m.balance_after.checked_sub(m.amount)),
            WalletEvent::Debited(m) => (m, m.balance_after.checked_add(m.amount)),
        };
        let version = version.checked_sub(1).filter(|version| *version > 0)?;
        Some(Self::new(movement.currency, balance?, version))
    }

    /// Folds one more event in.
    ///
    /// # Errors
    /// When the event does not follow from this standing, which is then unchanged.
    pub fn apply(&mut self, event: &WalletEvent) -> Result<(), ApplyError> {
        let (movement, expected) = match event {
            WalletEvent::Credited(m) => (m, self.balance.checked_add(m.amount)),
            WalletEvent::Debited(m) => (m, self.balance.checked_sub(m.amount)),
            WalletEvent::Created { .. } => return Err(self.created_again()),
        };
        if expected != Some(movement.balance_after) && movement.currency == self.currency {
            let (version, found) = (self.version + 1, movement.balance_after);
            return Err(ApplyError::Balance { version, expected, found });
        }
        self.take(movement)
    }

    /// Leaves one event out, because nobody can read it: its version passes, the balance stays.
    pub const fn skip(&mut self) {
        self.version += 1;
    }

    /// Folds the event behind one that was left out: its own word is taken for the balance.
    ///
    /// # Errors
    /// When it is a creation, or in another currency; the standing is then unchanged.
    pub fn resume(&mut self, event: &WalletEvent) -> Result<(), ApplyError> {
        match event {
            WalletEvent::Credited(movement) | WalletEvent::Debited(movement) => self.take(movement),
            WalletEvent::Created { .. } => Err(self.created_again()),
        }
    }

    fn created_again(&self) -> ApplyError {
        ApplyError::CreatedAgain { version: self.version + 1 }
    }

    fn take(&mut self, movement: &Movement) -> Result<(), ApplyError> {
        let version = self.version + 1;
        if movement.currency != self.currency {
            let (expected, found) = (self.currency, movement.currency);
            return Err(ApplyError::Currency { version, expected, found });
        }
        self.balance = movement.balance_after;
        self.version = version;
        Ok(())
    }

    /// The currency.
    #[must_use]
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The balance, in minor units.
    #[must_use]
    pub const fn balance(&self) -> Balance {
        self.balance
    }

    /// How many events led to it: at least 1.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }
}
