//! `GET /livez` and `GET /readyz`: what an orchestrator asks.

use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::{CorrelationHeader, LiveProblems, ReadyProblems};
use crate::problem::Problem;
use crate::state::Operations;
use crate::{correlation, read};

/// How long the database may take to say that it is there.
const READINESS_TIMEOUT: Duration = Duration::from_secs(2);

/// How the server is.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Health)]
struct HealthJson {
    /// `alive` or `ready`.
    #[schema(examples("ready"))]
    status: &'static str,
}

/// Whether the process is up
///
/// It asks nobody: restart the server when this fails.
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "livez",
    tag = "operations",
    params(CorrelationHeader),
    responses((status = 200, description = "It is.", body = HealthJson), LiveProblems),
)]
pub(crate) async fn livez(req: HttpRequest) -> Result<HttpResponse, Problem> {
    correlation::require_valid(&req)?;
    Ok(HttpResponse::Ok().json(HealthJson { status: "alive" }))
}

/// Whether the server can take requests
///
/// It can while the database answers and is migrated, and the server is not about to stop.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "operations",
    params(CorrelationHeader),
    responses((status = 200, description = "It can.", body = HealthJson), ReadyProblems),
)]
pub(crate) async fn readyz(
    req: HttpRequest,
    operations: Data<Operations>,
) -> Result<HttpResponse, Problem> {
    correlation::require_valid(&req)?;
    if operations.state.lifecycle.is_draining() {
        return Err(Problem::shutting_down());
    }
    let readiness = operations.state.readiness.clone();
    let asking = async move { readiness.check().await };
    read::within(&operations, READINESS_TIMEOUT, asking).await?;
    Ok(HttpResponse::Ok().json(HealthJson { status: "ready" }))
}
