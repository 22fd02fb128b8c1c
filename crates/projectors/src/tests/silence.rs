//! What a worker does not notice by itself: a network that says nothing, a checkpoint that was moved.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use wallex_database::{ConnectOptions, Database, DatabaseUrl};
use wallex_testkit::{Proxy, TempDatabase, block_on, on_both_databases};

use super::fixture::World;
use crate::{WorkerSettings, WorkerTasks, Workers, projectors};

on_both_databases!(an_idle_worker_notices_that_its_checkpoint_was_taken_back);

/// A crash of PostgreSQL can take back what a projector did last, with its checkpoint.
async fn an_idle_worker_notices_that_its_checkpoint_was_taken_back(database: TempDatabase) {
    let mut world = World::on(database).await;
    let workers = world.workers("a").await;
    world.open("w", 100).await;
    for _ in 0..4 {
        world.credit("w", 1).await;
    }
    for projector in ["ledger", "read_model"] {
        world.caught_up(projector).await;
    }
    let taken_back = "DELETE FROM ledger_entries WHERE position > 2";
    let checkpoint = "UPDATE projector_checkpoints SET position = 2 WHERE position = 5";
    // At once, as a crash does.
    let tx = world.db.begin().await.expect("begun");
    for sql in [taken_back, checkpoint] {
        sea_orm::ConnectionTrait::execute_unprepared(&tx, sql).await.expect("taken back");
    }
    tx.commit().await.expect("committed");
    // Nothing is committed meanwhile.
    for projector in ["ledger", "read_model"] {
        world.caught_up(projector).await;
    }
    world.projections_are_right().await;
    workers.shutdown().await;
}

/// Workers behind `database`, whose silence is soon noticed.
async fn impatient(world: &World, database: &TempDatabase) -> WorkerTasks {
    let url = DatabaseUrl::parse(database.url()).expect("valid");
    let statement_timeout = Duration::from_millis(500);
    let options = ConnectOptions { statement_timeout, ..ConnectOptions::new(url) };
    let db = Arc::new(Database::connect(&options).await.expect("connected"));
    wallex_migrations::up(&db, None).await.expect("migrated");
    Workers {
        db,
        tail: Arc::clone(&world.tail),
        projectors: projectors(),
        settings: WorkerSettings::default(),
        auto_start: true,
        committed: watch::Sender::new(0).subscribe(),
        applied: watch::Sender::new(0),
        owner: "a".to_owned(),
    }
    .spawn()
}

/// More often than a pool has connections: each is given back.
#[test]
fn a_network_that_forgets_connections_stops_no_worker() {
    block_on(async {
        let mut world = World::on(TempDatabase::postgres().await).await;
        let (proxy, behind_proxy) = Proxy::before(&world.database).await;
        let workers = impatient(&world, &behind_proxy).await;
        world.open("w", 100).await;
        for _ in 0..4 {
            for projector in ["ledger", "read_model"] {
                world.caught_up(projector).await;
            }
            proxy.forget().await;
            world.credit("w", 1).await;
        }
        for projector in ["ledger", "read_model"] {
            world.caught_up(projector).await;
        }
        world.projections_are_right().await;
        workers.shutdown().await;
    });
}
