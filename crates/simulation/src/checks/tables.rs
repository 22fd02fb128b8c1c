//! The tables of the write side, beside the events and the model.

use std::collections::BTreeMap;

use wallex_domain::{EventHash, WalletEvent};
use wallex_ports::{NewEvent, WalletKey};

use super::effects::Effects;
use crate::store::{Tables, difference};
use crate::violation::Check;
use crate::world::World;

/// Checks the order of events, the outbox, and the states of wallets.
pub(crate) fn check(world: &World, effects: &Effects, tables: &Tables) {
    check_order(world, tables);
    check_states(world, effects, tables);
    check_sums(world, tables);
    for (name, shard) in tables.projections.keys() {
        if let Some(difference) = difference(tables, name, *shard) {
            world.violated(Check::Projection, difference);
        }
    }
}

fn check_order(world: &World, tables: &Tables) {
    let mut heads = vec![0; tables.heads.len()];
    let mut versions: BTreeMap<&WalletKey, u64> = BTreeMap::new();
    let mut hashes: BTreeMap<&WalletKey, EventHash> = BTreeMap::new();
    for event in &tables.events {
        let head = &mut heads[usize::from(event.shard)];
        *head += 1;
        let version = versions.entry(&event.wallet).or_default();
        *version += 1;
        if (event.position, event.version) != (*head, *version) {
            world.violated(Check::Order, format!("{event:?} should be {head}, version {version}"));
        }
        let hash = hashes.entry(&event.wallet).or_insert(EventHash::BEFORE_FIRST);
        let NewEvent { event_id, event: what, metadata, recorded_at, .. } = event.event.clone();
        let place = (&event.wallet, event.version, *hash);
        *hash = NewEvent::chained(place, event_id, what, metadata, recorded_at).hash;
        if event.event.hash != *hash {
            world.violated(Check::Order, format!("{event:?} is not chained to the one before"));
        }
        let row = tables.outbox.get(&(event.shard, event.position));
        if row.is_none_or(|(wallet, version)| (wallet, version) != (&event.wallet, &event.version))
        {
            world.violated(Check::Order, format!("the outbox does not hand out {event:?}"));
        }
    }
    if tables.outbox.len() != tables.events.len() {
        let (rows, events) = (tables.outbox.len(), tables.events.len());
        world.violated(Check::Order, format!("{rows} outbox rows for {events} events"));
    }
}

fn check_states(world: &World, effects: &Effects, tables: &Tables) {
    for (key, stream) in &tables.wallets {
        let state = &stream.state;
        let wallet = &state.wallet;
        let is_right = effects.accounts.get(key).is_some_and(|account| {
            wallet.owner_id().as_str() == account.owner
                && wallet.currency().as_str() == account.currency
                && wallet.balance().minor_units() == account.balance
                && wallet.version() == account.version
                && state.created_at.unix_ms() == account.created_ms
                && state.updated_at.unix_ms() == account.updated_ms
        });
        if !is_right {
            let expected = effects.accounts.get(key);
            world.violated(Check::State, format!("{state:?}, the model has {expected:?}"));
        }
    }
    if tables.wallets.len() != effects.accounts.len() {
        let (rows, accounts) = (tables.wallets.len(), effects.accounts.len());
        world.violated(Check::State, format!("{rows} wallets, the model has {accounts}"));
    }
}

#[derive(Debug, Default)]
struct Sums {
    events: i128,
    transfers_in: i128,
    transfers_out: i128,
    balances: i128,
}

fn check_sums(world: &World, tables: &Tables) {
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    for stored in &tables.events {
        match &stored.event.event {
            WalletEvent::Created { currency, initial_balance, .. } => {
                let sums = sums.entry(currency.to_string()).or_default();
                sums.events += i128::from(initial_balance.minor_units());
            }
            WalletEvent::Credited(m) => {
                let (sums, moved) = (sums.entry(m.currency.to_string()).or_default(), m.amount);
                sums.events += i128::from(moved.minor_units());
                sums.transfers_in += m.transfer.as_ref().map_or(0, |_| moved.minor_units().into());
            }
            WalletEvent::Debited(m) => {
                let (sums, moved) = (sums.entry(m.currency.to_string()).or_default(), m.amount);
                sums.events -= i128::from(moved.minor_units());
                sums.transfers_out += m.transfer.as_ref().map_or(0, |_| moved.minor_units().into());
            }
        }
    }
    for stream in tables.wallets.values() {
        let wallet = &stream.state.wallet;
        let sums = sums.entry(wallet.currency().to_string()).or_default();
        sums.balances += i128::from(wallet.balance().minor_units());
    }
    for (currency, sums) in sums {
        if sums.events != sums.balances || sums.transfers_in != sums.transfers_out {
            world.violated(Check::State, format!("the sums of {currency} disagree: {sums:?}"));
        }
    }
}
