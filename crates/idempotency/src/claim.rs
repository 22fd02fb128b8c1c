//! Claiming keys.

use sea_orm::{ConnectionTrait, DbErr};
use wallex_database::{Backend, Column, Insert, KeyedDelete, With};
use wallex_ports::{Claim, KeyScope, Shards};

use crate::scope_columns;

/// On PostgreSQL: adds `claimed`, if there are `claims`: a record for each, if `condition` holds. A key that
/// has a record is a unique violation, also when the record has expired: see [`forget_expired`].
pub fn claim_in(with: &mut With, shards: Shards, claims: &[&Claim], condition: &str) {
    if !claims.is_empty() {
        let insert = insertion(Backend::Postgres, shards, claims);
        with.insert("claimed", insert, &format!("WHERE {condition}"), "1");
    }
}

/// On SQLite: inserts a record for each of `claims`. A key that has a record is a unique violation, also
/// when the record has expired: see [`forget_expired`].
///
/// # Errors
/// The database's.
pub async fn claim(
    conn: &impl ConnectionTrait,
    shards: Shards,
    claims: &[&Claim],
) -> Result<(), DbErr> {
    insertion(Backend::Sqlite, shards, claims).execute(conn).await.map(drop)
}

/// Deletes the records of `scopes` that have expired, so that their keys can be claimed anew.
///
/// # Errors
/// The database's.
pub async fn forget_expired(
    conn: &impl ConnectionTrait,
    shards: Shards,
    scopes: &[&KeyScope],
) -> Result<(), DbErr> {
    KeyedDelete::new("idempotency_keys", scope_columns(shards, scopes.iter().copied()))
        .and(format!("t.expires_at_ms <= {}", Backend::of(conn).now_ms()))
        .execute(conn)
        .await
        .map(drop)
}

/// A record for each of `claims`, in key order. Two claims on one key are a mistake of the caller.
fn insertion(backend: Backend, shards: Shards, claims: &[&Claim]) -> Insert {
    let mut sorted = claims.to_vec();
    sorted.sort_by_cached_key(|claim| (shards.of_key(&claim.scope), &claim.scope));
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
    Insert::into("idempotency_keys", columns)
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
