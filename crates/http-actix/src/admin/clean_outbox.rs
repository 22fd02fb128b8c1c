//! `POST /admin/outbox/cleanup`: deletes what every projector has passed.

use std::time::Duration;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::ToSchema;
use wallex_ports::Recovery as _;

use super::json::CleanupJson;
use super::openapi::WriteProblems;
use super::{receive, schemas};
use crate::fields::Fields;
use crate::openapi::CorrelationHeader;
use crate::problem::Problem;
use crate::state::Api;

const MS_PER_HOUR: u64 = 3_600_000;

/// Which rows may go.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = OutboxCleanupRequest)]
#[expect(dead_code, reason = "it describes the body, which is read field by field")]
struct CleanOutboxBody {
    #[schema(schema_with = schemas::older_than_hours)]
    older_than_hours: Option<u64>,
}

/// Clean the outbox
///
/// Deletes rows that every projector has processed and that are old enough, in chunks; the server
/// does so by itself from time to time. The events stay. The body may be left out.
#[utoipa::path(
    post,
    path = "/admin/outbox/cleanup",
    operation_id = "cleanOutbox",
    tag = "admin",
    params(CorrelationHeader),
    request_body(content = CleanOutboxBody),
    responses((status = 200, description = "How many are gone.", body = CleanupJson), WriteProblems),
)]
pub(crate) async fn clean_outbox(
    req: HttpRequest,
    payload: Payload,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let ((), older_than_ms) =
        receive::write(&req, payload, &api, receive::nothing_named, read_body).await?;
    let retention = api.state.operations.settings.outbox_retention;
    let older_than_ms = older_than_ms.unwrap_or_else(|| whole_ms(retention));
    let recovery = receive::audited(&req, &api, &api.state.recovery);
    let working = async move { recovery.clean_outbox(older_than_ms).await };
    let deleted =
        receive::carry_out(&api, api.state.operations.settings.command_timeout, working).await?;
    Ok(HttpResponse::Ok().json(CleanupJson { deleted }))
}

pub(super) fn read_body(fields: &mut Fields<'_>) -> Option<Option<u64>> {
    Some(fields.optional_integer("olderThanHours", parse_older_than_ms))
}

fn parse_older_than_ms(hours: i64) -> Result<u64, String> {
    let max = schemas::OLDER_THAN_HOURS_MAX;
    u64::try_from(hours)
        .ok()
        .filter(|_| hours <= max)
        .map(|hours| hours * MS_PER_HOUR)
        .ok_or_else(|| format!("must be from 0 to {max}"))
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
