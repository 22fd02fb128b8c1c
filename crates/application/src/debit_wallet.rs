//! Letting money go out.

use wallex_domain::{Amount, DebitError, Memo, WalletId};

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
        let debited = state
            .wallet
            .debit(self.amount, self.memo.clone())
            .map_err(|error| refused(&self.wallet_id, error))?;
        Ok(Success::Moved(deciding.record(&key, debited)))
    }
}

pub(crate) fn refused(wallet_id: &WalletId, error: DebitError) -> Refusal {
    let wallet_id = wallet_id.clone();
    match error {
        DebitError::InsufficientFunds { balance, amount } => {
            Refusal::InsufficientFunds { wallet_id, balance, amount }
        }
    }
}
