//! `GET /admin/outbox`: what waits in the outbox.

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::json::OutboxJson;
use super::openapi::ReadProblems;
use super::receive;
use crate::openapi::CorrelationHeader;
use crate::problem::Problem;
use crate::read;
use crate::state::Api;

/// See the outbox
///
/// How far each shard has come, and how far every projector has followed.
#[utoipa::path(
    get,
    path = "/admin/outbox",
    operation_id = "getOutbox",
    tag = "admin",
    params(CorrelationHeader),
    responses((status = 200, description = "By shard, and in all.", body = OutboxJson), ReadProblems),
)]
pub(crate) async fn outbox(req: HttpRequest, api: Data<Api>) -> Result<HttpResponse, Problem> {
    receive::read(&req, |_, _| Some(()))?;
    let recovery = Arc::clone(&api.state.recovery);
    let reading = async move { recovery.outbox().await };
    let shards = read::within(&api, api.state.operations.settings.read_timeout, reading).await?;
    Ok(HttpResponse::Ok().json(OutboxJson::from(shards.as_slice())))
}
