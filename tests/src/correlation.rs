//! `X-Correlation-Id` and `traceparent`: from the request to everything that it causes.

use serde_json::json;
use wallex_testkit::{Inspector, Server, ServerBuilder, TempDatabase, on_both_databases};

use crate::support::{Unchanged, opening, with_wallets};

on_both_databases!(
    correlation_id_is_echoed_or_made,
    bad_correlation_id_is_refused,
    correlation_id_and_trace_are_stored_with_every_event,
    correlation_id_is_on_the_log_lines_of_its_request,
);

async fn correlation_id_is_echoed_or_made(database: TempDatabase) {
    let server = Server::start(&database).await;
    let client = server.client();
    let longest = "x".repeat(128);
    for id in ["req-123", "!~", &longest] {
        for path in ["/livez", "/wallets/nobody", "/nowhere", "/wallets/w/credit"] {
            let answer = client.get(path).correlation_id(id).await;
            assert_eq!(answer.header("x-correlation-id"), Some(id), "{path}");
        }
    }
    let (one, two) = (client.get("/wallets/nobody").await, client.get("/livez").await);
    let made =
        |answer: &wallex_testkit::Answer| answer.header("x-correlation-id").map(str::to_owned);
    assert!(made(&one).is_some_and(|id| !id.is_empty()));
    assert_ne!(made(&one), made(&two));
}

async fn bad_correlation_id_is_refused(database: TempDatabase) {
    let server = Server::start(&database).await;
    let unchanged = Unchanged::since_now(&database).await;
    let too_long = "x".repeat(129);
    for id in ["", "two words", "tab\there", &too_long] {
        let answer = server.client().post("/wallets", &opening("w", 1)).correlation_id(id).await;
        let problem = answer.is_problem(400, "validation-failed");
        assert_ne!(problem["correlationId"], id, "a made one stands in for it");
        unchanged.holds_after(id).await;
    }
}

async fn correlation_id_and_trace_are_stored_with_every_event(database: TempDatabase) {
    const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let server = with_wallets(&database).await;
    let body = json!({ "toWalletId": "other", "amount": 1 });
    let transfer = server.client().post("/wallets/w/transfer", &body).correlation_id("req-123");
    let traceparent = format!("00-{TRACE_ID}-00f067aa0ba902b7-01");
    transfer.header("traceparent", &traceparent).await.is(200);
    let stored = |what: &str| {
        format!("SELECT count(*) AS n FROM events WHERE CAST(metadata AS text) LIKE '%{what}%'")
    };
    let inspector = Inspector::open(&database).await;
    assert_eq!(inspector.number(&stored("req-123")).await, 2, "both legs");
    assert_eq!(inspector.number(&stored(TRACE_ID)).await, 2, "both legs");
}

async fn correlation_id_is_on_the_log_lines_of_its_request(database: TempDatabase) {
    let server = ServerBuilder::on(&database).env("WALLEX_LOG_FORMAT", "json").start().await;
    let create = server.client().post("/wallets", &opening("w", 1)).correlation_id("find-me");
    create.await.is(201);
    let line = wallex_testkit::eventually("the request is logged", async || {
        server.logs().lines().find(|line| line.contains("find-me")).map(str::to_owned)
    })
    .await;
    let line: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
    assert!(line.to_string().contains("/wallets"), "{line}");
}
