//! The projections: read models that follow the events, and how they are kept right.

mod apply;
mod checkpoint;
mod event;
mod fold;
mod ledger;
mod letters;
mod metric_names;
mod new_batch;
mod parking;
mod projector;
mod queries;
mod read_model;
mod reconcile;
mod recovery;
mod rows;
#[cfg(debug_assertions)]
mod spoil;
mod sql_store;
mod status;
mod store;
mod supervisor;
mod tables;
mod trace;
mod walk;
mod worker;

#[cfg(test)]
mod tests;

pub use checkpoint::{FROZEN_MS_MAX, Seat};
pub use event::{Batch, Discarded, Event};
pub use ledger::{Ledger, project_ledger};
pub use letters::{LetterStore, LetterTransaction, Letters};
pub use parking::{Filled, Parking};
pub use projector::{ApplyError, Poison, Projector};
pub use queries::SqlReadModels;
pub use read_model::{ReadModel, project_wallets};
pub use reconcile::{
    Broken, Findings, LineRow, LineRows, Mode, Span, Spot, StateRow, StateRows, Stretch,
    compare_head, compare_lines, compare_states,
};
pub use recovery::{
    Aside, Begun, Mine, OPERATION_LEASE_MS, Operations, PageTransaction, RecoverySettings,
    RecoveryStore, SqlRecovery, Stand, Visit,
};
pub use rows::{Found, LedgerRows, Move, WalletRows};
pub use status::SqlProjectors;
pub use store::{ProjectorStore, ProjectorTransaction};
pub use supervisor::{WorkerTasks, Workers, projectors};
pub use walk::{Content, Written};
pub use worker::{LEASE, Signals, Worker, WorkerSettings};
