//! Operations on the projections as a whole, and what they report.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::{ReadError, ShardPosition, Timestamp, WalletKey};

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
    #[error("a {} is running already", .0.kind.as_str())]
    Running(Box<Operation>),
    /// There is no such wallet, or no such shard.
    #[error("there is no such {}", .0.as_str())]
    NoSuch(Missing),
    /// The database.
    #[error(transparent)]
    Database(#[from] ReadError),
}
