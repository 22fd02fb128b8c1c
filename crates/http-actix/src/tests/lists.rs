//! Lists that projections answer: an owner's wallets, a wallet's ledger.

use super::projected::POSITION;
use super::*;

fn ids(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["id"].as_str().expect("an id")).collect()
}

fn versions(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["version"].as_u64().expect("a version")).collect()
}

#[actix_web::test]
async fn owners_wallets_are_listed_by_id_page_by_page() {
    let client = Client::new().await;
    for id in ["b", "B", "a:1", "a", "_", "c"] {
        client.open(id, 1).await;
    }
    client.post("/wallets", &json!({"walletId": "other", "ownerId": "é/ ?"})).await;
    let whole = client.get("/wallets?ownerId=user-001").await;
    assert_eq!(whole.header(POSITION), Some("0:7"));
    assert_eq!(whole.header("cache-control"), Some("no-store"));
    let whole = whole.ok();
    assert_eq!(ids(&whole), ["B", "_", "a", "a:1", "b", "c"]);
    assert_eq!(whole["items"][2], client.get("/wallets/a").await.ok());
    assert_eq!(whole["nextCursor"], Value::Null);

    let mut items = Vec::new();
    let mut path = "/wallets?ownerId=user-001&limit=4".to_owned();
    loop {
        let page = client.get(&path).await.ok();
        items.extend(page["items"].as_array().expect("items").clone());
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        // One that comes meanwhile, before the place where the reader stands.
        client.open("0", 0).await;
        path = format!("/wallets?ownerId=user-001&limit=4&cursor={cursor}");
    }
    assert_eq!(Value::Array(items), whole["items"]);

    let other = client.get("/wallets?ownerId=%C3%A9%2F+%3F").await.ok();
    assert_eq!(ids(&other), ["other"]);
    let nobody = client.get("/wallets?ownerId=nobody").await.ok();
    assert_eq!(nobody, json!({"items": [], "nextCursor": null}));
}

#[actix_web::test]
async fn list_of_wallets_needs_an_owner() {
    let client = Client::new().await;
    for query in ["", "?limit=5", "?ownerId=", "?ownerId=%00", "?ownerId=%FF", "?ownerId=a%C3"] {
        let reply = client.get(&format!("/wallets{query}")).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), ["ownerId"], "{query}");
    }
    let reply = client.get("/wallets?limit=0&cursor=AQAAAAAAAAAy&owner=x").await;
    let mut places = reply.places();
    places.sort();
    assert_eq!(places, ["cursor", "limit", "owner", "ownerId"]);
}

#[actix_web::test]
async fn ledger_says_what_every_event_did() {
    let client = Client::new().await;
    let id = client.transferred().await;
    client.post("/wallets/a/debit", &json!({"amount": 1, "description": "tea"})).await.ok();
    let page = client.get("/wallets/a/ledger").await;
    assert_eq!(page.header(POSITION), Some("0:5"));
    let page = page.ok();
    assert_eq!(versions(&page), [3, 2, 1]);
    assert_eq!(page["nextCursor"], Value::Null);
    let events = client.get("/wallets/a/events").await.ok();
    let at = "2026-01-01T00:00:00.007Z";
    assert_eq!(
        page["items"],
        json!([
            {
                "walletId": "a", "version": 3, "position": 5,
                "eventId": events["items"][2]["eventId"], "type": "debit", "amount": 1,
                "balanceAfter": 69, "currency": "USD", "description": "tea", "recordedAt": at,
            },
            {
                "walletId": "a", "version": 2, "position": 3,
                "eventId": events["items"][1]["eventId"], "type": "transfer_out", "amount": 30,
                "balanceAfter": 70, "currency": "USD", "description": "", "reference": "r-1",
                "transferId": id, "counterpartyWalletId": "b", "recordedAt": at,
            },
            {
                "walletId": "a", "version": 1, "position": 1,
                "eventId": events["items"][0]["eventId"], "type": "opening", "amount": 100,
                "balanceAfter": 100, "currency": "USD", "recordedAt": at,
            },
        ])
    );
    let other = client.get("/wallets/b/ledger").await.ok();
    assert_eq!(other["items"][0]["type"], "transfer_in");
}

