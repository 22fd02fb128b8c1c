//! `GET /admin/dead-letters/{projector}/{walletId}`: one parked wallet.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::json::DeadLetterDetailJson;
use super::openapi::{DeadLetterPath, DeadLetterProblems};
use super::receive::{self, letter_in_path};
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
    params(DeadLetterPath, CorrelationHeader),
    responses(
        (status = 200, description = "The letter and its event.", body = DeadLetterDetailJson),
        DeadLetterProblems,
    ),
)]
pub(crate) async fn get_dead_letter(
    req: HttpRequest,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let (projector, wallet) = receive::read(&req, |_, errors| letter_in_path(&req, errors))?;
    let dead_letters = Arc::clone(&api.state.dead_letters);
    let reading = async move { dead_letters.show(&projector, &wallet).await };
    let (letter, event) = read::within(&api, api.state.settings.read_timeout, reading).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .json(DeadLetterDetailJson::new(&letter, event.as_ref())))
}
