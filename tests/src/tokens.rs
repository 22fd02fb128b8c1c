//! Tokens of an OpenID Connect issuer, on the real server.

use serde_json::{Value, json};
use wallex_testkit::{
    Answer, Issuer, Server, ServerBuilder, SigningKey, TempDatabase, eventually, on_both_databases,
    seconds_since_1970, unsigned,
};

use crate::support::opening;

on_both_databases!(
    tokens_open_what_their_scopes_say,
    tokens_that_are_not_good_open_nothing,
    tenants_of_tokens_are_apart,
    keys_are_rotated_under_way,
    an_issuer_that_is_away_stops_only_who_is_not_known,
);

const AUDIENCE: &str = "https://wallex.example.com";
const ALL: &str = "wallets:read wallets:write transfers:write";

/// A server on `database` that accepts the tokens of `issuer`.
fn accepting(database: &TempDatabase, issuer: &Issuer) -> ServerBuilder {
    ServerBuilder::on(database)
        .env("WALLEX_JWT_ISSUER", issuer.url())
        .env("WALLEX_JWT_AUDIENCE", AUDIENCE)
}

/// The claims of somebody of `tenant` who may do what `scope` says.
fn claims(issuer: &Issuer, tenant: &str, scope: &str) -> Value {
    let mut claims = issuer.claims(AUDIENCE);
    claims["tenant"] = tenant.into();
    claims["scope"] = scope.into();
    claims
}

fn changed(claims: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims.clone();
    claims[name] = value.into();
    claims
}

async fn get(server: &Server, token: &str, path: &str) -> Answer {
    server.client().get(path).header("Authorization", &format!("Bearer {token}")).await
}

async fn post(server: &Server, token: &str, path: &str, body: &Value) -> Answer {
    // One key for each path and body.
    let key = format!("{path}-{}", body["walletId"].as_str().unwrap_or_default());
    let bearer = format!("Bearer {token}");
    server.client().post(path, body).header("Authorization", &bearer).key(&key).await
}

async fn tokens_open_what_their_scopes_say(database: TempDatabase) {
    let key = SigningKey::rs256("k");
    let issuer = Issuer::start(&[&key]).await;
    let server = accepting(&database, &issuer).start().await;
    let reader = key.token(&claims(&issuer, "acme", "openid wallets:read"));
    let writer = key.token(&claims(&issuer, "acme", ALL));
    let none = key.token(&claims(&issuer, "acme", "openid profile"));

    // With an issuer, nobody comes in without a credential.
    let anonymous = server.client().get("/wallets/w").await;
    anonymous.is_problem(401, "unauthenticated");
    server.client().get("/livez").await.is(200);

    post(&server, &reader, "/wallets", &opening("w", 100))
        .await
        .is_problem(403, "insufficient-scope");
    post(&server, &writer, "/wallets", &opening("w", 100)).await.is(201);
    post(&server, &writer, "/wallets", &opening("v", 0)).await.is(201);
    let transfer = json!({ "toWalletId": "v", "amount": 40 });
    post(&server, &reader, "/wallets/w/transfer", &transfer)
        .await
        .is_problem(403, "insufficient-scope");
    post(&server, &writer, "/wallets/w/transfer", &transfer).await.is(200);
    assert_eq!(get(&server, &reader, "/wallets/w").await.is(200)["balance"], 60);
    get(&server, &none, "/wallets/w").await.is_problem(403, "insufficient-scope");
    get(&server, &writer, "/admin/projectors").await.is_problem(403, "insufficient-scope");
    for token in [reader, writer, none] {
        assert!(!server.logs().contains(&token), "a token is in the log");
    }
}

