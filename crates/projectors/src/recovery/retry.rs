//! Replaying every dead letter.

use std::sync::Arc;

use tokio::time::Instant;
use wallex_database::Database;
use wallex_ports::{DeadLetter, DeadLetterError, ReadError, Replay, Scope, WalletKey};

use super::run::{Run, Trouble};
use super::{number, pace};
use crate::projector::sentence;

/// Dead letters that are listed at once.
const LETTERS_MAX: u32 = 100;

/// Whether there is a dead letter of a projector that was not stopped.
pub(super) async fn is_due(db: &Database) -> Result<bool, ReadError> {
    let sql = "SELECT CAST(1 AS bigint) AS n FROM dead_letters d WHERE NOT EXISTS \
               (SELECT 1 FROM projector_checkpoints c WHERE c.projector = d.projector \
               AND c.shard = d.shard AND c.wanted_state = 'stopped') LIMIT 1";
    Ok(number(db.background(), sql, []).await? == 1)
}

/// Whether the letter's projector was stopped by hand: whoever did so may not want its code to run.
async fn is_stopped(db: &Database, letter: &DeadLetter) -> Result<bool, ReadError> {
    let sql = "SELECT CAST(1 AS bigint) AS n FROM projector_checkpoints \
               WHERE projector = $1 AND shard = $2 AND wanted_state = 'stopped'";
    let values = [letter.projector.as_str().into(), i64::from(letter.shard).into()];
    Ok(number(db.background(), sql, values).await? == 1)
}

impl Run {
    pub(super) async fn retry_letters(&mut self) -> Result<(), Trouble> {
        let inner = Arc::clone(&self.inner);
        let all = number(inner.db.background(), "SELECT count(*) AS n FROM dead_letters", []);
        let all = all.await?;
        self.expect_events(all);
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
                pace::give_way(&inner.db, began.elapsed(), &inner.stop).await;
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
                    pace::give_way(&inner.db, began.elapsed(), &inner.stop).await;
                }
            }
        }
    }

    async fn retry_letter(&mut self, letter: &DeadLetter) -> Result<(), Trouble> {
        let report = &mut self.operation.report;
        if is_stopped(&self.inner.db, letter).await? {
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
