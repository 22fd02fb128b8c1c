//! `POST /admin/recovery/retry`: replays every dead letter.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use wallex_ports::{OperationKind, Scope};

use super::json::OperationJson;
use super::openapi::RetryProblems;
use super::receive::{self, no_fields, nothing_named};
use super::recovery::begin;
use crate::openapi::CorrelationHeader;
use crate::problem::Problem;
use crate::state::Api;

/// Replay every dead letter
///
/// Replays every dead letter, but those of projectors that were stopped by hand: they are counted as
/// parked. The server does so by itself from time to time.
#[utoipa::path(
    post,
    path = "/admin/recovery/retry",
    operation_id = "retry",
    tag = "admin",
    params(CorrelationHeader),
    responses(
        (status = 202, description = "It has begun: see `Location`.", body = OperationJson),
        RetryProblems,
    ),
)]
pub(crate) async fn retry(
    req: HttpRequest,
    payload: Payload,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let ((), ()) = receive::write(&req, payload, &api, nothing_named, no_fields).await?;
    begin(&req, &api, OperationKind::Retry, Scope::All).await
}
