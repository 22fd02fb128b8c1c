//! `GET /metrics`: the process's figures, for Prometheus.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::correlation;
use crate::openapi::{CorrelationHeader, MetricsProblems};
use crate::problem::Problem;
use crate::state::Operations;

/// Metrics
///
/// In the Prometheus text format.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = "operations",
    params(CorrelationHeader),
    responses(
        (
            status = 200,
            description = "All metrics of this process.",
            body = String,
            content_type = "text/plain",
        ),
        MetricsProblems,
    ),
)]
pub(crate) async fn metrics(
    req: HttpRequest,
    operations: Data<Operations>,
) -> Result<HttpResponse, Problem> {
    correlation::require_valid(&req)?;
    let Some(metrics) = &operations.state.metrics else { return Err(Problem::metrics_off()) };
    let text = metrics.render().await;
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text))
}
