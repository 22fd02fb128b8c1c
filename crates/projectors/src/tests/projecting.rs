//! What is committed is projected, once.

use wallex_ports::{ProjectorState, Projectors as _, SteerError};
use wallex_testkit::{TempDatabase, eventually, on_both_databases};

use super::fixture::World;
use crate::projectors;

on_both_databases!(
    every_event_is_projected_once,
    what_comes_again_changes_nothing,
    a_cleaned_or_damaged_outbox_loses_no_event,
    stopped_projector_stays_stopped_until_it_is_started,
    projectors_that_do_not_start_by_themselves_start_by_hand,
);

async fn some_history(world: &mut World) {
    for n in 0..10 {
        world.open(&format!("wallet-{n}"), 100).await;
    }
    for n in 0..10 {
        world.credit(&format!("wallet-{n}"), 5 + n).await;
        world.transfer(&format!("wallet-{n}"), &format!("wallet-{}", (n + 3) % 10), 20).await;
    }
}

async fn caught_up(world: &World) {
    world.caught_up("ledger").await;
    world.caught_up("read_model").await;
}

async fn every_event_is_projected_once(database: TempDatabase) {
    let mut world = World::on(database).await;
    let workers = world.workers("a").await;
    some_history(&mut world).await;
    caught_up(&world).await;
    world.projections_are_right().await;
    assert_eq!(world.number("SELECT count(*) FROM ledger_entries").await, 40);
    for (reference, lines) in [("= 'invoice-7'", 10), ("IS NULL", 20)] {
        let described = format!(
            "SELECT count(*) FROM ledger_entries WHERE description = 'rent' AND reference {reference}"
        );
        assert_eq!(world.number(&described).await, lines, "reference {reference}");
    }
    let legs = "SELECT count(*) FROM ledger_entries WHERE transfer_id IS NOT NULL \
                AND counterparty IS NOT NULL";
    assert_eq!(world.number(legs).await, 20);
    assert_eq!(world.parked().await, 0);
    workers.shutdown().await;
    let stopped = world.steering().status().await.expect("answered");
    assert!(stopped.iter().all(|status| status.state == ProjectorState::Unheld), "{stopped:?}");
}

async fn what_comes_again_changes_nothing(database: TempDatabase) {
    let mut world = World::on(database).await;
    some_history(&mut world).await;
    let workers = world.workers("a").await;
    caught_up(&world).await;
    workers.shutdown().await;
    for position in [0, 17] {
        let back = format!("UPDATE projector_checkpoints SET position = {position}");
        world.execute(&back).await;
        let workers = world.workers("a").await;
        caught_up(&world).await;
        workers.shutdown().await;
        world.projections_are_right().await;
        assert_eq!(world.parked().await, 0);
    }
}

async fn a_cleaned_or_damaged_outbox_loses_no_event(database: TempDatabase) {
    let mut world = World::on(database).await;
    some_history(&mut world).await;
    world.execute("DELETE FROM outbox WHERE position <= 12 OR position IN (20, 21, 35)").await;
    let workers = world.workers("a").await;
    caught_up(&world).await;
    world.projections_are_right().await;
    workers.shutdown().await;
}

async fn stopped_projector_stays_stopped_until_it_is_started(database: TempDatabase) {
    let mut world = World::on(database).await;
    let steering = world.steering();
    assert!(matches!(steering.stop("nobody").await, Err(SteerError::UnknownProjector)));
    let workers = world.workers("a").await;
    world.status_when("ledger", |status| status.state == ProjectorState::Running).await;
    steering.stop("ledger").await.expect("stopped");
    world.status_when("ledger", |status| status.holder.is_none()).await;
    some_history(&mut world).await;
    world.caught_up("read_model").await;
    let ledger = world.status_when("ledger", |status| status.lag_events() == 40).await;
    assert_eq!(ledger.state, ProjectorState::Stopped);
    assert_eq!(ledger.position, 0);
    steering.start("ledger").await.expect("started");
    world.caught_up("ledger").await;
    world.projections_are_right().await;
    workers.shutdown().await;
}

async fn projectors_that_do_not_start_by_themselves_start_by_hand(database: TempDatabase) {
    let mut world = World::on(database).await;
    let steering = world.steering();
    // What was started before this process began does not start with it.
    steering.start("ledger").await.expect("started");
    let workers = world.workers_of("a", projectors(), false).await;
    let started = "SELECT count(*) FROM projector_checkpoints WHERE wanted_state = 'started'";
    eventually("it is forgotten", async || (world.number(started).await == 0).then_some(())).await;
    some_history(&mut world).await;
    let ledger = world.status_when("ledger", |status| status.lag_events() == 40).await;
    assert_eq!(ledger.state, ProjectorState::Unheld);
    steering.start("ledger").await.expect("started");
    world.caught_up("ledger").await;
    world.status_when("read_model", |status| status.lag_events() == 40).await;
    steering.start("read_model").await.expect("started");
    world.caught_up("read_model").await;
    world.projections_are_right().await;
    workers.shutdown().await;
}
