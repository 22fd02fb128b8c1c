//! A connection to PostgreSQL that is lost while the server goes on with what was asked on it: a pooler that
//! restarts, a NAT that forgets. What is told afterwards is true, and money moves once.

use serde_json::json;
use wallex_testkit::{
    Answer, Inspector, Proxy, Request, ServerBuilder, TempDatabase, block_on, eventually,
};

use crate::support::create;

/// How many statements wait for a lock.
const WAITING: &str = "SELECT count(*) AS n FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
/// Connections on which the debit was sent.
const SENT: &str = "SELECT count(*) AS n FROM pg_stat_activity \
                    WHERE datname = current_database() AND query LIKE 'WITH held%'";

/// A debit of 10 from a wallet with 100, whose statement is held up by `holding` while its connection is
/// lost, and goes on once it was sent again; what was answered, and what is left.
async fn debit_on_a_lost_connection(holding: &str, key: Option<&str>) -> (Answer, i64) {
    let database = TempDatabase::postgres().await;
    let (proxy, behind_proxy) = Proxy::before(&database).await;
    // Nothing else is to wait for the lock.
    let builder = ServerBuilder::on(&behind_proxy).env("PROJECTORS_AUTO_START", "false");
    let server = builder.start().await;
    let client = server.client();
    create(client, "w", 110).await;
    let debit = |key: Option<&str>| {
        let debit = client.post("/wallets/w/debit", &json!({ "amount": 10 }));
        key.into_iter().fold(debit, Request::key)
    };
    // The statement is prepared now: the next time, all that it takes is on its way at once.
    debit(key.map(|_| "another-key")).await.is(200);
    let (inspector, holder) = tokio::join!(Inspector::open(&database), Inspector::open(&database));
    holder.execute(&format!("BEGIN; {holding}")).await;

    let asked = tokio::spawn(debit(key).into_future());
    let many = async |sql: &str, n: i64| (inspector.number(sql).await >= n).then_some(());
    eventually("the debit is held up", async || many(WAITING, 1).await).await;
    proxy.reset().await;
    eventually("it was sent again, or given up", async || {
        if asked.is_finished() { Some(()) } else { many(SENT, 2).await }
    })
    .await;
    holder.execute("ROLLBACK").await;
    let answer = asked.await.expect("no panic");

    eventually("nothing waits any more", async || {
        (inspector.number(WAITING).await == 0).then_some(())
    })
    .await;
    let left = inspector.audit().await["w"].balance();
    if key.is_some() {
        let again = debit(key).await;
        assert_eq!(again.is(200)["balance"], 90, "the key tells what became of it");
    }
    (answer, left)
}

fn is_true(answer: &Answer, left: i64) {
    match answer.status.as_u16() {
        200 => assert_eq!(left, 90, "{answer:?}"),
        _ => {
            answer.is_problem(503, "outcome-unknown");
            assert!([90, 100].contains(&left), "{left}");
        }
    }
}

/// Its statement waits for a table, and holds nothing yet.
#[test]
fn a_statement_that_has_not_begun_moves_money_once() {
    block_on(async {
        for key in [None, Some("key-1")] {
            let (answer, left) = debit_on_a_lost_connection("LOCK TABLE outbox", key).await;
            is_true(&answer, left);
        }
    });
}

/// Its statement holds the wallet's row and has not yet reached the head of the shard.
#[test]
fn a_statement_that_is_half_way_moves_money_once() {
    block_on(async {
        let holding = "INSERT INTO idempotency_keys SELECT 0, 'default', 'POST /wallets/w/debit', \
                       'key-1', repeat('0', 64), 200, '', '', '', 0, 0";
        let (answer, left) = debit_on_a_lost_connection(holding, Some("key-1")).await;
        is_true(&answer, left);
    });
}
