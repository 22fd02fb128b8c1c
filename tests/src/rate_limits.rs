//! Who calls too often, on the real server.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wallex_testkit::{
    Answer, Client, Issuer, Server, ServerBuilder, SigningKey, TempDatabase, eventually,
    on_both_databases,
};

use crate::support::{all_at_once, balance, create, opening};

on_both_databases!(
    without_a_limit_nothing_is_said_of_one,
    who_calls_too_often_is_told_when_to_come_again,
    what_was_refused_is_not_remembered_for_its_key,
    callers_use_up_their_own_allowance,
    an_address_that_guesses_credentials_is_not_listened_to,
);

/// A server that lets each caller make `burst` requests at once, and one a second.
fn limited(database: &TempDatabase, burst: u32) -> ServerBuilder {
    ServerBuilder::on(database)
        .env("WALLEX_RATE_LIMIT_PER_SECOND", "1")
        .env("WALLEX_RATE_LIMIT_BURST", &burst.to_string())
}

/// `n` reads at the same time: more than any machine serves one after the other in as many seconds.
async fn reads(client: &Client, path: &'static str, n: usize, bearer: &str) -> Vec<Answer> {
    let read = |_| {
        let request = client.get(path).header("Authorization", &format!("Bearer {bearer}"));
        async { request.await }
    };
    all_at_once((0..n).map(read)).await
}

fn split(answers: Vec<Answer>) -> (Vec<Answer>, Vec<Answer>) {
    answers.into_iter().partition(|answer| answer.status != 429)
}

fn number(answer: &Answer, name: &str) -> u64 {
    let value = answer.header(name).unwrap_or_else(|| panic!("{name} is missing: {answer:?}"));
    value.parse().expect("a whole number")
}

async fn without_a_limit_nothing_is_said_of_one(database: TempDatabase) {
    let server = Server::start(&database).await;
    create(server.client(), "w", 1).await;
    let read = || {
        let request = server.client().get("/wallets/w");
        async { request.await }
    };
    for answer in all_at_once((0..100).map(|_| read())).await {
        answer.is(200);
        assert_eq!(answer.header("ratelimit-limit"), None);
    }
}

async fn who_calls_too_often_is_told_when_to_come_again(database: TempDatabase) {
    let server = limited(&database, 5).start().await;
    let client = server.client();
    let first = client.get("/wallets/w").await;
    first.is_problem(404, "wallet-not-found");
    assert_eq!(number(&first, "ratelimit-limit"), 5);
    assert_eq!(number(&first, "ratelimit-remaining"), 4);
    assert_eq!(number(&first, "ratelimit-reset"), 1);

    let read = |_| {
        let request = client.get("/wallets/w");
        async { request.await }
    };
    let (through, refused) = split(all_at_once((0..100).map(read)).await);
    assert!(!through.is_empty() && !refused.is_empty());
    for answer in &refused {
        answer.is_problem(429, "rate-limited");
        assert_eq!(number(answer, "ratelimit-remaining"), 0);
        assert_eq!(number(answer, "retry-after"), 1);
        assert!((4..=5).contains(&number(answer, "ratelimit-reset")), "{answer:?}");
    }
    for open in ["/livez", "/readyz", "/openapi.json"] {
        let answer = client.get(open).await;
        assert_eq!((answer.status.as_u16(), answer.header("ratelimit-limit")), (200, None));
    }
    refused_before_its_body(&server).await;
    eventually("there is room again", async || {
        (client.get("/wallets/w").await.status == 404).then_some(())
    })
    .await;
}

/// A request that is one too many is answered when its head is there. One that is let through waits for
/// its body, so the first answer is a refusal.
async fn refused_before_its_body(server: &Server) {
    let mut asking: JoinSet<_> = (0..50).map(|_| head_alone(server.address().to_owned())).collect();
    let first = asking.join_next().await.expect("fifty are asking").expect("no panic");
    assert_eq!(&first, b"HTTP/1.1 429");
}

/// What a command begins to be answered whose body does not come.
async fn head_alone(address: String) -> [u8; 12] {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let head = "POST /wallets HTTP/1.1\r\nHost: wallex\r\nContent-Type: application/json\r\n\
                Content-Length: 60000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    answer
}

async fn what_was_refused_is_not_remembered_for_its_key(database: TempDatabase) {
    let server = limited(&database, 1).start().await;
    let client = server.client();
    eventually("there is room", async || {
        let answer = client.post("/wallets", &opening("w", 100)).await;
        (answer.status == 201).then_some(())
    })
    .await;
    let credit = |_| {
        let request = client.post("/wallets/w/credit", &json!({ "amount": 5 })).key("k-1");
        async { request.await }
    };
    let (_, refused) = split(all_at_once((0..50).map(credit)).await);
    assert!(!refused.is_empty());
    assert!(refused.iter().all(|answer| !answer.is_replay()));
    eventually(
        "the key is as good as new, or has the answer of one that was let through",
        async || {
            let answer = credit(0).await;
            (answer.status != 429).then(|| assert_eq!(answer.is(200)["balance"], 105))
        },
    )
    .await;
    let unlimited = Server::start(&database).await;
    assert_eq!(balance(unlimited.client(), "w").await, 105);
}

async fn callers_use_up_their_own_allowance(database: TempDatabase) {
    let key = SigningKey::es256("k");
    let issuer = Issuer::start(&[&key]).await;
    let token = |subject: &str| {
        let mut claims = issuer.claims("wallex");
        claims["sub"] = subject.into();
        claims["scope"] = "wallets:read".into();
        claims["tenant"] = "acme".into();
        key.token(&claims)
    };
    let server = limited(&database, 3)
        .env("WALLEX_JWT_ISSUER", issuer.url())
        .env("WALLEX_JWT_AUDIENCE", "wallex")
        .start()
        .await;
    let (_, refused) = split(reads(server.client(), "/wallets/w", 60, &token("alice")).await);
    assert!(!refused.is_empty());
    let (through, refused) = split(reads(server.client(), "/wallets/w", 2, &token("bob")).await);
    assert_eq!((through.len(), refused.len()), (2, 0));
}

async fn an_address_that_guesses_credentials_is_not_listened_to(database: TempDatabase) {
    let key = SigningKey::es256("k");
    let issuer = Issuer::start(&[&key]).await;
    let token = |subject: &str| {
        let mut claims = issuer.claims("wallex");
        claims["sub"] = subject.into();
        claims["scope"] = "wallets:read".into();
        claims["tenant"] = "acme".into();
        key.token(&claims)
    };
    let server = ServerBuilder::on(&database)
        .env("WALLEX_AUTH_FAILURES_PER_MINUTE", "2")
        .env("WALLEX_JWT_ISSUER", issuer.url())
        .env("WALLEX_JWT_AUDIENCE", "wallex")
        .start()
        .await;
    let client = server.client();
    let known = token("known");
    reads(client, "/wallets/w", 1, &known).await[0].is_problem(404, "wallet-not-found");

    let guesses = reads(client, "/wallets/w", 200, "a.guess.x").await;
    let (told, refused) = split(guesses);
    assert!(told.iter().all(|answer| answer.status == 401));
    assert!(!refused.is_empty());
    for answer in &refused {
        answer.is_problem(429, "rate-limited");
        assert!((1..=30).contains(&number(answer, "retry-after")), "{answer:?}");
        assert_eq!(answer.header("ratelimit-limit"), None, "it is not the caller's allowance");
    }
    // Who is in stays in, and nobody's key was asked for.
    reads(client, "/wallets/w", 1, &known).await[0].is_problem(404, "wallet-not-found");
    client.get("/livez").await.is(200);
}
