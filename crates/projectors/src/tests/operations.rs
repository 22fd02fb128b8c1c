//! Operations as such: one of a kind at a time, told apart, and remembered.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use sea_orm::{DatabaseTransaction, DbErr};
use uuid::Uuid;
use wallex_database::Backend;
use wallex_outbox::Lag;
use wallex_ports::{
    Missing, OperationKind, OperationState, OutboxShard, Progress, REPAIRS_MAX, Recovery as _,
    Report, Scope, ShardPosition, StartError,
};
use wallex_testkit::{TempDatabase, eventually, on_both_databases};

use super::drift::{clean, line, uuid};
use super::fixture::{World, key};
use super::recovery::{Watched, recovery_on, tallies};
use crate::recovery::{Mine, RecoveryStore as _, SqlRecoveryStore, Stand};
use crate::{
    ApplyError, Batch, Findings, Ledger, Mode, Projector, ReadModel, RecoverySettings, Stretch,
    projectors,
};

on_both_databases!(
    one_of_a_kind_runs_at_a_time,
    what_is_not_there_is_refused,
    an_operation_that_can_not_go_on_fails_and_says_why,
    a_process_that_ends_begins_nothing,
    a_run_that_lost_its_operation_writes_nothing_more,
    a_projection_without_a_checkpoint_is_left_alone,
    old_operations_are_forgotten,
    what_was_left_by_a_process_that_is_gone_is_forgotten_too,
    everything_is_counted,
    the_outbox_is_cleaned_of_what_is_old_and_processed,
    the_outbox_is_cleaned_in_chunks_and_says_how_far_consumers_are,
    expired_idempotency_records_are_swept,
    a_process_that_ends_sweeps_no_further,
    every_operation_of_a_process_is_waited_for,
    an_operation_is_its_runs_until_another_takes_it,
    a_page_that_the_database_refuses_counts_once,
    a_rebuild_names_fewer_differences_than_a_drift_check,
    a_database_that_no_server_has_used_is_in_order,
);

async fn one_of_a_kind_runs_at_a_time(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    let watched = Watched::new(0);
    let first = world.recovery_watched(&watched, 2);
    let begun = first.begin(OperationKind::Drift, Scope::All).await.expect("begun");
    assert_eq!(begun.state, OperationState::Running);
    let other = world.recovery(2);
    let refused = other.begin(OperationKind::Drift, Scope::All).await;
    let Err(StartError::Running(running)) = refused else { panic!("{refused:?}") };
    assert_eq!(running.id, begun.id);
    let retry = other.begin(OperationKind::Retry, Scope::All).await.expect("another kind");
    other.idle().await;
    watched.allowed.send_replace(usize::MAX);
    first.idle().await;
    for id in [begun.id, retry.id] {
        let ended = other.operation(id).await.expect("an answer").expect("it is kept");
        assert_eq!(ended.state, OperationState::Done);
        assert!(ended.finished_at.is_some() && ended.error.is_none());
    }
    let next = other.begin(OperationKind::Drift, Scope::All).await.expect("begun");
    assert_ne!(next.id, begun.id);
    other.idle().await;
}

async fn what_is_not_there_is_refused(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    let recovery = world.recovery(2);
    for (scope, what) in [
        (Scope::Wallet(key("nobody")), Missing::Wallet),
        (Scope::Since(ShardPosition { shard: 1, position: 1 }), Missing::Shard),
    ] {
        let refused = recovery.begin(OperationKind::Rebuild, scope).await;
        assert!(matches!(refused, Err(StartError::NoSuch(found)) if found == what), "{refused:?}");
    }
    let unknown = uuid::Uuid::from_u128(1);
    assert_eq!(recovery.operation(unknown).await.expect("an answer"), None);
    assert_eq!(recovery.resume_interrupted().await.expect("an answer"), None);
}

async fn an_operation_that_can_not_go_on_fails_and_says_why(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    world.execute("ALTER TABLE ledger_entries RENAME TO away").await;
    let recovery = world.recovery(2);
    let begun = recovery.begin(OperationKind::Drift, Scope::All).await.expect("begun");
    recovery.idle().await;
    let failed = recovery.operation(begun.id).await.expect("an answer").expect("it is kept");
    assert_eq!(failed.state, OperationState::Failed);
    let error = failed.error.expect("a reason");
    assert!(error.contains("ledger_entries"), "{error}");
    world.execute("ALTER TABLE away RENAME TO ledger_entries").await;
    assert_eq!(world.drift(2).await.differences_total, 0);
}

