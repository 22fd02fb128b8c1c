//! How many items a page of a list holds.

/// How many items a page holds at most when the client does not say.
pub(crate) const LIMIT_DEFAULT: u32 = 50;
/// How many items a page may hold.
pub(crate) const LIMIT_MAX: u32 = 200;

pub(crate) fn parse_limit(text: &str) -> Result<u32, String> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let limit = text.parse().ok().filter(|limit| digits && (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| format!("must be an integer from 1 to {LIMIT_MAX}"))
}
