//! Deleting what has expired.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbErr};
use tokio::time::{Instant, sleep};
use wallex_database::{Backend, Database, read_error};
use wallex_ports::ReadError;

/// A statement can be so short that the timer would round its time to nothing.
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Deletes at most `chunk_rows_max` expired records in one statement; how many it were. Call it
/// again until it gives less than that: a claim never waits long for a sweep. On SQLite a full chunk
/// is followed by a pause as long as it took: other processes that wait for the one writer look
/// again only now and then, and must find it free.
///
/// # Errors
/// [`ReadError::Unavailable`] when the database does not answer.
pub async fn sweep(db: &Database, chunk_rows_max: u32) -> Result<u64, ReadError> {
    let now_ms = db.backend().now_ms();
    let key = "shard, tenant, route, key";
    // A row that a claim is taking over right now is left to it.
    let skip = match db.backend() {
        Backend::Postgres => "FOR UPDATE SKIP LOCKED",
        Backend::Sqlite => "",
    };
    // The time is selected, because a clock that moves on can't bound an index range.
    let sql = format!(
        "DELETE FROM idempotency_keys WHERE ({key}) IN (SELECT {key} FROM idempotency_keys \
         WHERE expires_at_ms <= (SELECT {now_ms}) ORDER BY expires_at_ms LIMIT $1 {skip})"
    );
    let statement = db.backend().statement(sql, [i64::from(chunk_rows_max).into()]);
    let began = Instant::now();
    let deleting = async {
        let transaction = db.begin_background().await?;
        let deleted = transaction.execute_raw(statement).await?.rows_affected();
        transaction.commit().await?;
        Ok::<_, DbErr>(deleted)
    };
    let deleted = db.patiently(deleting).await.map_err(read_error)?;
    if db.backend() == Backend::Sqlite && deleted >= u64::from(chunk_rows_max) {
        sleep(began.elapsed().clamp(PAUSE_MIN, PAUSE_MAX)).await;
    }
    Ok(deleted)
}
