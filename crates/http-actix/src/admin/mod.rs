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
mod list_dead_letters;
mod list_projectors;
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
mod stop_projector;
mod sweep_idempotency;

use actix_web::Route;
use actix_web::web::post;

use crate::routes::{READ, WRITE, get};

/// The admin API's part of the route table.
pub(crate) fn table() -> [(&'static str, Route, &'static str); 15] {
    [
        ("/admin/outbox", get().to(outbox::outbox), READ),
        ("/admin/outbox/cleanup", post().to(clean_outbox::clean_outbox), WRITE),
        ("/admin/idempotency/sweep", post().to(sweep_idempotency::sweep_idempotency), WRITE),
        ("/admin/statistics", get().to(statistics::statistics), READ),
        ("/admin/projectors", get().to(list_projectors::list_projectors), READ),
        ("/admin/projectors/{name}/start", post().to(start_projector::start_projector), WRITE),
        ("/admin/projectors/{name}/stop", post().to(stop_projector::stop_projector), WRITE),
        ("/admin/recovery/rebuild", post().to(rebuild::rebuild), WRITE),
        ("/admin/recovery/drift", post().to(drift::drift), WRITE),
        ("/admin/recovery/retry", post().to(retry::retry), WRITE),
        ("/admin/operations/{id}", get().to(get_operation::get_operation), READ),
        ("/admin/dead-letters", get().to(list_dead_letters::list_dead_letters), READ),
        (
            "/admin/dead-letters/{projector}/{walletId}",
            get().to(get_dead_letter::get_dead_letter),
            READ,
        ),
        (
            "/admin/dead-letters/{projector}/{walletId}/replay",
            post().to(replay_dead_letter::replay_dead_letter),
            WRITE,
        ),
        (
            "/admin/dead-letters/{projector}/{walletId}/discard",
            post().to(discard_dead_letter::discard_dead_letter),
            WRITE,
        ),
    ]
}
