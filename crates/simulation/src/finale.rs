//! The end of a run: what recovery has to do once nothing goes wrong any more, and what it must come to.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use wallex_ports::{Difference, Operation, OperationKind, OperationState, Place, Scope};

use crate::node::Node;
use crate::operator::{self, spoil_a_row};
use crate::run::RECOVERY;
use crate::store::{PROJECTORS, difference};
use crate::violation::Check;
use crate::world::World;

/// Rows that are spoiled for the last drift check, at most.
const SPOILED_MAX: u64 = 4;
/// How long a rebuild may be disturbed.
const DISTURBED_MS_MAX: u64 = 8_000;
const POLL: Duration = Duration::from_millis(100);

/// Mends what was broken, and has recovery put right what came of it.
pub(crate) async fn mend(world: &Arc<World>) {
    world.tables().undecodable.clear();
    world.note(format_args!("every event can be decoded again"));
    if let Some(node) = any_node(world).await {
        for name in PROJECTORS {
            operator::want(world, &node, name, false).await;
        }
    }
    if !world.tables().suspects.is_empty() {
        rebuild(world, world.stamp()).await;
    }
    until(world, "operations end", || !world.tables().is_operating(world.now_ms())).await;
    world.tables().suspects.clear();
}

/// Whether a drift check of what is right finds nothing, one of what is spoiled finds that alone, and a
/// disturbed rebuild puts it right.
pub(crate) async fn prove(world: &Arc<World>) {
    expect_drift(world, &BTreeSet::new()).await;
    let mut spoiled = BTreeSet::new();
    for _ in 0..world.draw(|dice| dice.between(1, SPOILED_MAX)) {
        let (name, shard) = operator::any_projection(world);
        let place = if name == "ledger" { Place::Ledger } else { Place::ReadModel };
        if let Some((wallet, version)) = spoil_a_row(world, name, shard) {
            let (tenant, id) = (wallet.tenant.to_string(), wallet.wallet_id.to_string());
            spoiled.insert((place.as_str(), tenant, id, version));
        }
    }
    expect_drift(world, &spoiled).await;
    let disturbed = world.stamp();
    disturb(world).await;
    rebuild(world, disturbed).await;
    expect_drift(world, &BTreeSet::new()).await;
}

/// Where a row differs: the place, the tenant, the wallet, and the version if it is a line.
type Told = (&'static str, String, String, Option<u64>);

fn told(difference: &Difference) -> Told {
    let Difference { place, tenant, wallet_id, version, .. } = difference;
    (place.as_str(), tenant.clone(), wallet_id.clone(), *version)
}

/// Has everything compared; exactly `expected` differs.
async fn expect_drift(world: &Arc<World>, expected: &BTreeSet<Told>) {
    let Some(operation) = operate(world, OperationKind::Drift, world.stamp()).await else { return };
    let found: BTreeSet<Told> = operation.report.differences.iter().map(told).collect();
    if found != *expected {
        let what = format!("a drift check finds {found:?}, and not {expected:?}");
        world.violated(Check::Report, what);
    }
    let unbalanced = operation.report.trial_balance.iter().find(|totals| !totals.balances());
    if let Some(totals) = unbalanced.filter(|_| expected.is_empty()) {
        world.violated(Check::Report, format!("a trial balance is {totals:?}"));
    }
}

/// Begins a rebuild, and lets go wrong what may while it runs.
async fn disturb(world: &Arc<World>) {
    world.begin_faults();
    if let Some(node) = any_node(world).await {
        tokio::select! {
            biased;
            () = node.life.end() => {}
            begun = node.operations.begin(OperationKind::Rebuild, Scope::All) => {
                let begun = begun.map(|operation| operation.id);
                world.note(format_args!("a rebuild is disturbed: {begun:?}"));
            }
        }
    }
    let disturbed_ms = world.draw(|dice| dice.between(1, DISTURBED_MS_MAX));
    sleep(Duration::from_millis(disturbed_ms)).await;
    world.end_faults();
}

/// Has everything rebuilt. What was spoiled before `since` is right then.
async fn rebuild(world: &Arc<World>, since: u64) {
    if operate(world, OperationKind::Rebuild, since).await.is_none() {
        return;
    }
    let mut tables = world.tables();
    for row in tables.projections.values_mut() {
        row.spoiled.clear();
    }
    let found: Vec<_> =
        tables.projections.keys().filter_map(|key| difference(&tables, key.0, key.1)).collect();
    drop(tables);
    for difference in found {
        world.violated(Check::Projection, format!("behind a rebuild, {difference}"));
    }
}

/// Runs an operation about everything, which began behind `since`, to its good end. An interrupted rebuild that
/// began before is gone on with, and then there is another.
async fn operate(world: &Arc<World>, kind: OperationKind, since: u64) -> Option<Operation> {
    let deadline = Instant::now() + RECOVERY;
    while Instant::now() < deadline {
        if let Some(node) = any_node(world).await
            && let Ok(begun) = node.operations.begin(kind, Scope::All).await
        {
            let ended = || {
                let stored = world.tables().operations.get(&begun.id).cloned()?;
                let state = stored.operation.state;
                let is_ended = [OperationState::Done, OperationState::Failed].contains(&state);
                is_ended.then_some(stored)
            };
            while Instant::now() < deadline && ended().is_none() {
                sleep(POLL).await;
            }
            let done = ended().filter(|stored| stored.operation.state == OperationState::Done);
            if let Some(done) = done.filter(|stored| stored.began > since) {
                return Some(done.operation);
            }
        }
        sleep(POLL).await;
    }
    world.violated(Check::Liveness, format!("a {} does not come to an end", kind.as_str()));
    None
}

/// A node that is up, as soon as there is one.
async fn any_node(world: &World) -> Option<Arc<Node>> {
    let up = || world.nodes().iter().flatten().next().cloned();
    until(world, "a node is up", || up().is_some()).await;
    up()
}

async fn until(world: &World, what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + RECOVERY;
    while !holds() {
        if Instant::now() >= deadline {
            return world.violated(Check::Liveness, format!("in vain: {what}"));
        }
        sleep(POLL).await;
    }
}
