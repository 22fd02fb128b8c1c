//! A timer for deadlines that mostly do not come to pass.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// Rings at a deadline that may change at any time. Moving a deadline back costs nothing: the alarm
/// that was set rings early, and is set again then.
#[derive(Debug, Default)]
pub(super) struct Timer {
    alarm: Option<Pin<Box<Sleep>>>,
    is_set: bool,
}

impl Timer {
    /// Ready once `due` has passed; until then the task is woken no later than at `due`.
    pub(super) fn poll_until(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let alarm = self.alarm.get_or_insert_with(|| {
            self.is_set = true;
            Box::pin(sleep_until(due))
        });
        if !self.is_set || alarm.deadline() > due {
            alarm.as_mut().reset(due);
            self.is_set = true;
        }
        while alarm.as_mut().poll(cx).is_ready() {
            if alarm.deadline() >= due {
                self.is_set = false;
                return Poll::Ready(());
            }
            alarm.as_mut().reset(due);
        }
        Poll::Pending
    }
}
