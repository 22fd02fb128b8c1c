//! What one process remembers of the keys.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lru::LruCache;
use sea_orm::ConnectionTrait as _;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use wallex_database::{Database, Row, read_error};
use wallex_domain::TenantId;
use wallex_ports::{Authenticator, Caller, ReadError, Recalled, Refused};

use crate::api_keys::scopes_of;
use crate::key::{KeyHash, Presented};

/// The keys of an installation as one process knows them: who stands behind each, and whether there
/// is any. [`KeyRing::watch`] keeps it true.
pub struct KeyRing {
    db: Arc<Database>,
    poll: Duration,
    trusted_for: Duration,
    remembered_for: Duration,
    memory: Mutex<Memory>,
    lookups: Semaphore,
    waiting: Semaphore,
    known_lookups: Semaphore,
}

struct Memory {
    /// Rises when everything is forgotten: what was looked up before must not be remembered after.
    generation: u64,
    /// The counter of changes as it was last read.
    changes: Option<i64>,
    /// When it was last asked for and the answer came.
    as_of: Option<Instant>,
    /// Whether there is any key, or ever was while this process ran.
    has_keys: Option<bool>,
    good: LruCache<KeyHash, Good>,
    bad: LruCache<KeyHash, Bad>,
}

struct Good {
    caller: Arc<Caller>,
    until: Instant,
}

struct Bad {
    why: Why,
    until: Instant,
}

#[derive(Clone, Copy)]
enum Why {
    Unknown,
    Expired,
    Revoked,
}

/// Who stands behind a key and for how long still, or why nobody.
type Found = Result<(Arc<Caller>, Duration), Why>;

impl From<Why> for Refused {
    fn from(why: Why) -> Self {
        match why {
            Why::Unknown => Self::Unknown,
            Why::Expired => Self::Expired,
            Why::Revoked => Self::Revoked,
        }
    }
}

impl KeyRing {
    /// How long what is remembered is believed without a word from the database.
    pub const TRUSTED_FOR: Duration = Duration::from_secs(5);
    /// How long a key is remembered at most: what was changed in the table by hand counts then.
    pub const REMEMBERED_FOR: Duration = Duration::from_secs(10);
    /// Keys that are remembered, at most.
    pub const GOOD_MAX: usize = 10_000;
    /// Refused keys that are remembered, at most.
    pub const BAD_MAX: usize = 1_000;
    /// Keys that are looked up at the same time, at most.
    pub const LOOKUPS_MAX: usize = 4;
    /// Requests that wait for the look-up of a key that nobody knows yet, at most.
    pub const WAITING_MAX: usize = 4_096;

    /// Of `db`, which is asked for changes every `poll`.
    #[must_use]
    pub fn new(db: Arc<Database>, poll: Duration) -> Self {
        let sized =
            |max| NonZeroUsize::new(max).expect("invariant: the bounds are constants above 0");
        let memory = Memory {
            generation: 0,
            changes: None,
            as_of: None,
            has_keys: None,
            good: LruCache::new(sized(Self::GOOD_MAX)),
            bad: LruCache::new(sized(Self::BAD_MAX)),
        };
        Self {
            db,
            poll,
            trusted_for: Self::TRUSTED_FOR,
            remembered_for: Self::REMEMBERED_FOR,
            memory: Mutex::new(memory),
            lookups: Semaphore::new(Self::LOOKUPS_MAX),
            waiting: Semaphore::new(Self::WAITING_MAX),
            known_lookups: Semaphore::new(Self::LOOKUPS_MAX),
        }
    }

    /// Whether there is any key, usable or not; `None` while the database has not told. That there is
    /// none is believed no longer than a key is.
    #[must_use]
    pub fn has_keys(&self) -> Option<bool> {
        let memory = self.memory();
        memory.has_keys.filter(|has_keys| *has_keys || self.is_trusted(&memory))
    }

