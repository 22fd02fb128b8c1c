//! Projections in memory: two projectors, the dead letters and the operations that a test puts
//! there.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use uuid::Uuid;
use wallex_domain::{TenantId, WalletId};
use wallex_ports::{
    DeadLetter, DeadLetterError, DeadLetters, Missing, Operation, OperationKind, OperationState,
    OutboxShard, Progress, ProjectorState, ProjectorStatus, Projectors, ReadError, Recovery,
    Replay, Report, Scope, StartError, Statistics, SteerError, StoredEvent, Timestamp, WalletKey,
};

const NOW: Timestamp = Timestamp::from_unix_ms(1_767_225_600_007);

/// What the admin API steers.
pub(super) struct Steered {
    pub(super) stopped: Mutex<Vec<String>>,
    /// What is parked.
    pub(super) letters: Mutex<BTreeMap<(String, WalletKey), DeadLetter>>,
    /// Why each was discarded.
    pub(super) reasons: Mutex<Vec<String>>,
    /// Every operation.
    pub(super) operations: Mutex<Vec<Operation>>,
    /// The age that the last cleanup was asked for, in milliseconds.
    pub(super) older_than_ms: AtomicU64,
    /// The database does not answer.
    pub(super) away: AtomicBool,
    /// How often it was asked how the projectors stand.
    pub(super) asked: AtomicU64,
    /// The cause of every dead letter is still there.
    pub(super) unhealed: AtomicBool,
    /// Cleanups wait for a permit.
    pub(super) cleanups: Semaphore,
}

impl Default for Steered {
    fn default() -> Self {
        Self {
            stopped: Mutex::default(),
            letters: Mutex::default(),
            reasons: Mutex::default(),
            operations: Mutex::default(),
            older_than_ms: AtomicU64::new(0),
            away: AtomicBool::new(false),
            asked: AtomicU64::new(0),
            unhealed: AtomicBool::new(false),
            cleanups: Semaphore::new(Semaphore::MAX_PERMITS),
        }
    }
}

impl Steered {
    /// Parks a wallet at its event of `version`.
    pub(super) fn park(&self, projector: &str, wallet_id: &str, version: u64) {
        self.park_of("default", projector, wallet_id, version);
    }

    /// Parks a wallet of `tenant`.
    pub(super) fn park_of(&self, tenant: &str, projector: &str, wallet_id: &str, version: u64) {
        let wallet = WalletKey {
            tenant: tenant.parse().expect("valid"),
            wallet_id: WalletId::parse(wallet_id).expect("valid"),
        };
        let letter = DeadLetter {
            projector: projector.to_owned(),
            wallet: wallet.clone(),
            shard: 0,
            version,
            position: version + 10,
            event_id: Uuid::from_u128(7).into(),
            event_type: "WalletRenamed".to_owned(),
            error: "unknown type".to_owned(),
            attempts: 3,
            queued_events: 2,
            parked_at: NOW,
            tried_at: NOW,
        };
        self.letters.lock().expect("sound").insert((projector.to_owned(), wallet), letter);
    }

    fn reachable(&self) -> Result<(), ReadError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(ReadError::Unavailable("connection refused".into()));
        }
        Ok(())
    }

    fn parked(&self, projector: &str, wallet: &WalletKey) -> Result<DeadLetter, DeadLetterError> {
        self.reachable()?;
        let letters = self.letters.lock().expect("sound");
        let key = (projector.to_owned(), wallet.clone());
        letters.get(&key).cloned().ok_or(DeadLetterError::NotParked)
    }

    fn settle(&self, letter: DeadLetter) -> Replay {
        if self.unhealed.load(Ordering::SeqCst) {
            return Replay::StillParked(Box::new(letter));
        }
        let key = (letter.projector, letter.wallet);
        self.letters.lock().expect("sound").remove(&key);
        Replay::Applied { events: letter.queued_events + 1 }
    }
}

#[async_trait]
impl Projectors for Steered {
    async fn status(&self) -> Result<Vec<ProjectorStatus>, ReadError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.reachable()?;
        let stopped = self.stopped.lock().expect("sound");
        let status = |name: &str| ProjectorStatus {
            projector: name.to_owned(),
            shard: 0,
            state: match stopped.iter().any(|stopped| stopped == name) {
                true => ProjectorState::Stopped,
                false => ProjectorState::Failing,
            },
            position: 40,
            head: 42,
            lag_age_ms: 1_500,
            events_per_second: 900,
            holder: Some("there:7:a".to_owned()),
            epoch: 3,
            updated_at: NOW,
            last_error: Some(("the table is gone".to_owned(), NOW)),
            parked_wallets: 1,
        };
        Ok(["ledger", "read_model"].map(status).into())
    }

    async fn start(&self, projector: &str) -> Result<(), SteerError> {
        self.reachable()?;
        if !["ledger", "read_model"].contains(&projector) {
            return Err(SteerError::UnknownProjector);
        }
        self.stopped.lock().expect("sound").retain(|stopped| stopped != projector);
        Ok(())
    }

    async fn stop(&self, projector: &str) -> Result<(), SteerError> {
        self.start(projector).await?;
        self.stopped.lock().expect("sound").push(projector.to_owned());
        Ok(())
    }
}

