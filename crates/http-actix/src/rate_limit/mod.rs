//! How often somebody may call, and how often an address may fail to say who it is. Each process counts
//! for itself.
//!
//! | who | has a bucket by | and an empty one means |
//! |---|---|---|
//! | a caller with a credential | its id, whichever address it comes from | 429 |
//! | a caller on an open server | its address | 429 |
//! | who sends a credential that is not known | its address | 429 for credentials that were not good before |
//!
//! A credential that was good lately is looked at whatever else comes from its address: behind a
//! proxy, one client that is misconfigured, or an attacker, locks nobody out who is in already.
//!
//! What it costs: nothing where no limit is set; else a lock and a look into a map for a request.

mod bucket;
mod buckets;

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use lru::LruCache;
use tokio::time::Instant;
use wallex_ports::{Caller, Refused};

use self::bucket::Rule;
use self::buckets::{Buckets, bounded};

use crate::connection::network;

pub(crate) use self::bucket::Allowance;

/// Credentials that were good lately, of which is remembered that they were; 64 bits each.
const GOOD_MAX: NonZeroUsize = NonZeroUsize::new(16_384).expect("invariant: not zero");

/// How many tokens a full bucket has.
pub(crate) const RATE_LIMIT_LIMIT: &str = "RateLimit-Limit";
/// How many are left.
pub(crate) const RATE_LIMIT_REMAINING: &str = "RateLimit-Remaining";
/// In how many seconds it is full again.
pub(crate) const RATE_LIMIT_RESET: &str = "RateLimit-Reset";

/// How often may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests that one caller may make in a second; `None`: any number.
    pub per_second: Option<NonZeroU32>,
    /// Requests that one caller may make at once after a pause; `None`: those of one second.
    pub burst: Option<NonZeroU32>,
    /// Credentials that are not known which one address may send in a minute; `None`: any number.
    pub auth_failures_per_minute: Option<NonZeroU32>,
}

impl Default for RateLimits {
    fn default() -> Self {
        // What nobody who knows a credential ever comes near.
        let auth_failures_per_minute = NonZeroU32::new(300);
        Self { per_second: None, burst: None, auth_failures_per_minute }
    }
}

/// The limits, and who has used up how much of them.
pub(crate) struct RateLimiter {
    began: Instant,
    callers: Option<Buckets<String>>,
    open_callers: Option<Buckets<IpAddr>>,
    failures: Option<Failures>,
}

struct Failures {
    buckets: Buckets<IpAddr>,
    /// A secret of this process: nobody can make a credential with the hash of another.
    hasher: RandomState,
    good: Mutex<LruCache<u64, ()>>,
}

impl RateLimiter {
    pub(crate) fn new(limits: RateLimits) -> Self {
        let calls = limits.per_second.map(|tokens| {
            Rule::new(tokens, Duration::from_secs(1), limits.burst.unwrap_or(tokens))
        });
        let failures = limits.auth_failures_per_minute.map(|tokens| Failures {
            buckets: Buckets::new(Rule::new(tokens, Duration::from_secs(60), tokens)),
            hasher: RandomState::new(),
            good: Mutex::new(bounded(GOOD_MAX)),
        });
        Self {
            began: Instant::now(),
            callers: calls.map(Buckets::new),
            open_callers: calls.map(Buckets::new),
            failures,
        }
    }

    /// Counts a request of `caller`, where that is limited; [`Allowance::refused_for_s`] says whether it was
    /// one too many.
    pub(crate) fn count(&self, caller: &Caller, peer: Option<SocketAddr>) -> Option<Allowance> {
        let (callers, open_callers) = (self.callers.as_ref()?, self.open_callers.as_ref()?);
        let now_ns = self.now_ns();
        Some(match peer {
            Some(peer) if caller.is_open() => open_callers.take(&network(peer.ip()), now_ns),
            _ => callers.take(caller.id.as_str(), now_ns),
        })
    }

    /// Refuses to look at `credential` when its sender has sent too many that nobody knows.
    ///
    /// # Errors
    /// In how many seconds it will be looked at.
    pub(crate) fn may_try(&self, credential: &str, peer: Option<SocketAddr>) -> Result<(), u64> {
        let (Some(failures), Some(peer)) = (&self.failures, peer) else { return Ok(()) };
        let allowance = failures.buckets.look(&network(peer.ip()), self.now_ns());
        match allowance.refused_for_s() {
            Some(seconds) if !failures.was_good(credential) => Err(seconds),
            _ => Ok(()),
        }
    }

    /// Remembers what became of a credential that was looked at.
    pub(crate) fn tried(
        &self,
        credential: &str,
        peer: Option<SocketAddr>,
        outcome: &Result<Arc<Caller>, Refused>,
    ) {
        let (Some(failures), Some(peer)) = (&self.failures, peer) else { return };
        match outcome {
            Ok(_) => failures.remember(credential),
            Err(Refused::Unknown) => {
                failures.buckets.take(&network(peer.ip()), self.now_ns());
            }
            // Others were good once, or may be: their senders guess nothing.
            Err(_) => {}
        }
    }

    fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Failures {
    fn was_good(&self, credential: &str) -> bool {
        self.good().get(&self.hasher.hash_one(credential)).is_some()
    }

    fn remember(&self, credential: &str) {
        self.good().put(self.hasher.hash_one(credential), ());
    }

    fn good(&self) -> std::sync::MutexGuard<'_, LruCache<u64, ()>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Allowance {
    /// In how many seconds there is room again, when there was none.
    pub(crate) fn refused_for_s(&self) -> Option<u64> {
        self.wait.map(seconds)
    }

    /// Says how much is left.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let mut say = |name: &'static str, value: u64| {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        };
        say("ratelimit-limit", self.limit.into());
        say("ratelimit-remaining", self.remaining.into());
        say("ratelimit-reset", seconds(self.full_in));
    }
}

/// Rounded up: who comes earlier comes in vain.
fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use wallex_ports::AccessScopes;

    use super::*;

    fn limiter(per_second: u32, burst: u32, failures: u32) -> RateLimiter {
        RateLimiter::new(RateLimits {
            per_second: NonZeroU32::new(per_second),
            burst: NonZeroU32::new(burst),
            auth_failures_per_minute: NonZeroU32::new(failures),
        })
    }

    fn caller(id: &str) -> Caller {
        Caller { id: id.to_owned(), scopes: AccessScopes::default(), ..Caller::open() }
    }

    fn at(address: &str) -> Option<SocketAddr> {
        Some(SocketAddr::new(address.parse().expect("an address"), 1_234))
    }

    fn is_let_in(limiter: &RateLimiter, id: &str, address: &str) -> bool {
        let allowance = limiter.count(&caller(id), at(address)).expect("a limit is set");
        allowance.wait.is_none()
    }

    #[test]
    fn without_limits_nothing_is_counted() {
        let limiter = limiter(0, 0, 0);
        assert_eq!(limiter.count(&caller("key:a"), at("10.0.0.1")), None);
        for _ in 0..10_000 {
            limiter.tried("wlx_guess", at("10.0.0.1"), &Err(Refused::Unknown));
            assert_eq!(limiter.may_try("wlx_guess", at("10.0.0.1")), Ok(()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_has_one_bucket_wherever_it_calls_from() {
        let limiter = limiter(2, 3, 0);
        for address in ["10.0.0.1", "10.0.0.2", "10.0.0.3"] {
            assert!(is_let_in(&limiter, "key:a", address));
        }
        assert!(!is_let_in(&limiter, "key:a", "10.0.0.4"));
        assert!(is_let_in(&limiter, "key:b", "10.0.0.1"), "another caller is not concerned");
        advance(Duration::from_millis(500)).await;
        assert!(is_let_in(&limiter, "key:a", "10.0.0.1"));
        assert!(!is_let_in(&limiter, "key:a", "10.0.0.1"));
    }

    #[tokio::test(start_paused = true)]
    async fn on_an_open_server_addresses_have_buckets() {
        let limiter = limiter(1, 1, 0);
        for (address, is_first) in [
            ("10.0.0.1", true),
            ("10.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("10.0.0.2", true),
            ("2001:db8:1:2::1", true),
            ("2001:db8:1:2:ffff::2", false),
            ("2001:db8:1:3::1", true),
        ] {
            assert_eq!(is_let_in(&limiter, "open", address), is_first, "{address}");
        }
    }

    #[test]
    fn without_a_burst_it_is_that_of_a_second() {
        let limiter = limiter(7, 0, 0);
        let allowance = limiter.count(&caller("key:a"), None).expect("a limit is set");
        assert_eq!((allowance.limit, allowance.remaining), (7, 6));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_guesses_is_not_listened_to_for_a_while() {
        let limiter = limiter(0, 0, 3);
        let (guesser, other) = (at("10.0.0.1"), at("10.0.0.2"));
        limiter.tried("wlx_good", guesser, &Ok(Arc::new(caller("key:a"))));
        for guess in ["a", "b", "c"] {
            assert_eq!(limiter.may_try(guess, guesser), Ok(()));
            limiter.tried(guess, guesser, &Err(Refused::Unknown));
        }
        let refused = limiter.may_try("wlx_new", guesser).expect_err("too many");
        assert_eq!(refused, 20);
        assert_eq!(limiter.may_try("wlx_good", guesser), Ok(()), "it is known already");
        assert_eq!(limiter.may_try("wlx_new", other), Ok(()));
        advance(Duration::from_secs(20)).await;
        assert_eq!(limiter.may_try("wlx_new", guesser), Ok(()));
    }

    #[test]
    fn what_is_told_is_whole_seconds_rounded_up() {
        let allowance = Allowance {
            limit: 10,
            remaining: 0,
            full_in: Duration::from_millis(1_001),
            wait: Some(Duration::from_millis(1)),
        };
        let mut headers = HeaderMap::new();
        allowance.tell(&mut headers);
        let told = [RATE_LIMIT_LIMIT, RATE_LIMIT_REMAINING, RATE_LIMIT_RESET]
            .map(|name| headers.get(name).and_then(|value| value.to_str().ok()));
        assert_eq!(told, [Some("10"), Some("0"), Some("2")]);
        assert_eq!(allowance.refused_for_s(), Some(1));
    }
}
