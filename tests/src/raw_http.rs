//! HTTP that no library would send: a 4xx or a closed connection, never a 5xx, and nothing written.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wallex_testkit::{Server, TempDatabase, on_both_databases};

use crate::support::{Unchanged, balance, with_wallets};

on_both_databases!(
    duplicated_headers_are_refused,
    conflicting_lengths_are_refused,
    truncated_requests_change_nothing,
    huge_requests_are_cut_off,
    nonsense_is_refused,
    deep_json_is_refused,
);

const BODY: &str = r#"{"amount":1}"#;

/// A credit of 1 to the wallet `w` with `headers`, each ended by CRLF, and `body`.
fn credit(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /wallets/w/credit HTTP/1.1\r\nHost: wallex\r\n{headers}\r\n{body}").into_bytes()
}

/// The headers of a credit that is in order.
fn proper(body: &str) -> String {
    format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len())
}

/// Sends `bytes` and the end of the stream, and returns the statuses of all that came back.
async fn statuses(server: &Server, bytes: &[u8]) -> Vec<u16> {
    let mut socket = TcpStream::connect(server.address()).await.expect("a connection");
    // The server may hang up before it has read all; what it said until then counts.
    socket.write_all(bytes).await.ok();
    socket.shutdown().await.ok();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.ok();
    String::from_utf8_lossy(&answer)
        .split("HTTP/1.1 ")
        .skip(1)
        .map(|rest| rest[..3].parse().expect("a status"))
        .collect()
}

/// Checks that each request is refused and that nothing is written.
async fn all_refused(database: &TempDatabase, requests: &[(&str, Vec<u8>)]) {
    let server = with_wallets(database).await;
    let unchanged = Unchanged::since_now(database).await;
    for (what, request) in requests {
        let statuses = statuses(&server, request).await;
        assert!(statuses.iter().all(|status| (400..500).contains(status)), "{what}: {statuses:?}");
        unchanged.holds_after(what).await;
    }
    assert_eq!(statuses(&server, &credit(&proper(BODY), BODY)).await, [200], "the server is well");
}

async fn duplicated_headers_are_refused(database: TempDatabase) {
    let with = |headers: &str| credit(&format!("{}{headers}", proper(BODY)), BODY);
    all_refused(
        &database,
        &[
            ("two keys", with("Idempotency-Key: a\r\nIdempotency-Key: b\r\n")),
            ("one key twice", with("Idempotency-Key: a\r\nidempotency-key: a\r\n")),
            ("two correlation ids", with("X-Correlation-Id: a\r\nX-Correlation-Id: b\r\n")),
            ("two types", with("Content-Type: text/plain\r\n")),
            ("any version, and one", with("If-Match: *\r\nIf-Match: \"1\"\r\n")),
        ],
    )
    .await;
}

async fn conflicting_lengths_are_refused(database: TempDatabase) {
    let json = "Content-Type: application/json\r\n";
    let chunked = format!("{:x}\r\n{BODY}\r\n0\r\n\r\n", BODY.len());
    let with = |headers: &str, body: &str| credit(&format!("{json}{headers}"), body);
    all_refused(
        &database,
        &[
            ("two lengths", with("Content-Length: 12\r\nContent-Length: 13\r\n", BODY)),
            ("a list of lengths", with("Content-Length: 12, 13\r\n", BODY)),
            ("a negative length", with("Content-Length: -1\r\n", BODY)),
            ("a signed length", with("Content-Length: +12\r\n", BODY)),
            ("a length of words", with("Content-Length: twelve\r\n", BODY)),
            ("a length beyond 2^64", with("Content-Length: 18446744073709551628\r\n", BODY)),
            (
                "a length and chunks",
                with("Content-Length: 12\r\nTransfer-Encoding: chunked\r\n", &chunked),
            ),
            ("an unknown encoding", with("Transfer-Encoding: zip\r\n", BODY)),
            (
                "a chunk of no number",
                with("Transfer-Encoding: chunked\r\n", "zz\r\n{}\r\n0\r\n\r\n"),
            ),
            ("no length", with("", BODY)),
        ],
    )
    .await;
}

