//! The protocol around the request: versions, other protocols, `Expect`, pipelines, upgrades.

use super::case::{Case, JSON, MOVEMENT, credit, credit_with};
use super::{Expected, WALLET};

const BARE: Expected = Expected::RefusedOrClosed(&[400, 408, 414, 417, 426, 431, 505]);

pub(super) fn cases() -> Vec<Case> {
    let mut cases = nonsense();
    cases.extend(versions());
    cases.extend(pipelines());
    cases.extend(expectations());
    cases
}

fn nonsense() -> Vec<Case> {
    let of = |name, bytes: Vec<u8>| Case::new(name, bytes, BARE);
    vec![
        of("nothing", Vec::new()),
        of("zeros", vec![0; 1_000]),
        of("noise", (0..=255).cycle().take(10_000).collect()),
        of("line feeds", vec![b'\n'; 100_000]),
        of("carriage returns", vec![b'\r'; 1_000]),
        of("half a line", b"GET /wal".to_vec()),
        of("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        of("SSH", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
        of("SMTP", b"EHLO wallex\r\nMAIL FROM:<a@b>\r\n".to_vec()),
        of("PostgreSQL", b"\x00\x00\x00\x08\x04\xd2\x16\x2f".to_vec()),
        of("a proxy's header", b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n".to_vec()),
    ]
}

fn versions() -> Vec<Case> {
    let of = |version: &str| {
        let request = format!("GET /wallets/{WALLET} {version}\r\nHost: wallex\r\n\r\n");
        Case::new(format!("the version {version:?}"), request, BARE)
    };
    let versions =
        ["", "HTTP", "HTTP/", "HTTP/1", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/9.9", "http/1.1"];
    let mut cases: Vec<_> = versions.map(of).into();
    let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    cases.push(Case::new("HTTP/2 with prior knowledge", http2, BARE));
    cases.push(Case::new("HTTP/0.9", "GET /wallets/corpus\r\n\r\n", BARE));
    let old = |more: &str| {
        format!("POST /wallets/{WALLET}/credit HTTP/1.0\r\n{JSON}{more}\r\n{MOVEMENT}")
    };
    cases.push(Case::new("a POST of HTTP/1.0 without a length", old(""), BARE));
    // It needs no host.
    let read = format!("GET /wallets/{WALLET} HTTP/1.0\r\n\r\n");
    cases.push(Case::new("a GET of HTTP/1.0", read, Expected::Answers(&[200])));
    cases
}

/// Requests behind one another on a connection.
fn pipelines() -> Vec<Case> {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: wallex\r\n\r\n");
    let wallet = format!("/wallets/{WALLET}");
    let bad = "GET /livez HTTP/1.1\r\nHost: wallex\r\nX-Odd\0: x\r\n\r\n";
    let refused = String::from_utf8(credit("{}")).expect("text");
    vec![
        Case::new(
            "a pipeline",
            get("/livez") + &get("/nowhere") + &refused + &get(&wallet),
            Expected::Answers(&[200, 404, 400, 200]),
        ),
        Case::new(
            "a pipeline with a bad request in it",
            get("/nowhere") + bad + &get("/livez"),
            Expected::Answers(&[404, 400]),
        ),
        Case::new(
            "a pipeline behind a close",
            "GET /nowhere HTTP/1.1\r\nHost: wallex\r\nConnection: close\r\n\r\n".to_owned()
                + &get("/livez"),
            // RFC 9112, section 9.6, would have the second one ignored; actix answers it.
            Expected::Answers(&[404, 200]),
        ),
        Case::new(
            "a pipeline behind a body of another type",
            String::from_utf8(credit_with("Content-Length: 12\r\n", MOVEMENT)).expect("text")
                + &get("/nowhere"),
            Expected::Answers(&[415, 404]),
        ),
        Case::new(
            "an upgrade to what is not there",
            "GET /nowhere HTTP/1.1\r\nHost: wallex\r\nConnection: Upgrade\r\n\
                 Upgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
                 Sec-WebSocket-Version: 13\r\n\r\n",
            Expected::RefusedOrClosed(&[400, 404, 426]),
        ),
        Case::new(
            "an upgrade to HTTP/2",
            "GET /nowhere HTTP/1.1\r\nHost: wallex\r\nConnection: Upgrade, HTTP2-Settings\r\n\
             Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
            Expected::RefusedOrClosed(&[400, 404, 426]),
        ),
    ]
}

fn expectations() -> Vec<Case> {
    let of = |name, expectation: &str, body: &str, expected| {
        let headers =
            format!("{JSON}Content-Length: {}\r\nExpect: {expectation}\r\n", MOVEMENT.len());
        Case::new(name, credit_with(&headers, body), expected)
    };
    let refused = Expected::RefusedOrClosed(&[400, 413, 417]);
    vec![
        of("100-continue, and a body of nonsense", "100-continue", "[1,2,3,4,5,]", refused),
        of("100-continue, and no body", "100-continue", "", refused),
        Case::new(
            "100-continue, and a huge body announced",
            credit_with(&format!("{JSON}Content-Length: 99999999\r\nExpect: 100-continue\r\n"), ""),
            Expected::Refused(&[413]),
        ),
        of("another expectation, and a body of nonsense", "miracles", "[1,2,3,4,5,]", refused),
    ]
}
