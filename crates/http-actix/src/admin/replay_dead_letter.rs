//! `POST /admin/dead-letters/{projector}/{walletId}/replay`: tries a parked wallet again.

use std::sync::Arc;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::json::ReplayJson;
use super::openapi::{DeadLetterPath, ReplayProblems};
use super::receive::{self, letter_in_path, no_fields};
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
    params(DeadLetterPath, CorrelationHeader),
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
    let named = |errors: &mut _| letter_in_path(&req, errors);
    let ((projector, wallet), ()) = receive::write(&req, payload, &api, named, no_fields).await?;
    let dead_letters = Arc::clone(&api.state.dead_letters);
    let working = async move { dead_letters.replay(&projector, &wallet).await };
    let replay = receive::carry_out(&api, api.state.settings.command_timeout, working).await?;
    Ok(HttpResponse::Ok().json(ReplayJson::from(&replay)))
}
