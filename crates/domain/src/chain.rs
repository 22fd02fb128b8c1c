//! Each event's hash covers the event and the hash of the one before it in its wallet: a history that is
//! changed anywhere no longer fits together.
//!
//! The bytes that are hashed are part of the storage format and never change: golden vectors hold them.
//! Another form would get another label.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::canonical::write_canonical;

/// What is hashed first: these bytes are of an event of Wallex, in the first form.
const LABEL: &[u8] = b"wallex.event-hash.v1";

/// The hash of an event: 32 bytes of SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventHash([u8; 32]);

impl EventHash {
    /// What stands before a wallet's first event.
    pub const BEFORE_FIRST: Self = Self([0; 32]);

    /// The hash of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Lower-case hexadecimal.
impl fmt::Display for EventHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why a text is no hash.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a hash is 64 digits of lower-case hexadecimal")]
pub struct EventHashError;

impl FromStr for EventHash {
    type Err = EventHashError;

    fn from_str(text: &str) -> Result<Self, EventHashError> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(EventHashError),
        };
        let text: &[u8; 64] = text.as_bytes().try_into().map_err(|_| EventHashError)?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for EventHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EventHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl TryFrom<&[u8]> for EventHash {
    type Error = EventHashError;

    fn try_from(bytes: &[u8]) -> Result<Self, EventHashError> {
        bytes.try_into().map(Self).map_err(|_| EventHashError)
    }
}

/// Everything of an event that its hash covers, as it is stored: nothing is parsed into this version's
/// types, so that an event of another version, or one that was damaged, has a hash, too. Its position is
/// not among it: that is given when the event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashedEvent<'a> {
    /// Whose wallet it is.
    pub tenant: &'a str,
    /// The wallet.
    pub wallet_id: &'a str,
    /// Its place in the wallet's history, from 1.
    pub version: i64,
    /// Its identity: a UUID, hyphenated, in lower case.
    pub event_id: &'a str,
    /// Its type.
    pub event_type: &'a str,
    /// The version of its payload's shape.
    pub schema_version: i64,
    /// What happened: JSON, in whatever order and with whatever spaces.
    pub payload: &'a str,
    /// Where it came from: JSON, likewise.
    pub metadata: &'a str,
    /// When it was recorded, in Unix milliseconds.
    pub recorded_at_ms: i64,
}

impl HashedEvent<'_> {
    /// The hash, behind that of the wallet's event before.
    ///
    /// SHA-256 over these fields, each behind its length in bytes (32 bits, big endian): the label
    /// `wallex.event-hash.v1`, the previous hash, tenant, wallet id, version, event id, type, schema version,
    /// payload, metadata, time. Numbers are 8 bytes, big endian, two's complement; a document is its canonical
    /// form ([`canonical_json`](crate::canonical_json)) behind the byte `c` or, where it has none, the stored text behind `t`.
    #[must_use]
    pub fn hash(&self, previous: EventHash) -> EventHash {
        let mut fields = Fields(Vec::with_capacity(640));
        fields.add(LABEL);
        fields.add(&previous.0);
        fields.add(self.tenant.as_bytes());
        fields.add(self.wallet_id.as_bytes());
        fields.number(self.version);
        fields.add(self.event_id.as_bytes());
        fields.add(self.event_type.as_bytes());
        fields.number(self.schema_version);
        fields.document(self.payload);
        fields.document(self.metadata);
        fields.number(self.recorded_at_ms);
        EventHash(Sha256::digest(&fields.0).into())
    }
}

/// Fields, each behind its length: no two lists of fields have the same bytes.
struct Fields(Vec<u8>);

impl Fields {
    fn add(&mut self, field: &[u8]) {
        self.behind_its_length(|to| to.extend_from_slice(field));
    }

    fn number(&mut self, number: i64) {
        self.add(&number.to_be_bytes());
    }

    fn document(&mut self, json: &str) {
        self.behind_its_length(|to| {
            let tag = to.len();
            to.push(b'c');
            if !write_canonical(json, to) {
                to[tag] = b't';
                to.extend_from_slice(json.as_bytes());
            }
        });
    }

    fn behind_its_length(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let at = self.0.len();
        self.0.extend_from_slice(&[0; 4]);
        write(&mut self.0);
        let length = u32::try_from(self.0.len() - at - 4);
        let length = length.expect("invariant: no field of an event has 4 GiB");
        self.0[at..at + 4].copy_from_slice(&length.to_be_bytes());
    }
}
