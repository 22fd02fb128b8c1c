//! A projector that fails hurts nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use sea_orm::{DatabaseTransaction, DbErr};
use wallex_ports::ProjectorState;
use wallex_testkit::{TempDatabase, on_both_databases};

use super::fixture::World;
use crate::{ApplyError, Batch, Findings, Mode, Projector, ReadModel, Stretch};

on_both_databases!(
    a_broken_table_parks_nothing_and_is_caught_up_with_later,
    a_projector_that_panics_is_tried_again,
    a_new_projector_begins_at_the_first_event,
);

async fn a_broken_table_parks_nothing_and_is_caught_up_with_later(database: TempDatabase) {
    let mut world = World::on(database).await;
    let workers = world.workers("a").await;
    world.open("before", 100).await;
    world.caught_up("ledger").await;
    world.execute("ALTER TABLE ledger_entries RENAME TO ledger_away").await;
    for n in 0..20 {
        world.open(&format!("wallet-{n}"), 100).await;
    }
    world.caught_up("read_model").await;
    let failing =
        world.status_when("ledger", |status| status.state == ProjectorState::Failing).await;
    assert_eq!(failing.position, 1);
    let (error, _) = failing.last_error.expect("it says why");
    assert!(error.contains("ledger_entries"), "{error}");
    assert_eq!(world.parked().await, 0);
    world.execute("ALTER TABLE ledger_away RENAME TO ledger_entries").await;
    world.caught_up("ledger").await;
    world.projections_are_right().await;
    assert_eq!(world.parked().await, 0);
    world.status_when("ledger", |status| status.state == ProjectorState::Running).await;
    workers.shutdown().await;
}

/// Fails a few times, then counts what it is given.
struct Clumsy {
    stumbles: AtomicU32,
    seen: AtomicU32,
}

#[async_trait]
impl Projector for Clumsy {
    fn name(&self) -> &'static str {
        "clumsy"
    }

    async fn apply(&self, _: &DatabaseTransaction, batch: &Batch<'_>) -> Result<(), ApplyError> {
        let stumbles = self
            .stumbles
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(stumbles.is_err(), "a stumble");
        let events = u32::try_from(batch.events.len()).expect("few");
        self.seen.fetch_add(events, Ordering::SeqCst);
        Ok(())
    }

    async fn reconcile(
        &self,
        _: &DatabaseTransaction,
        _: &Stretch<'_>,
        _: Mode,
    ) -> Result<Findings, DbErr> {
        Ok(Findings::default())
    }
}

async fn a_projector_that_panics_is_tried_again(database: TempDatabase) {
    let mut world = World::on(database).await;
    world.open("w", 100).await;
    let clumsy = Arc::new(Clumsy { stumbles: 2.into(), seen: 0.into() });
    let projectors: Arc<[Arc<dyn Projector>]> = Arc::new([clumsy.clone(), Arc::new(ReadModel)]);
    let workers = world.workers_of("a", projectors, true).await;
    world.caught_up("read_model").await;
    world.caught_up("clumsy").await;
    assert_eq!(clumsy.seen.load(Ordering::SeqCst), 1);
    workers.shutdown().await;
}

async fn a_new_projector_begins_at_the_first_event(database: TempDatabase) {
    let mut world = World::on(database).await;
    for n in 0..20 {
        world.open(&format!("wallet-{n}"), 100).await;
    }
    let workers = world.workers("a").await;
    world.caught_up("ledger").await;
    world.caught_up("read_model").await;
    workers.shutdown().await;
    assert_eq!(wallex_outbox::clean(&world.db, 0, 0, 1_000).await.expect("cleaned"), 20);
    let clumsy = Arc::new(Clumsy { stumbles: 0.into(), seen: 0.into() });
    let projectors: Arc<[Arc<dyn Projector>]> = Arc::new([clumsy.clone()]);
    let workers = world.workers_of("b", projectors, true).await;
    world.caught_up("clumsy").await;
    assert_eq!(clumsy.seen.load(Ordering::SeqCst), 20);
    workers.shutdown().await;
}
