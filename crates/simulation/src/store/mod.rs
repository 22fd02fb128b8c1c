//! The simulated store: the contract of the ports, and everything that may go wrong beneath them.

mod commit;
mod letters;
mod page;
mod ports;
mod projection;
mod projector_store;
mod recovery_store;
mod rows;
mod tables;

pub(crate) use letters::SimulatedLetters;
pub(crate) use ports::NodePorts;
pub(crate) use projection::{PROJECTORS, Projection, difference};
pub(crate) use projector_store::SimulatedProjectorStore;
pub(crate) use recovery_store::{Asked, SimulatedRecoveryStore};
pub(crate) use tables::{Kept, StoredEvent, Tables};
