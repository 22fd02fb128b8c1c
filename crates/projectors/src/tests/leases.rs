//! One holder a projector; whoever lost the lease can't write.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseTransaction};
use wallex_database::{Backend, Row};
use wallex_ports::{ProjectorState, Projectors as _};
use wallex_testkit::{TempDatabase, block_on, on_both_databases};

use super::fixture::World;
use crate::Ledger;
use crate::apply::{Applied, Step};
use crate::checkpoint::{self, FROZEN_MS_MAX, Seat, Wanted};
use crate::event::Event;
use crate::sql_store::SqlProjectorStore;
use crate::store::ProjectorStore as _;

const LEASE: Duration = Duration::from_secs(60);

on_both_databases!(
    several_processes_project_every_event_once,
    a_seat_is_taken_once_until_its_lease_runs_out,
    a_holder_that_was_overtaken_can_not_write,
    a_holder_that_was_stopped_can_not_write,
    a_batch_is_applied_only_where_the_checkpoint_stands,
    a_store_tells_its_holder_whether_the_seat_is_still_its_own,
    a_lease_that_ran_out_is_nobodys,
);

async fn several_processes_project_every_event_once(database: TempDatabase) {
    let mut world = World::on(database).await;
    let mut processes = Vec::new();
    for name in ["a", "b", "c"] {
        processes.push(world.workers(name).await);
    }
    for round in 0..30 {
        world.open(&format!("wallet-{round}"), 100).await;
        // The lease goes from hand to hand in the middle of the work.
        if round % 5 == 0 {
            world.execute("UPDATE projector_checkpoints SET lease_until_ms = 0").await;
        }
        world.credit(&format!("wallet-{}", round / 2), 1).await;
    }
    for projector in ["ledger", "read_model"] {
        world.caught_up(projector).await;
    }
    world.projections_are_right().await;
    assert_eq!(world.parked().await, 0);
    for process in processes {
        process.shutdown().await;
    }
}

pub(super) async fn seat(world: &World, owner: &str) -> Option<(Seat, u64)> {
    let wanted = Wanted::AtAll;
    let taken = checkpoint::take(&world.db, "ledger", 0, owner, LEASE, wanted).await;
    taken.expect("the database answers")
}

pub(super) async fn events(world: &World, after: u64) -> Vec<Event> {
    let rows = wallex_outbox::read_after(world.db.background(), 0, after, 100).await;
    let rows: Vec<Row> = rows.expect("events");
    rows.iter().map(|row| Event::of_row(row).expect("an event")).collect()
}

pub(super) fn store(world: &World, owner: &str) -> SqlProjectorStore {
    SqlProjectorStore {
        db: Arc::clone(&world.db),
        projector: Arc::new(Ledger),
        shard: 0,
        owner: owner.into(),
        wanted: Wanted::AtAll,
        lease: LEASE,
    }
}

pub(super) async fn apply(world: &World, seat: &Seat, from: u64, events: &[Event]) -> Applied {
    let store = store(world, "");
    let step = Step { store: &store, seat, events_per_second: 0 };
    step.apply(from, events).await.expect("the database answers")
}

async fn lines(world: &World) -> i64 {
    world.number("SELECT count(*) FROM ledger_entries").await
}

async fn a_seat_is_taken_once_until_its_lease_runs_out(database: TempDatabase) {
    let world = World::on(database).await;
    let (first, position) = seat(&world, "a").await.expect("it is free");
    assert_eq!(position, 0);
    assert!(seat(&world, "b").await.is_none());
    first.leave(&world.db).await.expect("left");
    let (second, _) = seat(&world, "b").await.expect("it is free again");
    assert!(seat(&world, "a").await.is_none());
    world.execute("UPDATE projector_checkpoints SET lease_until_ms = 1").await;
    let (third, _) = seat(&world, "c").await.expect("the lease has run out");
    assert_eq!(second.renew(&world.db, LEASE).await.expect("answered"), None);
    second.leave(&world.db).await.expect("answered");
    let kept = third.renew(&world.db, LEASE).await.expect("answered");
    assert!(kept.is_some(), "leaving was not its own");
}

async fn a_holder_that_was_overtaken_can_not_write(database: TempDatabase) {
    let mut world = World::on(database).await;
    world.open("w", 100).await;
    let (frozen, from) = seat(&world, "a").await.expect("free");
    let batch = events(&world, from).await;
    world.execute("UPDATE projector_checkpoints SET lease_until_ms = 1").await;
    let (next, _) = seat(&world, "b").await.expect("run out");
    assert!(matches!(apply(&world, &frozen, from, &batch).await, Applied::SeatLost));
    assert_eq!(lines(&world).await, 0);
    assert!(matches!(apply(&world, &next, from, &batch).await, Applied::Committed { .. }));
    assert!(matches!(apply(&world, &frozen, from, &batch).await, Applied::SeatLost));
    assert_eq!(frozen.position(&world.db).await.expect("answered"), None);
    assert!(!frozen.fail(&world.db, "late", LEASE).await.expect("answered"));
    assert_eq!(lines(&world).await, 1);
}

