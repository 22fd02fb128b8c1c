//! What becomes of each unit.

use std::sync::Arc;

use sea_orm::ConnectionTrait as _;
use wallex_database::{Backend, Database};
use wallex_idempotency::stored_records;
use wallex_outbox::Tail;
use wallex_ports::{Claim, CommitError, Committer, StoredRecord, Unit, UnitOutcome};
use wallex_testkit::{Inspector, TempDatabase, eventually, on_both_databases};

use crate::SqlCommitter;
use crate::batch::Batch;

use super::fixture::{claim, committer, credit, key, migrated, open, refusal, scope, unit};

on_both_databases!(
    a_batch_is_written_whole_and_in_order,
    a_stale_unit_falls_and_takes_its_dependants_along,
    a_taken_key_gives_the_stored_answer_and_undoes_its_unit,
    a_wallet_that_is_there_is_not_created_again,
    a_refusal_on_a_stale_read_is_a_conflict,
    an_expired_key_is_taken_over,
    a_record_that_outlives_every_clock_is_kept,
    concurrent_batches_take_gapless_positions,
    decisions_under_a_lock_do_not_conflict,
    a_dropped_lock_writes_nothing,
    what_was_committed_is_told_with_its_positions,
    a_row_that_the_database_leaves_out_fails_the_batch,
);

async fn commit(db: &Arc<Database>, units: Vec<Unit>) -> Vec<UnitOutcome> {
    committer(db).commit(units.into()).await.expect("committed")
}

async fn record(db: &Database, key: &str) -> Option<StoredRecord> {
    let shards = db.shards().expect("migrated");
    stored_records(db.read(), shards, &[&scope(key)]).await.expect("read").pop().flatten()
}

use UnitOutcome::{Committed, VersionConflict};

async fn a_batch_is_written_whole_and_in_order(database: TempDatabase) {
    let db = migrated(&database).await;
    let (a, b) = (open("a", 10), open("b", 20));
    let a2 = credit(&a);
    let a3 = credit(&a2);
    let units = vec![
        unit(Some(claim("k1", "one")), vec![a]),
        unit(None, vec![b.clone()]),
        unit(Some(claim("k2", "two")), vec![a2]),
        refusal(Some(claim("k3", "no")), "a", 2),
        unit(None, vec![a3, credit(&b)]),
    ];
    assert_eq!(commit(&db, units).await, vec![Committed; 5]);
    let inspector = Inspector::open(&database).await;
    let wallets = inspector.audit().await;
    assert_eq!((wallets["a"].balance(), wallets["b"].balance()), (12, 21));
    let counts = inspector.counts().await;
    assert_eq!((counts.events, counts.idempotency_keys), (5, 3));
    let stored = record(&db, "k2").await.expect("stored");
    assert_eq!(stored.answer, claim("k2", "two").answer);
    assert_eq!(stored.request_hash, claim("k2", "two").request_hash);
}

async fn a_stale_unit_falls_and_takes_its_dependants_along(database: TempDatabase) {
    let db = migrated(&database).await;
    let a = open("a", 10);
    let (a2, other) = (credit(&a), credit(&a));
    commit(&db, vec![unit(None, vec![a]), unit(None, vec![a2])]).await;
    // What rests on the stale unit expects version 2, which is what the database holds, too, but
    // by another history.
    let units = vec![
        unit(Some(claim("stale", "")), vec![other.clone()]),
        unit(Some(claim("on-stale", "")), vec![credit(&other)]),
        unit(Some(claim("half-stale", "")), vec![open("new", 1), credit(&other)]),
        unit(Some(claim("good", "")), vec![open("b", 1)]),
    ];
    let outcomes = commit(&db, units).await;
    assert_eq!(outcomes, [VersionConflict, VersionConflict, VersionConflict, Committed]);
    for fallen in ["stale", "on-stale", "half-stale"] {
        assert_eq!(record(&db, fallen).await, None, "{fallen}");
    }
    let wallets = Inspector::open(&database).await.audit().await;
    assert_eq!(wallets.keys().collect::<Vec<_>>(), ["a", "b"], "no unit is written by half");
    assert_eq!(wallets["a"].balance(), 11);
}

