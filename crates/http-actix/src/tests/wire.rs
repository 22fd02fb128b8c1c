//! The server on a real socket: what no test service can show.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::{ServerSettings, server};

/// A server that listens.
struct Listening {
    address: SocketAddr,
    handle: ServerHandle,
    _lane: LaneTask,
}

fn listen(harness: &Harness) -> Listening {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (state, lane) = harness.state();
    let settings = ServerSettings {
        workers: 1,
        // So long that a test which waits for it does not pass.
        shutdown_timeout: Duration::from_secs(3_600),
        ..ServerSettings::default()
    };
    let server = server(listener, state, &settings, None).expect("a server");
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Listening { address, handle, _lane: lane }
}

/// Sends `request` and reads until the server closes the connection.
async fn until_closed(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request).await.expect("sent");
    rest(&mut stream).await
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the answer is as good as a close.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).expect("text")
}

fn head(more: &str) -> String {
    format!("POST /wallets HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{more}\r\n")
}

#[track_caller]
fn assert_problem(answer: &str, status: u16, code: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert!(answer.contains("content-type: application/problem+json"), "{answer}");
    assert!(answer.contains("x-correlation-id: "), "{answer}");
    assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
}

#[actix_web::test]
async fn huge_body_is_refused_before_it_is_sent() {
    let harness = Harness::new();
    let server = listen(&harness);
    let answer =
        until_closed(server.address, head("content-length: 10000000000\r\n").as_bytes()).await;
    assert_problem(&answer, 413, "body-too-large");
}

#[actix_web::test]
async fn endless_chunks_are_refused() {
    let harness = Harness::new();
    let server = listen(&harness);
    let chunk = format!("8000\r\n{}\r\n", " ".repeat(0x8000));
    let request = head("transfer-encoding: chunked\r\n") + &chunk.repeat(3);
    let answer = until_closed(server.address, request.as_bytes()).await;
    assert_problem(&answer, 413, "body-too-large");
}

#[actix_web::test]
async fn silent_clients_are_answered_and_closed_on_every_route() {
    let harness = Harness::new();
    let server = listen(&harness);
    let long = format!("GET /{}", "x".repeat(5_000));
    let lines = [
        (&*long, 414),
        ("GET /livez", 200),
        ("DELETE /wallets", 405),
        ("POST /nowhere", 404),
        ("POST /wallets", 415),
    ];
    let silences = ["transfer-encoding: chunked", "content-length: 10"];
    let requests = lines.into_iter().flat_map(|line| silences.map(|silent| (line, silent)));
    let closed = requests.map(async |((line, status), silent)| {
        let request = format!("{line} HTTP/1.1\r\nhost: x\r\n{silent}\r\n\r\n");
        let answer = until_closed(server.address, request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line} {silent} {answer}");
    });
    futures_util::future::join_all(closed).await;
}

#[actix_web::test]
async fn chunked_bodies_keep_their_connection() {
    let harness = Harness::new();
    let server = listen(&harness);
    let request = head("transfer-encoding: chunked\r\n") + "f\r\n{\"ownerId\":\"u\"}\r\n0\r\n\r\n";
    let last = "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answers = until_closed(server.address, (request.repeat(2) + last).as_bytes()).await;
    assert_eq!(answers.matches("HTTP/1.1 201 ").count(), 2, "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 1, "{answers}");
}

#[actix_web::test]
async fn body_that_does_not_arrive_is_not_waited_for() {
    let mut harness = Harness::new();
    harness.settings.body_timeout = Duration::from_millis(1);
    let server = listen(&harness);
    let answer =
        until_closed(server.address, (head("content-length: 20\r\n") + "{").as_bytes()).await;
    assert_problem(&answer, 408, "request-timeout");
}

#[actix_web::test]
async fn ambiguous_lengths_and_truncated_bodies_change_nothing() {
    let harness = Harness::new();
    let server = listen(&harness);
    let body = r#"{"ownerId":"u"}"#;
    for lengths in [
        "content-length: 15\r\ncontent-length: 16\r\n",
        "content-length: 15\r\ntransfer-encoding: chunked\r\n",
        "content-length: +15\r\n",
        "content-length: 15, 15\r\n",
        "transfer-encoding: gzip, identity\r\n",
    ] {
        let answer = until_closed(server.address, (head(lengths) + body).as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{lengths} {answer}");
    }
    let mut stream = TcpStream::connect(server.address).await.expect("a connection");
    let truncated = head("content-length: 16\r\n") + body;
    stream.write_all(truncated.as_bytes()).await.expect("sent");
    stream.shutdown().await.expect("half closed");
    let answer = rest(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(harness.store.rows(), (0, 0));
    let whole = head("content-length: 15\r\nconnection: close\r\n") + body;
    assert!(until_closed(server.address, whole.as_bytes()).await.starts_with("HTTP/1.1 201 "));
}

#[actix_web::test]
async fn draining_closes_connections_in_use_and_a_stop_does_not_wait_for_idle_ones() {
    let harness = Harness::new();
    let server = listen(&harness);
    let mut idle = TcpStream::connect(server.address).await.expect("a connection");
    let request = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    idle.write_all(request).await.expect("sent");
    let mut first = [0_u8; 15];
    idle.read_exact(&mut first).await.expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200 OK");

    harness.lifecycle.start_draining();
    let answer = until_closed(server.address, request).await;
    assert!(answer.contains("connection: close"), "{answer}");
    server.handle.stop(true).await;
}
