//! `POST /wallets/{id}/debit`.

use serde_json::json;
use wallex_testkit::{Inspector, TempDatabase, on_both_databases};

use crate::support::{all_at_once, balance, count, with_wallets};

on_both_databases!(
    debit_takes_and_answers_with_the_snapshot,
    wallet_may_be_emptied_and_no_further,
    unknown_wallet_is_not_found,
    simultaneous_debits_never_overdraw,
);

async fn debit_takes_and_answers_with_the_snapshot(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let answer = server.client().post("/v1/wallets/w/debit", &json!({ "amount": 30 })).await;
    let wallet = answer.is(200);
    assert_eq!((&wallet["balance"], &wallet["version"]), (&json!(70), &json!(2)));
    assert_eq!(answer.header("etag"), Some("\"2\""));
    assert_eq!(server.client().get("/wallets/w").await.is(200), wallet);
    let audited = &Inspector::open(&database).await.audit().await["w"];
    assert_eq!(audited.events[1].event_type(), "WalletDebited");
}

async fn wallet_may_be_emptied_and_no_further(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let debit = |amount| server.client().post("/wallets/w/debit", &json!({ "amount": amount }));
    debit(101).await.is_problem(422, "insufficient-funds");
    assert_eq!(debit(100).await.is(200)["balance"], 0);
    debit(1).await.is_problem(422, "insufficient-funds");
    let wallets = Inspector::open(&database).await.audit().await;
    assert_eq!((wallets["w"].balance(), wallets["w"].events.len()), (0, 2));
}

async fn unknown_wallet_is_not_found(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let answer = server.client().post("/wallets/nobody/debit", &json!({ "amount": 1 })).await;
    answer.is_problem(404, "wallet-not-found");
}

async fn simultaneous_debits_never_overdraw(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let debits =
        (0..100).map(|_| server.client().post("/wallets/w/debit", &json!({ "amount": 7 })));
    let answers = all_at_once(debits.map(IntoFuture::into_future)).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!((count(&statuses, 200), count(&statuses, 422)), (100 / 7, 100 - 100 / 7));
    assert_eq!(balance(server.client(), "w").await, 100 % 7);
    assert_eq!(Inspector::open(&database).await.audit().await["w"].balance(), 100 % 7);
}
