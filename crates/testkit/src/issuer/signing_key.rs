//! Keys that sign tokens.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};

/// A key for tests alone: making one takes too long for each of them.
const RSA_KEY: &[u8] = include_bytes!("rsa-2048.pkcs8");

/// A key pair with a name.
pub struct SigningKey {
    kid: String,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair, &'static str),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.kid).finish()
    }
}

impl SigningKey {
    /// The RSA key of the tests, which signs RS256.
    ///
    /// # Panics
    /// When it is damaged.
    #[must_use]
    pub fn rs256(kid: &str) -> Self {
        Self::rsa(kid, "RS256")
    }

    /// The RSA key of the tests, which signs PS256.
    ///
    /// # Panics
    /// When it is damaged.
    #[must_use]
    pub fn ps256(kid: &str) -> Self {
        Self::rsa(kid, "PS256")
    }

    fn rsa(kid: &str, alg: &'static str) -> Self {
        let pair = RsaKeyPair::from_pkcs8(RSA_KEY).expect("an RSA key");
        Self { kid: kid.to_owned(), pair: Pair::Rsa(pair, alg) }
    }

    /// A new key that signs ES256.
    ///
    /// # Panics
    /// When the system has no randomness.
    #[must_use]
    pub fn es256(kid: &str) -> Self {
        let (curve, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(curve, &random).expect("randomness");
        let pair = EcdsaKeyPair::from_pkcs8(curve, pkcs8.as_ref(), &random).expect("a key");
        Self { kid: kid.to_owned(), pair: Pair::P256(pair) }
    }

    /// A new key that signs EdDSA.
    ///
    /// # Panics
    /// When the system has no randomness.
    #[must_use]
    pub fn ed25519(kid: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("randomness");
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key");
        Self { kid: kid.to_owned(), pair: Pair::Ed25519(pair) }
    }

    /// As `alg` writes what it signs.
    #[must_use]
    pub const fn alg(&self) -> &'static str {
        match &self.pair {
            Pair::Rsa(_, alg) => alg,
            Pair::P256(_) => "ES256",
            Pair::Ed25519(_) => "EdDSA",
        }
    }

    /// Its public half, RFC 7517.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair, _) => {
                let RsaPublicKeyComponents { n, e } =
                    RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "n": base64(n), "e": base64(e) })
            }
            Pair::P256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y) })
            }
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(pair.public_key()) })
            }
        };
        jwk["kid"] = self.kid.as_str().into();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.alg().into();
        jwk
    }

    /// A token with these claims.
    #[must_use]
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({ "alg": self.alg(), "kid": self.kid, "typ": "JWT" }), claims)
    }

    /// A token with this header, whatever it says, that this key has signed.
    ///
    /// # Panics
    /// When the system has no randomness.
    #[must_use]
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Rsa(pair, alg) => {
                let padding: &dyn ring::signature::RsaEncoding =
                    if *alg == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &random, message.as_bytes(), &mut signature).expect("signed");
                signature
            }
            Pair::P256(pair) => {
                pair.sign(&random, message.as_bytes()).expect("signed").as_ref().to_vec()
            }
            Pair::Ed25519(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", base64(signature))
    }

    /// A token that claims to be signed with a shared secret, which is the text of the public key: what
    /// a verifier accepts that lets the token choose how it is verified.
    #[must_use]
    pub fn token_by_public_key(&self, claims: &Value) -> String {
        let message = message(&json!({ "alg": "HS256", "kid": self.kid }), claims);
        let secret = match &self.pair {
            Pair::Rsa(pair, _) => pair.public_key().as_ref().to_vec(),
            Pair::P256(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.public_key().as_ref().to_vec(),
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        format!("{message}.{}", base64(hmac::sign(&key, message.as_bytes())))
    }
}

/// A token that nobody has signed, under the name of `alg`.
#[must_use]
pub fn unsigned(alg: &str, claims: &Value) -> String {
    format!("{}.", message(&json!({ "alg": alg }), claims))
}

fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64(header.to_string()), base64(claims.to_string()))
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
