//! The issuer's keys: a JSON Web Key Set, RFC 7517.
//!
//! A key that can't be used (another kind, another use, damaged) is left out, and the others count: an
//! issuer may publish keys for purposes that are not ours.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lru::LruCache;
use serde::Deserialize;
use serde_json::Value;
use wallex_ports::Caller;

use crate::algorithm::{Algorithm, PublicKey};

/// Keys that are looked at in one set; issuers have two or three.
const KEYS_MAX: usize = 100;
/// Verified tokens that are remembered; about 200 bytes each.
const VERIFIED_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("invariant: not zero");

/// The SHA-256 of a token: tokens themselves are not kept.
pub(crate) type Digest = [u8; 32];

/// A token whose signature and claims were found good.
#[derive(Clone)]
pub(crate) struct Verified {
    pub(crate) caller: Arc<Caller>,
    /// It is good before that, in Unix milliseconds.
    pub(crate) until_ms: i64,
}

/// One key that tokens may be signed with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key {
    kid: Option<String>,
    /// The only algorithm that it is for.
    algorithm: Option<Algorithm>,
    key: PublicKey,
}

impl Key {
    /// Whether `signature` of `message` was made with it.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.is_for(algorithm) && self.key.verifies(algorithm, message, signature)
    }

    fn is_for(&self, algorithm: Algorithm) -> bool {
        self.key.fits(algorithm) && self.algorithm.is_none_or(|only| only == algorithm)
    }
}

/// The keys of one moment, and the tokens that were verified with them: what other keys have verified
/// counts no longer.
pub(crate) struct KeySet {
    keys: Vec<Key>,
    verified: Mutex<LruCache<Digest, Verified>>,
}

/// A key as it is published. What is missing, or of another type, makes this key unusable, not the set.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<Value>,
}

impl KeySet {
    /// The usable keys in `json`; `None` when it is not a set, or has none.
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        let Jwks { keys } = serde_json::from_slice(json).ok()?;
        let keys: Vec<_> = keys.into_iter().take(KEYS_MAX).filter_map(key).collect();
        if keys.is_empty() {
            return None;
        }
        Some(Self { keys, verified: Mutex::new(LruCache::new(VERIFIED_MAX)) })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether both are the same keys.
    pub(crate) fn same_keys(&self, other: &Self) -> bool {
        self.keys == other.keys
    }

    /// The key of that name and kind. A token that names none may only be signed with the one key of
    /// its kind.
    pub(crate) fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.is_for(algorithm) && (kid.is_none() || key.kid.as_deref() == kid));
        let found = fitting.next();
        if kid.is_none() && fitting.next().is_some() { None } else { found }
    }

    /// Whether some key has that name, whatever its kind.
    pub(crate) fn has(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// The token of that digest, if it was verified.
    pub(crate) fn verified(&self, digest: &Digest) -> Option<Verified> {
        self.cache().get(digest).cloned()
    }

    /// Remembers a token.
    pub(crate) fn remember(&self, digest: Digest, verified: Verified) {
        self.cache().put(digest, verified);
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, LruCache<Digest, Verified>> {
        // Nothing that is done under the lock can leave it half done.
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(json: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(json).ok()?;
    let is_for_signatures = jwk.r#use.as_deref().is_none_or(|r#use| r#use == "sig")
        && jwk.key_ops.as_deref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
    if !is_for_signatures {
        return None;
    }
    let algorithm = match jwk.alg.as_deref() {
        Some(name) => Some(Algorithm::parse(name)?),
        None => None,
    };
    let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => PublicKey::Rsa { n: number(jwk.n)?, e: number(jwk.e)? },
        ("EC", Some("P-256")) => {
            PublicKey::P256([&[4][..], &bytes32(jwk.x)?, &bytes32(jwk.y)?].concat())
        }
        ("OKP", Some("Ed25519")) => PublicKey::Ed25519(bytes32(jwk.x)?),
        _ => return None,
    };
    Some(Key { kid: jwk.kid, algorithm, key })
}

fn bytes(text: Option<String>) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text?).ok()
}

