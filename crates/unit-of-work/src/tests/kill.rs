//! The transaction is killed after each of its statements: all or nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, QueryResult, Statement,
};
use wallex_database::{Backend, Database, Row};
use wallex_testkit::{Inspector, TempDatabase, on_both_databases};

use super::fixture::{claim, credit, migrated, open, refusal, unit};
use crate::attempt::{Attempt, attempt};
use crate::batch::Batch;
use crate::rows::Rows;

on_both_databases!(a_transaction_killed_after_any_statement_leaves_nothing);

/// A transaction that is killed after a number of statements. On PostgreSQL its backend is
/// terminated, so that every later statement fails for real; on SQLite, which lives in this
/// process, the later statements are refused and the transaction is dropped.
struct Doomed<'a> {
    transaction: &'a DatabaseTransaction,
    db: &'a Database,
    pid: Option<i64>,
    statements_left: AtomicUsize,
}

impl<'a> Doomed<'a> {
    async fn new(
        transaction: &'a DatabaseTransaction,
        db: &'a Database,
        statements: usize,
    ) -> Self {
        let pid = match db.backend() {
            Backend::Sqlite => None,
            Backend::Postgres => {
                let sql = "SELECT pg_backend_pid()::bigint AS pid";
                let asked = transaction.query_one_raw(db.backend().statement(sql, [])).await;
                Some(Row(asked.expect("asked").expect("a row")).int("pid").expect("a pid"))
            }
        };
        Self { transaction, db, pid, statements_left: AtomicUsize::new(statements) }
    }

    async fn before_statement(&self) -> Result<(), DbErr> {
        let left = self.statements_left.load(Ordering::SeqCst);
        if left > 0 {
            self.statements_left.store(left - 1, Ordering::SeqCst);
            return Ok(());
        }
        let Some(pid) = self.pid else { return Err(DbErr::Custom("killed".to_owned())) };
        let sql = "SELECT pg_terminate_backend($1::bigint::int, 5000)";
        self.db.read().execute_raw(self.db.backend().statement(sql, [pid.into()])).await?;
        Ok(())
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Doomed<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.transaction.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.before_statement().await?;
        self.transaction.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.before_statement().await?;
        self.transaction.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.before_statement().await?;
        self.transaction.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.before_statement().await?;
        self.transaction.query_all_raw(statement).await
    }
}

async fn a_transaction_killed_after_any_statement_leaves_nothing(database: TempDatabase) {
    let db = migrated(&database).await;
    let inspector = Inspector::open(&database).await;
    let before = inspector.counts().await;
    let (a, b) = (open("a", 10), open("b", 20));
    let units = vec![
        unit(Some(claim("one", "")), vec![a.clone()]),
        unit(Some(claim("two", "")), vec![credit(&a), b]),
        refusal(Some(claim("three", "")), "nobody", 0),
    ];
    let shards = db.shards().expect("migrated");
    let mut survived = None;
    for statements in 0..40 {
        let transaction = db.begin().await.expect("begun");
        let doomed = Doomed::new(&transaction, &db, statements).await;
        let rows = Rows::of(&Batch::new(&units), shards);
        if let Ok(attempted) = attempt(&doomed, shards, &rows).await {
            assert!(matches!(attempted, Attempt::Written(_)), "{attempted:?}");
            survived = Some((statements, transaction));
            break;
        }
        drop(transaction);
        assert_eq!(inspector.counts().await, before, "killed after {statements} statements");
        inspector.audit().await;
    }
    let (statements, transaction) = survived.expect("forty statements are enough");
    // On SQLite: verify, create, claim, number, append, enqueue; three rows are two chunks.
    let expected = if db.backend() == Backend::Postgres { 1 } else { 8 };
    assert_eq!(statements, expected);
    // Everything is written, and nothing of it seen, until COMMIT.
    assert_eq!(inspector.counts().await, before);
    transaction.commit().await.expect("committed");
    let after = inspector.counts().await;
    assert_eq!((after.events, after.outbox), (3, 3));
    assert_eq!((after.wallet_streams, after.idempotency_keys), (2, 3));
    inspector.audit().await;
}
