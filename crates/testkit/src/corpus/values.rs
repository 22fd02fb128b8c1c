//! Values that no member of a request may have, as JSON text.

/// Values that are no amount of money, as JSON text.
pub const NO_AMOUNTS: &[&str] = &[
    "-1",
    "-0",
    "1.0",
    "1.5",
    "1e2",
    "1E2",
    "1e400",
    "-1e400",
    "9007199254740992",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "123456789012345678901234567890123456789012345678901234567890",
    "\"1\"",
    "\"\"",
    "true",
    "null",
    "[1]",
    "{\"value\":1}",
];

/// Values that are no wallet id.
pub const NO_WALLET_IDS: &[&str] = &[
    "\"\"",
    "\" \"",
    "\"a b\"",
    "\"a/b\"",
    "\"a\\u0000b\"",
    "\"a\\nb\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"w\u{e9}\"",
    "\"w\u{202e}\"",
    "1",
    "null",
    "false",
    "[\"w\"]",
    "{}",
];

/// Values that are no free text without control characters.
pub const NO_TEXTS: &[&str] = &[
    "\"\\u0000\"",
    "\"a\\u001bb\"",
    "\"\\u007f\"",
    "\"\\u0085\"",
    "\"\\ud800\"",
    "1",
    "null",
    "[]",
];
