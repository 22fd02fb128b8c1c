//! `GET /wallets/{id}/events`.

use serde_json::{Value, json};
use wallex_testkit::{Client, TempDatabase, on_both_databases};

use crate::support::with_wallets;

on_both_databases!(
    history_is_told_oldest_first,
    pages_follow_each_other_without_gap_or_overlap,
    unknown_wallet_is_not_found,
    bad_limits_and_cursors_are_refused,
);

async fn page(client: &Client, query: &str) -> Value {
    client.get(&format!("/wallets/w/events{query}")).await.is(200)
}

async fn history_is_told_oldest_first(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    let body = json!({ "amount": 5, "description": "tea", "reference": "r-1" });
    client.post("/wallets/w/credit", &body).correlation_id("credit-1").await.is(200);
    client.post("/wallets/w/debit", &json!({ "amount": 10 })).await.is(200);
    let body = json!({ "toWalletId": "other", "amount": 20 });
    let transfer = client.post("/wallets/w/transfer", &body).await.is(200);

    let page = page(client, "").await;
    assert_eq!(page["nextCursor"], Value::Null);
    let events = page["items"].as_array().expect("items");
    let types: Vec<_> =
        events.iter().map(|event| event["type"].as_str().expect("a type")).collect();
    assert_eq!(types, ["WalletCreated", "WalletCredited", "WalletDebited", "WalletDebited"]);
    let versions: Vec<_> = events.iter().map(|event| event["version"].as_i64()).collect();
    assert_eq!(versions, [Some(1), Some(2), Some(3), Some(4)]);
    let all = serde_json::to_string(events).expect("JSON");
    assert!(all.contains("credit-1"), "the correlation id is told: {all}");
    let transfer_id = transfer["transferId"].as_str().expect("an id");
    assert!(events[3].to_string().contains(transfer_id), "{}", events[3]);
    assert!(events[1].to_string().contains("\"tea\""), "{}", events[1]);
}

async fn pages_follow_each_other_without_gap_or_overlap(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    for _ in 0..6 {
        client.post("/wallets/w/credit", &json!({ "amount": 1 })).await.is(200);
    }
    let whole = page(client, "").await;
    for limit in [1, 2, 3, 6, 7, 200] {
        let mut items = Vec::new();
        let mut query = format!("?limit={limit}");
        loop {
            let page = page(client, &query).await;
            let part = page["items"].as_array().expect("items");
            assert!(!part.is_empty() && part.len() <= limit, "{} of {limit}", part.len());
            items.extend(part.iter().cloned());
            let Some(cursor) = page["nextCursor"].as_str() else { break };
            query = format!("?limit={limit}&cursor={cursor}");
        }
        assert_eq!(Value::Array(items), whole["items"], "in pages of {limit}");
    }
}

async fn unknown_wallet_is_not_found(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let answer = server.client().get("/v1/wallets/nobody/events").await;
    answer.is_problem(404, "wallet-not-found");
}

async fn bad_limits_and_cursors_are_refused(database: TempDatabase) {
    let server = with_wallets(&database).await;
    for query in [
        "?limit=0",
        "?limit=201",
        "?limit=-1",
        "?limit=1.5",
        "?limit=ten",
        "?limit=",
        "?limit=99999999999999999999",
        "?cursor=",
        "?cursor=made-up",
        "?cursor=%00",
        "?cursor=%ff%fe",
        "?limit=1&limit=2",
        "?unknown=1",
    ] {
        let answer = server.client().get(&format!("/wallets/w/events{query}")).await;
        answer.is_problem(400, "validation-failed");
    }
    // Both are told at once.
    let problem = server.client().get("/wallets/w/events?limit=0&cursor=made-up").await.json();
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(2), "{problem}");
}
