//! Transactions of the command lane, and how they fail.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};
use wallex_outbox::Committed;
use wallex_ports::{
    CommitError, Committer, LockedWallets, StreamState, Unit, UnitOutcome, WalletKey,
};

use super::ports::NodePorts;
use crate::plant::Plant;
use crate::violation::Check;
use crate::world::World;

/// How long a transaction that locks first waits for rows that another holds.
const LOCK_WAIT: Duration = Duration::from_millis(500);
const LOCK_POLL: Duration = Duration::from_millis(5);

/// What becomes of one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is committed, if its node lives until then.
    Good,
    /// It is committed even if its node dies meanwhile: COMMIT was on its way.
    Sent,
    Unavailable,
    Transient,
    Refused,
    Panics,
    /// It is committed, and nobody can find out.
    LostDone,
    /// It is not committed, and nobody can find out.
    LostUndone,
    /// It is committed a good while after its node was told that nobody knows.
    LostLate,
}

impl Fate {
    fn draw(world: &World) -> Self {
        let odds = &world.odds;
        if world.strikes(odds.lost) {
            return world
                .draw(|dice| dice.pick(&[Self::LostDone, Self::LostUndone, Self::LostLate]));
        }
        let faults = [
            (odds.unavailable, Self::Unavailable),
            (odds.transient, Self::Transient),
            (odds.refused, Self::Refused),
            (odds.panic, Self::Panics),
        ];
        let strikes = |(often, _): &&(u64, Self)| world.strikes(*often);
        let fault = faults.iter().find(strikes).map(|(_, fate)| *fate);
        fault.unwrap_or_else(|| world.draw(|dice| dice.pick(&[Self::Good, Self::Sent])))
    }
}

impl NodePorts {
    async fn transact(
        &self,
        units: Arc<[Unit]>,
        mine: Option<u64>,
    ) -> Result<Vec<UnitOutcome>, CommitError> {
        self.only_the_living().await;
        self.step("before a transaction").await;
        if units.iter().any(|unit| is_poisoned(&self.world, unit)) {
            self.world.note(format_args!("node {}: poison", self.life.index));
            return Err(CommitError::Storage("poisoned".into()));
        }
        self.expect_distinct_keys(&units);
        let fate = Fate::draw(&self.world);
        self.world.note(format_args!("node {}: {} units, {fate:?}", self.life.index, units.len()));
        let mut told = BTreeMap::new();
        let outcomes = match fate {
            Fate::Good | Fate::Sent => {
                self.pass("between a transaction and its commit").await;
                if fate == Fate::Good {
                    self.only_the_living().await;
                }
                let (outcomes, committed) = write(&self.world, &units, mine);
                told = committed;
                Ok(outcomes)
            }
            Fate::Unavailable => Err(CommitError::Unavailable("away".into())),
            Fate::Transient => {
                if self.world.tables().plant == Some(Plant::GivenUpAndWritten) {
                    write(&self.world, &units, mine);
                }
                Err(CommitError::Transient("given up".into()))
            }
            Fate::Refused => Err(CommitError::Storage("refused".into())),
            Fate::Panics => resume_unwind(Box::new("a defect of the adapter, on purpose")),
            Fate::LostDone => {
                write(&self.world, &units, mine);
                Err(CommitError::Indeterminate("answer lost".into()))
            }
            Fate::LostUndone => Err(CommitError::Indeterminate("answer lost".into())),
            Fate::LostLate => {
                write_late(&self.world, units);
                Err(CommitError::Indeterminate("answer lost".into()))
            }
        };
        self.step("after a transaction").await;
        for (shard, committed) in told {
            self.tail.push(shard, committed.into());
        }
        outcomes
    }
}

impl NodePorts {
    /// No two units of a batch may claim one key: which of them is written would be chance.
    fn expect_distinct_keys(&self, units: &[Unit]) {
        let mut seen = BTreeSet::new();
        for claim in units.iter().filter_map(|unit| unit.claim.as_ref()) {
            if !seen.insert(&claim.scope) {
                let what = format!("a batch claims {:?} twice", claim.scope);
                self.world.violated(Check::Key, what);
            }
        }
    }
}

