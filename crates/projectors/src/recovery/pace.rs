//! Leaving room for others between the transactions of something long.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use wallex_database::{Backend, Database};

/// A transaction can be so short that the timer would round its time to nothing.
const PAUSE_MIN: Duration = Duration::from_millis(5);

/// Pauses for as long as the last transaction held the database, where it holds all of it. SQLite has
/// one writer and no queue for it: processes that wait look again up to 100 ms apart, and where one
/// transaction follows another without a gap they find it taken until they give up.
pub(super) async fn give_way(db: &Database, held: Duration, stop: &watch::Sender<bool>) {
    if db.backend() == Backend::Sqlite {
        pause(held.max(PAUSE_MIN), stop).await;
    }
}

/// Waits, or until the process is about to end; whether it is.
pub(super) async fn pause(time: Duration, stop: &watch::Sender<bool>) -> bool {
    let mut stop = stop.subscribe();
    tokio::select! {
        () = sleep(time) => false,
        _ = stop.wait_for(|stop| *stop) => true,
    }
}
