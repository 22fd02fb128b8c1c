//! Lines of the audit log.

use serde::Serialize;
use utoipa::ToSchema;
use wallex_ports::AuditLine;

use crate::admin::schemas;
use crate::schema;
use crate::wallet::rfc3339;

/// One page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = AuditPage)]
pub struct AuditListJson {
    /// The lines, newest first.
    #[schema(max_items = 200)]
    items: Vec<AuditLineJson>,
    #[schema(schema_with = schema::next_audit_cursor, required = true)]
    next_cursor: Option<String>,
}

impl AuditListJson {
    /// A page of `lines`; `next_cursor` is where the next one begins.
    #[must_use]
    pub fn new(lines: &[AuditLine], next_cursor: Option<String>) -> Self {
        Self { items: lines.iter().map(AuditLineJson::from).collect(), next_cursor }
    }
}

/// Something that was done, or is about to be.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = AuditLine)]
pub(crate) struct AuditLineJson {
    /// The line's place in the log. There are no holes: a number that is missing was removed.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    position: u64,
    #[schema(schema_with = schemas::act_id)]
    act_id: String,
    /// When the line was written.
    #[schema(format = DateTime, examples("2026-01-01T00:00:00.000Z"))]
    at: String,
    #[schema(schema_with = schema::tenant)]
    tenant: String,
    /// Who: `key:` and an API key's id, `cli:` and a user of the machine, `open` where no credential is
    /// needed.
    #[schema(examples("key:2b7kq0a9x1mz"))]
    actor: String,
    #[schema(schema_with = schemas::audit_action)]
    action: String,
    /// To what: a key, a projector, a projector and a wallet, a wallet; `*` for all.
    #[schema(examples("ledger"))]
    target: String,
    #[schema(schema_with = schemas::audit_outcome)]
    outcome: &'static str,
    /// What else was asked, what it came to, or why it failed; may be empty.
    details: String,
    /// The request's correlation id; `null` on the command line.
    #[schema(required = true)]
    correlation_id: Option<String>,
}

impl From<&AuditLine> for AuditLineJson {
    fn from(line: &AuditLine) -> Self {
        Self {
            position: line.position,
            act_id: line.act_id.to_string(),
            at: rfc3339(line.at),
            tenant: line.tenant.to_string(),
            actor: line.actor.clone(),
            action: line.action.clone(),
            target: line.target.clone(),
            outcome: line.outcome.as_str(),
            details: line.details.clone(),
            correlation_id: line.correlation_id.clone(),
        }
    }
}
