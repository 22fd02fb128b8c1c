//! Opening a wallet.

use wallex_domain::{Balance, Currency, OwnerId, Wallet, WalletId};
use wallex_ports::WalletKey;

use crate::{
    Decision, Refusal, Success,
    lane::{Deciding, Identities},
};

/// Opens a wallet.
#[derive(Debug, Clone)]
pub struct CreateWallet {
    /// The client's id for it; without one the lane makes a UUIDv7, once.
    pub wallet_id: Option<WalletId>,
    /// Whose it is.
    pub owner_id: OwnerId,
    /// What it holds; without one, the configured default.
    pub currency: Option<Currency>,
    /// What it begins with, in minor units.
    pub initial_balance: Balance,
}

impl CreateWallet {
    pub(crate) fn wallet_id(&self, identities: &Identities) -> WalletId {
        self.wallet_id.clone().unwrap_or_else(|| identities.subject.into())
    }

    pub(crate) fn decide(&self, deciding: &mut Deciding<'_>) -> Decision {
        let wallet_id = self.wallet_id(deciding.identities());
        let key: WalletKey = deciding.key(&wallet_id);
        if deciding.read(&key).is_some() {
            return Err(Refusal::WalletAlreadyExists { wallet_id });
        }
        let currency = self.currency.unwrap_or(deciding.default_currency());
        let opened = Wallet::open(self.owner_id.clone(), currency, self.initial_balance);
        Ok(Success::Created(deciding.record(&key, opened)))
    }
}
