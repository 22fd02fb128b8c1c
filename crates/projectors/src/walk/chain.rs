//! Whether events are what was written: each one's hash against the event, and the hash before it.
//!
//! Only a drift check looks. A rebuild follows the events as they are, and never changes a chain.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wallex_database::{Row, RowError};
use wallex_domain::{EventHash, HashedEvent};
use wallex_ports::{Difference, Place, WalletKey};

use super::page::WalletKeyJson;
use crate::event::Event;

/// What stands of an event that its hash covers beside what an [`Event`] holds, and the hash.
#[derive(Debug)]
pub struct Written {
    /// The hash, or why it can't be read.
    pub hash: Result<EventHash, String>,
    /// What it covers, or why that can't be read.
    pub content: Result<Content, RowError>,
}

/// The text of an event, as it is stored.
#[derive(Debug)]
pub struct Content {
    /// Its identity.
    pub event_id: String,
    /// The schema version that it was written with.
    pub schema_version: i64,
    /// What happened.
    pub payload: String,
    /// Where it came from.
    pub metadata: String,
}

impl Written {
    pub(crate) fn of_row(row: &Row) -> Self {
        let content = || {
            Ok(Content {
                event_id: row.text("event_id")?,
                schema_version: row.int("schema_version")?,
                payload: row.text("payload")?,
                metadata: row.text("metadata")?,
            })
        };
        let hash = row.hash("hash").map_err(|error| crate::projector::sentence(&error));
        Self { hash, content: content() }
    }
}

/// The last event that was met.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Link {
    #[serde(with = "WalletKeyJson")]
    key: WalletKey,
    version: u64,
    /// Its hash, as it stands; `None` when it has none that can be read.
    hash: Option<EventHash>,
}

/// The chains of a page.
#[derive(Debug, Default)]
pub(super) struct Chains {
    /// Where they stand.
    pub(super) last: Option<Link>,
    /// The last hash of each wallet that was met.
    pub(super) heads: BTreeMap<WalletKey, EventHash>,
    /// What is not as it was written.
    pub(super) faults: Vec<Difference>,
}

impl Chains {
    /// Behind the event of `last`.
    pub(super) fn behind(last: Option<Link>) -> Self {
        let mut chains = Self { last, ..Self::default() };
        if let Some(Link { key, hash: Some(hash), .. }) = &chains.last {
            chains.heads.insert(key.clone(), *hash);
        }
        chains
    }

    /// Looks at the next event, and at what stands of it.
    pub(super) fn meet(&mut self, event: &Event, written: Written) -> Result<(), RowError> {
        let last = self.last.take_if(|last| last.key == event.wallet);
        let (version, previous) = match &last {
            // A page may begin with events that were met before.
            Some(last) if event.version <= last.version => {
                self.last = last.clone().into();
                return Ok(());
            }
            Some(last) => (last.version, last.hash),
            None => (0, Some(EventHash::BEFORE_FIRST)),
        };
        let Written { hash, content } = written;
        match (&hash, previous) {
            (Err(error), _) => self.fault(event, "32 bytes".to_owned(), error.clone()),
            (Ok(_), _) if event.version != version + 1 => {
                let missing = match event.version - version {
                    2 => format!("version {} is missing", version + 1),
                    _ => format!("versions {} to {} are missing", version + 1, event.version - 1),
                };
                self.fault(event, format!("version {}", version + 1), missing);
            }
            // What stood before has no hash that could be built on.
            (Ok(_), None) => {}
            (Ok(hash), Some(previous)) => {
                let expected = hash_of(event, &content?, previous);
                if *hash != expected {
                    let found =
                        format!("{}: it, or the event before it, was changed", short(*hash));
                    self.fault(event, short(expected), found);
                }
            }
        }
        let (key, version) = (event.wallet.clone(), event.version);
        let hash = hash.ok();
        if let Some(hash) = hash {
            self.heads.insert(key.clone(), hash);
        }
        self.last = Some(Link { key, version, hash });
        Ok(())
    }

    fn fault(&mut self, event: &Event, expected: String, found: String) {
        self.faults.push(Difference {
            tenant: event.wallet.tenant.to_string(),
            wallet_id: event.wallet.wallet_id.to_string(),
            place: Place::Events,
            version: Some(event.version),
            what: "hash".to_owned(),
            expected: Some(expected),
            found: Some(found),
            difference_minor: None,
        });
    }
}

/// As much of a hash as fits into a line.
fn short(hash: EventHash) -> String {
    format!("{:.12}…", hash.to_string())
}

fn hash_of(event: &Event, content: &Content, previous: EventHash) -> EventHash {
    let event = HashedEvent {
        tenant: event.wallet.tenant.as_str(),
        wallet_id: event.wallet.wallet_id.as_str(),
        version: event.version.cast_signed(),
        event_id: &content.event_id,
        event_type: &event.event_type,
        schema_version: content.schema_version,
        payload: &content.payload,
        metadata: &content.metadata,
        recorded_at_ms: event.recorded_at.unix_ms(),
    };
    event.hash(previous)
}
