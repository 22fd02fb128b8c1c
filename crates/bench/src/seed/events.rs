//! The events that a seeded database begins with, each with the hash that it would have.

use anyhow::Result;
use uuid::Uuid;
use wallex_database::{Column, Insert};
use wallex_domain::{EventHash, HashedEvent};

use super::BALANCE;
use crate::Kind;
use crate::tables::Tables;

/// Events that one statement writes.
const ROWS: usize = 5_000;

const POSTGRES_TABLE: &str = "CREATE TEMPORARY TABLE seed (n bigint, wallet_id text, \
    version bigint, event_id uuid, type text, payload jsonb, metadata jsonb, hash bytea)";
const SQLITE_TABLE: &str = "CREATE TEMPORARY TABLE seed (n INTEGER, wallet_id TEXT, \
    version INTEGER, event_id TEXT, type TEXT, payload TEXT, metadata TEXT, hash BLOB)";

struct SeededEvent {
    /// Which of the wallets it is about, from 1: not in the order of their ids.
    n: i64,
    wallet_id: String,
    version: i64,
    event_id: Uuid,
    event_type: &'static str,
    payload: String,
    metadata: String,
    hash: EventHash,
}

/// Fills the temporary table `seed`, wallet by wallet in the order of their ids.
pub(super) async fn fill(
    tables: &Tables,
    kind: Kind,
    (wallets, versions): (u64, u64),
    recorded_at_ms: i64,
) -> Result<()> {
    tables
        .execute(match kind {
            Kind::Postgres => POSTGRES_TABLE,
            Kind::Sqlite => SQLITE_TABLE,
        })
        .await?;
    let mut ids: Vec<(Uuid, i64)> = (1..=wallets.cast_signed()).map(|n| (random_id(), n)).collect();
    ids.sort_unstable();
    let mut rows = Vec::with_capacity(ROWS);
    for event in ids.into_iter().flat_map(|wallet| history(wallet, versions, recorded_at_ms)) {
        rows.push(event);
        if rows.len() == ROWS {
            tables.insert(insert(&rows)).await?;
            rows.clear();
        }
    }
    tables.insert(insert(&rows)).await
}

/// A wallet that is created, and then credited with one minor unit each time.
fn history(
    (wallet, n): (Uuid, i64),
    versions: u64,
    recorded_at_ms: i64,
) -> impl Iterator<Item = SeededEvent> {
    let wallet_id = wallet.to_string();
    let mut hash = EventHash::BEFORE_FIRST;
    (1..=versions).map(move |version| {
        let (event_type, payload) = match version {
            1 => (
                "WalletCreated",
                format!(
                    r#"{{"ownerId":"owner-of-{wallet_id}","currency":"USD","initialBalance":{BALANCE}}}"#
                ),
            ),
            _ => (
                "WalletCredited",
                format!(
                    r#"{{"amount":1,"balance":{},"currency":"USD","description":"a top-up by card","reference":"{}"}}"#,
                    BALANCE + version - 1,
                    random_id()
                ),
            ),
        };
        let (correlation, causation) = (random_id(), random_id());
        let metadata =
            format!(r#"{{"correlationId":"{correlation}","causationId":"{causation}"}}"#);
        let event_id = random_id();
        let version = version.cast_signed();
        hash = HashedEvent {
            tenant: "default",
            wallet_id: &wallet_id,
            version,
            event_id: &event_id.to_string(),
            event_type,
            schema_version: 1,
            payload: &payload,
            metadata: &metadata,
            recorded_at_ms,
        }
        .hash(hash);
        let wallet_id = wallet_id.clone();
        SeededEvent { n, wallet_id, version, event_id, event_type, payload, metadata, hash }
    })
}

fn insert(rows: &[SeededEvent]) -> Insert {
    let columns = vec![
        Column::int("n", rows.iter().map(|row| row.n)),
        Column::text("wallet_id", rows.iter().map(|row| row.wallet_id.as_str())),
        Column::int("version", rows.iter().map(|row| row.version)),
        Column::uuid("event_id", rows.iter().map(|row| row.event_id)),
        Column::text("type", rows.iter().map(|row| row.event_type)),
        Column::json("payload", rows.iter().map(|row| row.payload.as_str())),
        Column::json("metadata", rows.iter().map(|row| row.metadata.as_str())),
        Column::bytes("hash", rows.iter().map(|row| row.hash.as_bytes().to_vec())),
    ];
    Insert::into("seed", columns)
}

/// Another one in each run, and in each database that is filled more than once.
#[expect(clippy::disallowed_methods, reason = "nothing is decided by an id here")]
fn random_id() -> Uuid {
    Uuid::new_v4()
}
