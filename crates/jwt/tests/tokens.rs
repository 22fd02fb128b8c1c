//! Tokens of a real issuer over HTTP: who is let in, and who is not.

use std::sync::{Arc, Once};
use std::time::Duration;

use serde_json::{Value, json};
use wallex_domain::TenantId;
use wallex_jwt::{JwtAuthenticator, JwtSettings};
use wallex_ports::{AccessScope, Authenticator, Caller, Clock, Refused, Timestamp};
use wallex_testkit::{Issuer, SigningKey, eventually, seconds_since_1970, unsigned};

const AUDIENCE: &str = "wallex";

/// The time that the tokens of the tests are made for.
struct Now;

impl Clock for Now {
    fn now(&self) -> Timestamp {
        let seconds = i64::try_from(seconds_since_1970()).expect("not that far ahead");
        Timestamp::from_unix_ms(seconds * 1_000)
    }
}

fn settings(issuer: &Issuer) -> JwtSettings {
    JwtSettings {
        issuer: issuer.url().to_owned(),
        audience: AUDIENCE.to_owned(),
        jwks_url: None,
        tenant_claim: "tenant".to_owned(),
        default_tenant: Some(TenantId::default()),
        scope_claim: None,
        refresh_interval: Duration::from_secs(300),
        keys_age_max: Duration::from_secs(3_600),
    }
}

fn started(settings: JwtSettings) -> JwtAuthenticator {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().ok();
    });
    JwtAuthenticator::start(settings, Arc::new(Now)).expect("the settings are good")
}

/// An issuer with that key, and who lets its tokens in.
async fn with(key: &SigningKey) -> (Issuer, JwtAuthenticator) {
    let issuer = Issuer::start(&[key]).await;
    let authenticator = started(settings(&issuer));
    (issuer, authenticator)
}

async fn good(authenticator: &JwtAuthenticator, token: &str) -> Arc<Caller> {
    authenticator.authenticate(token).await.expect("it lets its caller in")
}

async fn unknown(authenticator: &JwtAuthenticator, token: &str, what: &str) {
    let refused = authenticator.authenticate(token).await;
    assert!(matches!(refused, Err(Refused::Unknown)), "{what}: {refused:?}");
}

async fn unavailable(authenticator: &JwtAuthenticator, token: &str) -> bool {
    matches!(authenticator.authenticate(token).await, Err(Refused::IssuerUnavailable(_)))
}

fn changed(claims: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims.clone();
    claims[name] = value.into();
    claims
}

#[tokio::test]
async fn tokens_of_every_algorithm_let_their_caller_in() {
    let keys = [
        SigningKey::rs256("r"),
        SigningKey::ps256("p"),
        SigningKey::es256("e"),
        SigningKey::ed25519("d"),
    ];
    let issuer = Issuer::start(&keys.each_ref()).await;
    let authenticator = started(settings(&issuer));
    let mut claims = issuer.claims(AUDIENCE);
    claims["scope"] = "wallets:read other".into();
    claims["tenant"] = "acme".into();
    for key in &keys {
        let caller = good(&authenticator, &key.token(&claims)).await;
        assert_eq!(caller.id, format!("jwt:{}#alice", issuer.url()));
        assert_eq!(caller.tenant.as_str(), "acme");
        assert_eq!(caller.scopes, [AccessScope::WalletsRead].into_iter().collect());
    }
    assert_eq!(issuer.key_fetches(), 1);
}

#[tokio::test]
async fn tokens_that_are_not_for_us_let_nobody_in() {
    let key = SigningKey::es256("k");
    let (issuer, authenticator) = with(&key).await;
    let claims = issuer.claims(AUDIENCE);
    good(&authenticator, &key.token(&claims)).await;
    let ahead = seconds_since_1970() + 3_600;
    for (what, claims) in [
        ("another issuer", changed(&claims, "iss", "https://login.example.com")),
        ("another audience", changed(&claims, "aud", "other")),
        ("not yet", changed(&claims, "nbf", ahead)),
        ("no expiry", changed(&claims, "exp", Value::Null)),
        ("a tenant that is none", changed(&claims, "tenant", "a/b")),
    ] {
        unknown(&authenticator, &key.token(&claims), what).await;
    }
    let past = changed(&claims, "exp", seconds_since_1970() - 3_600);
    let refused = authenticator.authenticate(&key.token(&past)).await;
    assert!(matches!(refused, Err(Refused::Expired)), "{refused:?}");
}

