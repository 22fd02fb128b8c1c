//! What the worker of one projector in one shard sees of the store.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::DbErr;
use tokio::time::sleep;
use wallex_ports::{BoxError, WalletKey};
use wallex_projectors::{
    ApplyError, Batch, Event, Filled, LEASE, Parking, Poison, ProjectorStore, ProjectorTransaction,
    Seat, project_ledger, project_wallets,
};

use super::ports::NodePorts;
use super::projection::{Letter, PROJECTORS, Projection, difference};
use super::rows::StagedRows;
use super::tables::is_frozen;
use crate::node::Life;
use crate::plant::Plant;
use crate::violation::Check;
use crate::world::World;

const LOCK_POLL: Duration = Duration::from_millis(5);

/// One projector in one shard, for one life of a node.
#[derive(Clone)]
pub(crate) struct SimulatedProjectorStore {
    pub(crate) ports: Arc<NodePorts>,
    pub(crate) name: &'static str,
    pub(crate) shard: u16,
}

impl SimulatedProjectorStore {
    pub(super) fn world(&self) -> &World {
        &self.ports.world
    }

    fn life(&self) -> &Life {
        &self.ports.life
    }

    /// One statement that writes the checkpoint's row, a transaction by itself. As a database does, it
    /// waits for the transaction that holds the row.
    async fn on_row<T: Send>(
        &self,
        what: &str,
        statement: impl FnOnce(&mut Projection, u64) -> T + Send,
    ) -> Result<T, DbErr> {
        self.ports.background_statement(what).await?;
        let done = self.once_free(statement).await;
        self.ports.background_answer(what).await?;
        Ok(done)
    }

    /// Does something with the checkpoint's row, at a moment when no transaction holds it.
    async fn once_free<T>(&self, act: impl FnOnce(&mut Projection, u64) -> T + Send) -> T {
        loop {
            self.ports.only_the_living().await;
            let now_ms = self.world().now_ms();
            {
                let mut tables = self.world().tables();
                let row = tables.projections.entry((self.name, self.shard)).or_default();
                row.held = row.held.filter(|held| !is_frozen(*held, now_ms));
                if row.held.is_none() {
                    return act(row, now_ms);
                }
            }
            sleep(LOCK_POLL).await;
        }
    }

    /// The number of a transaction that begins.
    pub(super) fn number(&self) -> u64 {
        let mut tables = self.world().tables();
        tables.transactions += 1;
        tables.transactions
    }

    /// Waits for the checkpoint's row, and holds it for the transaction; what it guards.
    pub(super) async fn hold(&self, number: u64) -> Projection {
        let index = self.life().index;
        self.once_free(|row, now_ms| {
            row.held = Some((number, index, now_ms));
            row.clone()
        })
        .await
    }

    /// Gives the row free, if the transaction holds it.
    pub(super) fn release(&self, number: u64) {
        let mut tables = self.world().tables();
        let row = tables.projections.entry((self.name, self.shard)).or_default();
        row.held = row.held.filter(|(held, ..)| *held != number);
    }

    /// Has the projector apply `batch` to what is staged.
    pub(super) async fn project(
        &self,
        staged: &Mutex<Option<Projection>>,
        batch: &Batch<'_>,
    ) -> Result<(), ApplyError> {
        self.ports.background_statement("while a batch is applied").await.map_err(DbErr::from)?;
        if self.world().strikes(self.world().odds.panic) {
            resume_unwind(Box::new("a defect of a projector, on purpose"));
        }
        let rows = StagedRows { staged };
        match self.name {
            "ledger" => project_ledger(&rows, batch).await,
            _ => project_wallets(&rows, batch).await,
        }
    }

    /// Writes what was staged, if the transaction still holds the row; whether it does.
    pub(super) fn write(&self, number: u64, staged: Projection) -> bool {
        let key = (self.name, self.shard);
        let mut tables = self.world().tables();
        let row = tables.projections.entry(key).or_default();
        if row.held.is_none_or(|(held, ..)| held != number) {
            return false;
        }
        let position = staged.position;
        *row = Projection { held: None, ..staged };
        if let Some(difference) = difference(&tables, key.0, key.1) {
            self.world().violated(Check::Projection, difference);
        }
        drop(tables);
        self.world().note(format_args!("{} {} stands at {position}", key.0, key.1));
        true
    }

