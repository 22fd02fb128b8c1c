//! Claiming keys.

use std::fmt::Write as _;

use sea_orm::{ConnectionTrait, DbErr};
use wallex_database::{Backend, Column, Insert, With};
use wallex_ports::{Claim, Shards};

use crate::scope_columns;

/// On PostgreSQL: adds `claimed`, a row for each of `claims` that was won, if `condition` holds; the
/// condition under which all were won.
pub fn claim_in(
    with: &mut With,
    shards: Shards,
    claims: &[&Claim],
    condition: &str,
) -> Option<String> {
    if claims.is_empty() {
        return None;
    }
    let insert = insertion(Backend::Postgres, shards, claims);
    // The word WHERE also tells PostgreSQL's grammar that ON CONFLICT is not a join's ON.
    with.insert("claimed", insert, &format!("WHERE {condition}"), "1");
    let count = i64::try_from(claims.len()).expect("invariant: a batch is small");
    Some(format!("(SELECT count(*) FROM claimed) = {}", with.int(count)))
}

/// On SQLite: inserts a record for each of `claims`; whether all were won. When not, the transaction is
/// to be rolled back.
///
/// # Errors
/// The database's.
pub async fn claim(
    conn: &impl ConnectionTrait,
    shards: Shards,
    claims: &[&Claim],
) -> Result<bool, DbErr> {
    let won = insertion(Backend::Sqlite, shards, claims).execute(conn).await?;
    Ok(won == claims.len() as u64)
}

/// A record for each of `claims`, in key order. A claim is lost to a record that has not expired: then
/// its row is not among those that were written. Two claims on one key are a mistake of the caller.
fn insertion(backend: Backend, shards: Shards, claims: &[&Claim]) -> Insert {
    let mut sorted = claims.to_vec();
    sorted.sort_by(|a, b| {
        let shard = |claim: &Claim| shards.of_key(&claim.scope);
        shard(a).cmp(&shard(b)).then_with(|| a.scope.cmp(&b.scope))
    });
    let now_ms = backend.now_ms();
    let mut columns = scope_columns(shards, sorted.iter().map(|claim| &claim.scope));
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let ttl_ms = |claim: &&Claim| i64::try_from(claim.ttl_ms).unwrap_or(i64::MAX / 2);
    columns.extend([
        Column::text("request_hash", sorted.iter().map(|c| hex(&c.request_hash.0))),
        Column::int("http_status", sorted.iter().map(|c| i64::from(c.answer.status))),
        Column::text("etag", sorted.iter().map(|c| text(&c.answer.etag))),
        Column::text("location", sorted.iter().map(|c| text(&c.answer.location))),
        Column::text("response", sorted.iter().map(|c| c.answer.body.to_string())),
        Column::int("created_at_ms", sorted.iter().map(|_| 0)).computed(format!("{now_ms} + {{}}")),
        Column::int("expires_at_ms", sorted.iter().map(ttl_ms))
            .computed(format!("{now_ms} + {{}}")),
    ]);
    Insert::into("idempotency_keys", columns).tail(format!(
        "ON CONFLICT (shard, tenant, route, key) DO UPDATE SET \
         request_hash = excluded.request_hash, http_status = excluded.http_status, \
         etag = excluded.etag, location = excluded.location, response = excluded.response, \
         created_at_ms = excluded.created_at_ms, expires_at_ms = excluded.expires_at_ms \
         WHERE idempotency_keys.expires_at_ms <= {now_ms}"
    ))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
