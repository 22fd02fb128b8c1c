//! The opaque cursor of a history: where the next page begins.
//!
//! base64url of a version byte and the version after which the page begins, so that another kind of
//! cursor can be told from this one later.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const FORMAT: u8 = 1;
/// Wallet versions stay below 2^60, which no wallet lives to see, so that every text of
/// [`PATTERN`] is a cursor.
const VERSION_MAX: u64 = (1 << 60) - 1;
/// What a cursor looks like, for the API's description.
pub(crate) const PATTERN: &str = "^AQ[A-Za-z0-9_-]{10}$";
/// A cursor's length, in characters.
pub(crate) const CHARS: usize = 12;

/// The cursor of the page that begins after `version`.
pub(crate) fn encode(version: u64) -> String {
    let mut bytes = [FORMAT; 9];
    bytes[1..].copy_from_slice(&version.min(VERSION_MAX).to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The version that `cursor` was made of.
pub(crate) fn decode(cursor: &str) -> Result<u64, String> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
    match bytes.split_first() {
        Some((&FORMAT, version)) => version
            .try_into()
            .map(u64::from_be_bytes)
            .ok()
            .filter(|version| *version <= VERSION_MAX),
        _ => None,
    }
    .ok_or_else(|| "must be the nextCursor of an earlier page, unchanged".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_the_round_trip() {
        for version in [0, 1, 50, u64::from(u32::MAX), VERSION_MAX] {
            let cursor = encode(version);
            assert_eq!(decode(&cursor), Ok(version));
            assert_eq!(cursor.len(), CHARS);
            assert!(cursor.starts_with("AQ"), "{cursor}");
        }
        // Clients keep cursors: the format of version 1 is frozen.
        assert_eq!(encode(50), "AQAAAAAAAAAy");
        assert_eq!(decode("AQ----------").map(|v| v > 0), Ok(true));
    }

    #[test]
    fn garbage_is_no_cursor() {
        for bad in
            ["", "AQ", "garbage", "AgAAAAAAAAAy", "AQAAAAAAAAAyAA", "AQAAAAAAAAA=", "ARAAAAAAAAAy"]
        {
            assert!(decode(bad).is_err(), "{bad:?}");
        }
    }
}
