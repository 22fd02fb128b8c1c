//! `GET /livez`, `/readyz`, `/metrics`, and routes that there are none of.

use wallex_testkit::{Server, TempDatabase, on_both_databases};

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
