//! The simulated store: the contract of the ports, and everything that may go wrong beneath them.

mod commit;
mod ports;
mod tables;

pub(crate) use ports::NodePorts;
pub(crate) use tables::{Kept, StoredEvent, Tables};
