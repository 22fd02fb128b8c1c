//! What a build for tests can break in a projector, put around its store: the points at which its process
//! dies or stands still, and the defects that `WALLEX_PLANTED_BUG` names. No release build has it.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use sea_orm::{ConnectionTrait as _, DbErr, Value};
use wallex_database::{Database, Place, Row};
use wallex_ports::{BoxError, WalletKey, planted};

use crate::checkpoint::{Seat, unreadable};
use crate::event::{Batch, Event};
use crate::parking::{Filled, Parking};
use crate::projector::{ApplyError, Poison};
use crate::store::{ProjectorStore, ProjectorTransaction};

/// Every event at such a position is left out by `skip-event`.
const SKIPPED: u64 = 17;

/// `store`, or, where something is planted, what breaks it.
pub(crate) fn store(store: Arc<dyn ProjectorStore>, db: &Arc<Database>) -> Arc<dyn ProjectorStore> {
    if planted::banner().is_none() {
        return store;
    }
    Arc::new(Spoiled { store, db: Arc::clone(db) })
}

#[derive(Clone)]
struct Spoiled {
    store: Arc<dyn ProjectorStore>,
    db: Arc<Database>,
}

impl Spoiled {
    /// The seat whoever holds it, and where its checkpoint stands: what an update would change that asked for
    /// neither.
    async fn unfenced(&self, seat: &Seat) -> Result<(Seat, u64), DbErr> {
        let db = &self.db;
        let sql = "SELECT epoch, position FROM projector_checkpoints \
                   WHERE projector = $1 AND shard = $2";
        let values: [Value; 2] = [seat.projector.into(), i64::from(seat.shard).into()];
        let row = db.background().query_one_raw(db.backend().statement(sql, values)).await?;
        let row = Row(row.ok_or_else(|| DbErr::RecordNotFound("no checkpoint".to_owned()))?);
        let epoch = row.int("epoch").map_err(unreadable)?;
        Ok((Seat { epoch, ..*seat }, row.number("position").map_err(unreadable)?))
    }

    /// The seat that the store is told of.
    async fn seat(&self, seat: &Seat) -> Result<Seat, DbErr> {
        if !planted::is("lease-without-fencing") {
            return Ok(*seat);
        }
        self.unfenced(seat).await.map(|(seat, _)| seat)
    }
}

#[async_trait]
impl ProjectorStore for Spoiled {
    fn projector(&self) -> &'static str {
        self.store.projector()
    }

    fn shard(&self) -> u16 {
        self.store.shard()
    }

    async fn take(&self) -> Result<Option<(Seat, u64)>, DbErr> {
        self.store.take().await
    }

    async fn renew(&self, seat: &Seat) -> Result<Option<u64>, DbErr> {
        self.store.renew(&self.seat(seat).await?).await
    }

    async fn wait(&self, seat: &Seat) -> Result<bool, DbErr> {
        self.store.wait(&self.seat(seat).await?).await
    }

    async fn fail(&self, seat: &Seat, error: &str) -> Result<bool, DbErr> {
        self.store.fail(&self.seat(seat).await?, error).await
    }

    async fn position(&self, seat: &Seat) -> Result<Option<u64>, DbErr> {
        self.store.position(&self.seat(seat).await?).await
    }

    async fn leave(&self, seat: &Seat) -> Result<(), DbErr> {
        self.store.leave(seat).await
    }

    async fn read_after(&self, after: u64, limit: u32) -> Result<Vec<Event>, BoxError> {
        self.store.read_after(after, limit).await
    }

    fn place(&self) -> Option<&Place> {
        self.store.place()
    }

    async fn begin(&self) -> Result<Box<dyn ProjectorTransaction>, DbErr> {
        planted::pass("before-projection");
        Ok(Box::new(SpoiledTransaction { store: self.clone(), begun: OnceLock::new() }))
    }
}

struct SpoiledTransaction {
    store: Spoiled,
    /// Begun when the checkpoint is moved, or, by `checkpoint-outside-transaction`, behind that.
    begun: OnceLock<Box<dyn ProjectorTransaction>>,
}

impl SpoiledTransaction {
    fn tx(&self) -> &dyn ProjectorTransaction {
        let begun = self.begun.get();
        &**begun.expect("invariant: a batch begins by moving its checkpoint")
    }
}

#[async_trait]
impl ProjectorTransaction for SpoiledTransaction {
    async fn advance(
        &self,
        seat: &Seat,
        from: u64,
        to: u64,
        events_per_second: u64,
    ) -> Result<Option<Filled>, DbErr> {
        let (seat, from) = if planted::is("lease-without-fencing") {
            self.store.unfenced(seat).await?
        } else {
            (*seat, from)
        };
        let mut tx = self.store.store.begin().await?;
        let filled = tx.advance(&seat, from, to, events_per_second).await?;
        if filled.is_some() && planted::is("checkpoint-outside-transaction") {
            tx.commit().await?;
            tx = self.store.store.begin().await?;
        }
        self.begun.get_or_init(|| tx);
        if filled.is_some() {
            planted::pass("between-checkpoint-and-effect");
        }
        Ok(filled)
    }

    async fn parking(
        &self,
        wallets: &BTreeSet<&WalletKey>,
        filled: Filled,
    ) -> Result<Parking, DbErr> {
        self.tx().parking(wallets, filled).await
    }

    async fn park(&self, poison: &[&Poison]) -> Result<(), DbErr> {
        self.tx().park(poison).await
    }

    async fn project(&self, batch: &Batch<'_>) -> Result<(), ApplyError> {
        let is_skipped =
            |event: &Event| planted::is("skip-event") && event.position.is_multiple_of(SKIPPED);
        let due = batch.events.iter().copied().filter(|event| !is_skipped(event));
        let due: Vec<&Event> = due.collect();
        self.tx().project(&Batch { events: &due, ..*batch }).await
    }

    async fn commit(self: Box<Self>) -> Result<(), DbErr> {
        planted::pass("between-effect-and-commit");
        self.begun.into_inner().expect("invariant: it has begun").commit().await?;
        planted::pass("behind-projection");
        Ok(())
    }

    async fn rollback(self: Box<Self>) -> Result<(), DbErr> {
        match self.begun.into_inner() {
            Some(tx) => tx.rollback().await,
            None => Ok(()),
        }
    }
}
