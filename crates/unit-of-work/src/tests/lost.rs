//! A statement that outlives its connection: whatever it does later, a batch is written once, and what is told is
//! true.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, DbErr};
use wallex_database::Database;
use wallex_ports::{CommitError, Committer, StreamAppend, Unit, UnitOutcome};
use wallex_testkit::{Inspector, Proxy, TempDatabase, block_on, eventually};

use super::fixture::{claim, committer, credit, key, migrated, open, refusal, unit};
use crate::SqlCommitter;
use crate::attempt::{Attempt, attempt};
use crate::batch::Batch;
use crate::rows::Rows;

use UnitOutcome::{Committed, VersionConflict};

/// The key that somebody else is claiming.
const CLAIMING: &str = "INSERT INTO idempotency_keys (shard, tenant, route, key, request_hash, \
                        http_status, etag, location, response, created_at_ms, expires_at_ms) \
                        SELECT 0, 'default', 'POST /wallets', 'held', '', 201, '', '', '', 0, 0";
const WAITING: &str = "SELECT count(*) AS n FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
/// Connections on which a batch was sent.
const SENT: &str = "SELECT count(*) AS n FROM pg_stat_activity \
                    WHERE datname = current_database() AND query LIKE 'WITH held%'";
/// Connections on which an event was looked for, after all else was.
const LOOKED: &str = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() \
                      AND query LIKE 'SELECT 1 FROM events%' AND state = 'idle'";

/// A database with two wallets, and a committer whose connections can be lost.
struct Lossy {
    db: Arc<Database>,
    behind_proxy: Arc<Database>,
    proxy: Proxy,
    inspector: Inspector,
    /// A unit without a key, and one with a key that can be held: each credits a wallet with 1.
    units: Arc<[Unit]>,
    _database: TempDatabase,
}

impl Lossy {
    async fn new() -> Self {
        let database = TempDatabase::postgres().await;
        let db = migrated(&database).await;
        let (proxy, by_proxy) = Proxy::before(&database).await;
        let behind_proxy = migrated(&by_proxy).await;
        let (a, b) = (open("a", 10), open("b", 10));
        let created = [&a, &b].map(|opened| unit(None, vec![opened.clone()]));
        committer(&db).commit(created.into()).await.expect("committed");
        let units = |key: &str, a: &StreamAppend, b: &StreamAppend| {
            [unit(None, vec![credit(a)]), unit(Some(claim(key, "")), vec![credit(b)])]
        };
        // The statement is prepared by this: the next time, all that it takes is on its way at once.
        let first = units("another", &a, &b);
        let [a, b] = [0, 1].map(|i| first[i].appends[0].clone());
        committer(&behind_proxy).commit(first.into()).await.expect("committed");
        let units = units("held", &a, &b).into();
        let inspector = Inspector::open(&database).await;
        Self { db, behind_proxy, proxy, inspector, units, _database: database }
    }

    /// Commits the units while `held` is held up by another transaction; loses the connection, and lets
    /// them go on when as many connections as `seen` says are there.
    async fn commit(&self, held: &str, seen: (&str, i64)) -> Result<Vec<UnitOutcome>, CommitError> {
        let holder = self.db.begin().await.expect("begun");
        holder.execute_unprepared(held).await.expect("held");
        let (committer, units) = (committer(&self.behind_proxy), self.units.clone());
        let committing = tokio::spawn(async move { committer.commit(units).await });
        let many =
            async |(sql, n): (&str, i64)| (self.inspector.number(sql).await >= n).then_some(());
        eventually("the batch waits", async || many((WAITING, 1)).await).await;
        self.proxy.reset().await;
        eventually("the server tries to find out, or gave up", async || {
            if committing.is_finished() { Some(()) } else { many(seen).await }
        })
        .await;
        holder.rollback().await.expect("rolled back");
        let outcomes = committing.await.expect("no panic");
        eventually("nothing is under way", async || {
            (self.inspector.number(WAITING).await == 0).then_some(())
        })
        .await;
        outcomes
    }

    async fn balances(&self) -> [i64; 2] {
        let wallets = self.inspector.audit().await;
        ["a", "b"].map(|id| wallets[id].balance())
    }
}

#[test]
fn a_statement_that_holds_its_wallets_is_waited_for() {
    block_on(async {
        let lossy = Lossy::new().await;
        let outcomes = lossy.commit(CLAIMING, (LOOKED, 1)).await.expect("found out");
        assert_eq!(outcomes, [Committed, Committed]);
        assert_eq!(lossy.balances().await, [12, 12]);
    });
}

#[test]
fn a_statement_that_holds_nothing_yet_is_fenced_off() {
    block_on(async {
        let lossy = Lossy::new().await;
        let outcomes = lossy.commit("LOCK TABLE outbox", (SENT, 2)).await.expect("found out");
        assert_eq!(outcomes, [Committed, Committed]);
        assert_eq!(lossy.balances().await, [12, 12]);
    });
}

/// Has COMMIT do `what` to whoever wrote events.
fn at_commit(what: &str) -> String {
    format!(
        "CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN {what}; RETURN NULL; END'; CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON events \
         DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION at_commit()"
    )
}

/// Commits `units` under a lock on their wallets: there COMMIT is a statement of its own.
async fn commit_locked(
    committer: SqlCommitter,
    units: Arc<[Unit]>,
) -> Result<Vec<UnitOutcome>, CommitError> {
    let locked = committer.lock(vec![key("a"), key("b")]).await.expect("locked");
    locked.commit(units).await
}

