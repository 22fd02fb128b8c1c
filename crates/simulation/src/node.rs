//! A node: a real command lane and real projectors over the simulated store, which can die at any step.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use wallex_application::{CommandLane, LanePorts, LaneTask};
use wallex_outbox::Tail;
use wallex_projectors::{Letters, Operations};

use crate::answers::PlainAnswers;
use crate::store::{Asked, NodePorts, SimulatedLetters, SimulatedRecoveryStore};
use crate::workers::Workers;
use crate::world::World;

/// One life of a node, from its start to its end.
pub(crate) struct Node {
    pub(crate) life: Arc<Life>,
    pub(crate) lane: CommandLane,
    pub(crate) ports: Arc<NodePorts>,
    pub(crate) operations: Operations,
    /// The dead letters, by hand.
    pub(crate) letters: Arc<Letters>,
    running: Mutex<Option<(LaneTask, Workers)>>,
}

/// What everything that a node does is bound to.
#[derive(Debug)]
pub(crate) struct Life {
    /// Which node.
    pub(crate) index: usize,
    dead: AtomicBool,
    died: Notify,
}

impl Life {
    pub(crate) fn is_over(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// Returns once the node is dead.
    pub(crate) async fn end(&self) {
        let died = self.died.notified();
        if !self.is_over() {
            died.await;
        }
    }
}

/// Starts a node in the place of the one that is gone.
pub(crate) fn start(world: &Arc<World>, index: usize) {
    let life = Arc::new(Life { index, dead: AtomicBool::new(false), died: Notify::new() });
    let (world, tail) = (Arc::clone(world), Arc::new(Tail::default()));
    let ports = Arc::new(NodePorts { world: Arc::clone(&world), life: Arc::clone(&life), tail });
    let lane_ports = LanePorts {
        committer: ports.clone(),
        wallets: ports.clone(),
        idempotency: ports.clone(),
        answers: Arc::new(PlainAnswers),
        clock: ports.clone(),
        ids: ports.clone(),
    };
    let (lane, task) = CommandLane::spawn(lane_ports, world.odds.lane());
    world.note(format_args!("node {index} starts"));
    let workers = Workers::start(&ports, &lane);
    let operations = operations(&ports);
    tokio::spawn(upkeep(operations.clone(), Arc::clone(&world)));
    let letters = Arc::new(Letters::on(Arc::new(SimulatedLetters {
        ports: Arc::clone(&ports),
        asked: None,
    })));
    let running = Mutex::new(Some((task, workers)));
    world.nodes()[index] = Some(Arc::new(Node { life, lane, ports, operations, letters, running }));
}

fn operations(ports: &Arc<NodePorts>) -> Operations {
    let asked = Arc::<Asked>::default();
    let letters = SimulatedLetters { ports: Arc::clone(ports), asked: Some(Arc::clone(&asked)) };
    let letters = Letters::on(Arc::new(letters));
    let store = SimulatedRecoveryStore { ports: Arc::clone(ports), asked };
    Operations::new(Arc::new(store), Arc::new(letters), ports.clone())
}

/// Tries again what is stale, as the server does. In a node that is dead it stands still at its next step.
async fn upkeep(operations: Operations, world: Arc<World>) {
    loop {
        tokio::time::sleep(Duration::from_millis(world.odds.recovery_ms)).await;
        for told in
            [operations.resume_interrupted().await.map(drop), operations.retry_parked().await]
        {
            if let Err(error) = told {
                world.note(format_args!("upkeep: {error}"));
            }
        }
    }
}

/// Kills the node of `life`: whatever it was about to do stays undone, its memory and its locks are
/// gone. Another takes its place after a while.
pub(crate) fn kill(world: &Arc<World>, life: &Life) {
    if life.dead.swap(true, Ordering::Relaxed) {
        return;
    }
    world.note(format_args!("node {} dies", life.index));
    bury(world, life);
}

/// What is left to do for a node that is gone: its connections end, its clients see it, and another
/// will take its place.
fn bury(world: &Arc<World>, life: &Life) {
    let index = life.index;
    world.nodes()[index] = None;
    let mut tables = world.tables();
    tables.locks.retain(|_, (_, holder)| *holder != index);
    tables.operations_held = tables.operations_held.filter(|(_, holder, _)| *holder != index);
    for row in tables.projections.values_mut() {
        row.held = row.held.filter(|(_, holder, _)| *holder != index);
    }
    drop(tables);
    life.died.notify_waiters();
    start_later(world, index);
}

fn start_later(world: &Arc<World>, index: usize) {
    let (world, away_ms) = (Arc::clone(world), world.draw(|dice| dice.between(1, 4_000)));
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(away_ms)).await;
        start(&world, index);
    });
}

/// Stops a node as a signal would: what it accepted is answered, and it is started again later.
pub(crate) async fn stop(world: &Arc<World>, node: &Node) {
    let running = node.running.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some((task, workers)) = running else { return };
    let index = node.life.index;
    world.note(format_args!("node {index} stops"));
    let ended = tokio::select! {
        biased;
        () = node.life.end() => false,
        () = async {
            task.shutdown().await;
            node.operations.shutdown().await;
            workers.shutdown().await;
        } => true,
    };
    // The last answers are on their way.
    tokio::time::sleep(Duration::from_millis(1)).await;
    // One that died meanwhile is started again for that.
    if ended && !node.life.dead.swap(true, Ordering::Relaxed) {
        world.note(format_args!("node {index} stopped"));
        bury(world, &node.life);
    }
}
