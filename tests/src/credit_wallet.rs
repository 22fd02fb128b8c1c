//! `POST /wallets/{id}/credit`.

use std::collections::BTreeSet;

use serde_json::json;
use wallex_testkit::{Inspector, TempDatabase, on_both_databases};

use crate::support::{all_at_once, balance, create, with_wallets};

on_both_databases!(
    credit_adds_and_answers_with_the_snapshot,
    unknown_wallet_is_not_found,
    balance_above_the_limit_is_refused,
    simultaneous_credits_all_count_once,
    version_prefix_is_the_same_route,
);

async fn credit_adds_and_answers_with_the_snapshot(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let body = json!({ "amount": 25, "description": "two\nlines", "reference": "invoice 7" });
    let answer = server.client().post("/wallets/w/credit", &body).await;
    let wallet = answer.is(200);
    assert_eq!(
        (&wallet["id"], &wallet["balance"], &wallet["version"]),
        (&json!("w"), &json!(125), &json!(2))
    );
    assert_eq!(answer.header("etag"), Some("\"2\""));
    assert_eq!(server.client().get("/wallets/w").await.is(200), wallet);
    let audited = &Inspector::open(&database).await.audit().await["w"];
    let wallex_event = &audited.events[1];
    assert_eq!(wallex_event.event_type(), "WalletCredited");
    let payload: serde_json::Value =
        serde_json::from_str(&wallex_event.encode().payload).expect("JSON");
    assert_eq!(payload["description"], "two\nlines");
    assert_eq!(payload["reference"], "invoice 7");
}

async fn unknown_wallet_is_not_found(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let answer = server.client().post("/wallets/nobody/credit", &json!({ "amount": 1 })).await;
    answer.is_problem(404, "wallet-not-found");
    assert_eq!(Inspector::open(&database).await.counts().await.events, 2);
}

async fn balance_above_the_limit_is_refused(database: TempDatabase) {
    let server = with_wallets(&database).await;
    create(server.client(), "full", 9_007_199_254_740_990).await;
    let credit =
        |amount| server.client().post("/wallets/full/credit", &json!({ "amount": amount }));
    credit(2).await.is_problem(422, "balance-limit-exceeded");
    credit(9_007_199_254_740_991_i64).await.is_problem(422, "balance-limit-exceeded");
    assert_eq!(credit(1).await.is(200)["balance"], 9_007_199_254_740_991_i64);
    Inspector::open(&database).await.audit().await;
}

async fn simultaneous_credits_all_count_once(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let credits =
        (0..200).map(|_| server.client().post("/wallets/w/credit", &json!({ "amount": 3 })));
    let answers = all_at_once(credits.map(IntoFuture::into_future)).await;
    let versions: BTreeSet<i64> = answers
        .iter()
        .map(|answer| answer.is(200)["version"].as_i64().expect("a number"))
        .collect();
    assert_eq!(versions, (2..=201).collect(), "each answer is of its own version");
    assert_eq!(balance(server.client(), "w").await, 100 + 200 * 3);
    assert_eq!(Inspector::open(&database).await.audit().await["w"].balance(), 100 + 200 * 3);
}

async fn version_prefix_is_the_same_route(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let answer = server.client().post("/v1/wallets/w/credit", &json!({ "amount": 1 })).await;
    assert_eq!(answer.is(200)["balance"], 101);
}