#[async_trait]
impl DeadLetters for Steered {
    async fn list(
        &self,
        tenant: Option<&TenantId>,
        projector: Option<&str>,
        after: Option<(&str, &WalletKey)>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, ReadError> {
        self.reachable()?;
        let letters = self.letters.lock().expect("sound");
        let behind = letters.iter().filter(|((name, wallet), _)| {
            projector.is_none_or(|projector| projector == name)
                && tenant.is_none_or(|tenant| *tenant == wallet.tenant)
                && after.is_none_or(|after| (name.as_str(), wallet) > after)
        });
        Ok(behind.map(|(_, letter)| letter.clone()).take(limit as usize).collect())
    }

    async fn show(
        &self,
        projector: &str,
        wallet: &WalletKey,
    ) -> Result<(DeadLetter, Option<StoredEvent>), DeadLetterError> {
        let event = StoredEvent {
            schema_version: 9,
            payload: "{not json".to_owned(),
            metadata: "{}".to_owned(),
            recorded_at: NOW,
        };
        Ok((self.parked(projector, wallet)?, Some(event)))
    }

    async fn replay(&self, projector: &str, wallet: &WalletKey) -> Result<Replay, DeadLetterError> {
        let letter = self.parked(projector, wallet)?;
        Ok(self.settle(letter))
    }

    async fn discard(
        &self,
        projector: &str,
        wallet: &WalletKey,
        version: u64,
        reason: &str,
    ) -> Result<Replay, DeadLetterError> {
        let letter = self.parked(projector, wallet)?;
        if letter.version != version {
            return Err(DeadLetterError::Moved(Box::new(letter)));
        }
        if letter.version == 1 {
            return Err(DeadLetterError::Creation);
        }
        self.reasons.lock().expect("sound").push(reason.to_owned());
        Ok(self.settle(letter))
    }
}

#[async_trait]
impl Recovery for Steered {
    async fn begin(&self, kind: OperationKind, scope: Scope) -> Result<Operation, StartError> {
        self.reachable()?;
        match &scope {
            Scope::Wallet(key) if key.wallet_id.as_str() == "nobody" => {
                return Err(StartError::NoSuch(Missing::Wallet));
            }
            Scope::Since(from) if from.shard > 0 => return Err(StartError::NoSuch(Missing::Shard)),
            _ => (),
        }
        let mut operations = self.operations.lock().expect("sound");
        if let Some(running) = operations.iter().find(|operation| operation.kind == kind) {
            return Err(StartError::Running(Box::new(running.clone())));
        }
        let operation = Operation {
            id: Uuid::from_u128(operations.len() as u128 + 1),
            kind,
            scope,
            state: OperationState::Running,
            progress: Progress { done: 50, total: 200, wallets: 5, elapsed_ms: 100 },
            report: Report::default(),
            error: None,
            started_at: NOW,
            updated_at: NOW,
            finished_at: None,
        };
        operations.push(operation.clone());
        Ok(operation)
    }

    async fn operation(&self, id: Uuid) -> Result<Option<Operation>, ReadError> {
        self.reachable()?;
        let operations = self.operations.lock().expect("sound");
        Ok(operations.iter().find(|operation| operation.id == id).cloned())
    }

    async fn outbox(&self) -> Result<Vec<OutboxShard>, ReadError> {
        self.reachable()?;
        let shard = |shard, processed, oldest_kept, lag_age_ms| OutboxShard {
            shard,
            head: 42,
            processed,
            oldest_kept,
            lag_age_ms,
        };
        Ok(vec![shard(0, 40, Some(7), 1_500), shard(1, 42, None, 0)])
    }

    async fn clean_outbox(&self, older_than_ms: u64) -> Result<u64, ReadError> {
        self.reachable()?;
        let _permit = self.cleanups.acquire().await.expect("never closed");
        self.older_than_ms.store(older_than_ms, Ordering::SeqCst);
        Ok(33)
    }

    async fn sweep_idempotency(&self) -> Result<u64, ReadError> {
        self.reachable()?;
        Ok(44)
    }

    async fn statistics(&self) -> Result<Statistics, ReadError> {
        self.reachable()?;
        Ok(Statistics { events: 84, database_bytes: 4_096, ..Statistics::default() })
    }
}
