//! `GET /wallets/{id}/explanation`.

use serde_json::{Value, json};
use wallex_testkit::{
    Client, Inspector, Server, ServerBuilder, TempDatabase, eventually, on_both_databases,
};

use crate::support::{all_at_once, create};

on_both_databases!(
    the_sums_make_the_balance_while_it_changes,
    what_holds_a_projection_back_is_told,
);

async fn explanation(client: &Client, id: &str) -> Value {
    client.get(&format!("/wallets/{id}/explanation")).await.is(200)
}

fn parts(explanation: &Value) -> impl Iterator<Item = (&str, i64, i64)> {
    let parts = explanation["madeOf"].as_array().expect("parts").iter();
    parts.map(|part| {
        let sum = part["sum"].as_str().expect("a text").parse().expect("a sum");
        (part["type"].as_str().expect("a type"), part["count"].as_i64().expect("a count"), sum)
    })
}

#[track_caller]
fn assert_adds_up(explanation: &Value) {
    assert_eq!(explanation["addsUp"], true, "{explanation}");
    let (count, sum) =
        parts(explanation).fold((0, 0), |(count, sum), part| (count + part.1, sum + part.2));
    assert_eq!(explanation["balance"], sum, "{explanation}");
    assert_eq!(explanation["version"], count, "{explanation}");
}

async fn the_sums_make_the_balance_while_it_changes(database: TempDatabase) {
    let server = Server::start(&database).await;
    let client = server.client();
    create(client, "w", 1_000).await;
    create(client, "other", 1_000).await;
    // More events than are read at a time.
    let busy = (0..8).map(|_| {
        let client = client.clone();
        async move {
            for n in 0..152 {
                let (path, body) = match n % 4 {
                    0 => ("/wallets/w/credit", json!({ "amount": 3 })),
                    1 => ("/wallets/w/debit", json!({ "amount": 2 })),
                    2 => ("/wallets/w/transfer", json!({ "toWalletId": "other", "amount": 1 })),
                    _ => ("/wallets/other/transfer", json!({ "toWalletId": "w", "amount": 1 })),
                };
                client.post(path, &body).await.is(200);
            }
        }
    });
    let busy = tokio::spawn(all_at_once(busy.collect::<Vec<_>>()));
    while !busy.is_finished() {
        assert_adds_up(&explanation(client, "w").await);
    }
    busy.await.expect("all is done");
    Inspector::open(&database).await.projected().await;
    let explained = explanation(client, "w").await;
    assert_adds_up(&explained);
    let expected = [
        ("opening", 1, 1_000),
        ("credit", 304, 912),
        ("debit", 304, -608),
        ("transfer_in", 304, 304),
        ("transfer_out", 304, -304),
    ];
    assert_eq!(parts(&explained).collect::<Vec<_>>(), expected);
    let wallet = client.get("/wallets/w").await.is(200);
    for (mine, of_wallet) in
        [("balance", "balance"), ("openedAt", "createdAt"), ("updatedAt", "updatedAt")]
    {
        assert_eq!(explained[mine], wallet[of_wallet], "{mine}");
    }
    for projection in explained["projections"].as_array().expect("a list") {
        assert_eq!(projection["version"], 1_217, "{projection}");
        assert_eq!(projection["behindEvents"], 0, "{projection}");
        assert_eq!(projection["state"], "running", "{projection}");
    }
    client.get("/v1/wallets/nobody/explanation").await.is_problem(404, "wallet-not-found");
}

async fn what_holds_a_projection_back_is_told(database: TempDatabase) {
    {
        let off = ServerBuilder::on(&database).env("PROJECTORS_AUTO_START", "false");
        let server = off.start().await;
        let client = server.client();
        create(client, "bad", 100).await;
        for amount in [1, 2, 3] {
            client.post("/wallets/bad/credit", &json!({ "amount": amount })).await.is(200);
        }
        let explained = explanation(client, "bad").await;
        assert_adds_up(&explained);
        for projection in explained["projections"].as_array().expect("a list") {
            assert_eq!(projection["behindEvents"], 4, "{projection}");
            assert_eq!(projection["state"], "unheld", "{projection}");
        }
    }
    let inspector = Inspector::open(&database).await;
    let damage = "UPDATE events SET type = 'Odd' WHERE wallet_id = 'bad' AND version = 3";
    inspector.execute(damage).await;
    let server = Server::start(&database).await;
    let client = server.client();
    let explained = eventually("both have parked it", async || {
        let explained = explanation(client, "bad").await;
        let projections = explained["projections"].as_array().expect("a list").clone();
        projections.iter().all(|one| one["state"] == "parked").then_some(explained)
    })
    .await;
    for projection in explained["projections"].as_array().expect("a list") {
        assert_eq!(projection["version"], 2, "{projection}");
        assert_eq!(projection["parkedVersion"], 3, "{projection}");
    }
    // The event itself can't be read: what stands before it is explained, and that it is not all.
    assert_eq!(explained["unreadableVersion"], 3, "{explained}");
    assert_eq!(explained["addsUp"], false, "{explained}");
    assert_eq!(parts(&explained).collect::<Vec<_>>(), [("opening", 1, 100), ("credit", 1, 1)]);
    let cure = "UPDATE events SET type = 'WalletCredited' WHERE type = 'Odd'";
    inspector.execute(cure).await;
    assert_adds_up(&explanation(client, "bad").await);
}
