//! `GET /admin/audit`: who did what.

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use wallex_domain::TenantId;
use wallex_ports::{AuditAction, AuditFilter, AuditLine};

use super::json::AuditListJson;
use super::openapi::{AuditQuery, ReadProblems};
use super::receive::{self, tenant_in_query};
use super::schemas::ACTOR_CHARS_MAX;
use crate::openapi::CorrelationHeader;
use crate::page::{LIMIT_DEFAULT, parse_limit};
use crate::problem::Problem;
use crate::state::Api;
use crate::{access, cursor, read};

/// Which page is asked for.
struct Page {
    tenant: Option<TenantId>,
    filter: AuditFilter,
    limit: u32,
}

/// List the audit log
///
/// Who did what to keys, projectors, dead letters and recovery, newest first. What is done leaves two
/// lines: that it was asked for, and what it came to; both have its `actId`. A key is changed together
/// with its one line. Lines about the caller's tenant; an operator of the server sees all, or those
/// about one tenant. Follow `nextCursor` until it is `null`.
#[utoipa::path(
    get,
    path = "/admin/audit",
    operation_id = "listAudit",
    tag = "admin",
    params(AuditQuery, CorrelationHeader),
    responses(
        (status = 200, description = "One page of the log.", body = AuditListJson),
        ReadProblems,
    ),
)]
pub(crate) async fn list_audit(req: HttpRequest, api: Data<Api>) -> Result<HttpResponse, Problem> {
    let Page { tenant, mut filter, limit } = receive::read(&req, |query, errors| {
        let tenant = tenant_in_query(query, errors);
        let filter = AuditFilter {
            tenant: None,
            actor: query.take("actor", parse_actor, errors),
            action: query.take("action", parse_action, errors),
            below: query.take("cursor", |text| cursor::AUDIT.decode(text), errors),
        };
        let limit = query.take("limit", parse_limit, errors).unwrap_or(LIMIT_DEFAULT);
        Some(Page { tenant, filter, limit })
    })?;
    let caller = access::caller(&req);
    filter.tenant = caller.listed_tenant(tenant);
    let is_theirs = filter.tenant.as_ref().is_none_or(|tenant| caller.sees(tenant));
    let log = Arc::clone(&api.state.audit);
    let reading = async move {
        // One more tells whether there is another page.
        if is_theirs { log.list(&filter, limit + 1).await } else { Ok(Vec::new()) }
    };
    let lines = read::within(&api, api.state.operations.settings.read_timeout, reading).await?;
    Ok(HttpResponse::Ok().json(page_of(lines, limit)))
}

fn page_of(mut lines: Vec<AuditLine>, limit: u32) -> AuditListJson {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_last = lines.len() <= limit;
    lines.truncate(limit);
    let last = lines.last().filter(|_| !is_last);
    let next_cursor = last.map(|line| cursor::AUDIT.encode(line.position));
    AuditListJson::new(&lines, next_cursor)
}

fn parse_actor(text: &str) -> Result<String, String> {
    let fits = (1..=ACTOR_CHARS_MAX).contains(&text.chars().count());
    if fits && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(format!("must be 1 to {ACTOR_CHARS_MAX} characters without control characters"))
}

fn parse_action(text: &str) -> Result<AuditAction, String> {
    AuditAction::parse(text).ok_or_else(|| {
        let names = AuditAction::ALL.map(AuditAction::as_str);
        format!("must be one of {}", names.join(", "))
    })
}
