use super::*;

#[actix_web::test]
async fn creation_answers_with_the_committed_wallet() {
    let client = Client::new().await;
    let body = json!({"walletId": "wallet-001", "ownerId": "user-001", "initialBalance": 100});
    let reply = client.post("/wallets", &body).await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("location"), Some("/wallets/wallet-001"));
    assert_eq!(reply.header("etag"), Some("\"1\""));
    assert_eq!(reply.header("idempotency-replayed"), None);
    let at = "2026-01-01T00:00:00.007Z";
    assert_eq!(
        reply.json(),
        json!({
            "id": "wallet-001", "ownerId": "user-001", "currency": "USD", "balance": 100,
            "version": 1, "createdAt": at, "updatedAt": at,
        })
    );
}

#[actix_web::test]
async fn creation_without_id_and_balance_makes_both() {
    let client = Client::new().await;
    let reply = client.post("/wallets", &json!({"ownerId": "u", "currency": "POINTS"})).await;
    assert_eq!(reply.status, 201);
    let json = reply.json();
    let id = json["id"].as_str().expect("an id").to_owned();
    assert_eq!(uuid::Uuid::parse_str(&id).map(|id| id.get_version_num()), Ok(7));
    assert_eq!((&json["balance"], &json["currency"]), (&json!(0), &json!("POINTS")));
    assert_eq!(reply.header("location"), Some(format!("/wallets/{id}").as_str()));
    assert_eq!(client.get(&format!("/wallets/{id}")).await.json(), json);
}

#[actix_web::test]
async fn second_creation_of_a_wallet_is_refused() {
    let client = Client::new().await;
    client.open("w-1", 0).await;
    let reply = client.post("/wallets", &json!({"walletId": "w-1", "ownerId": "u"})).await;
    let problem = reply.problem(409, "wallet-already-exists");
    assert_eq!(problem["instance"], "/wallets");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("w-1")));
    assert_eq!((reply.header("etag"), reply.header("location")), (None, None));
}

#[actix_web::test]
async fn credit_and_debit_answer_with_the_wallet_afterwards() {
    let client = Client::new().await;
    client.open("w-1", 100).await;
    let credited = client.post("/wallets/w-1/credit", &json!({"amount": 250})).await;
    assert_eq!((credited.status, credited.header("etag")), (200, Some("\"2\"")));
    assert_eq!(credited.header("location"), None);
    assert_eq!(credited.json()["balance"], 350);
    let memo = json!({"amount": 50, "description": "coffee\nand cake", "reference": ""});
    let debited = client.post("/wallets/w-1/debit", &memo).await;
    assert_eq!((debited.status, debited.header("etag")), (200, Some("\"3\"")));
    assert_eq!(debited.json()["balance"], 300);
}

#[actix_web::test]
async fn refused_movements_say_why() {
    let client = Client::new().await;
    client.open("w-1", 100).await;
    let poor = client.post("/wallets/w-1/debit", &json!({"amount": 101})).await;
    let problem = poor.problem(422, "insufficient-funds");
    assert_eq!(problem["instance"], "/wallets/w-1/debit");
    let all = json!({"amount": 9_007_199_254_740_991_i64});
    client.post("/wallets/w-1/credit", &all).await.problem(422, "balance-limit-exceeded");
    let nobody = client.post("/wallets/nobody/credit", &json!({"amount": 1})).await;
    nobody.problem(404, "wallet-not-found");
    assert_eq!(client.get("/wallets/w-1").await.json()["version"], 1);
}

#[actix_web::test]
async fn transfer_answers_with_both_wallets() {
    let client = Client::new().await;
    client.open("w-1", 100).await;
    client.open("w-2", 5).await;
    let body = json!({"toWalletId": "w-2", "amount": 30});
    let reply = client.post("/wallets/w-1/transfer", &body).await;
    assert_eq!((reply.status, reply.header("etag")), (200, Some("\"2\"")));
    let json = reply.json();
    assert_eq!(json["fromWallet"]["balance"], 70);
    assert_eq!(json["toWallet"]["balance"], 35);
    assert!(json["transferId"].as_str().is_some_and(|id| uuid::Uuid::parse_str(id).is_ok()));
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(3));
}

#[actix_web::test]
async fn refused_transfers_say_why() {
    let client = Client::new().await;
    client.open("w-1", 100).await;
    let euros = json!({"walletId": "eur", "ownerId": "u", "currency": "EUR"});
    assert_eq!(client.post("/wallets", &euros).await.status, 201);
    let transfer = async |to: &str, amount: i64| {
        client.post("/wallets/w-1/transfer", &json!({"toWalletId": to, "amount": amount})).await
    };
    transfer("w-1", 1).await.problem(422, "transfer-to-same-wallet");
    transfer("eur", 1).await.problem(422, "currency-mismatch");
    transfer("nobody", 1).await.problem(404, "wallet-not-found");
}

#[actix_web::test]
async fn every_path_is_there_under_v1_too() {
    let client = Client::new().await;
    let body = json!({"walletId": "w-1", "ownerId": "u", "initialBalance": 7});
    let reply = client.post("/v1/wallets", &body).await;
    assert_eq!((reply.status, reply.header("location")), (201, Some("/wallets/w-1")));
    let conflict = client.post("/v1/wallets", &body).await;
    assert_eq!(conflict.problem(409, "wallet-already-exists")["instance"], "/wallets");
    assert_eq!(client.post("/v1/wallets/w-1/debit", &json!({"amount": 1})).await.status, 200);
    for path in ["/wallets/w-1", "/wallets/w-1/events", "/livez", "/readyz", "/metrics", "/docs/"] {
        let (bare, v1) = (client.get(path).await, client.get(&format!("/v1{path}")).await);
        assert_eq!((bare.status, v1.status), (200, 200), "{path}");
        assert_eq!(bare.text, v1.text, "{path}");
    }
}
