//! The hash that tells a retry from another request under the same key.
//!
//! It is stored with every idempotency record, and records outlive upgrades of the server: the form
//! that is hashed never changes while a record of it lives. A golden test holds it.

use serde::Serialize;
use sha2::{Digest, Sha256};
use wallex_application::Precondition;
use wallex_ports::RequestHash;

use crate::fields::Canonical;

/// What is hashed: JSON with its keys in order and no spaces. The method and the path are not part
/// of it, for they are part of the key's scope.
#[derive(Serialize)]
struct Request<'r> {
    body: &'r Canonical,
    #[serde(rename = "ifMatch")]
    if_match: IfMatch<'r>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum IfMatch<'r> {
    None,
    Any(&'static str),
    OneOf(&'r [u64]),
}

fn canonical(body: &Canonical, if_match: &Precondition) -> Vec<u8> {
    let if_match = match if_match {
        Precondition::None => IfMatch::None,
        Precondition::Exists => IfMatch::Any("*"),
        Precondition::OneOf(versions) => IfMatch::OneOf(versions),
    };
    serde_json::to_vec(&Request { body, if_match })
        .expect("invariant: strings and integers always serialise")
}

/// SHA-256 over the body as it was sent, before defaults, and `If-Match`.
pub(crate) fn request_hash(body: &Canonical, if_match: &Precondition) -> RequestHash {
    RequestHash(Sha256::digest(canonical(body, if_match)).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::CanonicalValue::{Integer, Text};

    fn body() -> Canonical {
        [("walletId", Text("w-1".into())), ("amount", Integer(250)), ("note", Text("é\"".into()))]
            .into()
    }

    fn hex(hash: RequestHash) -> String {
        hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn hashed_form_never_changes() {
        let text = |precondition| String::from_utf8(canonical(&body(), &precondition));
        let fields = r#"{"body":{"amount":250,"note":"é\"","walletId":"w-1"},"ifMatch":"#;
        assert_eq!(text(Precondition::None), Ok(format!("{fields}null}}")));
        assert_eq!(text(Precondition::Exists), Ok(format!("{fields}\"*\"}}")));
        assert_eq!(text(Precondition::OneOf(vec![3, 7])), Ok(format!("{fields}[3,7]}}")));
        assert_eq!(text(Precondition::OneOf(vec![])), Ok(format!("{fields}[]}}")));
    }

    #[test]
    fn hash_never_changes() {
        assert_eq!(
            hex(request_hash(&body(), &Precondition::None)),
            "a1f6262add9fbf2a96fff1ee6c1ec4ab38353be5ff8f52c430be320d0570d9ed"
        );
        assert_eq!(
            hex(request_hash(&body(), &Precondition::OneOf(vec![3]))),
            "a681922fa0198ae5b940b9f38ac319a990bb7d178e41a5e40874a8eb0f26c699"
        );
        assert_eq!(
            hex(request_hash(&Canonical::new(), &Precondition::None)),
            "e8eec1f4aa3bc943f84b64b9ccbc26dc69d32b681586af57df08333d02fb8fc4"
        );
    }
}
