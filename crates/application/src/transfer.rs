//! Moving money between two wallets, both in one transaction.

use wallex_domain::{Amount, Memo, TransferError, WalletId, transfer};

use crate::{
    Decision, Precondition, Refusal, Success, credit_wallet, debit_wallet, lane::Deciding,
};

/// Moves money from one wallet to another.
#[derive(Debug, Clone)]
pub struct TransferMoney {
    /// The paying wallet.
    pub from: WalletId,
    /// The receiving wallet.
    pub to: WalletId,
    /// How much, in minor units.
    pub amount: Amount,
    /// What both legs are noted with.
    pub memo: Memo,
}

impl TransferMoney {
    pub(crate) fn decide(&self, if_match: &Precondition, deciding: &mut Deciding<'_>) -> Decision {
        let (from_key, from) = deciding.existing(&self.from, if_match)?;
        let (to_key, to) = deciding.existing(&self.to, &Precondition::None)?;
        let transfer_id = deciding.identities().subject.into();
        let memo = self.memo.clone();
        let legs = transfer(transfer_id, &from.wallet, &to.wallet, self.amount, memo)
            .map_err(|error| self.refused(error))?;
        let from = deciding.record(&from_key, legs.debit);
        let to = deciding.record(&to_key, legs.credit);
        Ok(Success::Transferred { transfer_id, from, to })
    }

    fn refused(&self, error: TransferError) -> Refusal {
        match error {
            TransferError::SameWallet => Refusal::TransferToSameWallet,
            TransferError::CurrencyMismatch { from, to } => Refusal::CurrencyMismatch { from, to },
            TransferError::Debit(error) => debit_wallet::refused(&self.from, error),
            TransferError::Credit(error) => credit_wallet::refused(&self.to, error),
        }
    }
}
