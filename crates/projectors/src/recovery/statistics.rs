//! Counting what there is.

use sea_orm::ConnectionTrait;
use wallex_database::{Backend, Database, Row, RowError, read_error};
use wallex_ports::{ReadError, Statistics};

/// How long PostgreSQL may count: longer than a look-up may take, and less than a client waits.
const COUNTING_MS_MAX: u64 = 50_000;

/// Counts every table, as of one moment. Each count is a scan of an index; events are not counted,
/// their number is the sum of the heads.
pub(super) async fn statistics(db: &Database) -> Result<Statistics, ReadError> {
    db.shards()?;
    let count = |table: &str| format!("(SELECT count(*) FROM {table}) AS {table}");
    let tables = [
        "wallet_streams",
        "wallets",
        "ledger_entries",
        "outbox",
        "idempotency_keys",
        "dead_letters",
        "discarded_events",
    ];
    let bytes = match db.backend() {
        Backend::Postgres => "pg_database_size(current_database())",
        Backend::Sqlite => {
            "(SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size())"
        }
    };
    let sql = format!(
        "SELECT (SELECT CAST(coalesce(sum(position), 0) AS bigint) FROM shard_heads) AS events, \
         {}, {bytes} AS bytes",
        tables.map(count).join(", ")
    );
    let tx = db.begin_snapshot().await.map_err(read_error)?;
    if db.backend() == Backend::Postgres {
        let patience = format!("SET LOCAL statement_timeout = {COUNTING_MS_MAX}");
        tx.execute_unprepared(&patience).await.map_err(read_error)?;
    }
    let row = tx.query_one_raw(db.backend().statement(sql, [])).await.map_err(read_error)?;
    tx.rollback().await.map_err(read_error)?;
    row.map_or_else(|| Ok(Statistics::default()), |row| Ok(of_row(&Row(row))?))
}

fn of_row(row: &Row) -> Result<Statistics, RowError> {
    Ok(Statistics {
        events: row.number("events")?,
        wallets: row.number("wallet_streams")?,
        projected_wallets: row.number("wallets")?,
        ledger_entries: row.number("ledger_entries")?,
        outbox_rows: row.number("outbox")?,
        idempotency_records: row.number("idempotency_keys")?,
        dead_letters: row.number("dead_letters")?,
        discarded_events: row.number("discarded_events")?,
        database_bytes: row.number("bytes")?,
    })
}
