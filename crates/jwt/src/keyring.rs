//! The keys that tokens are verified with, and the one task that fetches them.
//!
//! | it fetches | at most |
//! |---|---|
//! | at the start, and every `refresh_interval` | once an interval, less up to a tenth |
//! | after a failure | after 1 s, 2 s, 4 s, … 60 s |
//! | when somebody asks, because a token names a key that is not known | once in [`ASKED_PAUSE`]; after a failure, as often as then |
//!
//! Whoever asks while it fetches waits for that fetch; whoever asks too soon after is told at once that
//! there is nothing new. So tokens with made-up keys cost the issuer six requests a minute, however
//! many there are.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use crate::jwks::KeySet;
use crate::{FetchError, KEY_FETCHES};

/// How long nothing is fetched because of unknown keys after it was.
pub(crate) const ASKED_PAUSE: Duration = Duration::from_secs(10);
/// Who may wait for a fetch at once.
const ASKERS_MAX: usize = 1_024;
const BACKOFF_MIN: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Where keys come from.
#[async_trait]
pub(crate) trait KeySource: Send + Sync + 'static {
    /// The keys, as of now. It ends by itself, within seconds.
    async fn fetch(&self) -> Result<KeySet, FetchError>;
}

/// No keys can be had: whether a token is good can't be told.
#[derive(Debug, Error)]
pub(crate) enum NoKeys {
    #[error("the issuer's keys were never fetched")]
    Never,
    #[error("the issuer's keys could not be fetched for too long")]
    Stale,
    #[error("the issuer could not be asked for the key that the token names")]
    Failing,
    #[error("too many tokens with unknown keys wait for the issuer")]
    Crowded,
}

/// What is known of the keys.
#[derive(Clone, Default)]
struct Known {
    /// The last good ones, and when they were fetched.
    keys: Option<(Arc<KeySet>, Instant)>,
    /// Whether the last fetch failed.
    failing: bool,
}

/// The keys. The task ends when this is dropped.
pub(crate) struct Keyring {
    known: watch::Receiver<Known>,
    ask: mpsc::Sender<oneshot::Sender<()>>,
    age_max: Duration,
}

impl Keyring {
    /// Starts the task on the runtime that this is called on. Keys older than `age_max` count no longer.
    pub(crate) fn start(
        source: impl KeySource,
        refresh_interval: Duration,
        age_max: Duration,
    ) -> Self {
        let (publish, known) = watch::channel(Known::default());
        let (ask, asked) = mpsc::channel(ASKERS_MAX);
        let now = Instant::now();
        let fetcher =
            Fetcher { source, refresh_interval, publish, due: now, asked_from: now, failures: 0 };
        tokio::spawn(fetcher.run(asked));
        Self { known, ask, age_max }
    }

    /// The keys that count now.
    pub(crate) fn current(&self) -> Result<Arc<KeySet>, NoKeys> {
        let known = self.known.borrow();
        let (keys, fetched) = known.keys.as_ref().ok_or(NoKeys::Never)?;
        if fetched.elapsed() > self.age_max {
            return Err(NoKeys::Stale);
        }
        Ok(Arc::clone(keys))
    }

    /// Has the keys fetched, if that was not done just now, and returns when it was.
    ///
    /// # Errors
    /// When too many wait.
    pub(crate) async fn look_again(&self) -> Result<(), NoKeys> {
        let (done, wait) = oneshot::channel();
        self.ask.try_send(done).map_err(|_| NoKeys::Crowded)?;
        // It is dropped rather than sent where there is nothing to wait for.
        wait.await.ok();
        Ok(())
    }

    /// Whether the issuer was out of reach when it was asked last.
    pub(crate) fn is_failing(&self) -> bool {
        self.known.borrow().failing
    }
}

struct Fetcher<S> {
    source: S,
    refresh_interval: Duration,
    publish: watch::Sender<Known>,
    /// When it fetches without being asked.
    due: Instant,
    /// From when on it does when it is asked.
    asked_from: Instant,
    /// How many failed in a row.
    failures: u32,
}

impl<S: KeySource> Fetcher<S> {
    async fn run(mut self, mut asked: mpsc::Receiver<oneshot::Sender<()>>) {
        loop {
            let asker = tokio::select! {
                () = sleep_until(self.due) => None,
                asker = asked.recv() => match asker {
                    Some(asker) => Some(asker),
                    None => return,
                },
            };
            let now = Instant::now();
            // Whoever comes when it is due anyway has asked for nothing.
            let is_asked = asker.is_some() && now < self.due;
            if is_asked && now < self.asked_from {
                continue;
            }
            self.fetch().await;
            if is_asked {
                self.asked_from = Instant::now() + ASKED_PAUSE;
            }
            if self.failures > 0 {
                // There was no answer to make the most of.
                self.asked_from = self.asked_from.min(self.due);
            }
            // Those who asked meanwhile wanted nothing else. Dropping tells them.
            drop(asker);
            while asked.try_recv().is_ok() {}
        }
    }

