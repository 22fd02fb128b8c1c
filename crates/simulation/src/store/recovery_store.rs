//! Operations in the simulated store, and what else recovery asks of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::DbErr;
use tokio::time::sleep;
use uuid::Uuid;
use wallex_ports::{
    Operation, OperationKind, OperationState, Progress, ReadError, Report, Scope, ShardPosition,
    Shards, WalletKey,
};
use wallex_projectors::{
    Begun, Mine, Mode, OPERATION_LEASE_MS, PageTransaction, RecoveryStore, Stand,
};

use super::page::SimulatedPage;
use super::ports::NodePorts;
use super::projection::PROJECTORS;
use super::tables::{StoredEvent, Tables};
use crate::checks;

const LOCK_POLL: Duration = Duration::from_millis(5);

/// An operation as it stands in the store.
#[derive(Debug, Clone)]
pub(crate) struct StoredOperation {
    pub(crate) operation: Operation,
    pub(crate) owner: String,
    resume_at: String,
    lease_until_ms: u64,
    /// When, in the order of everything that happens.
    pub(crate) began: u64,
}

impl StoredOperation {
    pub(super) fn is(&self, mine: &Mine) -> bool {
        self.operation.state == OperationState::Running && self.owner == mine.owner
    }

    /// The operation as of now: one whose process says nothing was interrupted.
    fn seen(&self, now_ms: u64) -> Operation {
        let mut operation = self.operation.clone();
        if operation.state == OperationState::Running && self.lease_until_ms <= now_ms {
            operation.state = OperationState::Interrupted;
        }
        operation
    }

    /// Whether somebody works on it, or will.
    pub(super) fn is_at_work(&self, now_ms: u64) -> bool {
        match self.seen(now_ms).state {
            OperationState::Running => true,
            OperationState::Interrupted => self.operation.kind == OperationKind::Rebuild,
            OperationState::Done | OperationState::Failed => false,
        }
    }

    fn is_unfinished(&self) -> bool {
        matches!(self.operation.state, OperationState::Running | OperationState::Interrupted)
    }

    pub(crate) fn stand(&mut self, stand: &OwnedStand, now_ms: u64) {
        (self.operation.progress, self.operation.report) = (stand.progress, stand.report.clone());
        self.resume_at.clone_from(&stand.resume_at);
        self.lease_until_ms = now_ms + OPERATION_LEASE_MS;
    }
}

/// How far an operation has come, until it is committed.
#[derive(Debug, Clone)]
pub(crate) struct OwnedStand {
    progress: Progress,
    report: Report,
    resume_at: String,
}

impl From<Stand<'_>> for OwnedStand {
    fn from(Stand { progress, report, resume_at }: Stand<'_>) -> Self {
        Self { progress: *progress, report: report.clone(), resume_at: resume_at.to_owned() }
    }
}

