//! The task that works on an operation.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use sea_orm::DbErr;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use wallex_database::{ErrorClass, classify, read_error};
use wallex_ports::{
    DIFFERENCES_MAX, Operation, OperationKind, OperationState, REPAIRS_MAX, ReadError, Scope,
    WalletKey,
};

use super::route::Station;
use super::store::{Mine, RecoveryStore, Stand};
use super::{Inner, pace};
use crate::projector::sentence;
use crate::walk::{Point, Step, TrialBalance};

/// How often the lease is renewed, whatever a page takes.
const RENEW: Duration = Duration::from_secs(2);
/// How often a drift check or a retry says how far it has come; a rebuild does with every page.
const RECORD: Duration = Duration::from_secs(1);
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);
/// How long a database that does not answer is tried again before the operation fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for what trying again hardly helps.
const PATIENCE_WITH_ERRORS: Duration = Duration::from_secs(2);

/// Why the work ended early.
pub(super) enum Trouble {
    /// The process is about to end.
    Stopped,
    /// Another process has the operation.
    Lost,
    /// The database.
    Storage(ReadError),
}

impl From<DbErr> for Trouble {
    fn from(error: DbErr) -> Self {
        // A table that is not there is nothing to wait for, and its name is what helps.
        Self::Storage(match classify(&error) {
            ErrorClass::Permanent => ReadError::Storage(error.into()),
            _ => read_error(error),
        })
    }
}

impl From<ReadError> for Trouble {
    fn from(error: ReadError) -> Self {
        Self::Storage(error)
    }
}

/// One operation at work.
pub(super) struct Run {
    pub(super) inner: Arc<Inner>,
    pub(super) operation: Operation,
    pub(super) mine: Mine,
    began: Instant,
    /// Time worked in runs before this one.
    before_ms: u64,
    recorded: Instant,
    /// Since when, and how often, the database has failed without a page in between.
    pub(super) failing: Option<(Instant, u32)>,
    pub(super) station: Station,
    /// All heads when the work began, for the trial balance.
    pub(super) heads: Vec<u64>,
    totals: TrialBalance,
    /// The last dead letter that was tried.
    pub(super) letter: Option<(String, WalletKey)>,
}

impl Run {
    /// Goes on where `resume_at` says; empty for a new operation.
    pub(super) fn new(
        inner: Arc<Inner>,
        mut operation: Operation,
        owner: String,
        resume_at: &str,
    ) -> Self {
        let mine = Mine { id: operation.id, owner };
        let now = Instant::now();
        let station = station(resume_at, inner.followers()).unwrap_or_else(|error| {
            tracing::warn!(operation = %mine.id, %error, "an operation begins anew");
            (operation.progress, operation.report) = Default::default();
            Station::default()
        });
        Self {
            inner,
            mine,
            began: now,
            before_ms: operation.progress.elapsed_ms,
            operation,
            recorded: now,
            failing: None,
            station,
            heads: Vec::new(),
            totals: TrialBalance::default(),
            letter: None,
        }
    }

    /// Works until the operation is done, the process is stopped, or nothing helps.
    pub(super) async fn run(mut self) {
        let keeper = Keeper::spawn(Arc::clone(&self.inner.store), self.mine.clone());
        let worked = AssertUnwindSafe(self.persist()).catch_unwind().await;
        keeper.dismiss().await;
        let (state, error) = match worked {
            Ok(Ok(())) => (OperationState::Done, None),
            Ok(Err(Trouble::Stopped)) => (OperationState::Interrupted, None),
            Ok(Err(Trouble::Lost)) => {
                return tracing::warn!(operation = %self.mine.id, "another process goes on with it");
            }
            Ok(Err(Trouble::Storage(error))) => (OperationState::Failed, Some(sentence(&error))),
            Err(_) => (OperationState::Failed, Some("it panicked".to_owned())),
        };
        self.measure();
        (self.operation.state, self.operation.error) = (state, error);
        let (id, kind) = (self.operation.id, self.operation.kind.as_str());
        let error = self.operation.error.as_deref();
        tracing::info!(operation = %id, kind, state = state.as_str(), error, "an operation ends");
        // Where it can't be told, the lease runs out.
        if let Err(error) = self.inner.store.end(&self.mine, &self.operation).await {
            tracing::warn!(operation = %id, %error, "the end of an operation could not be recorded");
        }
    }

    /// Works, and tries again what the database refuses.
    async fn persist(&mut self) -> Result<(), Trouble> {
        loop {
            let mut trouble = match self.work().await {
                Err(Trouble::Storage(error)) => Some(error),
                ended => return ended,
            };
            while let Some(error) = trouble.take() {
                self.wait(error).await?;
                match self.reload().await {
                    Err(Trouble::Storage(error)) => trouble = Some(error),
                    reloaded => reloaded?,
                }
            }
        }
    }

