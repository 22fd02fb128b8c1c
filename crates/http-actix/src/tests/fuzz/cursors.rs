//! Cursors, and the other values of a query.

use crate::admin::fuzz as admin;
use crate::cursor::{EVENTS, LEDGER, VersionCursors, WalletCursors};
use crate::list_ledger::ms_of;
use crate::page::{LIMIT_MAX, parse_limit};
use crate::projected::{VERSION_MAX, parse_min_version};

/// A cursor: what a list takes is what it made of the place that it means, and no other list takes
/// it.
///
/// # Panics
/// When that does not hold.
pub fn cursors(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let of = |cursors: &VersionCursors| {
        cursors.decode(text).ok().map(|version| {
            assert_eq!(text.len(), VersionCursors::CHARS);
            cursors.encode(version)
        })
    };
    let of_wallets = WalletCursors::decode(text).ok().map(|id| {
        assert!(WalletCursors::CHARS.contains(&text.len()));
        WalletCursors::encode(&id)
    });
    let made: Vec<String> =
        [of(&EVENTS), of(&LEDGER), of_wallets, admin::cursor(text)].into_iter().flatten().collect();
    assert!(made.len() <= 1, "{made:?}");
    assert!(made.iter().all(|cursor| cursor == text), "{made:?}");
}

/// The values of a query: what is read of one is within its bounds, and is what the text says.
///
/// # Panics
/// When that does not hold.
pub fn query_values(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let number = text.trim_start_matches('0');
    if let Ok(limit) = parse_limit(text) {
        assert!((1..=LIMIT_MAX).contains(&limit));
        assert_eq!(limit.to_string(), number);
    }
    if let Ok(version) = parse_min_version(text) {
        assert!((1..=VERSION_MAX).contains(&version));
        assert_eq!(version.to_string(), number);
    }
    if let Some(ms) = ms_of(text) {
        let shown = crate::wallet::rfc3339(wallex_ports::Timestamp::from_unix_ms(ms));
        // What is shown of a time is a time; the years of four digits end, and so do the times.
        let again = ms_of(&shown).expect("what is shown is a time");
        assert!(again == ms || shown.starts_with("9999") || shown.starts_with("0000"), "{shown}");
    }
}