fn bytes32(text: Option<String>) -> Option<Vec<u8>> {
    bytes(text).filter(|bytes| bytes.len() == 32)
}

/// A big-endian number without leading zeros, which RFC 7518 section 6.3.1 forbids and some write.
fn number(text: Option<String>) -> Option<Vec<u8>> {
    let mut number = bytes(text)?;
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.drain(..zeros);
    (!number.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// 32 bytes.
    fn coordinate() -> String {
        URL_SAFE_NO_PAD.encode([7; 32])
    }

    fn parsed(keys: Value) -> Option<KeySet> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn keys_that_are_not_for_us_are_left_out() {
        let (x, y) = (coordinate(), coordinate());
        let set = parsed(json!([
            { "kty": "EC", "crv": "P-256", "kid": "good", "use": "sig", "x": x, "y": y },
            { "kty": "EC", "crv": "P-384", "kid": "curve", "x": x, "y": y },
            { "kty": "EC", "crv": "P-256", "kid": "short", "x": "AA", "y": y },
            { "kty": "EC", "crv": "P-256", "kid": "encrypts", "use": "enc", "x": x, "y": y },
            { "kty": "EC", "crv": "P-256", "kid": "signs", "key_ops": ["sign"], "x": x, "y": y },
            { "kty": "RSA", "kid": "no-exponent", "n": x },
            { "kty": "RSA", "kid": "wraps", "alg": "RSA-OAEP", "n": x, "e": "AQAB" },
            { "kty": "oct", "kid": "shared", "k": x },
            { "kid": "nothing" },
            "text",
        ]));
        let set = set.expect("one key");
        assert_eq!(set.len(), 1);
        assert!(set.has("good") && !set.has("shared"));
    }

    #[test]
    fn a_set_without_a_usable_key_is_none() {
        assert!(parsed(json!([])).is_none());
        assert!(parsed(json!([{ "kty": "oct", "k": "AA" }])).is_none());
        for json in ["", "{}", "[]", r#"{"keys":{}}"#, "<html>"] {
            assert!(KeySet::parse(json.as_bytes()).is_none(), "{json}");
        }
    }

    #[test]
    fn a_key_is_found_by_name_and_kind() {
        let x = coordinate();
        let set = parsed(json!([
            { "kty": "RSA", "kid": "a", "n": x, "e": "AQAB" },
            { "kty": "RSA", "kid": "b", "alg": "PS256", "n": x, "e": "AQAB" },
            { "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": x },
        ]))
        .expect("keys");
        assert!(set.find(Some("a"), Algorithm::Rs256).is_some());
        assert!(set.find(Some("a"), Algorithm::EdDsa).is_some(), "the second of that name");
        assert!(set.find(Some("a"), Algorithm::Es256).is_none());
        assert!(set.find(Some("b"), Algorithm::Ps256).is_some());
        assert!(set.find(Some("b"), Algorithm::Rs256).is_none(), "its alg is another");
        assert!(set.find(Some("c"), Algorithm::Rs256).is_none());
        assert!(set.find(None, Algorithm::EdDsa).is_some(), "the only one");
        assert!(set.find(None, Algorithm::Rs256).is_some(), "the only one for it");
        assert!(set.find(None, Algorithm::Ps256).is_none(), "there are two");
    }

    #[test]
    fn leading_zeros_are_no_other_key() {
        let padded = URL_SAFE_NO_PAD.encode([&[0][..], &[7; 256]].concat());
        let plain = URL_SAFE_NO_PAD.encode([7; 256]);
        let [a, b] = [padded, plain].map(|n| {
            parsed(json!([{ "kty": "RSA", "kid": "k", "n": n, "e": "AQAB" }])).expect("a key")
        });
        assert!(a.same_keys(&b));
        assert!(parsed(json!([{ "kty": "RSA", "n": "AA", "e": "AQAB" }])).is_none());
    }
}
