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

    /// How much it is to be looked at.
    const fn gravity(self) -> u8 {
        match self {
            Self::Running => 0,
            Self::Stopped => 1,
            Self::Unheld => 2,
            Self::Failing => 3,
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

/// One projector over all shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectorOverall {
    /// Its name.
    pub projector: String,
    /// What it does where it is worst.
    pub state: ProjectorState,
    /// Events that it has applied, in all shards.
    pub position: u64,
    /// Events that there are, in all shards.
    pub head: u64,
    /// How many events it has not applied yet.
    pub lag_events: u64,
    /// Age of the oldest event that it has not applied, in milliseconds; 0 when there is none.
    pub lag_age_ms: u64,
    /// Events a second that were applied lately.
    pub events_per_second: u64,
    /// Wallets that are parked.
    pub parked_wallets: u64,
    /// The process that holds it, where one holds it in every shard.
    pub holder: Option<String>,
    /// What it last failed at in any shard, and when.
    pub last_error: Option<(String, Timestamp)>,
}

impl ProjectorOverall {
    /// Every projector of `statuses`, which are in the order of names as [`Projectors::status`] tells
    /// them.
    #[must_use]
    pub fn of_each(statuses: &[ProjectorStatus]) -> Vec<Self> {
        statuses
            .chunk_by(|one, other| one.projector == other.projector)
            .filter_map(Self::of)
            .collect()
    }

    /// Of one projector in all its `shards`; `None` when there are none.
    fn of(shards: &[ProjectorStatus]) -> Option<Self> {
        let worst = shards.iter().max_by_key(|status| status.state.gravity())?;
        let sum = |of: fn(&ProjectorStatus) -> u64| shards.iter().map(of).sum();
        let is_one = shards.iter().all(|status| status.holder == worst.holder);
        let failures = shards.iter().filter_map(|status| status.last_error.as_ref());
        Some(Self {
            projector: worst.projector.clone(),
            state: worst.state,
            position: sum(|status| status.position),
            head: sum(|status| status.head),
            lag_events: sum(ProjectorStatus::lag_events),
            lag_age_ms: shards.iter().map(|status| status.lag_age_ms).max()?,
            events_per_second: sum(|status| status.events_per_second),
            parked_wallets: sum(|status| status.parked_wallets),
            holder: worst.holder.clone().filter(|_| is_one),
            last_error: failures.max_by_key(|(_, at)| *at).cloned(),
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn status(projector: &str, shard: u16, position: u64) -> ProjectorStatus {
        ProjectorStatus {
            projector: projector.to_owned(),
            shard,
            state: ProjectorState::Running,
            position,
            head: 50,
            lag_age_ms: 50 - position,
            events_per_second: 7,
            holder: Some("here:1:a".to_owned()),
            epoch: 1,
            updated_at: Timestamp::from_unix_ms(0),
            last_error: None,
            parked_wallets: 1,
        }
    }

    fn failed(at_ms: i64) -> Option<(String, Timestamp)> {
        Some((format!("no luck at {at_ms}"), Timestamp::from_unix_ms(at_ms)))
    }

    #[test]
    fn a_projector_is_told_once_over_all_shards() {
        let failing = ProjectorStatus {
            state: ProjectorState::Failing,
            holder: Some("there:2:b".to_owned()),
            last_error: failed(2),
            ..status("ledger", 1, 10)
        };
        let failed_before = ProjectorStatus { last_error: failed(1), ..status("ledger", 2, 50) };
        // A head that was read a moment before the position.
        let ahead = ProjectorStatus { head: 40, lag_age_ms: 0, ..status("ledger", 3, 50) };
        let all =
            [status("ledger", 0, 48), failing, failed_before, ahead, status("read_model", 0, 20)];
        let overall = ProjectorOverall::of_each(&all);
        assert_eq!(
            overall[0],
            ProjectorOverall {
                projector: "ledger".to_owned(),
                state: ProjectorState::Failing,
                position: 158,
                head: 190,
                lag_events: 42,
                lag_age_ms: 40,
                events_per_second: 28,
                parked_wallets: 4,
                holder: None,
                last_error: failed(2),
            }
        );
        assert_eq!(overall.len(), 2);
        assert_eq!(overall[1].holder.as_deref(), Some("here:1:a"));
        assert_eq!(ProjectorOverall::of_each(&[]), []);
    }
}
