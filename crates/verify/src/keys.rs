//! Keys that sign checkpoints: Ed25519 (RFC 8032), in the PEM files that OpenSSL reads and writes, too.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use thiserror::Error;

use crate::checkpoint::hex;

const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";
/// What stands before the 32 bytes of an Ed25519 public key in its DER form (RFC 8410).
const PUBLIC_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PEM_LINE_CHARS: usize = 64;

/// Why a key can't be used.
#[derive(Debug, Error)]
pub enum KeyError {
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
    #[error("{} is not an Ed25519 {kind} in PEM form", path.display())]
    Content {
        /// Which one.
        path: PathBuf,
        /// `PRIVATE KEY` or `PUBLIC KEY`.
        kind: &'static str,
    },
    /// The system gives no random numbers.
    #[error("the system has no random numbers for a key")]
    NoRandomness,
}

/// A private key. Its bytes are never shown.
pub struct SigningKey(Ed25519KeyPair);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&"…").finish()
    }
}

impl SigningKey {
    /// Makes a pair of keys: the private one in the file `path`, which only its owner may read, and the public one
    /// beside it, in `path.pub`. Overwrites nothing.
    ///
    /// # Errors
    /// When a file is there already or can't be written.
    pub fn generate(path: &Path) -> Result<PathBuf, KeyError> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
        let pkcs8 = pkcs8.map_err(|_| KeyError::NoRandomness)?;
        let pair =
            Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).map_err(|_| KeyError::NoRandomness)?;
        let public = PathBuf::from(format!("{}.pub", path.display()));
        let der = [&PUBLIC_PREFIX[..], pair.public_key().as_ref()].concat();
        create(path, 0o600, &pem(PRIVATE, pkcs8.as_ref()))?;
        create(&public, 0o644, &pem(PUBLIC, &der))?;
        Ok(public)
    }

    /// Reads a private key.
    ///
    /// # Errors
    /// When there is none in the file `path`.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let der = read(path, PRIVATE)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der);
        pair.map(Self).map_err(|_| KeyError::Content { path: path.into(), kind: PRIVATE })
    }

    /// The public key, in hexadecimal.
    pub(crate) fn public_hex(&self) -> String {
        hex(self.0.public_key().as_ref())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> String {
        hex(self.0.sign(message).as_ref())
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Reads a public key.
    ///
    /// # Errors
    /// When there is none in the file `path`.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let der = read(path, PUBLIC)?;
        let key = der.strip_prefix(&PUBLIC_PREFIX[..]).and_then(|key| key.try_into().ok());
        key.map(Self).ok_or_else(|| KeyError::Content { path: path.into(), kind: PUBLIC })
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).is_ok()
    }
}

fn pem(kind: &str, der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {kind}-----\n");
    for line in base64.as_bytes().chunks(PEM_LINE_CHARS) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text + &format!("-----END {kind}-----\n")
}

fn read(path: &Path, kind: &'static str) -> Result<Vec<u8>, KeyError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| KeyError::File { path: path.into(), source })?;
    let (begin, end) = (format!("-----BEGIN {kind}-----"), format!("-----END {kind}-----"));
    let body = text.trim().strip_prefix(&begin).and_then(|rest| rest.strip_suffix(&end));
    let body = body.map(|body| body.split_ascii_whitespace().collect::<String>());
    body.and_then(|body| STANDARD.decode(body).ok())
        .ok_or_else(|| KeyError::Content { path: path.into(), kind })
}

fn create(path: &Path, mode: u32, text: &str) -> Result<(), KeyError> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file: File| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| KeyError::File { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_pair_is_made_once_and_fits() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let public = SigningKey::generate(&path).expect("made");
        assert_eq!(public, folder.path().join("key.pub"));
        let mode =
            |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&public)), (0o600, 0o644));
        let (private, public) = (SigningKey::read(&path), PublicKey::read(&public));
        let (private, public) = (private.expect("a key"), public.expect("a key"));
        assert!(!format!("{private:?}").contains(char::is_numeric));
        let signature = private.0.sign(b"message");
        assert!(public.verifies(b"message", signature.as_ref()));
        assert!(!public.verifies(b"massage", signature.as_ref()));
        assert!(matches!(SigningKey::generate(&path), Err(KeyError::File { .. })), "kept");
    }

    /// The examples of RFC 8410.
    #[test]
    fn keys_of_openssl_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let private = "-----BEGIN PRIVATE KEY-----\n\
             MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
             -----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\n\
             MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
             -----END PUBLIC KEY-----\n";
        let (private, public) = (file("private", private), file("public", public));
        let signing = SigningKey::read(&private).expect("a key");
        let verifying = PublicKey::read(&public).expect("a key");
        assert_eq!(signing.public_hex(), hex(&verifying.0));
        for (path, kind) in [(&public, PRIVATE), (&private, PUBLIC)] {
            assert!(matches!(read(path, kind), Err(KeyError::Content { .. })));
        }
    }
}
