use super::*;

#[actix_web::test]
async fn retry_with_same_key_replays_first_answer() {
    let client = Client::new().await;
    let body = json!({"ownerId": "u", "initialBalance": 5});
    let first = client.call(keyed("/wallets", "k-1", &body)).await;
    let again = client.call(keyed("/wallets", "\"k-1\"", &body)).await;
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!((again.status, &again.text), (201, &first.text));
    for name in ["etag", "location", "content-type"] {
        assert!(first.header(name).is_some(), "{name}");
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
}

#[actix_web::test]
async fn replay_comes_under_v1_too_and_whatever_the_spelling() {
    let client = Client::new().await;
    client.open("w-1", 0).await;
    let path = "/wallets/w-1/credit";
    let first = client.call(keyed(path, "k-1", &json!({"amount": 1, "reference": "r"}))).await;
    let request = TestRequest::post()
        .uri("/v1/wallets/%77-1/credit")
        .insert_header(("idempotency-key", "k-1"))
        .insert_header(("content-type", "application/json"))
        .set_payload(r#" { "reference": "\u0072", "amount": 1 } "#);
    let again = client.call(request).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.text, first.text);
}

#[actix_web::test]
async fn replayed_refusal_keeps_its_media_type_and_body() {
    let client = Client::new().await;
    client.open("w-1", 1).await;
    let request = || keyed("/wallets/w-1/debit", "k-1", &json!({"amount": 2}));
    let first = client.call(request().insert_header(("x-correlation-id", "c-1"))).await;
    first.problem(422, "insufficient-funds");
    client.post("/wallets/w-1/credit", &json!({"amount": 10})).await;
    let again = client.call(request().insert_header(("x-correlation-id", "c-2"))).await;
    assert_eq!(again.problem(422, "insufficient-funds")["correlationId"], "c-1");
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("x-correlation-id"), Some("c-2"));
}

#[actix_web::test]
async fn key_of_another_request_is_refused() {
    let harness = Harness::new();
    let client = harness.start().await;
    client.open("w-1", 10).await;
    let path = "/wallets/w-1/credit";
    assert_eq!(client.call(keyed(path, "k-1", &json!({"amount": 1}))).await.status, 200);
    let rows = harness.store.rows();
    let other = client.call(keyed(path, "k-1", &json!({"amount": 2}))).await;
    other.problem(422, "idempotency-key-reused");
    assert_eq!(other.header("idempotency-replayed"), None);
    // A default that is spelled out, or a precondition, makes another request.
    let memo = json!({"amount": 1, "description": ""});
    client.call(keyed(path, "k-1", &memo)).await.problem(422, "idempotency-key-reused");
    let conditional = keyed(path, "k-1", &json!({"amount": 1})).insert_header(("if-match", "*"));
    client.call(conditional).await.problem(422, "idempotency-key-reused");
    assert_eq!(harness.store.rows(), rows);
    // Another route is another scope.
    assert_eq!(
        client.call(keyed("/wallets/w-1/debit", "k-1", &json!({"amount": 2}))).await.status,
        200
    );
}

#[actix_web::test]
async fn key_is_required_where_the_settings_say_so() {
    let mut harness = Harness::new();
    harness.settings.require_idempotency_key = true;
    let client = harness.start().await;
    let reply = client.post("/wallets", &json!({"ownerId": "u"})).await;
    reply.problem(400, "idempotency-key-missing");
    assert_eq!(reply.places(), ["Idempotency-Key"]);
    let reply = client.post("/wallets", &json!({})).await;
    reply.problem(400, "validation-failed");
    let mut places = reply.places();
    places.sort();
    assert_eq!(places, ["/ownerId", "Idempotency-Key"]);
    assert_eq!(client.call(keyed("/wallets", "k-1", &json!({"ownerId": "u"}))).await.status, 201);
    assert_eq!(client.get("/livez").await.status, 200);
}

#[actix_web::test]
async fn repeated_or_malformed_keys_are_refused() {
    let harness = Harness::new();
    let client = harness.start().await;
    let body = json!({"ownerId": "u"});
    let twice = keyed("/wallets", "k-1", &body).append_header(("Idempotency-Key", "k-1"));
    let reply = client.call(twice).await;
    reply.problem(400, "validation-failed");
    assert_eq!(reply.places(), ["Idempotency-Key"]);
    for bad in ["", "\"\"", "\"open", "a b", &"x".repeat(256)] {
        let reply = client.call(keyed("/wallets", bad, &body)).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), ["Idempotency-Key"], "{bad:?}");
    }
    assert_eq!(harness.store.rows(), (0, 0));
}

#[actix_web::test]
async fn what_is_not_final_is_decided_again() {
    let client = Client::new().await;
    let credit = || keyed("/wallets/w-1/credit", "k-1", &json!({"amount": 1}));
    client.call(credit()).await.problem(404, "wallet-not-found");
    client.open("w-1", 0).await;
    let done = client.call(credit()).await;
    assert_eq!((done.status, done.header("idempotency-replayed")), (200, None));
}
