//! One run: the world of one seed, from its beginning to its verdict.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use wallex_application::CommandError;
use wallex_domain::TenantId;
use wallex_ports::{KeyScope, RequestHash};

use crate::checks;
use crate::client::{self, PATIENCE};
use crate::finale;
use crate::history::End;
use crate::node;
use crate::operator;
use crate::plant::Plant;
use crate::store::Projection;
use crate::violation::{Check, Violation};
use crate::wish::{What, Wish};
use crate::world::{NODES, World};

/// Once nothing goes wrong any more, what went wrong before has passed after this long.
pub(crate) const RECOVERY: Duration = Duration::from_secs(60);
/// How often what is unknown is asked for, a second apart, before it counts as lost.
const RESOLVE_TRIES_MAX: u64 = 60;
/// What was answered is asked for once more, so often at most.
const REPLAYS_MAX: usize = 4;

/// What to run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Decides everything.
    pub seed: u64,
    /// A defect of the store.
    pub plant: Option<Plant>,
    /// Whether the trace is kept as text.
    pub keeps_lines: bool,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Over everything that happened, in its order.
    pub trace_hash: u64,
    /// What happened, if it was to be kept.
    pub lines: Vec<String>,
    /// What must not have happened.
    pub violations: Vec<Violation>,
    /// Attempts of clients.
    pub attempts: usize,
    /// Events that were committed.
    pub events: usize,
    /// How much time passed in it.
    pub simulated: Duration,
}

/// Runs the world of a seed on this thread.
///
/// # Panics
/// When no runtime can be made.
#[must_use]
pub fn run(options: &Options) -> Outcome {
    // What the code under test draws for itself.
    fastrand::seed(options.seed);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O can always be made");
    runtime.block_on(live(options))
}

async fn live(options: &Options) -> Outcome {
    let began = Instant::now();
    let world = World::new(options.seed, options.plant, options.keeps_lines);
    for index in 0..NODES {
        node::start(&world, index);
    }
    let clients = (0..world.odds.clients).map(|n| tokio::spawn(client::client(world.clone(), n)));
    let clients: Vec<_> = clients.collect();
    let operator = tokio::spawn(operator::operator(world.clone()));
    for client in clients {
        if let Err(error) = client.await {
            world.violated(Check::Liveness, format!("a client ended badly: {error}"));
        }
    }
    if let Err(error) = operator.await {
        world.violated(Check::Liveness, format!("the operator ended badly: {error}"));
    }
    world.end_faults();
    recover(&world).await;
    finale::mend(&world).await;
    resolve(&world).await;
    catch_up(&world).await;
    finale::prove(&world).await;
    catch_up(&world).await;
    checks::check(&world);
    let violations = world.take_violations();
    let (attempts, events) = (world.history().len(), world.tables().events.len());
    let (trace_hash, lines) = world.take_trace();
    let simulated = began.elapsed();
    let outcome = Outcome { trace_hash, lines, violations, attempts, events, simulated };
    // Nodes and world know each other.
    *world.nodes() = [None, None];
    outcome
}

/// Waits until both nodes are up, what was adrift has arrived, and each node does what it is asked.
async fn recover(world: &Arc<World>) {
    let until = Instant::now() + RECOVERY;
    while Instant::now() < until {
        let up = world.nodes().iter().all(Option::is_some);
        if up && !world.is_anything_adrift() {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    for index in 0..NODES {
        let owner = format!("probe{index}");
        let what = What::Create { wallet: None, owner: owner.clone(), currency: "USD", balance: 1 };
        let wish = Wish { tenant: TenantId::default(), what, if_match: None, key: None };
        while Instant::now() < until {
            let name = format!("{owner}at{}", world.now_ms());
            let end = client::attempt(world, &wish, name, index, PATIENCE).await;
            if matches!(end, Some(End::Told(Ok(_)))) {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
    }
    if Instant::now() >= until {
        world.violated(Check::Liveness, "the nodes do not recover".to_owned());
    }
}

/// Waits until every projection has caught up, and parked nothing.
async fn catch_up(world: &World) {
    let until = Instant::now() + RECOVERY;
    loop {
        let behind = behind(world);
        match behind {
            None => return,
            Some(behind) if Instant::now() >= until => {
                return world.violated(Check::Liveness, behind);
            }
            Some(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// A projection that has not applied everything.
fn behind(world: &World) -> Option<String> {
    let tables = world.tables();
    let is_behind = |((_, shard), row): &(&(&str, u16), &Projection)| {
        row.position < tables.heads[usize::from(*shard)] || !row.letters.is_empty()
    };
    let found = tables.projections.iter().find(is_behind);
    found.map(|(key, row)| {
        let (position, letters) = (row.position, &row.letters);
        format!("{key:?} stays at {position} of {:?}, with {letters:?} parked", tables.heads)
    })
}

/// Asks for everything unknown that has a key, until its key tells; and for some of what is known.
async fn resolve(world: &Arc<World>) {
    let mut unknown: BTreeMap<(KeyScope, [u8; 32]), Wish> = BTreeMap::new();
    let mut known = Vec::new();
    for attempt in world.history().values() {
        let Some(scope) = attempt.wish.scope() else { continue };
        let RequestHash(hash) = attempt.wish.hash();
        if attempt.is_unknown() {
            unknown.insert((scope, hash), attempt.wish.clone());
        } else if known.len() < REPLAYS_MAX {
            known.push(attempt.wish.clone());
        }
    }
    for (number, wish) in unknown.into_values().chain(known).enumerate() {
        let name = format!("resolve{number}");
        if !is_resolved(world, &wish, &name).await {
            world.violated(Check::Liveness, format!("{name} stays unknown: {wish:?}"));
        }
    }
}

async fn is_resolved(world: &Arc<World>, wish: &Wish, name: &str) -> bool {
    for i in 0..RESOLVE_TRIES_MAX {
        let node = world.draw(|dice| dice.index(NODES));
        let end = client::attempt(world, wish, format!("{name}a{i}"), node, PATIENCE).await;
        if let Some(End::Told(Ok(_) | Err(CommandError::KeyReused))) = end {
            return true;
        }
        sleep(Duration::from_secs(1)).await;
    }
    false
}
