//! Projectors as operators see them.

use serde::Serialize;
use utoipa::ToSchema;
use wallex_ports::{ProjectorStatus, Timestamp};

use crate::admin::schemas;
use crate::wallet::rfc3339;

/// Every projector in every shard.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProjectorList)]
pub struct ProjectorListJson {
    /// By name and shard.
    items: Vec<ProjectorJson>,
}

impl From<&[ProjectorStatus]> for ProjectorListJson {
    fn from(statuses: &[ProjectorStatus]) -> Self {
        Self { items: statuses.iter().map(ProjectorJson::from).collect() }
    }
}

/// One projector in one shard.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Projector)]
pub struct ProjectorJson {
    /// Its name.
    #[schema(examples("read_model"))]
    name: String,
    /// The shard.
    shard: u16,
    #[schema(schema_with = schemas::projector_state)]
    state: &'static str,
    /// The position of the last event that it has applied.
    position: u64,
    /// The position of the shard's last event.
    head: u64,
    /// How many events it has not applied yet.
    lag_events: u64,
    /// Age of the oldest event that it has not applied, in milliseconds; 0 when there is none.
    lag_age_ms: u64,
    /// Events a second that its holder applied lately.
    events_per_second: u64,
    /// The process that holds its lease; `null` when none does.
    #[schema(required = true)]
    holder: Option<String>,
    /// How often the lease has changed hands.
    epoch: u64,
    /// When its checkpoint last moved.
    #[schema(format = DateTime, examples("2026-01-01T00:00:00.000Z"))]
    updated_at: String,
    /// What it last failed at; `null` once it has applied something since.
    #[schema(required = true)]
    last_error: Option<FailureJson>,
    /// Wallets that it has parked: see `/admin/dead-letters`.
    parked_wallets: u64,
}

/// What a projector failed at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProjectorFailure)]
pub(crate) struct FailureJson {
    /// What went wrong.
    message: String,
    /// When.
    #[schema(format = DateTime, examples("2026-01-01T00:00:00.000Z"))]
    at: String,
}

impl From<&(String, Timestamp)> for FailureJson {
    fn from((message, at): &(String, Timestamp)) -> Self {
        Self { message: message.clone(), at: rfc3339(*at) }
    }
}

impl From<&ProjectorStatus> for ProjectorJson {
    fn from(status: &ProjectorStatus) -> Self {
        Self {
            name: status.projector.clone(),
            shard: status.shard,
            state: status.state.as_str(),
            position: status.position,
            head: status.head,
            lag_events: status.lag_events(),
            lag_age_ms: status.lag_age_ms,
            events_per_second: status.events_per_second,
            holder: status.holder.clone(),
            epoch: status.epoch,
            updated_at: rfc3339(status.updated_at),
            last_error: status.last_error.as_ref().map(FailureJson::from),
            parked_wallets: status.parked_wallets,
        }
    }
}
