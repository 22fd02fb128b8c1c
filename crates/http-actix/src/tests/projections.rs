//! Projections in memory: what they say is folded from the store's events, as far as a test lets
//! them come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use wallex_domain::{Movement, OwnerId, TenantId, TransferId, Wallet, WalletEvent, WalletId};
use wallex_ports::{
    EntryType, LedgerEntry, LedgerFilter, Projected, ReadError, ReadModels, RecordedEvent,
    ShardPosition, WalletKey, WalletState,
};

use super::memory::Memory;

/// The projections of a store, which keep up with it unless a test holds them.
pub(super) struct Projections {
    store: Arc<Memory>,
    /// They go no further than this position.
    held_at: AtomicU64,
    /// How often they are waited for before they go on; never, when it is the greatest number.
    patience: AtomicU64,
    /// How often they were waited for.
    pub(super) waits: AtomicU64,
    /// Positions of events that were left out of the ledger.
    pub(super) left_out: Mutex<Vec<u64>>,
}

impl Projections {
    pub(super) fn of(store: Arc<Memory>) -> Arc<Self> {
        let [held_at, patience] = [AtomicU64::new(u64::MAX), AtomicU64::new(u64::MAX)];
        let (waits, left_out) = (AtomicU64::new(0), Mutex::default());
        Arc::new(Self { store, held_at, patience, waits, left_out })
    }

    /// Holds them at `position`.
    pub(super) fn hold_at(&self, position: u64) {
        self.held_at.store(position, Ordering::SeqCst);
        self.patience.store(u64::MAX, Ordering::SeqCst);
    }

    /// Lets them go on when they have been waited for `times` times more.
    pub(super) fn go_on_after(&self, times: u64) {
        let waits = self.waits.load(Ordering::SeqCst);
        self.patience.store(waits + times, Ordering::SeqCst);
    }

    /// The events that they have applied, in the order of positions, and where they stand.
    async fn applied(&self) -> Result<Projected<Vec<(WalletKey, RecordedEvent)>>, ReadError> {
        self.store.readable().await?;
        let held_at = self.held_at.load(Ordering::SeqCst);
        let mut value = self.store.history();
        let position = held_at.min(value.last().map_or(0, |(_, event)| event.position));
        value.retain(|(_, event)| event.position <= position);
        Ok(Projected { value, positions: vec![ShardPosition { shard: 0, position }] })
    }

    async fn lines(&self) -> Result<Projected<Vec<LedgerEntry>>, ReadError> {
        let Projected { mut value, positions } = self.applied().await?;
        let left_out = self.left_out.lock().expect("sound");
        value.retain(|(_, event)| !left_out.contains(&event.position));
        Ok(Projected {
            value: value.iter().map(|(key, event)| line(key, event)).collect(),
            positions,
        })
    }
}

/// A wallet after `events`, which begin with its creation.
fn fold(key: &WalletKey, events: &[&RecordedEvent]) -> Option<WalletState> {
    let (first, rest) = events.split_first()?;
    let mut wallet = Wallet::from_created(key.wallet_id.clone(), &first.event).expect("a creation");
    for event in rest {
        wallet.apply(&event.event).expect("follows");
    }
    let updated_at = rest.last().unwrap_or(first).recorded_at;
    Some(WalletState { wallet, created_at: first.recorded_at, updated_at })
}

fn line(key: &WalletKey, recorded: &RecordedEvent) -> LedgerEntry {
    let movement = |m: &Movement, alone, in_transfer| {
        let entry_type = if m.transfer.is_some() { in_transfer } else { alone };
        (entry_type, m.amount.into(), m.balance_after, m.currency, Some(m.clone()))
    };
    let (entry_type, amount, balance_after, currency, movement) = match &recorded.event {
        WalletEvent::Created { currency, initial_balance, .. } => {
            (EntryType::Opening, *initial_balance, *initial_balance, *currency, None)
        }
        WalletEvent::Credited(m) => movement(m, EntryType::Credit, EntryType::TransferIn),
        WalletEvent::Debited(m) => movement(m, EntryType::Debit, EntryType::TransferOut),
    };
    let leg = movement.as_ref().and_then(|m| m.transfer.clone());
    LedgerEntry {
        wallet: key.clone(),
        version: recorded.version,
        position: recorded.position,
        event_id: recorded.event_id,
        entry_type,
        amount,
        balance_after,
        currency,
        description: movement.as_ref().and_then(|m| m.description.clone()),
        reference: movement.and_then(|m| m.reference),
        transfer_id: leg.as_ref().map(|leg| leg.transfer_id),
        counterparty: leg.map(|leg| leg.counterparty),
        recorded_at: recorded.recorded_at,
    }
}

