//! The tables of one projector in one shard, and what they should hold.

use std::collections::{BTreeMap, BTreeSet};

use wallex_domain::{Balance, EventId, Movement, Wallet, WalletEvent};
use wallex_ports::{EntryType, LedgerEntry, WalletKey, WalletState};
use wallex_projectors::Poison;

use super::tables::{StoredEvent, Tables};

/// Both projectors, by name.
pub(crate) const PROJECTORS: [&str; 2] = ["ledger", "read_model"];

/// What one projector keeps in one shard: its checkpoint with the lease, its rows, its dead letters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Projection {
    /// The last position that was applied.
    pub(crate) position: u64,
    pub(crate) epoch: i64,
    /// The node that holds the lease.
    pub(crate) holder: Option<usize>,
    pub(crate) lease_until_ms: u64,
    /// The read model's rows.
    pub(crate) wallets: BTreeMap<WalletKey, WalletState>,
    /// The ledger's lines, by wallet and version.
    pub(crate) lines: BTreeMap<(WalletKey, u64), LedgerEntry>,
    /// Parked wallets.
    pub(crate) letters: BTreeMap<WalletKey, Letter>,
    /// Whether somebody stopped the projector.
    pub(crate) stopped: bool,
    /// Wallets whose rows somebody has spoiled since they were last put right.
    pub(crate) spoiled: BTreeSet<WalletKey>,
    /// The transaction that holds the checkpoint's row, its node, and since when.
    pub(crate) held: Option<(u64, usize, u64)>,
}

/// Why a wallet is parked: the first event that waits.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) version: u64,
    pub(crate) position: u64,
    pub(crate) event_id: EventId,
    pub(crate) event_type: String,
}

impl Letter {
    pub(crate) fn of(poison: &Poison) -> Self {
        Self {
            version: poison.version,
            position: poison.position,
            event_id: poison.event_id,
            event_type: poison.event_type.clone(),
        }
    }
}

/// What is there and should not be, or the other way round, of a projection whose rows stand for its
/// checkpoint; nothing when all is well.
pub(crate) fn difference(tables: &Tables, name: &str, shard: u16) -> Option<String> {
    let projection = &tables.projections[&(name_of(name), shard)];
    let applied = |event: &&StoredEvent| {
        let parked = projection.letters.get(&event.wallet);
        event.shard == shard
            && event.position <= projection.position
            && parked.is_none_or(|letter| event.version < letter.version)
    };
    // What somebody else has spoiled says nothing.
    let is_sound = |wallet: &WalletKey| !projection.spoiled.contains(wallet);
    let events = tables.events.iter().filter(applied).filter(|event| is_sound(&event.wallet));
    if name == "ledger" {
        let lines: BTreeMap<_, _> =
            events.map(|event| ((event.wallet.clone(), event.version), line(event))).collect();
        let held = projection.lines.iter().filter(|((wallet, _), _)| is_sound(wallet));
        (!held.clone().eq(&lines)).then(|| {
            let held: Vec<_> = held.collect();
            format!("{name} at {} holds {held:?}, not {lines:?}", projection.position)
        })
    } else {
        let mut wallets: BTreeMap<WalletKey, WalletState> = BTreeMap::new();
        for event in events {
            fold(&mut wallets, event);
        }
        let held = projection.wallets.iter().filter(|(wallet, _)| is_sound(wallet));
        (!held.clone().eq(&wallets)).then(|| {
            let held: Vec<_> = held.collect();
            format!("{name} at {} holds {held:?}, not {wallets:?}", projection.position)
        })
    }
}

fn name_of(name: &str) -> &'static str {
    PROJECTORS.into_iter().find(|known| *known == name).unwrap_or_default()
}

fn line(stored: &StoredEvent) -> LedgerEntry {
    let empty = |entry_type, amount, balance_after, currency| LedgerEntry {
        wallet: stored.wallet.clone(),
        version: stored.version,
        position: stored.position,
        event_id: stored.event.event_id,
        entry_type,
        amount,
        balance_after,
        currency,
        description: None,
        reference: None,
        transfer_id: None,
        counterparty: None,
        recorded_at: stored.event.recorded_at,
    };
    let moved = |m: &Movement, [alone, in_transfer]: [EntryType; 2]| {
        let entry_type = if m.transfer.is_some() { in_transfer } else { alone };
        let amount = Balance::new(m.amount.minor_units()).unwrap_or(Balance::ZERO);
        LedgerEntry {
            transfer_id: m.transfer.as_ref().map(|leg| leg.transfer_id),
            counterparty: m.transfer.as_ref().map(|leg| leg.counterparty.clone()),
            ..empty(entry_type, amount, m.balance_after, m.currency)
        }
    };
    match &stored.event.event {
        WalletEvent::Created { currency, initial_balance, .. } => {
            empty(EntryType::Opening, *initial_balance, *initial_balance, *currency)
        }
        WalletEvent::Credited(m) => moved(m, [EntryType::Credit, EntryType::TransferIn]),
        WalletEvent::Debited(m) => moved(m, [EntryType::Debit, EntryType::TransferOut]),
    }
}

/// The events say by themselves what a wallet holds after them.
fn fold(wallets: &mut BTreeMap<WalletKey, WalletState>, stored: &StoredEvent) {
    let (id, at) = (stored.wallet.wallet_id.clone(), stored.event.recorded_at);
    match &stored.event.event {
        WalletEvent::Created { owner_id, currency, initial_balance } => {
            let (owner_id, balance) = (owner_id.clone(), *initial_balance);
            let wallet = Wallet::from_snapshot(id, owner_id, *currency, balance, 1);
            let state = WalletState { wallet, created_at: at, updated_at: at };
            wallets.insert(stored.wallet.clone(), state);
        }
        WalletEvent::Credited(m) | WalletEvent::Debited(m) => {
            let Some(state) = wallets.get_mut(&stored.wallet) else { return };
            let owner_id = state.wallet.owner_id().clone();
            let (currency, balance) = (m.currency, m.balance_after);
            let version = stored.version;
            state.wallet = Wallet::from_snapshot(id, owner_id, currency, balance, version);
            state.updated_at = at.max(state.updated_at);
        }
    }
}