    async fn fetch(&mut self) {
        let fetched = self.source.fetch().await;
        let now = Instant::now();
        match fetched {
            Ok(keys) => {
                metrics::counter!(KEY_FETCHES, "outcome" => "ok").increment(1);
                self.failures = 0;
                // A little earlier than asked for, so that servers don't ask all at once.
                self.due = now + self.refresh_interval.mul_f64(1.0 - fastrand::f64() / 10.0);
                self.keep(keys, now);
            }
            Err(error) => {
                metrics::counter!(KEY_FETCHES, "outcome" => "failed").increment(1);
                let backoff = BACKOFF_MIN.saturating_mul(1 << self.failures.min(6));
                self.due = now + backoff.min(BACKOFF_MAX).min(self.refresh_interval);
                self.failures = self.failures.saturating_add(1);
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "the keys of the token issuer can't be fetched");
                self.publish.send_modify(|known| known.failing = true);
            }
        }
    }

    /// Keeps `keys`, and the tokens that were verified with the same keys before.
    fn keep(&self, keys: KeySet, now: Instant) {
        self.publish.send_modify(|known| {
            let kept = match known.keys.take() {
                Some((kept, _)) if kept.same_keys(&keys) => kept,
                _ => {
                    tracing::info!(keys = keys.len(), "the keys of the token issuer are new");
                    Arc::new(keys)
                }
            };
            *known = Known { keys: Some((kept, now)), failing: false };
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;
    use tokio::time::{advance, sleep};

    use super::*;

    const INTERVAL: Duration = Duration::from_secs(300);
    const DAY: Duration = Duration::from_secs(24 * 3_600);

    /// Answers each fetch with the next of its key sets, named by their only key; the last one again and
    /// again. `None` fails.
    #[derive(Clone)]
    struct Script {
        answers: Arc<Mutex<VecDeque<Option<&'static str>>>>,
        fetches: Arc<AtomicUsize>,
        /// Each fetch takes one.
        permits: Arc<Semaphore>,
    }

    impl Script {
        fn new(answers: &[Option<&'static str>]) -> Self {
            Self {
                answers: Arc::new(Mutex::new(answers.iter().copied().collect())),
                fetches: Arc::default(),
                permits: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            }
        }

        fn fetches(&self) -> usize {
            self.fetches.load(Ordering::SeqCst)
        }
    }

    #[async_trait]
    impl KeySource for Script {
        async fn fetch(&self) -> Result<KeySet, FetchError> {
            self.fetches.fetch_add(1, Ordering::SeqCst);
            self.permits.acquire().await.expect("open").forget();
            let mut answers = self.answers.lock().expect("no test panics with it");
            let answer =
                if answers.len() > 1 { answers.pop_front() } else { answers.front().copied() };
            let url = "https://issuer.example".parse().expect("a URL");
            let Some(Some(kid)) = answer else {
                return Err(FetchError::Status { url, status: 500 });
            };
            let x = "A".repeat(43);
            let json =
                format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{x}"}}]}}"#);
            Ok(KeySet::parse(json.as_bytes()).expect("a key"))
        }
    }

    fn keyring(script: &Script) -> Keyring {
        Keyring::start(script.clone(), INTERVAL, DAY)
    }

    /// Lets the task do what it can without time passing.
    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    fn has(keyring: &Keyring, kid: &str) -> bool {
        keyring.current().is_ok_and(|keys| keys.has(kid))
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_fetched_at_the_start_and_every_interval() {
        let script = Script::new(&[Some("a"), Some("b"), Some("c")]);
        let keyring = keyring(&script);
        assert!(matches!(keyring.current(), Err(NoKeys::Never)));
        settle().await;
        assert!(has(&keyring, "a"));
        sleep(INTERVAL).await;
        settle().await;
        assert!(has(&keyring, "b") && !has(&keyring, "a"), "a key that is gone counts no longer");
        sleep(INTERVAL).await;
        settle().await;
        assert!(has(&keyring, "c"));
        assert_eq!(script.fetches(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn any_number_of_unknown_keys_is_one_fetch_in_ten_seconds() {
        let script = Script::new(&[Some("a")]);
        let keyring = Arc::new(keyring(&script));
        settle().await;
        for round in 1..=3 {
            let asking: Vec<_> = (0..500)
                .map(|_| {
                    let keyring = Arc::clone(&keyring);
                    tokio::spawn(async move { keyring.look_again().await })
                })
                .collect();
            for asker in asking {
                asker.await.expect("no panic").expect("not crowded");
            }
            assert_eq!(script.fetches(), 1 + round);
            // Too soon: told at once, without a fetch.
            keyring.look_again().await.expect("not crowded");
            assert_eq!(script.fetches(), 1 + round);
            advance(ASKED_PAUSE).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_during_a_fetch_waits_for_it() {
        let script = Script::new(&[Some("a"), Some("b")]);
        let keyring = Arc::new(keyring(&script));
        settle().await;
        script.permits.forget_permits(Semaphore::MAX_PERMITS);
        let askers: Vec<_> = (0..2)
            .map(|_| {
                let keyring = Arc::clone(&keyring);
                tokio::spawn(async move {
                    keyring.look_again().await.expect("not crowded");
                    has(&keyring, "b")
                })
            })
            .collect();
        settle().await;
        assert_eq!(script.fetches(), 2);
        assert!(askers.iter().all(|asker| !asker.is_finished()));
        script.permits.add_permits(1);
        for asker in askers {
            assert!(asker.await.expect("no panic"), "it sees what was fetched");
        }
        assert_eq!(script.fetches(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn askers_are_bounded() {
        let script = Script::new(&[Some("a")]);
        let keyring = Arc::new(keyring(&script));
        settle().await;
        script.permits.forget_permits(Semaphore::MAX_PERMITS);
        // One is fetched for, the others wait behind it.
        for _ in 0..=ASKERS_MAX {
            let keyring = Arc::clone(&keyring);
            tokio::spawn(async move { keyring.look_again().await });
            settle().await;
        }
        assert!(matches!(keyring.look_again().await, Err(NoKeys::Crowded)));
        script.permits.add_permits(1);
        settle().await;
        assert!(keyring.look_again().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_issuer_that_is_away_takes_no_keys_with_it_for_a_while() {
        let script = Script::new(&[Some("a"), None]);
        let keyring = keyring(&script);
        settle().await;
        assert!(!keyring.is_failing());
        sleep(DAY - INTERVAL).await;
        assert!(has(&keyring, "a") && keyring.is_failing());
        sleep(INTERVAL * 2).await;
        assert!(matches!(keyring.current(), Err(NoKeys::Stale)));
        *script.answers.lock().expect("no panic") = [Some("b")].into();
        sleep(BACKOFF_MAX).await;
        settle().await;
        assert!(has(&keyring, "b") && !keyring.is_failing(), "it comes back by itself");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_tried_again_less_and_less_often() {
        let script = Script::new(&[None]);
        let keyring = keyring(&script);
        // At 0, 1, 3, 7, 15, 31, 63, 123, 183, …
        sleep(Duration::from_secs(64)).await;
        assert_eq!(script.fetches(), 7);
        sleep(Duration::from_secs(10 * 60)).await;
        assert_eq!(script.fetches(), 17);
        assert!(matches!(keyring.current(), Err(NoKeys::Never)));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_it_is_asked_as_often_as_it_is_tried_anyway() {
        let script = Script::new(&[Some("a"), None, None, Some("b")]);
        let keyring = keyring(&script);
        settle().await;
        for _ in 0..5 {
            keyring.look_again().await.expect("not crowded");
        }
        assert_eq!((script.fetches(), keyring.is_failing()), (2, true));
        sleep(Duration::from_secs(1)).await;
        settle().await;
        assert_eq!(script.fetches(), 3);
        sleep(Duration::from_secs(2)).await;
        settle().await;
        assert!(has(&keyring, "b"));
        // That was not because of an unknown key: the next one counts.
        keyring.look_again().await.expect("not crowded");
        assert_eq!(script.fetches(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_keys_keep_what_was_verified_with_them() {
        let script = Script::new(&[Some("a"), Some("a"), Some("b")]);
        let keyring = keyring(&script);
        settle().await;
        let first = keyring.current().expect("keys");
        sleep(INTERVAL).await;
        settle().await;
        assert!(Arc::ptr_eq(&first, &keyring.current().expect("keys")));
        sleep(INTERVAL).await;
        settle().await;
        assert!(!Arc::ptr_eq(&first, &keyring.current().expect("keys")));
    }

    #[tokio::test(start_paused = true)]
    async fn the_task_ends_with_the_keyring() {
        let script = Script::new(&[Some("a")]);
        let permits = Arc::downgrade(&script.permits);
        drop(keyring(&script));
        drop(script);
        settle().await;
        assert!(permits.upgrade().is_none());
    }
}
