//! The request headers that Wallex reads. An input is the lines of one header.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use tracing::Span;
use wallex_application::Precondition;
use wallex_ports::CorrelationId;

use crate::access::bearer;
use crate::headers::{self, X_CORRELATION_ID};
use crate::traceparent::current;

/// The header `name` with a line for each line of `data`; `None` when HTTP has no such line.
fn lines(name: &'static str, data: &[u8]) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        map.append(HeaderName::from_static(name), HeaderValue::from_bytes(line).ok()?);
    }
    Some(map)
}

/// The header `name` with this one line.
fn line(name: &'static str, text: &str) -> HeaderMap {
    lines(name, text.as_bytes()).expect("visible ASCII is a header's line")
}

/// `Idempotency-Key`: what is taken is 1 to 255 visible characters on one line, and is the same key
/// quoted and bare.
///
/// # Panics
/// When that does not hold.
pub fn idempotency_key(data: &[u8]) {
    const NAME: &str = "idempotency-key";
    let Some(map) = lines(NAME, data) else { return };
    let read =
        |map: &HeaderMap| headers::idempotency_key(map).map(|key| key.map(|k| k.to_string()));
    let key = match read(&map) {
        Ok(key) => key.expect("there is a line"),
        Err(_) => {
            // A bare key that fits is never refused.
            let fits = (1..=255).contains(&data.len()) && data.iter().all(u8::is_ascii_graphic);
            return assert!(!fits || data.starts_with(b"\""));
        }
    };
    assert!((1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()));
    let escaped = key.replace('\\', "\\\\").replace('"', "\\\"");
    assert_eq!(read(&line(NAME, &format!("\"{escaped}\""))), Ok(Some(key.clone())));
    if !key.starts_with('"') {
        assert_eq!(read(&line(NAME, &key)), Ok(Some(key.clone())));
    }
    let mut twice = line(NAME, &key);
    twice.append(HeaderName::from_static(NAME), HeaderValue::from_static("k"));
    assert!(read(&twice).is_err(), "a second line");
}

/// `If-Match`: what is taken is a list of versions, or `*`, and written as such it is taken for the
/// same.
///
/// # Panics
/// When that does not hold.
pub fn if_match(data: &[u8]) {
    const NAME: &str = "if-match";
    let Some(map) = lines(NAME, data) else { return };
    let Ok(precondition) = headers::if_match(&map) else { return };
    let text = match &precondition {
        Precondition::None => panic!("there is a line"),
        Precondition::Exists => "*".to_owned(),
        Precondition::OneOf(versions) if versions.is_empty() => "\"never\"".to_owned(),
        Precondition::OneOf(versions) => {
            assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
            assert!(versions.len() <= data.len() / 3 + 1);
            versions.iter().map(|version| format!("\"{version}\", ")).collect()
        }
    };
    assert_eq!(headers::if_match(&line(NAME, &text)), Ok(precondition));
    assert!(headers::no_if_match(&map).is_err(), "a new wallet has no version");
}

/// `X-Correlation-Id`: what is taken is what was sent, and fits in a header again.
///
/// # Panics
/// When that does not hold.
pub fn correlation_id(data: &[u8]) {
    let Some(map) = lines("x-correlation-id", data) else { return };
    let taken = headers::single(&map, X_CORRELATION_ID)
        .map(|text| text.map(CorrelationId::parse).and_then(Result::ok));
    let fits = (1..=128).contains(&data.len()) && data.iter().all(u8::is_ascii_graphic);
    match taken {
        Ok(Some(id)) => assert!(fits && id.as_str().as_bytes() == data),
        Ok(None) | Err(_) => assert!(!fits),
    }
}

/// `traceparent`: what is kept is what was sent, `version-trace-parent-flags` in lower-case
/// hexadecimal, none of them the one that means nothing.
///
/// # Panics
/// When that does not hold.
pub fn traceparent(data: &[u8]) {
    let Some(map) = lines("traceparent", data) else { return };
    let Some(kept) = current(&Span::none(), &map) else { return };
    assert_eq!(kept.as_str().as_bytes(), data);
    let parts: Vec<&str> = kept.as_str().split('-').collect();
    assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [2, 32, 16, 2]);
    let number = |part: &str| u128::from_str_radix(part, 16).expect("hexadecimal");
    assert!(!kept.as_str().contains(|c: char| c.is_ascii_uppercase()));
    assert!(number(parts[0]) != 0xff && number(parts[1]) != 0 && number(parts[2]) != 0);
}

/// `Authorization`: a credential is what stands behind `Bearer` on the only line; everything else is a
/// credential that nobody has.
///
/// # Panics
/// When that does not hold.
pub fn authorization(data: &[u8]) {
    let Some(map) = lines("authorization", data) else { return };
    let credential = bearer(&map).expect("there is a line");
    if credential.is_empty() {
        return;
    }
    let text = std::str::from_utf8(data).expect("what is taken is ASCII");
    let (scheme, rest) = text.split_once(' ').expect("a scheme");
    assert!(scheme.eq_ignore_ascii_case("bearer") && !text.contains('\n'));
    assert_eq!(credential, rest.trim());
    assert_eq!(bearer(&line("authorization", &format!("Bearer {credential}"))), Some(credential));
}
