//! Amounts and balances in the minor unit of their currency (100 = 1.00 USD).
//!
//! Both stay within 2^53 − 1 so that every JSON client, JavaScript included, reads them exactly
//! (RFC 8259 section 6). All arithmetic is checked.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The greatest amount and the greatest balance, in minor units: 2^53 − 1.
pub const MAX_MINOR_UNITS: i64 = 9_007_199_254_740_991;

/// A sum of money that moves: 1 to [`MAX_MINOR_UNITS`] minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Amount(i64);

/// Why a number is not an [`Amount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AmountError {
    /// Zero or less.
    #[error("must be at least 1 minor unit")]
    NotPositive,
    /// Above [`MAX_MINOR_UNITS`].
    #[error("must be at most {MAX_MINOR_UNITS} minor units")]
    TooLarge,
}

impl Amount {
    /// An amount of `minor_units`.
    ///
    /// # Errors
    /// When it is zero or less, or above [`MAX_MINOR_UNITS`].
    pub const fn new(minor_units: i64) -> Result<Self, AmountError> {
        if minor_units < 1 {
            Err(AmountError::NotPositive)
        } else if minor_units > MAX_MINOR_UNITS {
            Err(AmountError::TooLarge)
        } else {
            Ok(Self(minor_units))
        }
    }

    /// The amount in minor units.
    #[must_use]
    pub const fn minor_units(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for Amount {
    type Error = AmountError;
    fn try_from(minor_units: i64) -> Result<Self, AmountError> {
        Self::new(minor_units)
    }
}

impl From<Amount> for i64 {
    fn from(amount: Amount) -> Self {
        amount.0
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a wallet holds: 0 to [`MAX_MINOR_UNITS`] minor units, never negative.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "i64", into = "i64")]
pub struct Balance(i64);

/// Why a number is not a [`Balance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BalanceError {
    /// Below zero.
    #[error("must not be negative")]
    Negative,
    /// Above [`MAX_MINOR_UNITS`].
    #[error("must be at most {MAX_MINOR_UNITS} minor units")]
    TooLarge,
}

impl Balance {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// A balance of `minor_units`.
    ///
    /// # Errors
    /// When it is negative or above [`MAX_MINOR_UNITS`].
    pub const fn new(minor_units: i64) -> Result<Self, BalanceError> {
        if minor_units < 0 {
            Err(BalanceError::Negative)
        } else if minor_units > MAX_MINOR_UNITS {
            Err(BalanceError::TooLarge)
        } else {
            Ok(Self(minor_units))
        }
    }

    /// The balance in minor units.
    #[must_use]
    pub const fn minor_units(self) -> i64 {
        self.0
    }

    /// The balance after `amount` came in; `None` when it would pass [`MAX_MINOR_UNITS`].
    #[must_use]
    pub fn checked_add(self, amount: Amount) -> Option<Self> {
        self.0.checked_add(amount.0).and_then(|sum| Self::new(sum).ok())
    }

    /// The balance after `amount` went out; `None` when there is not enough.
    #[must_use]
    pub fn checked_sub(self, amount: Amount) -> Option<Self> {
        self.0.checked_sub(amount.0).and_then(|rest| Self::new(rest).ok())
    }
}

impl TryFrom<i64> for Balance {
    type Error = BalanceError;
    fn try_from(minor_units: i64) -> Result<Self, BalanceError> {
        Self::new(minor_units)
    }
}

impl From<Amount> for Balance {
    fn from(amount: Amount) -> Self {
        Self(amount.0)
    }
}

impl From<Balance> for i64 {
    fn from(balance: Balance) -> Self {
        balance.0
    }
}

impl std::fmt::Display for Balance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_shown_in_minor_units() {
        let amount = Amount::new(1_234).expect("valid");
        assert_eq!(amount.to_string(), "1234");
        assert_eq!(Balance::from(amount).to_string(), "1234");
    }

    #[test]
    fn amount_is_positive_and_exact_in_json() {
        assert_eq!(Amount::new(0), Err(AmountError::NotPositive));
        assert_eq!(Amount::new(-1), Err(AmountError::NotPositive));
        assert_eq!(Amount::new(i64::MIN), Err(AmountError::NotPositive));
        assert_eq!(Amount::new(MAX_MINOR_UNITS + 1), Err(AmountError::TooLarge));
        assert_eq!(Amount::new(MAX_MINOR_UNITS).map(Amount::minor_units), Ok(MAX_MINOR_UNITS));
        assert_eq!(Amount::new(1).map(Amount::minor_units), Ok(1));
        assert_eq!(MAX_MINOR_UNITS, (1 << 53) - 1);
    }

    #[test]
    fn balance_stops_at_both_ends() {
        let one = Amount::new(1).expect("valid");
        let full = Balance::new(MAX_MINOR_UNITS).expect("valid");
        assert_eq!(Balance::ZERO.checked_sub(one), None);
        assert_eq!(full.checked_add(one), None);
        assert_eq!(full.checked_sub(one).and_then(|b| b.checked_add(one)), Some(full));
        assert_eq!(Balance::new(-1), Err(BalanceError::Negative));
        assert_eq!(Balance::new(MAX_MINOR_UNITS + 1), Err(BalanceError::TooLarge));
    }
}
