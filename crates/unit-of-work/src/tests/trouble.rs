//! Full disks, held rows, and answers that are lost.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbErr};
use wallex_database::{Backend, Database};
use wallex_ports::{CommitError, Committer, Unit, UnitOutcome};
use wallex_postgres_eventstore::{Held, lock_streams};
use wallex_testkit::{Inspector, TempDatabase, block_on, eventually, on_both_databases};

use super::fixture::{claim, committer, credit, key, migrated, open, refusal, unit};
use crate::SqlCommitter;
use crate::attempt::{Attempt, attempt};
use crate::batch::Batch;
use crate::rows::Rows;

on_both_databases!(
    a_lost_answer_to_a_commit_that_happened_is_found_out,
    a_lost_answer_to_a_commit_that_did_not_happen_is_found_out,
    a_look_up_waits_for_the_transaction_that_is_still_ending,
);

/// How long a look-up may take here: more than it ever does.
const PATIENCE: Duration = Duration::from_secs(60);

fn lost() -> DbErr {
    DbErr::Custom("the answer is lost, on purpose".to_owned())
}

fn units() -> Vec<Unit> {
    let a = open("a", 10);
    vec![
        refusal(Some(claim("no", "")), "nobody", 0),
        unit(None, vec![a.clone()]),
        unit(None, vec![credit(&a)]),
    ]
}

/// A look-up as it would be if the answer to writing `units` were lost.
async fn look_up(committer: &SqlCommitter, units: &[Unit]) -> Result<Attempt, CommitError> {
    let shards = committer.db.shards().expect("migrated");
    let batch = Batch::new(units);
    let rows = Rows::of(&batch, shards);
    committer.look_up(&rows, shards, lost(), PATIENCE).await
}

async fn write(db: &Database, transaction: &DatabaseTransaction, units: &[Unit]) {
    let shards = db.shards().expect("migrated");
    let rows = Rows::of(&Batch::new(units), shards);
    let attempted = attempt(transaction, shards, &rows).await.expect("written");
    assert!(matches!(attempted, Attempt::Written(_)), "{attempted:?}");
}

async fn a_lost_answer_to_a_commit_that_happened_is_found_out(database: TempDatabase) {
    let db = migrated(&database).await;
    let (committer, units) = (committer(&db), units());
    let transaction = db.begin().await.expect("begun");
    write(&db, &transaction, &units).await;
    transaction.commit().await.expect("committed");
    let found = look_up(&committer, &units).await.expect("found out");
    assert!(matches!(found, Attempt::Written(_)), "{found:?}");
}

async fn a_lost_answer_to_a_commit_that_did_not_happen_is_found_out(database: TempDatabase) {
    let db = migrated(&database).await;
    let (committer, units) = (committer(&db), units());
    let transaction = db.begin().await.expect("begun");
    write(&db, &transaction, &units).await;
    transaction.rollback().await.expect("rolled back");
    // Another writer takes the version that the lost one would have had.
    committer.commit(vec![unit(None, vec![open("a", 99)])].into()).await.expect("committed");
    let found = look_up(&committer, &units).await;
    match db.backend() {
        Backend::Sqlite => assert!(matches!(found, Err(CommitError::Unavailable(_))), "{found:?}"),
        Backend::Postgres => assert!(matches!(found, Ok(Attempt::Refused)), "{found:?}"),
    }
}

async fn a_look_up_waits_for_the_transaction_that_is_still_ending(database: TempDatabase) {
    let db = migrated(&database).await;
    let (committer, units) = (committer(&db), units());
    let transaction = db.begin().await.expect("begun");
    write(&db, &transaction, &units).await;
    let looking = tokio::spawn(async move { look_up(&committer, &units).await });
    if db.backend() == Backend::Postgres {
        // It waits for the key that the transaction claims.
        let inspector = Inspector::open(&database).await;
        eventually("the look-up waits", async || {
            let sql = "SELECT count(*) AS n FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
            (inspector.number(sql).await > 0).then_some(())
        })
        .await;
    }
    transaction.commit().await.expect("committed");
    let found = looking.await.expect("no panic").expect("found out");
    assert!(matches!(found, Attempt::Written(_)), "{found:?}");
}

async fn pages_max(db: &Database, pages: u32) {
    let sql = format!("PRAGMA max_page_count = {pages}");
    db.write().execute_unprepared(&sql).await.expect("set");
}

/// A file that can't grow refuses a statement. A COMMIT that is refused is the black-box tests'.
#[test]
fn a_full_disk_is_an_error_and_what_is_acknowledged_after_it_is_there() {
    block_on(async {
        let database = TempDatabase::sqlite();
        let db = migrated(&database).await;
        let committer = committer(&db);
        let wallets = async |from: usize| {
            let creations = (from..from + 50).map(|i| unit(None, vec![open(&format!("w-{i}"), 1)]));
            committer.commit(creations.collect::<Arc<[Unit]>>()).await
        };
        wallets(0).await.expect("room");
        // As many pages as there are: the next that is needed is not to be had.
        pages_max(&db, 1).await;
        let mut full = None;
        for batch in 1..100 {
            if let Err(error) = wallets(batch * 50).await {
                full = Some((batch, error));
                break;
            }
        }
        let (batches, error) = full.expect("the file is full at last");
        assert!(matches!(error, CommitError::Unavailable(_)), "{error:?}");
        pages_max(&db, 1_000_000).await;
        let after = wallets(50_000).await.expect("room again");
        assert_eq!(after, vec![UnitOutcome::Committed; 50]);
        let there = Inspector::open(&database).await.audit().await;
        assert_eq!(there.len(), batches * 50 + 50, "what was acknowledged, and no more");
        assert!(there.contains_key("w-50000"));
    });
}

/// Somebody at a prompt holds a wallet's row: the other wallets of the batch do not wait for it.
#[test]
fn a_row_that_is_held_is_not_waited_for() {
    block_on(async {
        let database = TempDatabase::postgres().await;
        let db = migrated(&database).await;
        let committer = committer(&db);
        let a = open("a", 1);
        committer.commit(vec![unit(None, vec![a.clone()])].into()).await.expect("committed");
        let holder = db.begin().await.expect("begun");
        let shards = db.shards().expect("migrated");
        lock_streams(&holder, shards, &[key("a")], Held::Wait).await.expect("locked");
        let batch = vec![
            unit(None, vec![credit(&a)]),
            refusal(None, "a", 0),
            unit(None, vec![open("b", 2)]),
            refusal(None, "nobody", 0),
        ];
        let outcomes = committer.commit(batch.into()).await.expect("committed");
        use UnitOutcome::{Committed, VersionConflict};
        assert_eq!(outcomes, [VersionConflict, VersionConflict, Committed, Committed]);
        let locked = committer.lock(vec![key("a")]).await.map(|_| ());
        assert!(matches!(locked, Err(CommitError::Blocked(_))), "{locked:?}");
        holder.rollback().await.expect("rolled back");
        let outcomes = committer.commit(vec![unit(None, vec![credit(&a)])].into()).await;
        assert_eq!(outcomes.expect("committed"), [Committed]);
    });
}
