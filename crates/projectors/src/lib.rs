//! The projections: read models that follow the events, and how they are kept right.

mod event;
mod fold;
mod ledger;
mod projector;
mod read_model;
mod reconcile;
mod tables;

pub use event::{Batch, Discarded, Event};
pub use ledger::Ledger;
pub use projector::{ApplyError, Poison, Projector};
pub use read_model::ReadModel;
pub use reconcile::{Findings, Mode, Stretch};