fn is_wanted(line: &LedgerEntry, filter: &LedgerFilter) -> bool {
    filter.below_version.is_none_or(|below| line.version < below)
        && filter.from_version.is_none_or(|from| line.version >= from)
        && filter.from.is_none_or(|from| line.recorded_at >= from)
        && filter.to.is_none_or(|to| line.recorded_at < to)
        && filter.entry_type.is_none_or(|wanted| line.entry_type == wanted)
}

#[async_trait]
impl ReadModels for Projections {
    async fn wallet(&self, key: &WalletKey) -> Result<Projected<Option<WalletState>>, ReadError> {
        let Projected { value, positions } = self.applied().await?;
        let events: Vec<_> =
            value.iter().filter(|(of, _)| of == key).map(|(_, event)| event).collect();
        Ok(Projected { value: fold(key, &events), positions })
    }

    async fn wallets_of(
        &self,
        tenant: &TenantId,
        owner_id: &OwnerId,
        after: Option<&WalletId>,
        limit: u32,
    ) -> Result<Projected<Vec<WalletState>>, ReadError> {
        let Projected { value, positions } = self.applied().await?;
        let mut keys: Vec<_> = value.iter().map(|(key, _)| key.clone()).collect();
        keys.sort();
        keys.dedup();
        let states = keys.iter().filter(|key| key.tenant == *tenant).filter_map(|key| {
            let events: Vec<_> =
                value.iter().filter(|(of, _)| of == key).map(|(_, event)| event).collect();
            fold(key, &events)
        });
        let value = states
            .filter(|state| state.wallet.owner_id() == owner_id)
            .filter(|state| after.is_none_or(|after| state.wallet.id() > after))
            .take(limit as usize)
            .collect();
        Ok(Projected { value, positions })
    }

    async fn ledger(
        &self,
        key: &WalletKey,
        filter: &LedgerFilter,
        limit: u32,
    ) -> Result<Projected<Vec<LedgerEntry>>, ReadError> {
        let Projected { value, positions } = self.lines().await?;
        let lines = value.into_iter().rev().filter(|line| line.wallet == *key);
        let value = lines.filter(|line| is_wanted(line, filter)).take(limit as usize).collect();
        Ok(Projected { value, positions })
    }

    async fn ledger_version(&self, key: &WalletKey) -> Result<Projected<u64>, ReadError> {
        let Projected { value, positions } = self.lines().await?;
        let last = value.iter().rev().find(|line| line.wallet == *key);
        Ok(Projected { value: last.map_or(0, |line| line.version), positions })
    }

    async fn transfer(
        &self,
        tenant: &TenantId,
        transfer_id: TransferId,
    ) -> Result<Projected<Vec<LedgerEntry>>, ReadError> {
        let Projected { mut value, positions } = self.lines().await?;
        value.retain(|line| line.wallet.tenant == *tenant);
        value.retain(|line| line.transfer_id == Some(transfer_id));
        value.sort_by_key(|leg| leg.entry_type.is_incoming());
        Ok(Projected { value, positions })
    }

    async fn heads(&self) -> Result<Vec<ShardPosition>, ReadError> {
        self.store.readable().await?;
        let position = self.store.history().last().map_or(0, |(_, event)| event.position);
        Ok(vec![ShardPosition { shard: 0, position }])
    }

    async fn changed(&self, at_most: Duration) {
        // Who polls this once listens; who polls it again waits.
        tokio::task::yield_now().await;
        let waits = self.waits.fetch_add(1, Ordering::SeqCst) + 1;
        if waits >= self.patience.load(Ordering::SeqCst) {
            self.held_at.store(u64::MAX, Ordering::SeqCst);
        } else {
            tokio::time::sleep(at_most.min(Duration::from_millis(1))).await;
        }
    }
}
