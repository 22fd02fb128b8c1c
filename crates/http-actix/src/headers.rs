//! The request headers that Wallex reads: `Host`, `Idempotency-Key` and `If-Match`.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderMap};
use wallex_application::Precondition;
use wallex_ports::IdempotencyKey;

use crate::errors::FieldError;

pub(crate) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
pub(crate) const IF_MATCH: &str = "If-Match";
pub(crate) const X_CORRELATION_ID: &str = "X-Correlation-Id";

/// What the client calls the server, with the port if it names one. It need not be the name of a host.
pub(crate) fn host(req: &HttpRequest) -> Option<&str> {
    // In HTTP/2 it stands in the target.
    match req.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => req.headers().get(HOST)?.to_str().ok(),
    }
}

/// The only line of the header `name`, if there is one.
pub(crate) fn single<'h>(
    headers: &'h HeaderMap,
    name: &'static str,
) -> Result<Option<&'h str>, FieldError> {
    let mut lines = headers.get_all(name);
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(FieldError::header(name, "must not be repeated"));
    }
    match line.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(FieldError::header(name, "must be visible ASCII characters")),
    }
}

/// The key, quoted as draft-ietf-httpapi-idempotency-key-header has it, or bare.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, FieldError> {
    let Some(text) = single(headers, IDEMPOTENCY_KEY)? else { return Ok(None) };
    let refused = |detail: String| FieldError::header(IDEMPOTENCY_KEY, detail);
    let key = if text.starts_with('"') {
        unquote(text).ok_or_else(|| refused("is not a quoted string (RFC 8941)".to_owned()))?
    } else {
        text.to_owned()
    };
    IdempotencyKey::parse(&key).map(Some).map_err(|error| refused(error.to_string()))
}

/// The content of an `sf-string`, RFC 8941 section 3.3.3; only `\"` and `\\` are escapes.
fn unquote(text: &str) -> Option<String> {
    let mut chars = text.strip_prefix('"')?.strip_suffix('"')?.chars();
    let mut content = String::with_capacity(text.len());
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            '\\' => content.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
            _ => content.push(c),
        }
    }
    Some(content)
}

/// What `If-Match` asks, RFC 9110 section 13.1.1. Several lines are one list. A weak tag, or one
/// that is not a version, is valid and matches nothing.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Precondition, FieldError> {
    let malformed = || {
        FieldError::header(
            IF_MATCH,
            "must be *, or a list of entity tags like \"3\", quotes included",
        )
    };
    let mut lines = Vec::new();
    for line in headers.get_all(IF_MATCH) {
        lines.push(line.to_str().map_err(|_| malformed())?);
    }
    if lines.is_empty() {
        return Ok(Precondition::None);
    }
    let list = lines.join(",");
    if list.trim() == "*" {
        return Ok(Precondition::Exists);
    }
    versions(&list).map(Precondition::OneOf).ok_or_else(malformed)
}

/// Refuses an `If-Match` where there is nothing yet to compare with.
pub(crate) fn no_if_match(headers: &HeaderMap) -> Result<(), FieldError> {
    if headers.contains_key(IF_MATCH) {
        return Err(FieldError::header(
            IF_MATCH,
            "has no meaning here: a new wallet has no version",
        ));
    }
    Ok(())
}

/// The versions among the entity tags of `list`, ascending; `None` when it is not a list of them.
fn versions(list: &str) -> Option<Vec<u64>> {
    let mut versions = Vec::new();
    let mut tags = 0_usize;
    let mut rest = list;
    loop {
        // Empty elements are allowed, RFC 9110 section 5.6.1.2.
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            break;
        }
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let (tag, after) = quoted.strip_prefix('"')?.split_once('"')?;
        // etagc, RFC 9110 section 8.8.3.
        if !tag.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let after = after.trim_start_matches([' ', '\t']);
        if !after.is_empty() && !after.starts_with(',') {
            return None;
        }
        tags += 1;
        rest = after;
        versions.extend(version(tag).filter(|_| !weak));
    }
    versions.sort_unstable();
    versions.dedup();
    (tags > 0).then_some(versions)
}

