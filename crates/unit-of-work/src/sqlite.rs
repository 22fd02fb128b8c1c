//! A batch on SQLite: step by step, by the one writer there is.

use sea_orm::{ConnectionTrait, DbErr};
use wallex_idempotency::claim;
use wallex_outbox::enqueue_after;
use wallex_ports::{Shards, planted};
use wallex_postgres_eventstore::sqlite::{append, create, move_on, verify};
use wallex_postgres_eventstore::take_positions;

use crate::attempt::Attempt;
use crate::rows::Rows;

/// Writes all of `rows`. When it is refused, or fails, a part may be written: roll it back.
pub(crate) async fn attempt(
    conn: &impl ConnectionTrait,
    shards: Shards,
    rows: &Rows<'_>,
) -> Result<Attempt, DbErr> {
    let fits =
        verify(conn, shards, &rows.kept).await? && move_on(conn, shards, &rows.moves).await?;
    if !fits {
        return Ok(Attempt::Refused);
    }
    create(conn, shards, &rows.created).await?;
    claim(conn, shards, &rows.claims).await?;
    planted::pass("mid-batch");
    let before = take_positions(conn, &rows.counts).await?;
    let mut events = rows.events.clone();
    for event in &mut events {
        event.position += before.get(&event.shard).copied().unwrap_or_default();
    }
    append(conn, &events).await?;
    for (shard, count) in rows.counts.iter().filter(|(_, count)| **count > 0) {
        enqueue_after(conn, *shard, before[shard], *count).await?;
    }
    Ok(Attempt::Written(before))
}
