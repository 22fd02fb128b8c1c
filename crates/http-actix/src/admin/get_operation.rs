//! `GET /admin/operations/{id}`: how far an operation has come, and what it has found.

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use uuid::Uuid;

use super::json::OperationJson;
use super::openapi::{OperationPath, OperationProblems};
use super::receive::{self, in_path};
use super::recovery;
use crate::access;
use crate::code::Code;
use crate::openapi::CorrelationHeader;
use crate::problem::Problem;
use crate::read;
use crate::state::Api;

/// Follow an operation
///
/// Of any process of this installation, ended ones included. One about the whole server, or about a
/// wallet of another tenant, is there for operators of the server alone.
#[utoipa::path(
    get,
    path = "/admin/operations/{id}",
    operation_id = "getOperation",
    tag = "admin",
    params(OperationPath, CorrelationHeader),
    responses(
        (status = 200, description = "The operation.", body = OperationJson),
        OperationProblems,
    ),
)]
pub(crate) async fn get_operation(
    req: HttpRequest,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let id = receive::read(&req, |_, errors| in_path(&req, "id", errors, parse_id))?;
    let operations = Arc::clone(&api.state.recovery);
    let reading = async move { operations.operation(id).await };
    let operation = read::within(&api, api.state.operations.settings.read_timeout, reading)
        .await?
        .filter(|operation| recovery::sees(&access::caller(&req), &operation.scope))
        .ok_or_else(|| not_found(id))?;
    Ok(HttpResponse::Ok().json(OperationJson::from(&operation)))
}

fn parse_id(text: &str) -> Result<Uuid, &'static str> {
    // The library also reads braces, URNs and digits without hyphens, which the API never writes.
    let hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
    Uuid::try_parse(text).ok().filter(|_| hyphenated).ok_or("must be a UUID")
}

fn not_found(id: Uuid) -> Problem {
    Problem::new(Code::OperationNotFound, format!("There is no operation {id}."))
}
