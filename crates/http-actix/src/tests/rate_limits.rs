//! Who calls too often, and who guesses.

use std::num::NonZeroU32;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::poll_immediate;
use wallex_ports::AccessScope::{self, WalletsRead};

use super::*;
use crate::RateLimits;
use crate::access::Needs;
use crate::routes::{self, Verb};

const PEER: &str = "10.0.0.1:1";

fn harness(per_second: u32, burst: u32, failures: u32) -> Harness {
    let mut harness = Harness::new();
    harness.settings.rate_limits = RateLimits {
        per_second: NonZeroU32::new(per_second),
        burst: NonZeroU32::new(burst),
        auth_failures_per_minute: NonZeroU32::new(failures),
    };
    harness
}

fn from(peer: &str, request: TestRequest, bearer: &str) -> TestRequest {
    let request = request.peer_addr(peer.parse().expect("an address"));
    request.insert_header(("Authorization", format!("Bearer {bearer}")))
}

fn told(reply: &Reply) -> [Option<&str>; 4] {
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"]
        .map(|name| reply.header(name))
}

#[actix_web::test]
async fn every_route_that_asks_who_calls_counts_and_no_other() {
    // Time passes when the test says so.
    tokio::time::pause();
    for entry in routes::table() {
        let harness = harness(1, 1, 0);
        harness.gate.know("all", "default", &AccessScope::ALL);
        let client = harness.start().await;
        let path = entry.path.replace(['{', '}'], "");
        // A stream is not read to its end: it has none.
        let path = path.replace("/admin/live", "/admin/live?unknown=1");
        let request = || match entry.verb {
            Verb::Read => from(PEER, TestRequest::get().uri(&path), "all"),
            Verb::Write => from(PEER, TestRequest::post().uri(&path).set_payload("{"), "all"),
        };
        let first = client.call(request()).await;
        assert_ne!(first.status, 429, "{}", entry.path);
        let second = client.call(request()).await;
        if entry.needs == Needs::Nothing {
            assert_eq!((second.status, told(&second)), (first.status, [None; 4]), "{}", entry.path);
            continue;
        }
        assert_eq!(told(&first)[..3], [Some("1"), Some("0"), Some("1")], "{}", entry.path);
        second.problem(429, "rate-limited");
        assert_eq!(told(&second), [Some("1"), Some("0"), Some("1"), Some("1")], "{}", entry.path);
    }
}

#[actix_web::test]
async fn allowance_comes_back_with_time() {
    // Time passes when the test says so.
    tokio::time::pause();
    let harness = harness(2, 3, 0);
    harness.gate.know("a", "acme", &[WalletsRead]);
    harness.gate.know("b", "acme", &[WalletsRead]);
    let client = harness.start().await;
    let get = |bearer: &str| client.call(from(PEER, TestRequest::get().uri("/wallets/w"), bearer));
    for left in ["2", "1", "0"] {
        let reply = get("a").await;
        // What the handler answers is told with it, whatever it is.
        reply.problem(404, "wallet-not-found");
        assert_eq!(told(&reply)[1], Some(left));
    }
    let refused = get("a").await;
    let detail = refused.problem(429, "rate-limited")["detail"].clone();
    assert!(detail.as_str().is_some_and(|detail| detail.contains("1 s")), "{detail}");
    assert_eq!(told(&refused), [Some("3"), Some("0"), Some("2"), Some("1")]);
    assert_eq!(get("b").await.status, 404, "another key of the tenant has its own");
    tokio::time::advance(Duration::from_millis(499)).await;
    assert_eq!(get("a").await.status, 429);
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(get("a").await.status, 404);
    assert_eq!(get("a").await.status, 429);
}

#[actix_web::test]
async fn a_refused_command_leaves_its_key_as_it_was() {
    // Time passes when the test says so.
    tokio::time::pause();
    let harness = harness(1, 1, 0);
    let client = harness.start().await;
    let body = json!({"walletId": "w-1", "ownerId": "u"});
    let create = |peer: &str| {
        let peer = peer.parse().expect("an address");
        client.call(keyed("/wallets", "k-1", &body).peer_addr(peer))
    };
    client.call(TestRequest::get().uri("/wallets/w").peer_addr(PEER.parse().expect("one"))).await;
    create(PEER).await.problem(429, "rate-limited");
    assert_eq!(harness.store.rows(), (0, 0), "nothing was written");
    let other = create("10.0.0.2:1").await;
    assert_eq!((other.status, other.header("idempotency-replayed")), (201, None));
    tokio::time::advance(Duration::from_secs(1)).await;
    let replayed = create(PEER).await;
    assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
}

#[actix_web::test]
async fn guesses_are_bounded_by_address_and_lock_nobody_out() {
    // Time passes when the test says so.
    tokio::time::pause();
    let harness = harness(0, 0, 3);
    for bearer in ["known", "new"] {
        harness.gate.know(bearer, "acme", &[WalletsRead]);
    }
    let client = harness.start().await;
    let get = |peer: &'static str, bearer: &str| {
        client.call(from(peer, TestRequest::get().uri("/wallets/w"), bearer))
    };
    assert_eq!(get(PEER, "known").await.status, 404);
    // What was good once, and what is missing, is no guess.
    for _ in 0..10 {
        get(PEER, "expired").await.problem(401, "unauthenticated");
        get(PEER, "revoked").await.problem(401, "unauthenticated");
        let missing = TestRequest::get().uri("/wallets/w").peer_addr(PEER.parse().expect("one"));
        client.call(missing).await.problem(401, "unauthenticated");
    }
    for guess in ["a", "b", "c"] {
        get(PEER, guess).await.problem(401, "unauthenticated");
    }
    for refused in ["d", "new", "expired"] {
        let reply = get(PEER, refused).await;
        reply.problem(429, "rate-limited");
        assert_eq!(told(&reply), [None, None, None, Some("20")], "{refused}");
    }
    assert_eq!(get(PEER, "known").await.status, 404, "who is in stays in");
    assert_eq!(get("10.0.0.2:1", "new").await.status, 404, "another address is not concerned");
    assert_eq!(get(PEER, "new").await.status, 404, "and then it is known");
    tokio::time::advance(Duration::from_secs(20)).await;
    get(PEER, "e").await.problem(401, "unauthenticated");
    get(PEER, "f").await.problem(429, "rate-limited");
}

#[actix_web::test]
async fn limits_are_described() {
    let json: Value = serde_json::from_str(&crate::openapi_json()).expect("JSON");
    let responses = &json["paths"]["/wallets"]["post"]["responses"];
    let headers = |status: &str| responses[status]["headers"].as_object().expect("headers");
    for name in ["RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"] {
        assert!(headers("429").contains_key(name) && headers("201").contains_key(name), "{name}");
    }
    assert!(headers("429").contains_key("Retry-After"));
    assert!(json["paths"]["/livez"]["get"]["responses"].get("429").is_none());
}

#[actix_web::test]
async fn guesses_count_though_nobody_waits_for_the_answer() {
    let harness = harness(0, 0, 3);
    harness.gate.know("known", "acme", &[WalletsRead]);
    let client = harness.start().await;
    let get = |bearer: &str| client.call(from(PEER, TestRequest::get().uri("/wallets/w"), bearer));
    for guess in ["a", "b", "c"] {
        let is_answered = poll_immediate(pin!(get(guess))).await.is_some();
        assert!(!is_answered, "its sender goes away before");
        // What was begun for it has its turn.
        tokio::task::yield_now().await;
    }
    get("d").await.problem(429, "rate-limited");
}