/// The version that `tag` is the entity tag of: its digits, exactly as `ETag` gives them.
fn version(tag: &str) -> Option<u64> {
    tag.parse().ok().filter(|version: &u64| version.to_string() == tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn headers(name: &'static str, lines: &[&[u8]]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for line in lines {
            let value = HeaderValue::from_bytes(line).expect("a header value");
            map.append(HeaderName::from_static(name), value);
        }
        map
    }

    fn key(lines: &[&[u8]]) -> Result<Option<String>, FieldError> {
        idempotency_key(&headers("idempotency-key", lines)).map(|k| k.map(|k| k.to_string()))
    }

    fn precondition(lines: &[&[u8]]) -> Result<Precondition, FieldError> {
        if_match(&headers("if-match", lines))
    }

    #[test]
    fn quoted_and_bare_keys_are_the_same_key() {
        assert_eq!(key(&[]), Ok(None));
        assert_eq!(key(&[b"abc-1"]), Ok(Some("abc-1".into())));
        assert_eq!(key(&[b"\"abc-1\""]), Ok(Some("abc-1".into())));
        assert_eq!(key(&[br#""a\"b\\c""#]), Ok(Some(r#"a"b\c"#.into())));
        assert_eq!(key(&[br#"a"b"#]), Ok(Some(r#"a"b"#.into())));
        assert_eq!(key(&["x".repeat(255).as_bytes()]), Ok(Some("x".repeat(255))));
        let quoted = format!("\"{}\"", "x".repeat(255));
        assert_eq!(key(&[quoted.as_bytes()]), Ok(Some("x".repeat(255))));
    }

    #[test]
    fn other_keys_are_refused() {
        let too_long = "x".repeat(256);
        let lines: [&[u8]; 12] = [
            b"",
            b"\"",
            b"\"\"",
            b"\"abc",
            b"\"a\"b\"",
            br#""a\b""#,
            br#""a\""#,
            b"\"abc\";p=1",
            b"a b",
            b"\"a b\"",
            b"caf\xc3\xa9",
            too_long.as_bytes(),
        ];
        for line in lines {
            assert!(key(&[line]).is_err(), "{line:?}");
        }
        assert!(key(&[b"abc", b"abc"]).is_err());
    }

    #[test]
    fn if_match_lists_versions() {
        use Precondition::{Exists, None, OneOf};
        assert_eq!(precondition(&[]), Ok(None));
        assert_eq!(precondition(&[b"*"]), Ok(Exists));
        assert_eq!(precondition(&[b"\"3\""]), Ok(OneOf(vec![3])));
        assert_eq!(precondition(&[b"\"7\" ,, \"3\",\"7\","]), Ok(OneOf(vec![3, 7])));
        assert_eq!(precondition(&[b"\"3\"", b"\"4\""]), Ok(OneOf(vec![3, 4])));
        for never in ["W/\"3\"", "\"03\"", "\"abc\"", "\"\"", "\"-1\"", "\"+3\"", "\"a,b\""] {
            assert_eq!(precondition(&[never.as_bytes()]), Ok(OneOf(vec![])), "{never}");
        }
        assert_eq!(precondition(&[b"W/\"3\", \"4\""]), Ok(OneOf(vec![4])));
    }

    #[test]
    fn malformed_if_match_is_refused() {
        let lines: [&[u8]; 11] = [
            b"",
            b",",
            b"3",
            b"\"3",
            b"3\"",
            b"\"3\" \"4\"",
            b"*, \"3\"",
            b"w/\"3\"",
            b"\"a b\"",
            b"\"3\";",
            b"\"\xff\"",
        ];
        for line in lines {
            assert!(precondition(&[line]).is_err(), "{line:?}");
        }
        assert!(precondition(&[b"*", b"*"]).is_err());
    }
}