    /// Stops the projector in this shard, or lets it run.
    pub(crate) async fn want(&self, stopped: bool) -> Result<(), DbErr> {
        self.on_row("while a projector is stopped or started", |row, _| row.stopped = stopped).await
    }

    /// Whether the projector runs, as this node is told.
    fn is_wanted(&self, row: &Projection, plant: Option<Plant>) -> bool {
        !row.stopped || plant == Some(Plant::StopNotTold) && self.life().index == 1
    }

    fn plant(&self) -> Option<Plant> {
        self.world().tables().plant
    }

    /// Keeps the lease if it is still that of `seat`; where the checkpoint stands then.
    async fn keep(&self, seat: &Seat, what: &str) -> Result<Option<u64>, DbErr> {
        let (epoch, plant) = (seat.epoch, self.plant());
        self.on_row(what, |row, now_ms| {
            (row.epoch == epoch && self.is_wanted(row, plant)).then(|| {
                row.lease_until_ms = now_ms + lease_ms();
                row.position
            })
        })
        .await
    }
}

/// The projector's name, for as long as the process lives.
pub(super) fn by_name(name: &str) -> &'static str {
    PROJECTORS.into_iter().find(|known| *known == name).unwrap_or_default()
}

fn lease_ms() -> u64 {
    u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl ProjectorStore for SimulatedProjectorStore {
    fn projector(&self) -> &'static str {
        self.name
    }

    fn shard(&self) -> u16 {
        self.shard
    }

    async fn take(&self) -> Result<Option<(Seat, u64)>, DbErr> {
        let (projector, shard, index) = (self.name, self.shard, self.life().index);
        let plant = self.plant();
        let taken = self
            .on_row("while a lease is taken", |row, now_ms| {
                if row.holder.is_some() && row.lease_until_ms > now_ms
                    || !self.is_wanted(row, plant)
                {
                    return None;
                }
                row.epoch += 1;
                (row.holder, row.lease_until_ms) = (Some(index), now_ms + lease_ms());
                Some((Seat { projector, shard, epoch: row.epoch }, row.position))
            })
            .await?;
        if let Some((seat, position)) = &taken {
            self.world().note(format_args!("node {index} takes {seat:?} at {position}"));
        }
        Ok(taken)
    }

    async fn renew(&self, seat: &Seat) -> Result<Option<u64>, DbErr> {
        self.keep(seat, "while a lease is renewed").await
    }

    async fn wait(&self, seat: &Seat) -> Result<bool, DbErr> {
        Ok(self.keep(seat, "while a holder waits").await?.is_some())
    }

    async fn fail(&self, seat: &Seat, error: &str) -> Result<bool, DbErr> {
        self.world().note(format_args!("{seat:?} failed: {error}"));
        Ok(self.keep(seat, "while a failure is noted").await?.is_some())
    }

    async fn position(&self, seat: &Seat) -> Result<Option<u64>, DbErr> {
        let epoch = seat.epoch;
        self.ports.background_statement("while a checkpoint is read").await?;
        let tables = self.world().tables();
        let row = &tables.projections[&(self.name, self.shard)];
        Ok((row.epoch == epoch && self.is_wanted(row, tables.plant)).then_some(row.position))
    }

    async fn leave(&self, seat: &Seat) -> Result<(), DbErr> {
        let epoch = seat.epoch;
        self.on_row("while a lease is given back", |row, _| {
            if row.epoch == epoch {
                (row.holder, row.lease_until_ms) = (None, 0);
            }
        })
        .await
    }

    async fn read_after(&self, after: u64, limit: u32) -> Result<Vec<Event>, BoxError> {
        self.ports.background_statement("before events are read").await.map_err(DbErr::from)?;
        let events = {
            let tables = self.world().tables();
            let skips = tables.plant == Some(Plant::EventsSkipped);
            let due = tables.events.iter().filter(|event| {
                let is_skipped = skips && event.position.is_multiple_of(4);
                event.shard == self.shard && event.position > after && !is_skipped
            });
            due.take(limit as usize).map(|stored| tables.read(stored)).collect()
        };
        self.ports.background_step("after events were read").await;
        Ok(events)
    }

    async fn begin(&self) -> Result<Box<dyn ProjectorTransaction>, DbErr> {
        self.ports.background_statement("before a batch").await?;
        let number = self.number();
        let (store, staged, seat) = (self.clone(), Mutex::default(), Mutex::default());
        Ok(Box::new(Transaction { store, number, staged, seat }))
    }
}

