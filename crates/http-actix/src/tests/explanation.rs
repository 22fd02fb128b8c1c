//! What a balance is made of.

use std::sync::atomic::Ordering;

use wallex_ports::AccessScope::WalletsRead;

use super::*;

/// A wallet with one of everything, at version 5: 100 + 20 − 30 + 5 − 7.
async fn lived(client: &Client) {
    client.open("w-1", 100).await;
    client.open("w-2", 50).await;
    for (path, body) in [
        ("/wallets/w-1/credit", json!({"amount": 20})),
        ("/wallets/w-1/debit", json!({"amount": 30})),
        ("/wallets/w-2/transfer", json!({"toWalletId": "w-1", "amount": 5})),
        ("/wallets/w-1/transfer", json!({"toWalletId": "w-2", "amount": 7})),
    ] {
        assert_eq!(client.post(path, &body).await.status, 200, "{path}");
    }
}

fn sum(explanation: &Value) -> i64 {
    let parts = explanation["madeOf"].as_array().expect("parts").iter();
    parts.map(|part| part["sum"].as_str().expect("a text").parse::<i64>().expect("a sum")).sum()
}

#[actix_web::test]
async fn a_balance_is_made_of_its_events() {
    let harness = Harness::new();
    let client = harness.start().await;
    lived(&client).await;
    let reply = client.get("/wallets/w-1/explanation").await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let json = reply.json();
    let wallet = client.get("/wallets/w-1").await.json();
    for (mine, of_wallet) in [
        ("walletId", "id"),
        ("ownerId", "ownerId"),
        ("currency", "currency"),
        ("balance", "balance"),
        ("version", "version"),
        ("openedAt", "createdAt"),
        ("updatedAt", "updatedAt"),
    ] {
        assert_eq!(json[mine], wallet[of_wallet], "{mine}");
    }
    assert_eq!(
        json["madeOf"],
        json!([
            {"type": "opening", "count": 1, "sum": "100"},
            {"type": "credit", "count": 1, "sum": "20"},
            {"type": "debit", "count": 1, "sum": "-30"},
            {"type": "transfer_in", "count": 1, "sum": "5"},
            {"type": "transfer_out", "count": 1, "sum": "-7"},
        ])
    );
    assert_eq!((&json["addsUp"], &json["unreadableVersion"]), (&json!(true), &Value::Null));
    assert_eq!(json["balance"], sum(&json));
}

#[actix_web::test]
async fn projections_are_shown_where_they_stand_with_this_wallet() {
    let harness = Harness::new();
    let client = harness.start().await;
    lived(&client).await;
    harness.steered.stopped.lock().expect("sound").push("read_model".to_owned());
    harness.steered.park("ledger", "w-1", 4);
    // Both wallets are there, and two events of w-1.
    harness.projections.hold_at(3);
    let json = client.get("/wallets/w-1/explanation").await.json();
    assert_eq!(json["balance"], sum(&json), "what is explained does not wait for projections");
    let stand = |projector: &str| {
        let all = json["projections"].as_array().expect("a list");
        all.iter().find(|one| one["projector"] == projector).expect("it is there").clone()
    };
    let (ledger, read_model) = (stand("ledger"), stand("read_model"));
    assert_eq!((&ledger["state"], &ledger["parkedVersion"]), (&json!("parked"), &json!(4)));
    assert_eq!(
        (&read_model["state"], &read_model["parkedVersion"]),
        (&json!("stopped"), &Value::Null)
    );
    for one in [ledger, read_model] {
        assert_eq!((&one["version"], &one["behindEvents"]), (&json!(2), &json!(3)));
        assert_eq!((&one["position"], &one["head"]), (&json!(40), &json!(42)));
    }
}

#[actix_web::test]
async fn an_explanation_is_as_private_as_its_wallet() {
    let harness = Harness::new();
    let client = harness.start().await;
    client.open("w-1", 1).await;
    client.get("/wallets/nobody/explanation").await.problem(404, "wallet-not-found");
    let reply = client.get("/wallets/a%20b/explanation?limit=1").await;
    reply.problem(400, "validation-failed");
    assert_eq!(reply.places(), ["id", "limit"]);
    harness.gate.know("stranger", "acme", &[WalletsRead]);
    let request = TestRequest::get().uri("/wallets/w-1/explanation");
    let reply = client.call(request.insert_header(("Authorization", "Bearer stranger"))).await;
    reply.problem(404, "wallet-not-found");
}

#[actix_web::test]
async fn an_event_that_can_not_be_read_is_named() {
    let harness = Harness::new();
    let client = harness.start().await;
    lived(&client).await;
    harness.store.unreadable_version.store(3, Ordering::SeqCst);
    let json = client.get("/wallets/w-1/explanation").await.json();
    assert_eq!((&json["addsUp"], &json["unreadableVersion"]), (&json!(false), &json!(3)));
    assert_eq!(sum(&json), 120, "what stands before it is explained");
}
