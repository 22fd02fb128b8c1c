//! `GET /admin/projectors`: what the projectors do.

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::json::ProjectorListJson;
use super::openapi::ReadProblems;
use super::receive;
use crate::openapi::CorrelationHeader;
use crate::problem::Problem;
use crate::read;
use crate::state::Api;

/// See the projectors
///
/// Every projector in every shard, whichever process runs it.
#[utoipa::path(
    get,
    path = "/admin/projectors",
    operation_id = "listProjectors",
    tag = "admin",
    params(CorrelationHeader),
    responses(
        (status = 200, description = "By name and shard.", body = ProjectorListJson),
        ReadProblems,
    ),
)]
pub(crate) async fn list_projectors(
    req: HttpRequest,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    receive::read(&req, |_, _| Some(()))?;
    let projectors = Arc::clone(&api.state.projectors);
    let reading = async move { projectors.status().await };
    let statuses = read::within(&api, api.state.operations.settings.read_timeout, reading).await?;
    Ok(HttpResponse::Ok().json(ProjectorListJson::from(statuses.as_slice())))
}
