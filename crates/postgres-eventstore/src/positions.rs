//! Positions: gapless, and in commit order.
//!
//! A sequence gives numbers out before their transactions commit, so a reader that remembers the
//! last number skips whatever commits late. Here the number comes from a row that the transaction
//! holds until its end: the next writer of the shard waits, and gets the next number.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbErr, Value};
use wallex_database::{Backend, Row};

/// Counts each shard on by as many events as `counts` says; the position before the first of them.
/// Shards are taken in ascending order, by every writer.
///
/// # Errors
/// The database's; also when a shard has no head.
pub async fn take_positions(
    conn: &impl ConnectionTrait,
    counts: &BTreeMap<u16, u64>,
) -> Result<BTreeMap<u16, u64>, DbErr> {
    let backend = Backend::of(conn);
    let mut before = BTreeMap::new();
    for (shard, count) in counts {
        let count = i64::try_from(*count).map_err(|error| DbErr::Custom(error.to_string()))?;
        let sql = "UPDATE shard_heads SET position = position + $1 WHERE shard = $2 \
                   RETURNING position - $1 AS before";
        let values: [Value; 2] = [count.into(), i64::from(*shard).into()];
        let row = conn.query_one_raw(backend.statement(sql, values)).await?;
        let row = row.ok_or_else(|| DbErr::Custom(format!("shard {shard} has no head")))?;
        let position = Row(row).number("before").map_err(|e| DbErr::Custom(e.to_string()))?;
        before.insert(*shard, position);
    }
    Ok(before)
}
