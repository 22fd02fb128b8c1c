//! Commits that are not what they say.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use wallex_ports::{
    CommitError, Committer, IdGenerator, LockedWallets, StreamState, Unit, UnitOutcome, WalletKey,
    planted,
};

use super::reads::wrong;
use super::units::spoiled;

/// How long after its answer a batch is committed that was acknowledged before.
const LATE: Duration = Duration::from_millis(30);

/// A committer with a defect, if one is planted that is about commits, and with the points around a
/// commit at which a test has the process die.
#[derive(Clone)]
pub(super) struct Spoiled {
    inner: Arc<dyn Committer>,
    ids: Arc<dyn IdGenerator>,
}

impl Spoiled {
    pub(super) fn new(inner: Arc<dyn Committer>, ids: Arc<dyn IdGenerator>) -> Self {
        Self { inner, ids }
    }

    fn spoil(&self, batch: &[Unit]) -> Arc<[Unit]> {
        batch.iter().map(|unit| spoiled(unit, &*self.ids)).collect()
    }

    /// Says that all is committed, and does it in a moment.
    fn commit_later(&self, batch: Arc<[Unit]>) -> Vec<UnitOutcome> {
        let outcomes = vec![UnitOutcome::Committed; batch.len()];
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move {
            tokio::time::sleep(LATE).await;
            inner.commit(batch).await.map(drop)
        });
        outcomes
    }

    /// Commits all but the last unit, and says that it was there.
    async fn commit_but_one(&self, batch: &[Unit]) -> Result<Vec<UnitOutcome>, CommitError> {
        let (_, others) = batch.split_last().expect("invariant: no batch is empty");
        let mut outcomes = self.inner.commit(others.into()).await?;
        outcomes.push(UnitOutcome::Committed);
        Ok(outcomes)
    }
}

/// What is told of a unit that came to `outcome`.
fn told(outcome: UnitOutcome) -> UnitOutcome {
    match outcome {
        UnitOutcome::VersionConflict if planted::is("conflict-taken-for-success") => {
            UnitOutcome::Committed
        }
        UnitOutcome::KeyTaken { stored } => UnitOutcome::KeyTaken { stored: wrong(stored) },
        outcome => outcome,
    }
}

/// What `committing` comes to, between the points around it.
async fn between_points(
    committing: impl Future<Output = Result<Vec<UnitOutcome>, CommitError>>,
) -> Result<Vec<UnitOutcome>, CommitError> {
    planted::pass("before-commit");
    let outcomes = committing.await?;
    planted::pass("after-commit");
    Ok(outcomes.into_iter().map(told).collect())
}

#[async_trait]
impl Committer for Spoiled {
    async fn commit(&self, batch: Arc<[Unit]>) -> Result<Vec<UnitOutcome>, CommitError> {
        let batch = self.spoil(&batch);
        between_points(async {
            if planted::is("acknowledge-before-commit") {
                return Ok(self.commit_later(batch));
            }
            if planted::is("lose-batch-tail") && batch.len() > 1 {
                return self.commit_but_one(&batch).await;
            }
            self.inner.commit(batch).await
        })
        .await
    }

    async fn lock(&self, keys: Vec<WalletKey>) -> Result<Box<dyn LockedWallets>, CommitError> {
        let locked = self.inner.lock(keys).await?;
        Ok(Box::new(SpoiledLock { locked, committer: self.clone() }))
    }
}

/// The same under locks.
struct SpoiledLock {
    locked: Box<dyn LockedWallets>,
    committer: Spoiled,
}

#[async_trait]
impl LockedWallets for SpoiledLock {
    fn wallets(&self) -> &[Option<StreamState>] {
        self.locked.wallets()
    }

    async fn commit(self: Box<Self>, batch: Arc<[Unit]>) -> Result<Vec<UnitOutcome>, CommitError> {
        let Self { locked, committer } = *self;
        let batch = committer.spoil(&batch);
        between_points(async {
            if planted::is("acknowledge-before-commit") {
                return Ok(committer.commit_later(batch));
            }
            locked.commit(batch).await
        })
        .await
    }
}
