//! The one task that samples the server.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use wallex_ports::{BoxError, Projectors};

use super::Live;
use super::sample::{Sample, Seen, Standing};
use crate::state::ApiState;

const PERIOD: Duration = Duration::from_secs(1);
/// Samples for which the database goes on being asked when nobody listens any more: a page that is
/// loaded again, or was hidden for a moment, finds no gap.
const ASKED_ON_MAX: u32 = 60;
/// Samples for which an answer of the database is told: one that is older is not how it is.
const FRESH_MAX: u32 = 2;

type Answer = Result<Standing, BoxError>;

/// How the database is asked: while one question is under way there is no other.
#[derive(Default)]
struct Asking {
    /// Samples for which it is still asked.
    left: u32,
    under_way: Option<JoinHandle<Answer>>,
    /// The last answer.
    told: Option<Standing>,
    /// Samples since that came, or since the first question.
    waited: u32,
    /// Whether the last question came to nothing.
    is_failing: bool,
}

/// Samples until the server begins to stop. A defect that panics must not end it for good.
pub(super) async fn run(live: Arc<Live>, state: ApiState) {
    while let Err(error) = tokio::spawn(sample(Arc::clone(&live), state.clone())).await {
        tracing::error!(%error, "the sampler did not end well; it begins again");
        tokio::time::sleep(PERIOD).await;
    }
}

async fn sample(live: Arc<Live>, state: ApiState) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut since = ticks.tick().await;
    let mut asking = Asking::default();
    loop {
        tokio::select! {
            biased;
            () = state.operations.lifecycle.draining() => return,
            _ = ticks.tick() => {}
        }
        let now = Instant::now();
        let projectors = asking.step(live.is_listened_to(), &state.projectors).await;
        live.publish(Sample {
            at: state.clock.now(),
            counts: live.recorder.take(),
            counted: now - since,
            queued: state.lane.queued() as u64,
            projectors,
        });
        since = now;
    }
}

impl Asking {
    /// What is known for this sample. Waits for nothing.
    async fn step(&mut self, is_wanted: bool, projectors: &Arc<dyn Projectors>) -> Seen {
        self.left = if is_wanted { ASKED_ON_MAX } else { self.left.saturating_sub(1) };
        self.waited += 1;
        if let Some(finished) = self.under_way.take_if(|asked| asked.is_finished()) {
            self.hear(finished.await.unwrap_or_else(|panicked| Err(panicked.into())));
        }
        if self.left == 0 {
            (self.told, self.waited) = (None, 0);
            return Seen::NotAsked;
        }
        self.under_way.get_or_insert_with(|| {
            let projectors = Arc::clone(projectors);
            tokio::spawn(async move { Ok(Standing::of(&projectors.status().await?)) })
        });
        match &self.told {
            _ if self.waited > FRESH_MAX => Seen::Unavailable,
            Some(standing) => Seen::Told(standing.clone()),
            None => Seen::NotAsked,
        }
    }

    /// Takes an answer in; says when there are none any more, and when there are again.
    fn hear(&mut self, answer: Answer) {
        let was_failing = std::mem::replace(&mut self.is_failing, answer.is_err());
        match answer {
            Ok(standing) => {
                (self.told, self.waited) = (Some(standing), 0);
                if was_failing {
                    tracing::info!("those who follow this server see the projectors again");
                }
            }
            Err(error) if !was_failing => {
                let error: &dyn std::error::Error = &*error;
                tracing::warn!(error, "those who follow this server can't see the projectors");
            }
            Err(_) => {}
        }
    }
}
