//! The fuzz target of stored events.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use crate::{
    DecodeError, MAX_MINOR_UNITS, Movement, SCHEMA_VERSION, Wallet, WalletEvent, WalletId,
};

const TYPES: [&str; 3] = ["WalletCreated", "WalletCredited", "WalletDebited"];

/// A stored event: `TYPE VERSION PAYLOAD`. What is read is written again as it was meant, says no more
/// than what was stored, and is within its limits; what is not, says why.
///
/// # Panics
/// When that does not hold.
pub fn event_json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.splitn(3, ' ');
    let (Some(event_type), Some(version), Some(payload)) =
        (parts.next(), parts.next(), parts.next())
    else {
        return;
    };
    let Ok(version) = version.parse() else { return };
    match WalletEvent::decode(event_type, version, payload) {
        Ok(event) => check_read(&event, event_type, version, payload),
        Err(DecodeError::UnknownType { .. }) => assert!(!TYPES.contains(&event_type)),
        Err(DecodeError::UnknownSchema { found, .. }) => {
            assert!(found == version && !(1..=SCHEMA_VERSION).contains(&version));
        }
        Err(error @ DecodeError::Payload { .. }) => assert!(!error.to_string().is_empty()),
    }
}

fn check_read(event: &WalletEvent, event_type: &str, version: u16, payload: &str) {
    assert!((1..=SCHEMA_VERSION).contains(&version), "{version} is known");
    let written = event.encode();
    assert_eq!((written.event_type, written.schema_version), (event_type, SCHEMA_VERSION));
    let again = WalletEvent::decode(written.event_type, written.schema_version, &written.payload);
    assert_eq!(again.ok().as_ref(), Some(event), "what is written is read as what it was");

    let stored: BTreeMap<String, Value> = serde_json::from_str(payload).expect("a JSON object");
    let kept: BTreeMap<String, Value> = serde_json::from_str(&written.payload).expect("an object");
    if version == SCHEMA_VERSION {
        assert_eq!(kept, as_written(stored), "nothing is added, and nothing lost");
    }
    // A second member of one name is refused, and so is one that is not known.
    let members = payload.trim_start().strip_prefix('{').expect("an object");
    let first = kept.iter().next().expect("no event is empty");
    for (name, value) in [first, (&"more".to_owned(), &Value::Null)] {
        let longer = format!("{{\"{name}\":{value},{members}");
        assert!(WalletEvent::decode(event_type, version, &longer).is_err(), "{longer}");
    }
    check_limits(event);
}

/// `stored`, as this program would have written it: without what is null, and a UUID has one form.
fn as_written(mut stored: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    stored.retain(|_, value| !value.is_null());
    if let Some(id) = stored.get_mut("transfer").and_then(|leg| leg.get_mut("transferId")) {
        let uuid = Uuid::parse_str(id.as_str().expect("a text")).expect("a UUID");
        *id = uuid.to_string().into();
    }
    stored
}

fn check_limits(event: &WalletEvent) {
    let within = |minor_units: i64, min: i64| (min..=MAX_MINOR_UNITS).contains(&minor_units);
    match event {
        WalletEvent::Created { owner_id, initial_balance, .. } => {
            assert!(within(initial_balance.minor_units(), 0));
            assert!((1..=128).contains(&owner_id.as_str().chars().count()));
            let id = WalletId::parse("w-1").expect("valid");
            let wallet = Wallet::fold(&id, [event]).expect("a creation follows from nothing");
            assert_eq!(wallet.map(|wallet| wallet.balance()), Some(*initial_balance));
        }
        WalletEvent::Credited(movement) | WalletEvent::Debited(movement) => {
            let Movement { amount, balance_after, description, reference, .. } = movement;
            assert!(within(amount.minor_units(), 1) && within(balance_after.minor_units(), 0));
            let chars = |text: &str| text.chars().count();
            assert!(description.as_ref().is_none_or(|text| chars(text.as_str()) <= 500));
            assert!(reference.as_ref().is_none_or(|text| chars(text.as_str()) <= 128));
        }
    }
}

#[cfg(test)]
mod corpus {
    wallex_fuzz_corpus::replay_corpus!(event_json);
}