async fn a_process_that_ends_begins_nothing(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    let recovery = world.recovery(2);
    recovery.shutdown().await;
    let refused = recovery.begin(OperationKind::Drift, Scope::All).await;
    assert!(matches!(refused, Err(StartError::Database(_))), "{refused:?}");
    assert_eq!(world.number("SELECT count(*) FROM operations").await, 0);
}

async fn a_run_that_lost_its_operation_writes_nothing_more(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    let watched = Watched::new(0);
    let frozen = world.recovery_watched(&watched, 2);
    let begun = frozen.begin(OperationKind::Drift, Scope::All).await.expect("begun");
    watched.begun.subscribe().wait_for(|begun| *begun == 1).await.expect("watched");
    world.execute("UPDATE operations SET owner = 'another'").await;
    watched.allowed.send_replace(usize::MAX);
    frozen.idle().await;
    let left = frozen.operation(begun.id).await.expect("an answer").expect("it is kept");
    assert_eq!((left.state, left.progress.done), (OperationState::Running, 0));
}

async fn old_operations_are_forgotten(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    record_operations(&world, 0..105, "drift", "done").await;
    record_operations(&world, 200..300, "retry", "done").await;
    world.drift(100).await;
    let drifts = "SELECT count(*) FROM operations WHERE kind = 'drift'";
    assert_eq!(world.number(drifts).await, 100);
    assert_eq!(world.number("SELECT min(started_at_ms) FROM operations").await, 6);
    let retries = "SELECT count(*) FROM operations WHERE kind = 'retry'";
    assert_eq!(world.number(retries).await, 100, "one kind does not push another out");
}

async fn record_operations(world: &World, numbers: Range<u32>, kind: &str, state: &str) {
    let progress = serde_json::to_string(&Progress::default()).expect("JSON");
    let report = serde_json::to_string(&Report::default()).expect("JSON");
    for n in numbers {
        let sql = format!(
            "INSERT INTO operations VALUES ('00000000-0000-4000-8000-{n:012}', '{kind}', 'all', \
             '{state}', '', '{progress}', '{report}', '', '', 0, {n}, {n}, {n})"
        );
        world.execute(&sql).await;
    }
}

async fn what_was_left_by_a_process_that_is_gone_is_forgotten_too(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    record_operations(&world, 0..105, "drift", "running").await;
    world.drift(100).await;
    assert_eq!(world.number("SELECT count(*) FROM operations").await, 100);
    let running = "SELECT count(*) FROM operations WHERE state = 'running'";
    assert_eq!(world.number(running).await, 0);
    let interrupted = "SELECT count(*) FROM operations WHERE state = 'interrupted'";
    assert_eq!(world.number(interrupted).await, 99);

    // But a rebuild is resumed, however much was rebuilt since.
    record_operations(&world, 105..106, "rebuild", "interrupted").await;
    record_operations(&world, 106..212, "rebuild", "done").await;
    world.operate(OperationKind::Rebuild, Scope::Wallet(key("a")), 100).await;
    let rebuilds = "SELECT count(*) FROM operations WHERE kind = 'rebuild'";
    assert_eq!(world.number(rebuilds).await, 101);
    let resumed =
        "SELECT count(*) FROM operations WHERE kind = 'rebuild' AND state = 'interrupted'";
    assert_eq!(world.number(resumed).await, 1);
}

async fn a_projection_without_a_checkpoint_is_left_alone(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    let rows = world.rows().await;
    world.execute("DELETE FROM projector_checkpoints WHERE projector = 'ledger'").await;
    let recovery = world.recovery(2);
    for kind in [OperationKind::Drift, OperationKind::Rebuild] {
        let begun = recovery.begin(kind, Scope::All).await.expect("begun");
        recovery.idle().await;
        let failed = recovery.operation(begun.id).await.expect("an answer").expect("it is kept");
        assert_eq!(failed.state, OperationState::Failed);
        let error = failed.error.expect("a reason");
        assert!(error.contains("ledger has no checkpoint"), "{error}");
    }
    assert_eq!(world.rows().await, rows);
}

async fn everything_is_counted(database: TempDatabase) {
    let world = World::projected(database, 3).await;
    world.execute("DELETE FROM wallets WHERE wallet_id = 'a'").await;
    let counted = world.recovery(2).statistics().await.expect("counted");
    assert_eq!((counted.events, counted.ledger_entries, counted.outbox_rows), (7, 7, 7));
    assert_eq!((counted.wallets, counted.projected_wallets), (3, 2));
    let none = (counted.idempotency_records, counted.dead_letters, counted.discarded_events);
    assert_eq!(none, (0, 0, 0));
    assert!(counted.database_bytes > 10_000, "{}", counted.database_bytes);
}

