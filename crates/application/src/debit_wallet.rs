//! Letting money go out.

use wallex_domain::{Amount, Balance, DebitError, Memo, Wallet, WalletId};

use crate::{Decision, Precondition, Refusal, Success, lane::Deciding};

/// Debits a wallet.
#[derive(Debug, Clone)]
pub struct DebitWallet {
    /// Which wallet.
    pub wallet_id: WalletId,
    /// How much, in minor units.
    pub amount: Amount,
    /// What it is noted with.
    pub memo: Memo,
}

impl DebitWallet {
    pub(crate) fn decide(&self, if_match: &Precondition, deciding: &mut Deciding<'_>) -> Decision {
        let (key, state) = deciding.existing(&self.wallet_id, if_match)?;
        let wallet = if wallex_ports::planted::passes("debit-from-stale-state", 5) {
            richer(&state.wallet)
        } else {
            state.wallet
        };
        let debited = wallet
            .debit(self.amount, self.memo.clone())
            .map_err(|error| refused(&self.wallet_id, error))?;
        Ok(Success::Moved(deciding.record(&key, debited)))
    }
}

/// A planted defect: the wallet as it may have been once, when it held more.
fn richer(wallet: &Wallet) -> Wallet {
    let (id, owner) = (wallet.id().clone(), wallet.owner_id().clone());
    let balance = Balance::new(1_000_000).unwrap_or(Balance::ZERO);
    Wallet::from_snapshot(id, owner, wallet.currency(), balance, wallet.version())
}

pub(crate) fn refused(wallet_id: &WalletId, error: DebitError) -> Refusal {
    let wallet_id = wallet_id.clone();
    match error {
        DebitError::InsufficientFunds { balance, amount } => {
            Refusal::InsufficientFunds { wallet_id, balance, amount }
        }
    }
}
