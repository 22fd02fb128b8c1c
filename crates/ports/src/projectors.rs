//! The projectors as operators see and steer them.

use async_trait::async_trait;
use thiserror::Error;

use crate::{ReadError, Timestamp};

/// What a projector does in one shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectorState {
    /// A process holds its lease and applies events.
    Running,
    /// Its holder's last try failed; it tries again by itself.
    Failing,
    /// It should run, but no process holds its lease.
    Unheld,
    /// It was stopped by hand.
    Stopped,
}

impl ProjectorState {
    /// The stable name: `running`, `failing`, `unheld`, `stopped`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Failing => "failing",
            Self::Unheld => "unheld",
            Self::Stopped => "stopped",
        }
    }
}

/// One projector in one shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectorStatus {
    /// Its name: `read_model` or `ledger`.
    pub projector: String,
    /// The shard.
    pub shard: u16,
    /// What it does.
    pub state: ProjectorState,
    /// The position of the last event that it has applied.
    pub position: u64,
    /// The position of the shard's last event.
    pub head: u64,
    /// Age of the oldest event that it has not applied, in milliseconds of the database's clock; 0
    /// when there is none.
    pub lag_age_ms: u64,
    /// Events a second that its holder applied lately.
    pub events_per_second: u64,
    /// The process that holds its lease: `host:pid:…`.
    pub holder: Option<String>,
    /// How often the lease has changed hands.
    pub epoch: u64,
    /// When its checkpoint last moved.
    pub updated_at: Timestamp,
    /// What it last failed at, and when; gone once it has applied something since.
    pub last_error: Option<(String, Timestamp)>,
    /// Wallets that are parked.
    pub parked_wallets: u64,
}

impl ProjectorStatus {
    /// How many events it has not applied yet.
    #[must_use]
    pub const fn lag_events(&self) -> u64 {
        self.head.saturating_sub(self.position)
    }
}

/// Why a projector could not be steered.
#[derive(Debug, Error)]
pub enum SteerError {
    /// There is no projector of that name.
    #[error("there is no projector of that name")]
    UnknownProjector,
    /// The database.
    #[error(transparent)]
    Database(#[from] ReadError),
}

/// Sees and steers the projectors of the whole installation, whichever process holds them.
#[async_trait]
pub trait Projectors: Send + Sync {
    /// Every projector in every shard, by name and shard.
    ///
    /// # Errors
    /// The database's.
    async fn status(&self) -> Result<Vec<ProjectorStatus>, ReadError>;

    /// Asks for a projector to run: in any process that runs workers, also in one whose projectors do
    /// not start by themselves.
    ///
    /// # Errors
    /// [`SteerError`].
    async fn start(&self, projector: &str) -> Result<(), SteerError>;

    /// Asks whoever holds a projector to stop it at the next batch boundary. It stays stopped until
    /// it is started, however often a server starts.
    ///
    /// # Errors
    /// [`SteerError`].
    async fn stop(&self, projector: &str) -> Result<(), SteerError>;
}
