//! [`ProjectorStore`] over the database.

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
        checkpoint::take(&self.db, name, self.shard, &self.owner, self.lease, self.wanted).await
    }

    async fn renew(&self, seat: &Seat) -> Result<bool, DbErr> {
        seat.renew(&self.db, self.lease).await
    }

    async fn wait(&self, seat: &Seat) -> Result<bool, DbErr> {
        seat.wait(&self.db, self.lease).await
    }

    async fn fail(&self, seat: &Seat, error: &str) -> Result<bool, DbErr> {
        seat.fail(&self.db, error, self.lease).await
    }

    async fn position(&self, seat: &Seat) -> Result<Option<u64>, DbErr> {
        seat.position(&self.db).await
    }

    async fn leave(&self, seat: &Seat) -> Result<(), DbErr> {
        seat.leave(&self.db).await
    }

    async fn read_after(&self, after: u64, limit: u32) -> Result<Vec<Event>, BoxError> {
        let db = self.db.background();
        let rows = wallex_outbox::read_after(db, self.shard, after, limit).await?;
        Ok(rows.iter().map(Event::of_traced_row).collect::<Result<_, _>>()?)
    }

    fn place(&self) -> Option<&Place> {
        Some(self.db.place())
    }

    async fn begin(&self) -> Result<Box<dyn ProjectorTransaction>, DbErr> {
        let tx = self.db.begin_background().await?;
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
        seat.advance(&self.tx, from, to, self.store.lease, events_per_second).await
    }

    async fn parking(
        &self,
        wallets: &BTreeSet<&WalletKey>,
        filled: Filled,
    ) -> Result<Parking, DbErr> {
        let SqlProjectorStore { projector, shard, .. } = &self.store;
        parking::of_wallets(&self.tx, projector.name(), *shard, wallets, filled).await
    }

    async fn park(&self, poison: &[&Poison]) -> Result<(), DbErr> {
        let SqlProjectorStore { projector, shard, .. } = &self.store;
        parking::park(&self.tx, projector.name(), *shard, poison).await
    }

    async fn project(&self, batch: &Batch<'_>) -> Result<(), ApplyError> {
        self.store.projector.apply(&self.tx, batch).await
    }

    async fn commit(self: Box<Self>) -> Result<(), DbErr> {
        self.tx.commit().await
    }

    async fn rollback(self: Box<Self>) -> Result<(), DbErr> {
        self.tx.rollback().await
    }
}
