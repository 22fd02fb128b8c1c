use std::sync::atomic::Ordering;

use super::*;

const READS: [&str; 7] = [
    "/wallets/w-1",
    "/wallets/w-1?consistency=eventual",
    "/wallets?ownerId=user-001",
    "/wallets/w-1/ledger",
    "/wallets/w-1/events",
    "/wallets/w-1/explanation",
    "/transfers/01890a5d-ac96-774b-bcce-b302099a8057",
];

#[actix_web::test]
async fn wallet_is_read_with_its_version_as_entity_tag() {
    let client = Client::new().await;
    client.open("w-1", 42).await;
    let reply = client.get("/wallets/w-1").await;
    assert_eq!((reply.status, reply.header("etag")), (200, Some("\"1\"")));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.json()["balance"], 42);
    let missing = client.get("/wallets/nobody").await;
    assert_eq!(missing.problem(404, "wallet-not-found")["instance"], "/wallets/nobody");
    assert_eq!(missing.header("cache-control"), Some("no-store"));
}

#[actix_web::test]
async fn history_is_told_oldest_first() {
    let client = Client::new().await;
    client.open("w-1", 100).await;
    client.open("w-2", 0).await;
    let body = json!({"toWalletId": "w-2", "amount": 30, "reference": "r-1"});
    let request = post("/wallets/w-1/transfer", &body).insert_header(("x-correlation-id", "c-7"));
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let transfer = client.call(request.insert_header(("traceparent", traceparent))).await.json();
    let page = client.get("/wallets/w-1/events").await;
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let page = page.json();
    assert_eq!(page["nextCursor"], Value::Null);
    let [created, debited] = page["items"].as_array().expect("items").as_slice() else {
        panic!("two events, not {page}")
    };
    assert_eq!(created["type"], "WalletCreated");
    assert_eq!(
        created["data"],
        json!({"ownerId": "user-001", "currency": "USD", "initialBalance": 100})
    );
    assert!(created.get("traceparent").is_none());
    assert_eq!(
        debited["data"],
        json!({
            "amount": 30, "balance": 70, "currency": "USD", "reference": "r-1",
            "transfer": {"transferId": transfer["transferId"], "counterpartyWalletId": "w-2"},
        })
    );
    assert_eq!(debited["version"], 2);
    assert_eq!(debited["position"], 3);
    assert_eq!(debited["schemaVersion"], 1);
    assert_eq!(debited["recordedAt"], "2026-01-01T00:00:00.007Z");
    assert_eq!(debited["correlationId"], "c-7");
    assert_eq!(debited["traceparent"], traceparent);
    let other = client.get("/wallets/w-2/events").await.json();
    assert_eq!(other["items"][1]["causationId"], debited["causationId"]);
    assert_ne!(other["items"][1]["eventId"], debited["eventId"]);
}

#[actix_web::test]
async fn pages_follow_each_other_without_gap() {
    let client = Client::new().await;
    client.open("w-1", 0).await;
    for _ in 0..6 {
        client.post("/wallets/w-1/credit", &json!({"amount": 1})).await;
    }
    let mut versions = Vec::new();
    let mut path = "/wallets/w-1/events?limit=3".to_owned();
    loop {
        let page = client.get(&path).await.json();
        let items = page["items"].as_array().expect("items");
        assert!((1..=3).contains(&items.len()), "{page}");
        versions.extend(items.iter().map(|item| item["version"].as_u64()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("/wallets/w-1/events?limit=3&cursor={cursor}");
    }
    assert_eq!(versions, (1..=7).map(Some).collect::<Vec<_>>());
}

#[actix_web::test]
async fn page_is_fifty_events_when_nothing_is_said() {
    let client = Client::new().await;
    client.open("w-1", 0).await;
    for _ in 0..50 {
        client.post("/wallets/w-1/credit", &json!({"amount": 1})).await;
    }
    let page = client.get("/wallets/w-1/events").await.json();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(50));
    assert!(page["nextCursor"].is_string());
    let all = client.get("/wallets/w-1/events?limit=200").await.json();
    assert_eq!(all["items"].as_array().map(Vec::len), Some(51));
}

#[actix_web::test]
async fn history_of_a_missing_wallet_is_not_found() {
    let client = Client::new().await;
    client.get("/wallets/nobody/events").await.problem(404, "wallet-not-found");
}

#[actix_web::test]
async fn bad_parameters_are_refused_together() {
    let client = Client::new().await;
    client.open("w-1", 0).await;
    for bad in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=%2B5",
        "limit=5.0",
        "limit=",
        "limit=abc",
        "limit",
        "limit=1&limit=2",
        "limit=99999999999999999999",
    ] {
        let reply = client.get(&format!("/wallets/w-1/events?{bad}")).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), ["limit"], "{bad}");
    }
    for bad in ["cursor=", "cursor=garbage", "cursor=MQ", "cursor=%FF", "cursor=AQAAAAAAAAAA%00"] {
        let reply = client.get(&format!("/wallets/w-1/events?{bad}")).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), ["cursor"], "{bad}");
    }
    let reply = client.get("/wallets/a%20b/events?limit=0&cursor=x&from=1&from=2").await;
    reply.problem(400, "validation-failed");
    let mut places = reply.places();
    places.sort();
    assert_eq!(places, ["cursor", "from", "from", "id", "limit"]);
    client.get("/wallets/w-1?consistency=strong").await.problem(400, "validation-failed");
}

#[actix_web::test]
async fn database_that_is_away_is_a_503_and_a_damaged_row_a_500() {
    let harness = Harness::new();
    let client = harness.start().await;
    client.open("w-1", 0).await;
    harness.store.away.store(true, Ordering::SeqCst);
    for path in READS {
        let reply = client.get(path).await;
        reply.problem(503, "database-unavailable");
        assert_eq!(reply.header("retry-after"), Some("1"));
    }
    let reply = client.post("/wallets/w-1/credit", &json!({"amount": 1})).await;
    reply.problem(503, "database-unavailable");
    assert_eq!(reply.header("retry-after"), Some("1"));
    harness.store.away.store(false, Ordering::SeqCst);
    harness.store.damaged.store(true, Ordering::SeqCst);
    for path in READS {
        let reply = client.get(path).await;
        reply.problem(500, "internal");
        assert!(!reply.text.contains("secret"), "{}", reply.text);
    }
    harness.store.damaged.store(false, Ordering::SeqCst);
    assert_eq!(client.get("/wallets/w-1").await.status, 200);
}

#[actix_web::test]
async fn database_that_does_not_answer_is_not_waited_for() {
    let mut harness = Harness::new();
    harness.settings.read_timeout = std::time::Duration::from_millis(1);
    harness.settings.projection_wait = std::time::Duration::ZERO;
    harness.store.reads.forget_permits(tokio::sync::Semaphore::MAX_PERMITS);
    let client = harness.start().await;
    for path in READS {
        client.get(path).await.problem(503, "database-unavailable");
    }
}
