//! `POST /admin/projectors/{name}/stop`: asks for a projector to stop.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use wallex_ports::{Projectors as _, SteerError};

use super::json::ProjectorListJson;
use super::openapi::{ProjectorPath, SteerProblems};
use super::receive::{self, no_fields, projector_in_path};
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
    let named = |_: &mut _, errors: &mut _| projector_in_path(&req, errors);
    let (name, ()) = receive::write(&req, payload, &api, named, no_fields).await?;
    let projectors = receive::audited(&req, &api, &api.state.projectors);
    let working = async move {
        projectors.stop(&name).await?;
        let mut statuses = projectors.status().await?;
        statuses.retain(|status| status.projector == name);
        Ok::<_, SteerError>(statuses)
    };
    let statuses = receive::carry_out(&api, api.state.settings.command_timeout, working).await?;
    Ok(HttpResponse::Ok().json(ProjectorListJson::from(statuses.as_slice())))
}
