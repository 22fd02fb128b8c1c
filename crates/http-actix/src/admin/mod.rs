//! The admin API: how operators see and steer the projections. One file an endpoint.
//!
//! Nothing here touches the write path. Every POST may be repeated: what it asks for is a state, or
//! it says that it is done already; so an `Idempotency-Key` has no meaning here, and is not looked
//! at.

mod clean_outbox;
mod cursor;
mod discard_dead_letter;
mod drift;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod get_dead_letter;
mod get_operation;
pub mod json;
mod list_audit;
mod list_dead_letters;
mod list_projectors;
mod live;
pub(crate) mod openapi;
mod outbox;
mod problem;
mod rebuild;
mod receive;
mod recovery;
mod replay_dead_letter;
mod retry;
pub(crate) mod schemas;
mod start_projector;
mod statistics;
mod steer;
mod stop_projector;
mod sweep_idempotency;

use wallex_ports::AccessScope::Admin;

use crate::access::Needs;
use crate::routes::{Entry, read, write};

/// The admin API's part of the route table. What is not for operators alone is about the wallets of a
/// tenant: its `admin` sees and repairs those, and no others.
pub(crate) fn table() -> [Entry; 17] {
    let tenants = Needs::Scope(Admin);
    let server = Needs::Operator;
    [
        read("/admin/outbox", outbox::outbox, server),
        write("/admin/outbox/cleanup", clean_outbox::clean_outbox, server),
        write("/admin/idempotency/sweep", sweep_idempotency::sweep_idempotency, server),
        read("/admin/statistics", statistics::statistics, server),
        read("/admin/live", live::live, live::NEEDS),
        read("/admin/projectors", list_projectors::list_projectors, server),
        write("/admin/projectors/{name}/start", start_projector::start_projector, server),
        write("/admin/projectors/{name}/stop", stop_projector::stop_projector, server),
        write("/admin/recovery/rebuild", rebuild::rebuild, tenants),
        write("/admin/recovery/drift", drift::drift, tenants),
        write("/admin/recovery/retry", retry::retry, server),
        read("/admin/operations/{id}", get_operation::get_operation, tenants),
        read("/admin/audit", list_audit::list_audit, tenants),
        read("/admin/dead-letters", list_dead_letters::list_dead_letters, tenants),
        read(
            "/admin/dead-letters/{projector}/{walletId}",
            get_dead_letter::get_dead_letter,
            tenants,
        ),
        write(
            "/admin/dead-letters/{projector}/{walletId}/replay",
            replay_dead_letter::replay_dead_letter,
            tenants,
        ),
        write(
            "/admin/dead-letters/{projector}/{walletId}/discard",
            discard_dead_letter::discard_dead_letter,
            tenants,
        ),
    ]
}
