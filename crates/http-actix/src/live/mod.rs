//! What this server is doing, second by second: one task samples it, and whoever listens is told.
//!
//! What costs nothing is counted always, by [`Recorder`], so that a listener learns of the fifteen
//! minutes before it came. The database is asked how the projectors stand, one query a second, only
//! while somebody listens and for a minute after the last has left; never twice at a time, however
//! slow it is. The number of listeners changes none of that.

mod recorder;
mod sample;
mod sampler;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

pub(crate) use recorder::{Did, Recorder};
pub(crate) use sample::{Sample, Viewer};

use crate::state::ApiState;

/// Seconds that are remembered.
const HISTORY_MAX: usize = 15 * 60;
/// Who listens at the same time, at most: each has a connection, and an answer a second.
pub(crate) const LISTENERS_MAX: usize = 64;

/// What is counted, what was sampled, and who listens.
pub(crate) struct Live {
    pub(crate) recorder: Recorder,
    history: Mutex<VecDeque<Arc<Sample>>>,
    latest: watch::Sender<Arc<Sample>>,
    places: Arc<Semaphore>,
}

/// A place among the listeners, until it is dropped.
pub(crate) struct Listener {
    /// What was before it came.
    pub(crate) history: Vec<Arc<Sample>>,
    /// What comes.
    pub(crate) samples: watch::Receiver<Arc<Sample>>,
    _place: OwnedSemaphorePermit,
}

impl Live {
    /// Starts the sampler on the current runtime. It ends when the server begins to stop.
    pub(crate) fn start(state: &ApiState) -> Arc<Self> {
        let live = Arc::new(Self::quiet());
        tokio::spawn(sampler::run(Arc::clone(&live), state.clone()));
        live
    }

    fn quiet() -> Self {
        Self {
            recorder: Recorder::default(),
            history: Mutex::default(),
            // Who comes is told what changes, so nobody is ever told this one.
            latest: watch::Sender::default(),
            places: Arc::new(Semaphore::new(LISTENERS_MAX)),
        }
    }

    /// A place among the listeners; `None` when all are taken.
    pub(crate) fn listen(&self) -> Option<Listener> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        // Under the lock of the history, so that no sample comes twice or not at all.
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = self.latest.subscribe();
        Some(Listener { history: history.iter().cloned().collect(), samples, _place: place })
    }

    fn is_listened_to(&self) -> bool {
        self.latest.receiver_count() > 0
    }

    fn publish(&self, sample: Sample) {
        let sample = Arc::new(sample);
        let mut history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        if history.len() == HISTORY_MAX {
            history.pop_front();
        }
        history.push_back(Arc::clone(&sample));
        self.latest.send_replace(sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_given_back() {
        let live = Live::quiet();
        let listeners: Vec<_> = (0..=LISTENERS_MAX).map_while(|_| live.listen()).collect();
        assert_eq!(listeners.len(), LISTENERS_MAX);
        drop(listeners);
        assert!(!live.is_listened_to());
        let _listener = live.listen().expect("a place");
        assert!(live.is_listened_to());
    }

    #[test]
    fn the_last_quarter_of_an_hour_is_remembered() {
        let live = Live::quiet();
        for n in 0..HISTORY_MAX as u64 + 5 {
            live.publish(Sample { queued: n, ..Sample::default() });
        }
        let listener = live.listen().expect("a place");
        assert_eq!(listener.history.len(), HISTORY_MAX);
        assert_eq!(listener.history[0].queued, 5);
        assert!(!listener.samples.has_changed().expect("open"), "what was before comes once");
    }
}