#[tokio::test]
async fn tokens_that_were_not_signed_by_the_issuer_let_nobody_in() {
    let key = SigningKey::rs256("k");
    let (issuer, authenticator) = with(&key).await;
    let claims = issuer.claims(AUDIENCE);
    let token = key.token(&claims);
    good(&authenticator, &token).await;

    for alg in ["none", "None", "nOnE", "", "RS256"] {
        unknown(&authenticator, &unsigned(alg, &claims), alg).await;
    }
    unknown(&authenticator, &key.token_by_public_key(&claims), "HS256 by the public key").await;
    let impostor = SigningKey::ed25519("k");
    unknown(&authenticator, &impostor.token(&claims), "another key of that name").await;
    let header = json!({ "alg": "RS256", "kid": "k", "jwk": impostor.jwk() });
    unknown(&authenticator, &impostor.token_with(&header, &claims), "a key of its own").await;
    let header = json!({ "alg": "PS256", "kid": "k" });
    unknown(&authenticator, &key.token_with(&header, &claims), "another alg than the key's").await;
    let header = json!({ "alg": "RS256", "kid": "k", "crit": ["exp"] });
    unknown(&authenticator, &key.token_with(&header, &claims), "extensions").await;

    let parts: Vec<&str> = token.split('.').collect();
    let other = key.token(&changed(&claims, "tenant", "acme"));
    let others: Vec<&str> = other.split('.').collect();
    for (what, text) in [
        ("another payload", format!("{}.{}.{}", parts[0], others[1], parts[2])),
        ("another signature", format!("{}.{}.{}", parts[0], parts[1], others[2])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("a part too many", format!("{token}.{}", parts[2])),
        ("a space behind it", format!("{token} ")),
        ("padding", format!("{token}=")),
        ("nothing", String::new()),
        ("a huge one", format!("{token}{}", "A".repeat(100_000))),
    ] {
        unknown(&authenticator, &text, what).await;
    }
    let huge = changed(&claims, "padding", "x".repeat(8 * 1024));
    unknown(&authenticator, &key.token(&huge), "signed, and too long").await;
}

#[tokio::test]
async fn a_key_that_is_rotated_in_is_fetched_and_one_that_is_out_counts_no_longer() {
    let (old, new) = (SigningKey::es256("old"), SigningKey::ed25519("new"));
    let (issuer, authenticator) = with(&old).await;
    let claims = issuer.claims(AUDIENCE);
    let (by_old, by_new) = (old.token(&claims), new.token(&claims));
    good(&authenticator, &by_old).await;

    issuer.publish(&[&new]);
    // Known keys ask nobody, and known tokens not even them.
    assert!(matches!(authenticator.recall(&by_old), Some(Ok(_))));
    good(&authenticator, &by_old).await;
    assert_eq!(issuer.key_fetches(), 1);
    let callers = tokio::join!(
        authenticator.authenticate(&by_new),
        authenticator.authenticate(&by_new),
        authenticator.authenticate(&by_new),
    );
    assert!(callers.0.is_ok() && callers.1.is_ok() && callers.2.is_ok());
    assert_eq!(issuer.key_fetches(), 2, "one fetch for all three");
    assert!(authenticator.recall(&by_old).is_none());
    // Remembered or not: what only the old key vouches for is gone with it.
    unknown(&authenticator, &by_old, "signed by a key that is out").await;
    for n in 0..100 {
        let stranger = SigningKey::ed25519(&format!("stranger-{n}"));
        unknown(&authenticator, &stranger.token(&claims), "a made-up key").await;
    }
    assert_eq!(issuer.key_fetches(), 2, "made-up keys cause no storm");
    good(&authenticator, &by_new).await;
}

#[tokio::test]
async fn an_issuer_that_is_away_takes_only_unknown_keys_with_it() {
    let (known, new) = (SigningKey::es256("known"), SigningKey::es256("new"));
    let (issuer, authenticator) = with(&known).await;
    let claims = issuer.claims(AUDIENCE);
    good(&authenticator, &known.token(&claims)).await;
    issuer.answer(500);
    assert!(unavailable(&authenticator, &new.token(&claims)).await, "it may be good");
    good(&authenticator, &known.token(&changed(&claims, "sub", "bob"))).await;
    drop(issuer);
    good(&authenticator, &known.token(&changed(&claims, "sub", "carol"))).await;
}

#[tokio::test]
async fn without_any_keys_nobody_is_let_in() {
    let key = SigningKey::es256("k");
    let issuer = Issuer::start(&[&key]).await;
    let settings = settings(&issuer);
    let token = key.token(&issuer.claims(AUDIENCE));
    drop(issuer);
    let authenticator = started(settings);
    assert!(unavailable(&authenticator, &token).await);
    // What could be no token of anybody's is told without keys.
    unknown(&authenticator, "a.b", "no token").await;
}

#[tokio::test]
async fn documents_that_are_not_the_issuers_own_give_no_keys() {
    let key = SigningKey::es256("k");
    let issuer = Issuer::start(&[&key]).await;
    let token = key.token(&issuer.claims(AUDIENCE));
    let url = issuer.url();
    for discovery in [
        json!({}),
        json!({ "issuer": url }),
        json!({ "issuer": format!("{url}/"), "jwks_uri": format!("{url}/keys") }),
        json!({ "issuer": "https://login.example.com", "jwks_uri": format!("{url}/keys") }),
        json!({ "issuer": url, "jwks_uri": "http://keys.example.com" }),
        json!({ "issuer": url, "jwks_uri": "file:///etc/passwd" }),
        json!({ "issuer": url, "jwks_uri": format!("{url}/nowhere") }),
        json!("x".repeat(300 * 1024)),
    ] {
        issuer.describe(discovery.clone());
        let authenticator = started(settings(&issuer));
        assert!(unavailable(&authenticator, &token).await, "{discovery}");
    }
    assert_eq!(issuer.key_fetches(), 0);
    // A configured place needs no document.
    let jwks_url = Some(format!("{url}/keys"));
    let authenticator = started(JwtSettings { jwks_url, ..settings(&issuer) });
    good(&authenticator, &token).await;
}

#[tokio::test]
async fn an_issuer_that_comes_late_is_found() {
    let key = SigningKey::es256("k");
    let (issuer, authenticator) = with(&key).await;
    issuer.answer(503);
    let token = key.token(&issuer.claims(AUDIENCE));
    // The first fetch may have come before.
    authenticator.authenticate(&token).await.ok();
    issuer.answer(200);
    eventually("the keys are fetched again by themselves", async || {
        authenticator.authenticate(&token).await.ok()
    })
    .await;
}
