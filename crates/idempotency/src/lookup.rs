//! Looking keys up.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytestring::ByteString;
use sea_orm::{ConnectionTrait, DbErr, QueryResult};
use wallex_database::{Backend, Database, KeyedSelect, Row, RowError, read_error, within};
use wallex_ports::{
    ExpiredRecords, IdempotencyRecords, KeyScope, ReadError, RequestHash, Shards, StoredAnswer,
    StoredRecord,
};

use crate::scope_columns;
use crate::sweep::sweep;

const COLUMNS: &str = "t.tenant, t.route, t.key, t.request_hash, \
                       CAST(t.http_status AS bigint) AS http_status, t.etag, t.location, t.response";

type Key = (String, String, String);

fn record(row: QueryResult) -> Result<(Key, StoredRecord), RowError> {
    let row = Row(row);
    let hash = row.text("request_hash")?;
    let request_hash = unhex(&hash)
        .ok_or_else(|| RowError::new("request_hash", format!("{hash:?} is no SHA-256")))?;
    let optional = |text: String| if text.is_empty() { None } else { Some(text) };
    let answer = StoredAnswer {
        status: row.number("http_status")?,
        etag: optional(row.text("etag")?),
        location: optional(row.text("location")?),
        body: ByteString::from(row.text("response")?),
    };
    let key = (row.text("tenant")?, row.text("route")?, row.text("key")?);
    Ok((key, StoredRecord { request_hash: RequestHash(request_hash), answer }))
}

/// The live records of `scopes`, in their order.
///
/// # Errors
/// The database's; also when a record can't be understood.
pub async fn stored_records(
    conn: &impl ConnectionTrait,
    shards: Shards,
    scopes: &[&KeyScope],
) -> Result<Vec<Option<StoredRecord>>, DbErr> {
    let keys = scope_columns(shards, scopes.iter().copied());
    let rows = KeyedSelect::new(COLUMNS, "idempotency_keys", keys)
        .and(format!("t.expires_at_ms > {}", Backend::of(conn).now_ms()))
        .query(conn)
        .await?;
    let found: Result<HashMap<Key, StoredRecord>, RowError> =
        rows.into_iter().map(record).collect();
    let found = found.map_err(|error| DbErr::Type(error.to_string()))?;
    let find = |scope: &&KeyScope| {
        let key: Key =
            (scope.tenant.to_string(), scope.route.as_str().to_owned(), scope.key.to_string());
        found.get(&key).cloned()
    };
    Ok(scopes.iter().map(find).collect())
}

/// Reads records outside of any transaction.
#[derive(Debug)]
pub struct SqlIdempotencyRecords {
    db: Arc<Database>,
}

impl SqlIdempotencyRecords {
    /// On `db`.
    #[must_use]
    pub fn new(db: Arc<Database>) -> Self {
        Self { db }
    }
}

#[async_trait]
impl IdempotencyRecords for SqlIdempotencyRecords {
    async fn lookup(&self, scopes: &[KeyScope]) -> Result<Vec<Option<StoredRecord>>, ReadError> {
        let shards = self.db.shards()?;
        let scopes: Vec<_> = scopes.iter().collect();
        let span = self.db.place().span("SELECT", "idempotency_keys", scopes.len());
        within(span, stored_records(self.db.read(), shards, &scopes)).await.map_err(read_error)
    }
}

#[async_trait]
impl ExpiredRecords for SqlIdempotencyRecords {
    async fn sweep(&self, rows_max: u32) -> Result<u64, ReadError> {
        sweep(&self.db, rows_max).await
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::unhex;

    #[test]
    fn a_hash_is_64_digits() {
        let digits = "00ff".repeat(16);
        assert_eq!(unhex(&digits).map(|bytes| (bytes[0], bytes[31])), Some((0, 255)));
        for other in ["", "00", &digits[2..], &format!("{digits}00"), &"xy".repeat(32)] {
            assert_eq!(unhex(other), None, "{other}");
        }
    }
}