async fn tokens_that_are_not_good_open_nothing(database: TempDatabase) {
    let key = SigningKey::es256("k");
    let issuer = Issuer::start(&[&key]).await;
    let server = accepting(&database, &issuer).start().await;
    let good = claims(&issuer, "acme", ALL);
    let token = key.token(&good);
    post(&server, &token, "/wallets", &opening("w", 100)).await.is(201);

    let (now, parts) = (seconds_since_1970(), token.split('.').collect::<Vec<_>>());
    let other = key.token(&changed(&good, "tenant", "other"));
    let others: Vec<_> = other.split('.').collect();
    let mut nameless = good.clone();
    nameless.as_object_mut().expect("an object").remove("tenant");
    for (what, bad) in [
        ("another issuer", key.token(&changed(&good, "iss", "https://login.example.com"))),
        ("another audience", key.token(&changed(&good, "aud", "other"))),
        ("expired", key.token(&changed(&good, "exp", now - 60))),
        ("no end", key.token(&changed(&good, "exp", Value::Null))),
        ("not yet", key.token(&changed(&good, "nbf", now + 600))),
        ("no tenant", key.token(&nameless)),
        ("alg none", unsigned("none", &good)),
        ("HS256 with the public key", key.token_by_public_key(&good)),
        ("another's key of that name", SigningKey::es256("k").token(&good)),
        ("a key that is not known", SigningKey::es256("stranger").token(&good)),
        ("another payload", format!("{}.{}.{}", parts[0], others[1], parts[2])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("too long", key.token(&changed(&good, "padding", "x".repeat(8 * 1024)))),
        ("no token", "abc.def.ghi".to_owned()),
    ] {
        let answer = get(&server, &bad, "/wallets/w").await;
        let problem = answer.is_problem(401, "unauthenticated");
        assert!(answer.header("www-authenticate").is_some(), "{what}: {problem}");
        // A key that was used keeps no answer of it.
        post(&server, &bad, "/wallets/w/credit", &json!({ "amount": 1 })).await.is(401);
    }
    post(&server, &token, "/wallets/w/credit", &json!({ "amount": 1 })).await.is(200);
    assert_eq!(get(&server, &token, "/wallets/w").await.is(200)["balance"], 101);
}

async fn tenants_of_tokens_are_apart(database: TempDatabase) {
    let key = SigningKey::ed25519("k");
    let issuer = Issuer::start(&[&key]).await;
    let server = accepting(&database, &issuer)
        .env("WALLEX_JWT_TENANT_CLAIM", "https://wallex.example.com/tenant")
        .env("WALLEX_JWT_DEFAULT_TENANT", "fallback")
        .start()
        .await;
    let mut of_acme = claims(&issuer, "ignored", ALL);
    let fallback = key.token(&of_acme);
    of_acme["https://wallex.example.com/tenant"] = "acme".into();
    let acme = key.token(&of_acme);
    // The same wallet and the same idempotency key, and nothing in common.
    post(&server, &acme, "/wallets", &opening("w", 100)).await.is(201);
    get(&server, &fallback, "/wallets/w").await.is_problem(404, "wallet-not-found");
    let created = post(&server, &fallback, "/wallets", &opening("w", 7)).await;
    assert!(!created.is_replay());
    assert_eq!(created.is(201)["balance"], 7);
    assert_eq!(get(&server, &acme, "/wallets/w").await.is(200)["balance"], 100);
    let page = get(&server, &acme, "/wallets?ownerId=owner-1").await;
    eventually("the read model has the wallet of its tenant alone", async || {
        let page = get(&server, &acme, "/wallets?ownerId=owner-1").await.is(200);
        let items = page["items"].as_array().expect("a list").clone();
        assert!(items.len() < 2, "{items:?}");
        items.first().map(|wallet| assert_eq!(wallet["balance"], 100))
    })
    .await;
    page.is(200);
}

async fn keys_are_rotated_under_way(database: TempDatabase) {
    let (old, new) = (SigningKey::es256("old"), SigningKey::es256("new"));
    let issuer = Issuer::start(&[&old]).await;
    let server = accepting(&database, &issuer).start().await;
    let claims = claims(&issuer, "acme", ALL);
    let (by_old, by_new) = (old.token(&claims), new.token(&claims));
    post(&server, &by_old, "/wallets", &opening("w", 100)).await.is(201);

    issuer.publish(&[&old, &new]);
    get(&server, &by_new, "/wallets/w").await.is(200);
    get(&server, &by_old, "/wallets/w").await.is(200);
    let fetches = issuer.key_fetches();
    for n in 0..30 {
        let stranger = SigningKey::ed25519(&format!("stranger-{n}"));
        get(&server, &stranger.token(&claims), "/wallets/w").await.is(401);
    }
    // Ten seconds of strangers are one fetch; a slow machine takes longer.
    assert!(issuer.key_fetches() <= fetches + 3, "{} fetches", issuer.key_fetches());
    get(&server, &by_new, "/wallets/w").await.is(200);
}

async fn an_issuer_that_is_away_stops_only_who_is_not_known(database: TempDatabase) {
    let key = SigningKey::es256("k");
    let issuer = Issuer::start(&[&key]).await;
    issuer.answer(500);
    let server = accepting(&database, &issuer).start().await;
    let token = key.token(&claims(&issuer, "acme", ALL));
    let answer = get(&server, &token, "/wallets/w").await;
    answer.is_problem(503, "issuer-unavailable");
    assert!(answer.header("retry-after").is_some());
    post(&server, &token, "/wallets", &opening("w", 1)).await.is_problem(503, "issuer-unavailable");

    issuer.answer(200);
    eventually("the keys are fetched by themselves", async || {
        let answer = get(&server, &token, "/wallets/w").await;
        (answer.status == 404).then_some(())
    })
    .await;
    post(&server, &token, "/wallets", &opening("w", 1)).await.is(201);

    let others = key.token(&changed(&claims(&issuer, "acme", ALL), "sub", "bob"));
    let stranger = SigningKey::es256("new").token(&claims(&issuer, "acme", ALL));
    drop(issuer);
    for token in [&token, &others] {
        get(&server, token, "/wallets/w").await.is(200);
    }
    // It may be signed with a key that is new: that can't be told now.
    get(&server, &stranger, "/wallets/w").await.is_problem(503, "issuer-unavailable");
}

#[test]
fn half_a_configuration_stops_the_start() {
    wallex_testkit::block_on(async {
        let mut server = ServerBuilder::new(&[])
            .env("DATABASE_URL", "sqlite::memory:")
            .env("WALLEX_JWT_ISSUER", "https://login.example.com")
            .spawn();
        assert!(!server.wait().await.success());
        assert!(server.logs().contains("WALLEX_JWT_AUDIENCE must be set"), "{}", server.logs());
    });
}
