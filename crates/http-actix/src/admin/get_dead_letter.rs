//! `GET /admin/dead-letters/{projector}/{walletId}`: one parked wallet.

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::json::DeadLetterDetailJson;
use super::openapi::{DeadLetterPath, DeadLetterProblems, TenantQuery};
use super::receive::{self, check_letter, letter_in_path};
use crate::access;
use crate::openapi::CorrelationHeader;
use crate::problem::Problem;
use crate::read;
use crate::state::Api;

/// See a dead letter
///
/// With the event that could not be applied, as it is stored.
#[utoipa::path(
    get,
    path = "/admin/dead-letters/{projector}/{walletId}",
    operation_id = "getDeadLetter",
    tag = "admin",
    params(DeadLetterPath, TenantQuery, CorrelationHeader),
    responses(
        (status = 200, description = "The letter and its event.", body = DeadLetterDetailJson),
        DeadLetterProblems,
    ),
)]
pub(crate) async fn get_dead_letter(
    req: HttpRequest,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let named = |query: &mut _, errors: &mut _| letter_in_path(&req, query, errors);
    let (projector, wallet) = receive::read(&req, named)?;
    check_letter(&access::caller(&req), &wallet)?;
    let dead_letters = Arc::clone(&api.state.dead_letters);
    let reading = async move { dead_letters.show(&projector, &wallet).await };
    let (letter, event) =
        read::within(&api, api.state.operations.settings.read_timeout, reading).await?;
    Ok(HttpResponse::Ok().json(DeadLetterDetailJson::new(&letter, event.as_ref())))
}
