//! `POST /wallets`.

use serde_json::json;
use wallex_testkit::{Inspector, Server, TempDatabase, on_both_databases};

use crate::support::{all_at_once, count, create, opening};

on_both_databases!(
    answer_is_the_committed_snapshot,
    wallet_without_an_id_gets_a_uuid_of_version_7,
    currency_is_kept_and_defaults_to_the_configured_one,
    opening_balance_may_be_anything_from_zero_to_the_limit,
    second_wallet_of_an_id_is_refused_and_changes_nothing,
    one_of_many_simultaneous_creations_wins,
    version_prefix_is_the_same_route,
);

async fn answer_is_the_committed_snapshot(database: TempDatabase) {
    let server = Server::start(&database).await;
    let answer = server.client().post("/wallets", &opening("wallet-001", 100)).await;
    let wallet = answer.is(201);
    let created_at = wallet["createdAt"].as_str().expect("a time");
    assert_eq!(
        wallet,
        json!({
            "id": "wallet-001", "ownerId": "owner-1", "currency": "USD", "balance": 100,
            "version": 1, "createdAt": created_at, "updatedAt": created_at,
        })
    );
    assert!(created_at.ends_with('Z') && created_at.len() == "2026-01-01T00:00:00.000Z".len());
    assert_eq!(answer.header("location"), Some("/wallets/wallet-001"));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(!answer.is_replay());

    let wallets = Inspector::open(&database).await.audit().await;
    assert_eq!(wallets["wallet-001"].balance(), 100);
    assert_eq!(wallets.len(), 1);
}

async fn wallet_without_an_id_gets_a_uuid_of_version_7(database: TempDatabase) {
    let server = Server::start(&database).await;
    let body = json!({ "ownerId": "owner-1", "initialBalance": 1 });
    let (one, two) = (
        server.client().post("/wallets", &body).await,
        server.client().post("/wallets", &body).await,
    );
    let (first, second) = (one.is(201), two.is(201));
    let id = first["id"].as_str().expect("an id");
    assert_ne!(first["id"], second["id"]);
    assert_eq!((id.len(), id.as_bytes().get(14)), (36, Some(&b'7')), "{id}");
    assert_eq!(one.header("location"), Some(&*format!("/wallets/{id}")));
    assert_eq!(server.client().get(&format!("/wallets/{id}")).await.is(200), first);
}

async fn currency_is_kept_and_defaults_to_the_configured_one(database: TempDatabase) {
    let server = wallex_testkit::ServerBuilder::on(&database)
        .env("WALLEX_DEFAULT_CURRENCY", "JPY")
        .start()
        .await;
    let mut body = opening("eur", 1);
    body["currency"] = json!("EUR");
    assert_eq!(server.client().post("/wallets", &body).await.is(201)["currency"], "EUR");
    assert_eq!(create(server.client(), "default", 1).await["currency"], "JPY");
}

async fn opening_balance_may_be_anything_from_zero_to_the_limit(database: TempDatabase) {
    let server = Server::start(&database).await;
    for (id, balance) in [("empty", 0), ("full", 9_007_199_254_740_991)] {
        assert_eq!(create(server.client(), id, balance).await["balance"], balance);
    }
    Inspector::open(&database).await.audit().await;
}

async fn second_wallet_of_an_id_is_refused_and_changes_nothing(database: TempDatabase) {
    let server = Server::start(&database).await;
    let first = create(server.client(), "w", 100).await;
    let mut body = opening("w", 5);
    body["ownerId"] = json!("somebody else");
    let refused = server.client().post("/wallets", &body).await;
    let problem = refused.is_problem(409, "wallet-already-exists");
    assert_eq!(problem["instance"], "/wallets");
    assert_eq!(server.client().get("/wallets/w").await.is(200), first);
    let counts = Inspector::open(&database).await.counts().await;
    assert_eq!((counts.events, counts.outbox, counts.wallet_streams), (1, 1, 1));
}

async fn one_of_many_simultaneous_creations_wins(database: TempDatabase) {
    let server = Server::start(&database).await;
    let requests = (0..100).map(|balance| server.client().post("/wallets", &opening("w", balance)));
    let answers = all_at_once(requests.map(IntoFuture::into_future)).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!((count(&statuses, 201), count(&statuses, 409)), (1, 99), "{statuses:?}");
    let winner = answers.iter().find(|answer| answer.status == 201).expect("one");
    assert_eq!(server.client().get("/wallets/w").await.is(200), winner.json());
    assert_eq!(Inspector::open(&database).await.audit().await["w"].events.len(), 1);
}

async fn version_prefix_is_the_same_route(database: TempDatabase) {
    let server = Server::start(&database).await;
    let answer = server.client().post("/v1/wallets", &opening("w", 1)).await;
    answer.is(201);
    assert_eq!(answer.header("location"), Some("/wallets/w"));
    server
        .client()
        .post("/wallets", &opening("w", 1))
        .await
        .is_problem(409, "wallet-already-exists");
}