#[test]
fn a_commit_under_a_lock_whose_answer_is_lost_is_found_out() {
    block_on(async {
        let lossy = Lossy::new().await;
        let gate = at_commit("PERFORM pg_advisory_xact_lock_shared(7)");
        lossy.db.write().execute_unprepared(&gate).await.expect("a trigger");
        let holder = lossy.db.begin().await.expect("begun");
        holder.execute_unprepared("SELECT pg_advisory_xact_lock(7)").await.expect("held");
        let committing = commit_locked(committer(&lossy.behind_proxy), lossy.units.clone());
        let committing = tokio::spawn(committing);
        eventually("COMMIT waits", async || {
            (lossy.inspector.number(WAITING).await > 0).then_some(())
        })
        .await;
        lossy.proxy.reset().await;
        holder.rollback().await.expect("rolled back");
        let outcomes = committing.await.expect("no panic").expect("found out");
        assert_eq!(outcomes, [Committed, Committed]);
        assert_eq!(lossy.balances().await, [12, 12]);
    });
}

#[test]
fn a_commit_under_a_lock_that_the_database_refuses_wrote_nothing() {
    block_on(async {
        let lossy = Lossy::new().await;
        let refusal = at_commit("RAISE EXCEPTION ''refused for a test''");
        lossy.db.write().execute_unprepared(&refusal).await.expect("a trigger");
        let refused = commit_locked(committer(&lossy.db), lossy.units.clone()).await;
        // It is known at once, and not looked up.
        assert!(matches!(refused, Err(CommitError::Storage(_))), "{refused:?}");
        assert_eq!(lossy.balances().await, [11, 11]);
    });
}

/// What is still in the network when its rows are written again.
#[test]
fn a_statement_that_arrives_late_writes_nothing() {
    block_on(async {
        let lossy = Lossy::new().await;
        let all: [Vec<Unit>; 3] = [
            lossy.units.to_vec(),
            vec![unit(None, vec![open("c", 1)])],
            vec![refusal(Some(claim("no", "")), "nobody", 0)],
        ];
        for units in all {
            let claims_alone = units.iter().all(|unit| unit.appends.is_empty());
            committer(&lossy.db).commit(units.clone().into()).await.expect("committed");
            let shards = lossy.db.shards().expect("migrated");
            let rows = Rows::of(&Batch::new(&units), shards);
            let late = attempt(lossy.db.write(), shards, &rows).await.expect("answered");
            assert!(matches!(late, Attempt::Refused), "{late:?}");
            if claims_alone {
                // Whose answer it was is told it again.
                let again = committer(&lossy.db).commit(units.into()).await.expect("answered");
                assert!(matches!(again[..], [UnitOutcome::KeyTaken { .. }]), "{again:?}");
            }
        }
    });
}

/// A position that makes no sense is nobody's reason to believe that nothing was written.
#[test]
fn what_is_committed_behind_an_unreadable_position_is_committed() {
    block_on(async {
        let lossy = Lossy::new().await;
        lossy.inspector.execute("UPDATE shard_heads SET position = -100").await;
        let outcomes = committer(&lossy.db).commit(lossy.units.clone()).await;
        assert_eq!(outcomes.expect("committed"), [Committed, Committed]);
    });
}

/// Looks the units up after they were lost, for `patience`.
async fn look_up(lossy: &Lossy, patience: Duration) -> Result<Attempt, CommitError> {
    let shards = lossy.db.shards().expect("migrated");
    let rows = Rows::of(&Batch::new(&lossy.units), shards);
    let lost = DbErr::Custom("the answer is lost, on purpose".to_owned());
    committer(&lossy.db).look_up(&rows, shards, lost, patience).await
}

#[test]
fn what_may_still_come_is_not_taken_for_undone() {
    block_on(async {
        let lossy = Lossy::new().await;
        let shards = lossy.db.shards().expect("migrated");
        let under_way = lossy.db.begin().await.expect("begun");
        let rows = Rows::of(&Batch::new(&lossy.units), shards);
        attempt(&under_way, shards, &rows).await.expect("written");
        let found = look_up(&lossy, Duration::from_millis(200)).await;
        assert!(matches!(found, Err(CommitError::Indeterminate(_))), "{found:?}");
        under_way.commit().await.expect("committed");
        let found = look_up(&lossy, Duration::from_secs(60)).await;
        assert!(matches!(found, Ok(Attempt::Written(_))), "{found:?}");
    });
}

/// Any of what the units hold proves it, not their first wallet alone.
#[test]
fn what_was_overtaken_is_known_not_to_come() {
    block_on(async {
        for overtaking in [
            "UPDATE wallet_streams SET version = version + 1 WHERE wallet_id = 'b'",
            "INSERT INTO idempotency_keys (shard, tenant, route, key, request_hash, http_status, \
             etag, location, response, created_at_ms, expires_at_ms) SELECT 0, 'default', \
             'POST /wallets', 'held', repeat('0', 64), 201, '', '', '', 0, 9000000000000000",
        ] {
            let lossy = Lossy::new().await;
            lossy.inspector.execute(overtaking).await;
            let found = look_up(&lossy, Duration::from_secs(60)).await;
            assert!(matches!(found, Ok(Attempt::Refused)), "{found:?}");
        }
        // Of the two only what does not rest on the other's is written, and by itself.
        let lossy = Lossy::new().await;
        let other = unit(None, vec![lossy.units[1].appends[0].clone()]);
        committer(&lossy.db).commit([other].into()).await.expect("committed");
        let outcomes = lossy.commit("LOCK TABLE outbox", (SENT, 2)).await.expect("found out");
        assert_eq!(outcomes, [Committed, VersionConflict]);
        assert_eq!(lossy.balances().await, [12, 12]);
    });
}
