//! `GET /livez`, `/readyz`, `/metrics`, and routes that there are none of.

use serde_json::json;
use wallex_testkit::{Inspector, Server, TempDatabase, block_on, eventually, on_both_databases};

use crate::support::create;

on_both_databases!(
    healthy_server_says_so,
    metrics_have_the_given_names,
    unknown_routes_and_methods_are_problems,
);

async fn healthy_server_says_so(database: TempDatabase) {
    let server = Server::start(&database).await;
    for path in ["/livez", "/readyz", "/v1/livez", "/v1/readyz"] {
        server.client().get(path).await.is(200);
    }
}

async fn metrics_have_the_given_names(database: TempDatabase) {
    let server = Server::start(&database).await;
    create(server.client(), "w", 1).await;
    let metrics = server.client().get("/metrics").await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    for (name, kind) in [
        ("wallet_create_duration_ms", "histogram"),
        ("outbox_lag_events", "gauge"),
        ("projector_error_rate", "counter"),
        ("idempotency_cache_hit_rate", "gauge"),
    ] {
        let declared = format!("# TYPE {name} {kind}\n");
        assert!(metrics.text.contains(&declared), "{declared}{}", metrics.text);
    }
    assert!(metrics.text.contains("wallet_create_duration_ms_count"), "{}", metrics.text);
}

async fn unknown_routes_and_methods_are_problems(database: TempDatabase) {
    let server = Server::start(&database).await;
    let client = server.client();
    for path in ["/nowhere", "/wallets/w/nothing", "/v2/wallets/w", "/wallets/w/credit/x"] {
        client.get(path).await.is_problem(404, "route-not-found");
    }
    for (method, path, allowed) in [
        ("DELETE", "/wallets/w", "GET"),
        ("GET", "/wallets/w/credit", "POST"),
        ("PUT", "/wallets", "POST"),
        ("POST", "/livez", "GET"),
    ] {
        let answer = client.request(method, path).await;
        answer.is_problem(405, "method-not-allowed");
        let allow = answer.header("allow").expect("a 405 says what is allowed");
        assert!(allow.split(", ").any(|method| method == allowed), "{method} {path}: {allow}");
    }
}

/// As when its password was changed, or it is being restored.
#[test]
fn a_database_that_lets_nobody_in_any_more_is_unavailable_and_no_defect() {
    block_on(async {
        let (database, other) = (TempDatabase::postgres().await, TempDatabase::postgres().await);
        let beside = Inspector::open(&other).await;
        let name = database.url().rsplit_once('/').expect("a name").1;
        let server = Server::start(&database).await;
        let client = server.client();
        create(client, "w", 1).await;
        beside.execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
        let all = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        );
        beside.execute(&all).await;
        let credit = || client.post("/wallets/w/credit", &json!({ "amount": 1 })).key("once");
        // The first may have been on its way when its connection ended.
        credit().await.is(503);
        for _ in 0..3 {
            credit().await.is_problem(503, "database-unavailable");
            client.get("/wallets/w").await.is_problem(503, "database-unavailable");
            client.get("/readyz").await.is_problem(503, "database-unavailable");
        }
        beside.execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
        eventually("it is let in again", async || (credit().await.status == 200).then_some(()))
            .await;
        assert_eq!(client.get("/wallets/w").await.is(200)["balance"], 2);
    });
}
