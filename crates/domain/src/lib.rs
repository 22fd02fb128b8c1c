#![doc = include_str!("../README.md")]

mod canonical;
mod chain;
mod codec;
mod currency;
mod event;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod ids;
mod money;
mod standing;
mod text;
mod wallet;

/// The guide's examples are compiled and run, too.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/LIBRARY.md")]
mod library_guide {}

pub use canonical::canonical_json;
pub use chain::{EventHash, EventHashError, HashedEvent};
pub use codec::{DecodeError, EncodedEvent, SCHEMA_VERSION};
pub use currency::Currency;
pub use event::{Movement, TransferLeg, WalletEvent};
pub use ids::{EventId, OwnerId, TenantId, TransferId, WalletId};
pub use money::{Amount, AmountError, Balance, BalanceError, MAX_MINOR_UNITS};
pub use standing::{ApplyError, Standing};
pub use text::{Description, Reference, TextError};
pub use wallet::{CreditError, DebitError, Memo, Transfer, TransferError, Wallet, transfer};
