//! An event as it is stored, and as a line of an export.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use wallex_database::{Row, RowError};
use wallex_domain::{EventHash, HashedEvent, canonical_json};

/// An event, column by column. Nothing is parsed: what was damaged must be readable, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredEvent {
    pub(crate) position: i64,
    pub(crate) tenant: String,
    pub(crate) wallet_id: String,
    pub(crate) version: i64,
    pub(crate) event_id: String,
    pub(crate) event_type: String,
    pub(crate) schema_version: i64,
    pub(crate) payload: String,
    pub(crate) metadata: String,
    pub(crate) recorded_at_ms: i64,
    /// `None` when it is not 32 bytes.
    pub(crate) hash: Option<EventHash>,
}

/// The columns of the events `e`, as [`StoredEvent::of_row`] reads them.
pub(crate) const COLUMNS: &str = "e.position, e.tenant, e.wallet_id, e.version, \
    CAST(e.event_id AS text) AS event_id, e.type, CAST(e.schema_version AS bigint) AS schema_version, \
    CAST(e.payload AS text) AS payload, CAST(e.metadata AS text) AS metadata, e.recorded_at_ms, e.hash";

impl StoredEvent {
    pub(crate) fn of_row(row: &Row) -> Result<Self, RowError> {
        Ok(Self {
            position: row.int("position")?,
            tenant: row.text("tenant")?,
            wallet_id: row.text("wallet_id")?,
            version: row.int("version")?,
            event_id: row.text("event_id")?,
            event_type: row.text("type")?,
            schema_version: row.int("schema_version")?,
            payload: row.text("payload")?,
            metadata: row.text("metadata")?,
            recorded_at_ms: row.int("recorded_at_ms")?,
            hash: row.hash("hash").ok(),
        })
    }

    /// What its hash must be, behind `previous`.
    pub(crate) fn hash_behind(&self, previous: EventHash) -> EventHash {
        HashedEvent {
            tenant: &self.tenant,
            wallet_id: &self.wallet_id,
            version: self.version,
            event_id: &self.event_id,
            event_type: &self.event_type,
            schema_version: self.schema_version,
            payload: &self.payload,
            metadata: &self.metadata,
            recorded_at_ms: self.recorded_at_ms,
        }
        .hash(previous)
    }

    /// The event as one line of JSON, without its end. Documents are written in their canonical form.
    pub(crate) fn to_line(&self) -> String {
        let document = |json: &str| {
            let object = canonical_json(json).filter(|canonical| canonical.starts_with('{'));
            object.map(|object| RawValue::from_string(object).expect("invariant: it is JSON"))
        };
        let (payload, metadata) = (document(&self.payload), document(&self.metadata));
        let line = Line {
            position: self.position,
            tenant: self.tenant.clone(),
            wallet_id: self.wallet_id.clone(),
            version: self.version,
            event_id: self.event_id.clone(),
            event_type: self.event_type.clone(),
            schema_version: self.schema_version,
            payload_text: payload.is_none().then(|| self.payload.clone()),
            payload,
            metadata_text: metadata.is_none().then(|| self.metadata.clone()),
            metadata,
            recorded_at_ms: self.recorded_at_ms,
            hash: self.hash,
        };
        serde_json::to_string(&line).expect("invariant: texts and integers always serialise")
    }

    /// Reads what [`to_line`](Self::to_line) wrote, and nothing else: a line that says the same in other
    /// bytes was not written by an export.
    pub(crate) fn of_line(text: &str) -> Result<Self, String> {
        let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let document = |json: Option<Box<RawValue>>, text: Option<String>, what: &str| {
            let json = json.map(|json| json.get().to_owned());
            json.or(text).ok_or_else(|| format!("there is no {what}"))
        };
        let event = Self {
            position: line.position,
            tenant: line.tenant,
            wallet_id: line.wallet_id,
            version: line.version,
            event_id: line.event_id,
            event_type: line.event_type,
            schema_version: line.schema_version,
            payload: document(line.payload, line.payload_text, "payload")?,
            metadata: document(line.metadata, line.metadata_text, "metadata")?,
            recorded_at_ms: line.recorded_at_ms,
            hash: line.hash,
        };
        if event.to_line() == text {
            Ok(event)
        } else {
            Err("it is not as an export writes it".to_owned())
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    position: i64,
    tenant: String,
    wallet_id: String,
    version: i64,
    event_id: String,
    #[serde(rename = "type")]
    event_type: String,
    schema_version: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<Box<RawValue>>,
    /// Instead of a payload that is no object in a canonical form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload_text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata_text: Option<String>,
    recorded_at_ms: i64,
    hash: Option<EventHash>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> StoredEvent {
        StoredEvent {
            position: 7,
            tenant: "default".to_owned(),
            wallet_id: "w-1".to_owned(),
            version: 2,
            event_id: "01890a5d-ac96-774b-bcce-b302099a8057".to_owned(),
            event_type: "WalletCredited".to_owned(),
            schema_version: 1,
            payload: r#"{"amount":5,"description":"\"é\""}"#.to_owned(),
            metadata: r#"{"correlationId":"req-1"}"#.to_owned(),
            recorded_at_ms: 1_767_225_600_007,
            hash: Some(EventHash::from_bytes([7; 32])),
        }
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = event().to_line();
        assert!(line.contains(r#""payload":{"amount":5,"description":"\"é\""},"#), "{line}");
        assert_eq!(StoredEvent::of_line(&line), Ok(event()));
        for odd in ["", "null", "7", "1.50", r#"{"a":1,"a":2}"#, "{\"a\":\n1.0}"] {
            let odd = StoredEvent { payload: odd.to_owned(), metadata: odd.to_owned(), ..event() };
            assert_eq!(StoredEvent::of_line(&odd.to_line()), Ok(odd));
        }
    }

    #[test]
    fn no_byte_of_a_line_can_be_changed_unnoticed() {
        let line = event().to_line();
        for i in 0..line.len() {
            let mut bytes = line.clone().into_bytes();
            bytes[i] ^= 1;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            assert_ne!(StoredEvent::of_line(&text), Ok(event()), "{text}");
        }
        for text in [line.replace(':', ": "), line.replacen('{', "{\"more\":1,", 1)] {
            assert!(StoredEvent::of_line(&text).is_err(), "{text}");
        }
    }
}
