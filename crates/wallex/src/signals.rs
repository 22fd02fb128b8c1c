//! SIGTERM and Ctrl-C: the first asks to stop, the second stops at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Resolves when the process is asked to stop. Clones share one state.
#[derive(Debug, Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens for signals from now on. After the second one the process is gone, with the exit
    /// code that shells give to a process which the signal ended: 143 or 130.
    ///
    /// # Errors
    /// When the system refuses to tell.
    pub(crate) fn on_signals() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (asked, stop) = watch::channel(false);
        tokio::spawn(async move {
            let (name, _) = next(&mut terminate, &mut interrupt).await;
            tracing::info!(signal = name, "stopping: what was accepted is finished first");
            asked.send_replace(true);
            let (_, exit_code) = next(&mut terminate, &mut interrupt).await;
            std::process::exit(exit_code);
        });
        Ok(Self(stop))
    }

    /// Waits until the process is asked to stop.
    pub(crate) async fn asked(&mut self) {
        // The sender lives in a task that only ends with the process, so an error can't come; if it
        // did, stopping would be the safe answer.
        let _ = self.0.wait_for(|asked| *asked).await;
    }
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> (&'static str, i32) {
    tokio::select! {
        _ = terminate.recv() => ("SIGTERM", 143),
        _ = interrupt.recv() => ("SIGINT", 130),
    }
}
