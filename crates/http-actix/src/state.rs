//! What the API is given by the binary.

use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use wallex_application::CommandLane;
use wallex_ports::{
    Admission, AuditLog, Clock, DeadLetters, Events, IdGenerator, Projectors, ReadModels,
    Readiness, Recovery, Wallets,
};

use crate::RateLimits;
use crate::live::Live;
use crate::rate_limit::RateLimiter;

/// Everything that the handlers of the API need from the outside.
#[derive(Clone)]
pub struct ApiState {
    /// What every server needs.
    pub operations: OperationsState,
    /// Where it is recorded what operators do.
    pub audit: Arc<dyn AuditLog>,
    /// Where commands go.
    pub lane: CommandLane,
    /// Reads wallets.
    pub wallets: Arc<dyn Wallets>,
    /// Reads histories.
    pub events: Arc<dyn Events>,
    /// Sees and steers the projectors.
    pub projectors: Arc<dyn Projectors>,
    /// Sees and settles dead letters.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// Puts projections right, and says how things are.
    pub recovery: Arc<dyn Recovery>,
    /// Reads the projections.
    pub read_models: Arc<dyn ReadModels>,
    /// Says when samples were taken.
    pub clock: Arc<dyn Clock>,
}

/// What every server needs, also one that has no API: what decides who comes in, and what an orchestrator and
/// Prometheus ask for.
#[derive(Clone)]
pub struct OperationsState {
    /// Decides who comes in.
    pub admission: Arc<dyn Admission>,
    /// Asks the database whether it can serve.
    pub readiness: Arc<dyn Readiness>,
    /// Renders `/metrics`; `None` when nothing is measured.
    pub metrics: Option<Arc<dyn MetricsSource>>,
    /// Makes correlation ids for requests that bring none.
    pub ids: Arc<dyn IdGenerator>,
    /// Says when the server is about to stop.
    pub lifecycle: Lifecycle,
    /// How the server behaves.
    pub settings: ApiSettings,
}

/// How the API behaves.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Whether a POST without an `Idempotency-Key` is refused.
    pub require_idempotency_key: bool,
    /// How long a handler waits for the lane before it answers `outcome-unknown`. The command goes
    /// on; only the waiting ends.
    pub command_timeout: Duration,
    /// How long a handler waits for a read before it answers `database-unavailable`.
    pub read_timeout: Duration,
    /// How long a query waits for a projection that is behind before it answers
    /// `projection-behind`; it comes on top of `read_timeout`.
    pub projection_wait: Duration,
    /// How long a request's body may take to arrive, counted from its last header.
    pub body_timeout: Duration,
    /// How many bytes a request's body may have.
    pub body_bytes_max: usize,
    /// How many bytes path, query and headers may have together.
    pub head_bytes_max: usize,
    /// How many bytes path and query may have together.
    pub target_bytes_max: usize,
    /// How old a row of the outbox must be before a cleanup deletes it, when the request does not
    /// say.
    pub outbox_retention: Duration,
    /// Whether a caller without a credential must ask for the server by a name that is not the
    /// internet's: for one that is open because only its own machine reaches it.
    pub local_names_only: bool,
    /// Whether there is a page at `/console`.
    pub console: bool,
    /// How often somebody may call.
    pub rate_limits: RateLimits,
    /// From when on a request is slow, and its log line a warning.
    pub slow_from: Duration,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            require_idempotency_key: false,
            command_timeout: Duration::from_secs(15),
            read_timeout: Duration::from_secs(10),
            projection_wait: Duration::from_secs(2),
            body_timeout: Duration::from_secs(10),
            body_bytes_max: 64 * 1024,
            head_bytes_max: 16 * 1024,
            target_bytes_max: 4 * 1024,
            outbox_retention: Duration::from_secs(24 * 60 * 60),
            local_names_only: false,
            console: true,
            rate_limits: RateLimits::default(),
            slow_from: Duration::from_secs(1),
        }
    }
}

/// Renders the process's metrics in the Prometheus text format, version 0.0.4.
#[async_trait]
pub trait MetricsSource: Send + Sync {
    /// The text, as of now.
    async fn render(&self) -> String;
}

/// Whether the server is about to stop. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle(Arc<Stopping>);

#[derive(Debug, Default)]
struct Stopping {
    is_draining: AtomicBool,
    begun: Notify,
}

impl Lifecycle {
    /// A server that is to go on serving.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on `/readyz` is 503, streams end, and answers ask their connection to be closed.
    pub fn start_draining(&self) {
        self.0.is_draining.store(true, Ordering::Release);
        self.0.begun.notify_waiters();
    }

    /// Whether [`Lifecycle::start_draining`] was called.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.is_draining.load(Ordering::Acquire)
    }

    /// Resolves once [`Lifecycle::start_draining`] was called.
    pub(crate) async fn draining(&self) {
        let mut begun = pin!(self.0.begun.notified());
        // Before the flag is looked at, so that what comes in between wakes.
        begun.as_mut().enable();
        if !self.is_draining() {
            begun.await;
        }
    }
}

/// What every server has, whatever it serves.
pub(crate) struct Operations {
    pub(crate) state: OperationsState,
    /// Who has called how often.
    pub(crate) rate_limiter: Arc<RateLimiter>,
    /// Where the database is read. A connection belongs to the runtime that opened it, and actix
    /// gives every worker a runtime of its own that ends before the lane does: a connection opened
    /// there would be dead in the pool when the last commands are committed.
    pub(crate) runtime: Handle,
}

impl Operations {
    /// Must be called on the runtime that the database was opened on.
    pub(crate) fn new(state: OperationsState) -> Self {
        let rate_limiter = Arc::new(RateLimiter::new(state.settings.rate_limits));
        Self { state, rate_limiter, runtime: Handle::current() }
    }
}

/// The state as the handlers of the API see it.
pub(crate) struct Api {
    pub(crate) state: ApiState,
    pub(crate) operations: Arc<Operations>,
    /// What the server does, second by second.
    pub(crate) live: Arc<Live>,
}

impl Api {
    /// Must be called on the runtime that the lane runs on.
    pub(crate) fn new(state: ApiState) -> Self {
        let operations = Arc::new(Operations::new(state.operations.clone()));
        let live = Live::start(&state);
        Self { state, operations, live }
    }
}

impl Deref for Api {
    type Target = Operations;

    fn deref(&self) -> &Operations {
        &self.operations
    }
}
