//! A history that was written before events had hashes gets them, and is whole afterwards.

use sea_orm::ConnectionTrait;
use uuid::Uuid;
use wallex_database::{ConnectOptions, Database, DatabaseUrl, Row};
use wallex_ports::Shards;
use wallex_testkit::{Backend, TempDatabase, on_both_databases};
use wallex_verify::{Findings, verify_database};

on_both_databases!(
    a_history_without_hashes_gets_them,
    a_step_that_was_interrupted_leaves_all_as_it_was_and_runs_again,
);

const STEP: &str = "m20261129_000004_hash_chain";
/// More than are hashed between two statements.
const EVENTS: i64 = 2_100;

async fn open(database: &TempDatabase) -> Database {
    let url = DatabaseUrl::parse(database.url()).expect("valid");
    Database::connect(&ConnectOptions::new(url)).await.expect("connected")
}

/// A database as the version before left it, with a wallet of many events, and one with events that this
/// version can't decode.
async fn as_it_was_before(database: &TempDatabase) -> Database {
    let db = open(database).await;
    wallex_migrations::up(&db, Shards::new(1)).await.expect("migrated");
    let taken_back = wallex_migrations::down(&db, 1).await.expect("taken back");
    assert_eq!(taken_back, [STEP]);
    let (id, json) = match database.backend() {
        Backend::Postgres => ("uuid", "jsonb"),
        Backend::Sqlite => ("text", "text"),
    };
    let event = |wallet: &str, versions: i64, first: i64, event_type: &str, payload: &str| {
        format!(
            "INSERT INTO events (shard, tenant, wallet_id, version, position, event_id, type, \
             schema_version, payload, metadata, recorded_at_ms) \
             WITH RECURSIVE v (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM v WHERE n < {versions}) \
             SELECT 0, 'default', '{wallet}', n, {first} - 1 + n, \
             CAST('00000000-0000-4000-8000-' || CAST(100000000000 + {first} + n AS text) AS {id}), \
             {event_type}, 1, CAST({payload} AS {json}), \
             CAST('{{\"correlationId\":\"c\",\"causationId\":\"00000000-0000-4000-8000-000000000001\"}}' \
             AS {json}), 1800000000000 + n FROM v"
        )
    };
    let payload = "CASE n WHEN 1 THEN '{\"ownerId\":\"Zoë\",\"currency\":\"USD\",\"initialBalance\":7}' \
                   ELSE '{\"amount\":1,\"balance\":' || CAST(6 + n AS text) || ',\"currency\":\"USD\"}' END";
    let known = "CASE n WHEN 1 THEN 'WalletCreated' ELSE 'WalletCredited' END";
    let odd = "'{\"rate\": 1.50, \"a\": [true]}'";
    let stream = |wallet: &str, version: i64, balance: i64| {
        format!(
            "INSERT INTO wallet_streams (shard, tenant, wallet_id, version, owner_id, currency, \
             balance, created_at_ms, updated_at_ms) VALUES (0, 'default', '{wallet}', {version}, \
             'Zoë', 'USD', {balance}, 1800000000001, 1800000000000 + {version})"
        )
    };
    for sql in [
        event("w-1", EVENTS, 1, known, payload),
        event("w-2", 3, EVENTS + 1, "'WalletFrozen'", odd),
        stream("w-1", EVENTS, 6 + EVENTS),
        stream("w-2", 3, 5),
        format!("UPDATE shard_heads SET position = {}", EVENTS + 3),
    ] {
        db.write().execute_unprepared(&sql).await.expect("written");
    }
    db
}

