//! The opaque cursors of lists: where the next page begins.
//!
//! Every list has a format of its own, so that the cursor of one is refused by the others, and
//! clients keep cursors: what was made once is read for ever. Each format has a pattern that all of
//! its texts match, and no others.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wallex_domain::WalletId;

/// Wallet versions stay below 2^60, which no wallet lives to see, so that every text of a pattern is
/// a cursor.
const VERSION_MAX: u64 = (1 << 60) - 1;

/// A format of cursors that hold a version or a position: base64url of a format byte and of the number.
pub(crate) struct VersionCursors {
    format: u8,
    /// What a cursor looks like, for the API's description.
    pub(crate) pattern: &'static str,
}

/// Of a history: the version after which the page begins.
pub(crate) const EVENTS: VersionCursors =
    VersionCursors { format: 1, pattern: "^AQ[A-Za-z0-9_-]{10}$" };
/// Of a ledger: the version below which the page begins.
pub(crate) const LEDGER: VersionCursors =
    VersionCursors { format: 3, pattern: "^Aw[A-Za-z0-9_-]{10}$" };

/// Of the audit log: the position below which the page begins.
pub(crate) const AUDIT: VersionCursors =
    VersionCursors { format: 4, pattern: "^BA[A-Za-z0-9_-]{10}$" };

impl VersionCursors {
    /// A cursor's length, in characters.
    pub(crate) const CHARS: usize = 12;

    pub(crate) fn encode(&self, version: u64) -> String {
        let mut bytes = [self.format; 9];
        bytes[1..].copy_from_slice(&version.min(VERSION_MAX).to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The version that `cursor` was made of.
    pub(crate) fn decode(&self, cursor: &str) -> Result<u64, String> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
        match bytes.split_first() {
            Some((format, version)) if *format == self.format => version
                .try_into()
                .map(u64::from_be_bytes)
                .ok()
                .filter(|version| *version <= VERSION_MAX),
            _ => None,
        }
        .ok_or_else(no_cursor)
    }
}

/// Of an owner's wallets: the id after which the page begins, in lower-case hexadecimal behind `02`.
/// A byte of an id is two whole characters then, which a pattern can say exactly.
pub(crate) struct WalletCursors;

impl WalletCursors {
    const FORMAT: &str = "02";
    /// What a cursor looks like: `-.`, `0-9:`, `A-O`, `P-Z_`, `a-o` and `p-z` in hexadecimal.
    pub(crate) const PATTERN: &str =
        "^02(2[de]|3[0-9a]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9a]){1,128}$";
    /// The shortest cursor and the longest, in characters.
    pub(crate) const CHARS: std::ops::RangeInclusive<usize> = 4..=258;

    pub(crate) fn encode(wallet_id: &WalletId) -> String {
        wallet_id.as_str().bytes().fold(Self::FORMAT.to_owned(), |mut cursor, byte| {
            write!(cursor, "{byte:02x}").expect("invariant: a String takes any text");
            cursor
        })
    }

    /// The id that `cursor` was made of.
    pub(crate) fn decode(cursor: &str) -> Result<WalletId, String> {
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        };
        cursor
            .strip_prefix(Self::FORMAT)
            .and_then(|hex| hex.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>())
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .and_then(|id| WalletId::parse(id).ok())
            .ok_or_else(no_cursor)
    }
}

/// The value of a lower-case hexadecimal digit.
const fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

fn no_cursor() -> String {
    "must be the nextCursor of an earlier page of this list, unchanged".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_the_round_trip() {
        for (cursors, prefix) in [(EVENTS, "AQ"), (LEDGER, "Aw"), (AUDIT, "BA")] {
            for version in [0, 1, 50, u64::from(u32::MAX), VERSION_MAX] {
                let cursor = cursors.encode(version);
                assert_eq!(cursors.decode(&cursor), Ok(version));
                assert_eq!(cursor.len(), VersionCursors::CHARS);
                assert!(cursor.starts_with(prefix), "{cursor}");
            }
            let greatest = format!("{prefix}----------");
            assert_eq!(cursors.decode(&greatest).map(|v| v > 0), Ok(true));
        }
        let longest = "z".repeat(128);
        for id in ["w", ".", "A-Z_a-z:0.9", &longest] {
            let id = WalletId::parse(id).expect("valid");
            let cursor = WalletCursors::encode(&id);
            assert!(WalletCursors::CHARS.contains(&cursor.len()), "{cursor}");
            assert_eq!(WalletCursors::decode(&cursor), Ok(id));
        }
    }

    #[test]
    fn formats_are_frozen() {
        assert_eq!(EVENTS.encode(50), "AQAAAAAAAAAy");
        assert_eq!(LEDGER.encode(50), "AwAAAAAAAAAy");
        assert_eq!(AUDIT.encode(50), "BAAAAAAAAAAy");
        let id = WalletId::parse("w-1").expect("valid");
        assert_eq!(WalletCursors::encode(&id), "02772d31");
    }

    #[test]
    fn pattern_of_wallet_cursors_is_exact() {
        // What the pattern says about the two digits of one byte.
        let says = |hex: &str| {
            let (high, low) = hex.split_at(1);
            match high {
                "2" => "de".contains(low),
                "3" => "0123456789a".contains(low),
                "4" | "6" => "123456789abcdef".contains(low),
                "5" => "0123456789af".contains(low),
                "7" => "0123456789a".contains(low),
                _ => false,
            }
        };
        for byte in 0..=u8::MAX {
            let hex = format!("{byte:02x}");
            assert_eq!(WalletCursors::decode(&format!("02{hex}")).is_ok(), says(&hex), "{hex}");
        }
    }

    #[test]
    fn garbage_is_no_cursor() {
        for bad in
            ["", "AQ", "garbage", "AgAAAAAAAAAy", "AQAAAAAAAAAyAA", "AQAAAAAAAAA=", "ARAAAAAAAAAy"]
        {
            assert!(EVENTS.decode(bad).is_err(), "{bad:?}");
        }
        let too_long = format!("02{}", "7a".repeat(129));
        for bad in ["", "02", "027", "0277a", "012d", "772d31", "022D", "02c3a4", "02ff", &too_long]
        {
            assert!(WalletCursors::decode(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_list_takes_the_cursor_of_another() {
        let id = WalletId::parse("0123456789").expect("valid");
        let (event, line, wallet) =
            (EVENTS.encode(7), LEDGER.encode(7), WalletCursors::encode(&id));
        assert!(EVENTS.decode(&line).is_err() && EVENTS.decode(&wallet).is_err());
        assert!(LEDGER.decode(&event).is_err() && LEDGER.decode(&wallet).is_err());
        assert!(WalletCursors::decode(&event).is_err() && WalletCursors::decode(&line).is_err());
    }
}
