//! Clients that are slow, silent, or do not read: closed by a deadline, while others are served.

use std::pin::pin;
use std::time::Duration;

use tokio::time::interval;
use wallex_testkit::corpus::{self, slow};
use wallex_testkit::{Server, ServerBuilder, TempDatabase, on_both_databases};

use crate::support::balance;

on_both_databases!(
    silent_and_slow_senders_are_closed,
    clients_that_do_not_read_are_closed_and_hold_no_memory,
);

const CLIENTS: usize = 50;
/// Far more than the timeouts that the server is given, far less than any default.
const WITHIN: Duration = Duration::from_secs(20);
/// As large as an answer is. Many of them are asked for, more than the system keeps for a connection.
const LARGE: &str = "/openapi.json";

async fn impatient(database: &TempDatabase) -> Server {
    let mut builder = ServerBuilder::on(database);
    for (timeout, ms) in [
        ("WALLEX_HTTP_HEAD_TIMEOUT_MS", "1000"),
        ("WALLEX_HTTP_BODY_TIMEOUT_MS", "1000"),
        ("WALLEX_HTTP_WRITE_TIMEOUT_MS", "1000"),
        // A later head must not be taken for the silence between two.
        ("WALLEX_HTTP_KEEP_ALIVE_MS", "600000"),
    ] {
        builder = builder.env(timeout, ms);
    }
    let server = builder.start().await;
    corpus::prepare(server.address()).await.expect("the wallets");
    server
}

async fn silent_and_slow_senders_are_closed(database: TempDatabase) {
    let server = impatient(&database).await;
    let address = server.address();
    let (silent, heads, later_heads, bodies) = tokio::join!(
        slow::silent_sockets(address, CLIENTS, WITHIN),
        slow::slow_heads(address, CLIENTS, WITHIN),
        slow::slow_later_heads(address, CLIENTS, WITHIN),
        slow::slow_bodies(address, CLIENTS, WITHIN),
    );
    for report in [silent, heads, later_heads, bodies] {
        report.expect("a run").assert_clean();
    }
    assert_eq!(balance(server.client(), corpus::WALLET).await, 100);
    let metrics = server.client().get("/metrics").await.text;
    let cut = format!("wallex_http_connections_cut_total{{reason=\"slow_head\"}} {CLIENTS}");
    assert!(metrics.contains(&cut), "{metrics}");
}

async fn clients_that_do_not_read_are_closed_and_hold_no_memory(database: TempDatabase) {
    let server = impatient(&database).await;
    let before = server.resident_bytes();
    let mut readers = pin!(slow::slow_readers(server.address(), LARGE, CLIENTS, WITHIN));
    let (mut turn, mut most) = (interval(Duration::from_millis(50)), 0);
    let report = loop {
        tokio::select! {
            report = &mut readers => break report,
            _ = turn.tick() => most = most.max(server.resident_bytes()),
        }
    };
    report.expect("a run").assert_clean();
    let grown = most.saturating_sub(before) / CLIENTS as u64;
    // The buffers around one answer, not all that it asked for.
    assert!(grown < 3 << 20, "a client that does not read holds {grown} bytes");
    assert_eq!(balance(server.client(), corpus::WALLET).await, 100);
}
