//! Whoever operates the nodes while things go wrong: stops and starts projectors, has projections rebuilt and
//! compared, replays dead letters; and what comes over the tables meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use wallex_domain::{Balance, Wallet};
use wallex_ports::{DeadLetters as _, OperationKind, Scope, ShardPosition, WalletKey};

use crate::node::Node;
use crate::store::{PROJECTORS, Projection, SimulatedProjectorStore};
use crate::world::{NODES, World};

/// What the id of a wallet ends in that never was.
const GHOST: &str = "-ghost";

/// Operates for a while.
pub(crate) async fn operator(world: Arc<World>) {
    let odds = world.odds.clone();
    for _ in 0..odds.acts {
        let pause_ms = world.draw(|dice| dice.pick(&[1, 5, 30, 300, 1_500]));
        sleep(Duration::from_millis(pause_ms)).await;
        if world.strikes(odds.undecodable) {
            spoil_an_event(&world);
        }
        if world.strikes(odds.spoiled) {
            let (name, shard) = any_projection(&world);
            spoil_a_row(&world, name, shard);
        }
        if world.strikes(odds.operated) {
            let node = world.draw(|dice| dice.index(NODES));
            let node = world.nodes()[node].clone();
            if let Some(node) = node {
                tokio::select! {
                    biased;
                    () = node.life.end() => {}
                    () = operate(&world, &node) => {}
                }
            }
        }
    }
}

async fn operate(world: &Arc<World>, node: &Node) {
    let index = node.life.index;
    match world.draw(|dice| dice.below(6)) {
        0 | 1 => {
            let (name, stopped) = world.draw(|dice| (dice.pick(&PROJECTORS), dice.chance(500)));
            world.note(format_args!("node {index}: {name} is to stop: {stopped}"));
            want(world, node, name, stopped).await;
        }
        2 => {
            let letters = node.letters.list(None, None, None, 10).await.unwrap_or_default();
            if !letters.is_empty() {
                let letter = &letters[world.draw(|dice| dice.index(letters.len()))];
                let (name, wallet) = (letter.projector.clone(), letter.wallet.clone());
                world.note(format_args!("node {index}: {name} {wallet:?} is replayed by hand"));
                let letters = Arc::clone(&node.letters);
                // A projector may panic in it.
                let replaying =
                    tokio::spawn(async move { letters.replay(&name, &wallet).await.map(drop) });
                let replayed = replaying.await;
                world.note(format_args!("node {index}: {:?}", replayed.is_ok_and(|r| r.is_ok())));
            }
        }
        _ => {
            let kind = world.draw(|dice| {
                dice.pick(&[OperationKind::Rebuild, OperationKind::Drift, OperationKind::Retry])
            });
            let scope = any_scope(world);
            if let Err(error) = node.operations.begin(kind, scope).await {
                world.note(format_args!("node {index}: {} does not begin: {error}", kind.as_str()));
            }
        }
    }
}

/// Stops a projector in all shards, or lets it run.
pub(crate) async fn want(world: &World, node: &Node, name: &'static str, stopped: bool) {
    for shard in 0..world.odds.shards {
        let ports = Arc::clone(&node.ports);
        if let Err(error) = (SimulatedProjectorStore { ports, name, shard }).want(stopped).await {
            return world.note(format_args!("{name} could not be told: {error}"));
        }
    }
}

pub(crate) fn any_projection(world: &World) -> (&'static str, u16) {
    let shards = u64::from(world.odds.shards);
    world.draw(|dice| {
        (dice.pick(&PROJECTORS), u16::try_from(dice.below(shards)).unwrap_or_default())
    })
}

fn any_wallet(world: &World) -> Option<WalletKey> {
    let wallets: Vec<WalletKey> = world.tables().wallets.keys().cloned().collect();
    let any = world.draw(|dice| dice.index(wallets.len()));
    wallets.get(any).cloned()
}

