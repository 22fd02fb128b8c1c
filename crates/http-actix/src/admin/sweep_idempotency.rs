//! `POST /admin/idempotency/sweep`: deletes idempotency records that have expired.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use wallex_ports::Recovery as _;

use super::json::CleanupJson;
use super::openapi::WriteProblems;
use super::receive::{self, no_fields, nothing_named};
use crate::openapi::CorrelationHeader;
use crate::problem::Problem;
use crate::state::Api;

/// Sweep the idempotency records
///
/// Deletes those that have expired, in chunks; the server does so by itself from time to time. A key
/// that is still remembered stays.
#[utoipa::path(
    post,
    path = "/admin/idempotency/sweep",
    operation_id = "sweepIdempotency",
    tag = "admin",
    params(CorrelationHeader),
    responses((status = 200, description = "How many are gone.", body = CleanupJson), WriteProblems),
)]
pub(crate) async fn sweep_idempotency(
    req: HttpRequest,
    payload: Payload,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let ((), ()) = receive::write(&req, payload, &api, nothing_named, no_fields).await?;
    let recovery = receive::audited(&req, &api, &api.state.recovery);
    let working = async move { recovery.sweep_idempotency().await };
    let deleted =
        receive::carry_out(&api, api.state.operations.settings.command_timeout, working).await?;
    Ok(HttpResponse::Ok().json(CleanupJson { deleted }))
}
