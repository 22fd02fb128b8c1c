//! What a history was at one moment, in a few lines, signed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use wallex_domain::{EventHash, canonical_json};

use crate::history::Milestone;
use crate::keys::{PublicKey, SigningKey};

/// The form of checkpoints, which also stands before what is signed.
const FORMAT: &str = "wallex.checkpoint.v1";
/// What a checkpoint is called in the folder of an export.
pub const CHECKPOINT_FILE: &str = "checkpoint.json";

/// What one shard held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShardCheckpoint {
    /// Its number.
    pub shard: u16,
    /// The position of its last event; 0 when it has none.
    pub position: u64,
    /// How many wallets it has.
    pub wallets: u64,
    /// The digest over its wallets, each with its version and last hash, in the order of tenants and ids.
    pub wallet_heads: EventHash,
    /// The digest over its events, each with its position and hash, in the order of positions.
    pub history: EventHash,
}

/// What a history was at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkpoint {
    format: String,
    /// The identity that the database was given when it was made.
    pub database_id: String,
    /// When, in RFC 3339. It is what the exporting machine's clock said.
    pub created_at: String,
    /// Every shard, in order.
    pub shards: Vec<ShardCheckpoint>,
    /// The public key that the signature was made for, in hexadecimal. Only a hint: a verifier brings its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signed_by: Option<String>,
    /// Ed25519 over the format, a line break, and the canonical JSON of all of the above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

/// Why a checkpoint can't be used.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The file.
    #[error("{} can't be read or written", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What is in it.
    #[error("{} is not a checkpoint that this version of Wallex understands: {why}", path.display())]
    Content {
        /// Which one.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Nobody signed it.
    #[error("the checkpoint of {created_at} is not signed")]
    Unsigned {
        /// When it says that it was made.
        created_at: String,
    },
    /// It was changed, or another key signed it.
    #[error(
        "the signature of the checkpoint of {created_at} does not fit this public key: it was changed, or signed by another key"
    )]
    Signature {
        /// When it says that it was made.
        created_at: String,
    },
}

impl Checkpoint {
    /// One that is not signed. `created_at_ms` is in Unix milliseconds.
    #[must_use]
    pub fn new(database_id: String, created_at_ms: i64, shards: Vec<ShardCheckpoint>) -> Self {
        let created_at = rfc3339(created_at_ms);
        let (signed_by, signature) = (None, None);
        Self { format: FORMAT.to_owned(), database_id, created_at, shards, signed_by, signature }
    }

    /// Signs it.
    #[must_use]
    pub fn signed(mut self, key: &SigningKey) -> Self {
        self.signed_by = Some(key.public_hex());
        self.signature = Some(key.sign(&self.message()));
        self
    }

    /// Whether somebody signed it, whoever that was.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.signature.is_some()
    }

    /// Whether the owner of `key` signed it, just so.
    ///
    /// # Errors
    /// When not.
    pub fn verify(&self, key: &PublicKey) -> Result<(), CheckpointError> {
        let created_at = self.created_at.clone();
        let Some(signature) = &self.signature else {
            return Err(CheckpointError::Unsigned { created_at });
        };
        match unhex(signature) {
            Some(bytes) if key.verifies(&self.message(), &bytes) => Ok(()),
            _ => Err(CheckpointError::Signature { created_at }),
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// When there is none in the file `path`.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| CheckpointError::File { path: path.into(), source })?;
        let content = |why: String| CheckpointError::Content { path: path.into(), why };
        let read: Self = serde_json::from_str(&text).map_err(|error| content(error.to_string()))?;
        if read.format != FORMAT {
            return Err(content(format!("its format is {:?}", read.format)));
        }
        if !read.is_in_order() {
            return Err(content("its shards are not 0, 1, 2, …".to_owned()));
        }
        Ok(read)
    }

    fn is_in_order(&self) -> bool {
        self.shards.iter().zip(0..).all(|(shard, number)| shard.shard == number)
    }

    /// Writes it, for people to read and machines, too.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        let text = serde_json::to_string_pretty(self);
        let text = text.expect("invariant: texts and integers always serialise");
        let written = std::fs::write(path, text + "\n");
        written.map_err(|source| CheckpointError::File { path: path.into(), source })
    }

    /// What a later history must still hold of `shard`.
    pub(crate) fn milestone(&self, shard: u16) -> Option<Milestone> {
        let held = self.shards.get(usize::from(shard))?;
        let (position, history) = (held.position, held.history);
        Some(Milestone { position, history, checkpoint: self.describe() })
    }

    /// How it is called in what is told of it.
    pub(crate) fn describe(&self) -> String {
        format!("the checkpoint of {}", self.created_at)
    }

    fn message(&self) -> Vec<u8> {
        let unsigned = Self { signature: None, ..self.clone() };
        let json = serde_json::to_string(&unsigned);
        let json = json.expect("invariant: texts and integers always serialise");
        let canonical = canonical_json(&json).expect("invariant: it holds no fractions");
        [FORMAT.as_bytes(), b"\n", canonical.as_bytes()].concat()
    }
}

fn rfc3339(unix_ms: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000);
    let format = &time::format_description::well_known::Rfc3339;
    at.ok().and_then(|at| at.format(format).ok()).unwrap_or_else(|| format!("{unix_ms} ms"))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("invariant: a String takes every character");
    }
    text
}

/// The bytes of what [`hex`] writes, and of nothing else.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(pair).collect();
    bytes.filter(|bytes| hex(bytes) == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_or_signed_by_another_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = ["one", "other"].map(|name| {
            let path = folder.path().join(name);
            let public = SigningKey::generate(&path).expect("made");
            (SigningKey::read(&path).expect("a key"), PublicKey::read(&public).expect("a key"))
        });
        let [(key, public), (other, others)] = &keys;
        let hash = EventHash::from_bytes([7; 32]);
        let shard = ShardCheckpoint {
            shard: 0,
            position: 9,
            wallets: 3,
            wallet_heads: hash,
            history: hash,
        };
        let unsigned = Checkpoint::new("some-id".to_owned(), 1_767_225_600_007, vec![shard]);
        assert!(matches!(unsigned.verify(public), Err(CheckpointError::Unsigned { .. })));
        let signed = unsigned.clone().signed(key);
        let path = folder.path().join(CHECKPOINT_FILE);
        signed.write(&path).expect("written");
        let read = Checkpoint::read(&path).expect("a checkpoint");
        assert_eq!(read, signed);
        read.verify(public).expect("signed");
        let refused = |checkpoint: &Checkpoint, key| {
            matches!(checkpoint.verify(key), Err(CheckpointError::Signature { .. }))
        };
        assert!(refused(&read, others));
        assert!(refused(&unsigned.signed(other), public));
        let mut changed = read.clone();
        changed.shards[0].position += 1;
        assert!(refused(&changed, public));
        assert!(refused(&Checkpoint { created_at: rfc3339(0), ..read.clone() }, public));
        assert!(refused(&Checkpoint { database_id: String::new(), ..read.clone() }, public));
        assert!(refused(&Checkpoint { signature: Some("00".to_owned()), ..read }, public));
    }
}
