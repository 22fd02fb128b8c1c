//! `Idempotency-Key`: one effect and one answer for each key, whatever happens in between.

use serde_json::json;
use wallex_testkit::{
    Answer, Client, Inspector, Request, Server, ServerBuilder, TempDatabase, on_both_databases,
};

use crate::support::{all_at_once, balance, create, opening, with_wallets};

on_both_databases!(
    retry_with_same_key_replays_first_answer,
    replay_repeats_what_the_server_made_up,
    simultaneous_requests_with_one_key_have_one_effect,
    refusals_are_replayed_even_when_their_cause_is_gone,
    what_is_not_stored_is_decided_anew,
    same_key_with_another_request_is_refused,
    the_same_request_may_be_written_differently,
    keys_belong_to_their_route,
    replay_comes_before_if_match,
    keys_survive_a_restart,
    expired_key_is_taken_over,
    bad_keys_are_refused,
    key_can_be_required,
);

fn credit(client: &Client, amount: i64) -> Request {
    client.post("/wallets/w/credit", &json!({ "amount": amount }))
}

/// Checks that `again` is `first` once more.
#[track_caller]
fn is_replay_of(again: &Answer, first: &Answer) {
    assert_eq!(again.repeatable(), first.repeatable());
    assert!(again.is_replay(), "{again:?}");
    assert_eq!(again.header("content-type"), first.header("content-type"));
}

async fn retry_with_same_key_replays_first_answer(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    let requests = || {
        let transfer = json!({ "toWalletId": "other", "amount": 1 });
        [
            client.post("/wallets", &opening("fresh", 5)),
            credit(client, 5),
            client.post("/wallets/w/debit", &json!({ "amount": 2 })),
            client.post("/wallets/w/transfer", &transfer),
        ]
        .map(|request| request.key("key-1"))
    };
    let mut firsts = Vec::new();
    for request in requests() {
        let first = request.await;
        assert!(first.status.is_success() && !first.is_replay(), "{first:?}");
        firsts.push(first);
    }
    for _ in 0..3 {
        for (request, first) in requests().into_iter().zip(&firsts) {
            is_replay_of(&request.await, first);
        }
    }
    let inspector = Inspector::open(&database).await;
    assert_eq!(inspector.counts().await.idempotency_keys, 4);
    let wallets = inspector.audit().await;
    assert_eq!(wallets["w"].balance(), 100 + 5 - 2 - 1);
    assert_eq!((wallets["fresh"].events.len(), wallets["w"].events.len()), (1, 4));
}

async fn replay_repeats_what_the_server_made_up(database: TempDatabase) {
    let server = Server::start(&database).await;
    let body = json!({ "ownerId": "owner-1", "initialBalance": 1 });
    let create = || server.client().post("/wallets", &body).key("key-1");
    let first = create().await;
    first.is(201);
    is_replay_of(&create().await, &first);
    assert_eq!(Inspector::open(&database).await.audit().await.len(), 1);
}

async fn simultaneous_requests_with_one_key_have_one_effect(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let requests = (0..100).map(|_| credit(server.client(), 7).key("key-1").into_future());
    let answers = all_at_once(requests).await;
    assert!(answers.iter().all(|answer| answer.repeatable() == answers[0].repeatable()));
    assert_eq!(answers[0].is(200)["balance"], 107);
    assert_eq!(answers.iter().filter(|answer| !answer.is_replay()).count(), 1);
    assert_eq!(Inspector::open(&database).await.audit().await["w"].events.len(), 2);
}

async fn refusals_are_replayed_even_when_their_cause_is_gone(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    let debit = || client.post("/wallets/w/debit", &json!({ "amount": 101 })).key("key-1");
    let create = || client.post("/wallets", &opening("w", 1)).key("key-1");
    let (poor, exists) = (debit().await, create().await);
    poor.is_problem(422, "insufficient-funds");
    exists.is_problem(409, "wallet-already-exists");
    credit(client, 1_000).await.is(200);
    is_replay_of(&debit().await, &poor);
    is_replay_of(&create().await, &exists);
    assert_eq!(balance(client, "w").await, 1_100);
}

async fn what_is_not_stored_is_decided_anew(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    // A validation error.
    credit(client, 0).key("invalid").await.is_problem(400, "validation-failed");
    assert!(!credit(client, 1).key("invalid").await.is_replay());
    // A missing wallet.
    let late = || client.post("/wallets/late/credit", &json!({ "amount": 1 })).key("missing");
    late().await.is_problem(404, "wallet-not-found");
    create(client, "late", 0).await;
    let answer = late().await;
    assert_eq!((answer.is(200)["balance"].as_i64(), answer.is_replay()), (Some(1), false));
    // A stale version.
    let third = || credit(client, 1).if_match("\"3\"").key("stale");
    third().await.is_problem(412, "precondition-failed");
    credit(client, 1).await.is(200);
    let answer = third().await;
    assert_eq!((answer.is(200)["version"].as_i64(), answer.is_replay()), (Some(4), false));
    // Another request under a key that is taken.
    credit(client, 2).key("invalid").await.is_problem(422, "idempotency-key-reused");
    assert!(credit(client, 1).key("invalid").await.is_replay());
}