#[actix_web::test]
async fn pages_of_a_ledger_stay_where_they_are_while_lines_come() {
    let client = Client::new().await;
    client.open("w-1", 0).await;
    for _ in 0..6 {
        client.post("/wallets/w-1/credit", &json!({"amount": 1})).await;
    }
    let mut seen = Vec::new();
    let mut path = "/wallets/w-1/ledger?limit=3".to_owned();
    loop {
        let page = client.get(&path).await.ok();
        seen.extend(versions(&page));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        client.post("/wallets/w-1/credit", &json!({"amount": 1})).await;
        path = format!("/wallets/w-1/ledger?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
}

#[actix_web::test]
async fn ledger_is_filtered_by_type_and_time() {
    let harness = Harness::patient();
    let client = harness.start().await;
    client.open("w-1", 5).await;
    client.post("/wallets/w-1/credit", &json!({"amount": 1})).await;
    client.post("/wallets/w-1/debit", &json!({"amount": 1})).await;
    // All was recorded at 2026-01-01T00:00:00.007Z.
    for (query, found) in [
        ("type=opening", vec![1]),
        ("type=credit", vec![2]),
        ("type=debit", vec![3]),
        ("type=transfer_in", vec![]),
        ("from=2026-01-01T00:00:00.007Z", vec![3, 2, 1]),
        ("from=2026-01-01T00:00:00.0070001Z", vec![]),
        ("from=2026-01-01T00:00:00.0069Z", vec![3, 2, 1]),
        ("to=2026-01-01T00:00:00.007Z", vec![]),
        ("to=2026-01-01T00:00:00.0070001Z", vec![3, 2, 1]),
        ("from=2026-01-01T05:30:00%2B05:30&to=2025-12-31T19:00:00.008-05:00", vec![3, 2, 1]),
        ("from=2020-01-01T00:00:00Z&type=credit&minVersion=3", vec![2]),
    ] {
        let page = client.get(&format!("/wallets/w-1/ledger?{query}")).await.ok();
        assert_eq!(versions(&page), found, "{query}");
    }
    assert_eq!(harness.waits(), 0, "a page that is empty by its filter is not waited for");
}

#[actix_web::test]
async fn bad_filters_are_refused_together() {
    let client = Client::new().await;
    client.open("w-1", 0).await;
    for (query, places) in [
        ("type=deposit", vec!["type"]),
        ("type=", vec!["type"]),
        ("from=yesterday", vec!["from"]),
        ("from=2026-01-01", vec!["from"]),
        ("from=2026-01-01T00:00:00+01:00", vec!["from"]),
        ("to=2026-13-01T00:00:00Z", vec!["to"]),
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", vec!["to"]),
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T00:59:00%2B01:00", vec!["to"]),
        ("limit=201", vec!["limit"]),
        ("cursor=AQAAAAAAAAAy", vec!["cursor"]),
        ("cursor=02772d31", vec!["cursor"]),
        ("consistency=eventual", vec!["consistency"]),
        (
            "from=x&to=y&type=z&limit=0&minVersion=0&cursor=c&q=1",
            vec!["from", "to", "cursor", "type", "limit", "minVersion", "q"],
        ),
    ] {
        let reply = client.get(&format!("/wallets/w-1/ledger?{query}")).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), places, "{query}");
    }
    // Nor does another list take a ledger's cursor.
    for path in ["/wallets/w-1/events?", "/wallets?ownerId=a&"] {
        let reply = client.get(&format!("{path}cursor=AwAAAAAAAAAy")).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), ["cursor"], "{path}");
    }
}
