//! [`ProjectorStore`] over the database. Nothing is waited for without end: a network that is half open says
//! nothing ([`Database::patiently`]).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sea_orm::{DatabaseTransaction, DbErr};
use wallex_database::{Database, Place};
use wallex_ports::{BoxError, WalletKey};

use crate::checkpoint::{self, Seat, Wanted};
use crate::event::{Batch, Event};
use crate::parking::{self, Filled, Parking};
use crate::projector::{ApplyError, Poison, Projector};
use crate::store::{ProjectorStore, ProjectorTransaction};

/// One projector in one shard of a database.
#[derive(Clone)]
pub(crate) struct SqlProjectorStore {
    pub(crate) db: Arc<Database>,
    pub(crate) projector: Arc<dyn Projector>,
    pub(crate) shard: u16,
    /// What the lease names as its holder.
    pub(crate) owner: Arc<str>,
    /// When the projector runs.
    pub(crate) wanted: Wanted,
    /// How long a lease lasts.
    pub(crate) lease: Duration,
}

#[async_trait]
impl ProjectorStore for SqlProjectorStore {
    fn projector(&self) -> &'static str {
        self.projector.name()
    }

    fn shard(&self) -> u16 {
        self.shard
    }

    async fn take(&self) -> Result<Option<(Seat, u64)>, DbErr> {
        let name = self.projector.name();
        let taking =
            checkpoint::take(&self.db, name, self.shard, &self.owner, self.lease, self.wanted);
        self.db.patiently(taking).await
    }

    async fn renew(&self, seat: &Seat) -> Result<Option<u64>, DbErr> {
        self.db.patiently(seat.renew(&self.db, self.lease)).await
    }

    async fn wait(&self, seat: &Seat) -> Result<bool, DbErr> {
        self.db.patiently(seat.wait(&self.db, self.lease)).await
    }

    async fn fail(&self, seat: &Seat, error: &str) -> Result<bool, DbErr> {
        self.db.patiently(seat.fail(&self.db, error, self.lease)).await
    }

    async fn position(&self, seat: &Seat) -> Result<Option<u64>, DbErr> {
        self.db.patiently(seat.position(&self.db)).await
    }

    async fn leave(&self, seat: &Seat) -> Result<(), DbErr> {
        self.db.patiently(seat.leave(&self.db)).await
    }

    async fn read_after(&self, after: u64, limit: u32) -> Result<Vec<Event>, BoxError> {
        let db = self.db.background();
        let reading = wallex_outbox::read_after(db, self.shard, after, limit);
        let rows = self.db.patiently(reading).await?;
        Ok(rows.iter().map(Event::of_traced_row).collect::<Result<_, _>>()?)
    }

    fn place(&self) -> Option<&Place> {
        Some(self.db.place())
    }

    async fn begin(&self) -> Result<Box<dyn ProjectorTransaction>, DbErr> {
        let tx = self.db.patiently(self.db.begin_background()).await?;
        Ok(Box::new(SqlTransaction { tx, store: self.clone() }))
    }
}

struct SqlTransaction {
    tx: DatabaseTransaction,
    store: SqlProjectorStore,
}

#[async_trait]
impl ProjectorTransaction for SqlTransaction {
    async fn advance(
        &self,
        seat: &Seat,
        from: u64,
        to: u64,
        events_per_second: u64,
    ) -> Result<Option<Filled>, DbErr> {
        let moving = seat.advance(&self.tx, from, to, self.store.lease, events_per_second);
        self.store.db.patiently(moving).await
    }

    async fn parking(
        &self,
        wallets: &BTreeSet<&WalletKey>,
        filled: Filled,
    ) -> Result<Parking, DbErr> {
        let SqlProjectorStore { db, projector, shard, .. } = &self.store;
        let looking = parking::of_wallets(&self.tx, projector.name(), *shard, wallets, filled);
        db.patiently(looking).await
    }

    async fn park(&self, poison: &[&Poison]) -> Result<(), DbErr> {
        let SqlProjectorStore { db, projector, shard, .. } = &self.store;
        db.patiently(parking::park(&self.tx, projector.name(), *shard, poison)).await
    }

    async fn project(&self, batch: &Batch<'_>) -> Result<(), ApplyError> {
        let SqlProjectorStore { db, projector, .. } = &self.store;
        db.patiently(projector.apply(&self.tx, batch)).await
    }

    async fn commit(self: Box<Self>) -> Result<(), DbErr> {
        self.store.db.patiently(self.tx.commit()).await
    }

    async fn rollback(self: Box<Self>) -> Result<(), DbErr> {
        self.store.db.patiently(self.tx.rollback()).await
    }
}
