//! What a worker does not notice by itself: a network that says nothing, a checkpoint that was moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use sea_orm::{DatabaseTransaction, DbErr};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use wallex_database::{ConnectOptions, Database, DatabaseUrl};
use wallex_ports::{DeadLetters as _, OperationKind, OperationState, Recovery as _, Scope};
use wallex_testkit::{Proxy, TempDatabase, block_on, eventually, on_both_databases};

use super::fixture::{World, key};
use super::recovery::recovery_on;
use crate::letters::poison_of;
use crate::{
    ApplyError, Batch, Discarded, Findings, Ledger, Letters, Mode, Projector, ReadModel, Stretch,
    WorkerSettings, WorkerTasks, Workers, projectors,
};

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

/// `database`, whose silence is soon noticed.
async fn impatient(database: &TempDatabase) -> Arc<Database> {
    let url = DatabaseUrl::parse(database.url()).expect("valid");
    let statement_timeout = Duration::from_millis(500);
    let options = ConnectOptions {
        statement_timeout,
        background_connections: 16,
        ..ConnectOptions::new(url)
    };
    let db = Arc::new(Database::connect(&options).await.expect("connected"));
    wallex_migrations::up(&db, None).await.expect("migrated");
    db
}

/// Workers behind `database`.
async fn workers(world: &World, database: &TempDatabase) -> WorkerTasks {
    Workers {
        db: impatient(database).await,
        tail: Arc::clone(&world.tail),
        projectors: projectors(),
        settings: WorkerSettings::default(),
        auto_start: true,
        committed: watch::Sender::new(()).subscribe(),
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
        let workers = workers(&world, &behind_proxy).await;
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

/// The ledger, which waits before it applies what it is given first.
#[derive(Default)]
struct Paused {
    once: AtomicBool,
    begun: Notify,
    allowed: Notify,
}

#[async_trait]
impl Projector for Paused {
    fn name(&self) -> &'static str {
        Ledger.name()
    }

    async fn apply(&self, tx: &DatabaseTransaction, batch: &Batch<'_>) -> Result<(), ApplyError> {
        if !self.once.swap(true, Ordering::SeqCst) {
            self.begun.notify_one();
            self.allowed.notified().await;
        }
        Ledger.apply(tx, batch).await
    }

    async fn reconcile(
        &self,
        tx: &DatabaseTransaction,
        stretch: &Stretch<'_>,
        mode: Mode,
    ) -> Result<Findings, DbErr> {
        Ledger.reconcile(tx, stretch, mode).await
    }
}

/// The wallet `a` parked at its second event by every projector, with the cause gone.
async fn parked() -> World {
    let world = World::filled(TempDatabase::postgres().await, 1).await;
    let odd = "UPDATE events SET type = 'WalletFrozen' WHERE wallet_id = 'a' AND version = 2";
    world.execute(odd).await;
    world.project().await;
    assert_eq!(world.parked().await, 2);
    world.execute("UPDATE events SET type = 'WalletCredited' WHERE type = 'WalletFrozen'").await;
    world
}

/// `work`, which must not take for ever.
async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), work).await.unwrap_or_else(|_| panic!("{what} does not end"))
}

#[test]
fn a_network_that_forgets_a_replay_stops_no_retry() {
    block_on(async {
        let world = parked().await;
        let (proxy, behind_proxy) = Proxy::before(&world.database).await;
        let db = impatient(&behind_proxy).await;
        let paused = Arc::new(Paused::default());
        let replaying: Arc<[Arc<dyn Projector>]> =
            Arc::new([Arc::<Paused>::clone(&paused), Arc::new(ReadModel)]);
        let letters = Letters::sql(Arc::clone(&db), replaying);
        let recovery = recovery_on(db, projectors(), letters, 1);
        for replayed in [2, 0] {
            let begun = recovery.begin(OperationKind::Retry, Scope::All).await.expect("begun");
            if replayed > 0 {
                paused.begun.notified().await;
                proxy.forget().await;
                paused.allowed.notify_one();
            }
            in_time("a retry", recovery.idle()).await;
            let ended = recovery.operation(begun.id).await.expect("an answer").expect("kept");
            assert_eq!(ended.state, OperationState::Done, "{:?}", ended.error);
            assert_eq!(ended.report.replayed, replayed);
        }
        assert_eq!(world.parked().await, 0);
        world.projections_are_right().await;
    });
}

#[test]
fn no_statement_about_a_letter_waits_without_end() {
    block_on(async {
        let world = parked().await;
        let (proxy, behind_proxy) = Proxy::before(&world.database).await;
        let db = impatient(&behind_proxy).await;
        let letters = &Letters::sql(Arc::clone(&db), projectors());
        let a = &key("a");
        let (letter, _) = &letters.show("ledger", a).await.expect("parked");
        let poison = &poison_of(letter);
        let reading = world.letters().store.begin("ledger", a).await.expect("begun");
        let events = reading.waiting(2, u64::MAX >> 1, 9).await.expect("read");
        reading.rollback().await.expect("rolled back");
        let mut open = Vec::new();
        for _ in 0..12 {
            open.push(letters.store.begin("ledger", a).await.expect("begun"));
        }
        // There is a connection that is free, and silent, when another begins.
        db.background().ping().await.expect("an answer");
        let pool = db.background().get_postgres_connection_pool();
        let is_back = async || (pool.num_idle() > 0).then_some(());
        eventually("a connection is free", is_back).await;
        let (events, discarded) = (&*events.iter().collect::<Vec<_>>(), &Discarded::default());
        let batch = &Batch { shard: 0, events, discarded, is_new: false };
        proxy.forget().await;
        /// What was asked, and whether that failed.
        macro_rules! fails {
            ($call:expr) => {
                async move { (stringify!($call), $call.await.is_err()) }.boxed()
            };
            ($tx:ident, $call:expr) => {{
                let $tx = open.pop().expect("enough are begun");
                fails!($call)
            }};
        }
        let asked = join_all([
            fails!(letters.list(None, None, None, 9)),
            fails!(letters.show("ledger", a)),
            fails!(letters.store.find("ledger", a)),
            fails!(letters.store.begin("ledger", a)),
            fails!(tx, tx.hold()),
            fails!(tx, tx.letter()),
            fails!(tx, tx.waiting(2, 9, 9)),
            fails!(tx, tx.discarded()),
            fails!(tx, tx.project(batch)),
            fails!(tx, tx.postpone(poison)),
            fails!(tx, tx.unpark()),
            fails!(tx, tx.lost_before(letter)),
            fails!(tx, tx.leave_out(letter, &[], "silent")),
            fails!(tx, tx.leave_out(letter, &[2], "silent")),
            fails!(tx, tx.commit()),
            fails!(tx, tx.rollback()),
        ]);
        let asked = in_time("what was asked", asked).await;
        // The pool for reading may have had to connect anew.
        for (what, failed) in &asked[3..] {
            assert!(failed, "{what} was answered");
        }
    });
}
