//! The aggregate: decides what may happen, and folds what did.

use thiserror::Error;

use crate::{
    Amount, ApplyError, Balance, Currency, Description, MAX_MINOR_UNITS, Movement, OwnerId,
    Reference, Standing, TransferId, TransferLeg, WalletEvent, WalletId,
};

/// A wallet as its history has made it.
///
/// Decisions ([`Wallet::credit`], [`Wallet::debit`], [`transfer`]) return the event and change
/// nothing; [`Wallet::apply`] folds an event in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    id: WalletId,
    owner_id: OwnerId,
    standing: Standing,
}

/// What a movement is noted with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memo {
    /// What it was for.
    pub description: Option<Description>,
    /// The client's own reference.
    pub reference: Option<Reference>,
}

/// Why a credit is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CreditError {
    /// The balance would pass [`MAX_MINOR_UNITS`].
    #[error("a balance of {balance} plus {amount} would pass the limit of {MAX_MINOR_UNITS}")]
    BalanceLimitExceeded {
        /// What the wallet holds, in minor units.
        balance: Balance,
        /// What was to come in, in minor units.
        amount: Amount,
    },
}

/// Why a debit is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DebitError {
    /// The wallet holds less than the amount.
    #[error("the balance is {balance}, {amount} is needed")]
    InsufficientFunds {
        /// What the wallet holds, in minor units.
        balance: Balance,
        /// What was to go out, in minor units.
        amount: Amount,
    },
}

/// Why a transfer is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransferError {
    /// Both sides are the same wallet.
    #[error("a transfer needs two different wallets")]
    SameWallet,
    /// The wallets hold different currencies.
    #[error("the wallets hold different currencies: {from} and {to}")]
    CurrencyMismatch {
        /// The currency of the paying wallet.
        from: Currency,
        /// The currency of the receiving wallet.
        to: Currency,
    },
    /// The paying wallet refused.
    #[error(transparent)]
    Debit(#[from] DebitError),
    /// The receiving wallet refused.
    #[error(transparent)]
    Credit(#[from] CreditError),
}

impl Wallet {
    /// Decides to open a wallet: the event to record as version 1.
    #[must_use]
    pub fn open(owner_id: OwnerId, currency: Currency, initial_balance: Balance) -> WalletEvent {
        WalletEvent::Created { owner_id, currency, initial_balance }
    }

    /// Decides to let `amount` come in.
    ///
    /// # Errors
    /// When the balance would pass [`MAX_MINOR_UNITS`].
    pub fn credit(&self, amount: Amount, memo: Memo) -> Result<WalletEvent, CreditError> {
        self.credit_leg(amount, memo, None)
    }

    /// Decides to let `amount` go out.
    ///
    /// # Errors
    /// When the wallet holds less.
    pub fn debit(&self, amount: Amount, memo: Memo) -> Result<WalletEvent, DebitError> {
        self.debit_leg(amount, memo, None)
    }

    fn credit_leg(
        &self,
        amount: Amount,
        memo: Memo,
        transfer: Option<TransferLeg>,
    ) -> Result<WalletEvent, CreditError> {
        let balance = self.balance();
        let balance_after = balance
            .checked_add(amount)
            .ok_or(CreditError::BalanceLimitExceeded { balance, amount })?;
        Ok(WalletEvent::Credited(self.movement(amount, balance_after, memo, transfer)))
    }

    fn debit_leg(
        &self,
        amount: Amount,
        memo: Memo,
        transfer: Option<TransferLeg>,
    ) -> Result<WalletEvent, DebitError> {
        let balance = self.balance();
        let balance_after =
            balance.checked_sub(amount).ok_or(DebitError::InsufficientFunds { balance, amount })?;
        Ok(WalletEvent::Debited(self.movement(amount, balance_after, memo, transfer)))
    }

    fn movement(
        &self,
        amount: Amount,
        balance_after: Balance,
        memo: Memo,
        transfer: Option<TransferLeg>,
    ) -> Movement {
        let Memo { description, reference } = memo;
        let currency = self.currency();
        Movement { amount, balance_after, currency, description, reference, transfer }
    }

    /// The wallet that a creation makes.
    ///
    /// # Errors
    /// When `event` is not a creation.
    pub fn from_created(id: WalletId, event: &WalletEvent) -> Result<Self, ApplyError> {
        let WalletEvent::Created { owner_id, .. } = event else {
            return Err(ApplyError::NotCreated);
        };
        Ok(Self { id, owner_id: owner_id.clone(), standing: Standing::opened(event)? })
    }

    /// Folds one more event in.
    ///
    /// # Errors
    /// When the event does not follow from this state; the wallet is then unchanged.
    pub fn apply(&mut self, event: &WalletEvent) -> Result<(), ApplyError> {
        self.standing.apply(event)
    }

    /// Folds a whole history, oldest event first; `None` when there is none.
    ///
    /// # Errors
    /// When an event does not follow from those before it.
    pub fn fold<'a>(
        id: &WalletId,
        events: impl IntoIterator<Item = &'a WalletEvent>,
    ) -> Result<Option<Self>, ApplyError> {
        let mut wallet: Option<Self> = None;
        for event in events {
            match &mut wallet {
                None => wallet = Some(Self::from_created(id.clone(), event)?),
                Some(wallet) => wallet.apply(event)?,
            }
        }
        Ok(wallet)
    }

    /// A wallet restored from a snapshot that was stored with its events.
    #[must_use]
    pub fn from_snapshot(
        id: WalletId,
        owner_id: OwnerId,
        currency: Currency,
        balance: Balance,
        version: u64,
    ) -> Self {
        Self { id, owner_id, standing: Standing::new(currency, balance, version) }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &WalletId {
        &self.id
    }

    /// Whose it is.
    #[must_use]
    pub fn owner_id(&self) -> &OwnerId {
        &self.owner_id
    }

    /// What it holds.
    #[must_use]
    pub fn currency(&self) -> Currency {
        self.standing.currency()
    }

    /// How much it holds, in minor units.
    #[must_use]
    pub fn balance(&self) -> Balance {
        self.standing.balance()
    }

    /// How many events made it: at least 1.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.standing.version()
    }

    /// What it holds as of its last event.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }
}

/// The two events of a decided transfer. Record both, or neither.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// For the paying wallet.
    pub debit: WalletEvent,
    /// For the receiving wallet.
    pub credit: WalletEvent,
}

/// Decides to move `amount` between two wallets.
///
/// # Errors
/// When they are the same wallet, hold different currencies, or one of them refuses its leg.
pub fn transfer(
    transfer_id: TransferId,
    from: &Wallet,
    to: &Wallet,
    amount: Amount,
    memo: Memo,
) -> Result<Transfer, TransferError> {
    if from.id == to.id {
        return Err(TransferError::SameWallet);
    }
    if from.currency() != to.currency() {
        return Err(TransferError::CurrencyMismatch { from: from.currency(), to: to.currency() });
    }
    let leg = |other: &Wallet| Some(TransferLeg { transfer_id, counterparty: other.id.clone() });
    Ok(Transfer {
        debit: from.debit_leg(amount, memo.clone(), leg(to))?,
        credit: to.credit_leg(amount, memo, leg(from))?,
    })
}