async fn a_taken_key_gives_the_stored_answer_and_undoes_its_unit(database: TempDatabase) {
    let db = migrated(&database).await;
    commit(&db, vec![unit(Some(claim("key", "first")), vec![open("a", 1)])]).await;
    let b = open("b", 1);
    let units = vec![
        unit(Some(claim("key", "second")), vec![b.clone()]),
        unit(Some(claim("on-b", "")), vec![credit(&b)]),
        refusal(Some(claim("refused", "")), "b", 1),
        unit(None, vec![open("c", 1)]),
    ];
    let outcomes = commit(&db, units).await;
    let UnitOutcome::KeyTaken { stored } = &outcomes[0] else { panic!("{outcomes:?}") };
    assert_eq!(stored.answer.body, "first");
    assert_eq!(outcomes[1..], [VersionConflict, VersionConflict, Committed]);
    assert_eq!(record(&db, "on-b").await, None);
    assert_eq!(record(&db, "refused").await, None);
    let wallets = Inspector::open(&database).await.audit().await;
    assert_eq!(wallets.keys().collect::<Vec<_>>(), ["a", "c"]);
}

async fn a_wallet_that_is_there_is_not_created_again(database: TempDatabase) {
    let db = migrated(&database).await;
    commit(&db, vec![unit(None, vec![open("a", 1)])]).await;
    let again = open("a", 100);
    let units = vec![
        unit(Some(claim("key", "")), vec![again.clone()]),
        unit(None, vec![credit(&again)]),
        unit(None, vec![open("b", 5)]),
    ];
    let outcomes = commit(&db, units).await;
    assert_eq!(outcomes, [VersionConflict, VersionConflict, Committed]);
    assert_eq!(record(&db, "key").await, None);
    let wallets = Inspector::open(&database).await.audit().await;
    assert_eq!(wallets["a"].balance(), 1);
}

async fn a_refusal_on_a_stale_read_is_a_conflict(database: TempDatabase) {
    let db = migrated(&database).await;
    commit(&db, vec![unit(None, vec![open("a", 1)])]).await;
    for with_key in [false, true] {
        let key = |name: &str| with_key.then(|| claim(name, ""));
        let units = vec![
            refusal(key("unknown-is-known"), "a", 0),
            refusal(key("right"), "a", 1),
            refusal(key("old"), "a", 2),
            refusal(key("unknown"), "nobody", 0),
        ];
        let outcomes = commit(&db, units).await;
        assert_eq!(outcomes, [VersionConflict, Committed, VersionConflict, Committed]);
    }
    assert!(record(&db, "right").await.is_some());
    assert_eq!(record(&db, "old").await, None);
}

async fn an_expired_key_is_taken_over(database: TempDatabase) {
    let db = migrated(&database).await;
    let mut expired = claim("key", "old");
    expired.ttl_ms = 0;
    commit(&db, vec![unit(Some(expired), vec![open("a", 1)])]).await;
    assert_eq!(record(&db, "key").await, None, "an expired record answers nobody");
    let units = vec![unit(Some(claim("key", "new")), vec![open("b", 1)])];
    assert_eq!(commit(&db, units).await, [Committed]);
    assert_eq!(record(&db, "key").await.expect("stored").answer.body, "new");
    assert_eq!(wallex_idempotency::sweep(&db, 100).await.expect("swept"), 0);
    let mut short = claim("other", "old");
    short.ttl_ms = 0;
    commit(&db, vec![refusal(Some(short), "a", 1)]).await;
    assert_eq!(wallex_idempotency::sweep(&db, 100).await.expect("swept"), 1);
    assert!(record(&db, "key").await.is_some());
}

async fn a_record_that_outlives_every_clock_is_kept(database: TempDatabase) {
    let db = migrated(&database).await;
    let endless = Claim { ttl_ms: u64::MAX, ..claim("key", "kept") };
    commit(&db, vec![unit(Some(endless), vec![open("a", 1)])]).await;
    commit(&db, vec![unit(None, vec![open("b", 1)])]).await;
    assert_eq!(wallex_idempotency::sweep(&db, 100).await.expect("swept"), 0);
    assert_eq!(record(&db, "key").await.expect("stored").answer.body, "kept");
}

