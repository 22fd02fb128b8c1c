//! How projections are seen and steered: projectors, dead letters, rebuild, drift, cleanup.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;
use wallex_domain::EventId;

use crate::{ReadError, ShardPosition, Timestamp, WalletKey};

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

/// A wallet that a projector has parked: the event that it could not apply, and those behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The projector.
    pub projector: String,
    /// The wallet.
    pub wallet: WalletKey,
    /// The wallet's shard.
    pub shard: u16,
    /// The event's version in the wallet.
    pub version: u64,
    /// The event's position in the shard.
    pub position: u64,
    /// The event's identity.
    pub event_id: EventId,
    /// The event's type, as stored.
    pub event_type: String,
    /// Why it could not be applied.
    pub error: String,
    /// How often it was tried.
    pub attempts: u64,
    /// Events of the wallet that wait behind it.
    pub queued_events: u64,
    /// When the wallet was parked.
    pub parked_at: Timestamp,
    /// When it was last tried.
    pub tried_at: Timestamp,
}

/// An event as it is stored, decodable or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// The version of the payload's shape.
    pub schema_version: i64,
    /// The payload, as stored.
    pub payload: String,
    /// The metadata, as stored.
    pub metadata: String,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// What replaying a dead letter came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// Every waiting event was applied; the wallet is no longer parked.
    Applied {
        /// How many events were applied.
        events: u64,
    },
    /// An event could not be applied; the wallet stays parked there.
    StillParked(Box<DeadLetter>),
}

/// Why nothing was done to a dead letter.
#[derive(Debug, Error)]
pub enum DeadLetterError {
    /// The projector has not parked that wallet.
    #[error("that projector has not parked that wallet")]
    NotParked,
    /// Without its creation a wallet has no owner and no currency: what came after can't be shown.
    #[error("the wallet's creation can't be left out: what follows rests on it")]
    Creation,
    /// Another event is parked by now than the one that was meant.
    #[error("version {} of the wallet is parked now, a {}", .0.version, .0.event_type)]
    Moved(Box<DeadLetter>),
    /// The database.
    #[error(transparent)]
    Database(#[from] ReadError),
}

/// Sees and settles dead letters.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// At most `limit` dead letters in the order of (projector, wallet), beginning behind `after`;
    /// of one projector where one is named.
    ///
    /// # Errors
    /// The database's.
    async fn list(
        &self,
        projector: Option<&str>,
        after: Option<(&str, &WalletKey)>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, ReadError>;

    /// One dead letter, and its event as it is stored (`None` when the event is gone).
    ///
    /// # Errors
    /// [`DeadLetterError`].
    async fn show(
        &self,
        projector: &str,
        wallet: &WalletKey,
    ) -> Result<(DeadLetter, Option<StoredEvent>), DeadLetterError>;

    /// Applies the parked event and those behind it, in order.
    ///
    /// # Errors
    /// [`DeadLetterError`].
    async fn replay(&self, projector: &str, wallet: &WalletKey) -> Result<Replay, DeadLetterError>;

    /// Leaves the parked event out of this projection for ever, records why, and applies those
    /// behind it. `version` is the event that was seen: a replay may have come further meanwhile,
    /// and what nobody has looked at must not be left out.
    ///
    /// # Errors
    /// [`DeadLetterError`].
    async fn discard(
        &self,
        projector: &str,
        wallet: &WalletKey,
        version: u64,
        reason: &str,
    ) -> Result<Replay, DeadLetterError>;
}

/// What is done to the projections as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// Compare the projections with the events, and put right what differs.
    Rebuild,
    /// Compare only, the write side's state too.
    Drift,
    /// Replay every dead letter, but those of projectors that were stopped by hand.
    Retry,
}

impl OperationKind {
    /// The stable name: `rebuild`, `drift`, `retry`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Drift => "drift",
            Self::Retry => "retry",
        }
    }
}

/// Which wallets an operation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All.
    All,
    /// One.
    Wallet(WalletKey),
    /// Those that have an event at or behind a position of a shard.
    Since(ShardPosition),
}

