//! Reading for consumers: events in the order of positions.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbErr};
use wallex_database::{Backend, Row};

/// Joins an outbox row `t` with its event `e`: by its position, which is compared faster than a key
/// of texts, and only if it is the same event still.
const FROM_OUTBOX: &str = "coalesce(e.type, t.type) AS type, \
     CAST(coalesce(e.schema_version, 0) AS bigint) AS schema_version, \
     CAST(e.payload AS text) AS payload, \
     coalesce(e.recorded_at_ms, t.created_at_ms) AS recorded_at_ms \
     FROM outbox t LEFT JOIN events e ON e.shard = t.shard AND e.position = t.position \
     AND e.tenant = t.tenant AND e.wallet_id = t.wallet_id AND e.version = t.version";

const FROM_EVENTS: &str = "t.type, CAST(t.schema_version AS bigint) AS schema_version, \
     CAST(t.payload AS text) AS payload, t.recorded_at_ms FROM events t";

/// At most `limit` events of `shard` behind `after`, in the order of positions: the columns
/// `position`, `tenant`, `wallet_id`, `version`, `event_id`, `type`, `schema_version`, `payload`
/// (NULL when the event is gone, and only its outbox row is left), `recorded_at_ms` and `traceparent`
/// (NULL when its request had none).
///
/// Positions have no gaps, so a gap in the outbox shows: the rows that a cleanup deleted before a
/// new consumer began, or a row that was lost, are read from the events themselves.
///
/// # Errors
/// The database's.
pub async fn read_after(
    conn: &impl ConnectionTrait,
    shard: u16,
    after: u64,
    limit: u32,
) -> Result<Vec<Row>, DbErr> {
    // Both ends of the range are named: without statistics PostgreSQL would take an open end for few
    // rows, and sort the whole backlog for each batch.
    let range = Range { shard, after, upto: after.saturating_add(limit.into()), limit };
    let rows = query(conn, FROM_OUTBOX, range).await?;
    let whole = rows.iter().zip(after + 1..).all(|((position, _), expected)| *position == expected);
    if whole && !rows.is_empty() {
        return Ok(rows.into_iter().map(|(_, row)| row).collect());
    }
    let mut found: BTreeMap<u64, Row> = BTreeMap::new();
    found.extend(query(conn, FROM_EVENTS, range).await?);
    found.extend(rows);
    if found.is_empty() {
        // Nothing is there, or a gap that is longer than the range.
        let open = Range { upto: i64::MAX.unsigned_abs(), ..range };
        found.extend(query(conn, FROM_EVENTS, open).await?);
    }
    Ok(found.into_values().take(limit as usize).collect())
}

#[derive(Clone, Copy)]
struct Range {
    shard: u16,
    after: u64,
    upto: u64,
    limit: u32,
}

/// What is in `range`, each with its position; `from` names what differs, of the rows `t` that are read.
async fn query(
    conn: &impl ConnectionTrait,
    from: &str,
    range: Range,
) -> Result<Vec<(u64, Row)>, DbErr> {
    let values = [
        i64::from(range.shard).into(),
        range.after.cast_signed().into(),
        range.upto.cast_signed().into(),
        i64::from(range.limit).into(),
    ];
    let backend = Backend::of(conn);
    let sql = format!(
        "SELECT t.position, t.tenant, t.wallet_id, t.version, CAST(t.event_id AS text) AS event_id, \
         {} AS traceparent, {from} \
         WHERE t.shard = $1 AND t.position > $2 AND t.position <= $3 ORDER BY t.position LIMIT $4",
        traceparent(backend)
    );
    let rows = conn.query_all_raw(backend.statement(sql, values)).await?;
    rows.into_iter()
        .map(|row| {
            let row = Row(row);
            let position = row.number("position").map_err(|e| DbErr::Custom(e.to_string()))?;
            Ok((position, row))
        })
        .collect()
}

/// The trace in the metadata of the row `t`. Whatever became of that document at rest, it is no reason to
/// fail.
fn traceparent(backend: Backend) -> &'static str {
    match backend {
        Backend::Postgres => "t.metadata ->> 'traceparent'",
        Backend::Sqlite => {
            "CASE WHEN json_valid(t.metadata) \
             THEN CAST(json_extract(t.metadata, '$.traceparent') AS text) END"
        }
    }
}
