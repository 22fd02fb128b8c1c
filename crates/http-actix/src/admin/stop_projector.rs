//! `POST /admin/projectors/{name}/stop`: asks for a projector to stop.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::json::ProjectorListJson;
use super::openapi::{ProjectorPath, SteerProblems};
use super::steer::{Steer, steer};
use crate::openapi::CorrelationHeader;
use crate::problem::Problem;
use crate::state::Api;

/// Stop a projector
///
/// Whoever runs it stops at the next batch boundary, in every shard; it stays stopped until it is
/// started, however often a server starts. Commands go on, reads of its projection fall behind.
#[utoipa::path(
    post,
    path = "/admin/projectors/{name}/stop",
    operation_id = "stopProjector",
    tag = "admin",
    params(ProjectorPath, CorrelationHeader),
    responses(
        (status = 200, description = "The projector, by shard.", body = ProjectorListJson),
        SteerProblems,
    ),
)]
pub(crate) async fn stop_projector(
    req: HttpRequest,
    payload: Payload,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    steer(&req, payload, &api, Steer::Stop).await
}