/// A transaction of a batch: what it writes is staged, under the lock of the checkpoint's row.
struct Transaction {
    store: SimulatedProjectorStore,
    number: u64,
    staged: Mutex<Option<Projection>>,
    seat: Mutex<Option<Seat>>,
}

impl Transaction {
    fn staged<T>(&self, with: impl FnOnce(&mut Projection) -> T) -> Result<T, DbErr> {
        let mut staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing = || DbErr::Custom("the checkpoint was not moved on first".to_owned());
        Ok(with(staged.as_mut().ok_or_else(nothing)?))
    }

    /// Writes what was staged, if the row is still held; whether it was.
    fn write(&self) -> bool {
        let (store, key) = (&self.store, (self.store.name, self.store.shard));
        let staged = self.staged.lock().unwrap_or_else(PoisonError::into_inner).take();
        let seat = self.seat.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(staged) = staged else { return true };
        let tables = store.world().tables();
        let plant = tables.plant;
        let row = tables.projections[&key].clone();
        drop(tables);
        if row.held.is_none_or(|(number, _, _)| number != self.number) {
            return false;
        }
        if seat.is_some_and(|seat| seat.epoch != row.epoch) {
            let what = format!("{seat:?} wrote under epoch {}", row.epoch);
            store.world().violated(Check::Lease, what);
        }
        if row.stopped {
            let what = format!("{} of shard {} is stopped, and applies", key.0, key.1);
            store.world().violated(Check::Steering, what);
        }
        let position = match plant {
            Some(Plant::EffectWithoutCheckpoint) => row.position,
            _ => staged.position,
        };
        let written = match plant {
            Some(Plant::CheckpointWithoutEffect) if position.is_multiple_of(3) => row,
            _ => staged,
        };
        store.write(self.number, Projection { position, ..written })
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        self.store.release(self.number);
    }
}

#[async_trait]
impl ProjectorTransaction for Transaction {
    async fn advance(
        &self,
        seat: &Seat,
        from: u64,
        to: u64,
        _events_per_second: u64,
    ) -> Result<Option<Filled>, DbErr> {
        let store = &self.store;
        store.ports.background_statement("before a checkpoint moves").await?;
        store.hold(self.number).await;
        let now_ms = store.world().now_ms();
        let tables = store.world().tables();
        let fenced = tables.plant != Some(Plant::LeaseNotFenced);
        let row = &tables.projections[&(store.name, store.shard)];
        if !store.is_wanted(row, tables.plant) {
            return Ok(None);
        }
        let is_mine = row.epoch == seat.epoch && row.position == from;
        if !is_mine && (fenced || row.position < from) {
            return Ok(None);
        }
        let mut staged = row.clone();
        (staged.position, staged.lease_until_ms) = (to, now_ms + lease_ms());
        let filled = Filled { letters: !staged.letters.is_empty(), discards: false };
        *self.staged.lock().unwrap_or_else(PoisonError::into_inner) = Some(staged);
        *self.seat.lock().unwrap_or_else(PoisonError::into_inner) = Some(*seat);
        Ok(Some(filled))
    }

    async fn parking(
        &self,
        wallets: &BTreeSet<&WalletKey>,
        filled: Filled,
    ) -> Result<Parking, DbErr> {
        let mut parking = Parking::default();
        if filled.letters {
            let parked = self.staged(|row| row.letters.keys().cloned().collect::<Vec<_>>())?;
            parking.parked.extend(parked.into_iter().filter(|key| wallets.contains(key)));
        }
        Ok(parking)
    }

    async fn park(&self, poison: &[&Poison]) -> Result<(), DbErr> {
        self.staged(|row| {
            for p in poison {
                row.letters.entry(p.wallet.clone()).or_insert_with(|| Letter::of(p));
            }
        })
    }

    async fn project(&self, batch: &Batch<'_>) -> Result<(), ApplyError> {
        self.store.project(&self.staged, batch).await
    }

    async fn commit(self: Box<Self>) -> Result<(), DbErr> {
        let store = &self.store;
        store.ports.background_statement("before a batch is committed").await?;
        if !self.write() {
            return Err(DbErr::Custom("the transaction was ended".to_owned()));
        }
        Ok(store.ports.background_answer("after a batch was committed").await?)
    }

    async fn rollback(self: Box<Self>) -> Result<(), DbErr> {
        Ok(self.store.ports.background_statement("while a batch is taken back").await?)
    }
}