/// What operations were told of projectors that may be stopped. Each answer is good for one replay.
#[derive(Debug, Default)]
pub(crate) struct Asked(Mutex<BTreeSet<(&'static str, u16)>>);

impl Asked {
    fn tell(&self, projector: &str, shard: u16, stopped: bool) {
        let key = (super::projector_store::by_name(projector), shard);
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stopped {
            told.remove(&key);
        } else {
            told.insert(key);
        }
    }

    /// Whether the last answer was that the projector is not stopped.
    pub(super) fn runs(&self, projector: &str, shard: u16) -> bool {
        let key = (super::projector_store::by_name(projector), shard);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&key)
    }
}

/// What recovery in one life of a node sees of the store.
pub(crate) struct SimulatedRecoveryStore {
    pub(crate) ports: Arc<NodePorts>,
    pub(crate) asked: Arc<Asked>,
}

/// Waits until no transaction but `mine` holds the table of operations.
pub(super) async fn operations_free(ports: &NodePorts, mine: Option<u64>) {
    loop {
        ports.only_the_living().await;
        if ports.world.tables().frees_operations(ports.world.now_ms(), mine) {
            return;
        }
        sleep(LOCK_POLL).await;
    }
}

impl SimulatedRecoveryStore {
    async fn read<T: Send>(
        &self,
        what: &str,
        read: impl FnOnce(&Tables, u64) -> T + Send,
    ) -> Result<T, DbErr> {
        self.ports.background_statement(what).await?;
        let found = read(&self.ports.world.tables(), self.ports.world.now_ms());
        self.ports.background_answer(what).await?;
        Ok(found)
    }

    /// A transaction of one statement on the table of operations.
    async fn write<T: Send>(
        &self,
        what: &str,
        write: impl FnOnce(&mut BTreeMap<Uuid, StoredOperation>, u64) -> T + Send,
    ) -> Result<T, DbErr> {
        self.ports.background_statement(what).await?;
        operations_free(&self.ports, None).await;
        let now_ms = self.ports.world.now_ms();
        let written = write(&mut self.ports.world.tables().operations, now_ms);
        self.ports.background_answer(what).await?;
        Ok(written)
    }

    async fn number<T: Send>(
        &self,
        what: &str,
        read: impl FnOnce(&Tables) -> T + Send,
    ) -> Result<T, ReadError> {
        let read = self.read(what, |tables, _| read(tables)).await;
        read.map_err(|error| ReadError::Unavailable(error.into()))
    }
}

#[async_trait]
impl RecoveryStore for SimulatedRecoveryStore {
    fn shards(&self) -> Result<Shards, ReadError> {
        Ok(self.ports.world.tables().shards)
    }

    fn projectors(&self) -> &[&'static str] {
        &PROJECTORS
    }

    fn page_events(&self, _mode: Mode) -> u32 {
        self.ports.world.odds.page_events
    }

    fn has_one_writer(&self) -> bool {
        false
    }

    async fn begin(&self, kind: OperationKind, scope: &Scope, mine: &Mine) -> Result<Begun, DbErr> {
        let stamp = self.ports.world.stamp();
        let now = wallex_ports::Clock::now(&*self.ports);
        let new = Operation {
            id: mine.id,
            kind,
            scope: scope.clone(),
            state: OperationState::Running,
            progress: Progress::default(),
            report: Report::default(),
            error: None,
            started_at: now,
            updated_at: now,
            finished_at: None,
        };
        let begun = self
            .write("while an operation begins", |operations, now_ms| {
                let mut same = None;
                for stored in operations.values_mut() {
                    if stored.operation.kind != kind || !stored.is_unfinished() {
                        continue;
                    }
                    let seen = stored.seen(now_ms);
                    if seen.state == OperationState::Running {
                        return Begun::Running(Box::new(seen));
                    }
                    stored.operation.state = OperationState::Interrupted;
                    if kind == OperationKind::Rebuild && seen.scope == *scope {
                        same = same.or(Some(seen.id));
                    }
                }
                let id = same.unwrap_or(mine.id);
                let stored = operations.entry(id).or_insert_with(|| StoredOperation {
                    operation: new,
                    owner: String::new(),
                    resume_at: String::new(),
                    lease_until_ms: 0,
                    began: stamp,
                });
                stored.operation.state = OperationState::Running;
                stored.owner.clone_from(&mine.owner);
                stored.lease_until_ms = now_ms + OPERATION_LEASE_MS;
                let operation = Box::new(stored.operation.clone());
                Begun::Mine { operation, resume_at: stored.resume_at.clone() }
            })
            .await?;
        if let Begun::Mine { operation, resume_at } = &begun {
            let (id, node) = (operation.id, self.ports.life.index);
            let scope = &operation.scope;
            self.ports.world.note(format_args!(
                "node {node}: {} {id} of {scope:?} begins at {resume_at:?}",
                kind.as_str()
            ));
        }
        Ok(begun)
    }

    async fn operation(&self, id: Uuid) -> Result<Option<Operation>, DbErr> {
        self.read("while an operation is looked up", |tables, now_ms| {
            tables.operations.get(&id).map(|stored| stored.seen(now_ms))
        })
        .await
    }

    async fn oldest_interrupted(&self, kind: OperationKind) -> Result<Option<Operation>, DbErr> {
        self.read("while interrupted operations are looked for", |tables, now_ms| {
            let stored = tables.operations.values().filter(|stored| {
                stored.operation.kind == kind
                    && stored.seen(now_ms).state == OperationState::Interrupted
            });
            stored.min_by_key(|stored| stored.began).map(|stored| stored.seen(now_ms))
        })
        .await
    }

    async fn renew(&self, mine: &Mine) -> Result<bool, DbErr> {
        self.write("while an operation is renewed", |operations, now_ms| {
            let stored = operations.get_mut(&mine.id).filter(|stored| stored.is(mine));
            stored.map(|stored| stored.lease_until_ms = now_ms + OPERATION_LEASE_MS).is_some()
        })
        .await
    }

    async fn record(&self, mine: &Mine, stand: Stand<'_>) -> Result<bool, DbErr> {
        let stand = OwnedStand::from(stand);
        self.write("while the progress of an operation is noted", |operations, now_ms| {
            let stored = operations.get_mut(&mine.id).filter(|stored| stored.is(mine));
            stored.map(|stored| stored.stand(&stand, now_ms)).is_some()
        })
        .await
    }

    async fn end(&self, mine: &Mine, operation: &Operation) -> Result<bool, DbErr> {
        let (id, state) = (operation.id, operation.state);
        self.ports.world.note(format_args!("operation {id} ends: {state:?} {:?}", operation.error));
        if state == OperationState::Done {
            checks::check_report(&self.ports.world, operation);
        }
        let ended = self
            .write("while an operation ends", |operations, _| {
                let stored = operations.get_mut(&mine.id).filter(|stored| stored.is(mine));
                stored.map(|stored| {
                    stored.operation = operation.clone();
                    stored.lease_until_ms = 0;
                })
            })
            .await?;
        Ok(ended.is_some())
    }

    async fn reload(&self, mine: &Mine) -> Result<Option<(Operation, String)>, DbErr> {
        self.read("while an operation is read again", |tables, _| {
            let stored = tables.operations.get(&mine.id).filter(|stored| stored.is(mine))?;
            Some((stored.operation.clone(), stored.resume_at.clone()))
        })
        .await
    }

    async fn heads(&self) -> Result<Vec<u64>, DbErr> {
        self.read("while heads are read", |tables, _| tables.heads.clone()).await
    }

    async fn knows(&self, wallet: &WalletKey) -> Result<bool, DbErr> {
        self.read("while a wallet is looked for", |tables, _| tables.wallets.contains_key(wallet))
            .await
    }

    async fn events_of(&self, wallet: &WalletKey) -> Result<u64, ReadError> {
        self.number("while events are counted", |tables| {
            tables.events.iter().filter(|event| event.wallet == *wallet).count() as u64
        })
        .await
    }

    async fn wallets_of_window(
        &self,
        since: ShardPosition,
        window: u64,
        len: u64,
    ) -> Result<BTreeSet<WalletKey>, DbErr> {
        self.read("while wallets are looked for", |tables, _| {
            let (mut met, mut found) = (BTreeSet::new(), BTreeSet::new());
            let behind = |event: &&StoredEvent| {
                event.shard == since.shard && event.position >= since.position
            };
            for event in tables.events.iter().filter(behind) {
                let is_first = met.insert(event.wallet.clone());
                if is_first && event.position >= window && event.position < window + len {
                    found.insert(event.wallet.clone());
                }
            }
            found
        })
        .await
    }

    async fn parked(&self) -> Result<u64, ReadError> {
        self.number("while dead letters are counted", |tables| {
            tables.projections.values().map(|row| row.letters.len() as u64).sum()
        })
        .await
    }

    async fn is_retry_due(&self) -> Result<bool, ReadError> {
        self.number("while dead letters are looked for", |tables| {
            tables.projections.values().any(|row| !row.stopped && !row.letters.is_empty())
        })
        .await
    }

    async fn is_stopped(&self, projector: &str, shard: u16) -> Result<bool, ReadError> {
        let stopped = self
            .number("while a projector is looked up", |tables| {
                tables.projections[&(super::projector_store::by_name(projector), shard)].stopped
            })
            .await?;
        self.asked.tell(projector, shard, stopped);
        Ok(stopped)
    }

    async fn begin_page(&self, shard: u16, mode: Mode) -> Result<Box<dyn PageTransaction>, DbErr> {
        self.ports.background_statement("before a page").await?;
        Ok(Box::new(SimulatedPage::begin(&self.ports, shard, mode)))
    }
}
