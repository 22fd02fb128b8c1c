//! A batch on PostgreSQL: one statement, which is a transaction by itself.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbErr};
use wallex_database::{Row, With, is_refused_null};
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
    let moved = move_on(&mut with, shards, &rows.moves);
    let created = create(&mut with, shards, &rows.created);
    let claimed = claim_in(&mut with, shards, &rows.claims, IF_OK);
    let conditions: Vec<String> = [moved, created, claimed].into_iter().flatten().collect();
    number(&mut with, &rows.counts, &conditions);
    if !rows.events.is_empty() {
        append(&mut with, &rows.events);
        enqueue_appended(&mut with);
    }
    let select = "SELECT CAST(shard AS bigint) AS shard, before FROM head";
    match with.query(conn, select).await {
        Ok(heads) if heads.is_empty() => Ok(Attempt::Refused),
        Ok(heads) => {
            let before = heads.into_iter().map(|head| {
                let head = Row(head);
                Ok((head.number("shard")?, head.number("before")?))
            });
            let before: Result<BTreeMap<_, _>, wallex_database::RowError> = before.collect();
            before.map(Attempt::Written).map_err(|error| DbErr::Type(error.to_string()))
        }
        // The position of a batch whose creations or claims were not all won.
        Err(error) if is_refused_null(&error) => Ok(Attempt::Refused),
        Err(error) => Err(error),
    }
}
