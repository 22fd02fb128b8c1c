//! `GET /admin/dead-letters`: the wallets that projectors have parked.

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use wallex_domain::TenantId;
use wallex_ports::{DeadLetter, SteerError, WalletKey};

use super::cursor;
use super::json::DeadLetterListJson;
use super::openapi::{DeadLettersQuery, ListProblems};
use super::receive::{self, parse_projector, tenant_in_query};
use crate::access;
use crate::openapi::CorrelationHeader;
use crate::page::{LIMIT_DEFAULT, parse_limit};
use crate::problem::Problem;
use crate::read;
use crate::state::Api;

/// Which page is asked for.
struct Page {
    tenant: Option<TenantId>,
    projector: Option<String>,
    limit: u32,
    after: Option<(String, WalletKey)>,
}

/// List dead letters
///
/// Each is a wallet that a projector has parked: at an event that it could not apply, with those
/// behind it. Those of the caller's tenant; an operator of the server sees all, or those of one tenant.
/// Follow `nextCursor` until it is `null`.
#[utoipa::path(
    get,
    path = "/admin/dead-letters",
    operation_id = "listDeadLetters",
    tag = "admin",
    params(DeadLettersQuery, CorrelationHeader),
    responses(
        (status = 200, description = "One page of them.", body = DeadLetterListJson),
        ListProblems,
    ),
)]
pub(crate) async fn list_dead_letters(
    req: HttpRequest,
    api: Data<Api>,
) -> Result<HttpResponse, Problem> {
    let page = receive::read(&req, |query, errors| {
        let tenant = tenant_in_query(query, errors);
        let projector = query.take("projector", parse_projector, errors);
        let limit = query.take("limit", parse_limit, errors).unwrap_or(LIMIT_DEFAULT);
        let after = query.take("cursor", cursor::decode, errors);
        Some(Page { tenant, projector, limit, after })
    })?;
    let caller = access::caller(&req);
    let tenant = caller.listed_tenant(page.tenant);
    let is_theirs = tenant.as_ref().is_none_or(|tenant| caller.sees(tenant));
    let limit = page.limit;
    let state = &api.state;
    let (projectors, dead_letters) =
        (Arc::clone(&state.projectors), Arc::clone(&state.dead_letters));
    let reading = async move {
        // A misspelt name should not read as "nothing is parked".
        if let Some(name) = &page.projector
            && !projectors.status().await?.iter().any(|status| status.projector == *name)
        {
            return Err(SteerError::UnknownProjector);
        }
        let after = page.after.as_ref().map(|(projector, wallet)| (projector.as_str(), wallet));
        if !is_theirs {
            return Ok(Vec::new());
        }
        // One more tells whether there is another page.
        Ok(dead_letters
            .list(tenant.as_ref(), page.projector.as_deref(), after, page.limit + 1)
            .await?)
    };
    let letters = read::within(&api, state.operations.settings.read_timeout, reading).await?;
    Ok(HttpResponse::Ok().json(page_of(letters, limit)))
}

fn page_of(mut letters: Vec<DeadLetter>, limit: u32) -> DeadLetterListJson {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_last = letters.len() <= limit;
    letters.truncate(limit);
    let next_cursor = letters.last().filter(|_| !is_last).map(cursor::encode);
    DeadLetterListJson::new(&letters, next_cursor)
}
