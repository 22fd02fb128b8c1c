//! More than anybody needs.

use super::case::{Case, JSON, MOVEMENT, chunk, credit, credit_and, credit_with};
use super::{Expected, WALLET};

const TOO_LARGE: Expected = Expected::RefusedOrClosed(&[400, 413]);
const HEAD_TOO_LARGE: Expected = Expected::RefusedOrClosed(&[400, 414, 431]);
const MIB: usize = 1 << 20;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = heads();
    cases.extend(bodies());
    cases.extend(depths());
    cases
}

fn heads() -> Vec<Case> {
    let of = |name, headers: &str| Case::new(name, credit_and(headers), HEAD_TOO_LARGE);
    let target = |name, target: String| {
        Case::new(name, format!("GET {target} HTTP/1.1\r\nHost: wallex\r\n\r\n"), HEAD_TOO_LARGE)
    };
    vec![
        of("a header of 100 KB", &format!("X-Large: {}\r\n", "x".repeat(100_000))),
        of("a header of 1 MiB", &format!("X-Large: {}\r\n", "x".repeat(MIB))),
        of("a header's name of 100 KB", &format!("{}: x\r\n", "x".repeat(100_000))),
        of("a hundred headers", &"X-Many: x\r\n".repeat(100)),
        of("a hundred thousand headers", &"X-Many: x\r\n".repeat(100_000)),
        of("a thousand keys", &"Idempotency-Key: k\r\n".repeat(1_000)),
        of("ninety headers of 1 KB", &format!("X-Many: {}\r\n", "x".repeat(1_000)).repeat(90)),
        target("a path of 10 KB", format!("/wallets/{}", "x".repeat(10_000))),
        target("a path of 70 KB", format!("/wallets/{}", "x".repeat(70_000))),
        target("a path of 1 MiB", format!("/wallets/{}", "x".repeat(MIB))),
        target("a path of 10,000 slashes", "/".repeat(10_000)),
        target("a query of 100 KB", format!("/wallets/{WALLET}/events?x={}", "x".repeat(100_000))),
        target(
            "5,000 parameters",
            format!("/wallets/{WALLET}/events?{}", "limit=1&".repeat(5_000)),
        ),
        Case::new("a first line without end", "G".repeat(MIB), HEAD_TOO_LARGE),
    ]
}

fn bodies() -> Vec<Case> {
    let announced =
        |bytes: u64, body: &str| credit_with(&format!("{JSON}Content-Length: {bytes}\r\n"), body);
    let chunked = |body: &str| credit_with(&format!("{JSON}Transfer-Encoding: chunked\r\n"), body);
    let spaces = " ".repeat(20 * MIB);
    let bytes = 20 * MIB as u64;
    vec![
        Case::new(
            "a body of 64 KiB and a byte",
            credit(&format!("{MOVEMENT}{}", " ".repeat(65_525))),
            Expected::Refused(&[413]),
        ),
        Case::new("a body of 20 MiB", announced(bytes, &spaces), TOO_LARGE),
        Case::new(
            "a body of 20 MiB in chunks of 1 MiB",
            chunked(&chunk(&spaces[..MIB]).repeat(20)),
            TOO_LARGE,
        ),
        Case::new("a body in chunks of a byte", chunked(&chunk(" ").repeat(100_000)), TOO_LARGE),
        Case::new("a body of 2^60 announced", announced(1 << 60, "{"), TOO_LARGE),
        Case::new("a body of 2^63-1 announced", announced(i64::MAX as u64, "{"), TOO_LARGE),
        Case::new("a body that ends early", announced(1_000, MOVEMENT), TOO_LARGE),
        Case::new(
            "a string of 60 KB",
            credit(&format!(r#"{{"amount":1,"reference":"{}"}}"#, "x".repeat(60_000))),
            Expected::Refused(&[400]),
        ),
        Case::new(
            "a number of 60,000 digits",
            credit(&format!(r#"{{"amount":{}}}"#, "1".repeat(60_000))),
            Expected::Refused(&[400]),
        ),
        Case::new(
            "a name of 60 KB",
            credit(&format!(r#"{{"amount":1,"{}":1}}"#, "x".repeat(60_000))),
            Expected::Refused(&[400]),
        ),
    ]
}

fn depths() -> Vec<Case> {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let refused = Expected::Refused(&[400, 413]);
    let members: String = (0..4_000).map(|i| format!("\"m{i}\":1,")).collect();
    vec![
        Case::new("arrays, 60,000 deep, not closed", credit(&"[".repeat(60_000)), refused),
        Case::new("arrays, 100,000 deep, closed", credit(&deep(100_000)), refused),
        Case::new("objects, 6,000 deep", credit(&r#"{"amount":"#.repeat(6_000)), refused),
        Case::new("objects, 100,000 deep", credit(&r#"{"a":"#.repeat(100_000)), refused),
        Case::new(
            "an amount 30,000 deep",
            credit(&format!(r#"{{"amount":{}}}"#, deep(30_000))),
            refused,
        ),
        Case::new(
            "a stranger 30,000 deep",
            credit(&format!(r#"{{"amount":1,"x":{}}}"#, deep(30_000))),
            refused,
        ),
        Case::new("4,000 members", credit(&format!("{{{members}\"amount\":1}}")), refused),
        Case::new(
            "one member 4,000 times",
            credit(&format!("{{{}\"amount\":1}}", "\"amount\":1,".repeat(4_000))),
            refused,
        ),
    ]
}