    /// Goes back to what is recorded of a rebuild: the answer of a COMMIT may have been lost.
    async fn reload(&mut self) -> Result<(), Trouble> {
        if self.operation.kind != OperationKind::Rebuild {
            return Ok(());
        }
        let recorded = self.inner.store.reload(&self.mine).await?;
        let Some((operation, resume_at)) = recorded else { return Err(Trouble::Lost) };
        self.station = station(&resume_at, self.inner.followers()).unwrap_or_default();
        self.operation = operation;
        Ok(())
    }

    /// Waits before the next try, unless it has been tried for long enough.
    async fn wait(&mut self, error: ReadError) -> Result<(), Trouble> {
        let (since, tries) = *self.failing.get_or_insert((Instant::now(), 0));
        let patience = match error {
            ReadError::Unavailable(_) => PATIENCE,
            ReadError::Storage(_) => PATIENCE_WITH_ERRORS,
        };
        if since.elapsed() >= patience {
            return Err(Trouble::Storage(error));
        }
        let error = sentence(&error);
        tracing::warn!(operation = %self.mine.id, error, "a page is tried again");
        self.failing = Some((since, tries + 1));
        let pause = BACKOFF_MIN.saturating_mul(1 << tries.min(10)).min(BACKOFF_MAX);
        if pace::pause(pause, &self.inner.stop).await { Err(Trouble::Stopped) } else { Ok(()) }
    }

    async fn work(&mut self) -> Result<(), Trouble> {
        if self.operation.kind == OperationKind::Retry {
            return self.retry_letters().await;
        }
        if self.heads.is_empty() {
            self.heads = self.inner.store.heads().await?;
        }
        match self.operation.scope.clone() {
            Scope::All => self.walk_all().await,
            Scope::Wallet(key) => self.walk_wallet(&key).await,
            Scope::Since(since) => self.walk_since(since).await,
        }?;
        if self.operation.kind == OperationKind::Rebuild {
            self.settle_letters().await?;
        }
        Ok(())
    }

    /// Says how many events there are, where that is not known yet.
    pub(super) fn expect_events(&mut self, events: u64) {
        self.operation.progress.total = self.operation.progress.total.max(events);
    }

    /// Adds what a page came to.
    pub(super) fn take(&mut self, step: Step) {
        let (kind, scope) = (self.operation.kind, &self.operation.scope);
        if kind == OperationKind::Drift && *scope == Scope::All {
            self.totals.add(&step.totals);
        }
        let differences_max =
            if kind == OperationKind::Rebuild { REPAIRS_MAX } else { DIFFERENCES_MAX };
        let Operation { report, progress, .. } = &mut self.operation;
        step.add_to(report, progress, differences_max);
        self.measure();
    }

    pub(super) fn measure(&mut self) {
        let worked = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.operation.progress.elapsed_ms = self.before_ms.saturating_add(worked);
        self.operation.report.trial_balance = self.totals.totals();
    }

    pub(super) async fn record_sometimes(&mut self) -> Result<(), Trouble> {
        if self.recorded.elapsed() < RECORD {
            return Ok(());
        }
        let Operation { progress, report, .. } = &self.operation;
        // What it would resume at is never asked for: it begins anew.
        let stand = Stand { progress, report, resume_at: "" };
        let is_mine = self.inner.store.record(&self.mine, stand).await?;
        self.recorded = Instant::now();
        if is_mine { Ok(()) } else { Err(Trouble::Lost) }
    }
}

/// `station`, as it is kept.
pub(super) fn json(station: &Station) -> Result<String, DbErr> {
    serde_json::to_string(station).map_err(|error| DbErr::Json(error.to_string()))
}

/// Where an operation stands; it may have been written by another version of Wallex, with other
/// projectors.
fn station(resume_at: &str, followers: usize) -> Result<Station, String> {
    if resume_at.is_empty() {
        return Ok(Station::default());
    }
    let station: Station = serde_json::from_str(resume_at).map_err(|error| error.to_string())?;
    match station.point.as_ref().and_then(Point::followers) {
        Some(found) if found != followers => {
            Err(format!("it follows {found} projections, and not {followers}"))
        }
        _ => Ok(station),
    }
}

/// Renews the lease of an operation, however long a page takes. Ends with its run, even if that
/// panics.
struct Keeper {
    task: JoinHandle<()>,
    dismissed: watch::Sender<()>,
}

impl Keeper {
    fn spawn(store: Arc<dyn RecoveryStore>, mine: Mine) -> Self {
        let (dismissed, mut dismissal) = watch::channel(());
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    _ = dismissal.changed() => return,
                    () = sleep(RENEW) => {}
                }
                match store.renew(&mine).await {
                    Ok(true) => {}
                    // The run finds out by itself when it records its next page.
                    Ok(false) => return,
                    Err(error) => tracing::debug!(%error, "a lease could not be renewed"),
                }
            }
        });
        Self { task, dismissed }
    }

    async fn dismiss(self) {
        drop(self.dismissed);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the keeper of a lease ended badly");
        }
    }
}
