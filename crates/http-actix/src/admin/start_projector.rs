//! `POST /admin/projectors/{name}/start`: asks for a projector to run.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use wallex_ports::{Projectors as _, SteerError};

use super::json::ProjectorListJson;
use super::openapi::{ProjectorPath, SteerProblems};
use super::receive::{self, no_fields, projector_in_path};
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
    let named = |_: &mut _, errors: &mut _| projector_in_path(&req, errors);
    let (name, ()) = receive::write(&req, payload, &api, named, no_fields).await?;
    let projectors = receive::audited(&req, &api, &api.state.projectors);
    let working = async move {
        projectors.start(&name).await?;
        let mut statuses = projectors.status().await?;
        statuses.retain(|status| status.projector == name);
        Ok::<_, SteerError>(statuses)
    };
    let statuses = receive::carry_out(&api, api.state.settings.command_timeout, working).await?;
    Ok(HttpResponse::Ok().json(ProjectorListJson::from(statuses.as_slice())))
}
