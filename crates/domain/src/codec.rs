//! Events as JSON: a frozen shape for each type and schema version, and upcasters between them.
//!
//! What is stored never changes, so a shape that was shipped never changes either: the golden files
//! in `tests/golden/` hold it. A new shape gets the next [`SCHEMA_VERSION`] and an upcaster that
//! turns the old JSON into the new; readers then know one shape only.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::{
    Amount, Balance, Currency, Description, Movement, OwnerId, Reference, TransferId, TransferLeg,
    WalletEvent, WalletId,
};

/// The schema version that [`WalletEvent::encode`] writes.
pub const SCHEMA_VERSION: u16 = 1;

const CREATED: &str = "WalletCreated";
const CREDITED: &str = "WalletCredited";
const DEBITED: &str = "WalletDebited";

/// An event as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedEvent {
    /// `WalletCreated`, `WalletCredited` or `WalletDebited`.
    pub event_type: &'static str,
    /// The version of the payload's shape.
    pub schema_version: u16,
    /// The payload, a JSON object.
    pub payload: String,
}

/// Why a stored event can't be read.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// A type that this version of Wallex does not know.
    #[error("unknown event type {event_type:?}")]
    UnknownType {
        /// The type as stored.
        event_type: String,
    },
    /// A schema version that this version of Wallex does not know.
    #[error("{event_type} has schema version {found}, this program knows 1 to {SCHEMA_VERSION}")]
    UnknownSchema {
        /// The event's type.
        event_type: String,
        /// The schema version as stored.
        found: u16,
    },
    /// The payload is not what its type and schema version say.
    #[error("the payload of a {event_type} is not readable")]
    Payload {
        /// The event's type.
        event_type: String,
        /// What was wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreatedJson {
    owner_id: OwnerId,
    currency: Currency,
    initial_balance: Balance,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MovementJson {
    amount: Amount,
    balance: Balance,
    currency: Currency,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Description>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer: Option<Object<LegJson>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LegJson {
    transfer_id: TransferId,
    counterparty_wallet_id: WalletId,
}

/// A `T` that stands as a JSON object. serde alone would take an array of its fields' values, too,
/// which no event was ever stored as.
#[derive(Serialize)]
#[serde(transparent)]
struct Object<T>(T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

impl From<&Movement> for MovementJson {
    fn from(m: &Movement) -> Self {
        Self {
            amount: m.amount,
            balance: m.balance_after,
            currency: m.currency,
            description: m.description.clone(),
            reference: m.reference.clone(),
            transfer: m.transfer.as_ref().map(|leg| {
                Object(LegJson {
                    transfer_id: leg.transfer_id,
                    counterparty_wallet_id: leg.counterparty.clone(),
                })
            }),
        }
    }
}

impl From<MovementJson> for Movement {
    fn from(json: MovementJson) -> Self {
        Self {
            amount: json.amount,
            balance_after: json.balance,
            currency: json.currency,
            description: json.description,
            reference: json.reference,
            transfer: json.transfer.map(|Object(leg)| TransferLeg {
                transfer_id: leg.transfer_id,
                counterparty: leg.counterparty_wallet_id,
            }),
        }
    }
}

impl WalletEvent {
    /// The type under which it is stored.
    #[must_use]
    pub const fn event_type(&self) -> &'static str {
        match self {
            Self::Created { .. } => CREATED,
            Self::Credited(_) => CREDITED,
            Self::Debited(_) => DEBITED,
        }
    }

    /// The event as it is stored.
    #[must_use]
    pub fn encode(&self) -> EncodedEvent {
        let payload = match self {
            Self::Created { owner_id, currency, initial_balance } => {
                serde_json::to_string(&CreatedJson {
                    owner_id: owner_id.clone(),
                    currency: *currency,
                    initial_balance: *initial_balance,
                })
            }
            Self::Credited(m) | Self::Debited(m) => serde_json::to_string(&MovementJson::from(m)),
        }
        .expect("invariant: strings and integers always serialise");
        EncodedEvent { event_type: self.event_type(), schema_version: SCHEMA_VERSION, payload }
    }

    /// Reads a stored event, whatever schema version it was written with.
    ///
    /// # Errors
    /// When the type or the schema version is unknown, or the payload is not of that shape.
    pub fn decode(
        event_type: &str,
        schema_version: u16,
        payload: &str,
    ) -> Result<Self, DecodeError> {
        let unreadable = |source| DecodeError::Payload { event_type: event_type.into(), source };
        if ![CREATED, CREDITED, DEBITED].contains(&event_type) {
            return Err(DecodeError::UnknownType { event_type: event_type.into() });
        }
        if schema_version == 0 || schema_version > SCHEMA_VERSION {
            let event_type = event_type.into();
            return Err(DecodeError::UnknownSchema { event_type, found: schema_version });
        }
        // The common case reads straight into the struct; only old shapes pass through a tree.
        if schema_version == SCHEMA_VERSION {
            return Self::from_current(event_type, payload).map_err(unreadable);
        }
        let old: Value = serde_json::from_str(payload).map_err(unreadable)?;
        let current = upcast(UPCASTERS, event_type, schema_version, old);
        Self::from_current(event_type, &current.to_string()).map_err(unreadable)
    }

    fn from_current(event_type: &str, payload: &str) -> Result<Self, serde_json::Error> {
        let movement = || {
            serde_json::from_str(payload).map(|Object::<MovementJson>(json)| Movement::from(json))
        };
        Ok(match event_type {
            CREATED => {
                let Object::<CreatedJson>(json) = serde_json::from_str(payload)?;
                Self::Created {
                    owner_id: json.owner_id,
                    currency: json.currency,
                    initial_balance: json.initial_balance,
                }
            }
            CREDITED => Self::Credited(movement()?),
            _ => Self::Debited(movement()?),
        })
    }
}

/// Turns the JSON of one type from one schema version into the next.
struct Upcaster {
    event_type: &'static str,
    from_version: u16,
    upcast: fn(Value) -> Value,
}

/// Every step from a shipped shape to the one after it. Empty while version 1 is the only one.
const UPCASTERS: &[Upcaster] = &[];

/// Applies the steps of `event_type` in order, from `schema_version` upwards. A version without a
/// step left this type's shape as it was.
fn upcast(steps: &[Upcaster], event_type: &str, schema_version: u16, mut json: Value) -> Value {
    let mut at = schema_version;
    while let Some(step) = steps
        .iter()
        .filter(|s| s.event_type == event_type && s.from_version >= at)
        .min_by_key(|s| s.from_version)
    {
        json = (step.upcast)(json);
        at = step.from_version + 1;
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn upcasters_run_in_order_and_only_for_their_type() {
        let steps = [
            Upcaster {
                event_type: CREDITED,
                from_version: 2,
                upcast: |mut v| {
                    v["trail"] = json!(format!("{}2", v["trail"].as_str().unwrap_or_default()));
                    v
                },
            },
            Upcaster {
                event_type: CREDITED,
                from_version: 1,
                upcast: |mut v| {
                    v["trail"] = json!("1");
                    v
                },
            },
        ];
        assert_eq!(upcast(&steps, CREDITED, 1, json!({})), json!({ "trail": "12" }));
        assert_eq!(upcast(&steps, CREDITED, 2, json!({})), json!({ "trail": "2" }));
        assert_eq!(upcast(&steps, CREDITED, 3, json!({})), json!({}));
        assert_eq!(upcast(&steps, DEBITED, 1, json!({})), json!({}));
    }

    #[test]
    fn unreadable_events_say_why() {
        let of = |t: &str, v, p: &str| WalletEvent::decode(t, v, p).expect_err("unreadable");
        assert!(matches!(of("WalletClosed", 1, "{}"), DecodeError::UnknownType { .. }));
        assert!(matches!(of(CREATED, 0, "{}"), DecodeError::UnknownSchema { found: 0, .. }));
        assert!(matches!(of(CREATED, 2, "{}"), DecodeError::UnknownSchema { found: 2, .. }));
        for payload in [
            "",
            "[]",
            r#"["u","USD",1]"#,
            "{}",
            r#"{"ownerId":"u","currency":"USD","initialBalance":-1}"#,
            r#"{"ownerId":"u","currency":"USD","initialBalance":1.5}"#,
            r#"{"ownerId":"u","currency":"USD","initialBalance":1,"extra":true}"#,
        ] {
            assert!(matches!(of(CREATED, 1, payload), DecodeError::Payload { .. }), "{payload}");
        }
        let DecodeError::Payload { source, .. } = of(CREATED, 1, "[]") else { panic!("a payload") };
        let why = source.to_string();
        assert!(why.starts_with("invalid type: sequence, expected an object"), "{why}");
    }
}
