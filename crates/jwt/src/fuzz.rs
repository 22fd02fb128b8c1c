//! The fuzz targets of tokens, their claims and the keys that they are signed with.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use wallex_domain::TenantId;
use wallex_ports::Timestamp;

use crate::JwtSettings;
use crate::algorithm::Algorithm;
use crate::claims::{LEEWAY_MS, caller};
use crate::jwks::KeySet;
use crate::token::{TOKEN_BYTES_MAX, Token};

const ALGORITHMS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];
const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

/// A token as it is sent: what is taken for one has a header that is an object, names an algorithm of
/// the list and no extension, and is put together again as what was sent.
///
/// # Panics
/// When that does not hold.
pub fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(token) = Token::parse(text) else { return };
    assert!(text.len() <= TOKEN_BYTES_MAX);
    let message = std::str::from_utf8(token.message).expect("text");
    assert_eq!(format!("{message}.{}", URL_SAFE_NO_PAD.encode(&token.signature)), text);
    let (header, payload) = message.split_once('.').expect("two parts");
    if let Some(bytes) = token.payload() {
        assert_eq!(URL_SAFE_NO_PAD.encode(bytes), payload);
    }
    let header = URL_SAFE_NO_PAD.decode(header).expect("base64url");
    let header: Map<String, Value> = serde_json::from_slice(&header).expect("an object");
    assert!(header["alg"].as_str().is_some_and(|name| ALGORITHMS.contains(&name)));
    assert_eq!(header.get("kid").and_then(Value::as_str), token.kid.as_deref());
    assert!(header.get("crit").is_none_or(Value::is_null));
}

/// The payload of a token with a good signature: who is let in is named by it, for the time that it
/// says, and may do no more than it lists.
///
/// # Panics
/// When that does not hold.
pub fn claims(data: &[u8]) {
    let settings = JwtSettings {
        issuer: "https://login.example.com/".to_owned(),
        audience: "wallex".to_owned(),
        jwks_url: None,
        tenant_claim: "tenant".to_owned(),
        default_tenant: None,
        scope_claim: None,
        refresh_interval: Duration::from_secs(300),
        keys_age_max: Duration::from_secs(3_600),
    };
    let Ok((caller, until_ms)) = caller(data, &settings, NOW) else { return };
    let claims: Map<String, Value> = serde_json::from_slice(data).expect("an object");
    let text = |name: &str| claims[name].as_str().expect("a text");
    assert_eq!(text("iss"), settings.issuer);
    let audiences =
        claims["aud"].as_array().cloned().unwrap_or_else(|| vec![claims["aud"].clone()]);
    assert!(audiences.contains(&settings.audience.into()));
    assert!(until_ms > NOW.unix_ms());
    if let Some(seconds) = claims["exp"].as_i64() {
        assert_eq!(until_ms, seconds.saturating_mul(1_000).saturating_add(LEEWAY_MS));
    }
    assert_eq!(Ok(caller.tenant), TenantId::parse(text("tenant")));
    assert_eq!(caller.id, format!("jwt:https://login.example.com/#{}", text("sub")));
    assert!(!caller.id.contains(char::is_control) && caller.id.chars().count() < 300);
    let listed = claims.get("scope").or_else(|| claims.get("scp")).map(Value::to_string);
    for scope in caller.scopes.iter() {
        assert!(listed.as_ref().is_some_and(|listed| listed.contains(scope.as_str())), "{scope}");
    }
}

/// The keys that an issuer publishes: none of those that are taken verifies what nobody has signed.
///
/// # Panics
/// When that does not hold.
pub fn jwks(data: &[u8]) {
    let Some(keys) = KeySet::parse(data) else { return };
    assert!((1..=100).contains(&keys.len()) && keys.same_keys(&keys));
    for name in ALGORITHMS {
        let algorithm = Algorithm::parse(name).expect("one of the list");
        for signature in [&[][..], &[0; 64], &[0; 256]] {
            let key = keys.find(None, algorithm);
            assert!(key.is_none_or(|key| !key.verifies(algorithm, b"message", signature)));
        }
    }
}

#[cfg(test)]
mod corpus {
    wallex_fuzz_corpus::replay_corpus!(claims, jwks, token);
}
