//! `POST /admin/dead-letters/{projector}/{walletId}/replay`: tries a parked wallet again.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use wallex_ports::DeadLetters as _;

use super::json::ReplayJson;
use super::openapi::{DeadLetterPath, ReplayProblems, TenantQuery};
use super::receive::{self, check_letter, letter_in_path, no_fields};
use crate::access;
use crate::openapi::CorrelationHeader;
use crate::problem::Problem;
use crate::state::Api;

/// Replay a dead letter
///
/// Applies the parked event and those behind it, in order. If one can't be applied the wallet stays
/// parked there, and the answer says why.
#[utoipa::path(
    post,
    path = "/admin/dead-letters/{projector}/{walletId}/replay",
    operation_id = "replayDeadLetter",
    tag = "admin",
    params(DeadLetterPath, TenantQuery, CorrelationHeader),
    responses(
        (status = 200, description = "What it came to.", body = ReplayJson),
        ReplayProblems,
    ),
)]
pub(crate) async fn replay_dead_letter(
    req: HttpRequest,
    payload: Payload,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let named = |query: &mut _, errors: &mut _| letter_in_path(&req, query, errors);
    let ((projector, wallet), ()) = receive::write(&req, payload, &api, named, no_fields).await?;
    check_letter(&access::caller(&req), &wallet)?;
    let dead_letters = receive::audited(&req, &api, &api.state.dead_letters);
    let working = async move { dead_letters.replay(&projector, &wallet).await };
    let replay =
        receive::carry_out(&api, api.state.operations.settings.command_timeout, working).await?;
    Ok(HttpResponse::Ok().json(ReplayJson::from(&replay)))
}
