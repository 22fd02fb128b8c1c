//! A store in memory behind a real command lane.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use uuid::Uuid;
use wallex_ports::{
    Clock, CommitError, Committer, Events, IdGenerator, IdempotencyRecords, KeyScope,
    LockedWallets, NotReady, ReadError, Readiness, RecordedEvent, StoredRecord, StreamState,
    Timestamp, Unit, UnitOutcome, WalletKey, Wallets,
};

use crate::MetricsSource;

#[derive(Default)]
struct Tables {
    wallets: HashMap<WalletKey, StreamState>,
    events: HashMap<WalletKey, Vec<RecordedEvent>>,
    records: HashMap<KeyScope, StoredRecord>,
    position: u64,
}

/// The store, and what can go wrong with it.
pub(super) struct Memory {
    tables: Mutex<Tables>,
    ids: AtomicU64,
    /// The database does not answer.
    pub(super) away: AtomicBool,
    /// Rows can't be understood.
    pub(super) damaged: AtomicBool,
    /// Events of this version can't be decoded; 0 for none.
    pub(super) unreadable_version: AtomicU64,
    /// Migrations are missing.
    pub(super) unmigrated: AtomicBool,
    /// Commits wait for a permit.
    pub(super) commits: Semaphore,
    /// Reads wait for a permit.
    pub(super) reads: Semaphore,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            tables: Mutex::default(),
            ids: AtomicU64::new(0),
            away: AtomicBool::new(false),
            damaged: AtomicBool::new(false),
            unreadable_version: AtomicU64::new(0),
            unmigrated: AtomicBool::new(false),
            commits: Semaphore::new(Semaphore::MAX_PERMITS),
            reads: Semaphore::new(Semaphore::MAX_PERMITS),
        }
    }
}

impl Memory {
    /// How many events there are, and how many idempotency records: whether anything changed.
    pub(super) fn rows(&self) -> (u64, usize) {
        let tables = self.tables.lock().expect("not poisoned");
        (tables.position, tables.records.len())
    }

    /// Every event with its wallet, in the order of positions.
    pub(super) fn history(&self) -> Vec<(WalletKey, RecordedEvent)> {
        let tables = self.tables.lock().expect("not poisoned");
        let of_wallet = |(key, events): (&WalletKey, &Vec<RecordedEvent>)| {
            events.iter().map(|event| (key.clone(), event.clone())).collect::<Vec<_>>()
        };
        let mut history: Vec<_> = tables.events.iter().flat_map(of_wallet).collect();
        history.sort_by_key(|(_, event)| event.position);
        history
    }

    pub(super) async fn readable(&self) -> Result<(), ReadError> {
        let _permit = self.reads.acquire().await.expect("never closed");
        if self.away.load(Ordering::SeqCst) {
            return Err(ReadError::Unavailable("connection refused".into()));
        }
        if self.damaged.load(Ordering::SeqCst) {
            return Err(ReadError::Storage("a secret of the database".into()));
        }
        Ok(())
    }
}

impl Tables {
    fn write(&mut self, unit: Unit) -> UnitOutcome {
        if let Some(claim) = &unit.claim
            && let Some(stored) = self.records.get(&claim.scope)
        {
            return UnitOutcome::KeyTaken { stored: stored.clone() };
        }
        let version = |key| self.wallets.get(key).map_or(0, |found| found.state.wallet.version());
        let reads = unit.reads.iter().all(|read| version(&read.stream) == read.version);
        let appends = unit.appends.iter().all(|a| version(&a.stream) == a.expected_version);
        if !reads || !appends {
            return UnitOutcome::VersionConflict;
        }
        if let Some(claim) = unit.claim {
            let record = StoredRecord { request_hash: claim.request_hash, answer: claim.answer };
            self.records.insert(claim.scope, record);
        }
        for append in unit.appends {
            let history = self.events.entry(append.stream.clone()).or_default();
            let after = append.after();
            for event in append.events {
                self.position += 1;
                history.push(RecordedEvent {
                    event_id: event.event_id,
                    version: history.len() as u64 + 1,
                    position: self.position,
                    schema_version: 1,
                    event: event.event,
                    metadata: event.metadata,
                    recorded_at: event.recorded_at,
                    hash: event.hash,
                });
            }
            self.wallets.insert(append.stream, after);
        }
        UnitOutcome::Committed
    }
}

#[async_trait]
impl Committer for Memory {
    async fn commit(&self, batch: Arc<[Unit]>) -> Result<Vec<UnitOutcome>, CommitError> {
        let _permit = self.commits.acquire().await.expect("never closed");
        if self.away.load(Ordering::SeqCst) {
            return Err(CommitError::Unavailable("connection refused".into()));
        }
        if self.damaged.load(Ordering::SeqCst) {
            return Err(CommitError::Storage("a secret of the database".into()));
        }
        let mut tables = self.tables.lock().expect("not poisoned");
        Ok(batch.iter().map(|unit| tables.write(unit.clone())).collect())
    }

    async fn lock(&self, _: Vec<WalletKey>) -> Result<Box<dyn LockedWallets>, CommitError> {
        unreachable!("one lane never loses to another")
    }
}

#[async_trait]
impl Wallets for Memory {
    async fn load(&self, keys: &[WalletKey]) -> Result<Vec<Option<StreamState>>, ReadError> {
        self.readable().await?;
        let tables = self.tables.lock().expect("not poisoned");
        Ok(keys.iter().map(|key| tables.wallets.get(key).cloned()).collect())
    }
}

#[async_trait]
impl Events for Memory {
    async fn after(
        &self,
        key: &WalletKey,
        after_version: u64,
        limit: u32,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        self.readable().await?;
        let tables = self.tables.lock().expect("not poisoned");
        let history = tables.events.get(key).into_iter().flatten();
        let later = history.filter(|event| event.version > after_version);
        let page: Vec<_> = later.take(limit as usize).cloned().collect();
        let unreadable = self.unreadable_version.load(Ordering::SeqCst);
        if page.iter().any(|event| event.version == unreadable) {
            return Err(ReadError::Storage("an event of an unknown type".into()));
        }
        Ok(page)
    }
}

#[async_trait]
impl IdempotencyRecords for Memory {
    async fn lookup(&self, scopes: &[KeyScope]) -> Result<Vec<Option<StoredRecord>>, ReadError> {
        self.readable().await?;
        let tables = self.tables.lock().expect("not poisoned");
        Ok(scopes.iter().map(|scope| tables.records.get(scope).cloned()).collect())
    }
}

#[async_trait]
impl Readiness for Memory {
    async fn check(&self) -> Result<(), NotReady> {
        if self.unmigrated.load(Ordering::SeqCst) {
            return Err(NotReady::NotMigrated);
        }
        self.readable().await.map_err(|error| NotReady::Unreachable(Box::new(error)))
    }
}

#[async_trait]
impl MetricsSource for Memory {
    async fn render(&self) -> String {
        "# TYPE up gauge\nup 1\n".to_owned()
    }
}

impl IdGenerator for Memory {
    fn next(&self) -> Uuid {
        Uuid::from_u64_pair(0x0189_0a5d_ac96_774b, self.ids.fetch_add(1, Ordering::SeqCst))
    }
}

/// 2026-01-01T00:00:00.007Z, for ever.
pub(super) struct NewYear;

impl Clock for NewYear {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(1_767_225_600_007)
    }
}

impl Memory {
    /// The same store as every port that it is.
    pub(super) fn shared() -> Arc<Self> {
        Arc::new(Self::default())
    }
}