async fn a_holder_that_was_stopped_can_not_write(database: TempDatabase) {
    let mut world = World::on(database).await;
    world.open("w", 100).await;
    let (mine, from) = seat(&world, "a").await.expect("free");
    let batch = events(&world, from).await;
    world.steering().stop("ledger").await.expect("stopped");
    assert!(matches!(apply(&world, &mine, from, &batch).await, Applied::SeatLost));
    assert_eq!(lines(&world).await, 0);
}

async fn a_batch_is_applied_only_where_the_checkpoint_stands(database: TempDatabase) {
    let mut world = World::on(database).await;
    world.open("w", 100).await;
    world.credit("w", 1).await;
    let (mine, from) = seat(&world, "a").await.expect("free");
    let batch = events(&world, from).await;
    assert!(matches!(apply(&world, &mine, from, &batch).await, Applied::Committed { .. }));
    // Its answer was lost, and it comes again.
    assert!(matches!(apply(&world, &mine, from, &batch).await, Applied::SeatLost));
    assert_eq!(lines(&world).await, 2);
    assert_eq!(mine.position(&world.db).await.expect("answered"), Some(2));
}

async fn a_store_tells_its_holder_whether_the_seat_is_still_its_own(database: TempDatabase) {
    let mut world = World::on(database).await;
    world.open("w", 100).await;
    let (one, other) = (store(&world, "a"), store(&world, "b"));
    assert_eq!((one.projector(), one.shard()), ("ledger", 0));
    let (seat, from) = one.take().await.expect("answered").expect("free");
    assert!(other.take().await.expect("answered").is_none());
    let batch = events(&world, from).await;
    assert!(matches!(apply(&world, &seat, from, &batch).await, Applied::Committed { .. }));
    assert_eq!(one.position(&seat).await.expect("answered"), Some(1));
    assert_eq!(one.renew(&seat).await.expect("answered"), Some(1));
    assert!(one.wait(&seat).await.expect("answered"));
    assert!(one.fail(&seat, "for a test").await.expect("answered"));
    one.leave(&seat).await.expect("left");
    let (next, _) = other.take().await.expect("answered").expect("it was left");
    assert_eq!(one.position(&seat).await.expect("answered"), None);
    assert_eq!(one.renew(&seat).await.expect("answered"), None);
    assert!(!one.wait(&seat).await.expect("answered"));
    assert!(!one.fail(&seat, "too late").await.expect("answered"));
    assert_eq!(other.position(&next).await.expect("answered"), Some(1));
}

/// The limit is the transaction's own: it ends with it, and the connection goes back to its pool.
#[test]
fn whoever_holds_a_checkpoint_and_stands_still_is_ended_by_the_database() {
    block_on(async {
        let world = World::on(TempDatabase::postgres().await).await;
        let (mine, from) = seat(&world, "a").await.expect("free");
        let limit = async |conn: &DatabaseTransaction| {
            let sql = "SELECT CAST(setting AS bigint) AS n FROM pg_settings \
                       WHERE name = 'idle_in_transaction_session_timeout'";
            let row = conn.query_one_raw(Backend::Postgres.statement(sql, [])).await;
            Row(row.expect("read").expect("a row")).number::<u64>("n").expect("a number")
        };
        let begin = async || world.db.begin_background().await.expect("begun");
        let tx = begin().await;
        let before = limit(&tx).await;
        mine.advance(&tx, from, from, LEASE, 0).await.expect("answered").expect("it is its own");
        assert_eq!(limit(&tx).await, FROZEN_MS_MAX);
        tx.commit().await.expect("committed");
        let tx = begin().await;
        assert_eq!(limit(&tx).await, before);
        checkpoint::hold(&tx, "ledger", 0).await.expect("held");
        assert_eq!(limit(&tx).await, FROZEN_MS_MAX);
    });
}

async fn a_lease_that_ran_out_is_nobodys(database: TempDatabase) {
    let world = World::on(database).await;
    let ledger = async || {
        let all = world.steering().status().await.expect("answered");
        all.into_iter().find(|status| status.projector == "ledger").expect("there is one")
    };
    assert_eq!(ledger().await.state, ProjectorState::Unheld);
    seat(&world, "a").await.expect("free");
    let held = ledger().await;
    assert_eq!((held.state, held.holder.as_deref()), (ProjectorState::Running, Some("a")));
    world.execute("UPDATE projector_checkpoints SET lease_until_ms = 1").await;
    let left = ledger().await;
    assert_eq!((left.state, left.holder), (ProjectorState::Unheld, None));
}
