//! What the projections say: read models that follow the events, a moment behind them.

use std::time::Duration;

use async_trait::async_trait;
use wallex_domain::{
    Balance, Currency, Description, EventId, OwnerId, Reference, TenantId, TransferId, WalletEvent,
    WalletId,
};

use crate::{ReadError, Timestamp, WalletKey, WalletState};

/// A place in one shard's order of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShardPosition {
    /// The shard.
    pub shard: u16,
    /// The position; 0 stands before the first event.
    pub position: u64,
}

/// What a projection says, and how far it had come: every event up to `positions` is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projected<T> {
    /// What it says.
    pub value: T,
    /// The projection's position in each shard that `value` draws on, in the order of shards.
    pub positions: Vec<ShardPosition>,
}

/// What an event did to a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryType {
    /// The wallet was created with it.
    Opening,
    /// Money came in.
    Credit,
    /// Money went out.
    Debit,
    /// Money came in from another wallet.
    TransferIn,
    /// Money went out to another wallet.
    TransferOut,
}

impl EntryType {
    /// Every type.
    pub const ALL: [Self; 5] =
        [Self::Opening, Self::Credit, Self::Debit, Self::TransferIn, Self::TransferOut];

    /// The stable name: `opening`, `credit`, `debit`, `transfer_in`, `transfer_out`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Credit => "credit",
            Self::Debit => "debit",
            Self::TransferIn => "transfer_in",
            Self::TransferOut => "transfer_out",
        }
    }

    /// The type of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entry_type| entry_type.as_str() == name)
    }

    /// What `event` did.
    #[must_use]
    pub const fn of(event: &WalletEvent) -> Self {
        match event {
            WalletEvent::Created { .. } => Self::Opening,
            WalletEvent::Credited(m) if m.transfer.is_some() => Self::TransferIn,
            WalletEvent::Credited(_) => Self::Credit,
            WalletEvent::Debited(m) if m.transfer.is_some() => Self::TransferOut,
            WalletEvent::Debited(_) => Self::Debit,
        }
    }

    /// Whether money came in.
    #[must_use]
    pub const fn is_incoming(self) -> bool {
        matches!(self, Self::Opening | Self::Credit | Self::TransferIn)
    }
}

/// One line of a wallet's ledger: what one event did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Whose line it is.
    pub wallet: WalletKey,
    /// The version of the event in its wallet.
    pub version: u64,
    /// The position of the event in its shard.
    pub position: u64,
    /// The event.
    pub event_id: EventId,
    /// What it did.
    pub entry_type: EntryType,
    /// How much, in minor units; only an opening may be zero.
    pub amount: Balance,
    /// What the wallet held afterwards, in minor units.
    pub balance_after: Balance,
    /// The wallet's currency.
    pub currency: Currency,
    /// What it was for.
    pub description: Option<Description>,
    /// The client's own reference.
    pub reference: Option<Reference>,
    /// The transfer that it is one leg of.
    pub transfer_id: Option<TransferId>,
    /// The wallet on the other side of that transfer.
    pub counterparty: Option<WalletId>,
    /// When the event was recorded.
    pub recorded_at: Timestamp,
}

/// Which lines of a wallet's ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerFilter {
    /// Only lines of versions below this one.
    pub below_version: Option<u64>,
    /// Only lines of this version or later.
    pub from_version: Option<u64>,
    /// Only lines recorded at this time or later.
    pub from: Option<Timestamp>,
    /// Only lines recorded before this time.
    pub to: Option<Timestamp>,
    /// Only lines of this type.
    pub entry_type: Option<EntryType>,
}

/// Reads the projections. Every method's errors are [`ReadError::Unavailable`] when the database
/// does not answer and [`ReadError::Storage`] when a row can't be understood.
#[async_trait]
pub trait ReadModels: Send + Sync {
    /// The wallet of `key` as the read model has it; `None` when it has not.
    ///
    /// # Errors
    /// As said at the trait.
    async fn wallet(&self, key: &WalletKey) -> Result<Projected<Option<WalletState>>, ReadError>;

    /// At most `limit` wallets of an owner in the order of their ids, beginning behind `after`.
    ///
    /// # Errors
    /// As said at the trait.
    async fn wallets_of(
        &self,
        tenant: &TenantId,
        owner_id: &OwnerId,
        after: Option<&WalletId>,
        limit: u32,
    ) -> Result<Projected<Vec<WalletState>>, ReadError>;

    /// At most `limit` lines of a wallet's ledger, newest first.
    ///
    /// # Errors
    /// As said at the trait.
    async fn ledger(
        &self,
        key: &WalletKey,
        filter: &LedgerFilter,
        limit: u32,
    ) -> Result<Projected<Vec<LedgerEntry>>, ReadError>;

    /// The last version of a wallet that the ledger has; 0 when it has none.
    ///
    /// # Errors
    /// As said at the trait.
    async fn ledger_version(&self, key: &WalletKey) -> Result<Projected<u64>, ReadError>;

    /// The legs of a transfer that the ledger has, the outgoing one first; none when it has none.
    /// Draws on every shard.
    ///
    /// # Errors
    /// As said at the trait.
    async fn transfer(
        &self,
        tenant: &TenantId,
        transfer_id: TransferId,
    ) -> Result<Projected<Vec<LedgerEntry>>, ReadError>;

    /// How far the write side has come, in every shard.
    ///
    /// # Errors
    /// As said at the trait.
    async fn heads(&self) -> Result<Vec<ShardPosition>, ReadError>;

    /// Returns when a projector of this process has applied something since this was first polled,
    /// and after `at_most` in any case: another process may have.
    async fn changed(&self, at_most: Duration);
}
