//! An event's metadata as JSON.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wallex_database::RowError;
use wallex_ports::{CorrelationId, EventMetadata, Traceparent};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetadataJson<'a> {
    #[serde(borrow)]
    correlation_id: std::borrow::Cow<'a, str>,
    causation_id: Uuid,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    traceparent: Option<std::borrow::Cow<'a, str>>,
}

/// The JSON that is stored for `metadata`.
#[must_use]
pub(crate) fn encode_metadata(metadata: &EventMetadata) -> String {
    serde_json::to_string(&MetadataJson {
        correlation_id: metadata.correlation_id.as_str().into(),
        causation_id: metadata.causation_id,
        traceparent: metadata.traceparent.as_ref().map(|t| t.as_str().into()),
    })
    .expect("invariant: strings always serialise")
}

pub(crate) fn decode_metadata(json: &str) -> Result<EventMetadata, RowError> {
    const COLUMN: &str = "metadata";
    let json: MetadataJson<'_> =
        serde_json::from_str(json).map_err(|error| RowError::new(COLUMN, error))?;
    let correlation_id = CorrelationId::parse(&json.correlation_id);
    let traceparent = json.traceparent.map(|t| Traceparent::parse(&t)).transpose();
    Ok(EventMetadata {
        correlation_id: correlation_id.map_err(|error| RowError::new(COLUMN, error))?,
        causation_id: json.causation_id,
        traceparent: traceparent.map_err(|error| RowError::new(COLUMN, error))?,
    })
}
