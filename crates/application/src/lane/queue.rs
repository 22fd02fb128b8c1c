//! The lane's queue: how commands get in, and the task that takes them out.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use metrics::{Counter, Histogram};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant};
use tracing::Span;

use super::group::{Group, Lane};
use super::{Identities, LanePorts, LaneSettings, QUEUE_WAIT_MAX, spans};
use crate::{Answer, Command, CommandError};

/// How many batches of commands that come back there may be before no other gets in.
const CARRIED_BATCHES_MAX: usize = 4;

/// How commands are measured, by kind and outcome.
type Measured = HashMap<(&'static str, &'static str), (Counter, Histogram)>;

thread_local! {
    /// What was measured before: a look into the registry hashes the labels and takes locks, each time.
    static MEASURED: RefCell<Measured> = RefCell::default();
}

/// A command in the lane, and who waits for its answer.
pub(crate) struct Waiting {
    pub(crate) command: Command,
    pub(crate) identities: Identities,
    /// How often it was decided and lost to another process.
    pub(crate) defeats: u32,
    /// Whether its key and its wallets must be looked up before it is decided.
    pub(crate) looks: bool,
    pub(crate) since: Instant,
    /// The time until it was taken, in its trace.
    wait: Span,
    reply: oneshot::Sender<Result<Answer, CommandError>>,
}

impl Waiting {
    /// Tells the client, and counts. One that went away is not an error: its command is done all the
    /// same.
    pub(crate) fn answer(self, outcome: &'static str, answer: Result<Answer, CommandError>) {
        count(self.command.action.name(), outcome, self.since.elapsed());
        let _ = self.reply.send(answer);
    }

    /// Tells the client that there is no answer.
    pub(crate) fn fail(self, error: CommandError) {
        self.answer(error.name(), Err(error));
    }
}

/// The way into the lane; cheap to clone.
#[derive(Clone)]
pub struct CommandLane {
    queue: mpsc::Sender<Waiting>,
    ids: std::sync::Arc<dyn wallex_ports::IdGenerator>,
    committed: watch::Receiver<()>,
}

/// The lane's task, to stop it by. The lane stops, too, when this is dropped.
#[must_use = "the lane stops when its task is dropped"]
pub struct LaneTask {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl CommandLane {
    /// Starts the lane on the current Tokio runtime.
    pub fn spawn(ports: LanePorts, settings: LaneSettings) -> (Self, LaneTask) {
        let (queue, waiting) = mpsc::channel(settings.queue_len_max.max(1));
        let (stop, stopped) = oneshot::channel();
        let ids = ports.ids.clone();
        let lane = Lane::new(ports, settings);
        let committed = lane.committed();
        let task = tokio::spawn(run(lane, waiting, stopped));
        (Self { queue, ids, committed }, LaneTask { stop, task })
    }

    /// Changes with every transaction that wrote events: what follows the events wakes by it.
    #[must_use]
    pub fn committed(&self) -> watch::Receiver<()> {
        self.committed.clone()
    }

    /// How many commands wait to be taken.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Has `command` decided and committed. The command goes on when the future is dropped.
    ///
    /// # Errors
    /// At once [`CommandError::Overloaded`] when the queue is full and
    /// [`CommandError::ShuttingDown`] when the lane has stopped; later any other.
    pub async fn execute(&self, command: Command) -> Result<Answer, CommandError> {
        let (reply, answer) = oneshot::channel();
        let identities = Identities { command: self.ids.next(), subject: self.ids.next() };
        let (wait, since) = (spans::waiting(&command.context), Instant::now());
        let waiting = Waiting { command, identities, defeats: 0, looks: false, since, wait, reply };
        if let Err(refused) = self.queue.try_send(waiting) {
            let (waiting, error) = match refused {
                TrySendError::Full(waiting) => (waiting, CommandError::Overloaded),
                TrySendError::Closed(waiting) => (waiting, CommandError::ShuttingDown),
            };
            count(waiting.command.action.name(), error.name(), Duration::ZERO);
            return Err(error);
        }
        // The lane drops a command unanswered only when it panics, perhaps in mid-commit.
        answer.await.unwrap_or(Err(CommandError::OutcomeUnknown))
    }
}

impl LaneTask {
    /// Refuses new commands, finishes those that wait, and returns.
    pub async fn shutdown(self) {
        let _ = self.stop.send(());
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the command lane did not end well");
        }
    }
}

async fn run(mut lane: Lane, mut queue: mpsc::Receiver<Waiting>, mut stop: oneshot::Receiver<()>) {
    let units_max = lane.settings().batch_units_max.max(1);
    // However many come back, others get in; but not without end.
    let (room_min, carried_max) = (units_max / 2, units_max * CARRIED_BATCHES_MAX);
    // Commands that lost to another process, or wait for a command with the same key: they are
    // first in the next batch.
    let mut carried: Vec<Waiting> = Vec::new();
    let mut stopping = false;
    loop {
        let mut batch = std::mem::take(&mut carried);
        if batch.is_empty() {
            let first = tokio::select! {
                // In this order, so that what happens depends on nothing but what is asked.
                biased;
                _ = &mut stop, if !stopping => {
                    stopping = true;
                    queue.close();
                    continue;
                }
                first = queue.recv() => first,
            };
            let Some(first) = first else { return };
            batch.push(first);
        }
        let room = units_max.saturating_sub(batch.len()).max(room_min);
        let room = if batch.len() > carried_max { 0 } else { room };
        for _ in 0..room {
            let Ok(next) = queue.try_recv() else { break };
            batch.push(next);
        }
        let mut batch = refuse_late(batch);
        if batch.is_empty() {
            continue;
        }
        batch.iter_mut().for_each(|waiting| waiting.wait = Span::none());
        observe(&batch, queue.len());
        // A defect that panics must not stop all commands after it. What it touched is unknown.
        match AssertUnwindSafe(lane.settle(Group::new(batch))).catch_unwind().await {
            Ok(again) => carried = again,
            Err(_) => {
                tracing::error!("the command lane panicked; its states are loaded anew");
                lane.forget_all();
            }
        }
    }
}

/// Refuses what waited too long; nothing of it was done, and the rest is returned.
fn refuse_late(batch: Vec<Waiting>) -> Vec<Waiting> {
    let (late, in_time): (Vec<_>, Vec<_>) =
        batch.into_iter().partition(|waiting| waiting.since.elapsed() > QUEUE_WAIT_MAX);
    for waiting in late {
        waiting.fail(CommandError::Overloaded);
    }
    in_time
}

fn observe(batch: &[Waiting], still_queued: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge takes a float")]
    {
        metrics::gauge!("wallex_lane_queue_depth").set(still_queued as f64);
        metrics::histogram!("wallex_lane_batch_units").record(batch.len() as f64);
    }
    let wait = metrics::histogram!("wallex_lane_wait_seconds");
    for waiting in batch.iter().filter(|waiting| waiting.defeats == 0) {
        wait.record(waiting.since.elapsed());
    }
}

/// Counts a command that was answered, and how long that took from its arrival in the lane.
fn count(kind: &'static str, outcome: &'static str, took: Duration) {
    let look_up = || {
        let (total, duration) = ("wallex_commands_total", "wallex_command_duration_seconds");
        (
            metrics::counter!(total, "kind" => kind, "outcome" => outcome),
            metrics::histogram!(duration, "kind" => kind, "outcome" => outcome),
        )
    };
    MEASURED.with_borrow_mut(|known| {
        let (total, duration) = known.entry((kind, outcome)).or_insert_with(look_up);
        total.increment(1);
        duration.record(took);
    });
}