    /// Asks the database for changes every now and then, until `stop` resolves.
    pub async fn watch(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut was_told = true;
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = sleep(self.poll) => {}
            }
            let told = self.refresh().await;
            if let (Err(error), true) = (&told, was_told) {
                let error: &dyn std::error::Error = error;
                tracing::warn!(error, "changes of API keys can't be asked for");
            }
            was_told = told.is_ok();
        }
    }

    /// Asks the database for changes, and forgets what may have changed.
    ///
    /// # Errors
    /// [`ReadError::Unavailable`] when the database does not answer or is not migrated.
    pub async fn refresh(&self) -> Result<(), ReadError> {
        // What is committed after this moment is not in the answer.
        let asked_at = Instant::now();
        let sql = "SELECT value, CASE WHEN EXISTS (SELECT 1 FROM api_keys) \
                   THEN CAST(1 AS bigint) ELSE CAST(0 AS bigint) END AS has_keys \
                   FROM access_counters WHERE name = 'keys'";
        let statement = self.db.backend().statement(sql, []);
        let row = self.db.background().query_one_raw(statement).await.map_err(read_error)?;
        let row = row.map(Row).ok_or_else(|| ReadError::Storage("there is no counter".into()))?;
        let (changes, has_keys) = (row.int("value")?, row.int("has_keys")? == 1);
        let mut memory = self.memory();
        if has_keys && memory.has_keys == Some(false) {
            tracing::info!("the first API key was made");
        }
        if memory.changes != Some(changes) {
            memory.changes = Some(changes);
            memory.generation += 1;
            memory.good.clear();
            memory.bad.clear();
        }
        memory.as_of = Some(asked_at);
        memory.has_keys = Some(has_keys || memory.has_keys == Some(true));
        Ok(())
    }

    /// Whether the database was heard of lately enough for what is remembered to count.
    fn is_trusted(&self, memory: &Memory) -> bool {
        memory.as_of.is_some_and(|as_of| as_of.elapsed() < self.trusted_for)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, presented: &Presented) -> Recalled {
        let now = Instant::now();
        let mut memory = self.memory();
        if !self.is_trusted(&memory) {
            return None;
        }
        if let Some(good) = memory.good.get(&presented.hash)
            && now < good.until
        {
            return Some(Ok(Arc::clone(&good.caller)));
        }
        let bad = memory.bad.get(&presented.hash).filter(|bad| now < bad.until)?;
        Some(Err(bad.why.into()))
    }

    async fn look_up(&self, presented: &Presented) -> Result<Arc<Caller>, Refused> {
        let (generation, asked_at) = (self.memory().generation, Instant::now());
        let found = self.find(presented).await?;
        self.learn(presented, found, generation, asked_at)
    }

    /// Remembers what was found, if nothing has changed since it was asked for.
    fn learn(
        &self,
        presented: &Presented,
        found: Found,
        generation: u64,
        asked_at: Instant,
    ) -> Result<Arc<Caller>, Refused> {
        let mut memory = self.memory();
        let is_current = memory.generation == generation;
        match found {
            Ok((caller, left)) => {
                memory.has_keys = Some(true);
                let until = asked_at + left.min(self.remembered_for);
                if is_current {
                    let good = Good { caller: Arc::clone(&caller), until };
                    memory.good.put(presented.hash, good);
                }
                Ok(caller)
            }
            Err(why) => {
                if is_current {
                    let bad = Bad { why, until: asked_at + self.remembered_for };
                    memory.bad.put(presented.hash, bad);
                }
                Err(why.into())
            }
        }
    }

    async fn find(&self, presented: &Presented) -> Result<Found, ReadError> {
        let backend = self.db.backend();
        // The time that is left is told by the clock that gave it.
        let sql = format!(
            "SELECT tenant, name, scopes, secret_hash, revoked_at_ms, expires_at_ms, \
             expires_at_ms - {} AS left_ms FROM api_keys WHERE key_id = $1",
            backend.now_ms()
        );
        let statement = backend.statement(sql, [presented.id.as_str().into()]);
        let row = self.db.read().query_one_raw(statement).await.map_err(read_error)?;
        let Some(row) = row.map(Row) else { return Ok(Err(Why::Unknown)) };
        // Nobody learns that a key has expired, or was revoked, who does not have it.
        if !presented.hash.is(&row.text("secret_hash")?) {
            return Ok(Err(Why::Unknown));
        }
        if row.int("revoked_at_ms")? > 0 {
            return Ok(Err(Why::Revoked));
        }
        let left = match (row.int("expires_at_ms")?, row.int("left_ms")?) {
            (0, _) => Duration::MAX,
            (_, left_ms @ 1..) => Duration::from_millis(left_ms.unsigned_abs()),
            _ => return Ok(Err(Why::Expired)),
        };
        let tenant: TenantId = row.parse("tenant")?;
        let id = format!("key:{}", presented.id);
        let (name, scopes) = (Some(row.text("name")?), scopes_of(&row.text("scopes")?));
        let caller = Caller { tenant, id, name, scopes };
        Ok(Ok((Arc::new(caller), left)))
    }
}

