//! HTTP that no library would send: a 4xx or a closed connection, never a 5xx, and nothing written.

use anyhow::ensure;
use wallex_testkit::corpus::{self, OTHER, RawAnswer, WALLET, exchange};
use wallex_testkit::{Inspector, Server, TempDatabase, on_both_databases};

use crate::support::{Unchanged, balance, with_wallets};

on_both_databases!(nothing_of_the_corpus_does_harm, truncated_requests_change_nothing);

const BODY: &str = r#"{"amount":1}"#;

async fn nothing_of_the_corpus_does_harm(database: TempDatabase) {
    let server = Server::start(&database).await;
    corpus::prepare(server.address()).await.expect("the wallets");
    let unchanged = Unchanged::since_now(&database).await;
    let report = corpus::run_with(server.address(), async |_| {
        ensure!(unchanged.holds().await, "something was written");
        Ok(())
    })
    .await
    .expect("a run");
    report.assert_clean();
    eprintln!("{} cases, the slowest: {:?}", report.cases, report.slowest);
    for wallet in [WALLET, OTHER] {
        assert_eq!(balance(server.client(), wallet).await, 100);
    }
    Inspector::open(&database).await.audit().await;
}

/// A credit of 1 to the wallet `w` with `headers`, each ended by CRLF, and `body`.
fn credit(headers: &str, body: &str) -> Vec<u8> {
    format!("POST /wallets/w/credit HTTP/1.1\r\nHost: wallex\r\n{headers}\r\n{body}").into_bytes()
}

/// Sends `bytes` and the end of the stream, and returns the statuses of all that came back.
async fn statuses(server: &Server, bytes: &[u8]) -> Vec<u16> {
    let answers = exchange(server.address(), bytes).await.expect("HTTP");
    answers.iter().map(|RawAnswer { status, .. }| *status).collect()
}

async fn truncated_requests_change_nothing(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let unchanged = Unchanged::since_now(&database).await;
    let proper = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", BODY.len());
    let whole = credit(&proper, BODY);
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
