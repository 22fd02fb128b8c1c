//! `POST /wallets/{id}/transfer`.

use serde_json::{Value, json};
use wallex_testkit::{Client, Inspector, Request, TempDatabase, on_both_databases};

use crate::support::{all_at_once, balance, create, opening, with_wallets};

on_both_databases!(
    transfer_moves_money_and_answers_with_both_snapshots,
    both_legs_carry_the_transfer_id,
    refused_transfers_move_nothing,
    opposite_transfers_at_once_lose_nothing,
    transfers_across_shards_lose_nothing,
);

fn transfer(client: &Client, from: &str, to: &str, amount: i64) -> Request {
    client
        .post(&format!("/wallets/{from}/transfer"), &json!({ "toWalletId": to, "amount": amount }))
}

async fn transfer_moves_money_and_answers_with_both_snapshots(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    let answer = transfer(client, "w", "other", 40).await.is(200);
    assert_eq!(answer["transferId"].as_str().map(str::len), Some(36));
    assert_eq!(answer["fromWallet"], client.get("/wallets/w").await.is(200));
    assert_eq!(answer["toWallet"], client.get("/v1/wallets/other").await.is(200));
    assert_eq!(
        (&answer["fromWallet"]["balance"], &answer["toWallet"]["balance"]),
        (&json!(60), &json!(40))
    );
    assert_eq!(
        (&answer["fromWallet"]["version"], &answer["toWallet"]["version"]),
        (&json!(2), &json!(2))
    );
}

async fn both_legs_carry_the_transfer_id(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let body =
        json!({ "toWalletId": "other", "amount": 1, "description": "rent", "reference": "r-1" });
    let answer = server.client().post("/wallets/w/transfer", &body).await.is(200);
    let wallets = Inspector::open(&database).await.audit().await;
    for (id, counterparty, kind) in
        [("w", "other", "WalletDebited"), ("other", "w", "WalletCredited")]
    {
        let event = wallets[id].events[1].encode();
        let payload: Value = serde_json::from_str(&event.payload).expect("JSON");
        assert_eq!(event.event_type, kind);
        assert_eq!(payload["transfer"]["transferId"], answer["transferId"]);
        assert_eq!(payload["transfer"]["counterpartyWalletId"], counterparty);
        assert_eq!(
            (&payload["description"], &payload["reference"]),
            (&json!("rent"), &json!("r-1"))
        );
    }
}

async fn refused_transfers_move_nothing(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    create(client, "full", 9_007_199_254_740_991).await;
    let mut euros = opening("euros", 0);
    euros["currency"] = json!("EUR");
    client.post("/wallets", &euros).await.is(201);

    transfer(client, "w", "other", 101).await.is_problem(422, "insufficient-funds");
    transfer(client, "w", "w", 1).await.is_problem(422, "transfer-to-same-wallet");
    transfer(client, "w", "euros", 1).await.is_problem(422, "currency-mismatch");
    transfer(client, "w", "full", 1).await.is_problem(422, "balance-limit-exceeded");
    transfer(client, "w", "nobody", 1).await.is_problem(404, "wallet-not-found");
    transfer(client, "nobody", "w", 1).await.is_problem(404, "wallet-not-found");

    let wallets = Inspector::open(&database).await.audit().await;
    assert!(wallets.values().all(|wallet| wallet.events.len() == 1));
}

async fn opposite_transfers_at_once_lose_nothing(database: TempDatabase) {
    let server = with_wallets(&database).await;
    race_in_a_circle(server.client()).await;
    let wallets = Inspector::open(&database).await.audit().await;
    assert_eq!(wallets.values().map(|wallet| wallet.balance()).sum::<i64>(), 100 + 3 * 1_000);
}

async fn transfers_across_shards_lose_nothing(database: TempDatabase) {
    let builder = wallex_testkit::ServerBuilder::on(&database);
    let server = builder.env("WALLEX_SHARDS", "4").start().await;
    race_in_a_circle(server.client()).await;
    let inspector = Inspector::open(&database).await;
    let wallets = inspector.audit().await;
    assert_eq!(wallets.values().map(|wallet| wallet.balance()).sum::<i64>(), 3 * 1_000);
    let shards = inspector.number("SELECT count(DISTINCT shard) AS n FROM events").await;
    assert!(shards > 1, "the wallets are in several shards");
}

/// Three wallets pay each other, every one in both directions, all at the same time.
async fn race_in_a_circle(client: &Client) {
    let ids = ["red", "green", "blue"];
    for id in ids {
        create(client, id, 1_000).await;
    }
    let pairs = ids.iter().flat_map(|from| ids.iter().map(move |to| (*from, *to)));
    let pairs: Vec<_> = pairs.filter(|(from, to)| from != to).collect();
    let transfers = (0..120).map(|i| transfer(client, pairs[i % 6].0, pairs[i % 6].1, 1));
    for answer in all_at_once(transfers.map(IntoFuture::into_future)).await {
        answer.is(200);
    }
    for id in ids {
        assert_eq!(balance(client, id).await, 1_000, "as much came in as went out");
    }
}
