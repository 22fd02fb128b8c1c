//! Where an event came from, and the JSON that is stored for it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{BoxError, CorrelationId, Traceparent};

/// What is stored with an event beside its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventMetadata {
    /// The request's correlation id.
    pub correlation_id: CorrelationId,
    /// The command that caused the event; both legs of a transfer share it.
    pub causation_id: Uuid,
    /// The trace that the request belongs to.
    pub traceparent: Option<Traceparent>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetadataJson<'a> {
    #[serde(borrow)]
    correlation_id: Cow<'a, str>,
    causation_id: Uuid,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    traceparent: Option<Cow<'a, str>>,
}

impl EventMetadata {
    /// The JSON that is stored.
    #[must_use]
    pub fn encode(&self) -> String {
        serde_json::to_string(&MetadataJson {
            correlation_id: self.correlation_id.as_str().into(),
            causation_id: self.causation_id,
            traceparent: self.traceparent.as_ref().map(|t| t.as_str().into()),
        })
        .expect("invariant: strings always serialise")
    }

    /// Reads what is stored.
    ///
    /// # Errors
    /// When it is not what [`encode`](Self::encode) writes.
    pub fn decode(json: &str) -> Result<Self, BoxError> {
        let json: MetadataJson<'_> = serde_json::from_str(json)?;
        Ok(Self {
            correlation_id: CorrelationId::parse(&json.correlation_id)?,
            causation_id: json.causation_id,
            traceparent: json.traceparent.map(|t| Traceparent::parse(&t)).transpose()?,
        })
    }
}
