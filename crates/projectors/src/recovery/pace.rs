//! Leaving room for others between the transactions of something long.

use std::time::Duration;

use tokio::time::sleep;

use super::stopping::Stopping;
use super::store::RecoveryStore;

/// A transaction can be so short that the timer would round its time to nothing.
const PAUSE_MIN: Duration = Duration::from_millis(5);

/// Pauses for as long as the last transaction held the database, where it holds all of it. SQLite has
/// one writer and no queue for it: processes that wait look again up to 100 ms apart, and where one
/// transaction follows another without a gap they find it taken until they give up.
pub(super) async fn give_way(store: &dyn RecoveryStore, held: Duration, stop: &Stopping) {
    if store.has_one_writer() {
        pause(held.max(PAUSE_MIN), stop).await;
    }
}

/// Waits, or until the process is about to end; whether it is.
pub(super) async fn pause(time: Duration, stop: &Stopping) -> bool {
    tokio::select! {
        // In this order, so that what happens depends on nothing but what was asked.
        biased;
        () = stop.asked() => true,
        () = sleep(time) => false,
    }
}
