//! Claiming keys.

use std::collections::HashSet;
use std::fmt::Write as _;

use sea_orm::{ConnectionTrait, DbErr};
use wallex_database::{Backend, Column, Insert, KeyedDelete, Row, RowError};
use wallex_ports::{Claim, KeyScope, Shards};

use crate::scope_columns;

/// Inserts a record for each claim, in key order; whether each was won, in the order of `claims`. A
/// claim is lost to a record that has not expired. Two claims on one key are a mistake of the
/// caller.
///
/// # Errors
/// The database's.
pub async fn claim(
    conn: &impl ConnectionTrait,
    shards: Shards,
    claims: &[&Claim],
) -> Result<Vec<bool>, DbErr> {
    let mut sorted = claims.to_vec();
    sorted.sort_by(|a, b| {
        let key = |claim: &&Claim| (shards.of_key(&claim.scope), claim.scope.clone());
        key(a).cmp(&key(b))
    });
    let now_ms = Backend::of(conn).now_ms();
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
    let won = Insert::into("idempotency_keys", columns)
        .tail(format!(
            "ON CONFLICT (shard, tenant, route, key) DO UPDATE SET \
             request_hash = excluded.request_hash, http_status = excluded.http_status, \
             etag = excluded.etag, location = excluded.location, response = excluded.response, \
             created_at_ms = excluded.created_at_ms, expires_at_ms = excluded.expires_at_ms \
             WHERE idempotency_keys.expires_at_ms <= {now_ms} RETURNING tenant, route, key"
        ))
        .query(conn)
        .await?;
    let won: Result<HashSet<_>, RowError> = won
        .into_iter()
        .map(|row| {
            let row = Row(row);
            Ok((row.text("tenant")?, row.text("route")?, row.text("key")?))
        })
        .collect();
    let won = won.map_err(|error| DbErr::Type(error.to_string()))?;
    let is_won = |scope: &KeyScope| {
        won.contains(&(
            scope.tenant.to_string(),
            scope.route.as_str().to_owned(),
            scope.key.to_string(),
        ))
    };
    Ok(claims.iter().map(|claim| is_won(&claim.scope)).collect())
}

/// Takes back records that this transaction claimed.
///
/// # Errors
/// The database's.
pub async fn release(
    conn: &impl ConnectionTrait,
    shards: Shards,
    scopes: &[&KeyScope],
) -> Result<(), DbErr> {
    let keys = scope_columns(shards, scopes.iter().copied());
    KeyedDelete::new("idempotency_keys", keys).execute(conn).await?;
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
