use super::*;

async fn credit_if(client: &Client, if_match: &str) -> Reply {
    let request = post("/wallets/w-1/credit", &json!({"amount": 1}));
    client.call(request.insert_header(("If-Match", if_match))).await
}

#[actix_web::test]
async fn command_is_done_only_at_a_version_that_if_match_names() {
    let client = Client::new().await;
    client.open("w-1", 0).await;
    let stale = credit_if(&client, "\"3\"").await;
    let problem = stale.problem(412, "precondition-failed");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("version 1")));
    assert_eq!(credit_if(&client, "\"1\"").await.status, 200);
    assert_eq!(credit_if(&client, "\"7\", \"2\"").await.status, 200);
    assert_eq!(credit_if(&client, "*").await.status, 200);
    for never in ["W/\"4\"", "\"04\"", "\"abc\""] {
        credit_if(&client, never).await.problem(412, "precondition-failed");
    }
    for malformed in ["4", "\"4", "", "*, \"4\""] {
        let reply = credit_if(&client, malformed).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), ["If-Match"], "{malformed:?}");
    }
    assert_eq!(client.get("/wallets/w-1").await.json()["version"], 4);
}

#[actix_web::test]
async fn transfer_is_conditional_on_the_paying_wallet() {
    let client = Client::new().await;
    client.open("w-1", 10).await;
    client.open("w-2", 10).await;
    assert_eq!(client.post("/wallets/w-2/credit", &json!({"amount": 1})).await.status, 200);
    let body = json!({"toWalletId": "w-2", "amount": 1});
    let at =
        |tag: &'static str| post("/wallets/w-1/transfer", &body).insert_header(("if-match", tag));
    client.call(at("\"2\"")).await.problem(412, "precondition-failed");
    assert_eq!(client.call(at("\"1\"")).await.status, 200);
}

#[actix_web::test]
async fn missing_wallet_is_not_found_whatever_the_condition() {
    let client = Client::new().await;
    for tag in ["*", "\"1\""] {
        credit_if(&client, tag).await.problem(404, "wallet-not-found");
    }
}

#[actix_web::test]
async fn creation_has_no_condition() {
    let client = Client::new().await;
    let reply =
        client.call(post("/wallets", &json!({"ownerId": "u"})).insert_header(("if-match", "*")));
    let reply = reply.await;
    reply.problem(400, "validation-failed");
    assert_eq!(reply.places(), ["If-Match"]);
}

#[actix_web::test]
async fn replay_comes_before_the_condition() {
    let client = Client::new().await;
    client.open("w-1", 0).await;
    let request = || {
        keyed("/wallets/w-1/credit", "k-1", &json!({"amount": 1}))
            .insert_header(("if-match", "\"1\""))
    };
    let first = client.call(request()).await;
    let again = client.call(request()).await;
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.text, first.text);
}
