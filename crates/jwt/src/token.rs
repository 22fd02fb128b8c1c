//! A token taken apart: a JWS in its compact form, RFC 7515 section 7.1.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::algorithm::Algorithm;

/// The longest token, in bytes: larger ones are no longer a header that servers agree to take.
pub(crate) const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// Why a text is no token that could be verified.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum Malformed {
    #[error("it is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    #[error("it is not three parts of base64url with dots between them")]
    NotThreeParts,
    #[error("its header is not a JSON object with an alg")]
    BadHeader,
    #[error("its algorithm is none of RS256, PS256, ES256 and EdDSA")]
    Algorithm,
    #[error("its header names extensions that must be understood")]
    Critical,
}

/// What of the header counts. Whatever says where a key is to be found (`jwk`, `jku`, `x5c`, `x5u`) is
/// the sender's word, and is not looked at.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Whatever it is: `null` is there, too.
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

fn present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

/// A token of which nothing is verified yet.
#[derive(Debug)]
pub(crate) struct Token<'t> {
    pub(crate) algorithm: Algorithm,
    /// The key's name.
    pub(crate) kid: Option<String>,
    /// What is signed: header and payload as they stand.
    pub(crate) message: &'t [u8],
    pub(crate) signature: Vec<u8>,
    payload: &'t str,
}

impl<'t> Token<'t> {
    pub(crate) fn parse(text: &'t str) -> Result<Self, Malformed> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(Malformed::NotThreeParts)?;
        let (header, payload) = message.split_once('.').ok_or(Malformed::NotThreeParts)?;
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Malformed::NotThreeParts);
        let header = bytes(header)?;
        // All of it, first: what is read below would be taken from an array as well, and from between
        // texts that are none.
        serde_json::from_slice::<Map<String, Value>>(&header).map_err(|_| Malformed::BadHeader)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| Malformed::BadHeader)?;
        if header.crit {
            return Err(Malformed::Critical);
        }
        Ok(Self {
            algorithm: Algorithm::parse(&header.alg).ok_or(Malformed::Algorithm)?,
            kid: header.kid,
            message: message.as_bytes(),
            signature: bytes(signature)?,
            payload,
        })
    }

    /// The payload. To be asked for when the signature was verified.
    pub(crate) fn payload(&self) -> Option<Vec<u8>> {
        URL_SAFE_NO_PAD.decode(self.payload).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header))
    }

    fn malformed(text: &str) -> Malformed {
        Token::parse(text).expect_err("this is no token")
    }

    #[test]
    fn a_token_is_taken_apart() {
        let text = token(r#"{"alg":"ES256","kid":"k","typ":"at+jwt","x":1}"#);
        let token = Token::parse(&text).expect("a token");
        assert_eq!(token.algorithm, Algorithm::Es256);
        assert_eq!(token.kid.as_deref(), Some("k"));
        assert_eq!(token.signature, b"sig");
        assert_eq!(token.payload().expect("base64url"), b"{}");
        assert_eq!(token.message, text.strip_suffix(".c2ln").expect("a signature").as_bytes());
    }

    #[test]
    fn only_the_algorithms_of_the_list_are_tokens() {
        for alg in ["none", "NONE", "HS256", "RS512", ""] {
            assert_eq!(malformed(&token(&format!(r#"{{"alg":"{alg}"}}"#))), Malformed::Algorithm);
        }
    }

    #[test]
    fn what_is_no_token_is_told_apart() {
        let unpadded = token(r#"{"alg":"ES256"}"#);
        for text in [
            "",
            ".",
            "..",
            "a.b",
            "a.b.c.d",
            "wlx_abc",
            &format!("{unpadded}="),
            &format!("{unpadded}.x"),
        ] {
            assert!(Token::parse(text).is_err(), "{text}");
        }
        for header in [
            "",
            "[]",
            r#"["ES256","k",null]"#,
            "{}",
            r#"{"alg":5}"#,
            r#"{"alg":"ES256","kid":5}"#,
            r#"{"alg":"ES256","alg":"ES256"}"#,
            r#"{"alg":"ES256","x":"\ud800"}"#,
            "\u{0}",
        ] {
            assert_eq!(malformed(&token(header)), Malformed::BadHeader, "{header}");
        }
        let critical = r#"{"alg":"ES256","crit":["b64"],"b64":false}"#;
        assert_eq!(malformed(&token(critical)), Malformed::Critical);
        let null = r#"{"alg":"ES256","crit":null}"#;
        assert_eq!(malformed(&token(null)), Malformed::Critical);
        let long = format!("{}{}", unpadded, "A".repeat(TOKEN_BYTES_MAX));
        assert_eq!(malformed(&long), Malformed::TooLong);
    }
}