/// How an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperationState {
    /// A process works on it.
    Running,
    /// Its process is gone; a rebuild goes on where it stood when it is asked for again.
    Interrupted,
    /// It came to its end.
    Done,
    /// It could not go on.
    Failed,
}

impl OperationState {
    /// The stable name: `running`, `interrupted`, `done`, `failed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// How far an operation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Events that were read; dead letters that were tried, in a retry.
    pub done: u64,
    /// How many there are in all, as far as is known.
    pub total: u64,
    /// Wallets that were finished.
    pub wallets: u64,
    /// Time worked, in milliseconds, without what passed between a kill and a resumption.
    pub elapsed_ms: u64,
}

impl Progress {
    /// Events a second, so far.
    #[must_use]
    pub fn per_second(&self) -> u64 {
        self.done.saturating_mul(1000).checked_div(self.elapsed_ms).unwrap_or(0)
    }

    /// How long it will take still, in milliseconds, at that rate; `None` while there is no rate.
    #[must_use]
    pub fn remaining_ms(&self) -> Option<u64> {
        let left = self.total.saturating_sub(self.done);
        self.elapsed_ms.saturating_mul(left).checked_div(self.done)
    }
}

/// What was found in one projection's table.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableTally {
    /// The projector.
    pub projector: String,
    /// Rows that were as they should be.
    pub right: u64,
    /// Rows that were otherwise: put right by a rebuild.
    pub repaired: u64,
    /// Rows that were missing: added by a rebuild.
    pub added: u64,
    /// Rows that no event accounts for: removed by a rebuild.
    pub removed: u64,
}

/// Where a difference was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The history itself: an event that can't be decoded or does not follow, or a gap.
    Events,
    /// The write side's state.
    WriteSide,
    /// The read model.
    ReadModel,
    /// The ledger.
    Ledger,
}

impl Place {
    /// The stable name: `events`, `write_side`, `read_model`, `ledger`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::WriteSide => "write_side",
            Self::ReadModel => "read_model",
            Self::Ledger => "ledger",
        }
    }
}

/// Something that is not as the events say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The wallet's tenant.
    pub tenant: String,
    /// The wallet's id.
    pub wallet_id: String,
    /// Where.
    pub place: Place,
    /// The version of the event that it is about, where it is about one.
    pub version: Option<u64>,
    /// What differs: `balance`, `version`, `row`, …
    pub what: String,
    /// What it should be; `None` for a row that should not be there.
    pub expected: Option<String>,
    /// What it is; `None` for a row that is not there.
    pub found: Option<String>,
    /// Found less expected, in minor units, where it is a sum of money.
    pub difference_minor: Option<i64>,
}

/// The totals of one currency. Sums are in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CurrencyTotals {
    /// The currency's code.
    pub currency: String,
    /// Wallets.
    pub wallets: u64,
    /// Σ opening balances.
    pub openings: i128,
    /// Σ credits, those of transfers included.
    pub credits: i128,
    /// Σ debits, those of transfers included.
    pub debits: i128,
    /// Σ credits of transfers.
    pub transfers_in: i128,
    /// Σ debits of transfers.
    pub transfers_out: i128,
    /// Σ balances of the write side's state.
    pub write_side: i128,
    /// Σ balances of the read model.
    pub read_model: i128,
    /// Σ lines of the ledger, incoming less outgoing.
    pub ledger: i128,
}

impl CurrencyTotals {
    /// Σ balances as the events make them.
    #[must_use]
    pub const fn events(&self) -> i128 {
        self.openings + self.credits - self.debits
    }

    /// Whether every side holds what the events make, and what went out by transfers came in.
    #[must_use]
    pub const fn balances(&self) -> bool {
        let events = self.events();
        self.transfers_in == self.transfers_out
            && self.write_side == events
            && self.read_model == events
            && self.ledger == events
    }
}

/// What an operation has found so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// By projection, in a rebuild and a drift check.
    pub tables: Vec<TableTally>,
    /// How many differences there are.
    pub differences_total: u64,
    /// The first of them: [`DIFFERENCES_MAX`] at most, [`REPAIRS_MAX`] in a rebuild.
    pub differences: Vec<Difference>,
    /// The trial balance, in a drift check of all wallets.
    pub trial_balance: Vec<CurrencyTotals>,
    /// Dead letters that were met; in a retry, those that are left.
    pub parked: u64,
    /// Dead letters that a retry settled.
    pub replayed: u64,
}

