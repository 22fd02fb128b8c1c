//! What `drop-outbox-row` and `double-outbox-row` do to the rows of every 17th event. No release build has
//! it.

use sea_orm::{ConnectionTrait, DbErr, Value};
use wallex_database::{Backend, With};
use wallex_ports::planted;

use crate::COLUMNS;

const SPOILED: &str = "position % 17 = 0";

/// A second row of the same event, which has to differ where the tables allow no two.
fn doubled(created_at: &str) -> String {
    let columns = COLUMNS.replace("position", "-position").replace("type", "type || '2'");
    format!("INSERT INTO outbox ({COLUMNS}, created_at_ms) SELECT {columns}, {created_at}")
}

/// On PostgreSQL: the part that enqueues what `appended` returns, as the defect makes it.
pub(crate) fn enqueued(with: &mut With, part: String) -> String {
    if planted::is("drop-outbox-row") {
        return part.replace("FROM appended", &format!("FROM appended WHERE NOT {SPOILED}"));
    }
    if planted::is("double-outbox-row") {
        let doubled = doubled(Backend::Postgres.now_ms());
        with.part("doubled", format!("{doubled} FROM appended WHERE {SPOILED} RETURNING 1"));
    }
    part
}

/// On SQLite: spoils the rows of the `count` events of `shard` behind the position `before`, which were just
/// written.
pub(crate) async fn rows(
    conn: &impl ConnectionTrait,
    shard: u16,
    before: u64,
    count: u64,
) -> Result<(), DbErr> {
    let spoil = if planted::is("drop-outbox-row") {
        "DELETE FROM outbox".to_owned()
    } else if planted::is("double-outbox-row") {
        format!("{} FROM outbox", doubled("created_at_ms"))
    } else {
        return Ok(());
    };
    let sql =
        format!("{spoil} WHERE {SPOILED} AND shard = $1 AND position > $2 AND position <= $3");
    let numbers = [before, before + count].map(|n| Value::from(n.cast_signed()));
    let values: Vec<Value> = [i64::from(shard).into()].into_iter().chain(numbers).collect();
    conn.execute_raw(Backend::Sqlite.statement(sql, values)).await.map(drop)
}
