//! `POST /admin/dead-letters/{projector}/{walletId}/discard`: leaves an event out for ever.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use utoipa::ToSchema;
use wallex_domain::Description;
use wallex_ports::DeadLetters as _;

use super::json::ReplayJson;
use super::openapi::{DeadLetterPath, DiscardProblems, TenantQuery};
use super::receive::{self, check_letter, letter_in_path};
use super::schemas;
use crate::access;
use crate::fields::Fields;
use crate::openapi::CorrelationHeader;
use crate::problem::Problem;
use crate::state::Api;

/// Which event is to be left out, and why.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Discard)]
pub(super) struct DiscardBody {
    #[schema(schema_with = schemas::parked_version)]
    version: u64,
    #[schema(schema_with = schemas::reason)]
    reason: String,
}

/// Discard a dead letter
///
/// Leaves the parked event out of this projection for ever, records why, and applies those behind
/// it. The event itself stays in the wallet's history. Where another version is parked by now,
/// because a replay has come further, nothing is done.
#[utoipa::path(
    post,
    path = "/admin/dead-letters/{projector}/{walletId}/discard",
    operation_id = "discardDeadLetter",
    tag = "admin",
    params(DeadLetterPath, TenantQuery, CorrelationHeader),
    request_body(content = DiscardBody),
    responses(
        (status = 200, description = "What it came to.", body = ReplayJson),
        DiscardProblems,
    ),
)]
pub(crate) async fn discard_dead_letter(
    req: HttpRequest,
    payload: Payload,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let named = |query: &mut _, errors: &mut _| letter_in_path(&req, query, errors);
    let ((projector, wallet), DiscardBody { version, reason }) =
        receive::write(&req, payload, &api, named, read_body).await?;
    check_letter(&access::caller(&req), &wallet)?;
    let dead_letters = receive::audited(&req, &api, &api.state.dead_letters);
    let working = async move { dead_letters.discard(&projector, &wallet, version, &reason).await };
    let replay =
        receive::carry_out(&api, api.state.operations.settings.command_timeout, working).await?;
    Ok(HttpResponse::Ok().json(ReplayJson::from(&replay)))
}

pub(super) fn read_body(fields: &mut Fields<'_>) -> Option<DiscardBody> {
    let version = fields.required_integer("version", |version| match u64::try_from(version) {
        Ok(version) if (1..=schemas::POSITION_MAX).contains(&version.cast_signed()) => Ok(version),
        _ => Err(format!("must be 1 to {}", schemas::POSITION_MAX)),
    });
    // The same characters as what a movement was for, but not nothing.
    let reason = fields.required_text("reason", |text| {
        if text.is_empty() {
            return Err("must not be empty".to_owned());
        }
        Description::parse(text).map_err(|error| error.to_string())
    });
    Some(DiscardBody { version: version?, reason: reason?.into() })
}
