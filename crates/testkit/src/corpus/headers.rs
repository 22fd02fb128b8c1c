//! Headers: there twice, malformed, or not what they should be.

use super::case::{Case, JSON, MOVEMENT, credit_and, credit_with};
use super::{Expected, WALLET};

const REFUSED: Expected = Expected::Refused(&[400]);
const BARE: Expected = Expected::RefusedOrClosed(&[400, 431]);
const NOT_JSON: Expected = Expected::Refused(&[415]);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = twice();
    cases.extend(malformed());
    cases.extend(values());
    cases.extend(media_types());
    cases.extend(compressed());
    cases
}

fn twice() -> Vec<Case> {
    let of = |name, headers, expected| Case::new(name, credit_and(headers), expected);
    vec![
        of("two keys", "Idempotency-Key: a\r\nIdempotency-Key: b\r\n", REFUSED),
        of("one key twice", "Idempotency-Key: a\r\nidempotency-key: a\r\n", REFUSED),
        of("two correlation ids", "X-Correlation-Id: a\r\nX-Correlation-Id: b\r\n", REFUSED),
        of("any version, and one", "If-Match: *\r\nIf-Match: \"1\"\r\n", REFUSED),
        of("two types", "Content-Type: text/plain\r\n", NOT_JSON),
        of("one type twice", JSON, NOT_JSON),
        of("two codings", "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n", NOT_JSON),
        of("two hosts", "Host: elsewhere\r\n", BARE),
        of(
            "two authorizations that know nobody",
            "Authorization: Bearer a\r\nAuthorization: Bearer b\r\nIf-Match: \"99\"\r\n",
            Expected::Refused(&[400, 401, 412]),
        ),
    ]
}

fn malformed() -> Vec<Case> {
    let of = |name, header: &str| Case::new(name, credit_and(header), BARE);
    vec![
        of("a NUL in a header", "X-Odd: a\0b\r\n"),
        of("a NUL in a header's name", "X-\0Odd: a\r\n"),
        of("a header without a name", ": x\r\n"),
        of("a header without a colon", "X-Odd\r\n"),
        of("a space before the colon", "X-Odd : x\r\n"),
        of("a space before the name", " X-Odd: x\r\n"),
        of("a folded header", "X-Odd: a\r\n b\r\n"),
        of("a header folded with a tab", "X-Odd: a\r\n\tb\r\n"),
        of("a bare carriage return", "X-Odd: a\rb\r\n"),
        of("an escape character", "X-Odd: a\x1bb\r\n"),
        of("a delete character", "X-Odd: a\x7fb\r\n"),
        of("a name in another script", "X-Odd\u{e9}: a\r\n"),
        of("a name in brackets", "(X-Odd): a\r\n"),
        Case::new(
            "lines that end in LF, which end nothing",
            "GET /nowhere HTTP/1.1\nHost: wallex\nContent-Length: 5\nX-Odd\0: a\n\n",
            BARE,
        ),
        Case::new("no host", format!("GET /wallets/{WALLET} HTTP/1.1\r\n\r\n"), BARE),
        Case::new("an empty first line, thrice", "\r\n\r\n\r\n", BARE),
    ]
}

fn values() -> Vec<Case> {
    let of = |name, header: &str| Case::new(name, credit_and(header), REFUSED);
    let long = "x".repeat(300);
    vec![
        of("an empty key", "Idempotency-Key:\r\n"),
        of("a key that is too long", &format!("Idempotency-Key: {long}\r\n")),
        of("a key with a space", "Idempotency-Key: a b\r\n"),
        of("bytes in a key", "Idempotency-Key: \u{e9}\u{ff}\r\n"),
        of("a key with half its quotes", "Idempotency-Key: \"a\r\n"),
        of("a key with an unknown escape", "Idempotency-Key: \"a\\n\"\r\n"),
        of("a version without quotes", "If-Match: 1\r\n"),
        of("a version with half its quotes", "If-Match: \"1\r\n"),
        of("a star in a list", "If-Match: *, \"1\"\r\n"),
        of("an empty correlation id", "X-Correlation-Id:\r\n"),
        of("a correlation id that is too long", &format!("X-Correlation-Id: {long}\r\n")),
        of("a correlation id of two words", "X-Correlation-Id: a b\r\n"),
        Case::new(
            "a version beyond 2^64",
            credit_and("If-Match: \"18446744073709551616\"\r\n"),
            Expected::Refused(&[400, 412]),
        ),
        Case::new(
            "a trace parent of nonsense, and a stale version",
            credit_and("traceparent: 00-zz-zz-01\r\ntraceparent: x\r\nIf-Match: \"99\"\r\n"),
            Expected::Refused(&[400, 412]),
        ),
    ]
}

fn media_types() -> Vec<Case> {
    let length = format!("Content-Length: {}\r\n", MOVEMENT.len());
    let of = |name, kind: &str| {
        let header = format!("Content-Type: {kind}\r\n{length}");
        Case::new(name, credit_with(&header, MOVEMENT), NOT_JSON)
    };
    vec![
        Case::new("no type", credit_with(&length, MOVEMENT), NOT_JSON),
        of("an empty type", ""),
        of("text", "text/plain"),
        of("a form", "application/x-www-form-urlencoded"),
        of("several parts", "multipart/form-data; boundary=x"),
        of("XML", "application/xml"),
        of("nearly JSON", "application/json-patch+json"),
        of("two types on a line", "application/json, text/plain"),
        of("JSON in Latin 1", "application/json; charset=latin1"),
        of("JSON in UTF-16", "application/json; charset=utf-16"),
        of("JSON in UTF-7", "application/json; charset=utf-7"),
        of("a type of bytes", "\u{e9}\u{ff}"),
    ]
}

/// Small on the wire, 64 MiB when unpacked.
fn bomb() -> Vec<u8> {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    let spaces = vec![b' '; 1 << 20];
    for _ in 0..64 {
        packed.write_all(&spaces).expect("written to memory");
    }
    packed.finish().expect("written to memory")
}

fn compressed() -> Vec<Case> {
    let bomb = bomb();
    let of = |coding: &str| {
        let mut bytes = credit_with(
            &format!("{JSON}Content-Encoding: {coding}\r\nContent-Length: {}\r\n", bomb.len()),
            "",
        );
        bytes.extend_from_slice(&bomb);
        // What is more than a body may have need not be looked at at all.
        Case::new(format!("a bomb of {coding}"), bytes, Expected::RefusedOrClosed(&[413, 415]))
    };
    ["gzip", "x-gzip", "deflate", "br", "zstd", "identity, gzip", "unheard-of"].map(of).into()
}