async fn the_outbox_is_cleaned_of_what_is_old_and_processed(database: TempDatabase) {
    let mut world = World::projected(database, 1).await;
    world.credit("a", 1).await;
    let recovery = world.recovery(2);
    assert_eq!(recovery.clean_outbox(3_600_000).await.expect("cleaned"), 0, "nothing is so old");
    assert_eq!(recovery.clean_outbox(0).await.expect("cleaned"), 7);
    assert_eq!(recovery.clean_outbox(0).await.expect("cleaned"), 0);
    let shards = recovery.outbox().await.expect("read");
    let [shard] = shards[..] else { panic!("{shards:?}") };
    assert_eq!((shard.head, shard.processed, shard.oldest_kept), (8, 7, Some(8)));
}

async fn the_outbox_is_cleaned_in_chunks_and_says_how_far_consumers_are(database: TempDatabase) {
    let mut world = World::projected(database, 1).await;
    let of_shard = |shards: Vec<OutboxShard>| match shards[..] {
        [shard] => (shard.head, shard.processed, shard.oldest_kept),
        _ => panic!("{shards:?}"),
    };
    for (deleted, oldest) in [(3, Some(4)), (3, Some(7)), (1, None), (0, None)] {
        let cleaned = wallex_outbox::clean(&world.db, 0, 0, 3).await;
        assert_eq!(cleaned.expect("cleaned"), deleted);
        let shards = wallex_outbox::shards(&world.db).await.expect("read");
        assert_eq!(of_shard(shards), (7, 7, oldest));
    }
    assert_eq!(wallex_outbox::lag(&world.db).await.expect("read"), Lag::default());
    world.credit("a", 1).await;
    world.credit("a", 1).await;
    let lag = wallex_outbox::lag(&world.db).await.expect("read");
    assert_eq!(lag.events, 2);
}

async fn expired_idempotency_records_are_swept(database: TempDatabase) {
    let world = with_expired_records(database).await;
    let recovery = world.recovery(2);
    assert_eq!(recovery.sweep_idempotency().await.expect("swept"), 1_200);
    assert_eq!(recovery.sweep_idempotency().await.expect("swept"), 0);
    assert_eq!(world.number("SELECT count(*) FROM idempotency_keys").await, 3);
}

async fn a_process_that_ends_sweeps_no_further(database: TempDatabase) {
    let world = with_expired_records(database).await;
    let recovery = world.recovery(2);
    recovery.stop();
    assert_eq!(recovery.sweep_idempotency().await.expect("swept"), 500, "what it was at");
}

/// With 1,200 records that have expired, and three that have not.
async fn with_expired_records(database: TempDatabase) -> World {
    let world = World::projected(database, 1).await;
    for n in 0..1_203_u64 {
        let expires = if n < 1_200 { n } else { 9_000_000_000_000 };
        let sql = format!(
            "INSERT INTO idempotency_keys VALUES (0, 'default', 'r', 'k{n}', 'h', 200, '', '', \
             '{{}}', 0, {expires})"
        );
        world.execute(&sql).await;
    }
    world
}

async fn every_operation_of_a_process_is_waited_for(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    let watched = Watched::new(0);
    let recovery = world.recovery_watched(&watched, 1);
    let drift = recovery.begin(OperationKind::Drift, Scope::All).await.expect("begun");
    // What ends early, and what begins meanwhile, is not all that there is to wait for.
    for _ in 0..2 {
        let retry = recovery.begin(OperationKind::Retry, Scope::All).await.expect("begun");
        eventually("the retry ends", async || {
            let retry = recovery.operation(retry.id).await.expect("an answer").expect("kept");
            (retry.state == OperationState::Done).then_some(())
        })
        .await;
    }
    watched.allowed.send_replace(usize::MAX);
    recovery.idle().await;
    let ended = recovery.operation(drift.id).await.expect("an answer").expect("kept");
    assert_eq!(ended.state, OperationState::Done);
}

