//! The fuzz target of what callers send as a key.

use crate::key::{PREFIX, Presented};

/// What stands behind `Bearer`: what is taken for a key is its prefix, its id and 43 letters and digits,
/// and any other text is another key.
///
/// # Panics
/// When that does not hold.
pub fn api_key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(Presented { id, hash }) = Presented::parse(text) else { return };
    let (head, secret) = text.split_at(text.len() - 43);
    assert_eq!(head, format!("{PREFIX}{id}_"));
    assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert!(hash.is(&hash.to_hex()) && !hash.is("") && !hash.is(text));
    let last = if text.ends_with('a') { "b" } else { "a" };
    let other = Presented::parse(&format!("{}{last}", &text[..text.len() - 1])).expect("a key");
    assert!(other.id == id && !other.hash.is(&hash.to_hex()));
    for no_key in [&text[1..], &format!("{text}a"), &format!(" {text}"), &text[..text.len() - 1]] {
        assert!(Presented::parse(no_key).is_none(), "{no_key}");
    }
}

#[cfg(test)]
mod corpus {
    wallex_fuzz_corpus::replay_corpus!(api_key);
}
