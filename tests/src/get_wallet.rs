//! `GET /wallets/{id}`.

use serde_json::json;
use wallex_testkit::{Server, ServerBuilder, TempDatabase, on_both_databases};

use crate::support::{create, with_wallets};

on_both_databases!(
    wallet_is_read_as_it_was_answered,
    unknown_wallet_is_not_found,
    every_write_is_seen_at_once,
    wallets_survive_a_restart,
);

async fn wallet_is_read_as_it_was_answered(database: TempDatabase) {
    let server = Server::start(&database).await;
    let created = create(server.client(), "acme:eu.west_1-x", 7).await;
    let answer = server.client().get("/wallets/acme:eu.west_1-x").await;
    assert_eq!(answer.is(200), created);
    assert_eq!(answer.header("etag"), Some("\"1\""));
    // A client may encode what need not be.
    assert_eq!(server.client().get("/v1/wallets/acme%3Aeu.west_1%2Dx").await.is(200), created);
}

async fn unknown_wallet_is_not_found(database: TempDatabase) {
    let server = Server::start(&database).await;
    server.client().get("/wallets/nobody").await.is_problem(404, "wallet-not-found");
}

async fn every_write_is_seen_at_once(database: TempDatabase) {
    let server = with_wallets(&database).await;
    for version in 2..30 {
        let answer = server.client().post("/wallets/w/credit", &json!({ "amount": 1 })).await;
        let written = answer.is(200);
        assert_eq!(written["version"], version);
        assert_eq!(server.client().get("/wallets/w").await.is(200), written);
    }
}

async fn wallets_survive_a_restart(database: TempDatabase) {
    let mut server = with_wallets(&database).await;
    let body = json!({ "toWalletId": "other", "amount": 40 });
    let moved = server.client().post("/wallets/w/transfer", &body).await.is(200);
    server.terminate();
    assert!(server.wait().await.success());

    let server = ServerBuilder::on(&database).start().await;
    assert_eq!(server.client().get("/wallets/w").await.is(200), moved["fromWallet"]);
    assert_eq!(server.client().get("/wallets/other").await.is(200), moved["toWallet"]);
    // The next command goes on from where the last process was.
    let answer = server.client().post("/wallets/w/debit", &json!({ "amount": 60 })).await;
    assert_eq!((&answer.is(200)["balance"], &answer.json()["version"]), (&json!(0), &json!(3)));
}
