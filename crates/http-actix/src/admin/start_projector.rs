//! `POST /admin/projectors/{name}/start`: asks for a projector to run.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::json::ProjectorListJson;
use super::openapi::{ProjectorPath, SteerProblems};
use super::steer::{Steer, steer};
use crate::openapi::CorrelationHeader;
use crate::problem::Problem;
use crate::state::Api;

/// Start a projector
///
/// Asks for it to run, in every shard. A server whose projectors do not start by themselves begins to
/// run it.
#[utoipa::path(
    post,
    path = "/admin/projectors/{name}/start",
    operation_id = "startProjector",
    tag = "admin",
    params(ProjectorPath, CorrelationHeader),
    responses(
        (status = 200, description = "The projector, by shard.", body = ProjectorListJson),
        SteerProblems,
    ),
)]
pub(crate) async fn start_projector(
    req: HttpRequest,
    payload: Payload,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    steer(&req, payload, &api, Steer::Start).await
}
