//! Deleting what every consumer has processed.

use sea_orm::{ConnectionTrait, DbErr};
use wallex_database::{Database, Row, RowError, read_error};
use wallex_ports::ReadError;

/// Deletes at most `limit` rows of `shard` that every consumer has processed and that were enqueued
/// more than `older_than_ms` ago; how many. A range of positions, from the oldest on.
///
/// # Errors
/// [`ReadError::Unavailable`] when the database does not answer.
pub async fn clean(
    db: &Database,
    shard: u16,
    older_than_ms: u64,
    limit: u32,
) -> Result<u64, ReadError> {
    let cleaned = db.patiently(delete(db, shard, older_than_ms, limit)).await;
    cleaned.map_err(read_error)
}

async fn delete(db: &Database, shard: u16, older_than_ms: u64, limit: u32) -> Result<u64, DbErr> {
    let backend = db.backend();
    let unreadable = |error: RowError| DbErr::Type(error.to_string());
    let transaction = db.begin_background().await?;
    let oldest = "SELECT coalesce(min(o.position), 0) AS oldest, \
                  coalesce((SELECT min(c.position) FROM projector_checkpoints c \
                  WHERE c.shard = $1), 0) AS processed FROM outbox o WHERE o.shard = $1";
    let statement = backend.statement(oldest, [i64::from(shard).into()]);
    let row = transaction.query_one_raw(statement).await?;
    let Some(row) = row.map(Row) else { return Ok(0) };
    let oldest = row.int("oldest").map_err(unreadable)?;
    let processed = row.int("processed").map_err(unreadable)?;
    let upto = processed.min(oldest.saturating_add(i64::from(limit)) - 1);
    // A consumer never goes back, so what was processed stays so.
    let sql = format!(
        "DELETE FROM outbox WHERE shard = $1 AND position >= $2 AND position <= $3 \
         AND created_at_ms <= {} - $4",
        backend.now_ms()
    );
    let older_than_ms = i64::try_from(older_than_ms).unwrap_or(i64::MAX);
    let values = [i64::from(shard).into(), oldest.into(), upto.into(), older_than_ms.into()];
    let deleted = transaction.execute_raw(backend.statement(sql, values)).await?;
    transaction.commit().await?;
    Ok(deleted.rows_affected())
}
