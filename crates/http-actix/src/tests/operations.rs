use std::sync::atomic::Ordering;

use super::*;

#[actix_web::test]
async fn liveness_asks_nobody() {
    let harness = Harness::new();
    harness.store.away.store(true, Ordering::SeqCst);
    harness.lifecycle.start_draining();
    let reply = harness.start().await.get("/livez").await;
    assert_eq!((reply.status, reply.json()), (200, json!({"status": "alive"})));
}

#[actix_web::test]
async fn readiness_says_what_is_missing() {
    let harness = Harness::new();
    let client = harness.start().await;
    let ready = client.get("/readyz").await;
    assert_eq!((ready.status, ready.json()), (200, json!({"status": "ready"})));
    harness.store.unmigrated.store(true, Ordering::SeqCst);
    let problem = client.get("/readyz").await.problem(503, "database-not-migrated");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("wallex migrate up")));
    harness.store.unmigrated.store(false, Ordering::SeqCst);
    harness.store.away.store(true, Ordering::SeqCst);
    client.get("/readyz").await.problem(503, "database-unavailable");
    harness.store.away.store(false, Ordering::SeqCst);
    harness.lifecycle.start_draining();
    client.get("/readyz").await.problem(503, "shutting-down");
}

#[actix_web::test]
async fn metrics_are_prometheus_text() {
    let reply = Client::new().await.get("/metrics").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(reply.text.contains("up 1"));
}

#[actix_web::test]
async fn documentation_needs_no_internet() {
    let client = Client::new().await;
    for (path, at) in [("/docs", "/docs/"), ("/v1/docs", "/v1/docs/")] {
        let redirect = client.get(path).await;
        assert_eq!((redirect.status, redirect.header("location")), (308, Some(at)));
    }
    let page = client.get("/docs/").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").is_some_and(|t| t.starts_with("text/html")));
    let parts: Vec<&str> = page
        .text
        .split(['"', '\''])
        .filter(|part| part.ends_with(".js") || part.ends_with(".css"))
        .collect();
    assert!(parts.len() >= 3, "{parts:?}");
    for part in parts {
        assert!(!part.contains("//"), "{part} is on another host");
        let reply = client.get(&format!("/docs/{}", part.trim_start_matches("./"))).await;
        assert_eq!(reply.status, 200, "{part}");
        assert!(
            reply
                .header("content-type")
                .is_some_and(|t| t.contains("javascript") || t.contains("css"))
        );
    }
    let initializer = client.get("/docs/swagger-initializer.js").await;
    assert!(initializer.text.contains("/openapi.json"), "{}", initializer.text);
    client.get("/docs/nothing.js").await.problem(404, "route-not-found");
}

#[actix_web::test]
async fn lane_that_stopped_is_shutting_down() {
    let client = Client::new().await;
    let Client { call, lane } = client;
    lane.shutdown().await;
    let reply = call(post("/wallets", &json!({"ownerId": "u"}))).await;
    reply.problem(503, "shutting-down");
    assert_eq!(reply.header("retry-after"), Some("1"));
}

#[actix_web::test]
async fn full_lane_is_overloaded_at_once() {
    let mut harness = Harness::new();
    harness.lane.queue_len_max = 1;
    harness.store.commits.forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    let client = Rc::new(harness.start().await);
    let (replies, mut received) = tokio::sync::mpsc::unbounded_channel();
    for id in 0..8 {
        let (client, replies) = (client.clone(), replies.clone());
        actix_web::rt::spawn(async move {
            let body = json!({"walletId": format!("w-{id}"), "ownerId": "u"});
            let _ = replies.send(client.post("/wallets", &body).await);
        });
    }
    drop(replies);
    // Nothing is committed yet, so the first to be answered was refused.
    let overloaded = received.recv().await.expect("a reply");
    overloaded.problem(503, "overloaded");
    assert_eq!(overloaded.header("retry-after"), Some("1"));
    harness.store.commits.add_permits(100);
    let mut created = 0;
    while let Some(reply) = received.recv().await {
        match reply.status {
            201 => created += 1,
            _ => drop(reply.problem(503, "overloaded")),
        }
    }
    assert!(created > 0);
    assert_eq!(harness.store.rows(), (created, 0));
}

#[actix_web::test]
async fn handler_that_waited_long_enough_does_not_know_the_outcome() {
    let mut harness = Harness::new();
    harness.settings.command_timeout = std::time::Duration::from_millis(1);
    harness.store.commits.forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    let client = harness.start().await;
    let request = || keyed("/wallets", "k-1", &json!({"ownerId": "u", "initialBalance": 3}));
    let reply = client.call(request()).await;
    let problem = reply.problem(503, "outcome-unknown");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("Idempotency-Key")));
    // The command goes on, and its key tells what became of it.
    harness.store.commits.add_permits(100);
    let resolved = loop {
        let reply = client.call(request()).await;
        if reply.status != 503 {
            break reply;
        }
    };
    assert_eq!(resolved.status, 201);
    assert_eq!(harness.store.rows(), (1, 1));
}
