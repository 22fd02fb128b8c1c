//! `GET /whoami`: whom the server takes the caller for, and what that allows.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;
use wallex_ports::{AccessScope, Caller};

use crate::openapi::{CorrelationHeader, LiveProblems};
use crate::problem::Problem;
use crate::{access, correlation, schema};

/// Who calls.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Whoami)]
pub(crate) struct WhoamiJson<'c> {
    #[schema(schema_with = schema::authentication)]
    authentication: &'static str,
    #[schema(schema_with = schema::caller_id)]
    caller: &'c str,
    #[schema(schema_with = schema::caller_name)]
    name: Option<&'c str>,
    #[schema(schema_with = schema::tenant)]
    tenant: &'c str,
    #[schema(schema_with = schema::access_scopes)]
    scopes: Vec<&'static str>,
    /// Whether it operates the whole server, and not only what belongs to its tenant.
    is_operator: bool,
}

impl<'c> From<&'c Caller> for WhoamiJson<'c> {
    fn from(caller: &'c Caller) -> Self {
        Self {
            authentication: if caller.is_open() { "off" } else { "on" },
            caller: &caller.id,
            name: caller.name.as_deref(),
            tenant: caller.tenant.as_str(),
            scopes: caller.scopes.iter().map(AccessScope::as_str).collect(),
            is_operator: caller.is_operator(),
        }
    }
}

/// Who calls
///
/// For anyone with a good credential, whatever it allows: what a program asks first that offers no
/// more than its user may do.
#[utoipa::path(
    get,
    path = "/whoami",
    operation_id = "whoami",
    tag = "operations",
    params(CorrelationHeader),
    responses(
        (status = 200, description = "The caller.", body = WhoamiJson<'static>),
        LiveProblems,
    ),
)]
pub(crate) async fn whoami(req: HttpRequest) -> Result<HttpResponse, Problem> {
    correlation::require_valid(&req)?;
    Ok(HttpResponse::Ok().json(WhoamiJson::from(access::caller(&req).as_ref())))
}