#[async_trait]
impl Authenticator for KeyRing {
    fn recall(&self, bearer: &str) -> Recalled {
        match Presented::parse(bearer) {
            Some(presented) => self.remembered(&presented),
            None => Some(Err(Refused::Unknown)),
        }
    }

    async fn authenticate(&self, bearer: &str) -> Result<Arc<Caller>, Refused> {
        let presented = Presented::parse(bearer).ok_or(Refused::Unknown)?;
        // A key that was good a moment ago does not stand behind those that anybody can make up.
        let is_known = self.memory().good.contains(&presented.hash);
        let (turns, _place) = if is_known {
            (&self.known_lookups, None)
        } else {
            (&self.lookups, Some(self.waiting.try_acquire().map_err(|_| Refused::Crowded)?))
        };
        let _turn = turns.acquire().await.expect("invariant: nobody closes the semaphore");
        // Whoever had the turn before may have looked the same key up.
        match self.remembered(&presented) {
            Some(remembered) => remembered,
            None => self.look_up(&presented).await,
        }
    }
}

#[cfg(test)]
impl KeyRing {
    /// One that believes and remembers for an hour, however slow the machine of a test is.
    pub(crate) fn patient(db: Arc<Database>) -> Self {
        let hour = Duration::from_secs(3_600);
        let ring = Self::new(db, Duration::from_millis(500));
        Self { trusted_for: hour, remembered_for: hour, ..ring }
    }

    /// Looks a key up, and does `meanwhile` between the database's answer and what is made of it.
    pub(crate) async fn look_up_while(
        &self,
        bearer: &str,
        meanwhile: impl Future<Output = ()>,
    ) -> Result<Arc<Caller>, Refused> {
        let presented = Presented::parse(bearer).ok_or(Refused::Unknown)?;
        let (generation, asked_at) = (self.memory().generation, Instant::now());
        let found = self.find(&presented).await?;
        meanwhile.await;
        self.learn(&presented, found, generation, asked_at)
    }

    /// As if the database had not answered for as long as it is believed.
    pub(crate) fn grow_old(&self) {
        let mut memory = self.memory();
        memory.as_of = memory.as_of.and_then(|as_of| as_of.checked_sub(self.trusted_for));
    }

    /// As if so many unknown keys were being looked up that no other may wait.
    pub(crate) fn crowd(&self) -> impl Drop {
        let all = u32::try_from(Self::WAITING_MAX).expect("few");
        self.waiting.try_acquire_many(all).expect("nobody waits")
    }

    /// As if what is remembered of good keys had to be asked for again.
    pub(crate) fn outlive(&self) {
        for (_, good) in &mut self.memory().good {
            good.until = Instant::now();
        }
    }

    /// How many good keys are remembered, and how many refused ones.
    pub(crate) fn remembers(&self) -> (usize, usize) {
        let memory = self.memory();
        (memory.good.len(), memory.bad.len())
    }
}