fn any_scope(world: &World) -> Scope {
    match world.draw(|dice| dice.below(4)) {
        0 => any_wallet(world).map_or(Scope::All, Scope::Wallet),
        1 => {
            let (_, shard) = any_projection(world);
            let head = world.tables().heads[usize::from(shard)];
            let position = world.draw(|dice| dice.below(head + 2));
            Scope::Since(ShardPosition { shard, position })
        }
        _ => Scope::All,
    }
}

/// From now on nobody can decode some event who reads it.
fn spoil_an_event(world: &World) {
    let events = world.tables().events.len();
    let any = world.draw(|dice| dice.index(events));
    let mut tables = world.tables();
    let Some(event) = tables.events.get(any) else { return };
    let (event_wallet, version) = (event.wallet.clone(), event.version);
    let key = (event_wallet.clone(), version);
    tables.suspects.insert(event_wallet);
    tables.undecodable.insert(key.clone());
    drop(tables);
    world.note(format_args!("{key:?} can't be decoded any more"));
}

/// What was done to a row: its wallet, and the version if it is a line of the ledger.
pub(crate) type Spoiled = (WalletKey, Option<u64>);

/// Somebody edits or deletes a row of a projection behind Wallex's back.
pub(crate) fn spoil_a_row(world: &World, name: &'static str, shard: u16) -> Option<Spoiled> {
    let number = world.draw(crate::dice::Dice::next);
    let mut tables = world.tables();
    let row = tables.projections.get_mut(&(name, shard))?;
    if row.held.is_some() {
        return None;
    }
    let spoiled =
        if name == "ledger" { spoil_a_line(row, number) } else { spoil_a_state(row, number) };
    if let Some((wallet, _)) = &spoiled {
        row.spoiled.insert(wallet.clone());
        tables.suspects.insert(wallet.clone());
    }
    drop(tables);
    world.note(format_args!("somebody spoils {name} {shard}: {spoiled:?}"));
    spoiled
}

fn spoil_a_line(row: &mut Projection, number: u64) -> Option<Spoiled> {
    let keys: Vec<_> = row.lines.keys().cloned().collect();
    let (wallet, version) = keys.get(usize::try_from(number).ok()? % keys.len().max(1))?.clone();
    let key = (wallet.clone(), version);
    if number.is_multiple_of(3) {
        row.lines.remove(&key);
    } else {
        let line = row.lines.get_mut(&key)?;
        line.balance_after = Balance::new(line.balance_after.minor_units() + 1).ok()?;
    }
    Some((wallet, Some(version)))
}

fn spoil_a_state(row: &mut Projection, number: u64) -> Option<Spoiled> {
    let is_no_ghost = |key: &&WalletKey| !key.wallet_id.as_str().ends_with(GHOST);
    let keys: Vec<_> = row.wallets.keys().filter(is_no_ghost).cloned().collect();
    let wallet = keys.get(usize::try_from(number).ok()? % keys.len().max(1))?.clone();
    match number % 3 {
        0 => drop(row.wallets.remove(&wallet)),
        1 => {
            let state = row.wallets.get_mut(&wallet)?;
            let (id, owner) = (wallet.wallet_id.clone(), state.wallet.owner_id().clone());
            let (currency, version) = (state.wallet.currency(), state.wallet.version());
            let balance = Balance::new(state.wallet.balance().minor_units() + 1).ok()?;
            state.wallet = Wallet::from_snapshot(id, owner, currency, balance, version);
        }
        _ => {
            // A wallet that never was.
            let mut state = row.wallets.get(&wallet)?.clone();
            let id = wallex_domain::WalletId::parse(format!("{}{GHOST}", wallet.wallet_id)).ok()?;
            let ghost = WalletKey { tenant: wallet.tenant.clone(), wallet_id: id.clone() };
            let (owner, currency) = (state.wallet.owner_id().clone(), state.wallet.currency());
            state.wallet = Wallet::from_snapshot(id, owner, currency, Balance::ZERO, 1);
            row.wallets.insert(ghost.clone(), state);
            return Some((ghost, None));
        }
    }
    Some((wallet, None))
}