async fn an_operation_is_its_runs_until_another_takes_it(database: TempDatabase) {
    let world = World::filled(database, 1).await;
    world.execute("UPDATE events SET type = 'WalletFrozen' WHERE version = 2").await;
    world.project().await;
    let settings = RecoverySettings::default();
    let store = SqlRecoveryStore::new(Arc::clone(&world.db), projectors(), settings);
    assert_eq!(store.has_one_writer(), world.db.backend() == Backend::Sqlite);
    assert_eq!(store.parked().await.expect("counted"), 6);
    let mine = Mine { id: Uuid::from_u128(1), owner: "one".to_owned() };
    store.begin(OperationKind::Drift, &Scope::All, &mine).await.expect("begun");
    let shown = async || store.operation(mine.id).await.expect("an answer").expect("kept");
    let report = Report::default();
    let record = async |done| {
        let progress = Progress { done, ..Progress::default() };
        let stand = Stand { progress: &progress, report: &report, resume_at: "" };
        store.record(&mine, stand).await.expect("an answer")
    };
    let run_out = "UPDATE operations SET lease_until_ms = 1";
    world.execute(run_out).await;
    assert_eq!(shown().await.state, OperationState::Interrupted);
    assert!(store.renew(&mine).await.expect("an answer"));
    assert_eq!(shown().await.state, OperationState::Running);
    world.execute(run_out).await;
    assert!(record(3).await);
    let recorded = shown().await;
    assert_eq!((recorded.state, recorded.progress.done), (OperationState::Running, 3));
    world.execute("UPDATE operations SET owner = 'another'").await;
    assert!(!store.renew(&mine).await.expect("an answer"));
    assert!(!record(4).await);
    assert!(!store.end(&mine, &recorded).await.expect("an answer"));
    assert_eq!(store.reload(&mine).await.expect("an answer"), None);
    assert_eq!(shown().await, recorded);
}

/// The ledger, whose second page the database refuses once.
#[derive(Default)]
struct Refused {
    pages: AtomicU32,
}

#[async_trait]
impl Projector for Refused {
    fn name(&self) -> &'static str {
        Ledger.name()
    }

    async fn apply(&self, tx: &DatabaseTransaction, batch: &Batch<'_>) -> Result<(), ApplyError> {
        Ledger.apply(tx, batch).await
    }

    async fn reconcile(
        &self,
        tx: &DatabaseTransaction,
        stretch: &Stretch<'_>,
        mode: Mode,
    ) -> Result<Findings, DbErr> {
        if self.pages.fetch_add(1, Ordering::SeqCst) == 1 {
            return Err(DbErr::Custom("refused for a test".to_owned()));
        }
        Ledger.reconcile(tx, stretch, mode).await
    }
}

async fn a_page_that_the_database_refuses_counts_once(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    for kind in [OperationKind::Drift, OperationKind::Rebuild] {
        let projectors: [Arc<dyn Projector>; 2] =
            [Arc::new(Refused::default()), Arc::new(ReadModel)];
        let db = Arc::clone(&world.db);
        let recovery = recovery_on(db, Arc::new(projectors), world.letters(), 2);
        let begun = recovery.begin(kind, Scope::All).await.expect("begun");
        recovery.idle().await;
        let ended = recovery.operation(begun.id).await.expect("an answer").expect("kept");
        assert_eq!(ended.state, OperationState::Done, "{:?}", ended.error);
        assert_eq!(tallies(&ended.report), [[7, 0, 0, 0], [3, 0, 0, 0]], "{kind:?}");
        assert_eq!((ended.progress.done, ended.progress.wallets), (7, 3), "{kind:?}");
        if kind == OperationKind::Drift {
            assert_eq!(ended.report.trial_balance, [clean()]);
        }
    }
}

async fn a_rebuild_names_fewer_differences_than_a_drift_check(database: TempDatabase) {
    let world = World::projected(database, 1).await;
    let extra = REPAIRS_MAX + 10;
    for version in 10..10 + extra {
        let id = uuid(world.database.backend(), version);
        let version = i64::try_from(version).expect("small");
        world.execute(&line("b", version, &id)).await;
    }
    for (report, named) in
        [(world.drift(100).await, extra), (world.rebuild(100).await, REPAIRS_MAX)]
    {
        assert_eq!((report.differences_total, report.differences.len()), (extra as u64, named));
    }
}

/// Checkpoints come with the first server.
async fn a_database_that_no_server_has_used_is_in_order(database: TempDatabase) {
    let world = World::on(database).await;
    world.execute("DELETE FROM projector_checkpoints").await;
    for report in [world.drift(2).await, world.rebuild(2).await] {
        assert_eq!((report.differences_total, report.trial_balance.len()), (0, 0));
    }
}