/// How many differences a report names.
pub const DIFFERENCES_MAX: usize = 1_000;

/// How many a rebuild's report names: it is recorded with every page, and all of them are counted.
pub const REPAIRS_MAX: usize = 50;

/// A rebuild, a drift check or a retry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its identity.
    pub id: Uuid,
    /// What it does.
    pub kind: OperationKind,
    /// To which wallets.
    pub scope: Scope,
    /// How it stands.
    pub state: OperationState,
    /// How far it has come.
    pub progress: Progress,
    /// What it has found so far.
    pub report: Report,
    /// Why it failed.
    pub error: Option<String>,
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When it last said how far it has come.
    pub updated_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// What an operation can't be about, because there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// The wallet: it has no events, and no projection has it.
    Wallet,
    /// The shard.
    Shard,
}

impl Missing {
    /// `wallet` or `shard`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::Shard => "shard",
        }
    }
}

/// Why an operation did not begin.
#[derive(Debug, Error)]
pub enum StartError {
    /// One of the same kind is running.
    #[error("a {} is running already: {}", .0.kind.as_str(), .0.id)]
    Running(Box<Operation>),
    /// There is no such wallet, or no such shard.
    #[error("there is no such {}", .0.as_str())]
    NoSuch(Missing),
    /// The database.
    #[error(transparent)]
    Database(#[from] ReadError),
}

/// One shard of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxShard {
    /// The shard.
    pub shard: u16,
    /// The position of its last event.
    pub head: u64,
    /// The position that every projector has reached.
    pub processed: u64,
    /// The position of the oldest row that is kept; `None` when there is none.
    pub oldest_kept: Option<u64>,
    /// Age of the oldest event that some projector has not applied, in milliseconds; 0 when there is
    /// none.
    pub lag_age_ms: u64,
}

/// What there is, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Events that were ever recorded.
    pub events: u64,
    /// Wallets of the write side.
    pub wallets: u64,
    /// Wallets of the read model.
    pub projected_wallets: u64,
    /// Lines of the ledger.
    pub ledger_entries: u64,
    /// Rows of the outbox that are kept.
    pub outbox_rows: u64,
    /// Idempotency records, expired ones included.
    pub idempotency_records: u64,
    /// Parked wallets.
    pub dead_letters: u64,
    /// Events that were left out of a projection by hand.
    pub discarded_events: u64,
    /// Size of the database, in bytes.
    pub database_bytes: u64,
}

/// Puts projections right, and says how things are.
#[async_trait]
pub trait Recovery: Send + Sync {
    /// Begins an operation in the background of this process, or goes on with an interrupted
    /// rebuild of the same scope.
    ///
    /// # Errors
    /// [`StartError`].
    async fn begin(&self, kind: OperationKind, scope: Scope) -> Result<Operation, StartError>;

    /// An operation of any process; `None` when there is none of that identity.
    ///
    /// # Errors
    /// The database's.
    async fn operation(&self, id: Uuid) -> Result<Option<Operation>, ReadError>;

    /// The outbox by shard.
    ///
    /// # Errors
    /// The database's.
    async fn outbox(&self) -> Result<Vec<OutboxShard>, ReadError>;

    /// Deletes outbox rows that every projector has processed and that are older than
    /// `older_than_ms`, in chunks; how many.
    ///
    /// # Errors
    /// The database's.
    async fn clean_outbox(&self, older_than_ms: u64) -> Result<u64, ReadError>;

    /// Deletes idempotency records that have expired, in chunks; how many.
    ///
    /// # Errors
    /// The database's.
    async fn sweep_idempotency(&self) -> Result<u64, ReadError>;

    /// Counts everything. Takes time in proportion to what there is.
    ///
    /// # Errors
    /// The database's.
    async fn statistics(&self) -> Result<Statistics, ReadError>;
}
