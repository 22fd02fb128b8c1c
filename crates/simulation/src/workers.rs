//! The projectors of a node: real workers over the simulated store.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use wallex_application::CommandLane;
use wallex_projectors::{Signals, Worker, WorkerSettings};

use crate::store::{NodePorts, PROJECTORS, SimulatedProjectorStore};

/// How soon a worker that panicked begins again, as in production.
const AGAIN: Duration = Duration::from_secs(1);

/// The workers of one life of a node.
pub(crate) struct Workers {
    stops: Vec<watch::Sender<bool>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts a worker for each projector in each shard, woken by the commits of `lane`.
    pub(crate) fn start(ports: &Arc<NodePorts>, lane: &CommandLane) -> Self {
        let (mut stops, mut tasks, mut wakes) = (Vec::new(), Vec::new(), Vec::new());
        for name in PROJECTORS {
            for shard in 0..ports.world.odds.shards {
                // A channel each: one that wakes several wakes them in an order of its own chance.
                let (stop, stopped) = watch::channel(false);
                let (wake, committed) = watch::channel(());
                let store = SimulatedProjectorStore { ports: Arc::clone(ports), name, shard };
                let signals = Signals { stop: stopped.clone(), committed };
                let worker = Worker::new(
                    Arc::new(store),
                    Arc::clone(&ports.tail),
                    ports.world.odds.batch_events_max,
                    WorkerSettings::default(),
                    signals,
                    watch::Sender::new(0),
                );
                tasks.push(tokio::spawn(forever(worker, stopped)));
                stops.push(stop);
                wakes.push(wake);
            }
        }
        tokio::spawn(hand_on(lane.committed(), wakes));
        Self { stops, tasks }
    }

    /// Stops every worker at a batch boundary.
    pub(crate) async fn shutdown(self) {
        for stop in &self.stops {
            stop.send_replace(true);
        }
        for task in self.tasks {
            // One that panicked was begun again; this one ended.
            let _ = task.await;
        }
    }
}

/// Runs a worker until its process stops, as the supervisor does.
async fn forever(worker: Worker, stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if tokio::spawn(worker.clone().run()).await.is_err() {
            sleep(AGAIN).await;
        }
    }
}

/// Wakes the workers in their order with each commit.
async fn hand_on(mut committed: watch::Receiver<()>, wakes: Vec<watch::Sender<()>>) {
    while committed.changed().await.is_ok() {
        for wake in &wakes {
            wake.send_replace(());
        }
    }
}