async fn truncated_requests_change_nothing(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let unchanged = Unchanged::since_now(&database).await;
    let whole = credit(&proper(BODY), BODY);
    // Cut at every byte but the last.
    for end in 0..whole.len() {
        let statuses = statuses(&server, &whole[..end]).await;
        let refused = statuses.iter().all(|status| (400..500).contains(status));
        assert!(refused, "cut at {end}: {statuses:?}");
    }
    let chunked = credit(
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
        &format!("{:x}\r\n{BODY}\r\n", BODY.len()),
    );
    let statuses = statuses(&server, &chunked).await;
    assert!(statuses.iter().all(|status| (400..500).contains(status)), "{statuses:?}");
    unchanged.holds_after("truncated requests").await;
    assert_eq!(balance(server.client(), "w").await, 100);
}

async fn huge_requests_are_cut_off(database: TempDatabase) {
    let json = "Content-Type: application/json\r\n";
    let spaces = " ".repeat(20 << 20);
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20));
    all_refused(
        &database,
        &[
            ("a huge body", credit(&format!("{json}Content-Length: {}\r\n", 20 << 20), &spaces)),
            (
                "a huge announcement",
                credit(&format!("{json}Content-Length: {}\r\n", 1_u64 << 60), "{"),
            ),
            (
                "a huge stream",
                credit(&format!("{json}Transfer-Encoding: chunked\r\n"), &chunk.repeat(20)),
            ),
            ("a huge header", credit(&format!("X-Large: {}\r\n", "x".repeat(1 << 20)), "")),
            ("a hundred thousand headers", credit(&"X-Many: x\r\n".repeat(100_000), "")),
            ("a huge path", format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1 << 20)).into_bytes()),
        ],
    )
    .await;
}

async fn nonsense_is_refused(database: TempDatabase) {
    let with = |headers: &str| credit(&format!("{headers}{}", proper(BODY)), BODY);
    all_refused(
        &database,
        &[
            ("nothing", Vec::new()),
            ("zeros", vec![0; 1_000]),
            ("noise", (0..=255).cycle().take(10_000).collect()),
            ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
            ("no version", b"GET /wallets/w\r\n\r\n".to_vec()),
            ("another protocol", b"GET /wallets/w HTTP/9.9\r\n\r\n".to_vec()),
            ("a NUL in a header", with("X-Odd: a\0b\r\n")),
            ("a header without a name", with(": x\r\n")),
            ("a space before the colon", with("X-Odd : x\r\n")),
            ("a folded header", with("X-Odd: a\r\n b\r\n")),
            ("a bare carriage return", with("X-Odd: a\rb\r\n")),
            ("bytes in a key", with("Idempotency-Key: \u{e9}\u{ff}\r\n")),
        ],
    )
    .await;
}

async fn deep_json_is_refused(database: TempDatabase) {
    let of = |body: String| credit(&proper(&body), &body);
    all_refused(
        &database,
        &[
            ("deep arrays", of("[".repeat(60_000))),
            ("deep objects", of(r#"{"amount":"#.repeat(6_000))),
            (
                "a deep amount",
                of(format!("{{\"amount\":{}1{}}}", "[".repeat(30_000), "]".repeat(30_000))),
            ),
            (
                "a deep stranger",
                of(format!("{{\"amount\":1,\"x\":{}1{}}}", "[".repeat(30_000), "]".repeat(30_000))),
            ),
            (
                "many members",
                of(format!(
                    "{{{}\"amount\":1}}",
                    (0..4_000).map(|i| format!("\"m{i}\":1,")).collect::<String>()
                )),
            ),
        ],
    )
    .await;
}