async fn all(db: &Database) -> Vec<String> {
    let sql = "SELECT tenant, wallet_id, version, position, CAST(event_id AS text) AS event_id, type, \
               CAST(payload AS text) AS payload, CAST(metadata AS text) AS metadata, recorded_at_ms \
               FROM events ORDER BY position";
    let rows = db.read().query_all_raw(db.backend().statement(sql, [])).await.expect("read");
    let text = |row: &Row, column: &'static str| row.text(column).expect("a text");
    let number = |row: &Row, column: &'static str| row.int(column).expect("a number").to_string();
    let line = |row: Row| {
        let texts = ["tenant", "wallet_id", "event_id", "type", "payload", "metadata"];
        let numbers = ["version", "position", "recorded_at_ms"];
        let texts = texts.map(|column| text(&row, column)).join(" ");
        texts + " " + &numbers.map(|column| number(&row, column)).join(" ")
    };
    rows.into_iter().map(|row| line(Row(row))).collect()
}

async fn is_refused(db: &Database, sql: &str) -> bool {
    db.write().execute_unprepared(sql).await.is_err()
}

async fn is_whole(db: &Database) {
    let verified = verify_database(db, &[], None, &mut |_| ()).await.expect("verified");
    assert_eq!(verified.findings, Findings::default());
    assert_eq!((verified.events, verified.wallets), (u64::try_from(EVENTS).expect("few") + 3, 2));
    Uuid::parse_str(&verified.database_id).expect("an identity");
}

async fn a_history_without_hashes_gets_them(database: TempDatabase) {
    let db = as_it_was_before(&database).await;
    let before = all(&db).await;
    db.close().await;
    // Another process: statements that were prepared for the table before are gone.
    let db = open(&database).await;
    assert_eq!(wallex_migrations::up(&db, None).await.expect("migrated"), [STEP]);
    assert_eq!(all(&db).await, before);
    is_whole(&db).await;
    let without = "INSERT INTO events (shard, tenant, wallet_id, version, position, event_id, type, \
                   schema_version, payload, metadata, recorded_at_ms) SELECT shard, tenant, 'w-3', \
                   version, position + 9999, event_id, type, schema_version, payload, metadata, \
                   recorded_at_ms FROM events WHERE wallet_id = 'w-2' AND version = 1";
    assert!(is_refused(&db, without).await, "no event is without a hash");
    let without = "INSERT INTO wallet_streams (shard, tenant, wallet_id, version, owner_id, currency, \
                   balance, created_at_ms, updated_at_ms) SELECT shard, tenant, 'w-3', version, \
                   owner_id, currency, balance, created_at_ms, updated_at_ms FROM wallet_streams \
                   WHERE wallet_id = 'w-2'";
    assert!(is_refused(&db, without).await, "no wallet is without one");
    // What the keys of the tables promise.
    for column in ["position", "version"] {
        let other = if column == "position" { "version = 77777" } else { "position = 77777" };
        let twice = format!(
            "UPDATE events SET {other}, {column} = (SELECT {column} FROM events \
             WHERE wallet_id = 'w-1' AND version = 1) WHERE wallet_id = 'w-1' AND version = 2"
        );
        assert!(is_refused(&db, &twice).await, "a {column} is there once");
    }
}

async fn a_step_that_was_interrupted_leaves_all_as_it_was_and_runs_again(database: TempDatabase) {
    let db = as_it_was_before(&database).await;
    let before = all(&db).await;
    // In the way of the second half.
    let obstacle = "CREATE TABLE chained_streams (n integer)";
    db.write().execute_unprepared(obstacle).await.expect("made");
    wallex_migrations::up(&db, None).await.expect_err("it can't be done");
    assert_eq!(all(&db).await, before);
    assert!(is_refused(&db, "SELECT hash FROM events").await);
    let status = wallex_migrations::status(&db).await.expect("known");
    assert!(status.iter().any(|step| step.name == STEP && !step.applied));
    db.write().execute_unprepared("DROP TABLE chained_streams").await.expect("dropped");
    db.close().await;
    let db = open(&database).await;
    assert_eq!(wallex_migrations::up(&db, None).await.expect("migrated"), [STEP]);
    assert_eq!(all(&db).await, before);
    is_whole(&db).await;
}