async fn concurrent_batches_take_gapless_positions(database: TempDatabase) {
    let db = migrated(&database).await;
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let db = db.clone();
            tokio::spawn(async move {
                for batch in 0..10 {
                    let wallet = |i| unit(None, vec![open(&format!("w-{writer}-{batch}-{i}"), 1)]);
                    let outcomes = commit(&db, (0..5).map(wallet).collect()).await;
                    assert_eq!(outcomes, vec![Committed; 5]);
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no panic");
    }
    // The audit checks that positions have no hole.
    assert_eq!(Inspector::open(&database).await.audit().await.len(), 400);
}

async fn decisions_under_a_lock_do_not_conflict(database: TempDatabase) {
    let db = migrated(&database).await;
    let a = open("a", 10);
    commit(&db, vec![unit(None, vec![a])]).await;
    let committer = committer(&db);
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let committer = committer.clone();
            tokio::spawn(async move {
                let locked = committer.lock(vec![key("nobody"), key("a")]).await.expect("locked");
                assert_eq!(locked.wallets()[0], None);
                let mut now = open("a", 0);
                let held = locked.wallets()[1].clone().expect("there");
                (now.state, now.events[0].hash) = (held.state, held.last_hash);
                let units = vec![unit(None, vec![credit(&now)])];
                locked.commit(units.into()).await.expect("committed")
            })
        })
        .collect();
    for writer in writers {
        assert_eq!(writer.await.expect("no panic"), [Committed]);
    }
    assert_eq!(Inspector::open(&database).await.audit().await["a"].balance(), 18);
}

async fn a_dropped_lock_writes_nothing(database: TempDatabase) {
    let db = migrated(&database).await;
    let a = open("a", 10);
    commit(&db, vec![unit(None, vec![a.clone()])]).await;
    let committer = committer(&db);
    drop(committer.lock(vec![key("a")]).await.expect("locked"));
    // The lock ends with its transaction, which is rolled back in the background.
    let units = vec![unit(None, vec![credit(&a)])];
    eventually("the wallet is free", async || {
        (commit(&db, units.clone()).await == [Committed]).then_some(())
    })
    .await;
    assert_eq!(Inspector::open(&database).await.audit().await["a"].balance(), 11);
}

async fn what_was_committed_is_told_with_its_positions(database: TempDatabase) {
    let db = migrated(&database).await;
    let tail = Arc::new(Tail::default());
    let committer = SqlCommitter::new(Arc::clone(&db), Arc::clone(&tail));
    let a = open("a", 1);
    let (a2, shard) = (credit(&a), db.shards().expect("migrated").of_wallet(&key("a")));
    let a3 = credit(&a2);
    for batch in [vec![unit(None, vec![a]), unit(None, vec![a2])], vec![unit(None, vec![a3])]] {
        committer.commit(batch.into()).await.expect("committed");
    }
    let told = tail.after(shard, 0, usize::MAX);
    let told: Vec<_> =
        told.iter().flat_map(|batch| batch.iter().map(|e| (e.position, e.version))).collect();
    assert_eq!(told, [(1, 1), (2, 2), (3, 3)]);
}

async fn a_row_that_the_database_leaves_out_fails_the_batch(database: TempDatabase) {
    let db = migrated(&database).await;
    let inspector = Inspector::open(&database).await;
    let before = inspector.counts().await;
    let trigger = match db.backend() {
        Backend::Sqlite => {
            "CREATE TRIGGER leave_out BEFORE INSERT ON wallet_streams \
             BEGIN SELECT RAISE(IGNORE); END"
        }
        Backend::Postgres => {
            "CREATE FUNCTION leave_out() RETURNS trigger LANGUAGE plpgsql AS \
             'BEGIN RETURN NULL; END'; CREATE TRIGGER leave_out BEFORE INSERT ON wallet_streams \
             FOR EACH ROW EXECUTE FUNCTION leave_out()"
        }
    };
    db.write().execute_unprepared(trigger).await.expect("a trigger");
    let units = vec![unit(Some(claim("k", "")), vec![open("a", 1)])];
    let failed = committer(&db).commit(units.into()).await;
    assert!(matches!(failed, Err(CommitError::Storage(_))), "{failed:?}");
    assert_eq!(inspector.counts().await, before);
}

#[test]
fn units_that_others_were_always_faster_than_are_to_be_decided_again() {
    let a = open("a", 1);
    let units = [unit(None, vec![a.clone()]), unit(None, vec![credit(&a)])];
    assert_eq!(Batch::new(&units).defeated(), vec![VersionConflict; 2]);
}
