//! `POST /admin/recovery/rebuild`: puts the projections right.

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

/// Rebuild the projections
///
/// Compares what stands with the events, and puts right what differs, while everything goes on. One
/// that was interrupted goes on where it stood when it is asked for again. Without a body: all
/// wallets, which is for operators of the server; anyone else names one wallet of their own.
#[utoipa::path(
    post,
    path = "/admin/recovery/rebuild",
    operation_id = "rebuild",
    tag = "admin",
    params(CorrelationHeader),
    request_body(content = ScopeBody),
    responses(
        (status = 202, description = "It has begun: see `Location`.", body = OperationJson),
        BeginProblems,
    ),
)]
pub(crate) async fn rebuild(
    req: HttpRequest,
    payload: Payload,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let fields = |fields: &mut Fields<'_>| read_scope(fields, &access::caller(&req).tenant);
    let ((), scope) = receive::write(&req, payload, &api, nothing_named, fields).await?;
    begin(&req, &api, OperationKind::Rebuild, scope).await
}
