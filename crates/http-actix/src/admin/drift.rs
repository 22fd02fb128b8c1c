//! `POST /admin/recovery/drift`: compares the projections with the events.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use wallex_ports::OperationKind;

use super::json::OperationJson;
use super::openapi::BeginProblems;
use super::receive::{self, nothing_named};
use super::recovery::{ScopeBody, begin, read_scope};
use crate::access;
use crate::fields::Fields;
use crate::openapi::CorrelationHeader;
use crate::problem::Problem;
use crate::state::Api;

/// Look for drift
///
/// Compares what stands with the events, the write side's state too, and changes nothing. Without a
/// body: all wallets, and a trial balance, which is for operators of the server; anyone else names
/// one wallet of their own.
#[utoipa::path(
    post,
    path = "/admin/recovery/drift",
    operation_id = "checkDrift",
    tag = "admin",
    params(CorrelationHeader),
    request_body(content = ScopeBody),
    responses(
        (status = 202, description = "It has begun: see `Location`.", body = OperationJson),
        BeginProblems,
    ),
)]
pub(crate) async fn drift(
    req: HttpRequest,
    payload: Payload,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let fields = |fields: &mut Fields<'_>| read_scope(fields, &access::caller(&req).tenant);
    let ((), scope) = receive::write(&req, payload, &api, nothing_named, fields).await?;
    begin(&req, &api, OperationKind::Drift, scope).await
}
