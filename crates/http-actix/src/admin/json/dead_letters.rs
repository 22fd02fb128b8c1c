//! Dead letters, and what became of them.

use serde::Serialize;
use utoipa::ToSchema;
use wallex_ports::{DeadLetter, Replay, StoredEvent};

use crate::admin::schemas;
use crate::schema;
use crate::wallet::rfc3339;

/// One page of dead letters.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = DeadLetterPage)]
pub struct DeadLetterListJson {
    /// By projector and wallet.
    #[schema(max_items = 200)]
    items: Vec<DeadLetterJson>,
    #[schema(schema_with = schemas::next_cursor, required = true)]
    next_cursor: Option<String>,
}

impl DeadLetterListJson {
    /// A page of `letters`; `next_cursor` is where the next one begins.
    #[must_use]
    pub fn new(letters: &[DeadLetter], next_cursor: Option<String>) -> Self {
        Self { items: letters.iter().map(DeadLetterJson::from).collect(), next_cursor }
    }
}

/// A wallet that a projector has parked, at the event that it could not apply.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = DeadLetter)]
pub struct DeadLetterJson {
    /// The projector.
    #[schema(examples("ledger"))]
    projector: String,
    /// The wallet's tenant.
    #[schema(examples("default"))]
    tenant: String,
    #[schema(schema_with = schema::wallet_id)]
    wallet_id: String,
    /// The wallet's shard.
    shard: u16,
    /// The event's version in the wallet.
    version: u64,
    /// The event's position in the shard.
    position: u64,
    #[schema(schema_with = schema::event_id)]
    event_id: String,
    /// The event's type, as stored: one that is not known, it may be.
    event_type: String,
    /// Why it could not be applied.
    error: String,
    /// How often it was tried.
    attempts: u64,
    /// Events of the wallet that wait behind it.
    queued_events: u64,
    /// When the wallet was parked.
    #[schema(format = DateTime, examples("2026-01-01T00:00:00.000Z"))]
    parked_at: String,
    /// When it was last tried.
    #[schema(format = DateTime, examples("2026-01-01T00:00:00.000Z"))]
    tried_at: String,
}

impl From<&DeadLetter> for DeadLetterJson {
    fn from(letter: &DeadLetter) -> Self {
        Self {
            projector: letter.projector.clone(),
            tenant: letter.wallet.tenant.to_string(),
            wallet_id: letter.wallet.wallet_id.to_string(),
            shard: letter.shard,
            version: letter.version,
            position: letter.position,
            event_id: letter.event_id.to_string(),
            event_type: letter.event_type.clone(),
            error: letter.error.clone(),
            attempts: letter.attempts,
            queued_events: letter.queued_events,
            parked_at: rfc3339(letter.parked_at),
            tried_at: rfc3339(letter.tried_at),
        }
    }
}

/// A dead letter and its event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = DeadLetterDetail)]
pub struct DeadLetterDetailJson {
    dead_letter: DeadLetterJson,
    /// `null` when the event is gone.
    #[schema(required = true)]
    event: Option<StoredEventJson>,
}

impl DeadLetterDetailJson {
    /// `letter` and its event, if there is one still.
    #[must_use]
    pub fn new(letter: &DeadLetter, event: Option<&StoredEvent>) -> Self {
        Self { dead_letter: letter.into(), event: event.map(StoredEventJson::from) }
    }
}

/// An event as it is stored: its JSON is given as text, for it may be none.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = StoredEvent)]
pub(crate) struct StoredEventJson {
    /// The version of the payload's shape.
    schema_version: i64,
    /// What happened.
    #[schema(examples(r#"{"amount":250}"#))]
    payload: String,
    /// Where it came from.
    metadata: String,
    #[schema(schema_with = schema::recorded_at)]
    recorded_at: String,
}

impl From<&StoredEvent> for StoredEventJson {
    fn from(event: &StoredEvent) -> Self {
        Self {
            schema_version: event.schema_version,
            payload: event.payload.clone(),
            metadata: event.metadata.clone(),
            recorded_at: rfc3339(event.recorded_at),
        }
    }
}

/// What trying the events of a parked wallet again came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Replay)]
pub struct ReplayJson {
    #[schema(schema_with = schemas::replay_outcome)]
    outcome: &'static str,
    /// How many events were applied; `null` when the wallet is still parked.
    #[schema(required = true)]
    applied_events: Option<u64>,
    /// Where the wallet is parked now; `null` when it no longer is.
    #[schema(required = true)]
    dead_letter: Option<DeadLetterJson>,
}

impl From<&Replay> for ReplayJson {
    fn from(replay: &Replay) -> Self {
        match replay {
            Replay::Applied { events } => {
                Self { outcome: "applied", applied_events: Some(*events), dead_letter: None }
            }
            Replay::StillParked(letter) => Self {
                outcome: "still_parked",
                applied_events: None,
                dead_letter: Some(letter.as_ref().into()),
            },
        }
    }
}
