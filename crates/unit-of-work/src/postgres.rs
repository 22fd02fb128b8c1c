//! A batch on PostgreSQL: one statement, which is a transaction by itself.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use wallex_database::{Row, RowError, With};
use wallex_idempotency::claim_in;
use wallex_outbox::enqueue_appended;
use wallex_ports::Shards;
use wallex_postgres_eventstore::postgres::{IF_OK, append, create, move_on, number, verify};

use crate::attempt::Attempt;
use crate::rows::Rows;

/// Writes all of `rows`, or nothing. Wallets are locked first, then new ones, keys and heads, because
/// each part asks for what the one before returns.
pub(crate) async fn attempt(
    conn: &impl ConnectionTrait,
    shards: Shards,
    rows: &Rows<'_>,
) -> Result<Attempt, DbErr> {
    let mut with = With::default();
    let absent = rows.kept.iter().filter(|(_, version)| *version == 0);
    let absent: Vec<_> = absent.map(|(key, _)| *key).collect();
    verify(&mut with, shards, &rows.rests, &absent);
    move_on(&mut with, shards, &rows.moves);
    create(&mut with, shards, &rows.created);
    claim_in(&mut with, shards, &rows.claims, IF_OK);
    let written = [
        ("moved", rows.moves.len()),
        ("created", rows.created.len()),
        ("claimed", rows.claims.len()),
    ];
    number(&mut with, &rows.counts, &written);
    if !rows.events.is_empty() {
        append(&mut with, &rows.events);
        enqueue_appended(&mut with);
    }
    let select = "SELECT CAST(shard AS bigint) AS shard, before FROM head";
    let heads = with.query(conn, select).await?;
    if heads.is_empty() {
        return Ok(Attempt::Refused);
    }
    // It is written: only the tail is told where, and does without.
    let before = befores(heads).unwrap_or_else(|error| {
        tracing::error!(%error, "the position that a batch was committed behind can't be read");
        BTreeMap::new()
    });
    Ok(Attempt::Written(before))
}

/// Where each shard stood before.
fn befores(heads: Vec<QueryResult>) -> Result<BTreeMap<u16, u64>, RowError> {
    let before = |head| {
        let head = Row(head);
        Ok((head.number("shard")?, head.number("before")?))
    };
    heads.into_iter().map(before).collect()
}