fn write(
    world: &World,
    units: &[Unit],
    mine: Option<u64>,
) -> (Vec<UnitOutcome>, BTreeMap<u16, Vec<Committed>>) {
    let mut tables = world.tables();
    let written = tables.write(units, mine, || world.stamp());
    let (events, heads) = (tables.events.len(), tables.heads.clone());
    drop(tables);
    for outcome in &written.outcomes {
        let name = match outcome {
            UnitOutcome::Committed => "committed",
            UnitOutcome::KeyTaken { .. } => "key taken",
            UnitOutcome::VersionConflict => "conflict",
        };
        world.note(format_args!("{name}; {events} events, heads {heads:?}"));
    }
    (written.outcomes, written.committed)
}

fn write_late(world: &Arc<World>, units: Arc<[Unit]>) {
    let (world, late_ms) = (Arc::clone(world), world.draw(|dice| dice.between(1, 3_000)));
    world.add_adrift(1);
    tokio::spawn(async move {
        sleep(Duration::from_millis(late_ms)).await;
        world.note(format_args!("a transaction comes late"));
        write(&world, &units, None);
        world.add_adrift(-1);
    });
}

/// Whether the database refuses the unit each time: its command's name says so.
fn is_poisoned(world: &World, unit: &Unit) -> bool {
    let mut events = unit.appends.iter().flat_map(|append| &append.events);
    world.is_faulty()
        && events.any(|event| event.metadata.correlation_id.as_str().ends_with("poison"))
}

#[async_trait]
impl Committer for NodePorts {
    async fn commit(&self, batch: Arc<[Unit]>) -> Result<Vec<UnitOutcome>, CommitError> {
        self.transact(batch, None).await
    }

    async fn lock(&self, keys: Vec<WalletKey>) -> Result<Box<dyn LockedWallets>, CommitError> {
        self.only_the_living().await;
        self.step("before wallets are locked").await;
        let mut sorted = keys.clone();
        sorted.sort_unstable();
        let until = Instant::now() + LOCK_WAIT;
        let transaction = loop {
            if let Some(transaction) = self.take_locks(&sorted) {
                break transaction;
            }
            if Instant::now() >= until {
                return Err(CommitError::Blocked("held".into()));
            }
            sleep(LOCK_POLL).await;
        };
        let locked = {
            let tables = self.world.tables();
            let wallets = keys.iter().map(|key| tables.wallets.get(key).cloned()).collect();
            Locked { ports: self.clone(), transaction, wallets }
        };
        self.step("after wallets were locked").await;
        Ok(Box::new(locked))
    }
}

impl NodePorts {
    /// Takes the locks of all `keys` that there are wallets of, if they are free.
    fn take_locks(&self, keys: &[WalletKey]) -> Option<u64> {
        let mut tables = self.world.tables();
        if keys.iter().any(|key| tables.locks.contains_key(key)) {
            return None;
        }
        tables.transactions += 1;
        let transaction = tables.transactions;
        for key in keys.iter().filter(|key| tables.wallets.contains_key(*key)).collect::<Vec<_>>() {
            tables.locks.insert(key.clone(), (transaction, self.life.index));
        }
        Some(transaction)
    }
}

/// A transaction that began by locking.
struct Locked {
    ports: NodePorts,
    transaction: u64,
    wallets: Vec<Option<StreamState>>,
}

impl Drop for Locked {
    fn drop(&mut self) {
        let transaction = self.transaction;
        self.ports.world.tables().locks.retain(|_, (holder, _)| *holder != transaction);
    }
}

#[async_trait]
impl LockedWallets for Locked {
    fn wallets(&self) -> &[Option<StreamState>] {
        &self.wallets
    }

    async fn commit(self: Box<Self>, batch: Arc<[Unit]>) -> Result<Vec<UnitOutcome>, CommitError> {
        self.ports.transact(batch, Some(self.transaction)).await
    }
}
