//! Replaying every dead letter.

use std::sync::Arc;

use tokio::time::Instant;
use wallex_ports::{DeadLetter, DeadLetterError, ReadError, Replay, Scope, WalletKey};

use super::pace;
use super::run::{Run, Trouble};
use crate::projector::sentence;

/// Dead letters that are listed at once.
const LETTERS_MAX: u32 = 100;

impl Run {
    pub(super) async fn retry_letters(&mut self) -> Result<(), Trouble> {
        let inner = Arc::clone(&self.inner);
        self.expect_events(inner.store.parked().await?);
        loop {
            let after = self.letter.clone();
            let after = after.as_ref().map(|(projector, wallet)| (projector.as_str(), wallet));
            let letters = inner.letters.list(None, None, after, LETTERS_MAX).await?;
            if letters.is_empty() {
                return Ok(());
            }
            for letter in letters {
                if inner.is_stopping() {
                    return Err(Trouble::Stopped);
                }
                let began = Instant::now();
                self.retry_letter(&letter).await?;
                pace::give_way(&*inner.store, began.elapsed(), &inner.stop).await;
                self.letter = Some((letter.projector, letter.wallet));
                let progress = &mut self.operation.progress;
                (progress.done, self.failing) = (progress.done + 1, None);
                progress.total = progress.total.max(progress.done);
                self.measure();
                self.record_sometimes().await?;
            }
        }
    }

    /// At the end of a rebuild: what was parked because of a row that is right again waits no longer.
    pub(super) async fn settle_letters(&mut self) -> Result<(), Trouble> {
        let inner = Arc::clone(&self.inner);
        self.operation.report.parked = 0;
        let mut after: Option<(String, WalletKey)> = None;
        loop {
            let behind = after.as_ref().map(|(projector, wallet)| (projector.as_str(), wallet));
            let letters = inner.letters.list(None, None, behind, LETTERS_MAX).await?;
            let Some(last) = letters.last() else { return Ok(()) };
            after = Some((last.projector.clone(), last.wallet.clone()));
            for letter in letters {
                if inner.is_stopping() {
                    // The rows are right; the letters are tried again by and by.
                    return Ok(());
                }
                if !matches!(&self.operation.scope, Scope::Wallet(key) if *key != letter.wallet) {
                    let began = Instant::now();
                    self.retry_letter(&letter).await?;
                    pace::give_way(&*inner.store, began.elapsed(), &inner.stop).await;
                }
            }
        }
    }

    async fn retry_letter(&mut self, letter: &DeadLetter) -> Result<(), Trouble> {
        let report = &mut self.operation.report;
        if self.inner.store.is_stopped(&letter.projector, letter.shard).await? {
            report.parked += 1;
            return Ok(());
        }
        match self.inner.letters.replay(&letter.projector, &letter.wallet).await {
            Ok(Replay::Applied { .. }) => report.replayed += 1,
            Ok(Replay::StillParked(_)) => report.parked += 1,
            // Somebody else has settled it.
            Err(
                DeadLetterError::NotParked | DeadLetterError::Creation | DeadLetterError::Moved(_),
            ) => {}
            // It may be this one's alone: those behind it get their turn.
            Err(DeadLetterError::Database(error @ ReadError::Storage(_))) => {
                report.parked += 1;
                tracing::warn!(
                    operation = %self.mine.id,
                    projector = letter.projector,
                    wallet.id = %letter.wallet.wallet_id,
                    error = sentence(&error),
                    "a dead letter could not be replayed"
                );
            }
            Err(DeadLetterError::Database(error)) => return Err(error.into()),
        }
        Ok(())
    }
}
