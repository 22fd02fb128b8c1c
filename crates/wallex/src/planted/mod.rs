//! Defects that are planted on purpose, for the tests of the tests: what a build with debug assertions
//! puts around the ports when `WALLEX_PLANTED_BUG` names one of them, or `WALLEX_CRASH_AT` a point to
//! die at. The checker of `wallex-chaos` must catch each.
//!
//! No release build has this module. Defects that no port stands in the way of are in the `spoil.rs` of
//! the crates `outbox`, `projectors` and `unit-of-work`; a few are one line where they happen.

mod commits;
mod reads;
mod units;

use std::sync::Arc;

use wallex_application::LanePorts;
use wallex_ports::{Wallets, planted};

/// Says loudly what is planted, if anything is: nobody should take this build for another.
pub(crate) fn say_so() {
    if let Some(banner) = planted::banner() {
        tracing::error!("{banner}");
    }
}

/// The lane's ports, and where queries read wallets, as they are or as the planted defect makes them.
pub(crate) fn around(ports: LanePorts, readers: Arc<dyn Wallets>) -> (LanePorts, Arc<dyn Wallets>) {
    if planted::banner().is_none() {
        return (ports, readers);
    }
    let ports = LanePorts {
        committer: Arc::new(commits::Spoiled::new(ports.committer, Arc::clone(&ports.ids))),
        wallets: reads::richer(ports.wallets),
        idempotency: reads::wrong_answers(ports.idempotency),
        ..ports
    };
    (ports, reads::stale(readers))
}
