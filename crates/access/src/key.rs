//! The text of a key: made, taken apart, hashed.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use wallex_ports::{ApiKeyId, Secret};

/// What every key begins with, so that those who look for leaked secrets find them.
pub(crate) const PREFIX: &str = wallex_ports::API_KEY_PREFIX;

const ID_ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const SECRET_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// 62^43 is a little more than 2^256.
const SECRET_CHARS: usize = 43;

/// SHA-256 of a key's whole text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct KeyHash([u8; 32]);

impl KeyHash {
    fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// As it is stored: lower-case hexadecimal.
    pub(crate) fn to_hex(self) -> String {
        let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
        self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    /// Whether `stored` is this hash. How long that takes tells nothing about where they differ.
    pub(crate) fn is(self, stored: &str) -> bool {
        self.to_hex().as_bytes().ct_eq(stored.as_bytes()).into()
    }
}

/// A key as somebody sends it: it looks like one.
pub(crate) struct Presented {
    pub(crate) id: ApiKeyId,
    pub(crate) hash: KeyHash,
}

impl Presented {
    /// Takes `bearer` apart; `None` when it can't be a key, whatever is stored.
    pub(crate) fn parse(bearer: &str) -> Option<Self> {
        let (id, secret) = bearer.strip_prefix(PREFIX)?.split_once('_')?;
        let fits =
            secret.len() == SECRET_CHARS && secret.bytes().all(|b| b.is_ascii_alphanumeric());
        let id = id.parse().ok().filter(|_| fits)?;
        Some(Self { id, hash: KeyHash::of(bearer) })
    }
}

/// A new key: its name, what its holder gets, and what is stored.
pub(crate) fn generate() -> (ApiKeyId, Secret, KeyHash) {
    let id = random_text(ID_ALPHABET, ApiKeyId::CHARS);
    let secret = random_text(SECRET_ALPHABET, SECRET_CHARS);
    let text = format!("{PREFIX}{id}_{secret}");
    let hash = KeyHash::of(&text);
    let id = id.parse().expect("invariant: the alphabet is that of ids");
    (id, Secret::new(text), hash)
}

/// Characters of `alphabet`, each as likely as any other, from the operating system's randomness.
fn random_text(alphabet: &[u8], chars: usize) -> String {
    // A byte that is beyond the last whole alphabet would favour its first characters.
    let fair = 256 - 256 % alphabet.len();
    let mut text = String::with_capacity(chars);
    let mut bytes = [0; 64];
    while text.len() < chars {
        getrandom::fill(&mut bytes).expect("invariant: the system gives random bytes");
        let fair_bytes = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < fair);
        let missing = chars - text.len();
        text.extend(fair_bytes.take(missing).map(|b| char::from(alphabet[b % alphabet.len()])));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_new_and_can_be_taken_apart() {
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let (id, secret, hash) = generate();
            let presented = Presented::parse(secret.reveal()).expect("a key");
            assert_eq!(presented.id, id);
            assert!(presented.hash.is(&hash.to_hex()));
            assert!(seen.insert(secret.reveal().to_owned()));
        }
        let used: BTreeSet<u8> = seen.iter().flat_map(|key| key.bytes()).collect();
        assert_eq!(used.len(), SECRET_ALPHABET.len() + 1, "every character comes, and the `_`");
    }

    #[test]
    fn a_changed_key_has_another_hash() {
        let (_, secret, hash) = generate();
        for place in PREFIX.len()..secret.reveal().len() {
            let mut bytes = secret.reveal().as_bytes().to_vec();
            bytes[place] = if bytes[place] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            let same = Presented::parse(&changed).is_some_and(|key| key.hash.is(&hash.to_hex()));
            assert!(!same, "{place}");
        }
    }

    #[test]
    fn what_is_no_key_is_not_even_hashed() {
        let (_, secret, _) = generate();
        let good = secret.reveal();
        let bad = [
            "",
            "wlx_",
            "wlx__",
            &good[1..],
            &good[..good.len() - 1],
            &format!("{good}a"),
            &format!(" {good}"),
            &good.replace("wlx_", "WLX_"),
            &format!("{}ä", &good[..good.len() - 2]),
            &"x".repeat(100_000),
        ];
        assert!(bad.iter().all(|text| Presented::parse(text).is_none()));
    }

    #[test]
    fn stored_hashes_are_frozen() {
        let key = format!("wlx_{}_{}", "a".repeat(12), "B".repeat(43));
        let hash = Presented::parse(&key).expect("a key").hash.to_hex();
        assert_eq!(hash, "7f93464f6d50b6bcc68b468d3ce06405089230664150ae7ffb0bdc4b49401ecc");
    }
}
