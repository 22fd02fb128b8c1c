//! `GET /admin/statistics`: what there is, in numbers.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::json::StatisticsJson;
use super::openapi::ReadProblems;
use super::receive;
use crate::openapi::CorrelationHeader;
use crate::problem::Problem;
use crate::read;
use crate::state::Api;

/// Counting takes time in proportion to what there is.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Count everything
///
/// It reads every table, for one client at a time: ask now and then, not every second. `/metrics` is
/// for that.
#[utoipa::path(
    get,
    path = "/admin/statistics",
    operation_id = "getStatistics",
    tag = "admin",
    params(CorrelationHeader),
    responses((status = 200, description = "The numbers.", body = StatisticsJson), ReadProblems),
)]
pub(crate) async fn statistics(req: HttpRequest, api: Data<Api>) -> Result<HttpResponse, Problem> {
    receive::read(&req, |_, _| Some(()))?;
    let recovery = Arc::clone(&api.state.recovery);
    let reading = async move { recovery.statistics().await };
    let statistics = read::within(&api, TIMEOUT, reading).await?;
    Ok(HttpResponse::Ok().json(StatisticsJson::from(&statistics)))
}
