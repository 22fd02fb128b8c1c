//! The bytes that an event's hash covers, frozen. A vector that was shipped never changes: histories were
//! written by it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::Value;
use wallex_domain::{EventHash, HashedEvent};

/// One wallet's history, an event a line: the fields as they are stored, and the hash.
const HISTORY: &str = include_str!("golden/event_hashes.v1.jsonl");

struct Vector {
    fields: Value,
    hash: EventHash,
}

impl Vector {
    fn all() -> Vec<Self> {
        let vector = |line: &str| {
            let fields: Value = serde_json::from_str(line).unwrap();
            let hash = fields["hash"].as_str().unwrap().parse().unwrap();
            Self { fields, hash }
        };
        HISTORY.lines().map(vector).collect()
    }

    fn event(&self) -> HashedEvent<'_> {
        let text = |name: &str| self.fields[name].as_str().unwrap();
        let number = |name: &str| self.fields[name].as_i64().unwrap();
        HashedEvent {
            tenant: text("tenant"),
            wallet_id: text("walletId"),
            version: number("version"),
            event_id: text("eventId"),
            event_type: text("type"),
            schema_version: number("schemaVersion"),
            payload: text("payload"),
            metadata: text("metadata"),
            recorded_at_ms: number("recordedAtMs"),
        }
    }
}

#[test]
fn every_shipped_hash_is_that_of_its_event() {
    let mut previous = EventHash::BEFORE_FIRST;
    for vector in Vector::all() {
        assert_eq!(vector.event().hash(previous), vector.hash, "{}", vector.fields);
        previous = vector.hash;
    }
}

#[test]
fn every_field_and_the_event_before_change_the_hash() {
    let vectors = Vector::all();
    let before = vectors[0].hash;
    let event = vectors[1].event();
    let others = [
        HashedEvent { tenant: "other", ..event },
        HashedEvent { wallet_id: "other", ..event },
        HashedEvent { version: 3, ..event },
        HashedEvent { event_id: "01890a5d-ac96-774b-bcce-b302099a8058", ..event },
        HashedEvent { event_type: "WalletDebited", ..event },
        HashedEvent { schema_version: 2, ..event },
        HashedEvent { payload: "{}", ..event },
        HashedEvent { metadata: "{}", ..event },
        HashedEvent { recorded_at_ms: event.recorded_at_ms + 1, ..event },
    ];
    assert_eq!(event.hash(before), vectors[1].hash);
    assert_ne!(event.hash(EventHash::BEFORE_FIRST), vectors[1].hash);
    for other in others {
        assert_ne!(other.hash(before), vectors[1].hash, "{other:?}");
    }
}

#[test]
fn what_moves_from_one_field_to_the_next_changes_the_hash() {
    let vectors = Vector::all();
    let event = HashedEvent { tenant: "ab", wallet_id: "c", ..vectors[0].event() };
    let moved = HashedEvent { tenant: "a", wallet_id: "bc", ..event };
    let hash = |event: HashedEvent<'_>| event.hash(EventHash::BEFORE_FIRST);
    assert_ne!(hash(event), hash(moved));
    // A text that looks like the canonical form of a document, and is none.
    let (document, text) = (r#"{"a":1}"#, r#"{"a":1.0}"#);
    assert_ne!(
        hash(HashedEvent { payload: document, ..event }),
        hash(HashedEvent { payload: text, ..event })
    );
}

#[test]
fn how_a_database_keeps_a_document_makes_no_difference() {
    let vectors = Vector::all();
    let event = vectors[1].event();
    let kept = serde_json::to_string_pretty(&serde_json::from_str::<Value>(event.payload).unwrap());
    let kept = kept.unwrap();
    assert_ne!(kept, event.payload);
    assert_eq!(HashedEvent { payload: &kept, ..event }.hash(vectors[0].hash), vectors[1].hash);
}

#[test]
fn a_hash_is_read_as_it_is_written() {
    let hash = EventHash::from_bytes(std::array::from_fn(|i| u8::try_from(i * 8).unwrap()));
    assert_eq!(hash.to_string().parse(), Ok(hash));
    for bad in ["", "0", &"A".repeat(64), &"g".repeat(64), &"0".repeat(63), &"0".repeat(65)] {
        assert!(bad.parse::<EventHash>().is_err(), "{bad}");
    }
    assert!(EventHash::try_from(&[0_u8; 31][..]).is_err());
}

#[test]
fn a_hash_is_its_bytes() {
    let bytes = std::array::from_fn(|i| u8::try_from(i).unwrap());
    assert_eq!(EventHash::from_bytes(bytes).as_bytes(), &bytes);
}