async fn same_key_with_another_request_is_refused(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    let first = credit(client, 1).key("key-1").await;
    first.is(200);
    let described = json!({ "amount": 1, "description": "" });
    for other in [
        credit(client, 2),
        client.post("/wallets/w/credit", &described),
        credit(client, 1).if_match("\"2\""),
        credit(client, 1).if_match("*"),
    ] {
        let answer = other.key("key-1").await;
        answer.is_problem(422, "idempotency-key-reused");
        assert!(!answer.is_replay());
    }
    is_replay_of(&credit(client, 1).key("key-1").await, &first);
    assert_eq!(balance(client, "w").await, 101);
    // A default that is spelled out is another request: the hash is of what was sent.
    client.post("/wallets", &opening("usd", 1)).key("key-2").await.is(201);
    let mut spelled_out = opening("usd", 1);
    spelled_out["currency"] = json!("USD");
    let answer = client.post("/wallets", &spelled_out).key("key-2").await;
    answer.is_problem(422, "idempotency-key-reused");
}

async fn the_same_request_may_be_written_differently(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    let post = |text: &str| client.post_text("/wallets/w/credit", text).key("key-1");
    let first = post(r#"{"amount":1,"reference":"a/b"}"#).await;
    first.is(200);
    let same = r#" { "reference" : "\u0061\/b" , "amount" : 1 } "#;
    is_replay_of(&post(same).await, &first);
    let quoted = client.post("/wallets/w/credit", &json!({ "amount": 1, "reference": "a/b" }));
    is_replay_of(&quoted.key("\"key-1\"").await, &first);
    // The correlation id is not what was asked.
    is_replay_of(&post(same).correlation_id("another").await, &first);
}

async fn keys_belong_to_their_route(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    let post = |path: &str| client.post(path, &json!({ "amount": 1 })).key("key-1");
    let first = post("/wallets/w/credit").await;
    first.is(200);
    for other in ["/wallets/other/credit", "/wallets/w/debit"] {
        let answer = post(other).await;
        answer.is(200);
        assert!(!answer.is_replay(), "{other}");
    }
    // The version prefix, and what is encoded without need, are the same route.
    for same in ["/v1/wallets/w/credit", "/wallets/%77/credit"] {
        is_replay_of(&post(same).await, &first);
    }
    assert_eq!(balance(client, "w").await, 100);
}

async fn replay_comes_before_if_match(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let conditional = || credit(server.client(), 1).if_match("\"1\"").key("key-1");
    let first = conditional().await;
    first.is(200);
    is_replay_of(&conditional().await, &first);
}

async fn keys_survive_a_restart(database: TempDatabase) {
    let mut server = with_wallets(&database).await;
    let first = credit(server.client(), 1).key("key-1").await;
    first.is(200);
    server.kill_nine();
    let server = Server::start(&database).await;
    is_replay_of(&credit(server.client(), 1).key("key-1").await, &first);
}

async fn expired_key_is_taken_over(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    credit(client, 1).key("key-1").await.is(200);
    let inspector = Inspector::open(&database).await;
    inspector.execute("UPDATE idempotency_keys SET expires_at_ms = 1").await;
    // Even another request may have it now.
    let second = credit(client, 2).key("key-1").await;
    assert_eq!((second.is(200)["balance"].as_i64(), second.is_replay()), (Some(103), false));
    is_replay_of(&credit(client, 2).key("key-1").await, &second);
    credit(client, 1).key("key-1").await.is_problem(422, "idempotency-key-reused");
    assert_eq!(inspector.counts().await.idempotency_keys, 1);
}

async fn bad_keys_are_refused(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    for key in ["", "two words", "\"open", "\"\"", &"x".repeat(256)] {
        credit(client, 1).key(key).await.is_problem(400, "validation-failed");
    }
    credit(client, 1).key("one").key("two").await.is_problem(400, "validation-failed");
    assert_eq!(balance(client, "w").await, 100);
    credit(client, 1).key(&"x".repeat(255)).await.is(200);
}

async fn key_can_be_required(database: TempDatabase) {
    let server =
        ServerBuilder::on(&database).env("WALLEX_REQUIRE_IDEMPOTENCY_KEY", "true").start().await;
    let create = || server.client().post("/wallets", &opening("w", 1));
    create().await.is_problem(400, "idempotency-key-missing");
    create().key("key-1").await.is(201);
}
