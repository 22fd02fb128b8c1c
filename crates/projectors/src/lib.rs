//! The projections: read models that follow the events, and how they are kept right.

mod apply;
mod checkpoint;
mod dead_letters;
mod event;
mod fold;
mod ledger;
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

pub use checkpoint::Seat;
pub use dead_letters::SqlDeadLetters;
pub use event::{Batch, Discarded, Event};
pub use ledger::{Ledger, project_ledger};
pub use parking::{Filled, Parking};
pub use projector::{ApplyError, Poison, Projector};
pub use queries::SqlReadModels;
pub use read_model::{ReadModel, project_wallets};
pub use reconcile::{Broken, Findings, Mode, Span, Spot, Stretch};
pub use recovery::{RecoverySettings, SqlRecovery};
pub use rows::{Found, LedgerRows, Move, WalletRows};
pub use status::SqlProjectors;
pub use store::{ProjectorStore, ProjectorTransaction};
pub use supervisor::{WorkerTasks, Workers, projectors};
pub use worker::{LEASE, Signals, Worker, WorkerSettings};
