//! Letting money come in.

use wallex_domain::{Amount, CreditError, Memo, WalletId};

use crate::{Decision, Precondition, Refusal, Success, lane::Deciding};

/// Credits a wallet.
#[derive(Debug, Clone)]
pub struct CreditWallet {
    /// Which wallet.
    pub wallet_id: WalletId,
    /// How much, in minor units.
    pub amount: Amount,
    /// What it is noted with.
    pub memo: Memo,
}

impl CreditWallet {
    pub(crate) fn decide(&self, if_match: &Precondition, deciding: &mut Deciding<'_>) -> Decision {
        let (key, state) = deciding.existing(&self.wallet_id, if_match)?;
        let credited = state
            .wallet
            .credit(self.amount, self.memo.clone())
            .map_err(|error| refused(&self.wallet_id, error))?;
        Ok(Success::Moved(deciding.record(&key, credited)))
    }
}

pub(crate) fn refused(wallet_id: &WalletId, error: CreditError) -> Refusal {
    let wallet_id = wallet_id.clone();
    match error {
        CreditError::BalanceLimitExceeded { balance, amount } => {
            Refusal::BalanceLimitExceeded { wallet_id, balance, amount }
        }
    }
}
