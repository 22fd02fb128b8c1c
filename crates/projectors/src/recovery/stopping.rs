//! Whether the process is about to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Asked once, and told to all. Clones share one state. Who waits is told in the order of waiting, which a
/// `watch` channel does not do.
#[derive(Debug, Clone, Default)]
pub(super) struct Stopping(Arc<State>);

#[derive(Debug, Default)]
struct State {
    asked: AtomicBool,
    told: Notify,
}

impl Stopping {
    pub(super) fn ask(&self) {
        self.0.asked.store(true, Ordering::Release);
        self.0.told.notify_waiters();
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::Acquire)
    }

    /// Returns once it is asked.
    pub(super) async fn asked(&self) {
        // Made before the look: whoever asks in between tells it.
        let told = self.0.told.notified();
        if !self.is_asked() {
            told.await;
        }
    }
}
