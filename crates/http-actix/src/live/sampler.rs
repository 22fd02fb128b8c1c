//! The one task that samples the server.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};
use wallex_ports::ReadError;

use super::Live;
use super::sample::{Sample, Seen, Standing};
use crate::state::ApiState;

const PERIOD: Duration = Duration::from_secs(1);
/// Samples for which the database goes on being asked when nobody listens any more: a page that is
/// loaded again, or was hidden for a moment, finds no gap.
const ASKED_ON_MAX: u32 = 60;
/// Samples for which an answer of the database is told: one that is older is not how it is.
const FRESH_MAX: u32 = 2;

type Answer = Result<Standing, ReadError>;

/// How the database is asked: while one question is under way there is no other.
#[derive(Default)]
struct Asking {
    /// Samples for which it is still asked.
    left: u32,
    under_way: Option<JoinHandle<Answer>>,
    /// The last answer, and how many samples ago it came.
    told: Option<(Standing, u32)>,
    /// Samples since the first question that has no answer.
    waited: u32,
}

/// Samples until the server begins to stop.
pub(super) async fn run(live: Arc<Live>, state: ApiState) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut since = ticks.tick().await;
    let mut asking = Asking::default();
    loop {
        tokio::select! {
            biased;
            () = state.lifecycle.draining() => return,
            _ = ticks.tick() => {}
        }
        let now = Instant::now();
        let projectors = asking.step(live.is_listened_to(), &state).await;
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
    async fn step(&mut self, is_wanted: bool, state: &ApiState) -> Seen {
        self.left = if is_wanted { ASKED_ON_MAX } else { self.left.saturating_sub(1) };
        if let Some((_, age)) = &mut self.told {
            *age += 1;
        }
        self.waited += 1;
        if self.under_way.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(finished) = self.under_way.take()
            && let Ok(Ok(standing)) = finished.await
        {
            self.told = Some((standing, 0));
            self.waited = 0;
        }
        if self.left == 0 {
            *self = Self { under_way: self.under_way.take(), ..Self::default() };
            return Seen::NotAsked;
        }
        if self.under_way.is_none() {
            let projectors = Arc::clone(&state.projectors);
            let asking = async move { Ok(Standing::of(&projectors.status().await?)) };
            self.under_way = Some(tokio::spawn(asking));
        }
        match &self.told {
            Some((standing, age)) if *age <= FRESH_MAX => Seen::Told(standing.clone()),
            None if self.waited <= FRESH_MAX => Seen::NotAsked,
            _ => Seen::Unavailable,
        }
    }
}
